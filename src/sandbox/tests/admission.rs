//! Who is let in: alias, key, content type, limits, size.

use super::*;

/// The status of `GET /selector/owners` with these headers alone.
async fn status_with(headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder().uri(OWNERS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    account().send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn another_alias_is_a_404_whichever_way_it_is_given() {
    let key = ("authorization", "Token token=sandbox-key");
    assert_eq!(status_with(&[key, ("host", "acme.myfreshworks.com")]).await, 200);
    assert_eq!(status_with(&[key, ("host", "ACME.myfreshworks.com:443")]).await, 200);
    assert_eq!(status_with(&[key, ("host", "other.myfreshworks.com")]).await, 404);
    assert_eq!(status_with(&[key, ("host", "127.0.0.1:9090"), ("x-bundle-alias", "acme")]).await, 200);
    assert_eq!(status_with(&[key, ("host", "127.0.0.1:9090"), ("x-bundle-alias", "other")]).await, 404);
    assert_eq!(
        status_with(&[key, ("host", "acme.myfreshworks.com"), ("x-bundle-alias", "other")]).await,
        404
    );
}

#[tokio::test]
async fn an_account_of_the_older_product_has_other_paths_and_no_bulk_calls() {
    let older = account_with(SandboxOptions { classic: true, ..SandboxOptions::default() });
    assert_eq!(older.post("/api/contacts/upsert", named("sam.lee@example.com")).await.status, 201);
    assert!(older.stored().is_some());
    for (method, path) in
        [("POST", UPSERT), ("POST", "/api/contacts/bulk_upsert"), ("GET", "/api/job_statuses/1")]
    {
        assert_eq!(older.send(request(method, path, named("jo@example.com"))).await.status, 404, "{path}");
    }
    assert_eq!(account().post("/api/contacts/upsert", named("jo@example.com")).await.status, 404);
}

#[tokio::test]
async fn loopback_without_an_alias_is_the_configured_account() {
    let key = ("authorization", "Token token=sandbox-key");
    assert_eq!(status_with(&[key, ("host", "localhost:9090")]).await, 200);
    assert_eq!(status_with(&[key]).await, 200);
}

#[tokio::test]
async fn another_key_or_scheme_is_a_401() {
    for authorization in [
        "Token token=other",
        "Token token=sandbox-key ",
        "Token token=\"sandbox-key\"",
        "token token=sandbox-key",
        "Bearer sandbox-key",
        "sandbox-key",
    ] {
        let request = Request::builder().uri(OWNERS).header("authorization", authorization);
        let seen = account().send(request.body(Body::empty()).unwrap()).await;
        let message = "You have to be logged in to do this: the API key or its scheme is wrong.";
        assert!(seen.is_error(401, message), "{authorization}: {seen:?}");
    }
    assert_eq!(status_with(&[]).await, 401);
}

#[tokio::test]
async fn the_alias_is_looked_at_before_the_key() {
    assert_eq!(status_with(&[("x-bundle-alias", "other")]).await, 404);
}

#[tokio::test]
async fn another_content_type_is_a_415() {
    let account = account();
    let mut request = request("POST", UPSERT, SAM);
    request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert!(account.send(request).await.is_error(415, "The content type should be application/json."));
    let mut request = super::request("POST", UPSERT, SAM);
    request.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    assert_eq!(account.send(request).await.status, 201);
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_a_413() {
    let account = account();
    let seen = account.post(UPSERT, " ".repeat(1_048_577)).await;
    assert!(seen.is_error(413, "The body is larger than 1048576 bytes."), "{seen:?}");
    assert_eq!(account.post(UPSERT, " ".repeat(1_048_576)).await.status, 400);
}

#[tokio::test]
async fn calls_over_the_minute_are_a_429_that_says_when_there_is_room() {
    let account = account_with(SandboxOptions { per_minute: Some(2), ..SandboxOptions::default() });
    assert_eq!(account.get(OWNERS).await.status, 200);
    account.clock.advance(Duration::from_millis(10_500));
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
    let seen = account.post(UPSERT, SAM).await;
    assert!(seen.is_error(429, "Too many requests."), "{seen:?}");
    assert_eq!(seen.header("retry-after"), Some("50"));
    account.clock.advance(Duration::from_millis(49_499));
    assert_eq!(account.get(OWNERS).await.header("retry-after"), Some("1"));
    account.clock.advance(Duration::from_millis(1));
    assert_eq!(account.get(OWNERS).await.status, 200);
    assert_eq!(account.get(OWNERS).await.status, 429);
}

#[tokio::test]
async fn the_window_slides_and_refused_calls_take_nothing_of_it() {
    let account = account_with(SandboxOptions { per_hour: Some(2), ..SandboxOptions::default() });
    account.get(OWNERS).await;
    account.advance(1_800);
    account.get(OWNERS).await;
    for _ in 0..5 {
        assert_eq!(account.get(OWNERS).await.header("retry-after"), Some("1800"));
    }
    account.advance(1_800);
    assert_eq!(account.get(OWNERS).await.status, 200);
    assert_eq!(account.get(OWNERS).await.header("retry-after"), Some("1800"));
}

#[tokio::test]
async fn the_longer_wait_of_both_windows_counts() {
    let options = SandboxOptions { per_hour: Some(1), per_minute: Some(1), ..SandboxOptions::default() };
    let account = account_with(options);
    account.get(OWNERS).await;
    assert_eq!(account.get(OWNERS).await.header("retry-after"), Some("3600"));
}

#[tokio::test]
async fn calls_with_a_wrong_key_take_nothing_of_the_allowance() {
    let account = account_with(SandboxOptions { per_hour: Some(1), ..SandboxOptions::default() });
    let anonymous = Request::builder().uri(OWNERS).body(Body::empty()).unwrap();
    assert_eq!(account.send(anonymous).await.status, 401);
    assert_eq!(account.get(OWNERS).await.status, 200);
}

#[tokio::test]
async fn a_jump_of_the_time_of_day_does_not_open_the_window() {
    let account = account_with(SandboxOptions { per_hour: Some(1), ..SandboxOptions::default() });
    account.get(OWNERS).await;
    account.clock.jump_wall_to(UnixMicros::parse("2027-01-01T00:00:00Z").unwrap());
    assert_eq!(account.get(OWNERS).await.status, 429);
}

#[tokio::test]
async fn latency_holds_the_answer_back_but_not_the_write() {
    let latency = Duration::from_millis(250);
    let account = account_with(SandboxOptions { latency, ..SandboxOptions::default() });
    let call = account.post(UPSERT, SAM);
    let watch = async {
        account.sandbox.until(|view| view.contact("sam.lee@example.com").is_some()).await;
        while account.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(account.clock.next_wake(), Some(latency));
        account.clock.advance(latency);
    };
    let (seen, ()) = tokio::join!(call, watch);
    assert_eq!(seen.status, 201);
}
