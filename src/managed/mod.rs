//! Settings that people change on the page: the document they stand in, each change with who, when and what it replaced, and
//! what undoes it.
//!
//! Pure. Which settings may be in it is asked of [`is_editable`]. Must not know where the document is kept or what a setting means: it
//! is laid over the defaults and under the file and the environment, and checked as they are.

mod keys;
mod written;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::UnixMicros;

pub use keys::{RULES, is_editable, is_key_list, is_owned, is_secret};
pub use written::{laid_over, to_toml};

/// Changes that are kept to be shown and undone; the oldest go first.
pub const CHANGES_MAX: usize = 500;
/// Settings that one change may touch.
pub const EDITS_MAX: usize = 200;
/// Bytes of a value, as JSON.
const VALUE_BYTES_MAX: usize = 65_536;
const PART_CHARS_MAX: usize = 200;

/// Where a setting stands: its section, its name in it, and so on.
pub type Path = Vec<String>;

/// All settings that were changed on the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// How often it was changed.
    pub revision: u64,
    /// The settings as they are in a configuration file; those of the mapping under [`RULES`].
    #[serde(default)]
    pub values: Map<String, Value>,
    /// What was changed, the oldest first.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// What takes effect later, unless somebody revokes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A change of where data goes that waits, so that whoever did not want it can stop it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// When it was ordered.
    pub at: UnixMicros,
    /// When it takes effect.
    pub due: UnixMicros,
    /// Whose token it was.
    pub who: String,
    /// What.
    pub wishes: Vec<Wish>,
}

/// What somebody changed at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The revision that it made.
    pub revision: u64,
    /// When.
    pub at: UnixMicros,
    /// Whose token it was; empty for the one without a name.
    pub who: String,
    /// What.
    pub edits: Vec<Edit>,
    /// The change that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
}

/// One setting, before and after; nothing: the page says nothing of it, so the file or the default counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Which.
    pub path: Path,
    /// What the page said of it.
    pub before: Option<Value>,
    /// What it says now.
    pub after: Option<Value>,
}

/// What somebody wants of one setting; null: that the page says nothing of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Which.
    pub path: Path,
    /// What it is to be.
    #[serde(default)]
    pub value: Option<Value>,
}

/// Why a change can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else changed something meanwhile.
    #[error(
        "somebody changed the settings meanwhile: they are at revision {0} now. Look at them again and change what is still to be changed"
    )]
    Stale(u64),
    /// It would change nothing.
    #[error("nothing would change")]
    Nothing,
    /// Not on the page.
    #[error("{0} can't be changed on the page; change it in the configuration file")]
    NotEditable(String),
    /// More than fits.
    #[error("that is too much for one change: at most {EDITS_MAX} settings of {VALUE_BYTES_MAX} bytes")]
    TooMuch,
    /// There is no such change.
    #[error("there is no change {0} that could be undone; the last {CHANGES_MAX} are kept")]
    Unknown(u64),
    /// What it changed was changed again.
    #[error("{0} was changed again since; undo the later change first")]
    ChangedSince(String),
}

/// A path as it is written: `consent.required`.
#[must_use]
pub fn dotted(path: &[String]) -> String {
    let plain =
        |part: &String| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let quoted = |part: &String| if plain(part) { part.clone() } else { format!("{part:?}") };
    path.iter().map(quoted).collect::<Vec<_>>().join(".")
}

