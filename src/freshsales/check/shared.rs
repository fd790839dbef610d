//! A report that may be shown to others: what was found, without what an account, a person or a user gave a name.
//!
//! Words of Freshsales stand in it, so whoever pastes it reads it once. Pure.

use super::{AccountKind, Report};

/// Words in quotation marks that say nothing of anybody.
const PLAIN: [&str; 12] = [
    "subscribed",
    "unsubscribed",
    "all",
    "changed",
    "suite",
    "classic",
    "off",
    "backlog",
    "live",
    "dry_run",
    "text",
    "number",
];
/// A number with so many digits may be somebody's: an id, a phone.
const DIGITS_MIN: usize = 4;

impl Report {
    /// The report as Markdown, for whoever verifies what freshsignal relies on.
    #[must_use]
    pub fn to_share(&self, kind: AccountKind, alias: &str) -> String {
        let kind = match kind {
            AccountKind::Suite => "suite",
            AccountKind::Classic => "classic",
        };
        let version = env!("CARGO_PKG_VERSION");
        let mut lines =
            vec![format!("freshsignal {version}, an account of the kind {kind}, {} calls", self.calls)];
        lines.extend(
            self.findings.iter().map(|finding| format!("- {}", redacted(&finding.to_string(), alias))),
        );
        lines.join("\n")
    }
}

/// A sentence without addresses, hosts, the alias, names of custom fields, quoted texts and long numbers.
fn redacted(text: &str, alias: &str) -> String {
    let mut parts = Vec::new();
    for (nth, part) in text.split('"').enumerate() {
        let quoted = nth % 2 == 1;
        let plain = !quoted || PLAIN.contains(&part) || is_short_number(part);
        parts.push(if plain { words(part, alias) } else { "(text)".to_owned() });
    }
    parts.join("\"")
}

fn is_short_number(text: &str) -> bool {
    text.len() < DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn words(text: &str, alias: &str) -> String {
    text.split(' ').map(|word| redacted_word(word, alias)).collect::<Vec<_>>().join(" ")
}

fn redacted_word(word: &str, alias: &str) -> String {
    let is_edge = |c: char| !c.is_alphanumeric() && c != '+';
    let core = word.trim_matches(is_edge);
    let lower = core.to_lowercase();
    let digits = core.bytes().filter(u8::is_ascii_digit).count();
    let named = if core.contains('@') {
        "(address)"
    } else if lower.contains("://")
        || [".myfreshworks.com", ".freshworks.com", ".freshsales.io"].iter().any(|host| lower.ends_with(host))
    {
        "(host)"
    } else if lower.split(|c: char| !c.is_alphanumeric() && c != '-').any(|part| part == alias.to_lowercase())
    {
        "(alias)"
    } else if let Some((before, _)) = core.split_once("cf_") {
        return word.replace(core, &format!("{before}cf_(field)"));
    } else if digits >= DIGITS_MIN {
        "(number)"
    } else {
        return word.to_owned();
    };
    word.replace(core, named)
}

#[cfg(test)]
mod tests {
    use super::super::Finding;
    use super::*;

    #[test]
    fn a_report_names_no_account_no_person_and_no_field_of_anybody() {
        let findings = vec![
            Finding::fine("alias and key are right; contacts may be given to 2 users"),
            Finding::wrong(
                "the account Acme has no custom field cf_secret_plan, and refuses `custom_field.cf_secret_plan`: create it",
            ),
            Finding::wrong(
                "the test contact could not be forgotten: its id is 70012345678 and its address jo@example.com, +12025550123.",
            ),
            Finding::fine("consent.subscribed = \"subscribed\" is stored as 1"),
            Finding::wrong(
                "the account has no stage \"Golden Customers\" at https://acme.myfreshworks.com/crm/sales",
            ),
        ];
        let report = Report { findings, calls: 9, ..Report::default() };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            report.to_share(AccountKind::Suite, "acme"),
            format!(
                "freshsignal {version}, an account of the kind suite, 9 calls\n\
                 - fine: alias and key are right; contacts may be given to 2 users\n\
                 - wrong: the account (alias) has no custom field cf_(field), and refuses `custom_field.cf_(field)`: create it\n\
                 - wrong: the test contact could not be forgotten: its id is (number) and its address (address), (number).\n\
                 - fine: consent.subscribed = \"subscribed\" is stored as 1\n\
                 - wrong: the account has no stage \"(text)\" at (host)"
            )
        );
    }
}
