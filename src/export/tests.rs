//! Tests of exports: what is asked, how many calls, lists that change while they are read, rows and files.

use serde_json::{Map, Value, json};

use super::*;
use crate::delivery::{RetryAfter, Stored};

const NOW: UnixMicros = UnixMicros(1_772_355_600_000_000);

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { unreachable!("an object") };
    object
}

fn stored(value: Value) -> Verdict {
    Verdict::Stored(Stored { shown: Some(object(value)), ..Stored::default() })
}

fn pipelines() -> Verdict {
    stored(json!({"deal_pipelines": [{"id": 1, "name": "Default Pipeline", "deal_stages": [
        {"id": 10, "name": "New", "position": 1, "forecast_type": "Open"},
        {"id": 11, "name": "Won", "position": 2, "forecast_type": "Closed Won"}]}]}))
}

fn won() -> Wanted {
    Wanted { won: true, days: Some(30), pipeline: None, calls_max: None }
}

fn deal(id: u64) -> Value {
    json!({"id": id, "name": format!("=deal {id}"), "amount": "5600.0", "deal_stage_id": 11, "owner_id": 7, "sales_account_id": null,
        "contact_ids": [], "closed_date": "2026-02-27", "custom_field": {"cf_region": "EU", "cf_none": null}})
}

fn page(ids: &[u64], total: u64) -> Verdict {
    stored(json!({"deals": ids.iter().map(|id| deal(*id)).collect::<Vec<_>>(), "meta": {"total": total},
        "users": [{"id": 7, "email": "rep@acme.example"}]}))
}

/// An export by a list that a test changes, and everything that it brought.
struct Reader {
    export: Export,
    list: Vec<u64>,
    seen: std::collections::BTreeMap<u64, Row>,
    again: u32,
}

impl Reader {
    fn new(list: Vec<u64>) -> Self {
        let mut export = Export::new(1, Account("acme".to_owned()), won(), None, NOW);
        assert!(matches!(export.next(&Selectors::default(), NOW), Next::Ask(Request::Selector(_))));
        export.asks();
        export.answered(None, &pipelines(), NOW);
        Self { export, list, seen: std::collections::BTreeMap::new(), again: 0 }
    }

    /// One call; whether there is another.
    fn call(&mut self) -> bool {
        match self.export.next(&Selectors::default(), NOW) {
            Next::Ask(Request::ListDeals { page: nth, .. }) => {
                self.export.asks();
                let skipped = usize::try_from((nth - 1) * PER_PAGE).unwrap();
                let ids: Vec<u64> = self.list.iter().skip(skipped).take(100).copied().collect();
                let brought = self.export.answered(None, &page(&ids, self.list.len() as u64), NOW);
                for (id, row) in brought.rows {
                    self.again += u32::from(self.seen.insert(id, row.unwrap()).is_some());
                }
                true
            }
            Next::Detail(_) => {
                self.export.all_whole(NOW);
                false
            }
            Next::Ask(_) | Next::Ended => false,
        }
    }
}

#[test]
fn a_list_that_stands_still_takes_the_calls_that_were_foretold() {
    let mut reader = Reader::new((1..=1000).collect());
    reader.call();
    let foretold = reader.export.foretold.unwrap();
    while reader.call() {}
    assert_eq!((reader.export.calls, foretold.calls, reader.export.state.clone()), (11, 11, State::Done));
    assert_eq!((reader.seen.len(), reader.again, reader.export.missed), (1000, 0, 0));
}

