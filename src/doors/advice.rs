//! What to look at where nothing comes, or what comes is refused.
//!
//! Pure sentences; must not look anything up.

use super::{Address, Door, HookProof, Off, Seen, SourceWays, in_words};

/// What came by a door, and why what was refused was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// The counts.
    pub seen: Seen,
    /// The reasons of the last day with how often each was it, the most frequent first: code, detail, count.
    pub refusals: Vec<(&'static str, Option<&'static str>, u64)>,
    /// What had no known key or name in the same time, and so may have been meant for here.
    pub strays: u64,
}

/// What whoever connects a sender to this door looks at next; nothing where events come.
#[must_use]
pub fn advice(source: &SourceWays, door: &Door, arrived: &Arrived, address: &Address) -> Vec<String> {
    let name = &source.name.0;
    let mut lines: Vec<String> = Vec::new();
    match source.off {
        Some(Off::Disabled) => lines.push(format!("This source is off: sources.{name}.enabled is false.")),
        Some(Off::NoWay) => lines.push(format!(
            "This source is off: it has no write key, takes no forms and no hook names it. Set sources.{name}.write_key."
        )),
        None => {}
    }
    let Seen { accepted, refused, .. } = arrived.seen;
    if accepted == 0 && refused == 0 && source.off.is_none() {
        lines.extend(silence(source, door, arrived.strays, address));
    }
    if refused > accepted {
        let share =
            if accepted == 0 { "Everything that came was refused" } else { "Most of what comes is refused" };
        let most = arrived.refusals.first();
        let why =
            most.map(|(code, detail, count)| format!(", {count} times because: {}", in_words(code, *detail)));
        lines.push(format!("{share}{}.", why.unwrap_or_default()));
        lines.extend(most.and_then(|(code, detail, _)| remedy(source, door, code, *detail)));
    }
    lines
}

/// Nothing came at all.
fn silence(source: &SourceWays, door: &Door, strays: u64, address: &Address) -> Vec<String> {
    let (name, base) = (&source.name.0, address.as_str());
    let reachable = format!(
        "Does {base}/healthz answer from where the sender is? Behind a proxy or a firewall it may not."
    );
    let meant = |strays: String| {
        format!("In the last day {strays}. If they are yours, the sender has another one than shown here.")
    };
    match door {
        Door::Events => {
            let mut lines = vec![
                reachable,
                format!(
                    "Open the page and look at the network panel of the browser: {base}/tag.js has to load, and the request after it has to answer 200. An ad-blocker may stop it: see server.path_prefix."
                ),
            ];
            if strays > 0 {
                lines.push(meant(format!("{strays} requests had no known write key")));
            }
            lines
        }
        Door::Form => {
            let mut lines = vec![
                format!(
                    "The form has to say method=\"post\" and action=\"{base}/form/{name}\". Fill it in once and look here again."
                ),
                reachable,
            ];
            if strays > 0 {
                lines.push(meant(format!("{strays} forms were posted to a name that no source has")));
            }
            lines
        }
        Door::Hook(hook) => {
            let hook = hook.as_deref().unwrap_or_default();
            let mut lines = vec![
                format!(
                    "Send a test at the vendor. Its list of deliveries shows whether {base}/hooks/{hook} answered, and what."
                ),
                reachable,
            ];
            if strays > 0 {
                lines.push(meant(format!("{strays} messages came for a hook that there is not")));
            }
            lines
        }
    }
}

