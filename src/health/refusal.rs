//! What is to be done about what Freshsales refuses, by the words of its refusal; and whether sending it again helps before
//! that was done.
//!
//! Pure. A guess by words: where none is known, it says what to look at.

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The one thing to do.
    pub todo: &'static str,
    /// Whether sending it again as it is may succeed before that.
    pub again_may_help: bool,
}

const fn first(todo: &'static str) -> Advice {
    Advice { todo, again_may_help: false }
}

/// Words, any of which a refusal has, and what to do then; the first row that fits.
const ADVICE: [(&[&str], Advice); 7] = [
    (
        &["without a reason", "in place of a reason"],
        Advice {
            todo: "Freshsales did not say why. Send one of them again, and look at what was sent and what came back",
            again_may_help: true,
        },
    ),
    (
        &["not unique", "already", "duplicate", "taken"],
        first(
            "Another record in Freshsales has this value. Merge the two there, or correct the value, then send again",
        ),
    ),
    (
        &["be blank", "be empty", "mandatory", "required", "must be present", "missing", "must be filled"],
        first(
            "Freshsales demands a field that was not sent. Map it (for last names: mapping.missing_names), or make it optional \
             in Freshsales under Admin Settings, then send again",
        ),
    ),
    (
        &["unknown", "unpermitted", "not exist", "no such", "unrecognized", "unexpected"],
        first(
            "The account has no such field. Create it in Freshsales, or take it out of the mapping; what was mapped otherwise \
             is sent by itself",
        ),
    ),
    (
        &["limit", "quota", "exceed", "upgrade"],
        first("The account has reached a limit of its plan. Make room in Freshsales, then send again"),
    ),
    (
        &["too long", "maximum", "characters"],
        first(
            "A value is too long for its field. Set max_chars of the field in the mapping; it is then sent by itself",
        ),
    ),
    (
        &["invalid", "not valid", "not a valid", "format", "not included", "must be"],
        first(
            "A value does not fit its field. Correct its conversion in the mapping, or the choices of the field in Freshsales; \
             with another value it is sent by itself",
        ),
    ),
];

/// What to do about a refusal with these words.
#[must_use]
pub fn advice(reason: &str) -> Advice {
    let lower = reason.to_lowercase();
    let fits = |words: &&[&str]| words.iter().any(|words| lower.contains(words));
    let known = ADVICE.iter().find(|(words, _)| fits(words));
    known.map_or(
        first("Open one of them, compare what was sent with these words, and mend it in Freshsales or in the mapping; then send again"),
        |(_, advice)| *advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_refusal_lead_to_one_thing_to_do() {
        for (reason, todo, again) in [
            ("Last name can't be blank", "demands a field", false),
            ("mobile_number: MobileNumber is not unique", "Another record", false),
            ("Invalid lifecycle stage provided.", "does not fit its field", false),
            ("cf_plan: unknown attribute", "no such field", false),
            ("Freshsales refused the contact (422) without a reason", "did not say why", true),
            ("You have exceeded the contacts of your plan", "reached a limit", false),
            ("the moon is in the wrong house", "Open one of them", false),
        ] {
            let advice = advice(reason);
            assert!(advice.todo.contains(todo), "{reason}: {}", advice.todo);
            assert_eq!(advice.again_may_help, again, "{reason}");
        }
    }
}
