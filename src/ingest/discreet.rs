//! Takes addresses of people and secrets out of what an event says of a page, before it is kept.
//!
//! A password is reset, a newsletter is left and a login comes back by way of addresses that carry an email or a token.
//! Must not touch anything else: properties of a track event are the sender's own words.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::shared::Members;
use crate::event::Kind;

/// Fields of a query whose names have one of these in them.
const ANYWHERE: [&str; 12] = [
    "token",
    "passw",
    "secret",
    "credential",
    "email",
    "e-mail",
    "e_mail",
    "apikey",
    "api_key",
    "api-key",
    "session",
    "sessid",
];
/// Fields whose names are one of these, or end in one after something that is no letter.
const WHOLE: [&str; 13] = [
    "auth",
    "code",
    "jwt",
    "key",
    "mail",
    "oobcode",
    "otp",
    "pass",
    "pwd",
    "sid",
    "sig",
    "signature",
    "ticket",
];
/// Characters before an `@` and after it that are looked at, which RFC 5321 allows: so any number of them costs little.
const LOCAL_CHARS_MAX: usize = 64;
const HOST_CHARS_MAX: usize = 255;
/// What stands in place of an address of a person.
const INSTEAD: &str = "(email)";
/// Keeps everything.
const ALL: &str = "*";

/// What of a page is an address.
const ADDRESSES: [&str; 8] =
    ["url", "referrer", "search", "path", "initial_referrer", "tab_url", "page_location", "page_referrer"];
/// What of a page is its name.
const NAMES: [&str; 4] = ["title", "name", "category", "page_title"];

/// The same rule for the tag, as an expression on `name=value` without regard to case.
pub fn expression() -> String {
    format!("({})[^=;]{{0,64}}=|(^|[^a-z])({})(]|%5d)?=", ANYWHERE.join("|"), WHOLE.join("|"))
}

/// Names of fields that are kept although they look like a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptNames(Vec<String>);

impl KeptNames {
    /// Those of a configuration; `*` keeps everything.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.trim().to_lowercase()).collect())
    }

    fn keeps(&self, name: &str) -> bool {
        self.0.iter().any(|kept| kept == name)
    }

    /// The event without what nobody should have sent, and with the places in `context.removed`; `None` where it has
    /// nothing of the kind.
    pub fn clean(&self, event: &RawValue, kind: Kind) -> Option<String> {
        // Most events are seen to have nothing at a glance.
        let text = event.get();
        let is_view = matches!(kind, Kind::Page | Kind::Screen);
        let has_page = is_view || text.contains("\"page\"");
        let may_hide = has_page && (text.contains(['?', '#', '@', '=']) || text.contains("%40"));
        if !(may_hide || text.contains("\\u")) || self.keeps(ALL) {
            return None;
        }
        let event = Members::of(event)?;
        let mut cleaning = Cleaning { kept: self, removed: Vec::new() };
        let context = event.last("context").and_then(Members::of);
        let page = context.as_ref().and_then(|context| context.last("page")).and_then(Members::of);
        let page = page.and_then(|page| cleaning.object(&page, "context.page."));
        let properties = event.last("properties").filter(|_| is_view).and_then(Members::of);
        let properties = properties.and_then(|properties| cleaning.object(&properties, "properties."));
        let names = if is_view { cleaning.names(&event) } else { Vec::new() };
        if cleaning.removed.is_empty() {
            return None;
        }
        let mut inside: Vec<(&str, String)> = page.map(|page| ("page", page)).into_iter().collect();
        inside.push(("removed", serde_json::to_string(&cleaning.removed).ok()?));
        let mut outside = names;
        outside.extend(properties.map(|properties| ("properties", properties)));
        outside.push(("context", context.unwrap_or_default().with(&inside)?));
        event.with(&outside)
    }
}

struct Cleaning<'k> {
    kept: &'k KeptNames,
    removed: Vec<String>,
}

