//! From the fields of a form to the one event that it is.
//!
//! Pure: the moment and the place it came from are arguments. Must not know how the fields were sent or what is answered.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::captcha;
use super::fields::Fields;
use crate::clock::UnixMicros;
use crate::consent::is_no;
use crate::event::{Email, put_first};

/// The field that people don't see, unless the configuration names another: whoever fills it is a robot.
pub const HONEYPOT: &str = "_gotcha";
/// When the form was shown, in seconds or milliseconds since 1970.
const SHOWN_AT: &str = "_t";
/// The id of this post, for whoever makes one in the page.
const ID: &str = "_id";
/// Where the visitor goes afterwards.
pub const NEXT: &str = "_next";
/// The page that the form stands on, in what came back and is sent again from here.
pub const PAGE: &str = "_page";
/// The box that is a yes to marketing when it is ticked.
const OPT_IN: &str = "marketing_opt_in";
/// Characters of such an id that is kept as it is; a longer one is hashed.
const ID_CHARS_MAX: usize = 90;
/// Nobody fills a form faster.
const FILLED_WITHIN_MIN_MICROS: i64 = 2_000_000;
/// The same fields sent again within this time are the same post: a double click, a page loaded again.
const SAME_POST_MICROS: i64 = 600_000_000;
/// Where a field goes that no rule names.
const ELSE: &str = "properties";

/// Where the usual fields go, by their name in lower case without anything but letters and digits.
const USUAL: &[(&[&str], &str)] = &[
    (&["email", "youremail", "emailaddress", "mail", "eemail", "workemail"], "traits.email"),
    (&["name", "yourname", "fullname"], "traits.name"),
    (&["firstname", "fname", "givenname"], "traits.first_name"),
    (&["lastname", "lname", "surname", "familyname"], "traits.last_name"),
    (&["mobile", "mobilephone", "mobilenumber", "cell", "cellphone"], "traits.mobile"),
    (&["phone", "tel", "telephone", "phonenumber", "yourphone"], "traits.phone"),
    (&["company", "companyname", "organization", "organisation", "yourcompany"], "traits.company"),
    (&["jobtitle", "title", "position"], "traits.title"),
    (&["city", "town"], "traits.address.city"),
    (&["country"], "traits.address.country"),
    (&["zip", "zipcode", "postcode", "postalcode"], "traits.address.postalCode"),
    (&["state", "region"], "traits.address.state"),
    (&["utmsource"], "context.campaign.source"),
    (&["utmmedium"], "context.campaign.medium"),
    (&["utmcampaign"], "context.campaign.name"),
    (&["utmterm"], "context.campaign.term"),
    (&["utmcontent"], "context.campaign.content"),
];

/// What a source makes of its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRules {
    /// The name of the event.
    pub event: String,
    /// Where fields go, by their name; beside the usual ones.
    pub fields: BTreeMap<String, String>,
    /// Fields that must be filled.
    pub required: Vec<String>,
    /// The field that people don't see: whoever fills it is a robot.
    pub honeypot: String,
}

/// What a post comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// One event.
    Lead(Value),
    /// A robot filled it.
    Robot,
    /// Something is to be filled by whoever sent it.
    Incomplete(Missing),
}

/// Why a form is given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The address is none that mail can be sent to, or is not there.
    #[error("the form has no email address that mail can be sent to")]
    Email,
    /// A field that has to be filled, by its name in the configuration.
    #[error("the form has nothing in the field `{0}` (form_required)")]
    Field(String),
}

impl Missing {
    /// For the list of refusals.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Email => "no_email",
            Self::Field(_) => "missing_field",
        }
    }
}

/// Reads a form that was sent at a moment. `known` is what an event says beside its fields, such as the page it came from.
#[must_use]
pub fn read(
    fields: &Fields,
    rules: &FormRules,
    known: Map<String, Value>,
    source: &str,
    at: UnixMicros,
) -> Read {
    if is_robot(fields, &rules.honeypot, at) {
        return Read::Robot;
    }
    if let Some(field) = rules.required.iter().find(|field| filled(fields, field).is_none()) {
        return Read::Incomplete(Missing::Field(field.clone()));
    }
    let mut event = Map::new();
    let of_form = |name: &str| name.starts_with('_') || is_opt_in(name) || captcha::FIELDS.contains(&name);
    for (nth, (name, _)) in fields.iter().enumerate().filter(|(_, (name, _))| !of_form(name)) {
        // Several boxes of one name are one field, read where its first one stands.
        let is_first = !fields.iter().take(nth).any(|(before, _)| before == name);
        if let Some(value) = is_first.then(|| value_of(fields, name)).filter(|value| !value.is_empty()) {
            // The first field of a path is the one that was meant.
            put_first(&mut event, &path_of(name, rules), json!(value));
        }
    }
    let email = event.get("traits").and_then(|traits| traits.get("email")).and_then(Value::as_str);
    if email.is_none_or(|email| Email::parse(email).is_err()) {
        return Read::Incomplete(Missing::Email);
    }
    if fields.iter().any(|(name, value)| is_opt_in(name) && is_ticked(value)) {
        // Beside `context`, where a person's own words stand: it outranks the state of a banner.
        event.insert("consent".to_owned(), json!({"marketing": true}));
    }
    put_beneath(&mut event, known);
    event.insert("type".to_owned(), json!("track"));
    event.insert("event".to_owned(), json!(rules.event));
    event.insert("messageId".to_owned(), json!(message_id(fields, source, at)));
    Read::Lead(Value::Object(event))
}

