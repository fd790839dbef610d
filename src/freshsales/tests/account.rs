//! From a pasted alias to an origin: what is accepted, and what never chooses where a call goes.

use crate::delivery::CallKind;
use crate::freshsales::{AccountKind, AccountProblem, BundleAlias, Endpoint, in_browser, lead_in_browser};

fn endpoint(bundle_alias: &str, base_url: &str) -> Result<Endpoint, AccountProblem> {
    Endpoint::new(AccountKind::Suite, bundle_alias, base_url)
}

fn classic(bundle_alias: &str, base_url: &str) -> Result<Endpoint, AccountProblem> {
    Endpoint::new(AccountKind::Classic, bundle_alias, base_url)
}

fn problem(bundle_alias: &str, base_url: &str) -> AccountProblem {
    endpoint(bundle_alias, base_url).unwrap_err()
}

#[test]
fn an_alias_may_be_pasted_in_many_forms() {
    for pasted in [
        "acme",
        " Acme\n",
        "acme.myfreshworks.com",
        "ACME.MyFreshworks.com",
        "acme.freshworks.com",
        "acme.myfreshworks.com/crm/sales",
        "https://acme.myfreshworks.com",
        "https://acme.myfreshworks.com/",
        "https://acme.myfreshworks.com/crm/sales/",
        "HTTPS://acme.freshworks.com/crm/",
    ] {
        let endpoint = endpoint(pasted, "").unwrap();
        assert_eq!(endpoint.account().0, "acme.myfreshworks.com", "{pasted}");
        assert_eq!(
            endpoint.upsert_url().as_str(),
            "https://acme.myfreshworks.com/crm/sales/api/contacts/upsert"
        );
        assert_eq!(endpoint.named_alias(), None);
    }
}

#[test]
fn a_label_may_have_63_characters_digits_and_inner_hyphens() {
    for label in ["a", "7", "4you-2", &"a".repeat(63)] {
        assert_eq!(BundleAlias::parse(label, AccountKind::Suite).unwrap().as_str(), label);
    }
}

#[test]
fn every_hostile_alias_is_refused() {
    let hostile: Vec<String> =
        serde_json::from_str(include_str!("../../../tests/fixtures/hostile_aliases.json")).unwrap();
    assert!(hostile.len() >= 60, "{}", hostile.len());
    for alias in hostile {
        assert!(endpoint(&alias, "").is_err(), "{alias:?}");
        assert!(endpoint(&alias, "https://proxy.example.com").is_err(), "{alias:?}");
        if !alias.ends_with(".freshsales.io") && !alias.ends_with(".freshsales.io/leads") {
            assert!(classic(&alias, "").is_err(), "{alias:?}");
        }
    }
}

#[test]
fn a_classic_account_is_named() {
    for pasted in ["acme.freshsales.io", "https://acme.freshsales.io/leads", "Acme.Freshsales.IO"] {
        assert_eq!(problem(pasted, ""), AccountProblem::ClassicAccount);
    }
    assert!(problem("acme.freshsales.io", "").to_string().contains("freshsales.kind = \"classic\""));
    assert_eq!(problem(" ", ""), AccountProblem::AliasMissing);
}

#[test]
fn a_classic_account_has_another_host_and_other_paths() {
    for pasted in
        ["acme", "Acme.Freshsales.IO", "https://acme.freshsales.io", "https://acme.freshsales.io/contacts"]
    {
        let endpoint = classic(pasted, "").unwrap();
        assert_eq!(endpoint.account().0, "acme.freshsales.io", "{pasted}");
        assert_eq!(endpoint.upsert_url().as_str(), "https://acme.freshsales.io/api/contacts/upsert");
    }
    let local = classic("acme", "http://127.0.0.1:9090").unwrap();
    assert_eq!(local.upsert_url().as_str(), "http://127.0.0.1:9090/api/contacts/upsert");
    assert_eq!(local.named_alias().map(BundleAlias::as_str), Some("acme"));
    for pasted in ["acme.myfreshworks.com", "https://acme.freshworks.com/crm/sales/"] {
        assert_eq!(classic(pasted, "").unwrap_err(), AccountProblem::SuiteAccount, "{pasted}");
    }
    for pasted in [
        "https://acme.freshsales.io/contacts/1",
        "acme.freshsales.io//",
        "a.b.freshsales.io",
        "acme.freshsales.io.evil.com",
    ] {
        assert!(classic(pasted, "").is_err(), "{pasted}");
    }
}

