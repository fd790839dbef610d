//! What has to be pasted where: lines for a page, an SDK or a shell, with the address of the service in them.
//!
//! A write key is never in them: its place is marked, for whoever has it.

use serde_json::{Map, Value, json};

use super::{HookProof, HookWay, Tells};

/// Stands for the address of the service, `https://events.example.com`, in texts that others make.
pub const ADDRESS: &str = "%ADDRESS%";
/// Stands for the write key in everything that is pasted.
pub const WRITE_KEY: &str = "YOUR_WRITE_KEY";
/// Stands for the token of a hook.
const TOKEN: &str = "YOUR_TOKEN";

/// Where the service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// An address with its scheme; a slash at its end is left out.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').to_owned())
    }

    /// `https://events.example.com`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn host(&self) -> &str {
        self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest)
    }

    fn put_into(&self, text: &str) -> String {
        text.replace(ADDRESS, self.as_str()).replace("%HOST%", self.host())
    }
}

/// Something to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// What it is.
    pub title: &'static str,
    /// Where it goes.
    pub place: &'static str,
    /// The language, as a code block names it.
    pub language: &'static str,
    /// The lines.
    pub text: String,
}

struct Written {
    title: &'static str,
    place: &'static str,
    language: &'static str,
    text: &'static str,
}

const SDK: &str = "where the program starts; a test runs these lines with the SDK itself";
const NOT_RUN: &str = "where the program starts; taken from the library's source, not run by a test";

/// Everything that sends events with a write key: the tag, a test by hand, and the SDKs of `docs/how-to/sdks.md`.
const EVENTS: [Written; 11] = [
    Written {
        title: "JavaScript tag",
        place: "into the <head> of every page",
        language: "html",
        text: r#"<script async src="%ADDRESS%/tag.js" data-write-key="YOUR_WRITE_KEY"></script>
<script>
(function(w,n){var d=w[n]=Array.isArray(w[n])?w[n]:[];"identify track page group alias reset consent ready".split(" ").forEach(function(m){d[m]=d[m]||function(){d.push([m].concat([].slice.call(arguments)))}})})(window,"datafly");
</script>
"#,
    },
    Written {
        title: "curl",
        place: "into a shell, as a test: it says who somebody is and makes no contact unless mapping.identify is \"create\"",
        language: "sh",
        text: r#"curl -u 'YOUR_WRITE_KEY:' '%ADDRESS%/ingest' -d '{"type":"identify","userId":"connect-test","traits":{"email":"connect-test@example.com"}}'
"#,
    },
    Written {
        title: "@segment/analytics-next",
        place: SDK,
        language: "js",
        text: r#"import { AnalyticsBrowser } from "@segment/analytics-next";
const analytics = AnalyticsBrowser.load({ writeKey: "YOUR_WRITE_KEY", cdnURL: "%ADDRESS%" });
"#,
    },
    Written {
        title: "@segment/analytics-node",
        place: SDK,
        language: "js",
        text: r#"import { Analytics } from "@segment/analytics-node";
const analytics = new Analytics({ writeKey: "YOUR_WRITE_KEY", host: "%ADDRESS%" });
"#,
    },
    Written {
        title: "segment-analytics-python",
        place: SDK,
        language: "python",
        text: r#"import segment.analytics as analytics
analytics.write_key = "YOUR_WRITE_KEY"
analytics.host = "%ADDRESS%"
"#,
    },
    Written {
        title: "@rudderstack/analytics-js",
        place: SDK,
        language: "js",
        text: r#"import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";
const analytics = new RudderAnalytics();
const options = { configUrl: "%ADDRESS%" };
analytics.load("YOUR_WRITE_KEY", "%ADDRESS%", options);
"#,
    },
    Written {
        title: "@rudderstack/rudder-sdk-node",
        place: SDK,
        language: "js",
        text: r#"import Analytics from "@rudderstack/rudder-sdk-node";
const analytics = new Analytics("YOUR_WRITE_KEY", { dataPlaneUrl: "%ADDRESS%" });
"#,
    },
    Written {
        title: "rudder-sdk-python",
        place: SDK,
        language: "python",
        text: r#"import rudderstack.analytics as rudder_analytics
rudder_analytics.write_key = "YOUR_WRITE_KEY"
rudder_analytics.dataPlaneUrl = "%ADDRESS%"
"#,
    },
    Written {
        title: "@jitsu/js",
        place: SDK,
        language: "js",
        text: r#"import { jitsuAnalytics } from "@jitsu/js";
async function insisting(url, options) {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url, options).catch(() => null);
    if ((answer && answer.status < 500) || attempt === 9) return answer ?? Response.error();
    await new Promise((wake) => setTimeout(wake, 500 * 2 ** attempt));
  }
}
const analytics = jitsuAnalytics({ host: "%ADDRESS%", writeKey: "YOUR_WRITE_KEY:x", fetch: insisting });
"#,
    },
    Written {
        title: "analytics-ruby",
        place: NOT_RUN,
        language: "ruby",
        text: r#"require "segment/analytics"
analytics = Segment::Analytics.new(write_key: "YOUR_WRITE_KEY", host: "%HOST%")
"#,
    },
    Written {
        title: "analytics-php",
        place: NOT_RUN,
        language: "php",
        text: r#"use Segment\Segment;
Segment::init("YOUR_WRITE_KEY", ["host" => "%HOST%"]);
"#,
    },
];

