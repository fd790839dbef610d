//! Names of the mapping that nearly are others: a slip of the pen becomes an attribute that the account refuses, or an event of its
//! own beside the one that was meant. Must not refuse anything: the name may be meant as it stands.

use std::collections::BTreeMap;

use super::Config;
use crate::contact::CUSTOM_FIELD_PREFIX;
use crate::event::fold_name;
use crate::freshsales::CONTACT_ATTRIBUTES;
use crate::mapping::{Preset, Shipped};
use crate::selectors;

/// How alike two names of attributes are, of 1.
const ALIKE_MIN: f64 = 0.85;
/// Letters that differ between two names of events.
const SLIPS_MAX: usize = 2;
/// Shorter names of events are too alike by chance.
const LETTERS_MIN: usize = 6;

impl Config {
    /// Names of the mapping that are probably misspelt, a sentence each; none where the mapping can't be read.
    #[must_use]
    pub fn misspelt(&self) -> Vec<String> {
        let Ok(preset) = self.preset() else { return Vec::new() };
        let shipped: Vec<Shipped> =
            self.mapping.presets.iter().filter_map(|name| Shipped::named(name)).collect();
        let Ok(before) = Preset::layered(&shipped, None) else { return Vec::new() };
        let attributes = preset.fields().filter_map(|(name, _)| attribute(name, &before));
        let known: BTreeMap<String, &str> =
            before.all_events().map(|(name, _)| (fold_name(name), name)).collect();
        let events = preset.all_events().filter_map(|(name, _)| event(name, &known));
        attributes.chain(events).collect()
    }
}

fn attribute(name: &str, before: &Preset) -> Option<String> {
    let documented = CONTACT_ATTRIBUTES.iter().copied();
    let named = selectors::OF_CONTACT.iter().map(|named| named.attribute);
    let known: Vec<&str> = documented.chain(named).chain(before.fields().map(|(name, _)| name)).collect();
    if known.contains(&name) || name.starts_with(CUSTOM_FIELD_PREFIX) {
        return None;
    }
    let meant = nearest(name, known, ALIKE_MIN)?;
    Some(format!(
        "fields.{name}: Freshsales documents no attribute of contacts of this name; is `{meant}` meant? `check --live` \
         asks the account"
    ))
}

/// The name among these that is most like another, if it is more alike than this, of 1.
pub(super) fn nearest<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    alike_min: f64,
) -> Option<&'a str> {
    let alike = known.into_iter().map(|other| (strsim::jaro_winkler(name, other), other));
    let alike = alike.filter(|(alike, _)| *alike > alike_min);
    alike.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, meant)| meant)
}

fn event(name: &str, known: &BTreeMap<String, &str>) -> Option<String> {
    let folded = fold_name(name);
    if known.contains_key(&folded) || folded.chars().count() < LETTERS_MIN {
        return None;
    }
    let slips = known.iter().map(|(other, written)| (strsim::damerau_levenshtein(&folded, other), *written));
    let (_, meant) = slips.filter(|(slips, _)| *slips <= SLIPS_MAX).min()?;
    Some(format!(
        "events.\"{name}\": this is another event than \"{meant}\", which is in the mapping already; is that one meant? \
         What the section says counts for events named \"{name}\" alone"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Texts, examine_with};

    fn misspelt(mapping: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mapping.toml");
        std::fs::write(&file, mapping).unwrap();
        let text = format!("[mapping]\nfile = \"{}\"", file.display());
        let texts = Texts { config: Some(&text), ..Texts::default() };
        examine_with(None, texts, &Vec::new()).unwrap().config.misspelt()
    }

    #[test]
    fn a_near_miss_of_an_attribute_or_of_a_mapped_event_is_told() {
        let told = misspelt(
            "[fields.frist_name]\nfrom = [\"traits.n\"]\n[events.\"Order Complete\"]\nlane = \"conversion\"",
        );
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("fields.frist_name: ") && told[0].contains("is `first_name` meant?"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("events.\"Order Complete\": ") && told[1].contains("\"Order Completed\""),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_documented_a_custom_field_or_an_event_of_its_own_is_no_slip() {
        let fields =
            ["external_id", "time_zone", "twitter", "job_title", "lead_source", "owner", "lifecycle_stage"];
        let fields = fields.map(|name| format!("[fields.{name}]\nfrom = [\"traits.n\"]\n")).concat();
        let more = "[fields.\"custom_field.cf_frist_name\"]\nfrom = [\"traits.n\"]\n[events.order_completed]\nlane = \"conversion\"\n\
                    [events.\"Logged Out\"]\nlane = \"refresh\"\n[events.\"Order Refunded\"]\nlane = \"refresh\"\n\
                    [events.\"Trial Started\"]\nlane = \"conversion\"";
        assert_eq!(misspelt(&format!("{fields}{more}")), Vec::<String>::new());
    }
}
