//! The settings that browser SDKs fetch before they send: the smallest that make them work against this service.
//!
//! Nothing in them makes an SDK send anything elsewhere. Must not hold anything of the configuration but what the asking
//! page knows already.

use serde_json::{Value, json};

use super::address::Address;

/// Whose settings are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdkSettings {
    /// `{cdnURL}/v1/projects/{writeKey}/settings` of `@segment/analytics-next` 1.84.
    Segment,
    /// `{configUrl}/sourceConfig/?writeKey=…` of `@rudderstack/analytics-js` 3.34.
    RudderStack,
}

/// `@segment/analytics-next` gives a batch up after ten tries, a few minutes, where nothing is said, and takes no more than
/// a hundred: at a minute each more than an hour.
const SEGMENT_RETRIES_MAX: u32 = 100;

impl SdkSettings {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Segment, Self::RudderStack];

    /// Every name of the route, its own first; `{write_key}` stands for the key.
    #[must_use]
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Segment => &["/v1/projects/{write_key}/settings", "/projects/{write_key}/settings"],
            Self::RudderStack => &["/sourceConfig"],
        }
    }

    /// The document.
    ///
    /// Segment's (seen in `@segment/analytics-next` 1.84): without `integrations` it does not start; `apiKey`,
    /// `apiHost` and `protocol` say where it sends and as whom; `metrics.sampleRate` is 1 where it is absent, and the
    /// metrics then go to Segment. `RudderStack`'s (seen in `@rudderstack/analytics-js` 3.34): `source.id`,
    /// `source.config` and the list `source.destinations` must be there; it reports errors and metrics of its own only
    /// where `statsCollection` turns that on.
    #[must_use]
    pub fn document(self, write_key: &str, address: &Address) -> Value {
        match self {
            Self::Segment => json!({
                "integrations": {
                    "Segment.io": {
                        "apiKey": write_key,
                        "apiHost": format!("{}/v1", address.host_and_path),
                        "protocol": address.scheme,
                        "deliveryStrategy": {"strategy": "batching"},
                        "httpConfig": {"backoffConfig": {"maxRetryCount": SEGMENT_RETRIES_MAX}},
                    },
                },
                "metrics": {"sampleRate": 0},
            }),
            Self::RudderStack => {
                json!({"source": {"id": "freshsignal", "config": {}, "destinations": []}})
            }
        }
    }
}
