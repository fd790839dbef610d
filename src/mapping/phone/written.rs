//! What people write around and between the digits of a phone number: labels, punctuation, letters, digits of
//! other scripts, extensions, RFC 3966. Must not know any numbering plan.

use super::PhoneProblem;

const TEXT_CHARS_MAX: usize = 250;
const TEL: &str = "tel:";
const PHONE_CONTEXT: &str = ";phone-context=";
const ISDN_SUBADDRESS: &str = ";isub=";

/// A number without what is only there for the eye.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether it began with a plus, and so with a calling code.
    pub(super) has_plus: bool,
    /// ASCII digits only.
    pub(super) digits: String,
}

impl Written {
    /// Reads a text that is a phone number, with or without an extension; the extension is dropped.
    pub(super) fn from_text(text: &str) -> Result<Self, PhoneProblem> {
        if text.trim().is_empty() {
            return Err(PhoneProblem::Empty);
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(PhoneProblem::NotANumber);
        }
        let folded: String = text.chars().map(fold).collect();
        let mut number = match folded.split_once(PHONE_CONTEXT) {
            Some((local, context)) => with_context(local, context).ok_or(PhoneProblem::NotANumber)?,
            None => extract(&folded).to_owned(),
        };
        if let Some(subaddress) = number.find(ISDN_SUBADDRESS) {
            number.truncate(subaddress);
        }
        let main = before_extension(&number).filter(|main| is_viable(main)).unwrap_or(&number);
        // libphonenumber loses the digits of other scripts in a number that is spelled: not certain enough.
        let is_mixed = spells(main) && text.chars().any(|ch| fold(ch) != ch && fold(ch).is_ascii_digit());
        if !is_viable(main) || is_mixed {
            return Err(PhoneProblem::NotANumber);
        }
        Ok(Self { has_plus: main.starts_with('+'), digits: dialled_digits(main) })
    }
}

/// Decimal digits of every script in the basic plane and the full-width plus become ASCII.
fn fold(ch: char) -> char {
    const ZEROS: [u32; 36] = [
        0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
        0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
        0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    ];
    if ch == '\u{FF0B}' {
        return '+';
    }
    let digit = ZEROS.iter().find_map(|zero| u32::from(ch).checked_sub(*zero).filter(|digit| *digit < 10));
    digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(ch)
}

/// RFC 3966 with a context: a calling code goes in front of the number, a domain says nothing about it.
fn with_context(local: &str, rest: &str) -> Option<String> {
    let context = rest.split_once(';').map_or(rest, |(context, _)| context);
    let local = local.split_once(TEL).map_or(local, |(_, number)| number);
    if let Some(code) = context.strip_prefix('+') {
        let is_number = code.contains(|ch: char| ch.is_ascii_digit())
            && code.chars().all(|ch| ch.is_ascii_digit() || "-.()".contains(ch));
        return is_number.then(|| format!("{context}{local}"));
    }
    let mut labels = context.strip_suffix('.').unwrap_or(context).split('.');
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '-')
    };
    let top_is_name = labels.clone().next_back()?.starts_with(|ch: char| ch.is_ascii_alphabetic());
    (top_is_name && labels.all(is_label)).then(|| local.to_owned())
}

/// From the first character that can start a number; without what can't end it, and without a second number.
fn extract(text: &str) -> &str {
    let start = text.find(|ch: char| ch == '+' || ch.is_ascii_digit()).unwrap_or(text.len());
    let number = text.get(start..).unwrap_or_default();
    let number = number.trim_end_matches(|ch: char| !ch.is_alphanumeric() && ch != '#');
    let second = number.match_indices(['/', '\\']).find(|(at, slash)| {
        number.get(at + slash.len()..).is_some_and(|rest| rest.trim_start_matches(' ').starts_with('x'))
    });
    second.and_then(|(at, _)| number.get(..at)).unwrap_or(number)
}

/// Whether a text without an extension is written as phone numbers are: two digits, or three and more with
/// punctuation, and letters (as in 1-800-FLOWERS) only after the third.
fn is_viable(number: &str) -> bool {
    let is_digit = |ch: char| ch.is_ascii_digit();
    if number.len() == 2 && number.chars().all(is_digit) {
        return true;
    }
    let number = number.trim_start_matches('+');
    let is_separator = |ch: char| is_punctuation(ch) || ch == '*';
    let lead = number.split(|ch: char| !is_digit(ch) && !is_separator(ch)).next().unwrap_or_default();
    lead.chars().filter(|ch| is_digit(*ch)).count() >= 3
        && number.chars().all(|ch| is_digit(ch) || is_separator(ch) || ch.is_ascii_alphabetic())
}

