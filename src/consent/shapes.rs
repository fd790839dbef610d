//! The wire shapes of consent. Must know only how a choice is written, not what follows from it.
//!
//! A *block* is the value of `context.consent`, `context.consentManagement` or a top-level `consent`. It is a list
//! of codes itself, a text that `text` unfolds, or an object that may hold any of:
//! - `canonical`, `categories` (Datafly, `CookieYes`, Usercentrics): lists; `canonical` beats `categories` for each
//!   category it speaks of;
//! - `categoryPreferences` (Segment), `update` (Google Consent Mode): lists;
//! - `allowedConsentIds`, `deniedConsentIds`, `resolutionStrategy` (`RudderStack`): ids, see `ids`;
//! - the keys of [`WRAPPERS`]: blocks once more, such as `purposes`, `groups`, `ucCategory`;
//! - a list of codes under a word of a yes or a no (`ids` too), as Didomi and `CookieYes` have them;
//! - the purposes of the TCF, see `tcf`;
//! - codes directly: `{"marketing": true}`.
//!
//! A *list* is `{code: value}`, or an array of granted codes, or an array of objects that name a code and a value.
//! A *value* is what `words` reads, or an object that holds one under a key of [`VALUE_KEYS`]. What an array of granted
//! codes leaves out was not spoken of.
//!
//! What a consent tool assumes before the person chose is no statement. These mark it, on a block or on an object
//! of codes, which is then ignored: `default` or `isDefault` being true, `source`, `event`, `command` or `action`
//! being the text `default`, any `wait_for_update` (Google allows it on a default only), and what `vendors` names. A
//! `default` that is an object, next to `update` for instance, is ignored itself and marks nothing.
//!
//! Every level reads at most [`CODES_MAX`] entries, in their order; nothing is followed deeper than described here.

mod ids;

use serde_json::{Map, Value};

use super::tcf::Purposes;
use super::text::unfold;
use super::vendors::{OTHERS, VENDORS};
use super::words::{Asks, Reading, folded};
use super::{
    CODES_MAX, Categories, Category, Choice, MARKETING, Statement, Statements, add, add_all, normal,
};

/// Paths kept of values that were not understood.
const UNKNOWN_MAX: usize = 16;
/// Length at which a quoted value is cut.
const VALUE_CHARS_MAX: usize = 64;
/// Blocks inside blocks.
const DEPTH_MAX: u8 = 4;

/// Keys of a block that hold a shape of their own, so they are no codes.
const SHAPE_KEYS: [&str; 11] = [
    "canonical",
    "categories",
    "categoryPreferences",
    "update",
    "default",
    "allowedConsentIds",
    "deniedConsentIds",
    "resolutionStrategy",
    "purpose",
    "method",
    "provider",
];
/// Keys that hold a block once more, where their value is no single word.
const WRAPPERS: [&str; 22] = [
    "groups",
    "OnetrustActiveGroups",
    "OptanonConsent",
    "purposes",
    "preferences",
    "consent",
    "consents",
    "ucCategory",
    "gdpr",
    "detail",
    "Cookiebot",
    "CookieConsent",
    "cookieyes",
    "complianz",
    "didomi",
    "iubenda",
    "ketch",
    "onetrust",
    "osano",
    "transcend",
    "usercentrics",
    "cookieyes-consent",
];
/// Where an object in an array names its code.
const CODE_KEYS: [&str; 6] = ["category", "id", "code", "name", "purpose", "slug"];
/// Where an object holds the value of its code.
const VALUE_KEYS: [&str; 10] = [
    "granted",
    "status",
    "value",
    "state",
    "consented",
    "consent",
    "allowed",
    "enabled",
    "val",
    "marketingState",
];
/// Where an object holds a value by channel: ours is email (Adobe's `consents.marketing.email.val`).
const CHANNELS: [&str; 2] = ["email", "any"];
/// The code that lets a cookie be stored, and those without which that is no yes: who refuses that their data are used
/// for advertising has not agreed to it (<https://developers.google.com/tag-platform/security/concepts/consent-mode>).
const AD_STORAGE: &str = "adstorage";
const AD_USES: [&str; 2] = ["aduserdata", "adpersonalization"];
/// The names of Global Privacy Control, compared without case.
const PRIVACY_CONTROL_KEYS: [&str; 4] = ["gpc", "globalPrivacyControl", "global_privacy_control", "sec-gpc"];

