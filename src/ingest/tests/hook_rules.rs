//! What can be wrong with a hook's configuration, and how its rules lie over those that are shipped.

use super::*;

const SOURCES: &str = "[shop]";

fn hooks(text: &str) -> Hooks {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// Keys and what is expected of them.
fn problems(text: &str) -> Vec<(String, String)> {
    let sources = toml::from_str(SOURCES).unwrap();
    let found = hook_problems(&hooks(text), &sources);
    found.into_iter().map(|problem| (problem.key, problem.expected)).collect()
}

#[test]
fn every_mistake_of_a_hook_is_named_with_its_key() {
    let anybody = "without one anybody could send here";
    for (text, key, expected) in [
        ("[in]\nsource='shop'\nsecret='s'", "hooks.in.kind", "one of stripe"),
        ("[in]\nkind='stripe'\nsource='shop'", "hooks.in.secret", anybody),
        ("[in]\nkind='stripe'\nsource='shop'\nsecret=''\nsecrets=['']", "hooks.in.secret", anybody),
        ("[in]\nkind='stripe'\nsecret='s'", "hooks.in.source", "[sources]"),
        ("[in]\nkind='stripe'\nsecret='s'\nsource='shpo'", "hooks.in.source", "[sources]"),
        ("[In]\nkind='stripe'\nsecret='s'\nsource='shop'", "hooks.In", "a-z"),
        (
            "[in]\nkind='stripe'\nsecret='s'\nsource='shop'\nheader='x'",
            "hooks.in.header",
            "only kind = \"generic\"",
        ),
        (
            "[in]\nkind='stripe'\nsecret='s'\nsource='shop'\nmessage_id='a..b'",
            "hooks.in.message_id",
            "a path like",
        ),
        ("[in]\nkind='standard'\nsecret='whsec_%'\nsource='shop'", "hooks.in.secret", "whsec_ and base64"),
        ("[in]\nkind='generic'\nsecret='s'\nsource='shop'", "hooks.in.header", "anybody could send here"),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x'\ntoken_header='y'",
            "hooks.in.token_header",
            "either header or token_header",
        ),
        (
            "[in]\nkind='generic'\nsecret='0123456789012345678901234567890'\nsource='shop'\ntoken_header='y'",
            "hooks.in.secret",
            "32 characters or more",
        ),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x y'",
            "hooks.in.header",
            "the name of a header",
        ),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x'\nsigned='x'",
            "hooks.in.signed",
            "{timestamp}.{body}",
        ),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x'\nsigned='{id}.{body}'",
            "hooks.in.signed",
            "{timestamp}.{body}",
        ),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x'\nsigned='{timestamp}.{body}'",
            "hooks.in.timestamp_header",
            "belong together",
        ),
        (
            "[in]\nkind='generic'\nsecret='s'\nsource='shop'\nheader='x'\ntimestamp_header='t'",
            "hooks.in.timestamp_header",
            "belong together",
        ),
    ] {
        let found = problems(text);
        let named = found.iter().any(|(told, why)| told == key && why.contains(expected));
        assert!(named, "{text}: {found:?}");
    }
}

#[test]
fn every_mistake_of_a_rule_is_named_with_its_event() {
    for (rule, key, expected) in [
        ("even = 'x'", "", "unknown field `even`"),
        ("event = 7", "", "event, send, when, map and fields"),
        ("map = { \"traits.email\" = 'a' }", ".event", "the name of an event"),
        ("event = 'x'\nmap = { email = 'a' }", ".map.\"email\"", "traits."),
        ("event = 'x'\nmap = { \"traits.\" = 'a' }", ".map.\"traits.\"", "traits."),
        ("event = 'x'\nmap = { \"traits.email\" = 'a[' }", ".map.\"traits.email\"", "a path like"),
        (
            "event = 'x'\nmap = { \"traits.email\" = { path = 'a', convert = 'money' } }",
            ".map.\"traits.email\"",
            "money_cents",
        ),
        (
            "event = 'x'\nmap = { \"traits.email\" = { path = 'a', currency = '.x.' } }",
            ".map.\"traits.email\"",
            "a path",
        ),
        ("event = 'x'\nwhen = { path = 'a' }", ".when", "is or is_not"),
        ("event = 'x'\nwhen = { path = 'a.', is = 1 }", ".when", "a path like"),
        ("event = 'x'\nfields = [7]", ".fields", "a path like"),
    ] {
        let text = format!("[in]\nkind='stripe'\nsecret='s'\nsource='shop'\n[in.events.\"a.b\"]\n{rule}");
        let found = problems(&text);
        let wanted = format!("hooks.in.events.\"a.b\"{key}");
        let named = found.iter().any(|(told, why)| *told == wanted && why.contains(expected));
        assert!(named, "{rule}: {found:?}");
    }
}