/// What takes the most frequent reason away, where this service's own configuration can.
fn remedy(source: &SourceWays, door: &Door, code: &str, detail: Option<&str>) -> Option<String> {
    let name = &source.name.0;
    match (code, detail) {
        ("origin_not_allowed", _) => Some(format!(
            "Add the page's origin, such as https://www.example.com, to sources.{name}.allowed_origins and reload."
        )),
        ("wrong_signature", Some("signature_differs")) => {
            let hook = door.hook().unwrap_or_default();
            Some(format!(
                "Compare hooks.{hook}.secret with the sender's: its last characters are shown here. After a change, reload."
            ))
        }
        ("wrong_signature", Some("no_signature")) => {
            let way = source.hooks.iter().find(|way| Some(way.name.as_str()) == door.hook())?;
            match &way.proof {
                HookProof::Token { header } => {
                    Some(format!("The sender has to send the token in the header {header}."))
                }
                HookProof::Signature { header } => {
                    Some(format!("The sender has to sign, in the header {header}."))
                }
                HookProof::Missing => Some(format!("Set hooks.{}.header or token_header.", way.name)),
            }
        }
        ("invalid_form", Some("no_email")) => Some(format!(
            "The form needs a field called email, or one that sources.{name}.form_fields sends to traits.email."
        )),
        ("invalid_form", Some("missing_field")) => Some(format!(
            "sources.{name}.form_required names fields that the form does not have, or that visitors leave empty."
        )),
        ("invalid_form", Some("file")) => Some(
            "Take the field for a file out of the form: the visitor has to send it again without.".to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMicros;
    use crate::doors::HookWay;
    use crate::event::SourceName;

    fn shop() -> SourceWays {
        let hook = HookWay {
            name: "zapier".to_owned(),
            kind: "generic",
            enter_in: "",
            secret_is: "",
            secrets: Vec::new(),
            proof: HookProof::Token { header: "x-token".to_owned() },
            tells: Vec::new(),
        };
        SourceWays {
            name: SourceName("shop".to_owned()),
            off: None,
            dry_run: false,
            allowed_origins: Vec::new(),
            write_keys: Vec::new(),
            form: None,
            hooks: vec![hook],
        }
    }

    fn arrived(accepted: u64, refusals: &[(&'static str, Option<&'static str>, u64)]) -> Arrived {
        let refused = refusals.iter().map(|(_, _, count)| count).sum();
        let last_accepted_at = (accepted > 0).then_some(UnixMicros(1));
        let seen = Seen { accepted, refused, last_accepted_at, last_refused_at: None };
        Arrived { seen, refusals: refusals.to_vec(), strays: 0 }
    }

    fn told(source: &SourceWays, door: &Door, arrived: &Arrived) -> String {
        advice(source, door, arrived, &Address::new("https://e.example")).join("\n")
    }

    #[test]
    fn where_events_come_there_is_nothing_to_look_at() {
        assert_eq!(told(&shop(), &Door::Events, &arrived(5, &[("malformed_body", None, 2)])), "");
    }

    #[test]
    fn a_source_that_is_off_says_which_key_turns_it_on() {
        let off = |off| SourceWays { off: Some(off), ..shop() };
        let disabled = told(&off(Off::Disabled), &Door::Events, &arrived(0, &[]));
        assert_eq!(disabled, "This source is off: sources.shop.enabled is false.");
        assert!(told(&off(Off::NoWay), &Door::Events, &arrived(0, &[])).contains("sources.shop.write_key"));
    }

    #[test]
    fn silence_names_the_address_that_the_sender_needs_and_what_may_have_gone_astray() {
        let hook = Door::Hook(Some("zapier".to_owned()));
        for (door, words) in [
            (Door::Events, "https://e.example/tag.js"),
            (Door::Form, "action=\"https://e.example/form/shop\""),
            (hook, "https://e.example/hooks/zapier"),
        ] {
            let quiet = told(&shop(), &door, &arrived(0, &[]));
            assert!(quiet.contains(words) && quiet.contains("https://e.example/healthz"), "{quiet}");
            assert!(!quiet.contains("In the last day"), "{quiet}");
            let stray = told(&shop(), &door, &Arrived { strays: 7, ..arrived(0, &[]) });
            assert!(stray.contains("\nIn the last day 7 "), "{stray}");
        }
    }

    #[test]
    fn what_is_refused_most_says_what_to_change() {
        let zapier = Door::Hook(Some("zapier".to_owned()));
        for (door, code, detail, words) in [
            (&Door::Events, "origin_not_allowed", None, "sources.shop.allowed_origins"),
            (&Door::Form, "invalid_form", Some("no_email"), "sources.shop.form_fields"),
            (&Door::Form, "invalid_form", Some("missing_field"), "sources.shop.form_required"),
            (&Door::Form, "invalid_form", Some("file"), "field for a file"),
            (&zapier, "wrong_signature", Some("signature_differs"), "hooks.zapier.secret"),
            (&zapier, "wrong_signature", Some("no_signature"), "header x-token"),
        ] {
            let lines = told(&shop(), door, &arrived(0, &[(code, detail, 3)]));
            assert!(lines.starts_with("Everything that came was refused, 3 times because: "), "{lines}");
            assert!(lines.contains(words), "{lines}");
        }
        let most = told(&shop(), &zapier, &arrived(1, &[("wrong_signature", Some("old_timestamp"), 2)]));
        assert_eq!(
            most,
            "Most of what comes is refused, 2 times because: a message signed too long ago or in the future: look at \
             the clocks of both machines."
        );
    }
}
