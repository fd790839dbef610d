//! What a person was told of what is wrong.

use super::*;
use crate::cause::{Alert, Beat, Cause};

fn alert(cause: Cause, began: UnixMicros) -> Alert {
    let mut alert = Alert::none(cause);
    alert.look(Some(0), began);
    alert
}

#[tokio::test]
async fn alerts_are_shown_those_that_are_there_first_and_no_receiver_is_named() {
    let mut lab = Lab::new();
    let mut over = alert(Cause::Lag, seconds_earlier(600));
    over.told(crate::cause::Note::Began, seconds_earlier(590));
    over.look(None, seconds_earlier(300));
    let mut open = alert(Cause::Blocked, seconds_earlier(900));
    open.not_told("the receiver answered 404");
    lab.board = Board {
        format: Some("slack"),
        receiver_error: Some("the receiver answered 404".into()),
        heartbeat: Some(Beat { answered_at: None, error: None, beats: false }),
        alerts: vec![over, open, Alert::none(Cause::Quota)],
    };
    assert_eq!(
        lab.json("/api/alerts").await,
        json!({
            "receiver": "slack",
            "receiver_error": "the receiver answered 404",
            "heartbeat": {"beats": false, "answered_at": null, "error": null},
            "alerts": [
                {
                    "cause": "blocked", "title": "Freshsales refuses every call", "open": true,
                    "began_at": "2030-03-17T17:31:40.000Z", "told_at": null, "ended_at": null,
                    "end_told_at": null, "error": "the receiver answered 404",
                },
                {
                    "cause": "lag", "title": "Events arrive faster than they take effect", "open": false,
                    "began_at": "2030-03-17T17:36:40.000Z", "told_at": "2030-03-17T17:36:50.000Z",
                    "ended_at": "2030-03-17T17:36:40.000Z", "end_told_at": null, "error": null,
                },
            ],
        })
    );
    let nobody = json!({"receiver": null, "receiver_error": null, "heartbeat": null, "alerts": []});
    assert_eq!(Lab::new().json("/api/alerts").await, nobody);
}
