//! What a person asks of Freshsales by hand: it costs a call, and says so.

use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::command::{freshsignal, output};
use crate::support::wait::eventually;

async fn with_jane(setup: Setup) -> Service {
    let service = setup.sandbox(SandboxOptions::default()).start().await;
    let traits = json!({"email": "jane@example.com", "first_name": "Jane", "last_name": "Doe", "phone": "+1 415 555 0142"});
    service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u1", "context": {"traits": traits}})).await;
    service
}

async fn asked(service: &Service, email: &str) -> Value {
    service.get(&format!("/api/crm/contacts?email={email}")).await
}

#[tokio::test]
async fn what_freshsales_has_now_stands_beside_what_is_wanted() {
    let service = with_jane(Setup::new()).await;
    service.settled().await;
    let contact = service.crm.sandbox.contact("jane@example.com").unwrap();
    let url = format!("http://{}/crm/sales/api/contacts/{}", service.crm.address, contact["id"]);
    let change = service.client.put(url).header("authorization", "Token token=sandbox-key");
    let changed = change.json(&json!({"contact": {"last_name": "Roe"}})).send().await.unwrap();
    assert!(changed.status().is_success());
    let before = service.crm.calls();
    let answer = asked(&service, "jane@example.com").await;
    assert_eq!((service.crm.calls() - before, &answer["calls"]), (1, &json!(1)));
    assert_eq!(
        (&answer["in_freshsales"], &answer["contact_id"]),
        (&json!("one"), &contact["id"]),
        "{answer}"
    );
    let last_name = &answer["attributes"]["last_name"];
    assert_eq!(
        *last_name,
        json!({"side": "different", "wanted": "Doe", "accepted": "Doe", "freshsales": "Roe"})
    );
    assert_eq!(answer["attributes"]["first_name"]["side"], "same");
    // It is a slot of the allowance like any other, and nothing that is known changed.
    let contact = service.get("/api/contacts/jane@example.com").await;
    assert_eq!((&contact["accepted"]["last_name"], &contact["owed"]), (&json!("Doe"), &Value::Null));
    let nobody = asked(&service, "nobody@example.com").await;
    assert_eq!((&nobody["in_freshsales"], &nobody["calls"]), (&json!("nobody"), &json!(1)));
    service.finish().await;
}

#[tokio::test]
async fn no_call_is_made_while_calls_are_paused_and_the_answer_says_why() {
    let service = with_jane(Setup::new()).await;
    service.settled().await;
    let paused = service.private_post("/api/pause").send().await.unwrap();
    assert!(paused.status().is_success());
    let before = service.crm.calls();
    let answer = eventually("it is paused", async || {
        let answer = asked(&service, "jane@example.com").await;
        if answer["calls"] == 0 { Ok(answer) } else { Err(answer.to_string()) }
    })
    .await;
    assert!(answer["why"].as_str().unwrap().starts_with("calls are held up"), "{answer}");
    assert_eq!(service.crm.calls(), before);
    service.finish().await;
}

#[tokio::test]
async fn a_dry_run_asks_nobody() {
    let service = with_jane(Setup::new().with("FRESHSALES__MODE", "dry_run")).await;
    let answer = asked(&service, "jane@example.com").await;
    assert_eq!((&answer["calls"], service.crm.calls()), (&json!(0), 0), "{answer}");
    assert!(answer["why"].as_str().unwrap().contains("dry run"));
    service.finish().await;
}

#[tokio::test]
async fn contacts_are_sent_whole_once_more_by_an_order_that_can_be_looked_at_first() {
    let service = with_jane(Setup::new()).await;
    service.settled().await;
    let before = service.crm.calls();
    let order =
        |preview: bool| json!({"emails": ["jane@example.com", "nobody@example.com"], "preview": preview});
    let preview = service.order("/api/contacts/resend", order(true)).await;
    assert_eq!((&preview["contacts"], &preview["calls"]), (&json!(1), &json!(1)), "{preview}");
    assert_eq!(preview["unknown"], json!(["nobody@example.com"]));
    service.settled().await;
    assert_eq!(service.crm.calls(), before);
    service.order("/api/contacts/resend", order(false)).await;
    service.crm.called(before + 1).await;
    service.settled().await;
    let body: Value = serde_json::from_str(&service.crm.body(before)).unwrap();
    assert_eq!(body["contact"]["first_name"], "Jane");
    assert_eq!(body["contact"].get("subscription_status"), None, "what was told is not told again");
    let all = json!({"filter": {"accepted_before": "2000-01-01T00:00:00Z"}});
    let none = service.order("/api/contacts/resend", all).await;
    assert_eq!((&none["contacts"], &none["next"]), (&json!(0), &Value::Null));
    let everybody = service.order("/api/contacts/resend", json!({"filter": {}})).await;
    assert_eq!(everybody["contacts"], 1);
    service.crm.called(before + 2).await;
    service.settled().await;
    for wrong in
        [json!({}), json!({"emails": ["jane@example.com"], "filter": {}}), json!({"emails": ["jane"]})]
    {
        let answer = service.private_post("/api/contacts/resend").json(&wrong).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
    }
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_contacts_says_which_have_drifted_and_which_are_gone() {
    let service = with_jane(Setup::new()).await;
    for name in ["ann", "bob"] {
        let traits = json!({"email": format!("{name}@example.com"), "first_name": name, "last_name": "Roe"});
        let lead = json!({"type": "track", "event": "Lead Generated", "userId": name, "context": {"traits": traits}});
        service.send(lead).await;
    }
    service.settled().await;
    let call = async |method: &str, email: &str, body: Value| {
        let id = service.crm.sandbox.contact(email).unwrap()["id"].clone();
        let url = format!("http://{}/crm/sales/api/contacts/{id}", service.crm.address);
        let call = service.client.request(method.parse().unwrap(), url).json(&body);
        let done = call.header("authorization", "Token token=sandbox-key").send().await.unwrap();
        assert!(done.status().is_success());
    };
    call("PUT", "jane@example.com", json!({"contact": {"last_name": "Doe-Smith"}})).await;
    call("DELETE", "ann@example.com", json!({})).await;
    let before = service.crm.calls();
    let (base, listen) =
        (format!("http://{}", service.crm.address), service.private_url().replace("http://", ""));
    let ran = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let pairs = [
            ("SOURCES__WEBSITE__WRITE_KEY", "it-write-key"),
            ("FRESHSALES__BUNDLE_ALIAS", "acme"),
            ("FRESHSALES__API_KEY", "sandbox-key"),
            ("FRESHSALES__BASE_URL", &base),
            ("ADMIN__LISTEN", &listen),
            ("STORE__PATH", folder.path().to_str().unwrap()),
        ];
        output(&mut freshsignal(&["check", "--live", "--sample", "5"], &pairs), "")
    });
    let (code, said, complained) = ran.await.unwrap();
    assert_eq!(code, 0, "{said}\n{complained}");
    for line in [
        "drift: jane@example.com: last_name",
        "gone: ann@example.com",
        "sample: 1 as wanted, 1 drifted, 0 merged or made anew, 1 gone, 0 not compared; calls used: 3",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(complained.contains("comparing 3 contacts"), "{complained}");
    let of_look_ups =
        service.crm.sandbox.requests().iter().skip(before).filter(|it| it.path.contains("/lookup")).count();
    assert_eq!(of_look_ups, 3);
    service.finish().await;
}
