//! A contact of which calls are lost, answers are refused, and people in Freshsales correct, unsubscribe and delete: whatever the
//! order, nobody who refused is subscribed, and the contact that is there in the end is whole.

use proptest::prelude::*;

use super::deals::{answered, lost};
use super::*;
use crate::delivery::{DeliveryId, Request, State, Stored, Subject, Verdict};
use crate::event::Email;

const SAM: &str = "sam@example.com";
const PHONES: [&str; 3] = ["+14155550141", "+14155550142", "+14155550143"];
const REP: &str = "+14155550199";
const STATUS: &str = "subscription_status";

const MAPPING: &str = r#"
[fields.job_title]
const = "Lead of the site"
when = "create"
"#;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Sam says this phone.
    Says(usize),
    /// Sam agrees to marketing, or refuses it.
    Consents(bool),
    /// A rep writes another phone, and a workflow tells.
    Corrects,
    /// Sam unsubscribes by a link in a mail of Freshsales; a workflow tells, or none does.
    Unsubscribes { told: bool },
    /// Somebody deletes the contact. Nothing tells of that.
    Deletes,
    /// The next call that is owed leaves.
    Calls(Fate),
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// It took effect, or it did not, and no answer came.
    Lost {
        applied: bool,
    },
    Refused,
}

fn steps() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        1 => any::<bool>().prop_map(|applied| Fate::Lost { applied }),
        1 => Just(Fate::Refused),
    ];
    prop_oneof![
        3 => (0..PHONES.len()).prop_map(Step::Says),
        2 => any::<bool>().prop_map(Step::Consents),
        1 => Just(Step::Corrects),
        1 => any::<bool>().prop_map(|told| Step::Unsubscribes { told }),
        1 => Just(Step::Deletes),
        6 => fate.prop_map(Step::Calls),
    ]
}

/// What Freshsales has of Sam.
#[derive(Clone, Debug)]
struct Contact {
    id: u64,
    has: Map<String, Value>,
}

