//! Won deals for ad platforms: of whoever agreed to that by the time of the file, each once, for who has user and password.

use std::time::Duration;

use freshsignal::sandbox::SandboxOptions;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::deals::Shop;
use crate::documents::markdown::blocks;
use crate::outputs::{shape, telling, told};
use crate::support::app::Setup;
use crate::support::ear::Ear;
use crate::support::events::ann;
use crate::support::wait::eventually;

pub const USER: &str = "google";
pub const PASSWORD: &str = "a password of some length";
const CLICKS: &str = "/conversions/google.csv";
const ENHANCED: &str = "/conversions/google-enhanced.csv";

/// A setup with the files.
pub fn converting(setup: Setup) -> Setup {
    setup
        .with("CONVERSIONS__ENABLED", "true")
        .with("CONVERSIONS__USER", USER)
        .with("CONVERSIONS__PASSWORD", PASSWORD)
}

async fn shop(setup: Setup) -> Shop {
    Shop::open(converting(setup), SandboxOptions::default()).await
}

/// The lines of a file, without that of its columns.
async fn lines(shop: &Shop, path: &str) -> Vec<String> {
    let answer =
        shop.service.public(Method::GET, path).basic_auth(USER, Some(PASSWORD)).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, &"text/csv; charset=utf-8".parse().unwrap())
    );
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    let mut lines = text.lines().map(str::to_owned);
    assert!(
        lines
            .next()
            .unwrap()
            .ends_with("Conversion Name,Conversion Time,Conversion Value,Conversion Currency")
    );
    lines.collect()
}

/// Somebody lands on the site by a click, before anybody knows who they are.
async fn lands(shop: &Shop, number: usize, click: &str) {
    let url = format!("https://shop.example/?{click}&utm_source=ad");
    let view =
        json!({"type": "page", "anonymousId": format!("device-{number}"), "context": {"page": {"url": url}}});
    shop.service.send(view).await;
}

/// They say who they are, and what they agree to.
async fn says(shop: &Shop, number: usize, ad_user_data: Option<bool>) {
    let mut identify = json!({"type": "identify", "userId": format!("ann-{number}"), "anonymousId": format!("device-{number}"),
        "traits": {"email": ann(number), "phone": "+14155550142"}});
    if let Some(choice) = ad_user_data {
        identify["consent"] = json!({"categoryPreferences": {"ad_user_data": choice}});
    }
    shop.service.send(identify).await;
    shop.service.processed().await;
}

/// Somebody buys, and Freshsales has it as won.
async fn buys(shop: &Shop, number: usize, order: &str) {
    shop.says(number, "Order Completed", order, "149").await;
    let won = shop.stage("Won");
    let key = format!("#{order}");
    shop.deals("the deal is won", |deals| {
        deals
            .iter()
            .any(|deal| deal["name"].as_str().unwrap().ends_with(&key) && deal["deal_stage_id"] == won)
    })
    .await;
    shop.service.settled().await;
}

#[tokio::test]
async fn a_won_deal_is_a_line_where_its_person_agreed_and_of_nobody_else() {
    let mut shop = shop(Setup::new()).await;
    let choices = [Some(true), None, Some(false), Some(true)];
    for (number, choice) in choices.into_iter().enumerate() {
        if number != 3 {
            lands(&shop, number, &format!("gclid=Cj0-{number}")).await;
        }
        says(&shop, number, choice).await;
        buys(&shop, number, &format!("A-{number}")).await;
    }
    lands(&shop, 0, "gclid=later").await;
    let by_click = lines(&shop, CLICKS).await;
    assert_eq!(by_click.len(), 1, "one agreed and came by a click: {by_click:?}");
    assert!(
        by_click[0].starts_with("Cj0-0,Deal won,") && by_click[0].ends_with("+0000,149,EUR"),
        "{by_click:?}"
    );
    let enhanced = lines(&shop, ENHANCED).await;
    assert_eq!(enhanced.len(), 2, "{enhanced:?}");
    assert!(enhanced.iter().all(|line| line.contains(',') && !line.contains('@')), "{enhanced:?}");
    // Who agrees later is in the next file, whoever withdraws in none; and a restart changes nothing.
    says(&shop, 1, Some(true)).await;
    says(&shop, 0, Some(false)).await;
    shop.service = shop.service.restart().await;
    let by_click = lines(&shop, CLICKS).await;
    assert_eq!(by_click.len(), 1, "{by_click:?}");
    assert!(by_click[0].starts_with("Cj0-1,"), "{by_click:?}");
    shop.service.finish().await;
}

