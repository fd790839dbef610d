//! Whether a database still holds the store that this process opened: an import may have filled it since, under another key.

use ring::hmac;

use super::core::Core;
use super::link::Link;
use super::value::{column, values};
use crate::store::StoreError;

/// What both keys sign.
const SIGNED: &[u8] = b"freshsignal-same-store";

/// Refuses to work with a store whose key is not the one that was read when it was opened: whoever was erased would come back.
pub(super) async fn is_the_same(link: &Link, core: &Core) -> Result<(), StoreError> {
    let row = link.row("SELECT key FROM store_key WHERE tenant = 1", values![]).await?;
    let key = row.map(|row| column::<Vec<u8>>(&row, 0)).transpose()?.unwrap_or_default();
    let there = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), SIGNED);
    hmac::verify(&core.key, SIGNED, there.as_ref()).map_err(|_| {
        StoreError::Fatal(
            "the database was filled by an import since this process opened it; start it again".to_owned(),
        )
    })
}
