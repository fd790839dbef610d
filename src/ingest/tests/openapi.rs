//! The description of the API is that of the routes there are.

use std::collections::BTreeSet;

use super::*;

const SOURCES: &str = "[shop]\nform = true\nwrite_key = 'srv'";

fn bench() -> Bench {
    let bench = Bench::with("", SOURCES);
    let hooks = toml::from_str("[in]\nkind = 'stripe'\nsource = 'shop'\nsecret = 's'").unwrap();
    bench.ingest.replace_hooks(&hooks, &toml::from_str(SOURCES).unwrap());
    bench
}

async fn document(bench: &Bench) -> Value {
    let asked = Request::get("/openapi.json").body(Body::empty()).unwrap();
    serde_json::from_str(&read(bench.send(asked).await).await.1).unwrap()
}

#[tokio::test]
async fn the_document_describes_every_path_of_the_router_and_no_other() {
    let bench = bench();
    let document = document(&bench).await;
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let served: BTreeSet<String> = bench.ingest.routes("").into_iter().map(|(path, _)| path).collect();
    assert_eq!(described, served);
    assert!(!document.to_string().contains("/api/events"), "nothing of the private listener");
}

#[tokio::test]
async fn the_router_takes_the_methods_that_are_described_and_no_others() {
    let bench = bench();
    for (path, item) in document(&bench).await["paths"].as_object().unwrap() {
        let asked = path.replace("{source}", "shop").replace("{name}", "in").replace("{write_key}", "srv");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let request = Request::builder().method(method).uri(&asked).header("host", "e.example");
            let status = bench.send(request.body(Body::empty()).unwrap()).await.status().as_u16();
            let described = item[method.to_lowercase()].is_object();
            assert!(status != 404 && (status == 405) != described, "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn it_names_the_configured_address() {
    let bench = Bench::with("public_url = 'https://events.example.com'", SOURCES);
    let document = document(&bench).await;
    assert_eq!(document["servers"][0]["url"], "https://events.example.com");
    assert_eq!(document["paths"]["/v1/t"]["post"]["summary"], "Another name of /v1/track");
    assert_eq!(document["paths"]["/v1/t"]["post"]["operationId"], Value::Null);
}
