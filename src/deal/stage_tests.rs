//! Tests of the stage that is wanted of a deal.

use super::tests::{stages, stamp};
use super::*;
use crate::event::Trust;
use crate::person::PersonId;

fn wanted(said: &[(&str, i64)], forward_only: bool) -> Option<String> {
    let said: BTreeMap<String, Stamp> =
        said.iter().map(|(name, at)| ((*name).to_owned(), stamp(*at))).collect();
    wanted_stage(&said, &stages(), forward_only).unwrap().map(|stage| stage.name.clone())
}

#[test]
fn the_furthest_since_the_last_loss_is_wanted() {
    for (said, stage) in [
        (&[("New", 1), ("Won", 2)][..], "Won"),
        (&[("Won", 1), ("New", 2)], "Won"),
        (&[("won", 1), ("demo", 2)], "Won"),
        (&[("New", 1), ("Lost", 2)], "Lost"),
        (&[("Won", 1), ("Lost", 2)], "Lost"),
        (&[("Lost", 1), ("New", 2)], "New"),
        (&[("Won", 1), ("Lost", 2), ("New", 3)], "New"),
        (&[("Lost", 1), ("Demo", 2), ("New", 3)], "Demo"),
        (&[("12", 1)], "Qualification"),
    ] {
        assert_eq!(wanted(said, true).as_deref(), Some(stage), "{said:?}");
    }
    assert_eq!(wanted(&[("Won", 1), ("New", 2)], false).as_deref(), Some("New"));
    assert_eq!(wanted(&[], true), None);
}

#[test]
fn a_stage_that_the_pipeline_does_not_have_holds_only_while_it_was_said_last() {
    let said = |pairs: &[(&str, i64)]| -> BTreeMap<String, Stamp> {
        pairs.iter().map(|(name, at)| ((*name).to_owned(), stamp(*at))).collect()
    };
    let stages = stages();
    assert_eq!(
        wanted_stage(&said(&[("New", 1), ("Trial Active", 2)]), &stages, true),
        Err(UnknownStage("Trial Active".to_owned()))
    );
    let healed = said(&[("Trial Active", 1), ("Demo", 2)]);
    assert_eq!(wanted_stage(&healed, &stages, true).unwrap().unwrap().name, "Demo");
}

#[test]
fn whoever_knows_the_number_of_an_order_does_not_close_a_deal_that_a_server_speaks_of() {
    let by_visitor = |at| Stamp { trust: Trust::Visitor, ..stamp(at) };
    let said = |pairs: &[(&str, Stamp)]| -> BTreeMap<String, Stamp> {
        pairs.iter().map(|(name, stamp)| ((*name).to_owned(), stamp.clone())).collect()
    };
    for (said, stage) in [
        (said(&[("Won", stamp(1)), ("Lost", by_visitor(2))]), "Won"),
        (said(&[("New", stamp(1)), ("Won", by_visitor(2))]), "New"),
        (said(&[("New", stamp(1)), ("Demo", by_visitor(2))]), "Demo"),
        (said(&[("New", by_visitor(1)), ("Won", by_visitor(2))]), "Won"),
        (said(&[("New", by_visitor(1)), ("Lost", stamp(2)), ("Won", by_visitor(3))]), "Lost"),
    ] {
        for forward_only in [true, false] {
            assert_eq!(
                wanted_stage(&said, &stages(), forward_only).unwrap().unwrap().name,
                stage,
                "{said:?}"
            );
        }
    }
    let mut deal = Deal::default();
    let person = |id: &str| PersonKey { people: "default".to_owned(), id: PersonId::User(id.to_owned()) };
    for (user, event, stamp) in [
        ("ann", "ordercompleted", stamp(1)),
        ("mallory", "ordercompleted", by_visitor(2)),
        ("mallory", "ordercancelled", by_visitor(3)),
    ] {
        let (said, person) = (Said::default(), person(user));
        deal.learn(&DealSaid {
            event,
            said: &said,
            person: Some(&person),
            stamp: &stamp,
            received_at: stamp.at,
        });
    }
    assert_eq!(deal.events["ordercompleted"], stamp(1));
    let persons: Vec<String> = deal.persons_newest_first().map(|(person, _)| person.to_string()).collect();
    assert_eq!(persons, ["user:ann"]);
}
