//! Templates: a text with placeholders such as `{company.name|email} order #{key}`.
//!
//! Must not know where values come from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::problem::is_path;
use crate::happening::Piece;

/// Placeholders that are no paths into an event.
const WORDS: [&str; 3] = ["key", "email", "company.name"];

/// A text with placeholders. `{a|b|words}` is the first of `a` and `b` that says something, else the words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder { sources: Vec<String>, otherwise: String },
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// A brace without its other one.
    #[error("a `{{` without `}}`, or the other way round")]
    Brace,
    /// Nothing could ever stand in its place.
    #[error(
        "nothing can stand at {{{0}}}: a placeholder begins with traits., properties., context. or group., or is person.name, \
         person.ATTRIBUTE, company.name, email or key; words for when all are empty come last"
    )]
    Unfilled(String),
}

impl TryFrom<String> for Template {
    type Error = TemplateProblem;

    fn try_from(text: String) -> Result<Self, TemplateProblem> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, behind) = after.split_once('}').ok_or(TemplateProblem::Brace)?;
            if before.contains('}') || inside.contains('{') {
                return Err(TemplateProblem::Brace);
            }
            parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
            parts.push(placeholder(inside)?);
            rest = behind;
        }
        if rest.contains('}') {
            return Err(TemplateProblem::Brace);
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        Ok(Self { parts })
    }
}

/// As it is written.
impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(words) => out.write_str(words)?,
                Part::Placeholder { sources, otherwise } if otherwise.is_empty() => {
                    write!(out, "{{{}}}", sources.join("|"))?;
                }
                Part::Placeholder { sources, otherwise } => {
                    write!(out, "{{{}|{otherwise}}}", sources.join("|"))?;
                }
            }
        }
        Ok(())
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}

fn placeholder(inside: &str) -> Result<Part, TemplateProblem> {
    let choices: Vec<&str> = inside.split('|').map(str::trim).collect();
    let known = |choice: &&&str| {
        is_path(choice)
            || WORDS.contains(*choice)
            || choice.strip_prefix("person.").is_some_and(|rest| !rest.is_empty())
    };
    let sources: Vec<String> = choices.iter().take_while(known).map(|choice| (*choice).to_owned()).collect();
    match choices.get(sources.len()..) {
        Some(words) if !sources.is_empty() && words.len() <= 1 => {
            Ok(Part::Placeholder { sources, otherwise: words.concat() })
        }
        Some(_) | None => Err(TemplateProblem::Unfilled(inside.to_owned())),
    }
}

impl Template {
    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Everything that its placeholders ask for.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let of = |part| match part {
            &Part::Text(_) => &[][..],
            Part::Placeholder { sources, .. } => sources.as_slice(),
        };
        self.parts.iter().flat_map(of).map(String::as_str)
    }

    /// The paths into an event among them.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.sources().filter(|source| is_path(source))
    }

    /// Its words as they are, and whatever `put` makes of each placeholder: of what it asks for, and its words for when all is
    /// empty.
    pub(super) fn pieces(&self, put: impl Fn(&[String], &str) -> Piece) -> Vec<Piece> {
        let piece = |part: &Part| match part {
            Part::Text(words) => Piece::Words(words.clone()),
            Part::Placeholder { sources, otherwise } => put(sources, otherwise),
        };
        self.parts.iter().map(piece).collect()
    }

    /// The text with what is known put in, in single spaces.
    #[must_use]
    pub fn render(&self, known: &BTreeMap<String, String>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(words) => text.push_str(words),
                Part::Placeholder { sources, otherwise } => {
                    let found =
                        sources.iter().find_map(|source| known.get(source).filter(|it| !it.is_empty()));
                    text.push_str(found.unwrap_or(otherwise));
                }
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, TemplateProblem> {
        Template::try_from(text.to_owned())
    }

    #[test]
    fn the_first_that_says_something_stands_there_else_the_words() {
        let name = template("{company.name|person.name|email} order #{key}").unwrap();
        let known = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let both = known(&[("company.name", "Globex"), ("email", "jane@example.com"), ("key", "A-1")]);
        assert_eq!(name.render(&both), "Globex order #A-1");
        assert_eq!(
            name.render(&known(&[("company.name", ""), ("email", "j@e.com"), ("key", "A-1")])),
            "j@e.com order #A-1"
        );
        assert_eq!(name.render(&known(&[])), "order #");
        let form = template("Lead from {properties.form|the website}").unwrap();
        assert_eq!(form.render(&known(&[])), "Lead from the website");
        assert_eq!(form.paths().collect::<Vec<_>>(), ["properties.form"]);
    }

    #[test]
    fn a_placeholder_that_nothing_can_fill_is_refused() {
        for text in ["{order_id}", "{the website}", "{}", "{properties.a|x|y}", "{properties.}"] {
            assert!(matches!(template(text), Err(TemplateProblem::Unfilled(_))), "{text}");
        }
        for text in ["{key", "key}", "{{key}}", "{key} }"] {
            assert_eq!(template(text), Err(TemplateProblem::Brace), "{text}");
        }
    }
}
