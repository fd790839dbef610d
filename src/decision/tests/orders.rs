//! The invariant of orders: once all records are in, people and the contacts they want are the same for every
//! order of arrival.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::Email;

/// One thing somebody may do, of a small world, so that things collide.
#[derive(Clone, Debug)]
struct Act {
    kind: u8,
    user: u8,
    device: u8,
    email: u8,
    form_email: u8,
    value: u8,
    choice: u8,
    control: bool,
    visitor: bool,
    hour: u8,
}

fn act() -> impl Strategy<Value = Act> {
    let who = (0_u8..7, 0_u8..3, 0_u8..3, 0_u8..5, 0_u8..5);
    (who, (0_u8..4, 0_u8..8, prop::bool::weighted(0.1), any::<bool>(), 0_u8..60)).prop_map(
        |((kind, user, device, email, form_email), (value, choice, control, visitor, hour))| Act {
            kind,
            user,
            device,
            email,
            form_email,
            value,
            choice,
            control,
            visitor,
            hour,
        },
    )
}

fn pick(names: &[&'static str], which: u8) -> Option<&'static str> {
    names.get(usize::from(which)).copied()
}

fn event(act: &Act) -> Value {
    let (kind, name) = [
        ("identify", ""),
        ("track", "Lead Generated"),
        ("track", "Logged In"),
        ("page", ""),
        ("track", "Scrolled"),
        ("alias", ""),
        ("group", ""),
    ][usize::from(act.kind)];
    let mut context = json!({"gpc": act.control,
        "campaign": {"medium": pick(&["email", "cpc", "fair"], act.value)}});
    // Said by a server, or shown by a tool.
    let spoken = [json!(true), json!(false), json!("perhaps"), json!("granted"), json!("denied")];
    if let Some(choice) = spoken.get(usize::from(act.choice)) {
        context["consent"] = match act.choice {
            0..=2 => json!({"marketing": choice}),
            _ => json!({"categoryPreferences": {"marketing": choice}}),
        };
    }
    let user = pick(&["u", "v"], act.user);
    let device = pick(&["a", "b"], act.device).or(if user.is_none() { Some("c") } else { None });
    let emails = ["x@example.com", "y@example.com", "z@example.com"];
    json!({
        "type": kind, "event": name, "userId": user, "anonymousId": device,
        "previousId": pick(&["a", "b"], act.value), "context": context,
        "traits": {
            "email": pick(&emails, act.email), "city": pick(&["Oslo", "Rome", "Bern"], act.value),
            "name": pick(&["Kim Lee", "Sam Poe"], act.value),
        },
        "properties": {
            "email": pick(&emails, act.form_email), "phone": pick(&["+14155550142", "+14155550143"], act.value),
        },
    })
}

/// Everything a mapping may ask of the history: the first statement, what one event says, fields of a new contact.
const MAPPING: &str = r#"
    [fields.medium]
    from = ["context.campaign.medium"]
    pick = "first"
    when = "empty"
    [fields.lead_source_id]
    const = 7
    when = "create"
    [events."Lead Generated".fields."custom_field.cf_phone"]
    from = ["properties.phone"]
    [events."Logged In".fields.keyword]
    const = "member"
"#;

/// What must not depend on the order: people, and the wish of each person's newest email.
fn outcome(service: &Service) -> BTreeMap<String, (Value, Option<String>)> {
    let people = service.world.people.iter().map(|(key, person)| {
        let facts = person.facts();
        let wish = facts.email().map(|email: &Email| {
            format!("{email:?} {:?}", consider(email, &service.world, &service.settings).wish)
        });
        (key.to_string(), (serde_json::to_value(person).unwrap(), wish))
    });
    people.collect()
}

fn play(acts: &[(usize, Act)], required: bool) -> Service {
    let mut settings = settings();
    settings.preset = Preset::parse(Some(MAPPING)).unwrap();
    settings.missing_names = MissingNames::FromEmail;
    if required {
        settings.consent.required = vec![Category::from("marketing")];
    }
    let mut service = Service::new(settings);
    for (index, act) in acts {
        service.trust = if act.visitor { Trust::Visitor } else { Trust::Server };
        service.send_at(START + i64::from(act.hour) * HOUR, &format!("m{index}"), event(act));
    }
    service
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn people_and_their_contacts_are_the_same_for_every_order(
        acts in prop::collection::vec(act(), 1..12),
        shuffle in prop::collection::vec(any::<u32>(), 24),
        required in any::<bool>(),
    ) {
        let in_order: Vec<(usize, Act)> = acts.into_iter().enumerate().collect();
        // Another order, with some messages twice.
        let mut other: Vec<(u32, (usize, Act))> = shuffle.iter().copied().zip(in_order.iter().cycle().cloned())
            .take(in_order.len().max(shuffle.len() / 2)).collect();
        let missing = in_order.iter().skip(other.len()).cloned().map(|act| (0, act));
        other.extend(missing.collect::<Vec<_>>());
        other.sort_by_key(|(order, _)| *order);
        let other: Vec<(usize, Act)> = other.into_iter().map(|(_, act)| act).collect();
        prop_assert_eq!(outcome(&play(&in_order, required)), outcome(&play(&other, required)));
    }

    #[test]
    fn every_event_gets_one_outcome_and_every_delivery_one_end(
        acts in prop::collection::vec(act(), 1..20), required in any::<bool>(),
    ) {
        let acts: Vec<(usize, Act)> = acts.into_iter().enumerate().collect();
        let service = play(&acts, required);
        prop_assert_eq!(service.world.outcomes.values().sum::<i64>(), i64::try_from(acts.len()).unwrap());
        for (_, contact) in service.world.contacts.iter() {
            if let Some(id) = contact.with(&service.settings.account).open {
                prop_assert!(service.world.deliveries.get(&id).unwrap().state.is_open());
            }
        }
    }
}