impl Document {
    /// What it says of a setting.
    #[must_use]
    pub fn get(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.values.get(first)?, |value, part| value.get(part))
    }

    /// The settings of the configuration, without those of the mapping.
    #[must_use]
    pub fn settings(&self) -> Map<String, Value> {
        let mut settings = self.values.clone();
        settings.shift_remove(RULES);
        settings
    }

    /// What it says of the mapping, as a mapping file has it.
    #[must_use]
    pub fn rules(&self) -> Option<&Map<String, Value>> {
        self.values.get(RULES)?.as_object().filter(|rules| !rules.is_empty())
    }

    /// The document after a change of somebody who saw it at a revision.
    ///
    /// # Errors
    /// The change can't be made.
    pub fn changed(
        &self,
        seen: u64,
        wishes: &[Wish],
        (who, at): (&str, UnixMicros),
    ) -> Result<Self, Refused> {
        self.changed_where(is_editable, seen, wishes, (who, at))
    }

    /// The document after a change of whoever owns the service: of where data goes alone.
    ///
    /// # Errors
    /// The change can't be made.
    pub fn changed_by_owner(
        &self,
        seen: u64,
        wishes: &[Wish],
        (who, at): (&str, UnixMicros),
    ) -> Result<Self, Refused> {
        self.changed_where(is_owned, seen, wishes, (who, at))
    }

    fn changed_where(
        &self,
        may: fn(&[String]) -> bool,
        seen: u64,
        wishes: &[Wish],
        (who, at): (&str, UnixMicros),
    ) -> Result<Self, Refused> {
        if wishes.len() > EDITS_MAX || wishes.iter().any(is_too_large) {
            return Err(Refused::TooMuch);
        }
        match wishes.iter().find(|wish| !may(&wish.path)) {
            Some(foreign) => Err(Refused::NotEditable(dotted(&foreign.path))),
            None => self.with(seen, wishes, (who, at), None),
        }
    }

    /// The document with such a change to come; one that waits already gives way.
    ///
    /// # Errors
    /// The change can't be made.
    pub fn waiting(&self, seen: u64, pending: Pending) -> Result<Self, Refused> {
        self.changed_by_owner(seen, &pending.wishes, (&pending.who, pending.at))?;
        Ok(Self { revision: self.revision + 1, pending: Some(pending), ..self.clone() })
    }

    /// The document once what waited has come to its time; nothing before. It may be
    /// impossible by then.
    #[must_use]
    pub fn come(&self, now: UnixMicros) -> Option<Result<Self, Refused>> {
        let pending = self.pending.clone().filter(|pending| pending.due <= now)?;
        let without = Self { pending: None, ..self.clone() };
        Some(without.changed_by_owner(self.revision, &pending.wishes, (&pending.who, now)))
    }

    /// The document without what waits; nothing where nothing does.
    #[must_use]
    pub fn revoked(&self) -> Option<Self> {
        self.pending.as_ref()?;
        Some(Self { revision: self.revision + 1, pending: None, ..self.clone() })
    }

    /// The document without what a change made, as long as nothing of it was changed again.
    ///
    /// # Errors
    /// The change can't be undone.
    pub fn undone(&self, seen: u64, change: u64, (who, at): (&str, UnixMicros)) -> Result<Self, Refused> {
        let found = self.changes.iter().find(|one| one.revision == change).ok_or(Refused::Unknown(change))?;
        // Where data goes is never changed as if it were a detail.
        if let Some(owned) = found.edits.iter().find(|edit| !is_editable(&edit.path)) {
            return Err(Refused::NotEditable(dotted(&owned.path)));
        }
        let since = found.edits.iter().find(|edit| self.get(&edit.path) != edit.after.as_ref());
        if let Some(since) = since {
            return Err(Refused::ChangedSince(dotted(&since.path)));
        }
        let back = |edit: &Edit| Wish { path: edit.path.clone(), value: edit.before.clone() };
        let wishes: Vec<Wish> = found.edits.iter().map(back).collect();
        self.with(seen, &wishes, (who, at), Some(change))
    }

    fn with(
        &self,
        seen: u64,
        wishes: &[Wish],
        (who, at): (&str, UnixMicros),
        undoes: Option<u64>,
    ) -> Result<Self, Refused> {
        if seen != self.revision {
            return Err(Refused::Stale(self.revision));
        }
        let mut new = self.clone();
        let mut edits = Vec::new();
        for Wish { path, value } in wishes {
            let before = new.get(path).cloned();
            // A null within a value can't be written down in a file.
            let after = value.clone().filter(|value| !value.is_null());
            if before == after {
                continue;
            }
            put(&mut new.values, path, after.clone());
            edits.push(Edit { path: path.clone(), before, after });
        }
        if edits.is_empty() {
            return Err(Refused::Nothing);
        }
        new.revision += 1;
        new.changes.push(Change { revision: new.revision, at, who: who.to_owned(), edits, undoes });
        let surplus = new.changes.len().saturating_sub(CHANGES_MAX);
        new.changes.drain(..surplus);
        Ok(new)
    }
}

fn is_too_large(wish: &Wish) -> bool {
    let long = |part: &String| part.chars().count() > PART_CHARS_MAX;
    wish.path.iter().any(long)
        || wish.value.as_ref().is_some_and(|value| value.to_string().len() > VALUE_BYTES_MAX)
}

