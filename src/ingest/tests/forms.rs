//! Forms: every encoding becomes the same event; robots, files, other sites' pages and half-filled forms do not.

use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};

use super::*;

const FORMS: &str = r#"
    [website]
    form = true
    allowed_origins = ["https://shop.example.com"]
    form_redirects = ["https://shop.example.com/thanks"]
    form_required = ["company"]
    [website.form_fields]
    "how-many" = "traits.employees"
    [open]
    form = true
    form_event = "Newsletter Signup"
    form_texts = { thanks = "Merci" }
    [keyed]
    write_key = "srv"
    [trap]
    form = true
    form_honeypot = "Fax-2"
    allowed_origins = ["https://shop.example.com"]
"#;

/// The page that the forms of the source `website` stand on.
const SHOP: &str = "https://shop.example.com";

const TYPED: &str = "name=Jane+Doe&your-email=jane%40example.com&Phone=%2B14155550142&company=Initech&how-many=12\
    &message=Call+me&utm_source=news&marketing_opt_in=on&_gotcha=";

fn bench() -> Bench {
    Bench::with("", FORMS)
}

fn form(name: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(format!("/form/{name}"))
        .header(CONTENT_TYPE, kind)
        .header("referer", "https://shop.example.com/contact?from=ad")
        .body(body.into())
        .unwrap()
}