/// The `x` stands for a carrier's code in some countries.
fn is_punctuation(ch: char) -> bool {
    matches!(
        ch,
        '-' | 'x' | 'X' | ' ' | '(' | ')' | '.' | '[' | ']' | '/' | '~'
            | '\u{A0}' | '\u{AD}' | '\u{200B}' | '\u{2010}'..='\u{2015}' | '\u{2053}' | '\u{2060}' | '\u{2212}'
            | '\u{223C}' | '\u{3000}' | '\u{30FC}' | '\u{FF08}' | '\u{FF09}' | '\u{FF0D}'..='\u{FF0F}'
            | '\u{FF3B}' | '\u{FF3D}' | '\u{FF5E}'
    )
}

/// Three letters and more spell a number on the keypad; fewer are a slip of the pen.
fn spells(number: &str) -> bool {
    number.chars().filter(char::is_ascii_alphabetic).count() >= 3
}

fn dialled_digits(number: &str) -> String {
    let spells = spells(number);
    number
        .chars()
        .filter_map(|ch| if spells { keypad(ch) } else { Some(ch) })
        .filter(char::is_ascii_digit)
        .collect()
}

fn keypad(ch: char) -> Option<char> {
    match ch.to_ascii_lowercase() {
        'a'..='c' => Some('2'),
        'd'..='f' => Some('3'),
        'g'..='i' => Some('4'),
        'j'..='l' => Some('5'),
        'm'..='o' => Some('6'),
        'p'..='s' => Some('7'),
        't'..='v' => Some('8'),
        'w'..='z' => Some('9'),
        other => other.is_ascii_digit().then_some(other),
    }
}

/// What precedes an extension, if the text ends in one. The clearer the label, the more digits may follow.
fn before_extension(number: &str) -> Option<&str> {
    const SPACES: [char; 3] = [' ', '\u{A0}', '\t'];
    const SPACES_AND_COMMAS: [char; 4] = [' ', '\u{A0}', '\t', ','];
    let unhashed = number.strip_suffix('#').unwrap_or(number);
    let is_hashed = unhashed.len() < number.len();
    let head = unhashed.trim_end_matches(|ch: char| ch.is_ascii_digit());
    let digits = unhashed.len() - head.len();
    if digits == 0 {
        return None;
    }
    let label_and_stop = head.trim_end_matches([' ', '\u{A0}', '\t', ',', '-']);
    let label = label_and_stop.strip_suffix([':', '.', '\u{FF0E}']).unwrap_or(label_and_stop);
    let gap = head.get(label_and_stop.len()..)?;

    let parameter = || strip_label(head, &[";ext="]).filter(|_| digits <= 20 && !is_hashed);
    let explicit = || strip_explicit_label(label).filter(|_| digits <= 20);
    let short =
        || strip_label(label, &["int", "ｉｎｔ", "x", "ｘ", "#", "＃", "~", "～"]).filter(|_| digits <= 9);
    let semicolon = || label.strip_suffix(';').filter(|_| digits <= 15);
    // A comma is a pause; two are needed to be sure of a long extension.
    let pauses = || {
        let (pause, before_stop) = if digits <= 9 {
            (",", label.strip_suffix(',').map(|main| main.trim_end_matches(',')))
        } else {
            (",,", label.strip_suffix(",,"))
        };
        let in_gap = || head.get(..label_and_stop.len() + gap.find(pause)?);
        before_stop.or_else(in_gap).filter(|_| digits <= 15)
    };
    let american = || {
        let main = head.trim_end_matches(['-', ' ']);
        (is_hashed && digits <= 6 && main.len() < head.len()).then_some(main)
    };
    parameter()
        .or_else(|| Some(explicit().or_else(short)?.trim_end_matches(SPACES_AND_COMMAS)))
        .or_else(|| Some(semicolon().or_else(pauses)?.trim_end_matches(SPACES)))
        .or_else(american)
}

/// "ext", "xtn", "extensión" and the like, which nothing else is written as.
fn strip_explicit_label(text: &str) -> Option<&str> {
    if let Some(main) = strip_label(text, &["ｅｘｔｎ", "ｘｔｎ", "ｅｘｔ", "ｘｔ", "доб", "anexo"])
    {
        return Some(main);
    }
    let text = strip_label(text, &["n"]).unwrap_or(text);
    let text = strip_label(text, &["ensio\u{301}", "ensio", "ensi\u{F3}"]).unwrap_or(text);
    strip_label(text, &["ext", "xt"])
}

/// The text before the first of `labels` (lower case) that it ends with, in either case.
fn strip_label<'a>(text: &'a str, labels: &[&str]) -> Option<&'a str> {
    labels.iter().find_map(|label| {
        let start = text.char_indices().rev().nth(label.chars().count().checked_sub(1)?)?.0;
        let (main, end) = text.split_at_checked(start)?;
        (end.to_lowercase() == *label).then_some(main)
    })
}
