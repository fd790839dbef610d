//! The fields of a posted form, from whichever encoding a browser or a script chose.
//!
//! Must not know what a field means.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::Value;

/// Fields of one form; a post with more is refused.
pub const FIELDS_MAX: usize = 200;
/// Characters of a field's name; the rest of a longer one is cut off.
const NAME_CHARS_MAX: usize = 200;

/// What was typed and ticked, in the order of the form.
pub type Fields = Vec<(String, String)>;

/// What a post holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The fields.
    pub fields: Fields,
    /// The field of the first file that was attached; none is taken.
    pub file: Option<FieldName>,
}

/// Why the fields of a post can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The encoding is none that a form has.
    #[error(
        "a form is sent as application/x-www-form-urlencoded, multipart/form-data or application/json; this post says otherwise"
    )]
    Encoding,
    /// The body is not what its encoding says.
    #[error("the form can't be read: its body does not follow its content type")]
    Body,
    /// More fields than a form has.
    #[error("the form has more than {FIELDS_MAX} fields")]
    TooMany,
}

/// The name of a field as it may be repeated to whoever posted it: short, and of plain letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName([u8; 32]);

impl FieldName {
    fn of(name: &str) -> Self {
        let mut short = [0; 32];
        let plain = name.bytes().map(|byte| if byte.is_ascii_alphanumeric() { byte } else { b'_' });
        short.iter_mut().zip(plain).for_each(|(place, byte)| *place = byte);
        Self(short)
    }
}

impl std::fmt::Display for FieldName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let written = self.0.iter().take_while(|byte| **byte != 0);
        written.map(|byte| char::from(*byte)).try_for_each(|letter| write!(f, "{letter}"))
    }
}

/// Reads the fields of a whole body.
///
/// # Errors
/// Another encoding, a body that does not follow it, or too many fields.
pub async fn read(headers: &HeaderMap, body: Bytes) -> Result<Sent, Unreadable> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => within(urlencoded(&body), None),
        "multipart/form-data" => multipart(kind, body).await,
        // `navigator.sendBeacon` and `fetch` in mode `no-cors` can name nothing else than text/plain.
        "application/json" | "text/plain" => within(json(&body)?, None),
        _ => Err(Unreadable::Encoding),
    }
}

fn within(fields: Fields, file: Option<FieldName>) -> Result<Sent, Unreadable> {
    if fields.len() > FIELDS_MAX {
        return Err(Unreadable::TooMany);
    }
    let named = fields.into_iter().filter(|(name, _)| !name.is_empty());
    // A question may be the name of its field.
    let cut = |name: String| name.chars().take(NAME_CHARS_MAX).collect();
    Ok(Sent { fields: named.map(|(name, value)| (cut(name), value)).collect(), file })
}

fn urlencoded(body: &[u8]) -> Fields {
    let pairs = form_urlencoded::parse(body).take(FIELDS_MAX + 1);
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

async fn multipart(kind: &str, body: Bytes) -> Result<Sent, Unreadable> {
    let boundary = multer::parse_boundary(kind).map_err(|_| Unreadable::Body)?;
    let whole = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(body) });
    let mut parts = multer::Multipart::new(whole, boundary);
    let (mut fields, mut file) = (Fields::new(), None);
    while let Some(part) = parts.next_field().await.map_err(|_| Unreadable::Body)? {
        if fields.len() >= FIELDS_MAX {
            return Err(Unreadable::TooMany);
        }
        let name = part.name().unwrap_or_default().to_owned();
        let has_file = part.file_name().is_some_and(|file| !file.is_empty());
        let content = part.bytes().await.map_err(|_| Unreadable::Body)?;
        if has_file {
            file = file.or_else(|| Some(FieldName::of(&name)));
        } else {
            fields.push((name, String::from_utf8_lossy(&content).into_owned()));
        }
    }
    within(fields, file)
}

/// The texts, numbers and ticks of one object; of a list each by itself, as browsers send several boxes of one name. What is
/// nested deeper is no field of a form.
fn json(body: &[u8]) -> Result<Fields, Unreadable> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return Err(Unreadable::Body) };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(ticked) => Some(ticked.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let each = |value| match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    let fields = object.into_iter().flat_map(|(name, value)| {
        each(value).into_iter().filter_map(text).map(move |value| (name.clone(), value))
    });
    Ok(fields.collect())
}
