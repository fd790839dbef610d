//! How names compare that people write by hand: of events, of stages, of pipelines.

/// A name without regard to case, spaces, `_` and `-`.
#[must_use]
pub fn fold_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}
