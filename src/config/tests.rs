//! Tests of the configuration room.

use std::io::Write;

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::event::Email;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| (format!("FRESHSIGNAL_{name}"), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match load(Some(file(text).path()), &environment(variables)) {
        Err(LoadError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn the_reference_file_and_the_defaults_in_code_agree() {
    let config = load(None, &Environment::new()).unwrap().config;
    assert_eq!(config.server, ServerConfig::default());
    assert_eq!(config.allowance, AllowanceConfig::default());
    assert_eq!(config.consent, ConsentConfig::default());
    assert_eq!(config.mapping, MappingConfig::default());
    assert_eq!(config.retention, RetentionConfig::default());
    assert_eq!(config.integrations, IntegrationsConfig::default());
    assert_eq!(config.identity, IdentityConfig::default());
    assert_eq!(config.filters, FiltersConfig::default());
    assert_eq!(config.bulk, BulkConfig::default());
    assert_eq!(config.log, LogConfig::default());
    let (delivery, default) = (config.delivery, DeliveryConfig::default());
    for lane in crate::delivery::Lane::BY_PRECEDENCE {
        assert_eq!(delivery.share_percent(lane), default.share_percent(lane));
    }
    assert_eq!(
        DeliveryConfig { lane_share_percent: default.lane_share_percent.clone(), ..delivery },
        default
    );
}

#[test]
fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nbatch_events_max = 7\n[sources.shop]\nwrite_key = \"k\"";
    let variables = environment(&[
        ("SERVER__LISTEN", "127.0.0.1:2"),
        ("FRESHSALES__API_KEY", "000123"),
        ("SOURCES__SHOP__WRITE_KEYS", "a, b"),
        ("CONSENT__CATEGORIES__MARKETING", "C0004,ads"),
        ("DELIVERY__SEND", "all"),
        ("CONSENT__PROPAGATE_WITHDRAWAL", "false"),
    ]);
    let config = load(Some(file(text).path()), &variables).unwrap().config;
    assert_eq!(config.server.listen, "127.0.0.1:2");
    assert_eq!(config.server.batch_events_max, 7);
    assert_eq!(config.server.event_bytes_max, 32_768);
    assert_eq!(config.freshsales.api_key.expose_secret(), "000123");
    let keys: Vec<&str> = config.sources["shop"].keys().map(ExposeSecret::expose_secret).collect();
    assert_eq!(keys, ["k", "a", "b"]);
    assert!(!config.consent.propagate_withdrawal);
    assert_eq!(config.delivery.send, crate::contact::SendMode::All);
}

#[test]
fn every_list_of_the_reference_file_can_be_said_by_the_environment() {
    let mut section = String::new();
    let mut lists = 0;
    for line in DEFAULT.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)) {
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.to_owned();
        }
        let Some((key, _)) = line.split_once(" = [") else { continue };
        if !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        lists += 1;
        let variable = format!("{}__{key}", section.replace('.', "__")).to_uppercase();
        // Two words may make no sense there, and yet are a list.
        if let Err(error) = load(None, &environment(&[(&variable, "one,two")])) {
            assert!(!error.to_string().contains("expected a sequence"), "{variable}: {error}");
        }
    }
    assert!(lists >= 14, "{lists}");
}

#[test]
fn every_problem_is_named_at_once_with_its_key_and_value() {
    let text = "[server]\nbody_bytes_max = \"many\"\nlissen = \"x\"\n[freshsale]\nkey = 1\n[delivery]\nsend = \"some\"";
    let found = problems(text, &[("ALLOWANCE__PER_HOUR", "-3"), ("SOURCES__WEB__KEYS", "x")]);
    for key in [
        "server.body_bytes_max",
        "server.lissen",
        "freshsale",
        "delivery.send",
        "allowance.per_hour",
        "sources.web.keys",
    ] {
        assert!(found.iter().any(|line| line.starts_with(key)), "{key} is not among {found:#?}");
    }
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found.iter().any(|line| line.contains("many")));
    assert!(found.iter().any(|line| line.contains("`changed` or `all`")), "{found:#?}");
}

