//! Holds a value against a schema of an `OpenAPI` document, as far as ours use the words of JSON Schema.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// An `OpenAPI` document.
pub struct Document(pub Value);

impl Document {
    /// The schema of the JSON that an operation answers with a status, where it is described.
    pub fn answer(&self, (method, path): (&str, &str), status: u16) -> Option<&Value> {
        let response = self.0["paths"].get(path)?.get(method)?["responses"].get(status.to_string())?;
        self.resolved(response)["content"]["application/json"].get("schema")
    }

    /// What is wrong with a value, each with its place.
    pub fn wrong(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.hold(schema, value, "$", true, &mut found);
        found
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(place) => {
                self.0.pointer(place.trim_start_matches('#')).expect("a reference leads somewhere")
            }
            None => schema,
        }
    }

    /// `closed`: properties that are not described are wrong.
    fn hold(&self, schema: &Value, value: &Value, at: &str, closed: bool, found: &mut Vec<String>) {
        let schema = self.resolved(schema);
        let mut say = |wrong: String| found.push(format!("{at}: {wrong}"));
        if let Some(kinds) = schema.get("type")
            && !kind_fits(kinds, value)
        {
            return say(format!("{value} is no {kinds}"));
        }
        if let Some(fixed) = schema.get("const").filter(|fixed| *fixed != value) {
            say(format!("{value} is not {fixed}"));
        }
        if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
            say(format!("{value} is none of {words:?}"));
        }
        if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
            && number < least
        {
            say(format!("{number} is less than {least}"));
        }
        for inner in schema["allOf"].as_array().into_iter().flatten() {
            self.hold(inner, value, at, false, found);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let tried = choices.iter().map(|choice| {
                let mut wrong = Vec::new();
                self.hold(choice, value, at, closed, &mut wrong);
                wrong
            });
            // What is wrong inside of a choice says more than that the value is of another kind.
            let is_other = |wrong: &String| wrong.starts_with(&format!("{at}: {value} is no "));
            let distance = |wrong: &Vec<String>| (wrong.iter().any(is_other), wrong.len());
            found.extend(tried.min_by_key(distance).unwrap_or_default());
        }
        if let Some(items) = value.as_array().filter(|_| schema.get("items").is_some()) {
            for (nth, item) in items.iter().enumerate() {
                self.hold(&schema["items"], item, &format!("{at}[{nth}]"), true, found);
            }
        }
        if let Some(object) = value.as_object() {
            self.object(schema, object, at, closed, found);
        }
    }

    fn object(
        &self,
        schema: &Value,
        object: &Map<String, Value>,
        at: &str,
        closed: bool,
        found: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        let more = schema.get("additionalProperties");
        let known = self.known(schema);
        for (name, inner) in object {
            let place = format!("{at}.{name}");
            match (schema["properties"].get(name), more) {
                (Some(described), _) => self.hold(described, inner, &place, true, found),
                (None, Some(described)) if described.is_object() => {
                    self.hold(described, inner, &place, true, found);
                }
                (None, Some(Value::Bool(true))) => {}
                (None, _) if closed && !known.is_empty() && !known.contains(name.as_str()) => {
                    found.push(format!("{place}: it is not described"));
                }
                (None, _) => {}
            }
        }
    }

    /// The properties that a schema describes, with those of all that it consists of.
    fn known<'s>(&'s self, schema: &'s Value) -> BTreeSet<&'s str> {
        let schema = self.resolved(schema);
        let own = schema["properties"].as_object().into_iter().flat_map(|all| all.keys().map(String::as_str));
        let parts = schema["allOf"].as_array().into_iter().flatten();
        own.chain(parts.flat_map(|part| self.known(part))).collect()
    }
}

fn kind_fits(kinds: &Value, value: &Value) -> bool {
    let fits = |kind: &Value| match kind.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    kinds.as_array().map_or_else(|| fits(kinds), |kinds| kinds.iter().any(fits))
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_as_described_is_found() {
        let base = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 0}}});
        let more = json!({"type": "object", "properties": {"b": {"enum": ["x"]}}});
        let document = Document(json!({"base": base, "paths": {"/a": {"get": {"responses": {"200": {
            "content": {"application/json": {"schema": {"allOf": [{"$ref": "#/base"}, more]}}}}}}}}}));
        let schema = document.answer(("get", "/a"), 200).unwrap();
        assert_eq!(document.answer(("get", "/a"), 404), None);
        for (value, wrong) in [
            (json!({"a": 1, "b": "x"}), vec![]),
            (json!({}), vec!["$: a is missing"]),
            (json!({"a": -1}), vec!["$.a: -1 is less than 0"]),
            (json!({"a": 1, "b": "y"}), vec!["$.b: \"y\" is none of [String(\"x\")]"]),
            (json!({"a": 1, "c": 1}), vec!["$.c: it is not described"]),
            (json!([]), vec!["$: [] is no \"object\"", "$: [] is no \"object\""]),
        ] {
            assert_eq!(document.wrong(schema, &value), wrong, "{value}");
        }
        let either = json!({"anyOf": [{"type": "null"}, {"type": "array", "items": {"const": 1}}]});
        assert_eq!(document.wrong(&either, &json!([1, 2])), ["$[1]: 2 is not 1"]);
        assert_eq!(document.wrong(&either, &json!(null)), Vec::<String>::new());
    }
}
