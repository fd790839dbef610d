//! What the sections `[server]`, `[sources]` and `[hooks]` say of the ways in, for whoever connects a sender.
//!
//! Pure. Must not hand out a secret.

use std::collections::BTreeSet;

use super::config::{ServerConfig, SourceConfig, SourceMode, Sources};
use super::hook::{HookConfig, Hooks, Kind, Proof};
use crate::contact::STATUS;
use crate::doors::{ADDRESS, FormWay, HookProof, HookWay, Off, SecretEnd, SourceWays, Tells, Ways};
use crate::event::{CrmRecord, SourceName};
use crate::mapping::{DealRule, Preset};

/// The ways in of a configuration. What Freshsales is asked to tell is what the mapping sends there.
#[must_use]
pub fn ways(server: &ServerConfig, sources: &Sources, hooks: &Hooks, preset: Option<&Preset>) -> Ways {
    let tells = preset.map(what_is_heard).unwrap_or_default();
    let of_source = |(name, source): (&String, &SourceConfig)| source_ways(name, source, hooks, &tells);
    Ways {
        public_url: server.public_url.trim_end_matches('/').to_owned(),
        sources: sources.iter().map(of_source).collect(),
    }
}

fn source_ways(name: &str, source: &SourceConfig, hooks: &Hooks, tells: &[Tells]) -> SourceWays {
    let own = hooks.iter().filter(|(_, hook)| hook.source == name);
    let hooks: Vec<HookWay> = own.filter_map(|(name, hook)| hook_way(name, hook, tells)).collect();
    let off = match (source.enabled, source.is_on() || !hooks.is_empty()) {
        (false, _) => Some(Off::Disabled),
        (true, false) => Some(Off::NoWay),
        (true, true) => None,
    };
    SourceWays {
        name: SourceName(name.to_owned()),
        off,
        dry_run: source.mode == SourceMode::DryRun,
        allowed_origins: source.allowed_origins.clone(),
        write_keys: source.keys().map(SecretEnd::of).collect(),
        form: source.form.then(|| FormWay {
            html: source.form().to_paste(&format!("{ADDRESS}/form/{name}")),
            required: source.form_required.clone(),
            redirects: source.form_redirects.clone(),
        }),
        hooks,
    }
}

/// `None` for a hook without a kind, which no configuration that was accepted has.
fn hook_way(name: &str, hook: &HookConfig, tells: &[Tells]) -> Option<HookWay> {
    let kind: Kind = hook.kind?;
    let at_sender = kind.at_sender();
    let proof = match hook.proof(kind) {
        Some(Proof::Signature(scheme, _)) => {
            let header = scheme.headers.first().map(|header| header.clone().into_owned()).unwrap_or_default();
            HookProof::Signature { header }
        }
        Some(Proof::Token(header, _)) => HookProof::Token { header },
        None => HookProof::Missing,
    };
    Some(HookWay {
        name: name.to_owned(),
        kind: kind.as_str(),
        enter_in: at_sender.enter_in,
        secret_is: at_sender.secret_is,
        secrets: hook.secrets().map(SecretEnd::of).collect(),
        proof,
        tells: if kind == Kind::Freshsales { tells.to_vec() } else { Vec::new() },
    })
}

/// What of the records that are kept current is heard when it changes in Freshsales.
fn what_is_heard(preset: &Preset) -> Vec<Tells> {
    let named = |name: &str| (name.to_owned(), label(name));
    let about = [("id", "Contact ID"), ("email", "Email"), (STATUS, "Subscription status")];
    let about = about.map(|(name, label)| (name.to_owned(), label.to_owned()));
    let own = preset.heard_names().filter(|name| *name != STATUS).map(named);
    let fields = about.into_iter().chain(own).chain([named("updated_at")]).collect();
    let contact = Tells { record: CrmRecord::Contact.as_str(), fields };
    [contact].into_iter().chain(deals_heard(preset)).collect()
}

