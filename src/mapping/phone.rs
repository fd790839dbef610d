//! Phone numbers: from what people write to E.164 (`+442079460958`).
//!
//! A number written internationally is taken when it is *possible* (its length fits the plan of its calling
//! code: plans grow faster than metadata), a national one only when it is *valid* in a region that shares the
//! calling code of the one it is read in: dialled in Texas, a number of Puerto Rico reaches Puerto Rico. The steps and the answers are those of Google's libphonenumber, over the metadata of the `phonenumber`
//! crate; that crate's own parser is not used, as it takes the national prefix of the caller's region off a
//! number that was dialled with an international one, and matches patterns against the start of a number only.
//!
//! No number is better than a wrong one. Hence three answers are stricter than libphonenumber's: refused is
//! what has less than 7 or more than 15 digits, what would be read differently the next time, and letters
//! among digits of another script. And a leading `00` or `011` is the international prefix only in a region
//! that dials it: without a region `001 479 212 3456` is a number in Arkansas or, dialled from Seoul, one in
//! Norway.
//!
//! Must not put a number into an error: it is personal data.

mod parts;
mod plan;
mod written;

#[cfg(test)]
#[path = "phone_tests.rs"]
mod tests;

use std::borrow::Cow;

use self::parts::{head_of, value_of};
use self::plan::{Length, Numbering};
use self::written::Written;
use crate::mapping::region::Region;

/// Why a text gave no phone number, as a sentence for a person that never repeats the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneProblem {
    /// Nothing but white space.
    #[error("the phone number is empty")]
    Empty,
    /// The text is not written like a phone number.
    #[error("this is not a phone number")]
    NotANumber,
    /// Digits with a fraction or an exponent, of which nobody knows what was dialled.
    #[error("a program or a spreadsheet has made a fraction or an exponent of the phone number")]
    NotDigits,
    /// A national number, and nothing says of which country.
    #[error(
        "the phone number has no country code, and no country that can be read was said, nor mapping.default_country set"
    )]
    NeedsRegion,
    /// Written internationally, with a calling code that nobody has.
    #[error("the phone number begins with a country code that does not exist")]
    UnknownCallingCode,
    /// Written internationally, but too short or too long.
    #[error("the phone number has too few or too many digits for its country code")]
    NotPossible,
    /// A national number that the plan of the region does not have.
    #[error("this is not a valid phone number in {region}")]
    NotValid {
        /// Two-letter code of the region the number was read in.
        region: &'static str,
    },
}

/// The E.164 form of `text`, read as somebody in `region` would dial it.
///
/// # Errors
///
/// A [`PhoneProblem`] when the text is no number, or none that is certain enough to be sent.
pub fn to_e164(text: &str, region: Option<Region>) -> Result<String, PhoneProblem> {
    let text = value_of(text).ok_or(PhoneProblem::NotDigits)?;
    let head = head_of(&text);
    let of_head = head.as_ref().and_then(|head| one_number(head.text, region).ok());
    match (head, of_head) {
        (Some(head), Some(number)) if head.is_certain => Ok(number),
        (_, of_head) => one_number(&text, region).or_else(|problem| of_head.ok_or(problem)),
    }
}

fn one_number(text: &str, region: Option<Region>) -> Result<String, PhoneProblem> {
    let written = Written::from_text(text)?;
    let e164 = read(&written, region)?;
    let again = Written { has_plus: true, digits: e164.trim_start_matches('+').to_owned() };
    if read(&again, None).as_ref() == Ok(&e164) { Ok(e164) } else { Err(PhoneProblem::NotPossible) }
}

fn read(written: &Written, region: Option<Region>) -> Result<String, PhoneProblem> {
    let digits = written.digits.as_str();
    let home = region.and_then(Numbering::of_region);
    let dialled = home.and_then(|home| home.after_international_prefix(digits));
    if written.has_plus || dialled.is_some() {
        // A plus in front of an international prefix ("+011 44 …") is one too many.
        let plus = if written.has_plus { split_calling_code(digits) } else { None };
        let (plan, rest) =
            plus.or_else(|| split_calling_code(dialled?)).ok_or(PhoneProblem::UnknownCallingCode)?;
        let national = without_national_prefix(plan, rest);
        return match plan.length(&national) {
            Length::Possible => e164(plan, &national),
            Length::LocalOnly | Length::TooShort | Length::Between | Length::TooLong => {
                Err(PhoneProblem::NotPossible)
            }
        };
    }
    let (Some(region), Some(home)) = (region, home) else {
        return Err(PhoneProblem::NeedsRegion);
    };
    let national = match after_own_calling_code(home, digits) {
        Some((main, rest)) => without_national_prefix(main, &rest).into_owned(),
        None => without_national_prefix(home, digits).into_owned(),
    };
    if Numbering::is_valid_in_any(home.calling_code(), &national) {
        e164(home, &national)
    } else {
        Err(PhoneProblem::NotValid { region: region.alpha2() })
    }
}

/// The plan of the calling code that `digits` begin with, and what follows. No calling code begins another.
fn split_calling_code(digits: &str) -> Option<(Numbering, &str)> {
    (1..=3).find_map(|length| {
        let (code, rest) = digits.split_at_checked(length)?;
        if code.starts_with('0') {
            return None;
        }
        Some((Numbering::of_calling_code(code.parse().ok()?)?, rest))
    })
}

/// "44 20 7946 0958" in the United Kingdom: what follows the region's own calling code, and the main plan of
/// that code, when the digits fit the plan better without it.
fn after_own_calling_code(home: Numbering, digits: &str) -> Option<(Numbering, String)> {
    let code = home.calling_code();
    let rest = home.strip_national_prefix(digits.strip_prefix(&code.to_string())?);
    let better = !home.fits_pattern(digits) && home.fits_pattern(&rest);
    if better || home.length(digits) == Length::TooLong {
        Some((Numbering::of_calling_code(code)?, rest.into_owned()))
    } else {
        None
    }
}

/// The national significant number, unless what is left without the prefix is too short to be one.
fn without_national_prefix(plan: Numbering, number: &str) -> Cow<'_, str> {
    let stripped = plan.strip_national_prefix(number);
    if plan.calling_code() == MEXICO
        && let Some(bare) = without_mexican_prefix(number)
    {
        return Cow::Borrowed(bare);
    }
    match plan.length(&stripped) {
        Length::Possible | Length::TooLong => stripped,
        Length::TooShort | Length::LocalOnly | Length::Between => Cow::Borrowed(number),
    }
}

const MEXICO: u16 = 52;

/// Mexico dials ten digits since 2019. What was dialled before them until then is still in address books, and `WhatsApp`
/// writes the `1` to this day.
fn without_mexican_prefix(number: &str) -> Option<&str> {
    let prefixes = ["1", "01", "044", "045"];
    prefixes.iter().find_map(|prefix| number.strip_prefix(prefix).filter(|rest| rest.len() == 10))
}

fn e164(plan: Numbering, national: &str) -> Result<String, PhoneProblem> {
    let number = format!("+{}{national}", plan.calling_code());
    // libphonenumber knows longer ones (Germany) and service numbers that only work inside a country.
    if (8..=16).contains(&number.len()) { Ok(number) } else { Err(PhoneProblem::NotPossible) }
}