/// The fields with the one that is missing, where the page did not have it: to be filled in what comes back.
#[must_use]
pub fn with_missing(mut fields: Fields, missing: &Missing) -> Fields {
    let (name, is_there) = match missing {
        Missing::Field(name) => {
            (name.clone(), fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name)))
        }
        Missing::Email => {
            let is_email = |field: &str| usual_path(field) == Some("traits.email");
            ("email".to_owned(), fields.iter().any(|(field, _)| is_email(field)))
        }
    };
    if !is_there {
        fields.push((name, String::new()));
    }
    fields
}

/// A robot fills what people don't see, or is done before anybody could be.
fn is_robot(fields: &Fields, honeypot: &str, now: UnixMicros) -> bool {
    if filled(fields, honeypot).is_some() {
        return true;
    }
    let Some(shown) = filled(fields, SHOWN_AT).and_then(|text| text.parse::<i64>().ok()) else {
        return false;
    };
    let micros = if shown > 100_000_000_000 { 1_000 } else { 1_000_000 };
    let age = now.0.saturating_sub(shown.saturating_mul(micros));
    // A clock that is ahead of ours makes nobody a robot.
    (0..FILLED_WITHIN_MIN_MICROS).contains(&age)
}

fn filled<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let values = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
}

/// The value of `_next`, if there is one.
#[must_use]
pub fn next(fields: &Fields) -> Option<&str> {
    filled(fields, NEXT)
}

/// The page that a form which is sent again from here says it stands on.
#[must_use]
pub fn page(fields: &Fields) -> Option<&str> {
    filled(fields, PAGE)
}

/// Whether a field is the box that is a yes to marketing.
#[must_use]
pub fn is_opt_in(name: &str) -> bool {
    name.eq_ignore_ascii_case(OPT_IN)
}

/// A box that is not ticked is not sent at all by a browser; scripts send it, and people choose, in words of a no.
#[must_use]
pub fn is_ticked(value: &str) -> bool {
    !value.trim().is_empty() && !is_no(value)
}

/// What was typed into a field, or all that was ticked of it. Of a field that a person has once, such as the email, the
/// first that is filled.
fn value_of(fields: &Fields, name: &str) -> String {
    let values = fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.trim());
    let mut values = values.filter(|value| !value.is_empty());
    if usual_path(name).is_some() {
        return values.next().unwrap_or_default().to_owned();
    }
    values.collect::<Vec<_>>().join(", ")
}

fn path_of(name: &str, rules: &FormRules) -> String {
    if let Some((_, path)) = rules.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)) {
        return path.clone();
    }
    // Pages that are read by PHP mark a field of several boxes so.
    let plain = name.strip_suffix("[]").unwrap_or(name);
    usual_path(name).map_or_else(|| format!("{ELSE}.{}", plain.replace('.', "_")), str::to_owned)
}

/// Where a field of a usual name goes.
#[must_use]
pub fn usual_path(name: &str) -> Option<&'static str> {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = bare.to_ascii_lowercase();
    USUAL.iter().find(|(names, _)| names.contains(&bare.as_str())).map(|(_, path)| *path)
}

/// Adds what is not said yet.
fn put_beneath(event: &mut Map<String, Value>, known: Map<String, Value>) {
    for (name, value) in known {
        match (event.get_mut(&name), value) {
            (None, value) => drop(event.insert(name, value)),
            (Some(Value::Object(said)), Value::Object(known)) => put_beneath(said, known),
            (Some(_), _) => {}
        }
    }
}

/// What is known of a posted form: the address of its page, as the browser says it.
#[must_use]
pub fn from_page(page: Option<&str>) -> Map<String, Value> {
    let mut known = Map::new();
    if let Some(page) = page {
        put_first(&mut known, "context.page.url", json!(page));
    }
    known
}

/// That of the page, or one that the same post has again within ten minutes.
fn message_id(fields: &Fields, source: &str, now: UnixMicros) -> String {
    if let Some(id) = filled(fields, ID) {
        let is_short = id.chars().count() <= ID_CHARS_MAX;
        return if is_short { format!("form-{id}") } else { hashed(id.as_bytes()) };
    }
    let mut said = vec![source, "\u{0}"];
    let of_form = [SHOWN_AT, PAGE];
    let differs = |name: &str| {
        of_form.iter().any(|own| name.eq_ignore_ascii_case(own)) || captcha::FIELDS.contains(&name)
    };
    for (name, value) in fields.iter().filter(|(name, _)| !differs(name)) {
        said.extend([name, "\u{1}", value, "\u{0}"]);
    }
    let slot = now.0.div_euclid(SAME_POST_MICROS).to_string();
    said.push(&slot);
    hashed(said.concat().as_bytes())
}

fn hashed(said: &[u8]) -> String {
    format!("form-{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, said).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_no_ticks_no_box_and_whatever_else_a_page_sends_of_a_ticked_one_does() {
        for (value, ticked) in [
            ("on", true),
            ("1", true),
            ("I agree", true),
            ("ja", true),
            ("nein", false),
            ("Non", false),
            ("0", false),
            (" ", false),
        ] {
            assert_eq!(is_ticked(value), ticked, "{value}");
        }
    }
}
