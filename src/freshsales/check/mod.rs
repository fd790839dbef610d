//! The live check: asks the account what a configuration can't know, and says what to do about it.
//!
//! Each question is a call of the account's allowance, so their number is bounded. What replies mean is judged by pure
//! functions beside this file. Must not change the account, except for the test records of the probe.

mod access;
mod finding;
mod leads;
mod mapping;
mod names;
mod probe;
mod records;
mod shared;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use finding::{Finding, Level};
pub use mapping::CONTACT_ATTRIBUTES;
pub use probe::TestContact;

use super::fields::{ContactField, contact_fields};
use super::{AccountKind, CallResult, Client, Crm, Question, Reply, Unanswered};
use crate::clock::UnixMicros;
use crate::decision;
use crate::delivery::Request;
use crate::mapping::Preset;
use crate::selectors::{Answered, Entry, Kind, LISTS_PER_PAGE, Selectors, Table};
use access::Access;

/// Calls that one check makes at the most; a probe of companies and deals makes some more.
pub const CALLS_MAX: u32 = 16;
/// Pages of lists of contacts that it asks for.
const LISTS_PAGES_MAX: u64 = 3;

/// What the configuration says, as far as an account can contradict it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The mapping.
    pub preset: Preset,
    /// Whether people whom nobody knows become leads.
    pub leads: bool,
    /// Calls an hour that the configuration takes the account to have, before any reserve.
    pub per_hour: u32,
    /// What is written for a granted consent.
    pub subscribed: Value,
    /// What is written for a denied one.
    pub unsubscribed: Value,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether alias and key are right; else nothing more was asked.
    pub open: bool,
    /// In the order it was found.
    pub findings: Vec<Finding>,
    /// Calls that were made.
    pub calls: u32,
    /// Calls that might have been made at the most.
    pub calls_max: u32,
}

impl Report {
    /// How many findings have to be dealt with.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.findings.iter().filter(|finding| finding.level == Level::Wrong).count()
    }
}

/// Asks the account, and where a test contact is given writes, reads and forgets it.
pub async fn check(client: &Client, expected: &Expected, test: Option<TestContact>) -> Report {
    let report = Report { calls_max: CALLS_MAX, ..Report::default() };
    let mut inquiry = Inquiry { client, report };
    let reply = inquiry.ask(Question::Owners).await;
    let (mut access, mut found) = access::account(reply.as_ref(), client.account_kind());
    let mut filters = None;
    if access == Access::Hidden {
        let reply = inquiry.ask(Question::ContactFilters).await;
        (access, found) = access::without_owners(reply.as_ref());
        filters = Some(reply);
    }
    inquiry.report.findings.extend(found);
    let Access::Open { owners } = access else { return inquiry.report };
    inquiry.report.open = true;
    if let Ok(reply) = &reply {
        inquiry.find(access::allowance(reply, expected.per_hour));
    }
    inquiry.names(expected, &reply).await;
    let fields = inquiry.fields().await;
    if let Some(fields) = &fields {
        inquiry.report.findings.extend(mapping::judge(&expected.preset, fields, owners.as_deref()));
        inquiry.report.findings.extend(mapping::judge_status(expected, fields));
    }
    if expected.leads {
        let reply = inquiry.ask(Question::LeadFields).await;
        inquiry.report.findings.extend(leads::judge(expected, reply.as_ref()));
    }
    let reply = match filters {
        Some(reply) => reply,
        None => inquiry.ask(Question::ContactFilters).await,
    };
    inquiry.find(access::contacts(reply.as_ref(), test.is_some()));
    if let Some(test) = test {
        inquiry.probe(test, expected, fields.as_deref().unwrap_or_default()).await;
    }
    inquiry.report
}

struct Inquiry<'a> {
    client: &'a Client,
    report: Report,
}

