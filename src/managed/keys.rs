//! Which settings may be changed on the page, and which of them by whoever owns the service alone: where data goes. What is
//! not here is refused: who may do what, where it is kept and what is listened on stand in the file alone.

/// Below it stands what a mapping file has.
pub const RULES: &str = "rules";

/// Patterns of paths; `*` is any name.
const EDITABLE: &[&[&str]] = &[
    &["consent", "required"],
    &["consent", "categories", "*"],
    &["consent", "unknown"],
    &["consent", "propagate_withdrawal"],
    &["sources", "*", "enabled"],
    &["sources", "*", "write_keys"],
    &["sources", "*", "allowed_origins"],
    &["sources", "*", "trust"],
    &["sources", "*", "default_country"],
    &["sources", "*", "consent_unknown"],
    &["sources", "*", "new_contacts_per_hour_max"],
    &["sources", "*", "events_per_minute_max"],
    &["sources", "*", "mode"],
    &["sources", "*", "identify"],
    &["sources", "*", "form"],
    &["sources", "*", "form_event"],
    &["sources", "*", "form_required"],
    &["sources", "*", "form_redirects"],
    &["allowance", "plan"],
    &["allowance", "per_hour"],
    &["allowance", "per_minute"],
    &["allowance", "reserve_percent"],
    &["delivery", "hold_seconds"],
    &["mapping", "presets"],
    &["mapping", "identify"],
    &["mapping", "missing_names"],
    &["mapping", "default_country"],
    &["mapping", "complete_within_hours"],
    &["filters", "exclude_emails"],
    &["happenings", "merge_notes"],
    &["happenings", "merge_minutes"],
    &["happenings", "per_target_per_day_max"],
    &["hooks", "*", "kind"],
    &["hooks", "*", "source"],
    &["hooks", "*", "secret"],
    &["hooks", "*", "verify"],
    &[RULES, "fields", "*"],
    &[RULES, "events", "*"],
    &[RULES, "deals", "*"],
];

/// Where data goes.
const OWNED: &[&[&str]] = &[
    &["freshsales", "kind"],
    &["freshsales", "bundle_alias"],
    &["freshsales", "base_url"],
    &["freshsales", "mode"],
    &["freshsales", "api_key"],
    &["alerts", "url"],
    &["alerts", "format"],
    &["alerts", "secret"],
    &["outputs", "*", "url"],
    &["outputs", "*", "format"],
    &["outputs", "*", "events"],
    &["outputs", "*", "secret"],
];

/// The secrets among both: the name of one stands in the document, and it lies elsewhere.
const SECRET: &[&[&str]] = &[
    &["freshsales", "api_key"],
    &["alerts", "url"],
    &["alerts", "secret"],
    &["outputs", "*", "url"],
    &["outputs", "*", "secret"],
    &["hooks", "*", "secret"],
];

/// Whether a setting may be changed on the page by whoever may change settings.
#[must_use]
pub fn is_editable(path: &[String]) -> bool {
    fits(EDITABLE, path)
}

/// Whether it may be changed on the page by whoever owns the service, and by nobody else.
#[must_use]
pub fn is_owned(path: &[String]) -> bool {
    fits(OWNED, path)
}

/// Whether it is a secret: its name stands there, never the secret itself.
#[must_use]
pub fn is_secret(path: &[String]) -> bool {
    fits(SECRET, path)
}

fn fits(patterns: &[&[&str]], path: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        let fits = |(wanted, part): (&&str, &String)| {
            if *wanted == "*" { !part.trim().is_empty() } else { *wanted == part }
        };
        pattern.len() == path.len() && pattern.iter().zip(path).all(fits)
    })
}

/// Whether what stands there names secrets that were made or entered here, one or a list of write keys: names of secrets stand there, never a secret.
#[must_use]
pub fn is_key_list(path: &[String]) -> bool {
    matches!(path, [sources, _, keys] if sources == "sources" && keys == "write_keys")
}