struct Story {
    service: Service,
    contact: Option<Contact>,
    ids: u64,
    /// Sam's last word on marketing that can be known here: said, told by a workflow, or shown by an answer.
    agrees: Option<bool>,
    /// Sam unsubscribed in Freshsales, and nothing has shown it yet.
    unsubscribed_unseen: bool,
    /// The phones that may stand in the end.
    phones: Vec<&'static str>,
    said: Vec<&'static str>,
    said_before_rep: Vec<&'static str>,
    /// Freshsales refused one of them, and what is refused is not sent before it changes.
    phone_refused: bool,
    log: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let preset = Preset::parse(Some(MAPPING)).unwrap();
        let service = Service::new(Settings { preset, ..settings() });
        Self {
            service,
            contact: None,
            ids: 0,
            agrees: None,
            unsubscribed_unseen: false,
            phones: Vec::new(),
            said: Vec::new(),
            said_before_rep: Vec::new(),
            phone_refused: false,
            log: Vec::new(),
        }
    }

    fn send(&mut self, traits: &Value, consent: Option<bool>) {
        let mut event =
            json!({"type": "track", "event": "Lead Generated", "userId": "u", "context": {"traits": traits}});
        event["context"]["traits"]["email"] = json!(SAM);
        event["context"]["traits"]["name"] = json!("Sam Lee");
        if let Some(agrees) = consent {
            event["context"]["consent"] = json!({ "marketing": agrees });
        }
        self.service.send(event);
    }

    fn hear(&mut self, said: &Value, refuses: bool) {
        let id = self.contact.as_ref().map(|contact| contact.id.to_string());
        let mut event = json!({"type": "crm", "traits": {"email": SAM}, "crm": {"record": "contact", "id": id, "said": said}});
        if refuses {
            event["consent"] = json!({"marketing": false});
        }
        self.service.send(event);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Says(nth) => {
                let phone = PHONES[nth];
                self.send(&json!({ "phone": phone }), None);
                self.phones = vec![phone];
                if self.said_before_rep.contains(&phone) {
                    // It may be a repetition by a source that knows no newer one.
                    self.phones.push(REP);
                }
                self.said.push(phone);
            }
            Step::Consents(agrees) => {
                self.send(&json!({}), Some(agrees));
                self.agrees = Some(agrees);
            }
            Step::Corrects => {
                let Some(contact) = &mut self.contact else { return };
                contact.has.insert("mobile_number".to_owned(), json!(REP));
                self.hear(&json!({ "mobile_number": REP }), false);
                self.phones = vec![REP];
                self.said_before_rep.clone_from(&self.said);
            }
            Step::Unsubscribes { told } => {
                let Some(contact) = &mut self.contact else { return };
                contact.has.insert(STATUS.to_owned(), json!("unsubscribed"));
                if told {
                    self.hear(&json!({ STATUS: "unsubscribed" }), true);
                    self.agrees = Some(false);
                } else {
                    self.unsubscribed_unseen = true;
                }
            }
            Step::Deletes => {
                if self.contact.take().is_some() {
                    // What nothing showed went with it, and whether the rep's phone or Sam's is written anew is nobody's rule.
                    self.unsubscribed_unseen = false;
                    self.phones.extend(self.said.last());
                }
            }
            Step::Calls(fate) => self.call(fate),
        }
    }

    /// The next call of the contact, if one is owed.
    fn call(&mut self, fate: Fate) {
        self.service.now = UnixMicros(self.service.now.0 + 3 * HOUR);
        let subject = Subject::Contact(Email::parse(SAM).unwrap());
        let Some(id) = open_delivery(&subject, &self.service.world, &self.service.settings.account).cloned()
        else {
            return;
        };
        let service = &mut self.service;
        let Some(order) = claim(&id, &mut service.world, &service.settings, service.now) else { return };
        let verdict = match (order.request.clone(), fate) {
            (Request::UpsertContact { body, .. }, Fate::Refused)
                if body["contact"].get("mobile_number").is_some() =>
            {
                self.phone_refused = true;
                Verdict::Refused {
                    reason: "mobile_number is not valid".to_owned(),
                    attribute: Some("mobile_number".to_owned()),
                    demanded: false,
                    again: false,
                }
            }
            (Request::UpsertContact { body, .. }, Fate::Lost { applied: true }) => {
                self.apply(&body);
                lost()
            }
            (Request::UpsertContact { body, .. }, Fate::Answered | Fate::Refused) => {
                if self.unsubscribed_unseen && body["contact"].get(STATUS).is_none() {
                    // It is known from this answer on, whenever Sam did it.
                    (self.agrees, self.unsubscribed_unseen) = (Some(false), false);
                }
                self.apply(&body)
            }
            (Request::UpsertContact { .. }, Fate::Lost { applied: false })
            | (
                Request::ShowContact { .. } | Request::FindContact { .. },
                Fate::Lost { .. } | Fate::Refused,
            ) => lost(),
            (Request::ShowContact { id }, Fate::Answered) => match &self.contact {
                Some(contact) if contact.id == id => answered(json!({ "contact": contact.has })),
                Some(_) | None => Verdict::Gone { reason: "404".to_owned() },
            },
            (Request::FindContact { .. }, Fate::Answered) => {
                let found: Vec<&Map<String, Value>> =
                    self.contact.iter().map(|contact| &contact.has).collect();
                answered(json!({"contacts": {"contacts": found}}))
            }
            (other, _) => panic!("no such call is owed: {other:?}"),
        };
        self.log.push(format!("{:?} -> {verdict:?}", order.request));
        self.service.settle(order, verdict);
    }

    /// An upsert as Freshsales carries it out, and what it answers.
    fn apply(&mut self, body: &Value) -> Verdict {
        let sent = body["contact"].as_object().unwrap().clone();
        let created = self.contact.is_none();
        if created && !sent.contains_key("last_name") {
            return Verdict::Refused {
                reason: "last_name can't be blank".to_owned(),
                attribute: Some("last_name".to_owned()),
                demanded: true,
                again: false,
            };
        }
        if created {
            self.ids += 1;
        }
        let id = self.ids;
        let contact = self.contact.get_or_insert_with(|| {
            // Whoever is created without a status is subscribed.
            let has = json!({"id": id, STATUS: "subscribed"});
            Contact { id, has: has.as_object().unwrap().clone() }
        });
        let overrides = sent.contains_key(STATUS);
        contact.has.extend(sent);
        if overrides {
            self.unsubscribed_unseen = false;
        }
        Verdict::Stored(Stored { id: Some(contact.id), created, shown: Some(contact.has.clone()) })
    }

    /// Everything that is owed is sent, and Freshsales answers.
    fn drain(&mut self) {
        for _ in 0..40 {
            self.call(Fate::Answered);
        }
        let subject = Subject::Contact(Email::parse(SAM).unwrap());
        let open = open_delivery(&subject, &self.service.world, &self.service.settings.account);
        let waits = |id: &DeliveryId| self.service.world.deliveries.get(id).unwrap().state != State::Dead;
        assert!(!open.is_some_and(waits), "it comes to an end\n{}", self.log.join("\n"));
    }

    fn judge(&self) {
        let Some(contact) = &self.contact else { return };
        let told = self.log.join("\n");
        let status = contact.has[STATUS].as_str().unwrap();
        match self.agrees {
            Some(false) => assert_eq!(status, "unsubscribed", "who refused is not subscribed\n{told}"),
            // A refusal in Freshsales that an answer showed counts as well as one that was told.
            Some(true) | None if self.unsubscribed_unseen => assert_eq!(status, "unsubscribed", "{told}"),
            Some(true) => assert_eq!(status, "subscribed", "who agreed last is\n{told}"),
            None => {}
        }
        let has = |name: &str| contact.has.get(name).and_then(Value::as_str);
        assert_eq!(has("last_name"), Some("Lee"), "the contact is whole\n{told}");
        assert_eq!(has("job_title"), Some("Lead of the site"), "with what new contacts get\n{told}");
        let phone = contact.has.get("mobile_number").and_then(Value::as_str);
        assert!(
            self.phone_refused || phone.is_none_or(|phone| self.phones.contains(&phone)),
            "{phone:?} of {:?}\n{told}",
            self.phones
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_is_lost_deleted_refused_and_heard_a_refusal_stands_and_the_contact_is_whole(
        steps in proptest::collection::vec(steps(), 1..24)
    ) {
        let mut story = Story::new();
        for step in steps {
            story.log.push(format!("{step:?}"));
            story.step(step);
        }
        // Sam speaks once more, so that a contact that was deleted is noticed.
        story.step(Step::Says(0));
        story.drain();
        story.judge();
    }
}