#[test]
fn the_rules_that_are_shipped_have_no_mistake() {
    for kind in ["stripe", "calendly", "shopify", "woocommerce", "typeform", "standard"] {
        let text = format!("[in]\nkind='{kind}'\nsecret='AAAA'\nsource='shop'");
        assert_eq!(problems(&text), Vec::new(), "{kind}");
    }
    let token = "0123456789".repeat(4);
    let text = format!("[in]\nkind='generic'\nsecret='{token}'\ntoken_header='x-token'\nsource='shop'");
    assert_eq!(problems(&text), Vec::new());
}

#[test]
fn a_secret_is_in_no_debug_print_and_in_no_problem() {
    let text = "[in]\nkind='generic'\nsecret='hush-1'\nsecrets=['hush-2']\ntoken_header='x'\nsource='shop'";
    let printed = format!("{:?} {:?}", hooks(text), problems(text));
    assert!(!printed.contains("hush"), "{printed}");
}

#[test]
fn another_secret_is_another_hook_and_another_file_is_not() {
    let hook = |text: &str| hooks(&format!("[in]\nkind='stripe'\n{text}")).remove("in").unwrap();
    let one = hook("secret='a'");
    assert!(one.is_same(&hook("secret='a'\nsecret_file='elsewhere'")));
    assert!(!one.is_same(&hook("secret='b'")));
    assert!(!one.is_same(&hook("secret='a'\nsecrets=['b']")));
    assert!(!one.is_same(&hook("secret='a'\nevents={x={event='X'}}")));
}

/// The event that a hook of Stripe with these rules makes of a body.
async fn made(rules: &str, body: &str) -> Value {
    let text = format!(
        "[in]\nkind='generic'\nevent_name='type'\nsecret='{0}'\ntoken_header='x'\nsource='shop'\n{rules}",
        "s".repeat(32)
    );
    let bench = Bench::with("", SOURCES);
    bench.ingest.replace_hooks(&hooks(&text), &toml::from_str(SOURCES).unwrap());
    let request = Request::post("/hooks/in").header("x", "s".repeat(32)).body(Body::from(body.to_owned()));
    assert_eq!(bench.send(request.unwrap()).await.status(), 200);
    serde_json::from_str(&bench.records()[0].raw).unwrap()
}

#[tokio::test]
async fn a_rule_of_ones_own_takes_the_first_place_that_says_something() {
    let rules = r#"
        [in.events.lead]
        event = "Lead Generated"
        when = [{ path = "ok", is = [true, "maybe"] }, { path = "spam", is_not = "true" }]
        [in.events.lead.map]
        "traits.email" = ["none", "contact.email"]
        "traits.plan" = { path = "plan", values = { P1 = "Pro", P2 = 2 } }
        "properties.total" = { path = "cents", convert = "money_cents", currency = "currency" }
    "#;
    let body = r#"{"type":"lead","ok":true,"none":"","contact":{"email":"a@example.com"},"plan":"p1","cents":1050,"currency":"usd"}"#;
    let event = made(rules, body).await;
    assert_eq!(event["event"], "Lead Generated");
    assert_eq!(event["traits"], serde_json::json!({"email": "a@example.com", "plan": "Pro"}));
    assert_eq!(event["properties"], serde_json::json!({"total": 10.5}));
    for spoiled in [
        body.replace("\"ok\":true", "\"ok\":false"),
        body.replace("\"ok\":true", "\"ok\":\"maybe\",\"spam\":true"),
        body.replace("lead", "other"),
    ] {
        assert_eq!(made(rules, &spoiled).await["properties"]["reason"], "no_rule", "{spoiled}");
    }
}

#[tokio::test]
async fn a_rule_can_be_turned_off_and_own_rules_end_that_for_any_event() {
    let body = r#"{"type":"contact","email":"a@example.com"}"#;
    assert_eq!(made("", body).await["event"], "Lead Generated");
    assert_eq!(made("[in.events.other]\nevent = 'X'", body).await["event"], "in: contact");
    let off = "[in.events.contact]\nsend = false\n[in.events.\"*\"]\nevent = 'X'\nfields = '.'";
    assert_eq!(made(off, body).await["event"], "in: contact");
    assert_eq!(made(off, &body.replace("contact", "new")).await["event"], "X");
}
