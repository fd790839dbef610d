//! What stands in the text of a phone number beside one number: a fraction, words behind it, a second number.
//!
//! Must not know any numbering plan.

use std::borrow::Cow;

/// A word is cut off behind at least this many digits: fewer may be the start of a number that letters spell.
const DIGITS_BEFORE_WORD_MIN: usize = 7;
/// Two numbers have at least this many digits each.
const DIGITS_OF_NUMBER_MIN: usize = 6;

/// What precedes a word or a second number is read alone when it has at least this many digits: with fewer the letters
/// may spell the rest of it (1-800-555-TELL).
const DIGITS_OF_CERTAIN_HEAD_MIN: usize = 8;

/// The number of digits in a text.
fn digits_in(text: &str) -> usize {
    text.chars().filter(|c| c.is_numeric()).count()
}

/// A text that a program made of a number, as the digits it was made of: `4155550142.0`, `4,155,550,142`. `None` where they
/// are lost: a digit of a fraction would be a digit of somebody else's number.
pub(super) fn value_of(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.trim_start_matches(['+', '-']);
    if let Some((mantissa, exponent)) = unsigned.split_once(['e', 'E'])
        && is_digits(exponent.trim_start_matches(['+', '-']))
        && mantissa.split('.').all(is_digits)
        && mantissa.matches('.').count() <= 1
    {
        return None;
    }
    let grouped: Vec<&str> = unsigned.split(',').collect();
    if let [first, rest @ ..] = grouped.as_slice()
        && rest.len() >= 2
        && (1..=3).contains(&first.len())
        && is_digits(first)
        && !first.starts_with('0')
        && rest.iter().all(|group| group.len() == 3 && is_digits(group))
    {
        return Some(text.replace(',', "").into());
    }
    let text = without_fractions(text)?;
    let Some((whole, fraction)) = text.split_once('.') else { return Some(text) };
    if !is_digits(whole.trim_start_matches(['+', '-'])) || !is_digits(fraction) {
        return Some(text);
    }
    match (digits_in(whole), fraction.len()) {
        (7.., _) | (_, 1..=2) => None,
        // `030.1234567` is how some write an area code.
        _ => Some(text),
    }
}

/// A fraction behind fewer digits is a part of how a number is written.
const DIGITS_BEFORE_FRACTION_MIN: usize = 6;

/// The text without the `.0` behind its numbers, whatever stands between their digits; `None` where one has another fraction. A
/// dot divides where several do, or with more than two digits behind it.
fn without_fractions(text: &str) -> Option<Cow<'_, str>> {
    let mut whole_numbers = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(')).unwrap_or(rest.len());
        let (before, number_and_rest) = rest.split_at(start);
        let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '(' | ')' | ' ' | '.');
        let end = number_and_rest.find(|c| !is_of_number(c)).unwrap_or(number_and_rest.len());
        let (number, after) = number_and_rest.split_at(end);
        whole_numbers.push_str(before);
        let tail = number.len() - number.trim_end().len();
        let (number, spaces) = number.split_at(number.len() - tail);
        match number.split_once('.') {
            Some((whole, fraction)) if is_fraction(whole, fraction) => {
                if fraction.bytes().any(|byte| byte != b'0') {
                    return None;
                }
                whole_numbers.push_str(whole);
            }
            Some(_) | None => whole_numbers.push_str(number),
        }
        whole_numbers.push_str(spaces);
        rest = after;
    }
    Some(if whole_numbers == text { text.into() } else { whole_numbers.into() })
}

fn is_fraction(whole: &str, fraction: &str) -> bool {
    let is_short = matches!(fraction.len(), 1 | 2) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_short
        && whole.ends_with(|c: char| c.is_ascii_digit())
        && digits_in(whole) >= DIGITS_BEFORE_FRACTION_MIN
}

/// What stands before a word or a second number.
pub(super) struct Head<'a> {
    /// The text up to there.
    pub(super) text: &'a str,
    /// Whether what follows can't be more of the same number: a word, or a number as long.
    pub(super) is_certain: bool,
}

/// The text before a word or a second number, where there is one: `415 555 0142 home`, `415 555 0142 / 415 555 0143`, and
/// with less certainty `415 555 0142 / 0143`.
pub(super) fn head_of(text: &str) -> Option<Head<'_>> {
    let mut digits = 0;
    let mut uncertain = None;
    for (at, c) in text.char_indices() {
        let (before, rest) = text.split_at_checked(at)?;
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let second = digits >= DIGITS_OF_NUMBER_MIN && begins_second(c, before, after);
        let word =
            digits >= DIGITS_BEFORE_WORD_MIN && begins_word(c, after) && !before.trim_end().ends_with(';');
        if word || (second && digits_in(after) >= DIGITS_OF_NUMBER_MIN) {
            return Some(Head { text: before, is_certain: digits >= DIGITS_OF_CERTAIN_HEAD_MIN });
        }
        if second && uncertain.is_none() {
            uncertain = Some(Head { text: before, is_certain: false });
        }
        digits += usize::from(c.is_numeric());
    }
    uncertain
}

/// Two letters and more. One is a slip of the pen, or the `x` before an extension.
fn begins_word(c: char, after: &str) -> bool {
    c.is_alphabetic() && after.chars().next().is_some_and(char::is_alphabetic)
}

fn begins_second(c: char, before: &str, after: &str) -> bool {
    let set_apart = before.ends_with(' ') && after.starts_with(' ');
    let separates = matches!(c, '/' | '\\' | ',' | ';' | '|' | '&' | '+') || (c.is_alphabetic() && set_apart);
    let goes_on = after.trim_start().starts_with(|c: char| c.is_numeric() || matches!(c, '+' | '('));
    separates && goes_on
}
