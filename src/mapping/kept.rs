//! How much of a value is kept of what an event says. Must not know what it is kept for.

use std::borrow::Cow;

use serde_json::Value;

/// Bytes of a value as JSON that are kept.
const VALUE_BYTES_MAX: usize = 4096;

/// A value as it is kept: a longer text is cut, since attributes take far less of it; of anything else a part would say something
/// else, so it is not kept.
#[must_use]
pub fn kept(value: &Value) -> Option<Cow<'_, Value>> {
    if value.to_string().len() <= VALUE_BYTES_MAX {
        return Some(Cow::Borrowed(value));
    }
    let mut room = VALUE_BYTES_MAX - 2;
    let fits = |letter: &char| {
        let bytes = Value::from(letter.to_string()).to_string().len() - 2;
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    Some(Cow::Owned(value.as_str()?.chars().take_while(fits).collect::<String>().into()))
}

/// As much of a value as is remembered of a person; notes where that is not all.
pub fn kept_or_noted(path: &str, value: &Value, notes: &mut Vec<String>) -> Option<Value> {
    let kept = kept(value);
    match &kept {
        Some(Cow::Borrowed(_)) => {}
        Some(Cow::Owned(_)) => notes.push(format!("{path}: cut to {VALUE_BYTES_MAX} bytes")),
        None => notes.push(format!("{path}: larger than {VALUE_BYTES_MAX} bytes, left out")),
    }
    kept.map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_is_cut_between_letters_and_anything_else_that_long_is_not_kept() {
        let whole = json!("x".repeat(VALUE_BYTES_MAX - 2));
        assert!(matches!(kept(&whole), Some(Cow::Borrowed(found)) if *found == whole));
        assert_eq!(kept(&json!("x".repeat(9_000))).unwrap().as_str().unwrap().len(), VALUE_BYTES_MAX - 2);
        for letter in ["ä", "\"", "\u{1}", "😀"] {
            let long = json!(letter.repeat(5_000));
            let cut = kept(&long).unwrap();
            let bytes = cut.to_string().len();
            assert!((VALUE_BYTES_MAX - 6..=VALUE_BYTES_MAX).contains(&bytes), "{letter:?}: {bytes}");
        }
        assert_eq!(kept(&json!(["x".repeat(5_000)])), None);
        assert_eq!(kept(&json!({ "x": "x".repeat(5_000) })), None);
    }
}