#[test]
fn of_a_list_that_loses_deals_while_it_is_read_none_that_stays_is_missed() {
    for lost in [1, 3, 60] {
        let mut reader = Reader::new((1..=1000).collect());
        reader.call();
        let foretold = reader.export.foretold.unwrap();
        reader.call();
        reader.list.drain(..lost);
        reader.call();
        reader.call();
        reader.list.drain(..lost);
        // As many that come as leave between two pages hide each other: the documents say so.
        reader.list.extend((lost > 1).then_some(5000));
        while reader.call() {}
        assert!(reader.list.iter().all(|id| reader.seen.contains_key(id)), "{lost}");
        let calls = reader.export.calls;
        assert!((foretold.calls - 1..=foretold.at_most).contains(&calls), "{lost}: {calls} {foretold:?}");
        assert_eq!(reader.export.state, State::Done);
    }
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_counts_among_the_spare_ones() {
    let mut reader = Reader::new((1..=250).collect());
    reader.call();
    let foretold = reader.export.foretold.unwrap();
    // The process was killed twice while a call was on its way.
    reader.export.asks();
    reader.export.asks();
    while reader.call() {}
    assert_eq!((reader.export.calls, foretold.calls), (6, 4));
    assert!(reader.export.calls <= foretold.at_most);
}

#[test]
fn what_passes_is_asked_again_later_and_what_does_not_ends_it() {
    let mut export = Reader::new(vec![1]).export;
    export.asks();
    let throttled = Verdict::Throttled { retry_after: RetryAfter::Absent, reason: String::new() };
    export.answered(None, &throttled, NOW);
    assert!(export.is_running() && export.not_before > NOW);
    for _ in 0..FAILURES_MAX {
        export.asks();
        export.answered(None, &Verdict::Passing { reason: String::new() }, NOW);
    }
    assert_eq!(export.state.as_str(), "failed");
    let mut export = Reader::new(vec![1]).export;
    export.asks();
    export.answered(None, &Verdict::Shut { reason: "no right to deals".to_owned() }, NOW);
    assert!(matches!(&export.state, State::Failed(why) if why.contains("no right to deals")));
}

#[test]
fn no_more_calls_leave_than_are_allowed() {
    let mut reader = Reader::new((1..=1000).collect());
    reader.export.wanted.calls_max = Some(3);
    while reader.export.may_ask(NOW) && reader.call() {}
    assert_eq!(reader.export.calls, 3);
    assert!(matches!(&reader.export.state, State::Failed(why) if why.contains("calls_max")));
}

#[test]
fn an_account_whose_list_is_thin_is_asked_for_each_deal() {
    let thin = stored(
        json!({"deals": [{"id": 4, "name": "Four", "closed_date": "2026-02-27"}, {"id": 5, "closed_date": "2024-01-01"}], "meta": {"total": 2}}),
    );
    let mut export = Reader::new(Vec::new()).export;
    export.asks();
    let brought = export.answered(None, &thin, NOW);
    assert_eq!(
        brought.rows.iter().map(|(id, row)| (*id, row.is_some())).collect::<Vec<_>>(),
        [(4, true), (5, false)]
    );
    let row = brought.rows[0].1.clone().unwrap();
    assert_eq!((row.stage.as_str(), row.whole), ("Won", false), "the only stage that was asked for");
    export.details_left(1);
    assert_eq!((export.foretold.unwrap().calls, export.asks_for_details()), (3, true));
    let whole = stored(
        json!({"deal": {"id": 4, "name": "Four", "deal_stage_id": 11, "owner_id": 7, "currency_id": 2, "closed_date": "2026-02-27"},
        "users": [{"id": 7, "email": "rep@acme.example"}], "currencies": [{"id": 2, "currency_code": "EUR"}], "contacts": [{"id": 9, "email": "ann@example.com"}]}),
    );
    export.asks();
    let brought = export.answered(Some(4), &whole, NOW);
    let row = brought.rows[0].1.clone().unwrap();
    assert_eq!(
        (row.owner_email.as_str(), row.currency.as_str(), row.contact_emails.as_slice(), row.whole),
        ("rep@acme.example", "EUR", ["ann@example.com".to_owned()].as_slice(), true)
    );
}

/// An export whose list is thin: 300 won deals, as the first page and what is counted afterwards show them.
fn thin_export() -> Export {
    let deals: Vec<Value> = (1..=100).map(|id| json!({"id": id, "closed_date": "2026-02-27"})).collect();
    let mut export = Reader::new(Vec::new()).export;
    for _ in 0..3 {
        export.asks();
        export.answered(None, &stored(json!({"deals": deals, "meta": {"total": 300}})), NOW);
    }
    export
}

fn asked(export: &mut Export) -> Request {
    match export.next(&Selectors::default(), NOW) {
        Next::Ask(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_view_of_won_deals_shows_whole_is_taken_and_the_rest_is_asked_for() {
    let mut export = thin_export();
    assert_eq!(export.foretold.unwrap().calls, 4 + 1 + 3, "pipelines, three pages; the views, three pages");
    export.details_left(300);
    assert_eq!(asked(&mut export), Request::ListDealViews);
    let views = json!({"filters": [{"id": 1, "name": "All deals"}, {"id": 2, "name": "Won Deals"}]});
    export.answered(None, &stored(views), NOW);
    assert_eq!(asked(&mut export), Request::ViewDeals { view: 2, page: 1 });
    let whole =
        json!({"id": 4, "deal_stage_id": 11, "owner_id": 7, "contact_ids": [], "closed_date": "2026-02-27"});
    let old =
        json!({"id": 5, "deal_stage_id": 11, "owner_id": 7, "contact_ids": [], "closed_date": "2020-02-27"});
    let elsewhere = json!({"id": 6, "owner_id": 7, "contact_ids": [], "closed_date": "2026-02-27"});
    let no_owner = json!({"id": 8, "deal_stage_id": 11, "contact_ids": [], "closed_date": "2026-02-27"});
    let page = json!({"deals": [whole, old, elsewhere, no_owner], "users": [{"id": 7, "email": "rep@acme.example"}],
        "meta": {"total_pages": 1}});
    let brought = export.answered(None, &stored(page), NOW);
    let rows: Vec<_> =
        brought.rows.iter().map(|(id, row)| (*id, row.as_ref().map(|row| row.whole))).collect();
    assert_eq!(
        rows,
        [(4, Some(true)), (5, None)],
        "one of no known stage may be of a pipeline that is not wanted"
    );
    assert!(export.asks_for_details());
    export.details_left(40);
    assert!(export.asks_for_details(), "the view is not asked for twice");
    assert_eq!(export.foretold.unwrap().calls, export.calls + 40);
}

#[test]
fn without_the_view_every_deal_is_asked_for() {
    let refused = Verdict::Shut { reason: "no".to_owned() };
    let other = stored(json!({"filters": [{"id": 1, "name": "All deals"}]}));
    for answer in [refused, other] {
        let mut export = thin_export();
        export.details_left(300);
        export.answered(None, &answer, NOW);
        assert!(export.is_running() && export.asks_for_details(), "{answer:?}");
    }
    let mut few = thin_export();
    few.details_left(4);
    assert!(few.asks_for_details(), "four calls, as many as the view takes");
}

#[test]
fn the_pipeline_that_is_wanted_has_to_be_there() {
    let wanted = Wanted { pipeline: Some("Renewals".to_owned()), ..won() };
    let mut export = Export::new(1, Account("acme".to_owned()), wanted, None, NOW);
    export.asks();
    export.answered(None, &pipelines(), NOW);
    assert!(matches!(&export.state, State::Failed(why) if why.contains("Default Pipeline")));
}

#[test]
fn a_row_is_a_line_that_no_spreadsheet_takes_for_a_formula() {
    let mut reader = Reader::new(vec![1]);
    reader.call();
    let row = &reader.seen[&1];
    assert_eq!(header_line(&reader.export.custom), format!("{},cf_region\r\n", COLUMNS.join(",")));
    let line = csv_line(row, &reader.export.custom);
    assert_eq!(line, "1,'=deal 1,5600.0,,Default Pipeline,Won,rep@acme.example,,,2026-02-27,,,EU\r\n");
    let json: Value = serde_json::from_str(&row.json_line()).unwrap();
    assert_eq!(
        (&json["id"], &json["cf_region"], &json["contact_emails"]),
        (&json!(1), &json!("EU"), &json!([]))
    );
}

#[test]
fn it_is_due_once_a_day_or_each_monday() {
    let at = At::parse("03:00").unwrap();
    // 2026-03-01, a Sunday, 09:00.
    assert_eq!(last_due(Every::Day, at, NOW).to_rfc3339(), "2026-03-01T03:00:00.000Z");
    assert_eq!(
        last_due(Every::Day, At::parse("10:30").unwrap(), NOW).to_rfc3339(),
        "2026-02-28T10:30:00.000Z"
    );
    assert_eq!(last_due(Every::Week, at, NOW).to_rfc3339(), "2026-02-23T03:00:00.000Z");
    for wrong in ["3:00", "24:00", "12:60", "", "12", "ab:cd"] {
        assert_eq!(At::parse(wrong), None, "{wrong}");
    }
}
