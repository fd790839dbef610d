//! The routes of both listeners as `OpenAPI` documents: what is asked, what is answered, every code of a refusal.
//!
//! Two files written by hand, with the table of codes beside them. Here the codes of an operation become its responses
//! and other names of a path get their entries. Must not know the routes themselves: tests hold the documents against
//! the routers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

const PUBLIC: &str = include_str!("public.json");
const PRIVATE: &str = include_str!("private.json");
const CODES: &str = include_str!("codes.json");

/// Where both listeners serve their document.
pub const PATH: &str = "/openapi.json";

/// A code of a refusal.
#[derive(Deserialize)]
struct Code {
    status: u16,
    means: String,
}

/// What the document of one listener says of all its operations, taken out of it.
struct Common {
    codes: BTreeMap<String, Code>,
    everywhere: Vec<String>,
    with_token: Vec<String>,
    of_orders: Vec<String>,
}

/// The document of the public listener: under `public_url`, where that is known. `names` are further names of paths:
/// the name, and the path that it is one of.
#[must_use]
pub fn public<'a>(public_url: &str, names: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut document = whole(PUBLIC);
    let url = if public_url.is_empty() { "/" } else { public_url };
    set(&mut document, "servers", json!([{ "url": url }]));
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (name, of) in names {
            if let Some(item) = paths.get(of) {
                let item = renamed(item.clone(), of);
                paths.insert(name.to_owned(), item);
            }
        }
    }
    document.to_string()
}

/// The document of the private listener.
#[must_use]
pub fn private() -> String {
    let mut document = whole(PRIVATE);
    set(&mut document, "servers", json!([{ "url": "/" }]));
    document.to_string()
}

/// A document with the responses of every operation. The files are part of the program, and a test reads them.
fn whole(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).unwrap_or_default();
    let mut codes =
        |key| document.as_object_mut().map(|all| words(all.shift_remove(key))).unwrap_or_default();
    let common = Common {
        everywhere: codes("x-codes-everywhere"),
        with_token: codes("x-codes-with-token"),
        of_orders: codes("x-codes-of-orders"),
        codes: serde_json::from_str(CODES).unwrap_or_default(),
    };
    let shared = document["components"]["responses"].clone();
    let mut named = Vec::new();
    let operations = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    let operations = operations.filter_map(|(_, item)| item.as_object_mut()).flatten();
    for (method, operation) in operations.filter(|(name, _)| *name != "parameters") {
        if let Some(operation) = operation.as_object_mut() {
            named.extend(common.respond(method, operation, &shared));
        }
    }
    document["components"]["schemas"]["Error"] = common.error(&named);
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document
}

impl Common {
    /// Adds the refusals of an operation to its responses; answers their codes.
    fn respond(&self, method: &str, operation: &mut Map<String, Value>, shared: &Value) -> Vec<String> {
        let mut named = words(operation.shift_remove("x-codes"));
        named.extend(self.everywhere.iter().cloned());
        if !operation.contains_key("security") {
            named.extend(self.with_token.iter().cloned());
        }
        if method != "get" {
            named.extend(self.of_orders.iter().cloned());
        }
        let kinds = words(operation.shift_remove("x-errors-as"));
        let kinds = if kinds.is_empty() { vec!["application/json".to_owned()] } else { kinds };
        let mut by_status: BTreeMap<u16, Vec<&String>> = BTreeMap::new();
        for name in &named {
            let status = self.codes.get(name).map_or(500, |code| code.status);
            let codes = by_status.entry(status).or_default();
            if !codes.contains(&name) {
                codes.push(name);
            }
        }
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            for (status, codes) in by_status {
                let beside =
                    responses.shift_remove(&status.to_string()).map(|found| resolved(&found, shared));
                responses.insert(status.to_string(), self.refusal(status, &codes, &kinds, beside));
            }
        }
        named
    }

    /// The response for some codes of one status; `beside`: what else is answered with it.
    fn refusal(&self, status: u16, names: &[&String], kinds: &[String], beside: Option<Value>) -> Value {
        let lines: Vec<String> = names.iter().map(|name| format!("`{name}`: {}", self.means(name))).collect();
        let own = beside.as_ref().and_then(|beside| beside["description"].as_str());
        let description = own.into_iter().map(str::to_owned).chain(lines).collect::<Vec<_>>().join("\n\n");
        let error = json!({ "allOf": [
            { "$ref": "#/components/schemas/Error" },
            { "properties": { "code": { "enum": names } } },
        ] });
        let schema = match beside {
            Some(beside) => json!({ "anyOf": [beside["content"]["application/json"]["schema"], error] }),
            None => error,
        };
        let content: Map<String, Value> = kinds
            .iter()
            .map(|kind| {
                (
                    kind.clone(),
                    if kind == "application/json" { json!({ "schema": schema }) } else { json!({}) },
                )
            })
            .collect();
        let mut response = json!({ "description": description, "content": content });
        if matches!(status, 429 | 503) {
            response["headers"] = json!({ "Retry-After": {
                "description": "Seconds after which the same may be sent again.",
                "schema": { "type": "integer", "minimum": 0 },
            } });
        }
        response
    }

    fn means(&self, name: &str) -> &str {
        self.codes.get(name).map_or("", |code| code.means.as_str())
    }

    /// The shape of every refusal, with the codes that the document names.
    fn error(&self, named: &[String]) -> Value {
        let known = self.codes.iter().filter(|(name, _)| named.contains(name));
        let (mut codes, mut lines) = (Vec::new(), Vec::new());
        for (name, Code { status, means }) in known {
            codes.push(name);
            lines.push(format!("- `{name}` ({status}): {means}"));
        }
        json!({
            "type": "object",
            "description": "A refusal.",
            "required": ["success", "code", "message"],
            "properties": {
                "success": { "const": false },
                "code": { "enum": codes, "description": format!("Stable, for machines.\n\n{}", lines.join("\n")) },
                "reason": { "type": "string", "description": "The detail behind the code, for machines." },
                "message": { "type": "string", "description": "For people." },
                "problems": {
                    "type": "array",
                    "description": "With `invalid_configuration` alone.",
                    "items": {
                        "type": "object",
                        "required": ["key", "value", "expected"],
                        "properties": {
                            "key": { "type": "string" },
                            "value": { "type": "string" },
                            "expected": { "type": "string" },
                        },
                    },
                },
            },
        })
    }
}

