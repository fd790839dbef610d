//! The shipped presets, each on what such senders really send (`tests/fixtures/presets`).

use super::*;
use crate::mapping::Shipped;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sends: String,
    event: Value,
    contact: Value,
}

fn cases(shipped: Shipped) -> Vec<Case> {
    let text = match shipped {
        Shipped::Ga4 => include_str!("../../../tests/fixtures/presets/ga4.json"),
        Shipped::Shopify => include_str!("../../../tests/fixtures/presets/shopify.json"),
        Shipped::WooCommerce => include_str!("../../../tests/fixtures/presets/woocommerce.json"),
        Shipped::SegmentV1 => include_str!("../../../tests/fixtures/presets/segment-v1.json"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn each_preset_makes_the_contact_of_what_its_senders_send() {
    for shipped in Shipped::ALL {
        let cases = cases(shipped);
        assert!(cases.len() > 1);
        for case in cases {
            let settings = Settings { preset: Preset::layered(&[shipped], None).unwrap(), ..settings() };
            let mut service = Service::new(settings);
            let decided = service.send(case.event);
            assert_eq!(decided.outcome, Outcome::Queued, "{}: {}", case.sends, decided.reason);
            let mut sent = service.deliver(&decided).unwrap();
            let sent = sent.as_object_mut().unwrap();
            for (attribute, value) in case.contact.as_object().unwrap() {
                assert_eq!(sent.get(attribute), Some(value), "{}: {attribute} of {sent:?}", case.sends);
            }
            assert_eq!(sent.len(), case.contact.as_object().unwrap().len(), "{}: {sent:?}", case.sends);
        }
    }
}

#[test]
fn presets_lie_over_each_other_and_a_users_file_over_all() {
    let user = "[fields.emails]\nfrom = ['traits.mail']\n[events.purchase]\nsend = false";
    let preset = Preset::layered(&Shipped::ALL, Some(user)).unwrap();
    assert_eq!(preset.email_paths(), ["traits.mail"]);
    assert!(preset.event("purchase").is_none() && preset.event("Completed Order").is_some());
    let all = Preset::layered(&Shipped::ALL, None).unwrap();
    for path in [
        "traits.email",
        "properties.billing.email",
        "properties.user_data.email",
        "properties.customer.email",
    ] {
        assert!(all.email_paths().iter().any(|known| known == path), "{path}");
    }
    assert!(Preset::layered(&[], None).unwrap().event("purchase").is_none());
}