/// Whether this object has Global Privacy Control on: `true` or `1`, as text too.
pub(super) fn has_privacy_control(place: &Value) -> bool {
    place
        .as_object()
        .is_some_and(|place| place.iter().any(|(key, value)| is_privacy_control(key) && is_true(value)))
}

/// Whether a block is there and says nothing at all.
pub(super) fn is_blank(block: &Value) -> bool {
    match block {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(fields) => fields.values().all(is_blank),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Reads blocks, and remembers what it did not understand.
pub(super) struct Reader<'a> {
    categories: &'a Categories,
    unknown: Vec<String>,
    /// Whether anything of the block was recognised.
    recognised: bool,
    /// Whether use for advertising is refused beside the codes that are read.
    ads_refused: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(categories: &'a Categories) -> Self {
        Self { categories, unknown: Vec::new(), recognised: false, ads_refused: false }
    }

    pub(super) fn into_unknown(self) -> Vec<String> {
        self.unknown
    }

    /// Whether anything of the last block was recognised.
    pub(super) fn has_recognised(&self) -> bool {
        self.recognised
    }

    /// Everything a block says.
    pub(super) fn block(&mut self, path: &str, block: &Value) -> Statements {
        (self.recognised, self.ads_refused) = (false, false);
        self.within(path, block, DEPTH_MAX)
    }

    /// What a value says that stands at a place of its own: of these categories alone.
    pub(super) fn place(
        &mut self,
        path: &str,
        categories: &[&Category],
        value: &Value,
        asks: Asks,
    ) -> Statements {
        let mut said = Statements::new();
        if value.is_object() && asks == Asks::Box {
            said = self.block(path, value);
            said.retain(|category, _| categories.contains(&category));
        }
        if said.is_empty() {
            self.choices(&mut said, categories, (path, value), asks, DEPTH_MAX);
        }
        said
    }

    fn within(&mut self, path: &str, block: &Value, depth: u8) -> Statements {
        let unfolded = block.as_str().and_then(unfold);
        let block = unfolded.as_ref().unwrap_or(block);
        let Some(fields) = block.as_object() else {
            return self.list(path, block);
        };
        if is_default(fields) {
            self.recognised = true;
            return Statements::new();
        }
        let mut said = self.field(path, fields, "canonical");
        for (category, statement) in self.field(path, fields, "categories") {
            said.entry(category).or_insert(statement);
        }
        for shape in ["categoryPreferences", "update"] {
            let more = self.field(path, fields, shape);
            add_all(&mut said, more);
        }
        let more = self.consent_ids(path, fields);
        add_all(&mut said, more);
        for (key, inner) in fields.iter().filter(|(key, inner)| depth > 0 && is_wrapper(key, inner)) {
            let more = self.within(&join(path, key), inner, depth - 1);
            add_all(&mut said, more);
            if key == "purposes" {
                self.numbered(&mut said, &join(path, key), inner);
            }
        }
        self.purposes(&mut said, path, fields);
        let direct = |(code, value): &(&str, &Value)| !SHAPE_KEYS.contains(code) && !is_wrapper(code, value);
        self.codes(&mut said, path, fields, direct);
        said
    }

    /// The list under `key`, if there is one.
    fn field(&mut self, path: &str, fields: &Map<String, Value>, key: &str) -> Statements {
        fields.get(key).map_or_else(Statements::new, |list| self.list(&join(path, key), list))
    }

    /// A list in any of its forms.
    fn list(&mut self, path: &str, list: &Value) -> Statements {
        let mut said = Statements::new();
        let unfolded = list.as_str().and_then(unfold);
        let list = unfolded.as_ref().unwrap_or(list);
        match list.as_object() {
            Some(codes) if is_default(codes) => self.recognised = true,
            Some(codes) => self.codes(&mut said, path, codes, |_| true),
            None => {}
        }
        for (index, item) in list.as_array().into_iter().flatten().take(CODES_MAX).enumerate() {
            let path = join(path, &index.to_string());
            // `["C0001:1", "C0004:0"]`: each says its own value.
            if let Some(Value::Object(codes)) = item.as_str().and_then(unfold) {
                self.codes(&mut said, &path, &codes, |_| true);
                continue;
            }
            if let Some(code) = code_text(item) {
                for category in self.meant_by(&code) {
                    add(&mut said, category.clone(), statement(Choice::Granted, &path, item));
                }
            }
            for code in codes_named_in(item) {
                // An item that names a code and gives no value says nothing.
                if VALUE_KEYS.iter().any(|key| item.get(key).is_some()) {
                    self.value(&mut said, &code, &path, item);
                }
            }
        }
        said
    }

    /// The codes of an object, with their values.
    fn codes(
        &mut self,
        said: &mut Statements,
        path: &str,
        fields: &Map<String, Value>,
        direct: impl Fn(&(&str, &Value)) -> bool,
    ) {
        let refused = |(code, value): (&str, &Value)| {
            AD_USES.contains(&folded(code).as_str())
                && Reading::of(value, Asks::Tool) == Reading::Choice(Choice::Denied)
        };
        self.ads_refused = codes_of(fields).any(refused);
        for (code, value) in codes_of(fields).filter(direct) {
            self.value(said, code, &join(path, code), value);
        }
        self.ads_refused = false;
    }

    /// What `value` says about `code`.
    fn value(&mut self, said: &mut Statements, code: &str, path: &str, value: &Value) {
        let categories = self.meant_by(code);
        if self.ads_refused && folded(code) == AD_STORAGE {
            let reading = Reading::of(value, Asks::Tool);
            if reading == Reading::Choice(Choice::Granted) {
                say(said, &categories, Choice::Unclear, (path, value));
                return;
            }
        }
        self.choices(said, &categories, (path, value), Asks::Tool, DEPTH_MAX);
    }

    /// What a value says about categories.
    fn choices(
        &mut self,
        said: &mut Statements,
        categories: &[&Category],
        (path, value): (&str, &Value),
        asks: Asks,
        depth: u8,
    ) {
        if categories.is_empty() || value.as_object().is_some_and(is_default) {
            return;
        }
        // A refusal in a list of one is one; a yes has to be said as such.
        let refusal = value.as_array().filter(|items| items.len() == 1).and_then(|items| items.first());
        let refuses = |item: &&Value| Reading::of(item, asks) == Reading::Choice(Choice::Denied);
        let value = refusal.filter(refuses).unwrap_or(value);
        let under = |keys: &[&str]| -> Vec<(String, &Value)> {
            keys.iter().filter_map(|key| value.get(*key).map(|inner| (join(path, key), inner))).collect()
        };
        let mut within = under(&VALUE_KEYS);
        if within.is_empty() {
            within = under(&CHANNELS).into_iter().take(1).collect();
        }
        if depth > 0 && !within.is_empty() {
            for (path, inner) in within {
                self.choices(said, categories, (&path, inner), asks, depth - 1);
            }
            return;
        }
        match Reading::of(value, asks) {
            Reading::Choice(choice) => say(said, categories, choice, (path, value)),
            Reading::Partly => say(said, categories, Choice::Unclear, (path, value)),
            Reading::Nothing => {}
            Reading::Unknown => {
                self.not_understood(path.to_owned());
                say(said, categories, Choice::Unclear, (path, value));
            }
        }
    }

    /// The purposes of iubenda: the fifth is marketing (<https://www.iubenda.com/en/help/1205>).
    fn numbered(&mut self, said: &mut Statements, path: &str, purposes: &Value) {
        let Some(fields) = purposes.as_object() else { return };
        let numbered = !fields.is_empty() && fields.keys().all(|key| key.trim().parse::<u8>().is_ok());
        if let (true, Some(value)) = (numbered, fields.get("5")) {
            self.recognised = true;
            let categories = self.categories.meant_by(MARKETING);
            self.choices(said, &categories, (&join(path, "5"), value), Asks::Tool, DEPTH_MAX);
        }
    }

    /// The purposes of the TCF: each by its code, and advertising as their sum.
    fn purposes(&mut self, said: &mut Statements, path: &str, fields: &Map<String, Value>) {
        self.recognised |= fields.contains_key("purpose") || fields.contains_key("IABTCF_PurposeConsents");
        let Some(purposes) = Purposes::of(fields) else { return };
        let path = join(path, purposes.path);
        for (code, agreed) in purposes.by_code() {
            self.value(said, &code, &path, &Value::from(agreed));
        }
        let categories = self.categories.meant_by("advertising");
        say(said, &categories, purposes.advertising(), (&path, &purposes.advertising_text()));
    }

    fn meant_by(&mut self, code: &str) -> Vec<&'a Category> {
        if is_privacy_control(code) {
            self.recognised = true;
            return Vec::new();
        }
        let mut categories = self.categories.meant_by(code);
        let code = folded(code);
        let codes = VENDORS.iter().flat_map(|vendor| vendor.codes);
        for (_, means) in codes.filter(|(of_vendor, _)| *of_vendor == code) {
            for category in self.categories.meant_by(means) {
                if !categories.contains(&category) {
                    categories.push(category);
                }
            }
        }
        self.recognised |= !categories.is_empty() || OTHERS.contains(&code.as_str());
        categories
    }

    fn not_understood(&mut self, path: String) {
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push(path);
        }
    }
}

