//! Lists of ids: those that were agreed to, and those that were refused. Must know only how they are written.

use serde_json::{Map, Value};

use super::{
    Asks, CODE_KEYS, CODES_MAX, Choice, Reader, Reading, Statements, add, add_all, code_text, codes_named_in,
    codes_of, join, normal, statement,
};

/// Keys of lists of codes that were agreed to, and of those that were refused.
const YES_LISTS: [&str; 6] = ["accepted", "granted", "enabled", "allowed", "consented", "optedIn"];
const NO_LISTS: [&str; 7] =
    ["rejected", "denied", "disabled", "refused", "declined", "disallowed", "optedOut"];
/// An id that means one of our categories, and where it stood.
struct Id<'v> {
    code: String,
    path: String,
    value: &'v Value,
}

/// What a list holds.
#[derive(Default)]
struct Ids<'v> {
    ids: Vec<Id<'v>>,
    /// Ids of which it can't be told whether they were allowed or denied.
    unclear: Statements,
}

impl Reader<'_> {
    /// The ids of `RudderStack`: arrays of ids, or objects `{id: name}` where id and name both count, or either of
    /// these once more inside (`{provider: [ids]}`). An id that was both allowed and denied is denied. When the
    /// ids of one category differ, `resolutionStrategy` `or` means that one allowed id is enough; with `and`, any
    /// other text or none, one denied id is. Lists under a word of a yes or a no are read alike.
    pub(super) fn consent_ids(&mut self, path: &str, fields: &Map<String, Value>) -> Statements {
        let denied = self.ids_under(path, fields, "deniedConsentIds", &NO_LISTS);
        let mut allowed = self.ids_under(path, fields, "allowedConsentIds", &YES_LISTS);
        allowed.ids.retain(|id| denied.ids.iter().all(|other| other.code != id.code));

        let refusals = self.choose(Choice::Denied, &denied.ids);
        let grants = self.choose(Choice::Granted, &allowed.ids);
        let one_is_enough = fields
            .get("resolutionStrategy")
            .and_then(Value::as_str)
            .is_some_and(|strategy| strategy.trim().eq_ignore_ascii_case("or"));
        let (mut said, weaker) = if one_is_enough { (grants, refusals) } else { (refusals, grants) };
        for (category, statement) in weaker {
            said.entry(category).or_insert(statement);
        }
        add_all(&mut said, denied.unclear);
        add_all(&mut said, allowed.unclear);
        said
    }

    fn choose(&mut self, choice: Choice, ids: &[Id<'_>]) -> Statements {
        let mut said = Statements::new();
        for id in ids {
            for category in self.meant_by(&id.code) {
                add(&mut said, category.clone(), statement(choice, &id.path, id.value));
            }
        }
        said
    }

    /// The ids under a key of `RudderStack`, and those of every list under one of `words`.
    fn ids_under<'v>(
        &mut self,
        path: &str,
        fields: &'v Map<String, Value>,
        key: &str,
        words: &[&str],
    ) -> Ids<'v> {
        let mut ids = Ids::default();
        if let Some(list) = fields.get(key) {
            self.ids(&join(path, key), list, true, &mut ids);
        }
        for (word, list) in words.iter().filter_map(|word| Some((word, fields.get(*word)?))) {
            if list.is_array() {
                self.ids(&join(path, word), list, false, &mut ids);
            }
        }
        ids
    }

    fn ids<'v>(&mut self, path: &str, list: &'v Value, follow: bool, ids: &mut Ids<'v>) {
        for (index, item) in list.as_array().into_iter().flatten().take(CODES_MAX).enumerate() {
            let path = join(path, &index.to_string());
            let named: Vec<String> = code_text(item).into_iter().chain(codes_named_in(item)).collect();
            if named.is_empty() && follow {
                self.ids(&path, item, false, ids);
            }
            for code in named {
                self.id(&code, &path, item, ids);
            }
        }
        for (key, value) in list.as_object().into_iter().flat_map(codes_of) {
            let path = join(path, key);
            match (Reading::of(value, Asks::Tool), value) {
                (Reading::Choice(Choice::Granted), _) => self.id(key, &path, value, ids),
                (Reading::Unknown | Reading::Partly | Reading::Nothing, Value::String(name))
                    if !name.trim().is_empty() =>
                {
                    self.id(key, &path, value, ids);
                    self.id(name, &path, value, ids);
                }
                (Reading::Nothing, _) => {}
                (Reading::Unknown, Value::Array(_) | Value::Object(_)) if follow => {
                    self.ids(&path, value, false, ids);
                }
                // `{"C0004": false}` among the allowed (or the denied) ids could mean either.
                (Reading::Choice(_) | Reading::Partly | Reading::Unknown, _) => {
                    for category in self.meant_by(key) {
                        self.not_understood(path.clone());
                        add(&mut ids.unclear, category.clone(), statement(Choice::Unclear, &path, value));
                    }
                }
            }
        }
    }

    /// Keeps an id that means one of our categories.
    fn id<'v>(&mut self, code: &str, path: &str, value: &'v Value, ids: &mut Ids<'v>) {
        if !self.meant_by(code).is_empty() {
            // An object stands for its id: quote that, not the whole object.
            let value = CODE_KEYS.iter().find_map(|key| value.get(key)).unwrap_or(value);
            ids.ids.push(Id { code: normal(code), path: path.to_owned(), value });
        }
    }
}