impl Cleaning<'_> {
    /// The object with its addresses and names cleaned; `None` where they are already.
    fn object(&mut self, object: &Members<'_>, at: &str) -> Option<String> {
        let before = self.removed.len();
        let mut cleaned = self.several(object, &ADDRESSES, at, KeptNames::address);
        cleaned.extend(self.several(object, &NAMES, at, |_, text| without_emails(text)));
        (self.removed.len() > before).then(|| object.with(&cleaned)).flatten()
    }

    /// The names of a page that stand beside its properties.
    fn names(&mut self, event: &Members<'_>) -> Vec<(&'static str, String)> {
        self.several(event, &["name", "category"], "", |_, text| without_emails(text))
    }

    fn several(
        &mut self,
        object: &Members<'_>,
        keys: &[&'static str],
        at: &str,
        clean: impl Fn(&KeptNames, &str) -> Option<String>,
    ) -> Vec<(&'static str, String)> {
        let mut cleaned = Vec::new();
        for key in keys {
            let said =
                object.last(key).and_then(|said| serde_json::from_str::<Cow<'_, str>>(said.get()).ok());
            if let Some(text) = said.and_then(|said| clean(self.kept, &said)) {
                self.removed.push(format!("{at}{key}"));
                cleaned.push((*key, serde_json::Value::String(text).to_string()));
            }
        }
        cleaned
    }
}

impl KeptNames {
    /// An address without the fields that name a secret; `None` where there are none.
    fn address(&self, address: &str) -> Option<String> {
        let mut cleaned = String::with_capacity(address.len());
        let mut rest = address;
        while !rest.is_empty() {
            let marked = rest.starts_with(['?', '#']);
            let skipped = usize::from(marked);
            let end = rest.get(skipped..)?.find(['?', '#']).map_or(rest.len(), |end| end + skipped);
            let (part, after) = rest.split_at(end);
            if marked {
                let fields: Vec<&str> =
                    part.get(1..)?.split('&').filter(|field| self.is_shown(field)).collect();
                let fields = fields.join("&");
                if !fields.is_empty() || part.len() == 1 {
                    cleaned.push_str(part.get(..1)?);
                    cleaned.push_str(&fields);
                }
            } else {
                cleaned.push_str(without_emails(part).as_deref().unwrap_or(part));
            }
            rest = after;
        }
        (cleaned != address).then_some(cleaned)
    }

    fn is_shown(&self, field: &str) -> bool {
        let decoded = percent_decode_str(field).decode_utf8_lossy().to_lowercase();
        let name = decoded.split('=').next().unwrap_or_default();
        self.keeps(name) || (!names_secret(&decoded) && without_emails(&decoded).is_none())
    }
}

/// Whether one of the fields in this text, which a semicolon may separate, has the name of a secret.
fn names_secret(fields: &str) -> bool {
    fields.split(';').filter_map(|field| field.split_once('=')).any(|(name, _)| {
        let last = name.trim_end_matches(']').rsplit(|letter: char| !letter.is_ascii_lowercase()).next();
        ANYWHERE.iter().any(|word| name.contains(word)) || last.is_some_and(|last| WHOLE.contains(&last))
    })
}

/// A text without addresses of people; `None` where it has none.
fn without_emails(text: &str) -> Option<String> {
    let ends = |letter: char| letter.is_whitespace() || "/?#&=:".contains(letter);
    let mut cleaned = String::new();
    let mut kept_to = 0;
    let mut from = 0;
    while let Some((at, sign)) = next_at(text, from) {
        let before = text.get(kept_to..at)?.char_indices().rev().take(LOCAL_CHARS_MAX);
        let local = before.take_while(|(_, letter)| !ends(*letter)).last();
        let begin = local.map_or(at, |(index, _)| kept_to + index);
        let host = text.get(at + sign..)?;
        let host_end = host.char_indices().nth(HOST_CHARS_MAX).map_or(host.len(), |(end, _)| end);
        let host = host.get(..host_end)?.split(ends).next().unwrap_or_default();
        from = at + sign;
        if let Some(length) = host_length(host).filter(|_| begin < at) {
            cleaned.push_str(text.get(kept_to..begin)?);
            cleaned.push_str(INSTEAD);
            kept_to = at + sign + length;
            from = kept_to;
        }
    }
    if kept_to == 0 {
        return None;
    }
    cleaned.push_str(text.get(kept_to..)?);
    Some(cleaned)
}

/// Where the next `@` or `%40` is, and how long it is.
fn next_at(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let length = |at: usize| match rest.get(at..)? {
        sign if sign.starts_with('@') => Some(1),
        sign if sign.starts_with("%40") => Some(3),
        _ => None,
    };
    rest.match_indices(['@', '%']).find_map(|(at, _)| Some((from + at, length(at)?)))
}

/// How much of a text is a host: up to the last dot that two letters follow.
fn host_length(text: &str) -> Option<usize> {
    let dots = text.match_indices('.').filter(|(dot, _)| *dot > 0);
    dots.rev().find_map(|(dot, _)| {
        let letters = text.get(dot + 1..)?.bytes().take_while(u8::is_ascii_alphabetic).count();
        (letters >= 2).then_some(dot + 1 + letters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: &[&str]) -> KeptNames {
        KeptNames::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    /// What the tag does as well: `tests/it/browser` reads the same cases.
    #[test]
    fn addresses_lose_what_is_nobodys_business() {
        let cases: Vec<(String, String)> =
            serde_json::from_str(include_str!("../../tests/fixtures/page_addresses.json")).unwrap();
        for (address, cleaned) in cases {
            assert_eq!(
                kept(&["x-key"]).address(&address).unwrap_or_else(|| address.clone()),
                cleaned,
                "{address}"
            );
        }
    }

    #[test]
    fn names_lose_addresses_of_people() {
        for (name, cleaned) in [
            ("Welcome ann@example.com!", Some("Welcome (email)!")),
            ("a@b.example c%40d.example", Some("(email) (email)")),
            ("vue@3.2.1", None),
            ("@ann.lee", None),
            ("ann@home", None),
            ("\u{3000}ann@example.com", Some("\u{3000}(email)")),
            ("a@b@c.example", Some("(email)")),
            ("@".repeat(30_000).as_str(), None),
            ("%".repeat(100_000).as_str(), None),
        ] {
            assert_eq!(without_emails(name).as_deref(), cleaned, "{name}");
        }
    }

    fn cleaned(event: &str, kind: Kind, names: &[&str]) -> Option<String> {
        kept(names).clean(serde_json::from_str(event).unwrap(), kind)
    }

    #[test]
    fn an_event_says_where_something_was_taken_out() {
        let event = r#"{"type":"page","n":1e999,"name":"For a@b.example","properties":{"url":"/?token=1&a=2","q":"token=1"},"context":{"ip":"1","page":{"url":"https://a.example/?email=x","x":"?token=1","search":"?a=1"}}}"#;
        assert_eq!(
            cleaned(event, Kind::Page, &[]).unwrap(),
            r#"{"type":"page","n":1e999,"name":"For (email)","properties":{"url":"/?a=2","q":"token=1"},"context":{"ip":"1","page":{"url":"https://a.example/","x":"?token=1","search":"?a=1"},"removed":["context.page.url","properties.url","name"]}}"#
        );
        assert_eq!(cleaned(event, Kind::Page, &["*"]), None);
    }

    #[test]
    fn an_event_that_hides_nothing_stays_as_it_is() {
        for event in [
            r#"{"type":"track","properties":{"url":"?token=1"},"name":"a@b.example"}"#,
            r#"{"type":"track","context":{"page":{"url":"https://a.example/?a=1#top"}},"traits":{"email":"a@b.example"}}"#,
            r#"{"type":"track","context":[{"page":{"url":"?token=1"}}]}"#,
        ] {
            assert_eq!(cleaned(event, Kind::Track, &[]), None, "{event}");
        }
        let page = r#"{"properties":{"title":"a@b.example"}}"#;
        let clean = r#"{"properties":{"title":"(email)"},"context":{"removed":["properties.title"]}}"#;
        assert_eq!(cleaned(page, Kind::Screen, &[]).as_deref(), Some(clean));
    }
}