/// Whether a key holds a block once more, and no single word.
fn is_wrapper(key: &str, value: &Value) -> bool {
    let is_block = match value {
        Value::Object(_) | Value::Array(_) => true,
        Value::String(text) => unfold(text).is_some(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    is_block && WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(key.trim()))
}

/// Whether this object is a consent tool's assumption before the choice; the module says how that is marked.
fn is_default(fields: &Map<String, Value>) -> bool {
    let is_default_text =
        |value: &Value| value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("default"));
    ["default", "isDefault"].iter().any(|key| fields.get(*key).is_some_and(is_true))
        || ["source", "event", "command", "action"]
            .iter()
            .any(|key| fields.get(*key).is_some_and(is_default_text))
        || fields.contains_key("wait_for_update")
        || fields.iter().take(CODES_MAX).any(|(key, value)| is_unchosen(key, value))
        // Usercentrics says it of the whole in an object of its own.
        || fields.get("consent").and_then(Value::as_object).is_some_and(|consent| {
            consent.get("type").is_some_and(|kind| is_unchosen("type", kind))
        })
}

/// Whether a tool says by this that nobody has chosen yet.
fn is_unchosen(key: &str, value: &Value) -> bool {
    let (key, text) = (normal(key), normal(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let told = VENDORS.iter().flat_map(|vendor| vendor.unchosen);
    told.into_iter().any(|(of_vendor, unchosen)| *of_vendor == key && *unchosen == text)
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_u64() == Some(1),
        Value::String(text) => ["true", "1"].contains(&normal(text).as_str()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_privacy_control(key: &str) -> bool {
    PRIVACY_CONTROL_KEYS.iter().any(|name| name.eq_ignore_ascii_case(key.trim()))
}

/// The codes and values of an object, as far as they are read.
fn codes_of(codes: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    codes.iter().take(CODES_MAX).map(|(code, value)| (code.as_str(), value))
}

/// The codes that an object in an array names.
fn codes_named_in(item: &Value) -> impl Iterator<Item = String> + '_ {
    CODE_KEYS.iter().filter_map(|key| item.get(key).and_then(code_text))
}

/// A code that stands as a value: text, or a number, as some tools count their purposes.
fn code_text(value: &Value) -> Option<String> {
    match value {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Adds what a value says to each of the categories.
fn say(said: &mut Statements, categories: &[&Category], choice: Choice, (path, value): (&str, &Value)) {
    for category in categories {
        add(said, (*category).clone(), statement(choice, path, value));
    }
}

fn statement(choice: Choice, path: &str, value: &Value) -> Statement {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = text.chars().take(VALUE_CHARS_MAX).collect();
    Statement { choice, key: path.to_owned(), value, tool: None, page: None, source: None }
}

fn join(path: &str, key: &str) -> String {
    format!("{path}.{}", key.trim())
}