#[test]
fn values_that_make_no_sense_are_named_too() {
    let text = "[consent]\nrequired = [\"cookies\"]\nsubscribed = \"1\"\nunsubscribed = \"1\"\n[mapping]\n\
        default_country = \"Atlantis\"\n[allowance]\nreserve_percent = 100\n[retention]\ntrail_days_max = 0\n\
        [bulk]\nbacklog_contacts_min = 0";
    let found = problems(text, &[("LOG__LEVEL", "=shout=")]);
    for key in [
        "consent.required",
        "consent.unsubscribed",
        "mapping.default_country",
        "allowance.reserve_percent",
        "retention.trail_days_max",
        "bulk.backlog_contacts_min",
        "log.level",
    ] {
        assert!(found.iter().any(|line| line.starts_with(key)), "{key} is not among {found:#?}");
    }
}

#[test]
fn wrong_types_wrong_sense_and_what_serving_lacks_are_told_together() {
    let text = "[server]\nlisten = \"here\"\nlissen = 1\n[allowance]\nplan = \"gold\"\n[freshsales]\n\
        bundle_alias = \"acme.freshsales.io\"\n[log]\nlevel = \"loud\"";
    let examined = examine(Some(file(text).path()), &Environment::new()).unwrap();
    let Err(LoadError::Problems(problems)) = examined.approved_to_serve() else { panic!("nothing is wrong") };
    let mut keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "allowance.plan",
        "freshsales.api_key",
        "freshsales.bundle_alias",
        "log.level",
        "server.lissen",
        "server.listen",
        "sources",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_key_that_does_not_exist_is_told_with_the_one_that_may_be_meant_and_without_its_value() {
    let text = "[freshsales]\napi_kye = \"hunter2\"\n[source.website]\nwrite_key = \"hunter2\"\n[sources.website]\n\
        write_keys = \"hunter2\"\nzzz = \"hunter2\"";
    let mut found = problems(text, &[("ADMIN__TOKN", "hunter2")]);
    found.sort();
    assert!(!found.join("\n").contains("hunter2"), "{found:#?}");
    for line in [
        "freshsales.api_kye = \"(redacted)\": there is no such key; is `api_key` meant?",
        "admin.tokn = \"(redacted)\": there is no such key; is `token` meant?",
        "source = \"\": there is no such section; is `sources` meant?",
        "sources.website.write_keys = \"(redacted)\": a list of texts, such as [\"…\"]",
        "sources.website.zzz = \"(redacted)\": there is no such key; there are enabled, write_key, ",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(line)), "{line}: {found:#?}");
    }
}

#[test]
fn a_secret_is_never_repeated() {
    let found = problems("[admin]\ntoken = [\"hunter2\"]\n[freshsales]\napi_key = { a = \"hunter2\" }", &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(!found.join("\n").contains("hunter2"), "{found:#?}");
}

#[test]
fn a_secret_may_stand_in_a_file_but_not_in_both_places() {
    let secret = file("key-from-file\n");
    let path = secret.path().to_str().unwrap();
    let config = load(None, &environment(&[("FRESHSALES__API_KEY_FILE", path)])).unwrap().config;
    assert_eq!(config.freshsales.api_key.expose_secret(), "key-from-file");
    let both = problems("", &[("FRESHSALES__API_KEY_FILE", path), ("FRESHSALES__API_KEY", "k")]);
    assert!(both[0].contains("not both"), "{both:?}");
    let missing = problems("", &[("ADMIN__TOKEN_FILE", "/nowhere/token")]);
    assert!(missing[0].starts_with("admin.token_file"), "{missing:?}");
}

#[test]
fn names_without_two_underscores_are_ignored_with_a_warning() {
    let loaded = load(None, &environment(&[("PORT_8080_TCP", "tcp://10.0.0.1:8080")])).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("FRESHSIGNAL_PORT_8080_TCP"));
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let broken = file("[server]\nlisten = ");
    let error = load(Some(broken.path()), &Environment::new()).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(load(Some(Path::new("/nowhere.toml")), &Environment::new()).is_err());
}

#[test]
fn serving_needs_an_account_and_a_source() {
    let config = load(None, &Environment::new()).unwrap().config;
    let keys: Vec<String> = config.serving_problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["freshsales.bundle_alias", "freshsales.api_key", "sources"]);
}

#[test]
fn the_settings_follow_the_configuration() {
    let variables = environment(&[
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__API_KEY", "k"),
        ("CONSENT__SUBSCRIBED", "1"),
        ("CONSENT__UNSUBSCRIBED", "0"),
        ("MAPPING__IDENTIFY", "create"),
    ]);
    let settings = load(None, &variables).unwrap().config.settings().unwrap();
    assert_eq!(settings.account.0, "acme.myfreshworks.com");
    assert_eq!((&settings.consent.subscribed, &settings.consent.unsubscribed), (&json!(1), &json!(0)));
    assert_eq!(settings.identify, IdentifyMode::Create);
}

