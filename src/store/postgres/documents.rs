//! Documents: one statement for all new ones of a kind and one for all that were there, and loading them.

use super::deliveries;
use super::link::Step;
use super::names::Names;
use super::rows::by_revision_gone;
use super::value::{hash, text, values};
use crate::company::Company;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::delivery::{CompanyKey, HappeningId};
use crate::event::{CrmRecord, Email};
use crate::happening::Happening;
use crate::person::{Person, PersonKey, Timeline, TimelineKey};
use crate::store::columns::{int, to_text};
use crate::store::{Gone, PutDeal, Revision, StoreError};

/// Rows of one table, column by column.
#[derive(Default)]
struct Rows {
    hashes: Vec<Vec<u8>>,
    keys: Vec<String>,
    others: Vec<String>,
    revisions: Vec<i64>,
    bodies: Vec<String>,
}

impl Rows {
    fn push(&mut self, key: &str, revision: Revision, body: String) {
        self.hashes.push(hash(key));
        self.keys.push(text(key));
        self.revisions.push(int(revision));
        self.bodies.push(body);
    }
}

/// New rows and those that were there.
#[derive(Default)]
struct Both {
    new: Rows,
    known: Rows,
}

impl Both {
    fn at(&mut self, revision: Revision) -> &mut Rows {
        if revision == 0 { &mut self.new } else { &mut self.known }
    }
}

/// Records with the columns that they are found by.
#[derive(Default)]
struct Found {
    rows: Rows,
    texts: [Vec<Option<String>>; 3],
    words: [Vec<String>; 3],
    open: Vec<bool>,
}

#[derive(Default)]
struct BothFound {
    new: Found,
    known: Found,
}

impl BothFound {
    fn at(&mut self, revision: Revision) -> &mut Found {
        if revision == 0 { &mut self.new } else { &mut self.known }
    }
}

/// The documents of a plan.
pub(super) struct Batch {
    /// The day of what was heard; none where nobody said anything.
    day: Option<i64>,
    today: i64,
    people: Both,
    names: Names,
    timelines: Both,
    contacts: Both,
    companies: Both,
    deals: BothFound,
    happenings: BothFound,
    /// Account, kind, id and key of what has an id in the CRM.
    ids: std::collections::BTreeMap<(String, &'static str, i64), String>,
    gone: Vec<Step>,
}

impl Batch {
    pub(super) fn new(day: Option<i64>, today: i64) -> Self {
        Self {
            day,
            today,
            people: Both::default(),
            names: Names::default(),
            timelines: Both::default(),
            contacts: Both::default(),
            companies: Both::default(),
            deals: BothFound::default(),
            happenings: BothFound::default(),
            ids: std::collections::BTreeMap::new(),
            gone: Vec::new(),
        }
    }

    pub(super) fn person(
        &mut self,
        key: &PersonKey,
        revision: Revision,
        person: &Person,
    ) -> Result<(), StoreError> {
        let key = key.to_string();
        self.names.put(&key, person, revision == 0);
        self.people.at(revision).push(&key, revision, to_text("person", person)?);
        Ok(())
    }

    pub(super) fn timeline(
        &mut self,
        key: &TimelineKey,
        revision: Revision,
        line: &Timeline,
    ) -> Result<(), StoreError> {
        let rows = self.timelines.at(revision);
        rows.push(&line_key(key), revision, to_text("timeline", line)?);
        rows.keys.pop();
        rows.keys.push(text(&key.people));
        rows.others.push(text(&key.anonymous_id));
        Ok(())
    }

    pub(super) fn contact(
        &mut self,
        email: &Email,
        revision: Revision,
        contact: &Contact,
    ) -> Result<(), StoreError> {
        let body = to_text("contact", contact)?;
        self.contacts.at(revision).push(email.as_str(), revision, body);
        for (account, standing) in &contact.standing {
            if let Some(id) = standing.contact_id {
                self.id(&account.0, CrmRecord::Contact, id, email.as_str());
            }
        }
        Ok(())
    }

    pub(super) fn company(
        &mut self,
        key: &CompanyKey,
        revision: Revision,
        company: &Company,
    ) -> Result<(), StoreError> {
        let body = to_text("company", company)?;
        self.companies.at(revision).push(key.as_str(), revision, body);
        Ok(())
    }

    pub(super) fn deal(&mut self, put: &PutDeal) -> Result<(), StoreError> {
        let PutDeal { key, revision, deal, account, held } = put;
        let found = self.deals.at(*revision);
        found.rows.push(&key.to_string(), *revision, to_text("deal", deal)?);
        let account = held.map(|_| text(&account.0));
        let columns = [deal.found_by().map(|by| text(&by)), account, held.map(text)];
        found.texts.iter_mut().zip(columns).for_each(|(column, value)| column.push(value));
        self.deal_ids(&key.to_string(), deal);
        Ok(())
    }

    fn deal_ids(&mut self, key: &str, deal: &Deal) {
        for (account, standing) in &deal.standing {
            if let Some(id) = standing.birth.id() {
                self.id(&account.0, CrmRecord::Deal, id, key);
            }
        }
    }

