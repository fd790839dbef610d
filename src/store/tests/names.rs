//! Tests of what people are called: who is found by a name, and that a name goes with its person.

use std::collections::BTreeMap;

use serde_json::json;

use super::lookups::all;
use super::*;
use crate::decision::Outcome;
use crate::event::Stamp;
use crate::person::{Person, PersonKey, Said};
use crate::store::{EventQuery, Gone, Put, Sought};

fn key(id: &str) -> PersonKey {
    format!("user:{id}").parse().unwrap()
}

fn called(names: &[(&str, &str)]) -> Person {
    let values = names.iter().map(|(path, name)| ((*path).to_owned(), json!(name))).collect();
    let mut person = Person::default();
    let stamp = Stamp { at: NOW, message_id: "m1".to_owned(), ..Stamp::default() };
    person.own.learn(&Said { values, ..Said::default() }, &stamp);
    person
}

async fn find(store: &Arc<TestStore>, words: &[&str]) -> Vec<String> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let mut found: Vec<String> =
        store.called(words, 9).await.unwrap().iter().map(ToString::to_string).collect();
    found.sort();
    found
}

#[tokio::test]
async fn people_are_found_by_all_words_of_their_names_and_by_nothing_once_they_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let jane = called(&[("traits.first_name", "Jane"), ("traits.last_name", "Miller")]);
    let puts = [
        Put::Person(key("1"), 0, jane),
        Put::Person(key("2"), 0, called(&[("traits.name", "JANE O\u{0}Hara %_")])),
        Put::Person(key("3"), 0, called(&[("traits.company", "Miller")])),
    ];
    state::put(&store, puts).await.unwrap();
    assert_eq!(find(&store, &["jane"]).await, ["user:1", "user:2"]);
    assert_eq!(find(&store, &["mill", "jane"]).await, ["user:1"]);
    assert_eq!(find(&store, &["ohara"]).await, ["user:2"]);
    assert_eq!(find(&store, &["%_"]).await, ["user:2"], "a text is no pattern");
    for nobody in [vec!["globex"], vec!["jane", "globex"], vec![]] {
        assert_eq!(find(&store, &nobody).await, [""; 0], "{nobody:?}");
    }
    assert_eq!(store.called(vec!["jane".to_owned()], 1).await.unwrap().len(), 1);

    let married = called(&[("traits.name", "Jane Smith")]);
    let unnamed = Put::Person(key("2"), 1, called(&[("traits.city", "Jena")]));
    state::put(&store, [Put::Person(key("1"), 1, married), unnamed]).await.unwrap();
    assert_eq!(find(&store, &["miller"]).await, [""; 0]);
    assert_eq!(find(&store, &["jane"]).await, ["user:1"]);
    state::put(&store, [Put::Gone(Gone::Person(key("1"), 2))]).await.unwrap();
    assert_eq!(find(&store, &["jane"]).await, [""; 0]);
}

#[tokio::test]
async fn events_have_a_text_or_are_of_somebody_who_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut other = trail(2, Outcome::NoEmail);
    (other.email, other.person) = (None, Some("user:7".to_owned()));
    let mut third = trail(3, Outcome::Queued);
    (third.email, third.person) = (Some(email("al")), None);
    third.event = "Miller Opened".to_owned();
    let mut fourth = third.clone();
    (fourth.position, fourth.event, fourth.email) = (Position(4), "page".to_owned(), Some(email("mo")));
    let events = [trail(1, Outcome::Queued), other, third, fourth];
    state::put(&store, events.clone().map(Put::Trail)).await.unwrap();
    let sought = |people: &[&str], emails: &[&str]| {
        let people = people.iter().map(|person| (*person).to_owned()).collect();
        Some(Sought {
            people,
            emails: emails.iter().map(|name| email(name)).collect(),
            ..Sought::text("MILLER")
        })
    };
    let cases = BTreeMap::from([
        ("the text alone", (sought(&[], &[]), vec![3])),
        ("and a person", (sought(&["user:7", "user:8"], &[]), vec![3, 2])),
        ("and an address", (sought(&["user:8"], &["mo"]), vec![4, 3])),
        ("and both", (sought(&["user:7"], &["jo"]), vec![3, 2, 1])),
    ]);
    for (case, (text, fit)) in cases {
        let query = EventQuery { text, ..all() };
        let admitted = events.iter().rev().filter(|event| query.admits(event));
        assert_eq!(admitted.map(|event| event.position.0).collect::<Vec<_>>(), fit, "{case}");
        let found = store.events(query).await.unwrap();
        assert_eq!(found.iter().map(|event| event.position.0).collect::<Vec<_>>(), fit, "{case}");
    }
}
