//! Numbering plans: the metadata of the `phonenumber` crate, made to answer as its source defines it.
//!
//! The crate matches a pattern against the start of a number where the metadata means all of it, knows no
//! lengths for a plan as a whole, and no prefix for parsing where that equals the national prefix. Its
//! database is therefore built once more with these gaps closed. Must not know how numbers are written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use phonenumber::metadata::{DATABASE, Database, Descriptor, Metadata, loader};

use crate::mapping::region::Region;

/// `None` would mean that a pattern which compiled in the crate no longer does; then no number is known.
static PLANS: LazyLock<Option<Database>> = LazyLock::new(|| {
    // By calling code, as the crate's list by region has one "001" for all codes that belong to no region.
    let plans = (1..=999).filter_map(|code: u16| DATABASE.by_code(&code)).flatten();
    Database::from(plans.map(repaired).collect()).ok()
});

/// How the length of a national number compares with the lengths a plan has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// A length of full numbers.
    Possible,
    /// Dialled without the area code.
    LocalOnly,
    TooShort,
    /// Longer than the shortest and shorter than the longest, but not a length of this plan.
    Between,
    TooLong,
}

/// The numbering plan of one region, or of a calling code without one.
#[derive(Clone, Copy)]
pub(super) struct Numbering(&'static Metadata);

impl Numbering {
    pub(super) fn of_region(region: Region) -> Option<Self> {
        PLANS.as_ref()?.by_id(region.alpha2()).map(Self)
    }

    /// Of several regions that share a calling code, the main one speaks for all.
    pub(super) fn of_calling_code(code: u16) -> Option<Self> {
        PLANS.as_ref()?.by_code(&code)?.first().copied().map(Self)
    }

    pub(super) fn calling_code(self) -> u16 {
        self.0.country_code()
    }

    pub(super) fn length(self, national: &str) -> Length {
        let general = self.0.descriptors().general();
        let possible = general.possible_length();
        let length = u16::try_from(national.len()).unwrap_or(u16::MAX);
        if general.possible_local_length().contains(&length) {
            Length::LocalOnly
        } else if possible.contains(&length) {
            Length::Possible
        } else if possible.first().is_none_or(|shortest| length < *shortest) {
            Length::TooShort
        } else if possible.last().is_none_or(|longest| length > *longest) {
            Length::TooLong
        } else {
            Length::Between
        }
    }

    /// Whether any region of a calling code has this number.
    pub(super) fn is_valid_in_any(code: u16, national: &str) -> bool {
        let plans = PLANS.as_ref().and_then(|plans| plans.by_code(&code)).unwrap_or_default();
        plans.into_iter().any(|plan| Self(plan).has_number(national))
    }

    /// Whether the plan has this number, as one of any kind.
    fn has_number(self, national: &str) -> bool {
        self.0.descriptors().general().is_match(national)
            && kinds(self.0).into_iter().flatten().any(|kind| kind.is_match(national))
    }

    /// Whether the digits alone, whatever their number, are of this plan.
    pub(super) fn fits_pattern(self, national: &str) -> bool {
        self.0.descriptors().general().national_number().is_match(national)
    }

    /// What is dialled after the international prefix. No calling code begins with 0.
    pub(super) fn after_international_prefix(self, digits: &str) -> Option<&str> {
        let prefix = self.0.international_prefix()?.find(digits)?;
        digits.get(prefix.end()..).filter(|rest| !rest.starts_with('0'))
    }

    /// Without the national prefix and a carrier's code, in the form the plan transforms it to. A number that
    /// fits the plan as it stands is left alone if it would not fit any more.
    pub(super) fn strip_national_prefix(self, number: &str) -> Cow<'_, str> {
        let Some(pattern) = self.0.national_prefix_for_parsing() else {
            return Cow::Borrowed(number);
        };
        let Some(found) = pattern.captures(number) else {
            return Cow::Borrowed(number);
        };
        let has_last_group = found.get(found.len().saturating_sub(1)).is_some();
        let stripped = match self.0.national_prefix_transform_rule() {
            Some(rule) if has_last_group => pattern.replace(number, rule),
            Some(_) | None => {
                Cow::Borrowed(found.get(0).and_then(|prefix| number.get(prefix.end()..)).unwrap_or(number))
            }
        };
        if self.fits_pattern(number) && !self.fits_pattern(&stripped) {
            return Cow::Borrowed(number);
        }
        stripped
    }
}

