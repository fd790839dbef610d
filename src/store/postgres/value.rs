//! Between our values and those of the engine.
//!
//! Its texts can't hold the character of number 0, which anybody may send: it is written as two others that keep the order
//! of texts, and read back.

use ring::digest;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use crate::store::StoreError;

/// A value of a statement.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// The values of a statement, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::store::postgres::value::Value),*] };
}
pub(super) use values;

/// A text as the engine keeps it.
pub(super) fn text(ours: &str) -> String {
    if !ours.contains(['\0', '\u{1}']) {
        return ours.to_owned();
    }
    ours.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}")
}

/// A text as it was.
pub(super) fn ours(text: String) -> String {
    if text.contains('\u{1}') {
        text.replace("\u{1}\u{1}", "\0").replace("\u{1}\u{2}", "\u{1}")
    } else {
        text
    }
}

/// Texts as the engine keeps them.
pub(super) fn texts<S: AsRef<str>>(ours: impl IntoIterator<Item = S>) -> Vec<String> {
    ours.into_iter().map(|one| text(one.as_ref())).collect()
}

/// What a long text is found by: an index holds none of more than a third of a page.
pub(super) fn hash(ours: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, ours.as_bytes());
    hash.as_ref().iter().take(16).copied().collect()
}

/// A column of a row.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|_| StoreError::Unreadable("row", format!("column {index}")))
}

/// A number from a row.
pub(super) fn int(row: &Row, index: usize) -> Result<i64, StoreError> {
    column(row, index)
}

/// A count from a row.
pub(super) fn uint(row: &Row, index: usize) -> Result<u64, StoreError> {
    Ok(crate::store::columns::uint(int(row, index)?))
}

/// A text from a row.
pub(super) fn string(row: &Row, index: usize) -> Result<String, StoreError> {
    column(row, index).map(ours)
}

/// A text from a row, where there is one.
pub(super) fn maybe(row: &Row, index: usize) -> Result<Option<String>, StoreError> {
    Ok(column::<Option<String>>(row, index)?.map(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_and_keeps_its_order() {
        let all =
            ["", "\0", "\0\0", "\0\u{1}", "\u{1}", "\u{1}\0", "\u{1}\u{1}\u{2}", "\u{2}", "a", "a\0b", "ab"];
        let kept: Vec<String> = all.iter().map(|one| text(one)).collect();
        assert!(kept.is_sorted(), "{kept:?}");
        for (kept, one) in kept.into_iter().zip(all) {
            assert!(!kept.contains('\0'));
            assert_eq!(ours(kept), one);
        }
    }
}
