//! What a visitor sees after a form: thanks, or what to do and what was typed.
//!
//! Plain pages that run nothing and load nothing. Must not show to a page of another site what was typed.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;

use super::captcha::{self, Issuer};
use super::fields::Fields;
use super::lead;
use super::texts::{Text, Texts};

/// Nothing runs, nothing is loaded, nobody frames it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'";

/// A page with a heading and a sentence.
pub fn says(texts: &Texts, status: StatusCode, heading: Text, sentence: &str) -> Response {
    whole(status, texts.of(heading), &format!("<p>{}</p>", escaped(sentence)))
}

/// What was typed, and what the form says of it.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// The fields.
    pub fields: &'a Fields,
    /// The name of the field that people don't see.
    pub honeypot: &'a str,
    /// Pages that a visitor may go on to once it was sent again.
    pub redirects: &'a [String],
    /// The page that the form stands on.
    pub page: Option<&'a str>,
}

/// A page that says what to do, with what was typed in a form that sends it again to where it came from.
pub fn says_again(texts: &Texts, status: StatusCode, sentence: &str, typed: Typed<'_>) -> Response {
    // Without an action it goes to the address of this page, whatever a proxy made of that.
    let form = format!(
        "<p>{}</p><form method=\"post\">{}<p><button>{}</button></p></form>",
        escaped(sentence),
        typed.shown_again(),
        escaped(texts.of(Text::Again)),
    );
    let mut response = whole(status, texts.of(Text::NotSent), &form);
    let headers = response.headers_mut();
    // Without a referrer the browser would not say either from where it is sent again.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // Browsers hold where an answer sends them on against this, too.
    let redirects = typed.redirects.iter().filter_map(|page| origin_of(page));
    let policy = redirects.fold(POLICY.to_owned(), |policy, origin| format!("{policy} {origin}"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page that says what to do, with what was typed to read and to copy: it can't be sent again from here.
pub fn says_typed(texts: &Texts, status: StatusCode, sentence: &str, typed: Typed<'_>) -> Response {
    let content = format!("<p>{}</p>{}", escaped(sentence), typed.shown_again());
    whole(status, texts.of(Text::NotSent), &content)
}

impl Typed<'_> {
    fn shown_again(&self) -> String {
        let fields = self.fields.iter().filter(|(name, _)| name != lead::PAGE);
        let fields = fields.map(|(name, value)| shown_again(name, value, self.honeypot));
        fields.chain(self.page.map(|page| shown_again(lead::PAGE, page, self.honeypot))).collect()
    }
}

/// The origin of a page that a configuration names.
fn origin_of(page: &str) -> Option<String> {
    let page: Uri = page.parse().ok()?;
    Some(format!("{}://{}", page.scheme_str()?, page.authority()?))
}

/// A field with what was typed in it. Those of the form itself are sent again unseen.
fn shown_again(name: &str, value: &str, honeypot: &str) -> String {
    let typed = escaped(value);
    let shown = escaped(name);
    if name.starts_with('_') || name.eq_ignore_ascii_case(honeypot) || captcha::FIELDS.contains(&name) {
        return format!("<input type=\"hidden\" name=\"{shown}\" value=\"{typed}\">");
    }
    if lead::is_opt_in(name) {
        let ticked = if lead::is_ticked(value) { " checked" } else { "" };
        return format!(
            "<p><label><input type=\"checkbox\" name=\"{shown}\" value=\"{typed}\"{ticked}> {shown}</label></p>"
        );
    }
    format!(
        // The first line break behind the tag is none of the text.
        "<p><label>{shown}<br><textarea name=\"{shown}\" rows=\"1\" cols=\"40\">\n{typed}</textarea></label></p>"
    )
}

fn whole(status: StatusCode, heading: &str, content: &str) -> Response {
    let heading = escaped(heading);
    let page = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"robots\" content=\"noindex\"><title>{heading}</title><style>body{{font:1.1em/1.5 system-ui,sans-serif;\
         max-width:34em;margin:3em auto;padding:0 1em;color-scheme:light dark}}textarea{{font:inherit;width:100%}}\
         button{{font:inherit;padding:.4em 1em}}</style></head><body><main><h1>{heading}</h1>{content}</main></body></html>"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text as it may stand in HTML, inside an attribute too.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

/// What the lines to paste depend on.
#[derive(Clone, Copy, Debug)]
pub struct Pasted<'a> {
    /// Where the form is posted to.
    pub action: &'a str,
    /// The name of the field that people don't see.
    pub honeypot: &'a str,
    /// Fields that must be filled, beside the email.
    pub required: &'a [String],
    /// Pages that a visitor may go on to.
    pub redirects: &'a [String],
    /// The captcha that is asked for.
    pub captcha: Option<Issuer>,
}

/// The fields of a form to paste: name, label, element and its attributes.
const PASTED: [(&str, &str, &str); 4] = [
    ("name", "Name", "input autocomplete=\"name\""),
    ("email", "Email", "input type=\"email\" autocomplete=\"email\""),
    ("phone", "Phone", "input type=\"tel\" autocomplete=\"tel\""),
    ("message", "Message", "textarea"),
];

/// The lines of HTML that make such a form: one that is taken as it stands.
pub fn to_paste(pasted: &Pasted<'_>) -> String {
    let Pasted { action, honeypot, required, redirects, captcha } = pasted;
    let is_required =
        |name: &str| name == "email" || required.iter().any(|field| field.eq_ignore_ascii_case(name));
    let of_its_own =
        required.iter().filter(|field| !PASTED.iter().any(|(name, ..)| field.eq_ignore_ascii_case(name)));
    let fields = PASTED.into_iter().chain(of_its_own.map(|field| (field.as_str(), field.as_str(), "input")));
    let mut lines = vec![format!("<form method=\"post\" action=\"{}\">", escaped(action))];
    lines.extend(fields.map(|(name, label, element)| {
        let (kind, attributes) = element.split_once(' ').unwrap_or((element, ""));
        let space = if attributes.is_empty() { "" } else { " " };
        let must = if is_required(name) { " required" } else { "" };
        let end = if kind == "textarea" { "</textarea>" } else { "" };
        let (name, label) = (escaped(name), escaped(label));
        format!("  <label>{label} <{kind} name=\"{name}\"{space}{attributes}{must}>{end}</label>")
    }));
    lines
        .push("  <label><input name=\"marketing_opt_in\" type=\"checkbox\"> Send me news</label>".to_owned());
    lines.push("  <!-- Robots fill this field, people don't see it. -->".to_owned());
    lines.push(format!(
        "  <input name=\"{}\" tabindex=\"-1\" autocomplete=\"off\" style=\"position:absolute;left:-9999px\" \
         aria-hidden=\"true\">",
        escaped(honeypot)
    ));
    if let Some(page) = redirects.first() {
        lines.push(format!("  <input name=\"_next\" type=\"hidden\" value=\"{}\">", escaped(page)));
    }
    lines.extend(captcha.map(|issuer| format!("  {}", issuer.widget())));
    lines.extend(["  <button>Send</button>".to_owned(), "</form>".to_owned(), String::new()]);
    lines.join("\n")
}
