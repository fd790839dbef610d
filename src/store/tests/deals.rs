//! Tests of deals and companies in the store: revisions, who finds them, what holds them back and how it is counted.

use super::retention::{NONE, prune};
use super::*;
use crate::company::Company;
use crate::deal::{Deal, DealSaid, HeldBack, Standing};
use crate::delivery::{CompanyKey, DealKey, Delivery, DeliveryId, Lane, Subject};
use crate::event::{Stamp, Trust};
use crate::person::{PersonId, PersonKey, Said};
use crate::store::{
    DEALS_OF_MAX, DealQuery, Gone, Keys, Limited, Place, Plan, Put, PutDeal, RecordQuery, RecordState,
    RecordsOf, Silent, Totals, WonQuery,
};

fn key(number: usize) -> DealKey {
    DealKey::of("default", "order", &format!("A-{number:03}")).unwrap()
}

fn user(id: &str) -> PersonKey {
    PersonKey { people: "default".to_owned(), id: PersonId::User(id.to_owned()) }
}

/// A deal that an event of somebody spoke of.
fn deal(person: &str, held: Option<HeldBack>) -> Deal {
    let mut deal = Deal::default();
    let (said, stamp) =
        (Said::default(), Stamp { at: NOW, message_id: "m1".to_owned(), trust: Trust::Server });
    deal.learn(&DealSaid {
        event: "Order Completed",
        said: &said,
        person: Some(&user(person)),
        stamp: &stamp,
        received_at: NOW,
    });
    deal.standing.insert(account(), Standing { held, ..Standing::default() });
    deal
}

fn put(number: usize, revision: u64, deal: Deal) -> Put {
    Put::Deal(Box::new(PutDeal::new(key(number), revision, deal, &account())))
}

fn everything() -> DealQuery {
    DealQuery { after: None, found_by: None, held: None, limit: 9 }
}

async fn held(store: &Arc<TestStore>) -> Vec<(String, u64)> {
    let Totals { held_deals, .. } = store.totals(account()).await.unwrap();
    held_deals.into_iter().collect()
}

async fn held_of(store: &Arc<TestStore>, found_by: &str) -> usize {
    let keys = Keys { deals_of: [found_by.to_owned()].into(), ..Keys::default() };
    store.load(keys).await.unwrap().deals.len()
}

#[tokio::test]
async fn a_deal_and_a_company_are_loaded_as_they_were_put_and_conflict_at_another_revision() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let acme = CompanyKey::of("Acme").unwrap();
    let company = Company { begun: true, ..Company::default() };
    state::put(&store, [put(1, 0, deal("u", None)), Put::Company(acme.clone(), 0, company.clone())])
        .await
        .unwrap();
    let keys =
        || Keys { deals: [key(1), key(2)].into(), companies: [acme.clone()].into(), ..Keys::default() };
    let found = store.load(keys()).await.unwrap();
    assert_eq!(found.deals.len(), 1);
    assert_eq!((found.deals[&key(1)].revision, &found.deals[&key(1)].document), (1, &deal("u", None)));
    assert_eq!((found.companies[&acme].revision, &found.companies[&acme].document), (1, &company));
    for stale in [put(1, 0, deal("v", None)), put(1, 2, deal("v", None))] {
        assert!(state::put(&store, [stale]).await.is_err());
    }
    for stale in [Gone::Deal(key(1), 2), Gone::Company(acme.clone(), 2)] {
        assert!(state::put(&store, [Put::Gone(stale)]).await.is_err());
    }
    let gone = [Put::Gone(Gone::Deal(key(1), 1)), Put::Gone(Gone::Company(acme.clone(), 1))];
    state::put(&store, gone).await.unwrap();
    let found = store.load(keys()).await.unwrap();
    assert!(found.deals.is_empty() && found.companies.is_empty());
}