/// What sends events with a write key.
#[must_use]
pub fn for_events(address: &Address) -> Vec<Snippet> {
    let filled = |written: &Written| {
        let Written { title, place, language, text } = *written;
        Snippet { title, place, language, text: address.put_into(text) }
    };
    EVENTS.iter().map(filled).collect()
}

/// A form of a page without a script; `html` has [`ADDRESS`] in place of the address.
#[must_use]
pub fn for_form(address: &Address, html: &str) -> Vec<Snippet> {
    vec![Snippet {
        title: "Form",
        place: "into the page; labels and fields may change, their names decide where they go",
        language: "html",
        text: address.put_into(html),
    }]
}

/// What a workflow of Freshsales sends when a record changes. The placeholders are chosen there from a list, as their spelling
/// differs by account (reported by others, unproven), so each is named by what it stands for.
fn workflow(tells: &Tells) -> Snippet {
    let mut body = Map::from_iter([("kind".to_owned(), json!(tells.record))]);
    body.extend(tells.fields.iter().map(|(name, label)| (name.clone(), json!(format!("<{label}>")))));
    let (title, place) = match tells.record {
        "deal" => (
            "Body of the webhook, deals",
            "a workflow of deals that are created or updated, as JSON; in place of each <…> insert the placeholder of that name",
        ),
        _ => (
            "Body of the webhook, contacts",
            "a workflow of contacts that are created or updated, as JSON; in place of each <…> insert the placeholder of that name",
        ),
    };
    Snippet { title, place, language: "json", text: format!("{}\n", Value::Object(body)) }
}

/// A message to a hook by hand, where the sender needs no more than a token.
#[must_use]
pub fn for_hook(address: &Address, hook: &HookWay) -> Vec<Snippet> {
    match &hook.proof {
        HookProof::Token { .. } if !hook.tells.is_empty() => hook.tells.iter().map(workflow).collect(),
        HookProof::Token { header } => vec![Snippet {
            title: "curl",
            place: "into a shell, as a test: it is a lead and makes a contact",
            language: "sh",
            text: format!(
                "curl '{}/hooks/{}' -H '{header}: {TOKEN}' -H 'content-type: application/json' -d '{{\"email\":\"connect-test@example.com\",\"name\":\"Connect Test\"}}'\n",
                address.as_str(),
                hook.name,
            ),
        }],
        HookProof::Signature { .. } | HookProof::Missing => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDKS: &str = include_str!("../../docs/how-to/sdks.md");
    const TAG: &str = include_str!("../../docs/start/javascript-tag.md");

    #[test]
    fn what_is_pasted_is_what_the_documents_show() {
        let address = Address::new("https://events.example.com/");
        for Snippet { title, text, .. } in for_events(&address) {
            let text = text.replace(WRITE_KEY, "KEY");
            assert!(!text.contains('%'), "{title}: {text}");
            match title {
                "curl" => {}
                "JavaScript tag" => assert!(TAG.contains(&text), "{text}"),
                sdk => {
                    let section = SDKS.split_once(&format!("\n## {sdk}\n")).unwrap().1;
                    assert!(section.split("\n## ").next().unwrap().contains(&text), "{sdk}: {text}");
                }
            }
        }
        let shown = SDKS.matches("\n## ").count();
        assert_eq!(EVENTS.len(), shown + 2, "an SDK of the page is not pasted, or the other way round");
    }

    #[test]
    fn a_hook_by_token_can_be_tried_by_hand() {
        let hook = HookWay {
            name: "zapier".to_owned(),
            kind: "generic",
            enter_in: "",
            secret_is: "",
            secrets: Vec::new(),
            proof: HookProof::Token { header: "x-token".to_owned() },
            tells: Vec::new(),
        };
        let address = Address::new("http://127.0.0.1:8080");
        let pasted = for_hook(&address, &hook);
        assert_eq!(
            pasted[0].text,
            "curl 'http://127.0.0.1:8080/hooks/zapier' -H 'x-token: YOUR_TOKEN' -H 'content-type: application/json' \
             -d '{\"email\":\"connect-test@example.com\",\"name\":\"Connect Test\"}'\n"
        );
        let signed = HookWay { proof: HookProof::Signature { header: "x-signature".to_owned() }, ..hook };
        assert_eq!(for_hook(&address, &signed), []);
    }
}
