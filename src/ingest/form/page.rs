//! What a visitor sees after a form: thanks, or what to do and what was typed.
//!
//! Plain pages that run nothing and load nothing. Must not show to a page of another site what was typed.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::captcha;
use super::fields::Fields;
use super::texts::{Text, Texts};

/// Nothing runs, nothing is loaded, nobody frames it. It may only be sent again to where it came from.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
/// A visitor types no more than this into one field; the rest is not shown again.
const SHOWN_CHARS_MAX: usize = 4_000;

/// A page with a heading and a sentence.
pub fn says(texts: &Texts, status: StatusCode, heading: Text, sentence: &str) -> Response {
    whole(status, texts.of(heading), &format!("<p>{}</p>", escaped(sentence)))
}

/// A page that says what to do, with what was typed in a form that sends it again.
pub fn says_again(
    texts: &Texts,
    status: StatusCode,
    sentence: &str,
    typed: &Fields,
    action: &str,
) -> Response {
    let fields: String = typed.iter().map(|(name, value)| shown_again(name, value)).collect();
    let form = format!(
        "<p>{}</p><form method=\"post\" action=\"{}\">{fields}<p><button>{}</button></p></form>",
        escaped(sentence),
        escaped(action),
        escaped(texts.of(Text::Again)),
    );
    whole(status, texts.of(Text::NotSent), &form)
}

/// A page that says what to do, with what was typed to read and to copy: it can't be sent again from here.
pub fn says_typed(texts: &Texts, status: StatusCode, sentence: &str, typed: Option<&Fields>) -> Response {
    let fields: String = typed.into_iter().flatten().map(|(name, value)| shown_again(name, value)).collect();
    whole(status, texts.of(Text::NotSent), &format!("<p>{}</p>{fields}", escaped(sentence)))
}

/// A field with what was typed in it. Those of the form itself are sent again unseen.
fn shown_again(name: &str, value: &str) -> String {
    let typed = escaped(&value.chars().take(SHOWN_CHARS_MAX).collect::<String>());
    let shown = escaped(name);
    if name.starts_with('_') || captcha::FIELDS.contains(&name) {
        return format!("<input type=\"hidden\" name=\"{shown}\" value=\"{typed}\">");
    }
    format!(
        "<p><label>{shown}<br><textarea name=\"{shown}\" rows=\"1\" cols=\"40\">{typed}</textarea></label></p>"
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

/// The lines of HTML that make such a form.
pub fn to_paste(action: &str) -> String {
    let action = escaped(action);
    format!(
        "<form method=\"post\" action=\"{action}\">\n  \
           <label>Name <input name=\"name\" autocomplete=\"name\"></label>\n  \
           <label>Email <input name=\"email\" type=\"email\" autocomplete=\"email\" required></label>\n  \
           <label>Phone <input name=\"phone\" type=\"tel\" autocomplete=\"tel\"></label>\n  \
           <label>Message <textarea name=\"message\"></textarea></label>\n  \
           <label><input name=\"marketing_opt_in\" type=\"checkbox\"> Send me news</label>\n  \
           <!-- Robots fill this field, people don't see it. -->\n  \
           <input name=\"_gotcha\" tabindex=\"-1\" autocomplete=\"off\" style=\"position:absolute;left:-9999px\" aria-hidden=\"true\">\n  \
           <button>Send</button>\n\
         </form>\n"
    )
}
