//! What is particular to deals: pipeline and stage, amounts that read back as text, what closing writes.
//! Must not keep deals.

use serde_json::{Map, Value, json};

use super::fields;
use super::selectors::{Lists, stages_of};
use crate::clock::UnixMicros;

const PIPELINE: &str = "deal_pipeline_id";
const STAGE: &str = "deal_stage_id";

/// Whether a stage that is given is one of another pipeline than the deal's.
pub(super) fn stands_elsewhere(
    before: Option<&Map<String, Value>>,
    given: &Map<String, Value>,
    lists: &Lists,
) -> bool {
    let Some(stage) = given.get(STAGE) else { return false };
    let pipeline = given.get(PIPELINE).or_else(|| before?.get(PIPELINE));
    let own = lists.pipeline_of(stage).and_then(|pipeline| pipeline.get("id"));
    // A stage alone takes the deal along to its pipeline.
    given.contains_key(PIPELINE) && pipeline != own
}

/// Gives a new deal the pipeline and the stage that the account puts it in where it names none.
pub(super) fn begin(attributes: &mut Map<String, Value>, lists: &Lists) {
    let named = attributes.get(PIPELINE).and_then(|id| lists.entry("deal_pipelines", id));
    let of_stage = || attributes.get(STAGE).and_then(|stage| lists.pipeline_of(stage)).cloned();
    let Some(pipeline) = named.or_else(of_stage).or_else(|| lists.default_pipeline().cloned()) else {
        return;
    };
    if let Some(stage) = stages_of(&pipeline).next() {
        attributes.entry(STAGE).or_insert_with(|| stage["id"].clone());
    }
    attributes.insert(PIPELINE.to_owned(), pipeline["id"].clone());
}

/// What the account makes of a change before it keeps it.
pub(super) fn keep(
    before: &Map<String, Value>,
    change: &mut Map<String, Value>,
    lists: &Lists,
    now: UnixMicros,
) {
    for name in ["amount", "base_currency_amount"] {
        if let Some(amount) = change.get(name).and_then(fields::amount) {
            // Seen on live accounts: 5600 reads back as "5600.0".
            change.insert(name.to_owned(), json!(format!("{amount:?}")));
        }
    }
    let Some(stage) = change.get(STAGE).cloned().filter(|stage| before.get(STAGE) != Some(stage)) else {
        return;
    };
    change.insert("stage_updated_time".to_owned(), json!(now.to_rfc3339()));
    if let Some(pipeline) = lists.pipeline_of(&stage) {
        change.insert(PIPELINE.to_owned(), pipeline["id"].clone());
    }
    let forecast = lists.entry("deal_stages", &stage).map(|stage| stage["forecast_type"].clone());
    let closed =
        forecast.is_some_and(|forecast| forecast.as_str().is_some_and(|text| text.starts_with("Closed")));
    let day = || Value::String(now.to_rfc3339().chars().take(10).collect());
    if closed {
        change.entry("closed_date").or_insert_with(day);
    } else if before.contains_key("closed_date") {
        change.insert("closed_date".to_owned(), Value::Null);
    }
}
