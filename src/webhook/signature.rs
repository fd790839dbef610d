//! Signatures as Standard Webhooks 1.0 has them: the id, the moment and the body of a message under a secret that both sides know.
//!
//! Must not show a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What stands before the base64 of a secret of Standard Webhooks.
/// What a secret of Standard Webhooks begins with.
pub const WHSEC: &str = "whsec_";
/// Bytes of such a secret, as Standard Webhooks wants it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The bytes that a secret stands for; none where it is none.
#[must_use]
pub fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.trim().strip_prefix(WHSEC)?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

/// The signature of a message; `seconds` is when it is sent, since 1970.
#[must_use]
pub fn signature(key: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_standard_webhooks_says() {
        // The example of its specification.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
