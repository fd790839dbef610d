//! Reading a country: the name or code that stands in a text, and what forms and shops put beside it.
//!
//! Two countries in one text are none, unless a code at its end decides. Must not know any numbering plan.

use std::collections::HashMap;
use std::sync::LazyLock;

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::{REGIONS, Region};

/// What countries are called elsewhere than in English, made by `scripts/country-names.py`.
const NAMES: &str = include_str!("names.tsv");
/// No name is longer; whatever is may be megabytes.
const BYTES_MAX: usize = 200;

/// The country that a text names.
pub(super) fn region_in(text: &str) -> Option<Region> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let text = text.trim();
    named(text)
        .or_else(|| flag(text))
        .or_else(|| subdivision(text))
        .or_else(|| bracketed(text))
        .or_else(|| one_of_parts(text))
        .or_else(|| code_beside_name(text))
}

/// The names of a file of [`NAMES`]' form, with the code of each.
pub(super) fn foreign_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = NAMES.lines().filter_map(|line| line.split_once('\t'));
    rows.flat_map(|(code, names)| names.split('|').map(move |name| (code, name)))
}

static BY_KEY: LazyLock<HashMap<String, Region>> = LazyLock::new(|| {
    let mut by_key = HashMap::from([("uk".to_owned(), Region("GB"))]);
    for (alpha2, alpha3, names) in REGIONS {
        for name in [*alpha2, *alpha3].into_iter().chain(names.split('|')) {
            by_key.insert(key(name), Region(alpha2));
        }
    }
    for (code, name) in foreign_names() {
        if let Some(region) = by_key.get(&key(code)).copied() {
            by_key.entry(key(name)).or_insert(region);
        }
    }
    by_key
});

/// A whole text that is a name or a code.
fn named(text: &str) -> Option<Region> {
    let key = key(text);
    let short = || ["republicof", "kingdomof"].iter().find_map(|form| BY_KEY.get(key.strip_prefix(form)?));
    BY_KEY.get(key.as_str()).or_else(short).copied()
}

/// A code in capitals, as it stands beside other words: there a small `in` or `de` is a word.
fn code(text: &str) -> Option<Region> {
    let bare = text.replace('.', "");
    let is_code = (2..=3).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { named(&bare) } else { None }
}

/// 🇩🇪, alone or beside a name that is not known.
fn flag(text: &str) -> Option<Region> {
    let letter = |c: char| {
        let place = u32::from(c).checked_sub(0x1F1E6).filter(|place| *place < 26)?;
        char::from_u32(u32::from('A') + place)
    };
    let letters: String = text.chars().filter_map(letter).collect();
    if letters.len() == 2 { code(&letters) } else { None }
}

/// `US-CA`, `US:CA` and `us_ca` are parts of a country (ISO 3166-2), `de-CH` is a language and a country.
fn subdivision(text: &str) -> Option<Region> {
    let (first, second) = text.split_once(['-', '_', ':'])?;
    let (first, second) = (first.trim(), second.trim());
    let short = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if first.len() != 2 || !short(first, 2) || !short(second, 3) {
        return None;
    }
    let is_locale = first.bytes().all(|byte| byte.is_ascii_lowercase()) && code(second).is_some();
    if is_locale { code(second) } else { named(first) }
}

/// `United Kingdom (UK)`, `Korea (South)`, `Deutschland (Germany)`, `(US) United States`.
fn bracketed(text: &str) -> Option<Region> {
    let (before, rest) = text.split_once(['(', '['])?;
    let (inside, after) = rest.split_once([')', ']'])?;
    let (before, inside, after) = (before.trim(), inside.trim(), after.trim());
    let name = if before.is_empty() { after } else { before };
    code(inside)
        .or_else(|| named(&format!("{inside} {name}")))
        .or_else(|| named(name))
        .or_else(|| named(inside))
}

/// `United States (US) — Texas`, `Paris, France`, `Belgique / België`, `Korea, South`.
fn one_of_parts(text: &str) -> Option<Region> {
    let separators = [" — ", " – ", " - ", "—", " | ", "|", "/", ",", ";", ":", "\n", ">"];
    let by = separators.iter().find(|separator| text.contains(*separator))?;
    let parts: Vec<&str> = text.split(by).map(str::trim).filter(|part| !part.is_empty()).collect();
    if let [name, before] = parts.as_slice()
        && let Some(region) = named(&format!("{before} {name}"))
    {
        return Some(region);
    }
    let read = |part: &&str| named(part).or_else(|| bracketed(part)).or_else(|| one_of_parts(part));
    let found: Vec<Region> = parts.iter().filter_map(read).collect();
    let (first, last) = (found.first()?, parts.last()?);
    if found.iter().all(|region| region == first) {
        return Some(*first);
    }
    // A code at the end decides over a name before it (`Georgia, US`), not over another code.
    code(last).filter(|_| parts.iter().rev().skip(1).all(|part| code(part).is_none()))
}

/// `DE Germany`, `United States US`: a code that the name agrees with.
fn code_beside_name(text: &str) -> Option<Region> {
    let agrees = |word: &str, name: &str| code(word).filter(|region| named(name) == Some(*region));
    let at_end = || text.rsplit_once(char::is_whitespace).and_then(|(name, word)| agrees(word, name));
    let at_start = || text.split_once(char::is_whitespace).and_then(|(word, name)| agrees(word, name));
    at_end().or_else(at_start)
}

/// The letters of a name in one spelling: "St. Kitts & Nevis" and "Saint Kitts and Nevis" are the same.
fn key(name: &str) -> String {
    let parts = DecomposingNormalizerBorrowed::new_nfd();
    let letters: String = parts.normalize(&name.to_lowercase()).chars().fold(String::new(), plain);
    let words = letters.split_whitespace().map(|word| if word == "st" { "saint" } else { word });
    let telling: String = words.filter(|word| !["the", "and"].contains(word)).collect();
    // AND is Andorra.
    if telling.is_empty() { letters.trim().to_owned() } else { telling }
}

/// A letter without its accent; nothing for what separates no words, a space for what does.
fn plain(mut letters: String, ch: char) -> String {
    match ch {
        'ø' => letters.push('o'),
        'ł' => letters.push('l'),
        'đ' => letters.push('d'),
        'ı' => letters.push('i'),
        'ß' => letters.push_str("ss"),
        'æ' => letters.push_str("ae"),
        'œ' => letters.push_str("oe"),
        '.' | '\'' | '’' | '\u{300}'..='\u{36F}' => {}
        _ if ch.is_alphabetic() => letters.push(ch),
        _ => letters.push(' '),
    }
    letters
}
