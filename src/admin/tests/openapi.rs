//! The description of the API is that of the routes there are, and of who may use them.

use std::collections::BTreeSet;

use super::guard::method;
use super::*;

#[tokio::test]
async fn the_document_describes_every_route_and_no_other_and_who_may_use_it() {
    let document = Lab::with_token().json("/openapi.json").await;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            let open = operation["security"] == json!([]);
            assert!(open || operation["security"].is_null(), "{path}");
            described.insert((method.to_uppercase(), path.clone(), open));
        }
    }
    let of =
        |route: &Route| (method(route).to_owned(), route.path.to_owned(), route.access == Access::Anybody);
    assert_eq!(described, ROUTES.iter().map(of).collect::<BTreeSet<_>>());
    assert_eq!(document["security"], json!([{ "token": [] }]));
}

#[tokio::test]
async fn every_parameter_of_a_path_is_described() {
    let document = Lab::new().json("/openapi.json").await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let named = |value: &Value| {
            let listed = value["parameters"].as_array().cloned().unwrap_or_default();
            let listed = listed.into_iter().map(|parameter| match parameter["$ref"].as_str() {
                Some(place) => document.pointer(place.trim_start_matches('#')).unwrap().clone(),
                None => parameter,
            });
            listed
                .filter(|one| one["in"] == "path")
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let in_path: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
        for (_, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let described = [named(item), named(operation)].concat();
            assert_eq!(described, in_path, "{path}");
        }
    }
}