#[tokio::test]
async fn who_was_erased_or_is_never_sent_leaves_at_once() {
    let shop = shop(Setup::new()).await;
    for number in 1..4 {
        lands(&shop, number, &format!("gclid=Cj0-{number}")).await;
        says(&shop, number, Some(true)).await;
        buys(&shop, number, &format!("A-{number}")).await;
    }
    assert_eq!(lines(&shop, CLICKS).await.len(), 3);
    shop.service.delete(&format!("/api/people?email={}", ann(1))).await;
    let never = shop.service.private_post("/api/people/suppress").json(&json!({"email": ann(2)}));
    assert_eq!(never.send().await.unwrap().status(), StatusCode::OK);
    for path in [CLICKS, ENHANCED] {
        let left = eventually("they are in no file", async || {
            let left = lines(&shop, path).await;
            if left.len() == 1 { Ok(left) } else { Err(format!("{left:?}")) }
        });
        assert!(left.await[0].contains("Cj0-3"));
    }
    shop.service.finish().await;
}

#[tokio::test]
async fn a_deal_that_is_lost_leaves_and_one_that_is_won_again_is_the_same_line() {
    let shop = shop(Setup::new()).await;
    lands(&shop, 1, "gclid=Cj0-1").await;
    says(&shop, 1, Some(true)).await;
    buys(&shop, 1, "A-1").await;
    let first = lines(&shop, CLICKS).await;
    shop.says(1, "Order Refunded", "A-1", "149").await;
    shop.deal_in(shop.stage("Lost")).await;
    shop.service.settled().await;
    assert_eq!(lines(&shop, CLICKS).await, Vec::<String>::new());
    buys(&shop, 1, "A-1").await;
    assert_eq!((lines(&shop, CLICKS).await, first.len()), (first, 1));
    shop.service.finish().await;
}

#[tokio::test]
async fn a_file_of_several_pages_has_each_deal_once_in_the_order_of_time() {
    let shop = shop(Setup::new()).await;
    lands(&shop, 1, "gclid=Cj0-1").await;
    says(&shop, 1, Some(true)).await;
    buys(&shop, 1, "B").await;
    for order in 0..130 {
        shop.says(1, "Order Completed", &format!("B-{order}"), &format!("{}", 1000 + order)).await;
    }
    shop.service.settled().await;
    let all = eventually("each deal has its line", async || {
        let all = lines(&shop, CLICKS).await;
        if all.len() == 131 { Ok(all) } else { Err(format!("{}", all.len())) }
    })
    .await;
    let values: Vec<&str> = all.iter().map(|line| line.split(',').nth(3).unwrap()).collect();
    let expected: Vec<String> = [149].into_iter().chain(1000..1130).map(|value| value.to_string()).collect();
    assert_eq!(values, expected);
    assert_eq!(lines(&shop, CLICKS).await, all, "the next file is the same");
    shop.service.finish().await;
}

#[tokio::test]
async fn after_ninety_days_a_deal_is_in_no_file() {
    let shop = shop(Setup::new().driven_clock()).await;
    lands(&shop, 1, "gclid=Cj0-1").await;
    says(&shop, 1, Some(true)).await;
    buys(&shop, 1, "A-1").await;
    shop.service.pass(Duration::from_hours(24 * 89));
    assert_eq!(lines(&shop, CLICKS).await.len(), 1);
    shop.service.pass(Duration::from_hours(24 * 2));
    assert_eq!(lines(&shop, CLICKS).await, Vec::<String>::new());
    shop.service.finish().await;
}

