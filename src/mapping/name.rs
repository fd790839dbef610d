//! Names: a full name becomes a first and a last name.
//!
//! Judges the text alone. Must not guess where guessing does harm: a name of one word stays whole.

mod words;

use self::words::{BETWEEN_TITLES, NO_TITLES, PARTICLES, SUFFIXES, TITLES, TITLES_BEFORE_A_WHOLE_NAME};
use crate::event::{Email, is_missing_word, without_tags};

/// A full name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FullName {
    /// What somebody is called.
    pub first: String,
    /// The family name with its particles and suffixes; `None` where the name is one word.
    pub last: Option<String>,
}

impl FullName {
    /// Takes a name apart; `None` where it is no name (an email address, or nothing but signs).
    ///
    /// `van Doe, Jane` and `Jane van Doe` are the same; a particle opens the family name (`Jean Paul de la Cruz`), a title
    /// is left off (`Dr. Jane Doe`). Two words and more before a comma are a whole name, and what follows are credentials,
    /// which stay with the family name (`Jane Doe, RN`). Words without a letter are no part of a name. Chinese, Japanese
    /// and Korean names in their own script say the family name first (`山田 太郎`). Everything else: the first word, and
    /// the rest.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.contains('@') {
            return None;
        }
        let text = without_tags(text);
        let parts: Vec<Vec<String>> =
            text.split(',').map(words_of).filter(|words| !words.is_empty()).collect();
        let (first, rest) = parts.split_first()?;
        let name = without_titles(first, 2);
        let Some((second, others)) = rest.split_first() else { return taken_apart(name, &[]) };
        let opens_with_particle = name.first().is_some_and(|word| is_one_of(word, PARTICLES));
        let is_whole =
            name.len() > 1 && (!opens_with_particle || second.iter().all(|word| is_credential(word)));
        if is_whole || second.iter().all(|word| is_one_of(word, SUFFIXES)) {
            return taken_apart(name, &rest.concat());
        }
        let mut given = without_titles(second, 1).to_vec();
        let mut credentials = Vec::new();
        while given.len() > 1 && given.last().is_some_and(|word| is_one_of(word, SUFFIXES)) {
            credentials.extend(given.pop());
        }
        credentials.reverse();
        let last = name.iter().chain(&credentials).chain(others.iter().flatten());
        Some(Self { first: given.join(" "), last: Some(last.cloned().collect::<Vec<_>>().join(" ")) })
    }
}

/// A part of a name without the words that are none: signs, emoji, and what a program printed for nothing.
pub(super) fn without_signs(text: &str) -> String {
    words_of(&without_tags(text)).join(" ")
}

/// The words with a letter; a title that is written together with what follows (`Dr.Jane`) is a word of its own.
fn words_of(text: &str) -> Vec<String> {
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic) && !is_missing_word(word);
    let mut words = Vec::new();
    for word in text.split_whitespace().filter(is_word) {
        let mut rest = word.trim_matches(['"', '“', '”', '„', '«', '»']);
        while let Some((title, name)) = rest.split_once('.')
            && is_one_of(title, TITLES)
            && name.chars().filter(|c| c.is_alphabetic()).count() > 1
            && !is_one_of(rest, TITLES)
        {
            words.push(format!("{title}."));
            rest = name;
        }
        words.push(rest.to_owned());
    }
    words
}

/// The words of a name after its titles. `least` words stay, of a known title one.
fn without_titles(words: &[String], least: usize) -> &[String] {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        let known = is_one_of(word, TITLES) && !after.is_empty();
        let joins = rest.len() < words.len()
            && is_one_of(word, BETWEEN_TITLES)
            && after.first().is_some_and(|next| is_one_of(next, TITLES));
        if !(known || joins || (after.len() >= least && may_be_title(word, after))) {
            break;
        }
        rest = after;
    }
    rest
}

/// Whether a word is a title when a whole name follows: one of the list, or anything with a dot that is no initial.
fn may_be_title(word: &str, after: &[String]) -> bool {
    if is_one_of(word, NO_TITLES) {
        return false;
    }
    let is_initial = |word: &str| {
        let mut letters = word.split(['.', '-']).filter(|piece| !piece.is_empty());
        word.contains('.') && letters.all(|piece| piece.chars().count() == 1)
    };
    let upper = word.chars().next().is_some_and(char::is_uppercase);
    if is_initial(word) && upper {
        // `M. Jean Dupont` is Monsieur, `M. K. Gandhi` is not.
        return is_one_of(word, &["m", "d"]) && !after.first().is_some_and(|next| is_initial(next));
    }
    let listed = is_one_of(word, TITLES_BEFORE_A_WHOLE_NAME) && word.chars().count() > 1;
    listed || word.ends_with('.') || word.contains(".-")
}

/// A first and a last name from an address: `sam.lee+news@example.com` is Sam Lee, `info@example.com` has the last name Info.
/// For a contact that nobody has named yet.
#[must_use]
pub fn name_of_address(email: &Email) -> (Option<String>, String) {
    let local = email.as_str().split(['@', '+']).next().unwrap_or_default();
    let words = local.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(capitalised).collect();
    match words.len() {
        0 => (None, local.to_owned()),
        1 => (None, words.concat()),
        _ => (Some(words.remove(0)), words.join(" ")),
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A name in its usual order, with the credentials at its end.
fn taken_apart(words: &[String], credentials: &[String]) -> Option<FullName> {
    let text = |words: &[String]| words.join(" ");
    if let [family, given] = words
        && family_comes_first(family, given)
    {
        return Some(FullName { first: given.clone(), last: Some(family.clone()) });
    }
    // A particle at either end is a name: `Van Morrison`, `Maria Da`.
    let inside = 1..words.len().saturating_sub(1);
    let mut particles = inside.filter(|at| words.get(*at).is_some_and(|word| is_one_of(word, PARTICLES)));
    let (first, last) = words.split_at_checked(particles.next().unwrap_or(1))?;
    let last = (!last.is_empty()).then(|| text(&[last, credentials].concat()));
    Some(FullName { first: text(first), last })
}

/// Letters after a name: those of the list, and what is written like them (`RN-BC`, `Ph.D.`).
fn is_credential(word: &str) -> bool {
    let letters = || word.chars().filter(|c| c.is_alphabetic());
    is_one_of(word, SUFFIXES)
        || word.contains('.')
        || (letters().count() <= 5 && letters().all(char::is_uppercase))
}

/// Compared without case and dots.
fn is_one_of(word: &str, list: &[&str]) -> bool {
    let word = word.replace('.', "").to_lowercase();
    list.contains(&word.as_str())
}

/// Whether both words are Han, Hangul or Hiragana. Katakana alone is how foreign names are written, in their own order.
fn family_comes_first(family: &str, given: &str) -> bool {
    let east = |c: char| matches!(c, '\u{3040}'..='\u{309f}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '々');
    family.chars().chain(given.chars()).all(east)
}