impl Inquiry<'_> {
    async fn ask(&mut self, question: Question) -> Result<Reply, Unanswered> {
        self.count()?;
        self.client.ask(question).await
    }

    async fn upsert(&mut self, body: Value) -> Result<CallResult, Unanswered> {
        self.count()?;
        Ok(self.client.call(Request::UpsertContact { body, shows_companies: false }).await)
    }

    fn count(&mut self) -> Result<(), Unanswered> {
        let most = self.report.calls_max;
        if self.report.calls >= most {
            return Err(Unanswered(format!("{most} calls were made already")));
        }
        self.report.calls += 1;
        Ok(())
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    /// The names of the mapping, in the lists that they are looked up in; then what deals of the account demand.
    async fn names(&mut self, expected: &Expected, owners: &Result<Reply, Unanswered>) {
        let mut selectors = Selectors::default();
        if expected.preset.selectors().contains(&Kind::Owners) {
            let found = names::learn(Kind::Owners, owners.as_ref(), &mut selectors);
            self.report.findings.extend(found);
        }
        for kind in names::to_ask(expected) {
            if kind == Kind::Lists {
                self.lists(&mut selectors).await;
                continue;
            }
            let reply = self.ask(Question::List(kind.name())).await;
            let found = names::learn(kind, reply.as_ref(), &mut selectors);
            self.report.findings.extend(found);
        }
        self.outcomes(expected, &mut selectors).await;
        self.report.findings.extend(names::judge(expected, &selectors));
        if expected.preset.deal_kinds().next().is_some() {
            let reply = self.ask(Question::DealFields).await;
            self.report.findings.extend(names::judge_deals(expected, reply.as_ref()));
            let reply = self.ask(Question::DealFilters).await;
            self.report.findings.extend(access::deals(reply.as_ref()));
        }
    }

    /// The outcomes of each type of activities for which the mapping names one.
    async fn outcomes(&mut self, expected: &Expected, selectors: &mut Selectors) {
        let mut known = Table::default();
        for activity_type in decision::activity_types_with_outcomes(&expected.preset, selectors) {
            let reply = self.ask(Question::Outcomes(activity_type)).await;
            let found = names::learn(Kind::SalesActivityOutcomes, reply.as_ref(), selectors);
            self.report.findings.extend(found);
            if let Some(outcomes) = names::known(Kind::SalesActivityOutcomes, selectors) {
                known.entries.push(Entry::with_outcomes(activity_type, outcomes));
            }
        }
        if !known.entries.is_empty() {
            selectors.learn(Kind::SalesActivityOutcomes, UnixMicros(0), Answered::Known(known));
        }
    }

    /// The lists of contacts, page by page.
    async fn lists(&mut self, selectors: &mut Selectors) {
        for page in 1..=LISTS_PAGES_MAX {
            let before = selectors.list(Kind::Lists).cloned();
            let reply = self.ask(Question::Lists(page)).await;
            let found = names::learn(Kind::Lists, reply.as_ref(), selectors);
            let wrong = found.is_some();
            self.report.findings.extend(found);
            if wrong || !names::follows(before, selectors) {
                return;
            }
        }
        self.find(Finding::note(format!(
            "the account has more than {} lists of contacts; names that are not among those were not looked for",
            LISTS_PAGES_MAX * LISTS_PER_PAGE as u64
        )));
    }

    async fn fields(&mut self) -> Option<Vec<ContactField>> {
        let reply = self.ask(Question::ContactFields).await;
        let listed = match access::fields(reply.as_ref()) {
            Ok(reply) => reply.json().as_ref().and_then(contact_fields),
            Err(finding) => {
                self.find(finding);
                return None;
            }
        };
        if listed.is_none() {
            self.find(access::no_list_of_fields());
        }
        listed
    }

    /// Writes the test contact twice, as a first call and as a change of its status; reads it; forgets it.
    async fn probe(&mut self, test: TestContact, expected: &Expected, fields: &[ContactField]) {
        let first = probe::first(&test, expected, fields);
        let created = self.upsert(first.body(&test)).await;
        let stored = match probe::created(created.as_ref(), &test) {
            Ok((stored, finding)) => {
                self.find(finding);
                stored
            }
            Err(finding) => return self.find(finding),
        };
        let Some(id) = stored.id else { return self.find(probe::no_id(&test)) };
        let shown = self.shown(id, stored.shown).await;
        self.report.findings.extend(probe::stuck(&first, &shown));

        let second = probe::second(expected);
        let changed = self.upsert(second.body(&test)).await;
        match probe::changed(changed.as_ref()) {
            Ok(_) => {
                self.find(Finding::fine("the user of the key may edit contacts"));
                let shown = self.shown(id, None).await;
                self.report.findings.extend(probe::stuck(&second, &shown));
                self.report.findings.extend(probe::kept(&first, &shown));
            }
            Err(finding) => self.find(finding),
        }
        self.probe_records(id, &test, expected).await;
        let forgotten = self.ask(Question::Forget(id)).await;
        self.find(probe::forgotten(forgotten.as_ref(), id, &test));
    }

    /// The contact as Freshsales shows it when asked, else as the answer of the call showed it.
    async fn shown(&mut self, id: u64, answered: Option<probe::Shown>) -> probe::Shown {
        let asked = self.ask(Question::Contact(id)).await.ok();
        let read = asked.filter(|reply| reply.status == 200).and_then(|reply| probe::contact_in(&reply));
        read.or(answered).unwrap_or_default()
    }
}
