//! The files that Google Ads imports: their columns, and a conversion as a line of each.
//!
//! Must not know who may read them.

use ring::digest::{SHA256, digest};

use super::{Attribution, Click, Conversion};
use crate::clock::UnixMicros;

/// Hosts of which Google takes an address with full stops before the `@` for the same as one without.
const WITHOUT_STOPS: [&str; 2] = ["gmail.com", "googlemail.com"];

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Conversions by the id of the click: a line for each that has one.
    ByClick,
    /// Enhanced conversions for leads: by hashes of email and phone, and the id of the click where there is one.
    Enhanced,
}

impl File {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ByClick, Self::Enhanced];

    /// The name of the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ByClick => "google.csv",
            Self::Enhanced => "google-enhanced.csv",
        }
    }

    /// The line of columns.
    #[must_use]
    pub fn columns(self) -> &'static str {
        match self {
            Self::ByClick => {
                "Google Click ID,Conversion Name,Conversion Time,Conversion Value,Conversion Currency\r\n"
            }
            Self::Enhanced => {
                "Email,Phone Number,Google Click ID,Conversion Name,Conversion Time,Conversion Value,Conversion Currency\r\n"
            }
        }
    }

    /// A conversion as a line, where the file has one of it. Nothing of it is read as a formula by a spreadsheet.
    #[must_use]
    pub fn line(self, conversion: &Conversion, name: &str, attribution: Attribution) -> Option<String> {
        let click = conversion.click(Click::Gclid, attribution).map(|touch| touch.id.clone());
        let mut cells = match self {
            Self::ByClick => vec![click?],
            Self::Enhanced => vec![
                hashed(&email_of(conversion)),
                conversion.phone.as_deref().map(|phone| hashed(phone.trim())).unwrap_or_default(),
                click.unwrap_or_default(),
            ],
        };
        let (value, currency) = (conversion.value.clone(), conversion.currency.clone());
        cells.extend([
            name.to_owned(),
            time(conversion.at),
            value.unwrap_or_default(),
            currency.unwrap_or_default(),
        ]);
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        Some(format!("{}\r\n", cells.join(",")))
    }
}

/// The address as Google wants it before it is hashed.
fn email_of(conversion: &Conversion) -> String {
    let email = conversion.email.as_str().trim().to_lowercase();
    match email.split_once('@') {
        Some((local, host)) if WITHOUT_STOPS.contains(&host) => format!("{}@{host}", local.replace('.', "")),
        Some(_) | None => email,
    }
}

/// SHA-256 in hexadecimal.
fn hashed(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut written, byte| {
        let digits =
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
        written.extend(digits);
        written
    })
}

/// A moment as `2026-03-01 09:00:00+0000`.
fn time(at: UnixMicros) -> String {
    let text = at.to_rfc3339();
    let (date, time) = text.split_once('T').unwrap_or_default();
    format!("{date} {}+0000", time.get(..8).unwrap_or_default())
}

/// A cell of a file with columns: what a spreadsheet would take for a formula is a text, but for numbers.
#[must_use]
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
