//! The probe of companies, deals and notes: marked ones are written beside the test contact, what the account makes of them is
//! measured, and they are deleted again. Only of what the mapping writes.
//!
//! What is measured is what cannot be known from documents: whether a name and an amount are enough, whether a deal is found
//! by its key, what a call to a deleted deal is answered. Must not touch a record that it did not write.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::{CallResult, Question, Reply, Unanswered};
use super::{Expected, Finding, Inquiry, TestContact, access};
use crate::contact::CUSTOM_FIELD_PREFIX;
use crate::deal::{create_body, found_in, update_body};
use crate::delivery::{Request, Stored, Verdict};

/// Calls of this part at the most, beside those of a check.
pub(super) const CALLS_MAX: u32 = 20;
/// How long the search is given to find a new deal: it is asked at once, and after each of these.
const SEARCHES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10)];
/// What the amount of the test deal is.
const AMOUNT: u64 = 1;

/// A deal that was written.
struct TestDeal {
    id: u64,
    key: String,
}

impl Inquiry<'_> {
    /// Writes a company, a deal and a note beside the test contact, as far as the mapping writes such; deletes them.
    pub(super) async fn probe_records(&mut self, contact: u64, test: &TestContact, expected: &Expected) {
        let has_deals = expected.preset.deal_kinds().next().is_some();
        let has_companies = expected.preset.company().is_some();
        if !has_deals && !has_companies {
            return;
        }
        self.report.calls_max += CALLS_MAX;
        let company = if has_companies { self.company(test).await } else { None };
        if has_deals {
            if let Some(deal) = self.deal(contact, company, test, expected).await {
                self.find_deal(contact, &deal, expected).await;
                self.delete_deal(&deal).await;
            }
            self.note(contact).await;
        }
        if let Some(id) = company {
            let reply = self.ask(Question::DeleteCompany(id)).await;
            self.find(deleted("company", id, reply.as_ref()));
        }
    }

    async fn call(&mut self, request: Request) -> Result<CallResult, Unanswered> {
        self.count()?;
        Ok(super::Crm::call(self.client, request).await)
    }

    async fn company(&mut self, test: &TestContact) -> Option<u64> {
        let name = test.marker();
        let body = json!({ "unique_identifier": { "name": name }, "sales_account": { "name": name } });
        let first = self.call(Request::UpsertCompany { body: body.clone() }).await;
        let id = match stored(first.as_ref(), "the test company") {
            Ok(answer) => answer.id?,
            Err(finding) => {
                self.find(finding);
                return None;
            }
        };
        let again = self.call(Request::UpsertCompany { body }).await;
        let same =
            stored(again.as_ref(), "the test company, written again").map(|answer| answer.id == Some(id));
        self.find(match same {
            Ok(true) => Finding::fine("a company is created by its name, and the same name is the same company"),
            Ok(false) => Finding::wrong(
                "the same name made another company: the account does not keep names of companies unique; take [company] out of \
                 the mapping, or make the name unique in Freshsales under Admin Settings, Accounts",
            ),
            Err(finding) => finding,
        });
        Some(id)
    }

    /// A deal with a name and an amount; where that is not enough, one with the company too.
    async fn deal(
        &mut self,
        contact: u64,
        company: Option<u64>,
        test: &TestContact,
        expected: &Expected,
    ) -> Option<TestDeal> {
        let key = test.marker();
        let mut sent = Map::from_iter([
            ("name".to_owned(), json!(format!("Probe (may be deleted) (#{key})"))),
            ("amount".to_owned(), json!(AMOUNT)),
        ]);
        if let Some(field) = key_field(expected) {
            sent.insert(field.to_owned(), json!(key));
        }
        let contacts = [contact].into();
        let request = |account| Request::CreateDeal { body: create_body(&sent, &contacts, account) };
        let first = self.call(request(None)).await;
        let (answer, fine) = match stored(first.as_ref(), "the test deal with a name and an amount") {
            Ok(answer) => (answer, "a name and an amount are enough for a deal"),
            Err(finding) => {
                self.find(finding);
                let account = company.filter(|_| is_refusal(first.as_ref()))?;
                let second = self.call(request(Some(account))).await;
                match stored(second.as_ref(), "the test deal with a company") {
                    Ok(answer) => (
                        answer,
                        "a deal is created with a name, an amount and a company: set company.missing in the mapping for people \
                         without one",
                    ),
                    Err(finding) => {
                        self.find(finding);
                        return None;
                    }
                }
            }
        };
        let Some(id) = answer.id else {
            self.find(Finding::wrong(format!(
                "the test deal was stored and its id was not said: look for {key} in Freshsales and delete it"
            )));
            return None;
        };
        self.find(Finding::fine(fine));
        Some(TestDeal { id, key })
    }

    /// Whether a deal whose creation was not answered would be found.
    async fn find_deal(&mut self, contact: u64, deal: &TestDeal, expected: &Expected) {
        let field = key_field(expected);
        let holds = |reply: &Result<Reply, Unanswered>| {
            let answer = reply.as_ref().ok().and_then(Reply::json);
            let answer = answer.as_ref().and_then(Value::as_object);
            answer.is_some_and(|answer| found_in(answer, &deal.key, field).contains(&deal.id))
        };
        let of_contact = self.ask(Question::DealsOf(contact)).await;
        self.find(if holds(&of_contact) {
            Finding::fine("the deals of a contact show the key, so one whose answer is lost is found there")
        } else {
            Finding::wrong(
                "the deals of a contact do not show the test deal with its key: a deal whose answer is lost could be created \
                 twice; leave key_field empty, so that the key stands in the name",
            )
        });
        let Some(field) = field.and_then(|field| field.strip_prefix(CUSTOM_FIELD_PREFIX)) else { return };
        let mut waited = Duration::ZERO;
        for wait in [Duration::ZERO].into_iter().chain(SEARCHES) {
            self.client.wait(wait).await;
            waited += wait;
            let request = Request::FindDeal { field: field.to_owned(), value: deal.key.clone() };
            let found = self.call(request).await;
            let found = found.as_ref().ok().and_then(|found| match &found.verdict {
                Verdict::Stored(answer) => answer.shown.as_ref(),
                Verdict::Refused { .. }
                | Verdict::Throttled { .. }
                | Verdict::Passing { .. }
                | Verdict::Blocked { .. }
                | Verdict::Gone { .. }
                | Verdict::Shut { .. } => None,
            });
            if found.is_some_and(|answer| found_in(answer, &deal.key, Some(field)).contains(&deal.id)) {
                let seconds = waited.as_secs();
                return self.find(Finding::fine(format!(
                    "the search finds a new deal by its key after {seconds} s"
                )));
            }
        }
        self.find(Finding::note(format!(
            "the search does not find a new deal by its key within {} s; freshsignal asks it again after 5 and 25 minutes",
            waited.as_secs()
        )));
    }

    /// Deletes the deal, and sees what a call to it is answered then.
    async fn delete_deal(&mut self, deal: &TestDeal) {
        let reply = self.ask(Question::DeleteDeal(deal.id)).await;
        let finding = deleted("deal", deal.id, reply.as_ref());
        let is_gone = finding.level == super::Level::Fine;
        self.find(finding);
        if !is_gone {
            return;
        }
        let sent = Map::from_iter([("amount".to_owned(), json!(AMOUNT + 1))]);
        let body = update_body(&sent, &[].into());
        let answer = self.call(Request::UpdateDeal { id: deal.id, body }).await;
        let says = match answer.as_ref().map(|answer| &answer.verdict) {
            Ok(Verdict::Gone { .. }) => Finding::fine(
                "a deal that was deleted is answered with 404, so it is left deleted (when_gone)",
            ),
            Ok(Verdict::Stored(_)) => Finding::note(
                "a change of a deleted deal is answered as if it were stored: freshsignal can't know that somebody deleted it",
            ),
            Ok(other) => Finding::note(format!(
                "a change of a deleted deal is answered otherwise than with 404: {}",
                words(other)
            )),
            Err(unanswered) => Finding::wrong(access::unreachable(unanswered)),
        };
        self.find(says);
    }

    /// A note on the contact, which is the place where a person looks first.
    async fn note(&mut self, contact: u64) {
        let written = self.ask(Question::WriteNote(contact)).await;
        let id = written.as_ref().ok().filter(|reply| reply.status < 300).and_then(note_id);
        let Some(id) = id else {
            let why = written.as_ref().map_or_else(ToString::to_string, |reply| reply.status.to_string());
            return self.find(Finding::note(format!(
                "the test note was not written ({why}): the user of the key may not write notes"
            )));
        };
        let listed = self.ask(Question::NotesOf(contact)).await;
        let shown = listed
            .ok()
            .is_some_and(|reply| String::from_utf8_lossy(&reply.body).contains(super::super::PROBE_NOTE));
        self.find(if shown {
            Finding::fine("the user of the key may write notes, and the notes of a contact show them")
        } else {
            Finding::note("the notes of a contact do not show the test note")
        });
        let reply = self.ask(Question::DeleteNote(id)).await;
        self.find(deleted("note", id, reply.as_ref()));
    }
}

