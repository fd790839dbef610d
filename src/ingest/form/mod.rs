//! Forms of pages without a script: a post becomes one event, and the visitor reads what became of it.
//!
//! No write key stands in such a page: the name of the source is its address. Nothing that was typed reaches a log. Must not
//! decide what an event means.

pub mod captcha;
mod captured;
mod fields;
mod lead;
mod page;
mod texts;

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

pub use captured::Captured;
pub use lead::{FormRules, HONEYPOT, usual_path};
pub use texts::Texts;

use super::address::Address;
use super::batch::Intake;
use super::key::Source;
use super::{Inner, answer, origin_not_allowed};
use crate::clock::UnixMicros;
use crate::doors::Door;
use crate::event::Trust;
use crate::http::forwarded::FromTrustedProxy;
use crate::http::{self, ApiError};
use captcha::{Captcha, Verified};
use fields::{FieldName, Fields, Sent};
use lead::{Missing, Read};
use page::Typed;
use texts::Text;

/// The name of the route in logs and in the list of refusals.
pub const ROUTE: &str = "/form/{source}";
/// Why a post is refused whose address names no source that takes forms.
const UNKNOWN: &str = "unknown_form";
const NO_FORM: &str =
    "no source of this name takes forms: set `form = true` in its section, and look whether it is on";

/// The code of a form that lacks something.
pub const INVALID_FORM: &str = "invalid_form";
/// Why a form is kept nowhere that a robot filled.
pub const ROBOT: &str = "robot";

/// The event of a form that the tag saw; `None` for what is no form.
pub fn captured(raw: &RawValue, source: &Source, now: UnixMicros) -> Option<Captured> {
    captured::read(raw, &source.form_rules, &source.name.0, now)
}

/// What a source that takes forms says of them.
#[derive(Clone, Debug)]
pub struct Form {
    /// What its fields mean.
    pub rules: FormRules,
    /// Pages that a visitor may be sent to afterwards.
    pub redirects: Vec<String>,
    /// What a visitor reads.
    pub texts: Texts,
    /// What tells people from robots, where there is something.
    pub captcha: Option<Captcha>,
}

impl Form {
    /// The lines of HTML that make such a form, for an address.
    #[must_use]
    pub fn to_paste(&self, action: &str) -> String {
        page::to_paste(&page::Pasted {
            action,
            honeypot: &self.rules.honeypot,
            required: &self.rules.required,
            redirects: &self.redirects,
            captcha: self.captcha.as_ref().map(|captcha| captcha.issuer),
        })
    }
}

/// Somebody who posted a form: how they are answered.
struct Visitor<'a> {
    form: &'a Form,
    /// A script asked, which reads JSON.
    reads_json: bool,
    /// What was typed may be shown again: the page is one that the source names, or one of ours that was shown to such a
    /// page before.
    is_named: bool,
    /// It is sent again from here.
    is_ours: bool,
    /// Where it came from, as the browser says.
    referer: Option<&'a str>,
}

impl Inner {
    /// Takes a posted form.
    pub(super) async fn form(&self, name: &str, parts: Parts, body: Body) -> Response {
        let sources = self.sources();
        let Some((source, form)) = sources.form(name) else {
            http::discard(&parts.headers, body, self.body_limits()).await;
            let error = ApiError::no_such(NO_FORM).because(UNKNOWN);
            self.note_refused(ROUTE, None, error.code(), error.reason());
            return error.into_response();
        };
        let origin = origin_of(&parts.headers);
        // What comes back with what was typed is sent again from here.
        let is_ours = origin.as_ref().is_some_and(|origin| self.is_ours(origin, &parts));
        let names = |origin| is_ours || source.names(origin);
        let is_named = origin.as_ref().is_some_and(names);
        let referer = parts.headers.get(header::REFERER).and_then(|page| page.to_str().ok());
        let reads_json = reads_json(&parts.headers);
        let visitor = Visitor { form, reads_json, is_named, is_ours, referer };
        let mut response = match origin {
            Some(origin) if !is_ours && !source.allows(&origin) => {
                http::discard(&parts.headers, body, self.body_limits()).await;
                self.refuse(source, &visitor, origin_not_allowed(), Text::Elsewhere)
            }
            Some(_) | None => self.posted(source, &visitor, &parts, body).await,
        };
        if let Some(origin) = parts.headers.get(header::ORIGIN) {
            super::cors::let_read(&mut response, origin, &sources);
        }
        tracing::debug!(route = ROUTE, status = response.status().as_u16(), "answered");
        response
    }

