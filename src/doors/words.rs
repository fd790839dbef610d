//! Refusals in words: what was wrong, and what to look at.

/// What was wrong with something that was refused, by its code and the detail behind it.
#[must_use]
pub fn in_words(code: &str, reason: Option<&str>) -> &'static str {
    match (code, reason) {
        (_, Some("unknown_type")) => "`type` is none of identify, track, page, screen, group, alias",
        (_, Some("missing_event_name")) => "a track event without its name in `event`",
        (_, Some("missing_identity")) => "neither `userId` nor `anonymousId` nor an email says who it is",
        (_, Some("not_an_object")) => "an event that is no JSON object",
        (_, Some("event_too_large")) => "an event larger than server.event_bytes_max",
        (_, Some("too_deep")) => "an event nested deeper than 32 levels",
        (_, Some("message_id_too_long")) => "a `messageId` of more than 100 characters",
        ("invalid_form", Some("no_email")) => "a form without an email address that mail can be sent to",
        ("invalid_form", Some("missing_field")) => "a form in which a field of form_required is empty",
        ("invalid_form", Some("file")) => "a form with a file; files are not taken",
        ("invalid_form", Some("captcha")) => "a form whose captcha was not solved, or was used before",
        ("captcha_unavailable", _) => {
            "a form whose captcha could not be checked; the visitor was asked to send it again"
        }
        ("robot", _) => {
            "a form that a robot filled: the field of `form_honeypot` (`_gotcha`) is not empty, or it was sent within two seconds of `_t`"
        }
        ("wrong_signature", Some("no_signature")) => {
            "a message without a signature or token, or without all that belongs to one"
        }
        ("wrong_signature", Some("signature_differs")) => {
            "a message signed with another secret than the hook's, or changed on its way"
        }
        ("wrong_signature", Some("old_timestamp")) => {
            "a message signed too long ago or in the future: look at the clocks of both machines"
        }
        ("not_found", Some("unknown_hook")) => {
            "no hook that is on has the name in the address: compare it with the sections [hooks.NAME]"
        }
        ("not_found", Some("unknown_form")) => {
            "no source that takes forms has the name in the address: compare it with the sections [sources.NAME]"
        }
        ("malformed_body", _) => "the body was not the JSON that the route takes, nor the fields of a form",
        ("unknown_write_key", _) => "no write key, or one that no source has",
        ("origin_not_allowed", _) => "a page that is not in allowed_origins of the source",
        ("body_too_large", _) => {
            "the body was over server.body_bytes_max, or had more than server.batch_events_max events"
        }
        ("request_timeout", _) => "the body took longer than server.request_timeout_seconds",
        ("too_many_events", _) => "more events than the source may send; the sender was told to retry",
        ("overloaded", _) => "more arrived than could be written; the sender was told to retry",
        ("storage_unavailable", _) => "events could not be stored; the sender was told to retry",
        _ => "refused; the code says why",
    }
}
