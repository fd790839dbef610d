//! Settings as text of a configuration file, and one file laid over another.

use serde_json::{Map, Value};

/// Settings as TOML; nulls, which a file can't have, are left out.
#[must_use]
pub fn to_toml(values: &Map<String, Value>) -> String {
    let table: toml::Table =
        values.iter().filter_map(|(name, value)| Some((name.clone(), of(value)?))).collect();
    toml::to_string_pretty(&table).unwrap_or_default()
}

fn of(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(yes) => toml::Value::Boolean(*yes),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => toml::Value::Integer(whole),
            None => toml::Value::Float(number.as_f64()?),
        },
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(items) => toml::Value::Array(items.iter().filter_map(of).collect()),
        Value::Object(fields) => toml::Value::Table(
            fields.iter().filter_map(|(name, value)| Some((name.clone(), of(value)?))).collect(),
        ),
    })
}

/// A file with another laid over it, key by key. `None` where one of them is no TOML: whoever reads the upper one says why.
#[must_use]
pub fn laid_over(lower: &str, upper: &str) -> Option<String> {
    let mut below: toml::Table = toml::from_str(lower).ok()?;
    lay(&mut below, toml::from_str(upper).ok()?);
    toml::to_string(&below).ok()
}

fn lay(below: &mut toml::Table, above: toml::Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay(below, above),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_written_as_a_file_that_says_the_same() {
        let values = json!({ "consent": { "required": ["marketing"], "unknown": null }, "delivery": { "hold_seconds": 5 } });
        let text = to_toml(values.as_object().unwrap());
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["consent"]["required"][0].as_str(), Some("marketing"));
        assert_eq!(read["delivery"]["hold_seconds"].as_integer(), Some(5));
        assert!(!text.contains("unknown"), "{text}");
    }

    #[test]
    fn the_upper_file_wins_key_by_key() {
        let laid = laid_over("[a]\nx = 1\ny = 2\n[b]\nz = 3", "[a]\ny = 5").unwrap();
        let read: toml::Table = toml::from_str(&laid).unwrap();
        assert_eq!(
            read.to_string(),
            toml::from_str::<toml::Table>("[a]\nx = 1\ny = 5\n[b]\nz = 3").unwrap().to_string()
        );
        assert_eq!(laid_over("", "no toml ="), None);
    }
}