#[test]
fn what_is_agreed_with_senders_follows_the_configuration() {
    let text = "[sources.shop]\nwrite_key = 'k'\nidentify = 'create'\nset = { \"traits.lead_source\" = 'Shop' }\n\
        [identity]\nkeep_ids = ['guest']\nuser_id_email = 'off'\n[mapping]\npresets = ['ga4', 'shopify']";
    let variables =
        [("FILTERS__EXCLUDE_EMAILS", "*@acme.example,qa@b.co"), ("INTEGRATIONS__OBEY_ALL", "false")];
    let config = load(Some(file(text).path()), &environment(&variables)).unwrap().config;
    let settings = config.settings().unwrap();
    let shop = SourceName("shop".into());
    assert_eq!(settings.identify_of(&shop), IdentifyMode::Create);
    assert!(settings.senders.constants.contains_key(&shop));
    assert!(!settings.senders.ids.is_junk("guest") && !settings.senders.ids.email_of_user_id);
    assert!(settings.senders.filters.excludes(&Email::parse("any@acme.example").unwrap()).is_some());
    assert!(settings.preset.event("generate_lead").is_some());
}

#[test]
fn what_makes_no_sense_of_senders_is_named() {
    let text = "[sources.shop]\nidentify = 'yes'\nset = { \"userId\" = '1' }\n[filters]\nexclude_emails = ['*']\n\
        [integrations]\nnames = ['All']\n[identity]\nignore_ids = ['']\n[mapping]\npresets = ['ga3']";
    let found = problems(text, &[]).join("\n");
    for key in [
        "sources.shop.identify",
        "sources.shop.set.\"userId\"",
        "filters.exclude_emails",
        "integrations.names",
        "identity.ignore_ids",
        "mapping.presets",
    ] {
        assert!(found.contains(key), "{key}: {found}");
    }
}

#[test]
fn a_hook_is_read_with_its_events_as_they_are_written_and_its_secret_from_a_file() {
    let secret = file("hush\n");
    let text = format!(
        "[sources.shop]\n[hooks.pay]\nkind = \"stripe\"\nsource = \"shop\"\nsecret_file = \"{}\"\n\
         [hooks.pay.events.\"Invoice.Paid\"]\nevent = \"Renewed\"\nwhen = {{ path = \"a.B\", is = true }}\n\
         map = {{ \"traits.firstName\" = \"data.Object.Name\" }}",
        secret.path().display()
    );
    let variables = environment(&[("HOOKS__PAY__SECRETS", "one, two")]);
    let config = load(Some(file(&text).path()), &variables).unwrap().config;
    let hook = &config.hooks["pay"];
    let expected = json!({"event": "Renewed", "when": {"path": "a.B", "is": true},
        "map": {"traits.firstName": "data.Object.Name"}});
    assert_eq!(hook.events["Invoice.Paid"], expected);
    let secrets: Vec<&str> = hook.secrets().map(ExposeSecret::expose_secret).collect();
    assert_eq!(secrets, ["hush", "one", "two"]);
}

#[test]
fn a_problem_of_a_hook_is_named_and_its_secret_is_not_repeated() {
    let text = "[sources.shop]\n[hooks.pay]\nkind = \"strip\"\nsecret = [\"hush\"]\nsecrts = 1\n[hooks.ok]\nkind = \"stripe\"";
    let found = problems(text, &[]);
    let named = |key: &str| found.iter().filter(|problem| problem.starts_with(key)).count();
    assert_eq!(
        (named("hooks.pay.kind"), named("hooks.pay.secret "), named("hooks.pay.secrts")),
        (1, 1, 1),
        "{found:?}"
    );
    assert_eq!((named("hooks.ok.secret"), named("hooks.ok.source")), (1, 1), "{found:?}");
    assert!(!found.iter().any(|problem| problem.contains("hush")), "{found:?}");
}

#[test]
fn a_hook_alone_is_somebody_who_may_send_and_a_change_of_its_secret_is_told() {
    let with = |secret: &str| {
        let text = format!(
            "[sources.shop]\npeople = \"shop\"\n[hooks.pay]\nkind = \"stripe\"\nsource = \"shop\"\nsecret = \"{secret}\""
        );
        load(Some(file(&text).path()), &Environment::new()).unwrap().config
    };
    let one = with("one");
    assert!(one.serving_problems().iter().all(|problem| problem.key != "sources"));
    assert_eq!(one.changes(&with("two")), ["hooks.pay"]);
    assert_eq!(one.changes(&with("one")), Vec::<String>::new());
}