/// What is heard of deals, where the mapping has any: their keys, their stages, and what is kept current of them.
fn deals_heard(preset: &Preset) -> Option<Tells> {
    let rules: Vec<&DealRule> = preset.deal_kinds().map(|(_, rule)| rule).collect();
    let own = rules.iter().flat_map(|rule| rule.fields.keys().chain([&rule.key_field]));
    let own: BTreeSet<&str> = own.map(String::as_str).filter(|name| !name.is_empty()).collect();
    let about = [("id", "Deal ID"), ("name", "Name"), ("stage", "Deal stage"), ("pipeline", "Deal pipeline")];
    let mut fields: Vec<(String, String)> =
        about.map(|(name, label)| (name.to_owned(), label.to_owned())).into();
    for name in own.into_iter().chain(["updated_at"]) {
        if !fields.iter().any(|(known, _)| known == name) {
            fields.push((name.to_owned(), label(name)));
        }
    }
    (!rules.is_empty()).then(|| Tells { record: CrmRecord::Deal.as_str(), fields })
}

/// What a field is called in Freshsales' own list, about: `mobile_number` is Mobile number.
fn label(name: &str) -> String {
    let words = match name.strip_prefix("custom_field.") {
        Some(field) => return field.to_owned(),
        // Two people may have one name; they are looked for by their addresses.
        None if name == "owner" => return "Owner email".to_owned(),
        None => name.replace('_', " "),
    };
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Ways {
        #[derive(serde::Deserialize)]
        struct Whole {
            #[serde(default)]
            server: ServerConfig,
            #[serde(default)]
            sources: Sources,
            #[serde(default)]
            hooks: Hooks,
        }
        let Whole { server, sources, hooks } = toml::from_str(text).unwrap();
        ways(&server, &sources, &hooks, Preset::parse(None).ok().as_ref())
    }

    #[test]
    fn a_source_has_the_ways_that_its_section_and_the_hooks_give_it() {
        let ways = read(
            r#"
            [server]
            public_url = "https://events.example.com/"
            [sources.contact]
            form = true
            form_required = ["company"]
            [sources.idle]
            [sources.off]
            enabled = false
            write_key = "a-write-key-of-a-site"
            [sources.shop]
            mode = "dry_run"
            [hooks.stripe]
            kind = "stripe"
            source = "shop"
            secret = "whsec_0123456789abcdef"
            secrets = ["short"]
            [hooks.zapier]
            kind = "generic"
            source = "shop"
            token_header = "X-Token"
            secret = "0123456789abcdef0123456789abcdef"
            "#,
        );
        assert_eq!(ways.public_url, "https://events.example.com");
        let [contact, idle, off, shop] = ways.sources.as_slice() else { panic!("{ways:?}") };
        assert_eq!((contact.off, idle.off, off.off), (None, Some(Off::NoWay), Some(Off::Disabled)));
        let form = contact.form.as_ref().unwrap();
        assert!(form.html.contains("action=\"%ADDRESS%/form/contact\""), "{}", form.html);
        assert_eq!(form.required, ["company"]);
        assert_eq!(off.write_keys[0].shown(), Some("site"));
        assert_eq!((shop.off, shop.dry_run), (None, true));
        let [stripe, zapier] = shop.hooks.as_slice() else { panic!("{shop:?}") };
        assert_eq!(stripe.proof, HookProof::Signature { header: "stripe-signature".to_owned() });
        let ends: Vec<_> = stripe.secrets.iter().map(SecretEnd::shown).collect();
        assert_eq!(ends, [Some("cdef"), None]);
        assert_eq!(zapier.proof, HookProof::Token { header: "x-token".to_owned() });
    }

    #[test]
    fn what_is_done_at_a_sender_is_what_the_document_says() {
        let page = include_str!("../../docs/how-to/webhooks.md")
            .replace("[Standard Webhooks](https://www.standardwebhooks.com)", "Standard Webhooks");
        for kind in Kind::ALL {
            let at = kind.at_sender();
            let row = format!("| `{}` | {} | {} |", kind.as_str(), at.enter_in, at.secret_is);
            assert!(page.contains(&row), "{row}");
        }
    }
}