    fn id(&mut self, account: &str, record: CrmRecord, id: u64, key: &str) {
        self.ids.insert((text(account), record.as_str(), int(id)), text(key));
    }

    pub(super) fn happening(
        &mut self,
        id: &HappeningId,
        revision: Revision,
        happening: &Happening,
    ) -> Result<(), StoreError> {
        let found = self.happenings.at(revision);
        found.rows.push(&id.to_string(), revision, to_text("happening", happening)?);
        let standing = &happening.standing;
        let columns = [
            happening.email.as_ref().map(|email| text(email.as_str())),
            happening.person.as_ref().map(|person| text(&person.to_string())),
            happening.hangs_on().map(|on| text(&on)),
        ];
        found.texts.iter_mut().zip(columns).for_each(|(column, value)| column.push(value));
        let held = standing.held.as_ref().map_or("", |held| held.as_str());
        let words = [happening.account.0.as_str(), standing.state().as_str(), held].map(text);
        found.words.iter_mut().zip(words).for_each(|(column, value)| column.push(value));
        found.open.push(standing.is_open());
        Ok(())
    }

    pub(super) fn gone(&mut self, gone: &Gone, deliveries: &mut deliveries::Batch) {
        match gone {
            Gone::Person(key, revision) => {
                self.gone.push(by_hash_gone("people", &key.to_string(), *revision));
            }
            Gone::Timeline(key, revision) => {
                self.gone.push(by_hash_gone("timelines", &line_key(key), *revision));
            }
            Gone::Contact(email, revision) => {
                self.gone.push(by_revision_gone(("contacts", "email"), email.as_str(), *revision));
                self.gone.push(forget_id(CrmRecord::Contact, email.as_str()));
                let sql = "DELETE FROM contributions WHERE tenant = 1 AND email = $1";
                self.gone.push(Step::any(sql, values![text(email.as_str())]));
            }
            Gone::Company(key, revision) => {
                self.gone.push(by_revision_gone(("companies", "key"), key.as_str(), *revision));
            }
            Gone::Deal(key, revision) => {
                let key = key.to_string();
                self.gone.push(forget_id(CrmRecord::Deal, &key));
                self.gone.push(by_revision_gone(("deals", "key"), &key, *revision));
            }
            Gone::Happening(id, revision) => {
                self.gone.push(by_revision_gone(("happenings", "key"), &id.to_string(), *revision));
            }
            Gone::Delivery(id, revision) => deliveries.gone(id, *revision),
        }
    }