    async fn posted(
        &self,
        source: &Arc<Source>,
        visitor: &Visitor<'_>,
        parts: &Parts,
        body: Body,
    ) -> Response {
        let refuse = |error, text| self.refuse(source, visitor, error, text);
        let whole = match http::read_whole(parts, body, self.body_limits()).await {
            Ok(whole) => whole,
            Err(error) => return refuse(error.into(), Text::Unreadable),
        };
        let Sent { fields, file } = match fields::read(&parts.headers, whole.bytes.clone()).await {
            Ok(sent) => sent,
            Err(why) => return refuse(unreadable(why), Text::Unreadable),
        };
        if let Some(field) = file {
            let sentence = visitor.form.texts.of_field(Text::File, &field.to_string());
            return self.give_back(source, visitor, has_a_file(field), &sentence, &fields);
        }
        let give_back = |error: ApiError, text| {
            self.give_back(source, visitor, error, visitor.form.texts.of(text), &fields)
        };
        let now = self.clock.wall();
        let known = lead::from_page(visitor.page(&fields));
        match lead::read(&fields, &visitor.form.rules, known, &source.name.0, now) {
            Read::Robot => {
                // A robot is not told that it was seen.
                self.note_refused(ROUTE, Some(source.name.clone()), ROBOT, None);
                visitor.accepted(&fields)
            }
            Read::Incomplete(missing) => {
                let sentence = visitor.missing(&missing);
                let error = ApiError::new(StatusCode::BAD_REQUEST, INVALID_FORM, sentence.clone());
                let fields = lead::with_missing(fields, &missing);
                self.give_back(source, visitor, error.because(missing.reason()), &sentence, &fields)
            }
            Read::Lead(event) => match self.verified(visitor.form, &fields, &event).await {
                Verified::Person => match self.take_lead(source, parts, &event).await {
                    Ok(()) => visitor.accepted(&fields),
                    Err(error) if error.code() == INVALID_FORM => give_back(error, Text::TooLong),
                    Err(error) => give_back(error, Text::Later),
                },
                Verified::Unknown => give_back(captcha_unavailable(), Text::Later),
                Verified::Nobody => {
                    self.note_refused(ROUTE, Some(source.name.clone()), INVALID_FORM, Some(CAPTCHA));
                    visitor.nobody(&fields)
                }
            },
        }
    }

    /// Refuses what can't be shown again.
    fn refuse(&self, source: &Source, visitor: &Visitor<'_>, error: ApiError, text: Text) -> Response {
        self.note_refused(ROUTE, Some(source.name.clone()), error.code(), error.reason());
        visitor.refused(error, visitor.form.texts.of(text), None)
    }

    /// Refuses a form, and gives back what was typed.
    fn give_back(
        &self,
        source: &Source,
        visitor: &Visitor<'_>,
        error: ApiError,
        sentence: &str,
        typed: &Fields,
    ) -> Response {
        self.note_refused(ROUTE, Some(source.name.clone()), error.code(), error.reason());
        visitor.refused(error, sentence, Some(typed))
    }

    /// Whether an origin is this service's own, as it is configured or as it was asked for.
    fn is_ours(&self, origin: &HeaderValue, parts: &Parts) -> bool {
        let proxied = parts.extensions.get::<FromTrustedProxy>().is_some();
        [self.server.public_url.as_str(), ""].into_iter().any(|url| {
            let address = Address::of(url, "", &parts.headers, proxied);
            address.is_some_and(|address| origin.as_bytes() == address.origin().as_bytes())
        })
    }

    /// Who sent a form that is complete; where no captcha is asked for, a person. One that still lacks something is given
    /// back first, as a captcha counts once.
    async fn verified(&self, form: &Form, fields: &Fields, event: &Value) -> Verified {
        let Some(captcha) = &form.captcha else { return Verified::Person };
        let post = event.get("messageId").and_then(Value::as_str).unwrap_or_default();
        self.captchas.verify(captcha, fields, post, self.clock.wall()).await
    }

    /// One event, one record, one sync.
    async fn take_lead(&self, source: &Source, parts: &Parts, event: &Value) -> Result<(), ApiError> {
        let raw = to_raw_value(event).map_err(|_| ApiError::internal())?;
        // Nothing is needed to post a form, so anybody may have.
        let intake = Intake { trust: Trust::Visitor, ..self.intake(source) };
        let record = intake.accept(0, &raw).map_err(|refusal| {
            ApiError::new(StatusCode::BAD_REQUEST, INVALID_FORM, refusal.to_string())
                .because(refusal.reason())
        })?;
        self.let_in(source, &Door::Form, parts, 1)?;
        self.store(source, &Door::Form, vec![record]).await
    }