#[tokio::test]
async fn without_user_and_password_nothing_is_shown_and_nothing_in_an_address_opens_it() {
    let shop = shop(Setup::new()).await;
    let get = |path: &str| shop.service.public(Method::GET, path);
    let inside =
        format!("{CLICKS}?user=google&password={}&token={}", "a%20password%20of%20some%20length", "x");
    for request in [
        get(CLICKS),
        get(&inside),
        get(CLICKS).basic_auth("google", Some("another password, as long")),
        get(CLICKS).basic_auth(PASSWORD, Some("google")),
        get(CLICKS).bearer_auth(PASSWORD),
        shop.service.post(CLICKS),
    ] {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(
            status == 401 && answer.headers().contains_key("www-authenticate") || status == 405,
            "{status}"
        );
        let body: Value = answer.json().await.unwrap();
        assert!(!body.to_string().contains(PASSWORD), "{body}");
    }
    shop.service.set("CONVERSIONS__PASSWORD", "a rotated password, long enough");
    shop.service.order("/api/reload", json!({})).await;
    let old = get(CLICKS).basic_auth("google", Some(PASSWORD)).send().await.unwrap();
    let new = get(CLICKS).basic_auth("google", Some("a rotated password, long enough")).send().await.unwrap();
    assert_eq!((old.status(), new.status()), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    shop.service.set("CONVERSIONS__ENABLED", "false");
    shop.service.order("/api/reload", json!({})).await;
    let off = get(CLICKS).basic_auth("google", Some("a rotated password, long enough")).send().await.unwrap();
    assert_eq!(off.status(), StatusCode::NOT_FOUND);
    shop.service.finish().await;
}

#[tokio::test]
async fn other_platforms_are_told_of_a_conversion_with_its_clicks_and_of_nobody_who_withdrew() {
    let ear = Ear::listen().await;
    let shop = shop(telling(Setup::new(), &ear, "conversion")).await;
    for number in [1, 2] {
        lands(&shop, number, &format!("gclid=Cj0-{number}&fbclid=Iw-{number}")).await;
        lands(&shop, number, &format!("gclid=Cj1-{number}")).await;
        says(&shop, number, (number == 1).then_some(true)).await;
        buys(&shop, number, &format!("A-{number}")).await;
    }
    let message = told(&ear, "conversion", |_| true).await;
    let clicks = &message.body["data"]["clicks"];
    assert_eq!(
        (&clicks["gclid"]["first"]["id"], &clicks["gclid"]["last"]["id"]),
        (&json!("Cj0-1"), &json!("Cj1-1"))
    );
    assert_eq!(clicks["fbclid"]["last"]["id"], "Iw-1");
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/outputs.md")).unwrap();
    let examples =
        blocks(&page).into_iter().filter(|(language, _)| language == "json").flat_map(|(_, code)| {
            code.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        });
    let example = examples.into_iter().find(|it| it["type"] == "conversion").unwrap();
    let mut body = message.body.clone();
    body["data"]["clicks"].as_object_mut().unwrap().remove("fbclid");
    assert_eq!(shape(&body), shape(&example), "{}", message.text);
    // What waits for a receiver that is away goes when its person withdraws.
    ear.answer(503);
    buys(&shop, 1, "A-3").await;
    let waits = async |count: u64| {
        eventually("what waits", async || {
            let receiver = shop.service.get("/api/outputs").await["outputs"][0].take();
            if receiver["waiting"] == count { Ok(()) } else { Err(receiver.to_string()) }
        })
        .await;
    };
    waits(1).await;
    says(&shop, 1, Some(false)).await;
    waits(0).await;
    assert!(
        ear.messages().iter().all(|it| it.body["data"]["contact"]["email"] == ann(1)),
        "{:?}",
        ear.messages()
    );
    shop.service.finish().await;
}