/// Puts a value where a path leads, or takes it away; sections that are left empty go.
fn put(values: &mut Map<String, Value>, path: &[String], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => {
                values.insert(first.clone(), value);
            }
            None => {
                values.shift_remove(first);
            }
        }
        return;
    }
    let inner = values.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
        if inner.is_empty() {
            values.shift_remove(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: UnixMicros = UnixMicros(1);

    fn path(text: &str) -> Path {
        text.split('/').map(str::to_owned).collect()
    }

    fn wish(at: &str, value: Value) -> Wish {
        Wish { path: path(at), value: Some(value) }
    }

    fn changed(document: &Document, wishes: &[Wish]) -> Document {
        document.changed(document.revision, wishes, ("jane", AT)).unwrap()
    }

    #[test]
    fn a_change_is_kept_with_who_and_what_and_can_be_undone_and_that_too() {
        let first = changed(&Document::default(), &[wish("consent/required", json!(["marketing"]))]);
        assert_eq!(Value::Object(first.values.clone()), json!({ "consent": { "required": ["marketing"] } }));
        let change = &first.changes[0];
        assert_eq!((change.revision, change.who.as_str(), &change.edits[0].before), (1, "jane", &None));
        let undone = first.undone(1, 1, ("joe", AT)).unwrap();
        assert!(undone.values.is_empty());
        assert_eq!((undone.revision, undone.changes[1].undoes), (2, Some(1)));
        let again = undone.undone(2, 2, ("joe", AT)).unwrap();
        assert_eq!(again.values, first.values);
    }

    #[test]
    fn of_two_who_change_at_once_the_second_is_told() {
        let first = changed(&Document::default(), &[wish("consent/required", json!(["marketing"]))]);
        let late = first.changed(0, &[wish("consent/required", json!([]))], ("joe", AT));
        assert_eq!(late, Err(Refused::Stale(1)));
    }

    #[test]
    fn what_was_changed_again_is_not_undone_in_silence() {
        let first = changed(&Document::default(), &[wish("delivery/hold_seconds", json!(5))]);
        let second = changed(&first, &[wish("delivery/hold_seconds", json!(9))]);
        assert_eq!(
            second.undone(2, 1, ("joe", AT)),
            Err(Refused::ChangedSince("delivery.hold_seconds".into()))
        );
        assert_eq!(second.undone(2, 7, ("joe", AT)), Err(Refused::Unknown(7)));
    }

    #[test]
    fn a_setting_that_is_not_for_the_page_is_refused_and_so_is_a_change_of_nothing() {
        let none = Document::default();
        for at in [
            "freshsales/base_url",
            "admin/edit",
            "store/path",
            "sources/shop/write_key",
            "alerts/url",
            "mapping/file",
            "outputs/crm/url",
            "consent",
            "rules",
            "rules/fields",
            "sources/shop",
            "log/level",
            "",
        ] {
            let refused = none.changed(0, &[wish(at, json!("x"))], ("jane", AT));
            assert!(matches!(refused, Err(Refused::NotEditable(_))), "{at}");
        }
        let nothing = none.changed(0, &[Wish { path: path("consent/required"), value: None }], ("jane", AT));
        assert_eq!(nothing, Err(Refused::Nothing));
        let large = wish("consent/unknown", json!("x".repeat(VALUE_BYTES_MAX)));
        assert_eq!(none.changed(0, &[large], ("jane", AT)), Err(Refused::TooMuch));
    }

    #[test]
    fn where_data_goes_is_changed_by_its_owner_alone_and_not_undone_by_others() {
        let none = Document::default();
        let alias = [wish("freshsales/bundle_alias", json!("acme"))];
        let refused = Refused::NotEditable("freshsales.bundle_alias".into());
        assert_eq!(none.changed(0, &alias, ("jane", AT)), Err(refused.clone()));
        let owned = none.changed_by_owner(0, &alias, ("joe", AT)).unwrap();
        assert_eq!(owned.undone(1, 1, ("jane", AT)), Err(refused));
        let other = [wish("consent/required", json!(["marketing"]))];
        let refused = Refused::NotEditable("consent.required".into());
        assert_eq!(none.changed_by_owner(0, &other, ("joe", AT)), Err(refused));
    }

    #[test]
    fn what_waits_comes_at_its_time_and_not_before_and_not_when_it_was_revoked() {
        let wishes = vec![wish("freshsales/bundle_alias", json!("acme"))];
        let pending = Pending { at: UnixMicros(1), due: UnixMicros(10), who: "joe".into(), wishes };
        let waits = Document::default().waiting(0, pending.clone()).unwrap();
        assert!(waits.values.is_empty() && waits.come(UnixMicros(9)).is_none());
        let come = waits.come(UnixMicros(10)).unwrap().unwrap();
        assert_eq!(come.get(&path("freshsales/bundle_alias")), Some(&json!("acme")));
        assert_eq!((come.pending, come.changes[0].who.as_str()), (None, "joe"));
        let revoked = waits.revoked().unwrap();
        assert!(revoked.come(UnixMicros(99)).is_none() && revoked.revoked().is_none());
        assert_eq!(revoked.waiting(0, pending), Err(Refused::Stale(2)));
    }

    #[test]
    fn so_many_changes_are_kept_and_no_more() {
        let mut document = Document::default();
        for nth in 0..=CHANGES_MAX {
            document = changed(&document, &[wish("delivery/hold_seconds", json!(nth + 1))]);
        }
        assert_eq!((document.changes.len(), document.changes[0].revision), (CHANGES_MAX, 2));
    }
}