    /// All of it, in an order in which each statement finds what it needs.
    pub(super) fn steps(self) -> Vec<Step> {
        let Self { day, today, people, names, timelines, contacts, companies, deals, happenings, ids, gone } =
            self;
        let mut steps = Vec::new();
        steps.extend(people_steps(people, day));
        steps.extend(names.steps());
        steps.extend(timeline_steps(timelines, day));
        steps.extend(plain_steps(("contacts", "email"), contacts));
        steps.extend(plain_steps(("companies", "key"), companies));
        steps.extend(deal_steps(deals, day));
        steps.extend(happening_steps(happenings, today));
        if !ids.is_empty() {
            let (mut accounts, mut kinds, mut numbers, mut keys) =
                (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for ((account, kind, id), key) in ids {
                accounts.push(account);
                kinds.push(kind.to_owned());
                numbers.push(id);
                keys.push(key);
            }
            let sql = "INSERT INTO crm_ids AS c (account, kind, id, key)
                       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
                       ON CONFLICT (tenant, account, kind, id) DO UPDATE SET key = excluded.key WHERE c.key <> excluded.key";
            steps.push(Step::any(sql, values![accounts, kinds, numbers, keys]));
        }
        steps.extend(gone);
        steps
    }
}

/// The key of a time line as one text.
pub(super) fn line_key(key: &TimelineKey) -> String {
    format!("{}\n{}", key.people, key.anonymous_id)
}

fn by_hash_gone(table: &str, key: &str, revision: Revision) -> Step {
    let sql = format!("DELETE FROM {table} WHERE tenant = 1 AND hash = $1 AND revision = $2");
    Step::must(1, sql, values![hash(key), int(revision)])
}

fn forget_id(record: CrmRecord, key: &str) -> Step {
    let sql = "DELETE FROM crm_ids WHERE tenant = 1 AND kind = $1 AND key = $2";
    Step::any(sql, values![record.as_str().to_owned(), text(key)])
}

/// A statement that has to change each of some rows, if there are any.
fn each(
    rows: usize,
    sql: impl Into<std::borrow::Cow<'static, str>>,
    values: Vec<super::value::Value>,
) -> Option<Step> {
    (rows > 0).then(|| Step::must(rows, sql, values))
}

fn people_steps(Both { new, known }: Both, day: Option<i64>) -> impl Iterator<Item = Step> {
    let insert = "INSERT INTO people (hash, key, revision, day, body)
        SELECT hash, key, 1, coalesce($4::bigint, 0), body
        FROM unnest($1::bytea[], $2::text[], $3::text[]) WITH ORDINALITY AS u(hash, key, body, nth) ORDER BY nth";
    let update =
        "UPDATE people AS d SET body = u.body, revision = u.revision + 1, day = coalesce($4::bigint, d.day)
        FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS u(hash, revision, body)
        WHERE d.tenant = 1 AND d.hash = u.hash AND d.revision = u.revision";
    let inserted = each(new.keys.len(), insert, values![new.hashes, new.keys, new.bodies, day]);
    let updated = each(known.keys.len(), update, values![known.hashes, known.revisions, known.bodies, day]);
    updated.into_iter().chain(inserted)
}

fn timeline_steps(Both { new, known }: Both, day: Option<i64>) -> impl Iterator<Item = Step> {
    let insert = "INSERT INTO timelines (hash, people, anonymous_id, revision, day, body)
        SELECT hash, people, id, 1, coalesce($5::bigint, 0), body
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u(hash, people, id, body, nth)
        ORDER BY nth";
    let update = "UPDATE timelines AS d SET body = u.body, revision = u.revision + 1, day = coalesce($4::bigint, d.day)
        FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS u(hash, revision, body)
        WHERE d.tenant = 1 AND d.hash = u.hash AND d.revision = u.revision";
    let inserted = each(new.keys.len(), insert, values![new.hashes, new.keys, new.others, new.bodies, day]);
    let updated = each(known.keys.len(), update, values![known.hashes, known.revisions, known.bodies, day]);
    updated.into_iter().chain(inserted)
}

fn plain_steps((table, key): (&str, &str), Both { new, known }: Both) -> impl Iterator<Item = Step> {
    let insert = format!(
        "INSERT INTO {table} ({key}, revision, body)
         SELECT key, 1, body FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, body, nth) ORDER BY nth"
    );
    let update = format!(
        "UPDATE {table} AS d SET body = u.body, revision = u.revision + 1
         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS u(key, revision, body)
         WHERE d.tenant = 1 AND d.{key} = u.key AND d.revision = u.revision"
    );
    let inserted = each(new.keys.len(), insert, values![new.keys, new.bodies]);
    let updated = each(known.keys.len(), update, values![known.keys, known.revisions, known.bodies]);
    updated.into_iter().chain(inserted)
}

fn deal_steps(BothFound { new, known }: BothFound, day: Option<i64>) -> impl Iterator<Item = Step> {
    let insert = "INSERT INTO deals (key, revision, day, found_by, held_for, held, body)
        SELECT key, 1, coalesce($6::bigint, 0), found_by, held_for, held, body
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
            AS u(key, body, found_by, held_for, held, nth) ORDER BY nth";
    let update =
        "UPDATE deals AS d SET body = u.body, revision = u.revision + 1, day = coalesce($7::bigint, d.day),
            found_by = u.found_by, held_for = u.held_for, held = u.held
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
            AS u(key, revision, body, found_by, held_for, held)
        WHERE d.tenant = 1 AND d.key = u.key AND d.revision = u.revision";
    let Found { rows, texts: [found_by, held_for, held], .. } = new;
    let inserted =
        each(rows.keys.len(), insert, values![rows.keys, rows.bodies, found_by, held_for, held, day]);
    let Found { rows, texts: [found_by, held_for, held], .. } = known;
    let values = values![rows.keys, rows.revisions, rows.bodies, found_by, held_for, held, day];
    let updated = each(rows.hashes.len(), update, values);
    updated.into_iter().chain(inserted)
}

fn happening_steps(BothFound { new, known }: BothFound, day: i64) -> impl Iterator<Item = Step> {
    let insert = "INSERT INTO happenings (key, revision, day, account, open, state, held, email, person, target, body)
        SELECT key, 1, $10::bigint, account, open, state, held, email, person, target, body
        FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[]) WITH ORDINALITY AS u(key, body, account, open, state, held, email, person, target, nth) ORDER BY nth";
    let update = "UPDATE happenings AS d SET body = u.body, revision = u.revision + 1, day = $11::bigint,
            account = u.account, open = u.open, state = u.state, held = u.held, email = u.email, person = u.person,
            target = u.target
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[]) AS u(key, revision, body, account, open, state, held, email, person, target)
        WHERE d.tenant = 1 AND d.key = u.key AND d.revision = u.revision";
    let Found { rows, texts: [email, person, target], words: [account, state, held], open } = new;
    let count = rows.keys.len();
    let values = values![rows.keys, rows.bodies, account, open, state, held, email, person, target, day];
    let inserted = each(count, insert, values);
    let Found { rows, texts: [email, person, target], words: [account, state, held], open } = known;
    let count = rows.keys.len();
    let values = values![
        rows.keys,
        rows.revisions,
        rows.bodies,
        account,
        open,
        state,
        held,
        email,
        person,
        target,
        day
    ];
    let updated = each(count, update, values);
    updated.into_iter().chain(inserted)
}