/// A variable that is not one of ours.
fn named(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_others_call_our_keys_is_understood_where_we_are_told_nothing() {
    let others = [("FRESHSALES_API_KEY", "their-key"), ("FRESHSALES_SUBDOMAIN", "acme"), ("PORT", "3000")];
    let Loaded { config, notes, warnings } = load(None, &named(&others)).unwrap();
    assert_eq!(config.freshsales.api_key.expose_secret(), "their-key");
    assert_eq!(
        (config.freshsales.bundle_alias.as_str(), config.server.listen.as_str()),
        ("acme", "0.0.0.0:3000")
    );
    let expected = [
        "freshsales.api_key is taken from FRESHSALES_API_KEY",
        "freshsales.bundle_alias is taken from FRESHSALES_SUBDOMAIN",
        "server.listen is taken from PORT",
    ];
    assert_eq!(notes, expected);
    assert_eq!(warnings, Vec::<String>::new());
    assert!(!format!("{notes:?}").contains("their-key"));
}

#[test]
fn our_own_names_stand_before_those_of_others() {
    let ours = file("[freshsales]\nbundle_alias = \"ours\"\n[server]\nlisten = \"127.0.0.1:1\"\n");
    let others = [("FRESHSALES_API_KEY", "theirs"), ("FRESHSALES_SUBDOMAIN", "theirs"), ("PORT", "3000")];
    let mut environment = named(&others);
    environment.extend(self::environment(&[("FRESHSALES__API_KEY", "ours")]));
    let Loaded { config, notes, .. } = load(Some(ours.path()), &environment).unwrap();
    assert_eq!(config.freshsales.api_key.expose_secret(), "ours");
    assert_eq!(
        (config.freshsales.bundle_alias.as_str(), config.server.listen.as_str()),
        ("ours", "127.0.0.1:1")
    );
    assert_eq!(notes[0], "FRESHSALES_API_KEY is not used: freshsales.api_key is set");
    assert_eq!(notes.len(), 3, "{notes:?}");
    // A file with our key is ours as well, and nothing is not.
    let key = file("from-a-file");
    let mut environment = named(&[("FRESHSALES_API_KEY", "theirs"), ("PORT", " ")]);
    environment.extend(self::environment(&[
        ("FRESHSALES__API_KEY_FILE", key.path().to_str().unwrap()),
        ("FRESHSALES__API_KEY", ""),
    ]));
    let Loaded { config, notes, .. } = load(None, &environment).unwrap();
    assert_eq!(config.freshsales.api_key.expose_secret(), "from-a-file");
    assert_eq!(notes, ["FRESHSALES_API_KEY is not used: freshsales.api_key_file is set"]);
}

#[test]
fn a_port_that_is_none_is_a_problem_of_the_listener() {
    match load(None, &named(&[("PORT", "many")])) {
        Err(LoadError::Problems(problems)) => assert_eq!(problems[0].key, "server.listen"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn certificates_and_a_proxy_are_read_from_files_and_never_repeated() {
    let ca = file(include_str!("../../tests/fixtures/tls/ca.pem"));
    let proxy = file("http://user:s3cret@proxy.example:3128\n");
    let pairs = [
        ("FRESHSALES__CA_FILE", ca.path().to_str().unwrap()),
        ("FRESHSALES__PROXY_FILE", proxy.path().to_str().unwrap()),
    ];
    let config = load(None, &environment(&pairs)).unwrap().config;
    let transport = config.freshsales.transport().unwrap();
    assert_eq!(
        (transport.roots().len(), transport.proxy_shown().as_deref()),
        (1, Some("http://proxy.example:3128"))
    );
    assert!(!format!("{config:?}").contains("s3cret"));
    let both = problems("[freshsales]\nproxy = \"http://user:s3cret@a:1\"\n", &pairs[1..]);
    assert!(both[0].contains("not both") && !both[0].contains("s3cret"), "{both:?}");
    let missing = problems("[freshsales]\nca_file = \"/nowhere/ca.pem\"\n", &[]);
    assert!(missing[0].starts_with("freshsales.ca_file"), "{missing:?}");
}