#[tokio::test]
async fn what_holds_deals_back_is_counted_and_found_as_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let puts = [
        put(1, 0, deal("u", Some(HeldBack::Contact))),
        put(2, 0, deal("u", Some(HeldBack::Contact))),
        put(3, 0, deal("u", Some(HeldBack::NoEmail))),
        put(4, 0, deal("u", None)),
    ];
    state::put(&store, puts).await.unwrap();
    let (contact, no_email) = (HeldBack::Contact.as_str().to_owned(), HeldBack::NoEmail.as_str().to_owned());
    let mut expected = vec![(contact.clone(), 2), (no_email.clone(), 1)];
    expected.sort();
    assert_eq!(held(&store).await, expected);
    let cause = DealQuery { held: Some((account(), contact.clone())), ..everything() };
    assert_eq!(store.deals(cause).await.unwrap(), [key(1), key(2)]);
    let other = DealQuery { held: Some((Account("other".to_owned()), contact)), ..everything() };
    assert!(store.deals(other).await.unwrap().is_empty());
    assert_eq!(held_of(&store, "user:u").await, 3);

    state::put(&store, [put(1, 1, deal("u", None)), put(2, 1, deal("u", Some(HeldBack::NoEmail)))])
        .await
        .unwrap();
    state::put(&store, [Put::Gone(Gone::Deal(key(3), 1))]).await.unwrap();
    assert_eq!(held(&store).await, [(no_email, 1)]);
    assert_eq!(held_of(&store, "user:u").await, 1);
}

#[tokio::test]
async fn deals_are_listed_in_order_and_by_their_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut known = deal("u", None);
    known.email = Some(email("jo"));
    let acme = |name: &str| Put::Company(CompanyKey::of(name).unwrap(), 0, Company::default());
    let puts =
        [put(3, 0, deal("u", None)), put(1, 0, known), put(2, 0, deal("v", None)), acme("B"), acme("A")];
    state::put(&store, puts).await.unwrap();
    let page = async |query| store.deals(query).await.unwrap();
    assert_eq!(page(DealQuery { limit: 2, ..everything() }).await, [key(1), key(2)]);
    assert_eq!(page(DealQuery { after: Some(key(2)), ..everything() }).await, [key(3)]);
    let of = |found_by: &str| DealQuery { found_by: Some(found_by.to_owned()), ..everything() };
    assert_eq!(page(of("jo@example.com")).await, [key(1)]);
    assert_eq!(page(of("user:u")).await, [key(3)]);
    let named = |name: &str| CompanyKey::of(name).unwrap();
    assert_eq!(store.companies(None, 9).await.unwrap(), [named("a"), named("b")]);
    assert_eq!(store.companies(Some(named("a")), 9).await.unwrap(), [named("b")]);
}

#[tokio::test]
async fn of_somebody_who_orders_often_so_many_held_deals_are_loaded_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let many = (0..DEALS_OF_MAX + 7).map(|number| put(number, 0, deal("u", Some(HeldBack::Contact))));
    state::put(&store, many).await.unwrap();
    assert_eq!(held_of(&store, "user:u").await, DEALS_OF_MAX);
}

#[tokio::test]
async fn a_search_finds_deals_and_companies_by_a_text_and_by_silence() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut company = Company::default();
    company.waiting.add(&email("jo"));
    let mut known = deal("u", None);
    known.email = Some(email("jo"));
    let acme = CompanyKey::of("Acme").unwrap();
    state::put(
        &store,
        [put(1, 0, known), put(2, 0, deal("v", None)), Put::Company(acme.clone(), 0, company)],
    )
    .await
    .unwrap();
    let mut found = Keys::default();
    let mut place = Some(Place::START);
    while let Some(from) = place {
        let (some, next) = store.find(vec!["jo@example.com".to_owned()], from).await.unwrap();
        found.deals.extend(some.deals);
        found.companies.extend(some.companies);
        place = next;
    }
    assert_eq!((found.deals, found.companies), ([key(1)].into(), [acme].into()));
    let silent = async |people| {
        let silent = Silent { people, devices: people, told: people };
        store.silent(silent, Place::Deals(0)).await.unwrap().0.deals.len()
    };
    assert_eq!(silent(NOW).await, 0);
    let later = NOW.plus(Duration::from_hours(24 * 3));
    assert_eq!(silent(later).await, 2);
    // Nobody spoke of it: it is no younger.
    let written = Plan { puts: vec![put(2, 1, deal("v", None))], unheard: true, ..Plan::default() };
    store.apply(written).await.unwrap();
    assert_eq!(silent(later).await, 2);
}

