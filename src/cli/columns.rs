//! A file with columns: opened, by whatever separates them, with its headers as a person reads them.
//!
//! Must not know what the columns mean.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use anyhow::{Context, anyhow};
use csv::{Reader, ReaderBuilder};

use super::Failure;

/// Characters that separate columns; the first line says which.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// What a spreadsheet writes before the first character.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file with columns.
pub(super) struct Columns {
    /// Its headers.
    pub headers: Vec<String>,
    /// Its rows.
    pub rows: Reader<BufReader<File>>,
    /// What is to be added to the line of a row that the reader tells: where lines end by two characters, it has read one of them.
    pub lines_behind: u64,
}

/// Opens a file.
pub(super) fn open(file: &Path) -> Result<Columns, Failure> {
    let opened = || -> std::io::Result<(u8, u64, BufReader<File>)> {
        let mut content = BufReader::new(File::open(file)?);
        let mut first_line = Vec::new();
        content.read_until(b'\n', &mut first_line)?;
        content.rewind()?;
        let lines_behind = u64::from(first_line.ends_with(b"\r\n"));
        Ok((separator(&String::from_utf8_lossy(&first_line)), lines_behind, content))
    };
    let opened = opened().with_context(|| format!("can't read {}", file.display()));
    let (separator, lines_behind, content) = opened.map_err(Failure::Usage)?;
    let mut reader = ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(content);
    let headers = reader.headers().map_err(|error| unreadable(&error, 0))?;
    let bare = |header: &str| header.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned();
    let headers = headers.iter().map(bare).collect();
    Ok(Columns { headers, rows: reader, lines_behind })
}

/// What is wrong with a row.
pub(super) fn unreadable(error: &csv::Error, lines_behind: u64) -> Failure {
    let line = error.position().map_or(1, |position| position.line() + lines_behind);
    let why = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8; save the file as \"CSV UTF-8\"".to_owned(),
        _ => error.to_string(),
    };
    Failure::Usage(anyhow!("line {line} of the file can't be read: {why}"))
}

/// The character between columns: the one that the first line has most of.
fn separator(first_line: &str) -> u8 {
    let count = |separator: char| first_line.matches(separator).count();
    let found = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator));
    found.and_then(|separator| u8::try_from(separator).ok()).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_that_of_the_first_line() {
        for (line, found) in [("a,b,c", b','), ("a;b;c,d", b';'), ("a\tb", b'\t'), ("email", b',')] {
            assert_eq!(separator(line), found, "{line}");
        }
    }

    #[test]
    fn what_a_spreadsheet_writes_first_belongs_to_no_header() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("export.csv");
        std::fs::write(&file, "\u{feff}Email; First name \nann@example.com;Ann\n").unwrap();
        let Columns { headers, mut rows, .. } = open(&file).ok().unwrap();
        assert_eq!(headers, ["Email", "First name"]);
        assert_eq!(rows.records().next().unwrap().unwrap(), vec!["ann@example.com", "Ann"]);
    }
}
