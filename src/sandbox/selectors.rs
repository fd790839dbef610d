//! The selectors of the account: the lists of stages, users, sources and the like that ids come from.
//! Must not answer HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The lists by their name behind `selector/`. Tests and people change them while the account is used: a stage is renamed,
/// a user leaves.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    lists: BTreeMap<String, Vec<Value>>,
}

/// The stages of the pipelines are a list of their own, too.
const STAGES: &str = "deal_stages";
const PIPELINES: &str = "deal_pipelines";

impl Lists {
    /// What an account is delivered with, with other lists in place of some.
    pub(super) fn new(other: &BTreeMap<String, Vec<Value>>) -> Self {
        let mut lists = delivered();
        lists.extend(other.clone());
        Self { lists }
    }

    /// The answer of `GET /selector/{name}`.
    pub(super) fn answer(&self, name: &str) -> Option<Value> {
        let items =
            if name == STAGES { self.stages().cloned().collect() } else { self.lists.get(name)?.clone() };
        // Seen on live accounts: users come under another word than the one they are asked for by.
        let under = if name == "owners" { "users" } else { name };
        Some(Value::Object([(under.to_owned(), Value::Array(items))].into_iter().collect()))
    }

    /// Puts a list in place of another.
    pub(super) fn set(&mut self, name: &str, items: Vec<Value>) {
        self.lists.insert(name.to_owned(), items);
    }

    /// Whether a list has an entry of this id.
    pub(super) fn has(&self, name: &str, id: &Value) -> bool {
        let is_it = |entry: &Value| entry.get("id") == Some(id);
        if name == STAGES { self.stages().any(is_it) } else { self.items(name).iter().any(is_it) }
    }

    /// The entry of an id.
    pub(super) fn entry(&self, name: &str, id: &Value) -> Option<Value> {
        let is_it = |entry: &&Value| entry.get("id") == Some(id);
        if name == STAGES {
            return self.stages().find(is_it).cloned();
        }
        self.items(name).iter().find(is_it).cloned()
    }

    /// The pipeline a deal is in where none was named.
    pub(super) fn default_pipeline(&self) -> Option<&Value> {
        let pipelines = self.items(PIPELINES);
        pipelines.iter().find(|pipeline| pipeline["is_default"] == true).or_else(|| pipelines.first())
    }

    /// The pipeline that has a stage.
    pub(super) fn pipeline_of(&self, stage_id: &Value) -> Option<&Value> {
        self.items(PIPELINES)
            .iter()
            .find(|pipeline| stages_of(pipeline).any(|stage| stage["id"] == *stage_id))
    }

    /// Whether a stage is one of won deals in the default pipeline.
    pub(super) fn is_won_by_default(&self, stage_id: &Value) -> bool {
        let pipeline = self.default_pipeline();
        let mut stages = pipeline.into_iter().flat_map(stages_of);
        stages.any(|stage| stage["id"] == *stage_id && stage["forecast_type"] == "Closed Won")
    }

    /// The status a contact in a lifecycle stage has, where this one is none of that stage: what does not belong there
    /// becomes the first that does, without a word (seen on live accounts).
    pub(super) fn status_in(&self, stage_id: &Value, status_id: Option<&Value>) -> Option<Value> {
        let stage = self.entry("lifecycle_stages", stage_id)?;
        let ids = stage.get("contact_status_ids")?.as_array()?;
        match status_id {
            Some(id) if ids.contains(id) => None,
            Some(_) | None => ids.first().cloned(),
        }
    }

    fn items(&self, name: &str) -> &[Value] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    fn stages(&self) -> impl Iterator<Item = &Value> {
        self.items(PIPELINES).iter().flat_map(stages_of)
    }
}

/// The stages of a pipeline.
pub(super) fn stages_of(pipeline: &Value) -> impl Iterator<Item = &Value> {
    pipeline.get(STAGES).and_then(Value::as_array).into_iter().flatten()
}

/// The outcomes that every type of activity has.
pub(super) fn outcomes() -> Value {
    json!({"sales_activity_outcomes": named(70_000_016_001, &["Done", "No answer"])})
}