fn set(document: &mut Value, key: &str, value: Value) {
    if let Some(all) = document.as_object_mut() {
        all.insert(key.to_owned(), value);
    }
}

fn words(list: Option<Value>) -> Vec<String> {
    list.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default()
}

/// A response itself, where only its name stands.
fn resolved(response: &Value, shared: &Value) -> Value {
    let name = response["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    name.map_or_else(|| response.clone(), |name| shared[name].clone())
}

/// A path under another name: ids of operations are unique, so it has none.
fn renamed(mut item: Value, of: &str) -> Value {
    for (_, operation) in item.as_object_mut().into_iter().flatten() {
        if let Some(operation) = operation.as_object_mut() {
            operation.shift_remove("operationId");
            operation.insert("summary".to_owned(), json!(format!("Another name of {of}")));
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn documents() -> [Value; 2] {
        let names = [("/v1/i", "/v1/identify"), ("/health", "/healthz")];
        [public("https://e.example", names), private()].map(|text| serde_json::from_str(&text).unwrap())
    }

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
            {
                found.push((format!("{method} {path}"), operation));
            }
        }
        found
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_shared_is_used() {
        for document in documents() {
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            for reference in &found {
                let place = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(place).is_some(), "{reference}");
            }
            for (kind, shared) in document["components"].as_object().unwrap() {
                for name in shared.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
                    assert!(
                        found.contains(&format!("#/components/{kind}/{name}")),
                        "{kind} {name} is unused"
                    );
                }
            }
        }
    }

    #[test]
    fn every_operation_says_what_it_is_and_how_it_is_answered() {
        for document in documents() {
            let mut ids = BTreeSet::new();
            for (name, operation) in operations(&document) {
                assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
                assert!(!operation["tags"].as_array().unwrap().is_empty(), "{name}");
                if let Some(id) = operation["operationId"].as_str() {
                    assert!(ids.insert(id), "{name}: {id} twice");
                }
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("500") && responses.len() >= 3, "{name}");
                assert!(!operation.to_string().contains("\"x-"), "{name}");
            }
        }
    }

    #[test]
    fn codes_become_responses_by_their_status_beside_what_is_answered_with_it() {
        let [public, private] = documents();
        let refused = &public["paths"]["/v1/i"]["post"]["responses"]["400"];
        let schema = &refused["content"]["application/json"]["schema"];
        assert_eq!(
            schema["allOf"][1]["properties"]["code"]["enum"],
            json!(["malformed_body", "invalid_event", "invalid_form"])
        );
        assert!(
            refused["description"].as_str().unwrap().starts_with("`malformed_body`: The body is not JSON")
        );
        let unready = &public["paths"]["/readyz"]["get"]["responses"]["503"];
        let either = &unready["content"]["application/json"]["schema"]["anyOf"];
        assert_eq!(either[0], json!({ "$ref": "#/components/schemas/NotReady" }));
        assert_eq!(either[1]["allOf"][1]["properties"]["code"]["enum"], json!(["overloaded"]));
        assert!(unready["headers"]["Retry-After"].is_object());
        let codes = |path: &str, method: &str, status: &str| {
            private["paths"][path][method]["responses"][status].to_string()
        };
        assert!(codes("/api/pause", "post", "403").contains("site_not_allowed"));
        assert!(!codes("/api/status", "get", "403").contains("site_not_allowed"));
        assert!(codes("/api/status", "get", "401").contains("unauthorized"));
        assert_eq!(codes("/debug", "get", "401"), "null");
    }

    #[test]
    fn every_code_is_named_by_an_operation_and_every_named_one_is_known() {
        let known: BTreeMap<String, Code> = serde_json::from_str(CODES).unwrap();
        let mut named = BTreeSet::new();
        for text in [PUBLIC, PRIVATE] {
            let document: Value = serde_json::from_str(text).unwrap();
            for key in ["x-codes-everywhere", "x-codes-with-token", "x-codes-of-orders"] {
                named.extend(words(document.get(key).cloned()));
            }
            for (_, operation) in operations(&document) {
                named.extend(words(operation.get("x-codes").cloned()));
            }
        }
        // Of a path with another method there is nothing to describe.
        named.insert("method_not_allowed".to_owned());
        assert_eq!(named.into_iter().collect::<Vec<_>>(), known.into_keys().collect::<Vec<_>>());
    }
}