/// The descriptors that make a number valid. Those of short codes and carriers describe something else.
fn kinds(plan: &Metadata) -> [Option<&Descriptor>; 10] {
    let plan = plan.descriptors();
    [
        plan.fixed_line(),
        plan.mobile(),
        plan.toll_free(),
        plan.premium_rate(),
        plan.shared_cost(),
        plan.personal_number(),
        plan.voip(),
        plan.pager(),
        plan.uan(),
        plan.voicemail(),
    ]
}

fn repaired(plan: &Metadata) -> loader::Metadata {
    let [
        fixed_line,
        mobile,
        toll_free,
        premium_rate,
        shared_cost,
        personal_number,
        voip,
        pager,
        uan,
        voicemail,
    ] = kinds(plan).map(|kind| kind.map(whole_number));
    let prefix = plan.national_prefix_for_parsing().map(|prefix| at_start(prefix.as_str()));
    let prefix = prefix.or_else(|| plan.national_prefix().map(at_start));
    loader::Metadata {
        id: Some(plan.id().to_owned()),
        country_code: Some(plan.country_code()),
        main_country_for_code: plan.is_main_country_for_code(),
        general: Some(general(plan)),
        fixed_line,
        mobile,
        toll_free,
        premium_rate,
        shared_cost,
        personal_number,
        voip,
        pager,
        uan,
        voicemail,
        international_prefix: plan.international_prefix().map(|idd| at_start(idd.as_str())),
        national_prefix_for_parsing: prefix,
        national_prefix_transform_rule: plan.national_prefix_transform_rule().map(str::to_owned),
        ..loader::Metadata::default()
    }
}

/// A length is possible in a plan when it is for any kind of number.
fn general(plan: &Metadata) -> loader::Descriptor {
    let kinds = || kinds(plan).into_iter().flatten();
    let possible: BTreeSet<u16> = kinds().flat_map(Descriptor::possible_length).copied().collect();
    let local: BTreeSet<u16> = kinds().flat_map(Descriptor::possible_local_length).copied().collect();
    loader::Descriptor {
        possible_local_length: local.difference(&possible).copied().collect(),
        possible_length: possible.into_iter().collect(),
        ..whole_number(plan.descriptors().general())
    }
}

fn whole_number(kind: &Descriptor) -> loader::Descriptor {
    loader::Descriptor {
        national_number: Some(format!("{}$", at_start(kind.national_number().as_str()))),
        possible_length: kind.possible_length().to_vec(),
        possible_local_length: kind.possible_local_length().to_vec(),
        example: None,
    }
}

/// Digits are ASCII by the time a pattern sees them, and a Unicode `\d` costs ten times as much to compile.
fn at_start(pattern: &str) -> String {
    format!("(?-u)^(?:{pattern})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_is_repaired_and_every_pattern_of_it_compiles() {
        let plans: Vec<&Metadata> =
            (1..=999).filter_map(|code: u16| PLANS.as_ref()?.by_code(&code)).flatten().collect();
        assert_eq!(plans.len(), 254);
        for plan in plans {
            let general = plan.descriptors().general();
            assert!(!general.possible_length().is_empty(), "{}", plan.id());
            for kind in kinds(plan).into_iter().flatten().chain([general]) {
                assert!(!kind.national_number().is_match(""), "{}", plan.id());
            }
            let prefixes = [plan.international_prefix(), plan.national_prefix_for_parsing()];
            for prefix in prefixes.into_iter().flatten() {
                assert!(prefix.find("x0").is_none_or(|found| found.end() == 0), "{}", plan.id());
            }
        }
    }

    #[test]
    fn the_lengths_of_a_plan_are_those_of_all_its_kinds() {
        let (us, ru) = (Numbering::of_calling_code(1).unwrap(), Numbering::of_calling_code(7).unwrap());
        assert_eq!(us.length("253000"), Length::TooShort);
        assert_eq!(us.length("2530000"), Length::LocalOnly);
        assert_eq!(ru.length("800555353500"), Length::Between);
        assert_eq!(us.length("6502530000"), Length::Possible);
        assert_eq!(us.length("16502530000"), Length::TooLong);
    }
}