/// The lists of an account nobody has changed.
fn delivered() -> BTreeMap<String, Vec<Value>> {
    let owner = |id: u64, name: &str, email: &str| json!({"id": id, "display_name": name, "email": email, "is_active": true});
    let owners = vec![
        owner(70_000_012_301, "Alex Kim", "alex.kim@example.com"),
        owner(70_000_012_302, "Maria Silva", "maria.silva@example.com"),
    ];
    let currency = |id: u64, code: &str| json!({"id": id, "currency_code": code, "is_active": true});
    let currencies = vec![
        currency(70_000_008_001, "USD"),
        currency(70_000_008_002, "EUR"),
        currency(70_000_008_003, "JPY"),
    ];
    let lists = [
        ("owners", owners),
        (PIPELINES, vec![default_pipeline()]),
        ("lifecycle_stages", lifecycle_stages()),
        ("contact_statuses", named(70_000_003_001, &CONTACT_STATUSES)),
        (
            "lead_sources",
            named(70_000_004_001, &["Organic Search", "Web", "Paid Search", "Referral", "Cold Call"]),
        ),
        ("campaigns", named(70_000_005_001, &["Spring", "Autumn"])),
        ("territories", named(70_000_006_001, &["North", "South"])),
        ("currencies", currencies),
        ("deal_types", named(70_000_009_001, &["New Business", "Existing Business"])),
        ("deal_reasons", named(70_000_010_001, &["Price", "Timing", "Cancelled by customer"])),
        ("deal_payment_statuses", named(70_000_011_001, &["Online", "Offline"])),
        ("deal_products", Vec::new()),
        ("sales_activity_types", named(70_000_013_001, &["Phone", "Meeting", "Product"])),
        ("industry_types", named(70_000_014_001, &["Software", "Retail"])),
        ("business_types", named(70_000_015_001, &["Customer", "Partner"])),
    ];
    lists.into_iter().map(|(name, items)| (name.to_owned(), items)).collect()
}

const CONTACT_STATUSES: [&str; 8] =
    ["New", "Contacted", "Interested", "Unqualified", "Qualified", "Lost", "Won", "Churned"];

fn named(first_id: u64, names: &[&str]) -> Vec<Value> {
    (first_id..)
        .zip(1..)
        .zip(names)
        .map(|((id, position), name)| json!({"id": id, "name": name, "position": position}))
        .collect()
}

/// The pipeline an account is delivered with (seen on live accounts).
fn default_pipeline() -> Value {
    let stages = [
        ("New", "Open", 20),
        ("Qualification", "Open", 30),
        ("Discovery", "Open", 40),
        ("Demo", "Open", 60),
        ("Negotiation", "Open", 80),
        ("Won", "Closed Won", 100),
        ("Lost", "Closed Lost", 0),
    ];
    let pipeline_id = 70_000_001_001_u64;
    let stages: Vec<Value> = (70_000_002_001_u64..)
        .zip(1..)
        .zip(stages)
        .map(|((id, position), (name, forecast, probability))| {
            json!({"id": id, "name": name, "position": position, "forecast_type": forecast,
                "probability": probability, "deal_pipeline_id": pipeline_id})
        })
        .collect();
    json!({"id": pipeline_id, "name": "Default Pipeline", "is_default": true, "position": 1, "rotting_days": 30,
        "deal_stages": stages})
}

/// The lifecycle stages an account is delivered with, and the statuses that belong to each (seen on live accounts).
fn lifecycle_stages() -> Vec<Value> {
    let status = |n: u64| 70_000_003_001 + n;
    let stage = |id: u64, name: &str, position: u64, statuses: std::ops::Range<u64>| {
        let statuses: Vec<u64> = statuses.map(status).collect();
        json!({"id": id, "name": name, "position": position, "contact_status_ids": statuses})
    };
    vec![
        stage(70_000_007_001, "Lead", 1, 0..4),
        stage(70_000_007_002, "Sales Qualified Lead", 2, 4..6),
        stage(70_000_007_003, "Customer", 3, 6..8),
    ]
}
