//! Names of an account: attributes are wanted by name, and sent by the ids that the account has for these names.
//!
//! Must not know where the lists come from.

use serde_json::{Map, Value};

use super::stage::is_called;
use super::{Attributes, PIPELINE, STAGE, Stage};

/// What an account calls things. Whoever holds its lists answers.
pub trait Names {
    /// The id that an attribute written by name (`owner`, `currency`) is sent with.
    fn id_of(&self, attribute: &str, name: &str) -> Resolved;
    /// A pipeline with its stages in their order; without a name the one the account takes where none is named.
    ///
    /// # Errors
    /// Why there is none.
    fn pipeline(&self, name: Option<&str>) -> Result<Pipeline, NoName>;
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// This id.
    Id(u64),
    /// Nothing.
    No(NoName),
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoName {
    /// The account has no such name; these it has.
    Unknown(Vec<String>),
    /// The account was not asked yet.
    NotAsked,
    /// The key's user may not read that list.
    Forbidden,
}

/// A pipeline of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its id.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// Its stages in their order.
    pub stages: Vec<Stage>,
}

/// A name without which no call can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed {
    /// The attribute it is for.
    pub attribute: String,
    /// The name.
    pub name: String,
    /// Why it stands for nothing.
    pub why: NoName,
}

/// Attributes that are sent by id: how the mapping calls them, how Freshsales does, and whether a deal can do without.
const BY_ID: [(&str, &str, bool); 8] = [
    ("currency", "currency_id", true),
    ("type", "deal_type_id", false),
    ("reason", "deal_reason_id", false),
    ("payment_status", "deal_payment_status_id", false),
    ("owner", "owner_id", false),
    ("lead_source", "lead_source_id", false),
    ("campaign", "campaign_id", false),
    ("territory", "territory_id", false),
];

/// Whether an attribute is written by name.
#[must_use]
pub fn is_named(attribute: &str) -> bool {
    BY_ID.iter().any(|(name, ..)| *name == attribute)
}

/// Puts ids in the place of names, in the order in which attributes are sent. Answers what was left out, for a person: a deal
/// can do without the names that are not essential.
///
/// # Errors
/// A name that is essential stands for nothing.
pub fn resolve(wanted: &Attributes, names: &dyn Names) -> Result<(Map<String, Value>, Vec<String>), Unnamed> {
    let (mut sent, mut left_out) = (Map::new(), Vec::new());
    let text = |name: &str| wanted.get(name).and_then(Value::as_str);
    for (name, value) in wanted {
        let Some((_, id_attribute, essential)) = BY_ID.iter().find(|(named, ..)| named == name) else {
            if name != PIPELINE && name != STAGE {
                sent.insert(name.clone(), value.clone());
            }
            continue;
        };
        let resolved = match value {
            Value::Number(id) => id.as_u64().map_or(Resolved::No(NoName::Unknown(Vec::new())), Resolved::Id),
            Value::String(text) => names.id_of(name, text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
        };
        match resolved {
            Resolved::Id(id) => drop(sent.insert((*id_attribute).to_owned(), Value::from(id))),
            Resolved::No(why) if *essential => {
                let (attribute, name) = (name.clone(), text(name).unwrap_or_default().to_owned());
                return Err(Unnamed { attribute, name, why });
            }
            Resolved::No(why) => left_out.push(format!("{name} left out: {}", words(&why))),
        }
    }
    if wanted.contains_key(PIPELINE) || wanted.contains_key(STAGE) {
        let unnamed = |attribute: &str, why| Unnamed {
            attribute: attribute.to_owned(),
            name: text(attribute).unwrap_or_default().to_owned(),
            why,
        };
        let pipeline = names.pipeline(text(PIPELINE)).map_err(|why| unnamed(PIPELINE, why))?;
        if wanted.contains_key(PIPELINE) {
            sent.insert("deal_pipeline_id".to_owned(), Value::from(pipeline.id));
        }
        if let Some(stage) = text(STAGE) {
            let found = pipeline.stages.iter().find(|known| is_called(known, stage));
            let have = || pipeline.stages.iter().map(|stage| stage.name.clone()).collect();
            let found = found.ok_or_else(|| unnamed(STAGE, NoName::Unknown(have())))?;
            sent.insert("deal_stage_id".to_owned(), Value::from(found.id));
        }
    }
    Ok((sent, left_out))
}

fn words(why: &NoName) -> String {
    match why {
        NoName::Unknown(have) if have.is_empty() => "the account has no such name".to_owned(),
        NoName::Unknown(have) => format!("the account has no such name; it has {}", have.join(", ")),
        NoName::NotAsked => "the account was not asked for its names yet".to_owned(),
        NoName::Forbidden => "the key's user may not read these names".to_owned(),
    }
}

impl Unnamed {
    /// The sentence for a person.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { attribute, name, why } = self;
        match why {
            NoName::Unknown(have) if have.is_empty() => {
                format!("the account has no deal {attribute} `{name}`")
            }
            NoName::Unknown(have) => {
                format!("the account has no deal {attribute} `{name}`; it has {}", have.join(", "))
            }
            NoName::NotAsked | NoName::Forbidden => format!("deal {attribute} `{name}`: {}", words(why)),
        }
    }
}
