//! What is counted by the half hour, refusals by their reason, and what was ordered.

use super::*;
use crate::delivery::State;
use crate::store::{Counts, Plan, Put};
use crate::store::{Keep, KeepTrail, Worths};
use crate::trail::{Act, ActKind, Said, Span, Tallied};

fn counting(span: i64, tallied: &Tallied, by: i64) -> Plan {
    let counts = Counts { tallies: [((Span(span), tallied.clone()), by)].into(), ..Counts::default() };
    Plan { counts, ..Plan::default() }
}

#[tokio::test]
async fn tallies_add_up_by_the_half_hour_and_go_after_nine_days() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let now = Span::of(NOW).0;
    let source = SourceName("website".to_owned());
    let event = Tallied::Event(source.clone(), "leadgenerated".to_owned(), Outcome::NoEmail);
    let consent = Tallied::Consent(source, "OneTrust".to_owned(), "marketing".to_owned(), Said::Denied);
    let ended = Tallied::Ended(State::Delivered);
    for (span, tallied, by) in
        [(now, &event, 2), (now, &event, 3), (now - 1, &event, 7), (now, &consent, 1), (now - 433, &ended, 9)]
    {
        store.apply(counting(span, tallied, by)).await.unwrap();
    }
    let between = async |from, to| store.tallies(Span(from), Span(to)).await.unwrap();
    assert_eq!(between(now, now + 1).await, [(event.clone(), 5), (consent.clone(), 1)]);
    assert_eq!(between(now - 1, now).await, [(event, 7)]);
    assert_eq!(between(now - 433, now - 432).await, [(ended, 9)]);
    let keep = Keep {
        journal_since: UnixMicros(0),
        journal_bytes_max: u64::MAX,
        trail: Worths::all(KeepTrail { since: UnixMicros(0), bytes_max: u64::MAX }),
        seen_since: UnixMicros(0),
        won_since: UnixMicros(0),
        seen_max: u64::MAX,
    };
    store.prune(keep).await.unwrap();
    assert_eq!(between(now - 433, now - 432).await, []);
    assert_eq!(between(now - 1, now + 1).await.len(), 2);
}

#[tokio::test]
async fn dead_letters_are_counted_by_their_reason_while_there_are_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let dead = |id: &str, why: &str| delivery(id, id, Lane::Login, 1).die(why.to_owned(), NOW);
    let [one, two, other] = [dead("a", "no name"), dead("b", "no name"), dead("c", "no such field")];
    let puts = [&one, &two, &other].map(|delivery| Put::Delivery(0, delivery.clone()));
    state::put(&store, puts).await.unwrap();
    let most = async || store.refusals(account(), 9).await.unwrap();
    let named = |reason: &str, count| (reason.to_owned(), count);
    assert_eq!(most().await, [named("no name", 2), named("no such field", 1)]);
    assert_eq!(store.refusals(account(), 1).await.unwrap(), [named("no name", 2)]);
    // One is tried again, one is refused for another reason, one goes.
    state::put(&store, [Put::Delivery(1, one.clone().reopen(NOW))]).await.unwrap();
    state::put(&store, [Put::Delivery(1, Delivery { reason: Some("no such field".to_owned()), ..two })])
        .await
        .unwrap();
    assert_eq!(most().await, [named("no such field", 2)]);
    state::put(&store, [Put::Gone(crate::store::Gone::Delivery(other.id, 1))]).await.unwrap();
    assert_eq!(most().await, [named("no such field", 1)]);
}

#[tokio::test]
async fn what_was_ordered_is_listed_the_last_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let act = |kind, at| Act { at: UnixMicros(at), kind, who: String::new(), about: "all".to_owned() };
    let acts = [act(ActKind::Started, 1), act(ActKind::Paused, 2), act(ActKind::Redriven, 3)];
    state::put(&store, acts.clone().map(Put::Act)).await.unwrap();
    let latest = store.acts(2).await.unwrap();
    assert_eq!(latest, [acts[2].clone(), acts[1].clone()]);
}
