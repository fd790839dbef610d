//! Names: a full name becomes a first and a last name.
//!
//! Judges the text alone. Must not guess where guessing does harm: a name of one word stays whole.

use crate::event::Email;

/// A full name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FullName {
    /// What somebody is called.
    pub first: String,
    /// The family name with its particles and suffixes; `None` where the name is one word.
    pub last: Option<String>,
}

/// Words before a name that are no part of it.
const TITLES: [&str; 10] = ["mr", "mrs", "ms", "mx", "dr", "prof", "herr", "frau", "mme", "mlle"];
/// Words after a last comma that belong to the family name before it.
const SUFFIXES: [&str; 12] = ["jr", "sr", "ii", "iii", "iv", "phd", "md", "mba", "esq", "cpa", "dds", "msc"];
/// Words that a family name begins with.
const PARTICLES: [&str; 26] = [
    "van", "von", "vom", "zu", "zum", "zur", "af", "av", "de", "del", "della", "di", "da", "das", "dos",
    "du", "des", "la", "le", "ter", "ten", "bin", "binti", "ibn", "al", "el",
];

impl FullName {
    /// Takes a name apart; `None` where it is no name (an email address, or nothing but signs).
    ///
    /// `van Doe, Jane` and `Jane van Doe` are the same; a particle opens the family name (`Jean Paul de la Cruz`), a title
    /// is left off (`Dr. Jane Doe`), a suffix stays with the family name (`Sam Lee, Jr.`). Chinese, Japanese and Korean
    /// names in their own script say the family name first (`山田 太郎`). Everything else: the first word, and the rest.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.contains('@') || !text.chars().any(char::is_alphabetic) {
            return None;
        }
        let (name, suffix) = without_suffix(text);
        let (first, last) = taken_apart(name)?;
        let last = last.into_iter().chain(suffix.map(str::to_owned)).collect::<Vec<_>>().join(" ");
        Some(Self { first, last: (!last.is_empty()).then_some(last) })
    }
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

/// `Sam Lee, Jr.` is `Sam Lee` and `Jr.`
fn without_suffix(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(',') {
        Some((name, suffix)) if is_one_of(suffix.trim(), &SUFFIXES) => (name, Some(suffix.trim())),
        Some(_) | None => (text, None),
    }
}

fn taken_apart(name: &str) -> Option<(String, Option<String>)> {
    let turned = name.split_once(',').map(|(last, first)| (last.trim(), first.trim()));
    if let Some((last, first)) = turned.filter(|(last, first)| !last.is_empty() && !first.is_empty()) {
        return Some((first.to_owned(), Some(last.to_owned())));
    }
    let mut words: Vec<&str> = name.trim_matches([',', ' ']).split_whitespace().collect();
    while words.len() > 1 && words.first().is_some_and(|word| is_one_of(word, &TITLES)) {
        words.remove(0);
    }
    if let [family, given] = words.as_slice()
        && family_comes_first(family, given)
    {
        return Some(((*given).to_owned(), Some((*family).to_owned())));
    }
    // A particle at either end is a name: `Van Morrison`, `Maria Da`.
    let inside = 1..words.len().saturating_sub(1);
    let mut particles = inside.filter(|at| words.get(*at).is_some_and(|word| is_one_of(word, &PARTICLES)));
    let (first, last) = words.split_at_checked(particles.next().unwrap_or(1))?;
    Some((first.join(" "), (!last.is_empty()).then(|| last.join(" "))))
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