    /// The lines of HTML to paste into a page.
    pub(super) fn form_to_paste(&self, name: &str, prefix: &str, parts: &Parts) -> Response {
        let sources = self.sources();
        let Some((_, form)) = sources.form(name) else { return ApiError::no_such(NO_FORM).into_response() };
        let proxied = parts.extensions.get::<FromTrustedProxy>().is_some();
        let Some(address) = Address::of(&self.server.public_url, prefix, &parts.headers, proxied) else {
            return answer::unknown_host().into_response();
        };
        let action = format!("{}://{}/form/{name}", address.scheme, address.host_and_path);
        let html = form.to_paste(&action);
        let mut response = Response::new(Body::from(html));
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
        response
    }
}

impl Visitor<'_> {
    fn accepted(&self, fields: &Fields) -> Response {
        if self.reads_json {
            return answer::json(StatusCode::OK, answer::ACCEPTED_ONE);
        }
        let texts = &self.form.texts;
        let next = lead::next(fields).filter(|next| self.form.redirects.iter().any(|page| page == next));
        match next.and_then(|next| HeaderValue::from_str(next).ok()) {
            Some(next) => (StatusCode::SEE_OTHER, [(header::LOCATION, next)]).into_response(),
            None => page::says(texts, StatusCode::OK, Text::Thanks, texts.of(Text::Received)),
        }
    }

    fn missing(&self, missing: &Missing) -> String {
        match missing {
            Missing::Email => self.form.texts.of(Text::Email).to_owned(),
            Missing::Field(field) => self.form.texts.of_field(Text::Missing, field),
        }
    }

    fn typed<'f>(&'f self, fields: &'f Fields) -> Typed<'f> {
        let Form { rules, redirects, .. } = self.form;
        Typed { fields, honeypot: &rules.honeypot, redirects, page: self.page(fields) }
    }

    /// The page that the form stands on.
    fn page<'f>(&'f self, fields: &'f Fields) -> Option<&'f str> {
        if self.is_ours { lead::page(fields) } else { self.referer }
    }

    fn nobody(&self, typed: &Fields) -> Response {
        let sentence = self.form.texts.of(Text::Captcha);
        if self.reads_json {
            let error = ApiError::new(StatusCode::BAD_REQUEST, INVALID_FORM, sentence.to_owned());
            return error.because(CAPTCHA).into_response();
        }
        if !self.is_named {
            return page::says(&self.form.texts, StatusCode::BAD_REQUEST, Text::NotSent, sentence);
        }
        page::says_typed(&self.form.texts, StatusCode::BAD_REQUEST, sentence, self.typed(typed))
    }

    fn refused(&self, error: ApiError, sentence: &str, typed: Option<&Fields>) -> Response {
        if self.reads_json {
            return error.into_response();
        }
        let texts = &self.form.texts;
        let (status, retry) =
            (error.status(), error.into_response().headers().get(header::RETRY_AFTER).cloned());
        let mut response = match typed {
            Some(typed) if self.is_named => page::says_again(texts, status, sentence, self.typed(typed)),
            Some(_) => {
                let sentence = format!("{sentence} {}", texts.of(Text::Back));
                page::says(texts, status, Text::NotSent, &sentence)
            }
            None => page::says(texts, status, Text::NotSent, sentence),
        };
        if let Some(retry) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        response
    }
}

/// The reason of a form whose captcha is not solved.
const CAPTCHA: &str = "captcha";
/// A verifier that is away is mostly back by then.
const CAPTCHA_RETRY_SECONDS: u32 = 30;

fn captcha_unavailable() -> ApiError {
    let message = "whether a person sent this form can't be checked right now; send it again";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "captcha_unavailable", message)
        .retry_after_seconds(CAPTCHA_RETRY_SECONDS)
}

fn unreadable(why: fields::Unreadable) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", why.to_string())
}

fn has_a_file(field: FieldName) -> ApiError {
    let message =
        format!("the form sends a file in the field `{field}`; files are not taken, so leave that field out");
    ApiError::new(StatusCode::BAD_REQUEST, INVALID_FORM, message).because("file")
}

/// Scripts ask for JSON by name; browsers ask for pages.
fn reads_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// The origin of the page that posted, from `Origin` or else from `Referer`.
fn origin_of(headers: &HeaderMap) -> Option<HeaderValue> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        return Some(origin.clone());
    }
    let referer: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let origin = format!("{}://{}", referer.scheme_str()?, referer.authority()?);
    HeaderValue::from_str(&origin).ok()
}
