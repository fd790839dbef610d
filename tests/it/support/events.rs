//! Events that many tests send.

use serde_json::{Value, json};

/// Sam Lee of the documented example, marketing granted.
pub fn identify_sam() -> Value {
    json!({"type": "identify", "userId": "user-456", "messageId": "sam-identify",
        "context": {"consent": {"categoryPreferences": {"marketing": true}}},
        "traits": {"email": "sam.lee@example.com", "first_name": "Sam", "last_name": "Lee",
            "phone": "+1 (415) 555-0142", "company": "Globex"}})
}

/// What Sam Lee's form sends: no email of its own.
pub fn lead_of_sam() -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "user-456", "messageId": "sam-lead",
        "properties": {"value": 0}})
}

/// Somebody called Ann, by number.
pub fn identify_ann(number: usize) -> Value {
    json!({"type": "identify", "userId": format!("ann-{number}"), "messageId": format!("ann-{number}-identify"),
        "traits": {"email": ann(number), "first_name": "Ann", "last_name": format!("No{number}")}})
}

/// Ann's form.
pub fn lead_of_ann(number: usize) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": format!("ann-{number}"),
        "messageId": format!("ann-{number}-lead")})
}

/// A later statement on Ann.
pub fn ann_says(number: usize, message_id: &str, traits: &Value) -> Value {
    json!({"type": "identify", "userId": format!("ann-{number}"), "messageId": message_id, "traits": traits})
}

/// Ann's address.
pub fn ann(number: usize) -> String {
    format!("ann-{number}@example.com")
}
