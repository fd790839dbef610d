//! Events sent by loading an image, from an email or a page without scripts.
//!
//! The event stands in the query: as base64 JSON in `data` (Segment's form), or field by field with dots between the
//! levels, `properties.plan=pro` (`RudderStack`'s). Must not accept or refuse it: that is done as for any other.

use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use base64::Engine;
use serde_json::{Map, Value};

use super::key::BASE64;
use crate::event::{Kind, NESTING_MAX};

/// The kinds that are sent so.
pub const KINDS: [Kind; 2] = [Kind::Track, Kind::Page];

/// The names of the route of a kind.
#[must_use]
pub fn paths(kind: Kind) -> [String; 2] {
    [format!("/pixel/v1/{}", kind.as_str()), format!("/v1/pixel/{}", kind.as_str())]
}

/// A transparent image of one pixel.
const GIF: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\
      \x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// The image in place of the words of an answer, whose status stays: who looks at a page must not see that the event was
/// refused.
#[must_use]
pub fn instead_of(mut answer: Response) -> Response {
    *answer.body_mut() = Body::from(GIF);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The event in a query, as the body that somebody else would have sent. What can't be read is an empty body.
#[must_use]
pub fn event(uri: &Uri) -> Vec<u8> {
    let pairs =
        Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
    match pairs.iter().find(|(name, _)| name == "data") {
        Some((_, data)) => decoded(data).unwrap_or_default(),
        None => Value::Object(nested(pairs)).to_string().into_bytes(),
    }
}

/// Base64 in either alphabet. A `+` that nobody escaped has become a space on the way.
fn decoded(data: &str) -> Option<Vec<u8>> {
    BASE64.decode(data.trim().replace([' ', '-'], "+").replace('_', "/")).ok()
}

/// `a.b=c` is `{"a":{"b":"c"}}`. Left out is what is nested deeper than an event may be, and of a name that is a value and
/// an object at once the later of the two. The write key is no part of the event.
fn nested(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut event = Map::new();
    for (name, value) in pairs.into_iter().filter(|(name, _)| name != "writeKey") {
        let path: Vec<&str> = name.split('.').take(NESTING_MAX + 1).collect();
        let Some((last, steps)) = path.split_last().filter(|(_, steps)| steps.len() < NESTING_MAX) else {
            continue;
        };
        let place = steps.iter().try_fold(&mut event, |object, step| {
            object.entry(*step).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
        });
        if let Some(object) = place {
            object.entry(*last).or_insert(Value::String(value));
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(query: &str) -> String {
        String::from_utf8(event(&format!("/pixel/v1/track?{query}").parse().unwrap())).unwrap()
    }

    #[test]
    fn an_event_is_read_from_its_fields_or_from_base64() {
        for (query, event) in [
            (
                "writeKey=k&userId=u&event=Email%20Opened&properties.plan=pro&context.traits.email=a%40b.example",
                r#"{"userId":"u","event":"Email Opened","properties":{"plan":"pro"},"context":{"traits":{"email":"a@b.example"}}}"#,
            ),
            ("a=1&a=2&a.b=3&c.d=4&c=5", r#"{"a":"1","c":{"d":"4"}}"#),
            ("", "{}"),
            // {"userId":"u?>"} in both alphabets, padded and not, with the plus as sent by somebody careless.
            ("data=eyJ1c2VySWQiOiJ1Pz4ifQ==", r#"{"userId":"u?>"}"#),
            ("data=eyJ1c2VySWQiOiJ1Pz4ifQ", r#"{"userId":"u?>"}"#),
            ("data=eyJhIjoifn5-In0%3D", r#"{"a":"~~~"}"#),
            ("data=eyJhIjoifn5+In0=", r#"{"a":"~~~"}"#),
            ("data=!!!", ""),
        ] {
            assert_eq!(event_of(query), event, "{query}");
        }
    }

    #[test]
    fn a_name_with_any_number_of_dots_is_harmless() {
        let deep = format!("a{}=1&b=2", ".a".repeat(20_000));
        let event: Value = serde_json::from_str(&event_of(&deep)).unwrap();
        assert_eq!(event["b"], "2");
    }
}