#[test]
fn a_record_is_seen_where_its_account_is_opened() {
    let seen = |endpoint: Endpoint, kind| in_browser(endpoint.account(), kind, 7);
    let suite = seen(endpoint("acme", "").unwrap(), CallKind::Company);
    assert_eq!(suite.as_deref(), Some("https://acme.myfreshworks.com/crm/sales/accounts/7"));
    let classic_one = seen(classic("acme", "").unwrap(), CallKind::Contact);
    assert_eq!(classic_one.as_deref(), Some("https://acme.freshsales.io/contacts/7"));
    assert_eq!(seen(endpoint("acme", "http://127.0.0.1:9090").unwrap(), CallKind::Contact), None);
    let lead = |endpoint: Endpoint| lead_in_browser(endpoint.account(), 7);
    assert_eq!(lead(classic("acme", "").unwrap()).as_deref(), Some("https://acme.freshsales.io/leads/7"));
    assert_eq!(lead(endpoint("acme", "").unwrap()), None, "the suite has none");
}

#[test]
fn a_base_url_is_an_origin_and_names_the_alias_in_a_header() {
    for (base_url, account, url) in [
        ("https://proxy.example.com", "proxy.example.com:443/acme", "https://proxy.example.com"),
        ("https://Proxy.example.com:8443/", "proxy.example.com:8443/acme", "https://proxy.example.com:8443"),
        ("http://127.0.0.1:9090", "127.0.0.1:9090/acme", "http://127.0.0.1:9090"),
        ("http://127.8.9.10", "127.8.9.10:80/acme", "http://127.8.9.10"),
        ("http://[::1]:9090", "[::1]:9090/acme", "http://[::1]:9090"),
        (" http://LOCALHOST:9090/ ", "localhost:9090/acme", "http://localhost:9090"),
    ] {
        let endpoint = endpoint("acme", base_url).unwrap();
        assert_eq!(endpoint.account().0, account);
        assert_eq!(endpoint.upsert_url().as_str(), format!("{url}/crm/sales/api/contacts/upsert"));
        assert_eq!(endpoint.named_alias().map(BundleAlias::as_str), Some("acme"));
    }
}

#[test]
fn two_aliases_behind_one_origin_are_two_accounts() {
    let base_url = "http://localhost:9090";
    assert_ne!(
        endpoint("acme", base_url).unwrap().account(),
        endpoint("globex", base_url).unwrap().account()
    );
}

#[test]
fn plain_http_goes_to_this_machine_alone() {
    for base_url in [
        "http://example.com",
        "http://128.0.0.1",
        "http://10.0.0.1:9090",
        "http://0.0.0.0:9090",
        "http://[::]:9090",
        "http://[::ffff:127.0.0.1]",
        "http://localhost.example.com",
        "http://localhost.",
        "http://127.0.0.1.example.com",
    ] {
        assert_eq!(problem("acme", base_url), AccountProblem::PlainHttp, "{base_url}");
    }
}

#[test]
fn a_base_url_says_nothing_but_an_origin() {
    for base_url in [
        "https://user@proxy.example.com",
        "https://user:pw@proxy.example.com",
        "https://proxy.example.com/path",
        "https://proxy.example.com/..",
        "https://proxy.example.com//",
        "https://proxy.example.com?x=1",
        "https://proxy.example.com/?",
        "https://proxy.example.com#x",
        "https://proxy.example.com\\path",
        "https://proxy%2eexample.com",
        "http://localhost:9090@example.com",
    ] {
        assert_eq!(problem("acme", base_url), AccountProblem::MoreThanAnOrigin, "{base_url}");
    }
    for base_url in [
        "proxy.example.com",
        "https:proxy.example.com",
        "https://",
        "https://proxy.example.com:99999",
        "https://proxy\t.example.com",
        "https://pr oxy.example.com",
        "ftp://127.0.0.1",
        "file://localhost",
    ] {
        assert_eq!(problem("acme", base_url), AccountProblem::NotAnOrigin, "{base_url}");
    }
}