fn urlencoded(name: &str, body: &str) -> Request<Body> {
    form(name, "application/x-www-form-urlencoded", body.to_owned())
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// The one event that was stored, without what differs from post to post.
fn event(bench: &Bench) -> Value {
    let records = bench.records();
    assert_eq!(records.len(), 1, "{records:?}");
    let mut event: Value = serde_json::from_str(&records[0].raw).unwrap();
    assert_eq!(event["messageId"], records[0].message_id);
    event.as_object_mut().unwrap().remove("messageId");
    event
}

fn expected() -> Value {
    serde_json::json!({
        "type": "track",
        "event": "Lead Generated",
        "traits": {
            "name": "Jane Doe",
            "email": "jane@example.com",
            "phone": "+14155550142",
            "company": "Initech",
            "employees": "12",
        },
        "properties": {"message": "Call me"},
        "context": {"campaign": {"source": "news"}, "page": {"url": "https://shop.example.com/contact?from=ad"}},
        "consent": {"marketing": true},
    })
}

#[tokio::test]
async fn a_posted_form_is_one_event_and_the_visitor_is_thanked() {
    let bench = bench();
    let (status, page) = read(bench.send(urlencoded("website", TYPED)).await).await;
    assert_eq!(status, 200);
    assert!(page.contains("<h1>Thank you</h1>"), "{page}");
    assert_eq!(event(&bench), expected());
    let record = &bench.records()[0];
    assert_eq!((record.source.0.as_str(), record.backfill), ("website", false));
}

#[tokio::test]
async fn every_encoding_of_a_form_is_the_same_event() {
    let fields: Vec<(String, String)> =
        form_urlencoded::parse(TYPED.as_bytes()).map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
    let parts: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    let no_file = "--xx\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"\"\r\n\r\n\r\n--xx--\r\n";
    let multipart = parts.concat() + no_file;
    let json = serde_json::to_string(&fields.iter().cloned().collect::<BTreeMap<_, _>>()).unwrap();
    for (kind, body) in [
        ("multipart/form-data; boundary=xx", multipart),
        ("application/json", json.clone()),
        ("text/plain;charset=UTF-8", json),
    ] {
        let bench = bench();
        let (status, _) = read(bench.send(form("website", kind, body)).await).await;
        assert_eq!(status, 200, "{kind}");
        assert_eq!(event(&bench), expected(), "{kind}");
    }
}

#[tokio::test]
async fn a_double_click_is_one_message_and_another_form_is_another() {
    let bench = bench();
    for body in
        [TYPED, TYPED, "name=Kim&email=kim@example.com&company=x", "_id=7&email=a@b.example&company=x"]
    {
        assert_eq!(read(bench.send(urlencoded("website", body)).await).await.0, 200);
    }
    let ids: Vec<String> = bench.records().into_iter().map(|record| record.message_id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert_eq!(ids[3], "form-7");
    for end in ["a", "b"] {
        let long = format!("_id={}{end}&email=a@b.example&company=x", "i".repeat(100));
        assert_eq!(read(bench.send(urlencoded("website", &long)).await).await.0, 200);
    }
    let ids: Vec<String> = bench.records().into_iter().map(|record| record.message_id).collect();
    assert_ne!(ids[4], ids[5], "two long ids that begin alike");
    assert!(ids[4].len() <= 100, "{}", ids[4]);
}

#[tokio::test]
async fn a_visitor_goes_on_to_a_page_that_is_named_and_to_no_other() {
    for (next, goes) in [
        ("https://shop.example.com/thanks", true),
        ("https://evil.example/", false),
        ("https://shop.example.com/thanks?x", false),
    ] {
        let bench = bench();
        let body = format!("{TYPED}&_next={next}");
        let response = bench.send(urlencoded("website", &body)).await;
        let place = response.headers().get(LOCATION).map(|place| place.to_str().unwrap().to_owned());
        assert_eq!(
            (response.status().as_u16(), place.as_deref()),
            if goes { (303, Some(next)) } else { (200, None) }
        );
        assert!(!bench.records()[0].raw.contains("_next"));
    }
}

#[tokio::test]
async fn a_robot_is_answered_like_anybody_and_makes_no_event() {
    let seconds = NOW.0 / 1_000_000;
    for body in [
        format!("{TYPED}http://spam.example"),
        format!("email=a@example.com&company=x&_t={}", seconds - 1),
        format!("email=a@example.com&company=x&_t={}", (seconds - 1) * 1_000),
    ] {
        let bench = bench();
        let (status, page) = read(bench.send(urlencoded("website", &body)).await).await;
        assert_eq!(status, 200);
        assert!(page.contains("Thank you"));
        assert!(bench.records().is_empty(), "{body}");
        let refused = bench.refused();
        assert_eq!((refused[0].route, refused[0].code), ("/form/{source}", "robot"));
    }
    let bench = bench();
    let slow = format!("email=a@example.com&company=x&_t={}", seconds - 60);
    bench.send(urlencoded("website", &slow)).await;
    assert_eq!(bench.records().len(), 1);
}

#[tokio::test]
async fn the_field_that_robots_fill_has_the_name_that_is_configured() {
    let bench = bench();
    for (body, stored) in [("fax-2=1", 0), ("FAX-2=+", 1), ("_gotcha=1", 2)] {
        let body = format!("email=a@example.com&{body}");
        assert_eq!(read(bench.send(urlencoded("trap", &body)).await).await.0, 200);
        assert_eq!(bench.records().len(), stored, "{body}");
    }
    assert!(!bench.records()[0].raw.to_lowercase().contains("fax"), "{:?}", bench.records()[0]);
    let shown = Request::get("/form/trap").header("host", "events.example.com").body(Body::empty()).unwrap();
    let (_, html) = read(bench.send(shown).await).await;
    assert!(html.contains("<input name=\"Fax-2\" tabindex") && !html.contains("_gotcha"), "{html}");
    // A person never sees it, nor when the form comes back.
    let half = with(urlencoded("trap", "email=x&Fax-2="), "origin", SHOP);
    let (_, page) = read(bench.send(half).await).await;
    assert!(page.contains("<input type=\"hidden\" name=\"Fax-2\""), "{page}");
}

#[tokio::test]
async fn boxes_of_one_name_are_one_value_and_nothing_that_was_typed_is_left_out() {
    let question = "q".repeat(300);
    let bench = bench();
    let body = format!(
        "email=a@example.com&email=b@example.com&topic[]=Price&size=S&topic[]=Demo&size=&{question}=yes"
    );
    assert_eq!(read(bench.send(urlencoded("open", &body)).await).await.0, 200);
    let json = r#"{"email": "c@example.com", "topic": ["Price", 7, true], "size": []}"#;
    assert_eq!(read(bench.send(form("open", "application/json", json)).await).await.0, 200);
    let said: Vec<Value> =
        bench.records().iter().map(|record| serde_json::from_str(&record.raw).unwrap()).collect();
    assert_eq!(said[0]["traits"], serde_json::json!({"email": "a@example.com"}));
    let mut expected = serde_json::json!({"topic": "Price, Demo", "size": "S"});
    expected["q".repeat(200)] = "yes".into();
    assert_eq!(said[0]["properties"], expected);
    assert_eq!(said[1]["properties"], serde_json::json!({"topic": "Price, 7, true"}));
}

#[tokio::test]
async fn a_form_without_what_it_needs_comes_back_with_what_was_typed_to_a_named_page() {
    let half = "name=%3Cb%3EJane%22&email=jane%40&company=Initech&_id=9&marketing_opt_in=on";
    let bench = bench();
    let named = with(urlencoded("website", half), "origin", "https://shop.example.com");
    let response = bench.send(named).await;
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let (status, page) = read(response).await;
    assert_eq!(status, 400);
    assert!(page.contains("Please enter an email address"), "{page}");
    assert!(page.contains("&lt;b&gt;Jane&quot;") && !page.contains("<b>Jane"), "{page}");
    assert!(page.contains("<input type=\"hidden\" name=\"_id\" value=\"9\">"), "{page}");
    assert!(
        page.contains("<input type=\"checkbox\" name=\"marketing_opt_in\" value=\"on\" checked>"),
        "{page}"
    );
    assert_eq!((bench.refused()[0].code, bench.refused()[0].reason), ("invalid_form", Some("no_email")));

    let (status, page) = read(bench.send(urlencoded("open", "name=Jane&email=x")).await).await;
    assert_eq!(status, 400);
    assert!(!page.contains("Jane"), "a page that nobody named is shown nothing: {page}");
    assert!(page.contains("Go back to the form") && !page.contains("<form"), "{page}");

    // What the page did not even have can be filled in what comes back.
    let (_, page) = read(bench.send(urlencoded("website", "email=a@example.com")).await).await;
    assert!(
        page.contains("\u{201c}company\u{201d}") && page.contains("<textarea name=\"company\""),
        "{page}"
    );
    let (_, page) = read(bench.send(urlencoded("website", "company=x")).await).await;
    assert!(page.contains("<textarea name=\"email\""), "{page}");
    assert!(bench.records().is_empty());
}

#[tokio::test]
async fn a_page_of_another_site_and_a_file_are_refused() {
    let bench = bench();
    let foreign = with(urlencoded("website", TYPED), "origin", "https://evil.example");
    assert_eq!(read(bench.send(foreign).await).await.0, 403);
    let foreign = with(urlencoded("website", TYPED), "referer", "https://evil.example/form");
    assert_eq!(read(bench.send(foreign).await).await.0, 403);

    let file =
        "--xx\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\n\r\nPDF\r\n--xx--\r\n";
    let file = with(form("website", "multipart/form-data; boundary=xx", file), "accept", "application/json");
    let (status, answer) = read(bench.send(file).await).await;
    assert_eq!(status, 400);
    assert!(answer.contains("a file in the field `cv`"), "{answer}");

    let parts = "--xx\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\n\r\nPDF\r\n\
        --xx\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nCall me\r\n--xx--\r\n";
    let file = form("website", "multipart/form-data; boundary=xx", parts);
    let (status, page) = read(bench.send(file).await).await;
    assert_eq!(status, 400);
    assert!(page.contains("\u{201c}cv\u{201d}") && page.contains("\nCall me</textarea>"), "{page}");
    assert!(!page.contains("PDF"), "{page}");
    assert_eq!((bench.refused()[0].code, bench.refused()[0].reason), ("invalid_form", Some("file")));

    for body in [form("website", "text/html", TYPED), form("website", "multipart/form-data", TYPED)] {
        assert_eq!(read(bench.send(body).await).await.0, 400);
    }
    let many = vec!["a=1"; 300].join("&");
    assert_eq!(read(bench.send(urlencoded("website", &many)).await).await.0, 400);
    assert!(bench.records().is_empty());
}

#[tokio::test]
async fn a_source_without_forms_has_no_such_page() {
    let bench = bench();
    for name in ["keyed", "nobody", "website/x"] {
        assert_eq!(read(bench.send(urlencoded(name, TYPED)).await).await.0, 404, "{name}");
    }
    assert!(bench.records().is_empty());
}

#[tokio::test]
async fn while_nothing_can_be_stored_the_visitor_is_told_and_keeps_what_was_typed() {
    let bench = bench();
    *bench.store.fails.lock().unwrap() = Some(StoreError::Overloaded);
    let response = bench.send(with(urlencoded("website", TYPED), "origin", "https://shop.example.com")).await;
    assert!(response.headers().contains_key(RETRY_AFTER));
    let (status, page) = read(response).await;
    assert_eq!(status, 503);
    assert!(page.contains("Call me") && page.contains("Send again"), "{page}");
    // Of a page that nobody named nothing is shown, so nothing is said to be shown.
    let (status, page) = read(bench.send(urlencoded("open", TYPED)).await).await;
    assert_eq!(status, 503);
    assert!(page.contains("Wait a minute") && page.contains("Go back to the form"), "{page}");
    assert!(!page.contains("below") && !page.contains("Call me"), "{page}");
}

#[tokio::test]
async fn more_than_an_event_holds_comes_back_whole_and_says_so() {
    let bench = bench();
    let long = format!("{TYPED}&more={}end", "x".repeat(40_000));
    let (status, page) = read(bench.send(urlencoded("website", &long)).await).await;
    assert_eq!(status, 400);
    assert!(page.contains("too long") && page.contains("xend</textarea>"), "{page:.400}");
    assert_eq!(bench.refused()[0].reason, Some("event_too_large"));
}

#[tokio::test]
async fn what_came_back_can_be_sent_again_from_where_it_came_back() {
    let here = "https://events.example.com";
    let again = |origin: &str| {
        let mut request =
            with(urlencoded("website", &format!("{TYPED}&_next={SHOP}/thanks")), "host", "inside:8080");
        request.headers_mut().insert("referer", format!("{origin}/form/website").parse().unwrap());
        with(request, "origin", origin)
    };
    let bench = Bench::with("public_url = \"https://events.example.com/relay\"", FORMS);
    for (origin, status) in [
        (here, 303),
        ("http://inside:8080", 303),
        ("https://events.example.com.evil.example", 403),
        ("http://events.example.com", 403),
        ("null", 403),
    ] {
        assert_eq!(bench.send(again(origin)).await.status(), status, "{origin}");
    }
    // It lets itself be sent again and leads on, which browsers hold against its policy; and it may say where it comes from.
    let half = bench.send(urlencoded("website", "name=Jane")).await;
    let policy = half.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("form-action 'self' https://shop.example.com"), "{policy}");
    assert_eq!(half.headers()["referrer-policy"], "same-origin");
    let (_, page) = read(half).await;
    assert!(page.contains("<form method=\"post\">"), "{page}");
    // It is the same post as before, from the page that it was typed on.
    let stands_on = "https://shop.example.com/contact?from=ad";
    assert!(
        page.contains(&format!("<input type=\"hidden\" name=\"_page\" value=\"{stands_on}\">")),
        "{page}"
    );
    let bench = Bench::with("public_url = \"https://events.example.com\"", FORMS);
    bench.send(urlencoded("website", TYPED)).await;
    let typed = format!("{TYPED}&_page={stands_on}");
    let request = with(urlencoded("website", &typed), "referer", "https://events.example.com/form/website");
    assert_eq!(bench.send(with(request, "origin", here)).await.status(), 200);
    let records = bench.records();
    assert_eq!((&records[0].message_id, &records[0].raw), (&records[1].message_id, &records[1].raw));
}

#[tokio::test]
async fn a_script_reads_json() {
    let bench = bench();
    let request = with(urlencoded("open", "email=a@example.com"), "accept", "application/json");
    assert_eq!(read(bench.send(request).await).await, (200, ONE.to_owned()));
    assert_eq!(event(&bench)["event"], "Newsletter Signup");
    let request = with(urlencoded("open", "email=a"), "accept", "application/json");
    assert_eq!(
        refusal(read(bench.send(request).await).await),
        (400, "invalid_form".into(), "no_email".into())
    );
    let (_, page) = read(bench.send(urlencoded("open", "email=b@example.com")).await).await;
    assert!(page.contains("<h1>Merci</h1>"), "{page}");
}

#[tokio::test]
async fn an_unticked_box_says_nothing_and_the_html_to_paste_is_shown() {
    let bench = bench();
    bench.send(urlencoded("open", "email=a@example.com&marketing_opt_in=0")).await;
    assert_eq!(event(&bench).get("consent"), None);
    let shown = Request::get("/form/open").header("host", "events.example.com").body(Body::empty()).unwrap();
    let (status, html) = read(bench.send(shown).await).await;
    assert_eq!(status, 200);
    assert!(
        html.starts_with("<form method=\"post\" action=\"http://events.example.com/form/open\">"),
        "{html}"
    );
}

#[tokio::test]
async fn the_html_to_paste_is_a_form_that_is_taken() {
    let sources = r#"
        [contact]
        form = true
        form_required = ["Phone", "team \"size\""]
        form_redirects = ["https://shop.example.com/thanks", "https://shop.example.com/other"]
        form_captcha = "hcaptcha"
        form_captcha_secret = "s"
    "#;
    let bench = Bench::with("", sources);
    let shown = Request::get("/form/contact").header("host", "events.example.com");
    let (_, html) = read(bench.send(shown.body(Body::empty()).unwrap()).await).await;
    for line in [
        r#"<label>Name <input name="name" autocomplete="name"></label>"#,
        r#"<label>Email <input name="email" type="email" autocomplete="email" required></label>"#,
        r#"<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>"#,
        r#"<label>Message <textarea name="message"></textarea></label>"#,
        r#"<label>team &quot;size&quot; <input name="team &quot;size&quot;" required></label>"#,
        r#"<input name="_next" type="hidden" value="https://shop.example.com/thanks">"#,
        r#"<div class="h-captcha" data-sitekey="YOUR_SITE_KEY"></div>"#,
    ] {
        assert!(html.contains(line), "{line} is not in\n{html}");
    }
}

#[test]
fn a_form_needs_no_key_and_may_make_two_hundred_contacts_an_hour_unless_told() {
    let sources: Sources = toml::from_str(FORMS).unwrap();
    assert!(sources["website"].is_on());
    assert_eq!(
        (sources["website"].new_contacts_per_hour(), sources["keyed"].new_contacts_per_hour()),
        (200, 0)
    );
    let told: Sources = toml::from_str("[a]\nform = true\nnew_contacts_per_hour_max = 0").unwrap();
    assert_eq!(told["a"].new_contacts_per_hour(), 0);
}

#[test]
fn mistakes_of_a_form_are_named() {
    let text = "[a]\nform = true\nform_event = \" \"\nform_redirects = [\"/thanks\"]\nform_texts = { hello = \"x\" }\n\
        form_fields = { x = \"userId\", y = \"traits.\" }\nform_honeypot = \"Your-Email\"";
    let sources: Sources = toml::from_str(text).unwrap();
    let named: Vec<String> = source_problems(&sources).iter().map(|problem| problem.key.clone()).collect();
    let keys =
        ["form_event", "form_fields.x", "form_fields.y", "form_redirects", "form_honeypot", "form_texts"];
    assert_eq!(named, keys.map(|key| format!("sources.a.{key}")));
}
