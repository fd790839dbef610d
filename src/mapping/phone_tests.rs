//! Phone numbers against the answers of libphonenumber (`tests/fixtures/phones.tsv`), and what always holds.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// Another table of the same columns may be named: `PHONE_CASES=/tmp/many.tsv cargo test --lib phone`.
fn table() -> String {
    #[expect(clippy::disallowed_methods, reason = "a larger table can be named for a test run")]
    match std::env::var("PHONE_CASES") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("../../tests/fixtures/phones.tsv").to_owned(),
    }
}

fn region(alpha2: &str) -> Option<Region> {
    if alpha2.is_empty() { None } else { Some(Region::from_text(alpha2).unwrap()) }
}

#[test]
fn every_case_of_the_table_gets_the_answer_of_libphonenumber() {
    let mut differences = String::new();
    let mut by_kind: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for line in table().lines().skip(2) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [text, alpha2, expected, kind] = columns[..] else { panic!("{line}") };
        let [total, wrong, missed] = by_kind.entry(kind.to_owned()).or_default();
        *total += 1;
        let answer = to_e164(text, region(alpha2));
        if answer.as_deref().unwrap_or_default() != expected {
            *(if answer.is_ok() { wrong } else { missed }) += 1;
            writeln!(differences, "{kind}: {text:?} in {alpha2:?}: {answer:?}, not {expected:?}").unwrap();
        }
    }
    let total: usize = by_kind.values().map(|[total, ..]| total).sum();
    assert!(total >= 400, "{total} cases");
    assert!(differences.is_empty(), "{differences}\nkind: [total, wrong, missed]\n{by_kind:#?}");
}

#[test]
fn a_possible_number_is_taken_when_written_internationally_and_refused_when_national() {
    let gb = Region::from_text("United Kingdom");
    assert_eq!(to_e164("+44 7700 900123", None).as_deref(), Ok("+447700900123"));
    assert_eq!(to_e164("0044 7700 900123", gb).as_deref(), Ok("+447700900123"));
    assert_eq!(to_e164("07700 900123", gb), Err(PhoneProblem::NotValid { region: "GB" }));
    assert_eq!(to_e164("020 7946 0958", gb).as_deref(), Ok("+442079460958"));
}

#[test]
fn each_problem_is_named() {
    let gb = Region::from_text("GB");
    assert_eq!(to_e164(" \t", gb), Err(PhoneProblem::Empty));
    assert_eq!(to_e164("call me", gb), Err(PhoneProblem::NotANumber));
    assert_eq!(to_e164("020 7946 0958", None), Err(PhoneProblem::NeedsRegion));
    assert_eq!(to_e164("0044 20 7946 0958", None), Err(PhoneProblem::NeedsRegion));
    assert_eq!(to_e164("+999 123 4567", gb), Err(PhoneProblem::UnknownCallingCode));
    assert_eq!(to_e164("+44 20 7946", gb), Err(PhoneProblem::NotPossible));
    assert_eq!(to_e164("+1 253 0000", gb), Err(PhoneProblem::NotPossible));
    assert_eq!(to_e164("12345", gb), Err(PhoneProblem::NotValid { region: "GB" }));
}

#[test]
fn no_problem_repeats_the_number() {
    for text in ["4915112345678", "+999 15112345678", "+44 15112345678901", "015112345678"] {
        for alpha2 in ["", "GB"] {
            let problem = to_e164(text, region(alpha2)).unwrap_err();
            assert!(!format!("{problem} {problem:?}").contains("15112"), "{problem}");
        }
    }
}

#[test]
fn digits_of_another_script_are_read_but_not_in_a_number_that_is_spelled() {
    assert_eq!(to_e164("＋１ ８００ ３５６ ９３７７", None).as_deref(), Ok("+18003569377"));
    assert_eq!(to_e164("+1-800-FLOWERS", None).as_deref(), Ok("+18003569377"));
    assert_eq!(to_e164("+1-８００-FLOWERS", None), Err(PhoneProblem::NotANumber));
}

fn assert_sound(text: &str, region: Option<Region>) -> Result<(), TestCaseError> {
    if let Ok(e164) = to_e164(text, region) {
        let digits = e164.strip_prefix('+').unwrap_or_default();
        prop_assert!((7..=15).contains(&digits.len()), "{e164}");
        prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'), "{e164}");
        prop_assert_eq!(to_e164(&e164, None), Ok(e164.clone()));
        prop_assert_eq!(to_e164(&e164, region), Ok(e164));
    }
    Ok(())
}

fn any_region() -> impl Strategy<Value = Option<Region>> {
    "[A-Z]{2}".prop_map(|alpha2| Region::from_text(&alpha2))
}

proptest! {
    #[test]
    fn no_text_panics_and_an_answer_is_e164_and_stays_as_it_is(text in any::<String>(), region in any_region()) {
        assert_sound(&text, region)?;
    }

    #[test]
    fn nor_does_a_text_that_looks_like_a_number(
        text in "(tel:)?[+＋]?[0-9０-９٠-٩ ()./#,;x*-]{1,24}(;ext=|;phone-context=|;isub=| ext|доб|ｘ)?[+0-9a-z.-]{0,12}#?",
        region in any_region(),
    ) {
        assert_sound(&text, region)?;
    }

    #[test]
    fn nor_do_digits(text in "(00|011|\\+)?[0-9]{2,18}", region in any_region()) {
        assert_sound(&text, region)?;
    }
}