#[tokio::test]
async fn deals_and_companies_are_listed_newest_first_by_whose_they_are_and_how_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let acme = CompanyKey::of("Acme").unwrap();
    let open_one =
        Delivery::open(DeliveryId("d1".into()), account(), Subject::Deal(key(2)), Lane::Refresh, NOW);
    let ticket = DealKey::of("default", "ticket", "A-001").unwrap();
    let others = Put::Deal(Box::new(PutDeal::new(ticket.clone(), 0, deal("u", None), &account())));
    state::put(&store, [put(1, 0, deal("u", Some(HeldBack::NoEmail))), put(2, 0, deal("u", None)), others])
        .await
        .unwrap();
    state::put(&store, [Put::Company(acme.clone(), 0, Company::default()), Put::Delivery(0, open_one)])
        .await
        .unwrap();
    let of = |kind: Option<&str>, held: Option<&str>| RecordsOf::Deals {
        email: None,
        kind: kind.map(str::to_owned),
        held: held.map(str::to_owned),
    };
    let query = |of, state, words: Option<&str>, before| RecordQuery {
        limit: Limited::to(9),
        before,
        words: words.map(str::to_owned),
        state,
        account: account(),
        of,
    };
    let listed = async |query: RecordQuery| {
        let rows = store.listed(query).await.unwrap();
        rows.into_iter().map(|(_, subject)| subject.to_string()).collect::<Vec<_>>()
    };
    let order = |number: usize| Subject::Deal(key(number)).to_string();
    let ticket = Subject::Deal(ticket).to_string();
    let all = store.listed(query(of(None, None), None, None, None)).await.unwrap();
    assert_eq!(listed(query(of(None, None), None, None, None)).await, [ticket.clone(), order(2), order(1)]);
    assert_eq!(listed(query(of(None, None), None, None, Some(all[0].0))).await, [order(2), order(1)]);
    assert_eq!(listed(query(of(Some("order"), None), None, None, None)).await, [order(2), order(1)]);
    assert_eq!(listed(query(of(None, Some("no_email")), None, None, None)).await, [order(1)]);
    assert_eq!(listed(query(of(None, Some("gone")), None, None, None)).await, [""; 0]);
    assert_eq!(listed(query(of(None, None), None, Some("a-002"), None)).await, [order(2)]);
    for (state, found) in [
        (RecordState::Held, vec![order(1)]),
        (RecordState::Queued, vec![order(2)]),
        (RecordState::InFlight, vec![]),
        (RecordState::Refused, vec![]),
        (RecordState::Settled, vec![ticket]),
    ] {
        assert_eq!(listed(query(of(None, None), Some(state), None, None)).await, found, "{state:?}");
    }
    let companies = |state| query(RecordsOf::Companies, state, Some("ACME"), None);
    assert_eq!(listed(companies(None)).await, ["company:acme"]);
    assert_eq!(listed(companies(Some(RecordState::Settled))).await, ["company:acme"]);
    assert_eq!(listed(companies(Some(RecordState::Held))).await, [""; 0]);
}

async fn won(
    store: &Arc<TestStore>,
    since: i64,
    after: Option<(DealKey, UnixMicros)>,
) -> Vec<(DealKey, UnixMicros)> {
    store.won(WonQuery { since: UnixMicros(since), after, limit: Limited::to(2) }).await.unwrap()
}

#[tokio::test]
async fn deals_that_are_won_are_paged_by_their_first_moment_and_go_with_the_deal() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut puts: Vec<Put> = (0..4).map(|number| put(number, 0, deal("ann", None))).collect();
    // The second one is won at the same moment as the third, and the first is lost and won again.
    let moments =
        [(0, Some(40)), (1, Some(20)), (2, Some(20)), (3, Some(30)), (3, None), (0, None), (0, Some(90))];
    puts.extend(moments.map(|(number, at)| Put::Won(key(number), at.map(UnixMicros))));
    store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
    let first = won(&store, 0, None).await;
    assert_eq!(first, [(key(1), UnixMicros(20)), (key(2), UnixMicros(20))]);
    assert_eq!(won(&store, 0, first.last().cloned()).await, [(key(0), UnixMicros(40))]);
    assert_eq!(won(&store, 21, None).await, [(key(0), UnixMicros(40))]);
    let puts = vec![Put::Gone(Gone::Deal(key(0), 1))];
    store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
    assert_eq!(won(&store, 21, None).await, []);
    assert!(prune(&store, NONE).await >= 3);
    assert_eq!(won(&store, 0, None).await, []);
}