/// The field in which the first kind of deals has its key, if it has one.
fn key_field(expected: &Expected) -> Option<&str> {
    let (_, rule) = expected.preset.deal_kinds().next()?;
    Some(rule.key_field.as_str()).filter(|field| !field.is_empty())
}

fn note_id(reply: &Reply) -> Option<u64> {
    reply.json()?.get("note")?.get("id")?.as_u64()
}

fn is_refusal(result: Result<&CallResult, &Unanswered>) -> bool {
    result.is_ok_and(|result| matches!(result.verdict, Verdict::Refused { .. }))
}

fn stored(result: Result<&CallResult, &Unanswered>, what: &str) -> Result<Stored, Finding> {
    let result = result.map_err(|unanswered| Finding::wrong(access::unreachable(unanswered)))?;
    match &result.verdict {
        Verdict::Stored(answer) => Ok(answer.clone()),
        other => Err(Finding::wrong(format!("{what} was not stored: {}", words(other)))),
    }
}

fn words(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Stored(_) => "it was stored",
        Verdict::Refused { reason, .. }
        | Verdict::Throttled { reason, .. }
        | Verdict::Passing { reason }
        | Verdict::Blocked { reason, .. }
        | Verdict::Gone { reason }
        | Verdict::Shut { reason } => reason,
    }
}

/// Whether a record is gone again.
fn deleted(what: &str, id: u64, reply: Result<&Reply, &Unanswered>) -> Finding {
    let why = match reply {
        Ok(reply) if (200..=299).contains(&reply.status) && !reply.html => {
            return Finding::fine(format!("the test {what} is deleted again"));
        }
        Ok(reply) => reply.status.to_string(),
        Err(unanswered) => unanswered.to_string(),
    };
    Finding::wrong(format!(
        "the test {what} could not be deleted ({why}): delete it in Freshsales by hand, its id is {id}"
    ))
}
