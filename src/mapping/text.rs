//! Text as a person would read it: without what forms, templates and copying put into it.
//!
//! Must not change what anybody could see.

/// A text with its HTML entities decoded, without characters that nobody sees and with single spaces.
pub(super) fn cleaned(text: &str) -> String {
    let shown: String = decoded(text).chars().filter(|c| !is_dirt(*c)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Forms escape for HTML what is not shown as HTML (`O&#039;Brien`), some of them twice.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..2 {
        if !(text.contains('&') && text.contains(';')) {
            break;
        }
        text = html_escape::decode_html_entities(&text).into_owned();
    }
    text
}

/// Control characters, the half of an emoji that was cut in two, and format characters; the joiners of Indic and Persian
/// words and of emoji stay.
fn is_dirt(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}')
}
