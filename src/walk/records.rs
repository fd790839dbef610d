//! The walk over all records: contacts, companies, deals, and what is still to be told.

use super::{Page, Reviewer};
use crate::decision::{Because, Phase, Review, Settings, World};
use crate::delivery::Subject;
use crate::store::{DealQuery, HappeningQuery, Plan, Put, StoreError, Versioned};
use crate::turn::Pace;

impl Reviewer {
    /// Looks at the next records, if the settings have changed since all were looked at.
    pub(super) async fn review_page(
        &self,
        last: Option<Versioned<Review>>,
        pace: &mut Pace,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let (revision, last) = last.map_or((0, None), |found| (found.revision, Some(found.document)));
        let now = self.clock.wall();
        let review = match (Review::asked_for(last.as_ref(), settings, now), last) {
            (Some(because), last) => {
                let contacts = self.store.contacts_count().await?;
                let review = Review::begin(last.as_ref(), because, settings, contacts, now);
                self.say_begun(&review);
                review
            }
            (None, Some(last)) if last.goes_on() => last,
            (None, _) => return Ok(false),
        };
        let mut records = if review.goes_on() {
            self.next_records(&review, self.page_size(pace)).await?
        } else {
            Vec::new()
        };
        let worked = self.store.worked();
        let began = self.clock.monotonic();
        let decide = |records: &[Subject], world: &mut World| match records.first() {
            Some(first) if records.len() == 1 && !is_there(first, world) => review.clone().pass_over(first),
            Some(_) | None => review.clone().page(records, world, settings, now),
        };
        let (review, world) = match self.decided(&mut records, |record| record, settings, decide).await? {
            Page::Decided(review, world) => (review, *world),
            Page::PassOver(record) => (review.pass_over(&record), World::default()),
        };
        let decided_in = self.clock.monotonic().saturating_sub(began);
        let told = review.total > 0 && review.because != Because::Time;
        if told && !review.goes_on() {
            tracing::info!(
                contacts = review.done,
                calls = review.opened,
                "review finished: `contacts` checked, `calls` to make"
            );
        }
        if review.taken_apart > 0 && !review.goes_on() {
            tracing::warn!(
                people = review.taken_apart,
                "people were taken apart whom an older version had stored under ids that name nobody (identity.keep_ids)"
            );
        }
        let mut plan = Plan::of(world, &settings.account);
        let goes_on = review.goes_on();
        plan.puts.push(Put::Review(revision, review));
        self.store.apply(plan).await?;
        if !records.is_empty() {
            pace.took(records.len(), decided_in + self.store.worked().saturating_sub(worked));
        }
        Ok(goes_on)
    }

    /// The records that come next.
    async fn next_records(&self, review: &Review, limit: usize) -> Result<Vec<Subject>, StoreError> {
        Ok(match review.phase.clone() {
            Phase::Contacts => {
                let emails = self.store.contacts(review.after.clone(), limit).await?;
                emails.into_iter().map(Subject::Contact).collect()
            }
            Phase::Companies(after) => {
                self.store.companies(after, limit).await?.into_iter().map(Subject::Company).collect()
            }
            Phase::Deals(after) => {
                let query = DealQuery { after, found_by: None, held: None, limit };
                self.store.deals(query).await?.into_iter().map(Subject::Deal).collect()
            }
            Phase::Happenings(after) => {
                let query = HappeningQuery { account: review.account.clone(), after, limit };
                self.store.open_happenings(query).await?.into_iter().map(Subject::Happening).collect()
            }
        })
    }

    fn say_begun(&self, review: &Review) {
        let contacts = review.total;
        if contacts == 0 {
            return;
        }
        match review.because {
            Because::Account => {
                let hours = contacts.div_ceil(u64::from(self.backfill_per_hour.max(1)));
                tracing::warn!(
                    account = review.account.0,
                    calls_max = contacts,
                    hours_max = hours,
                    "another account is configured: every contact that it has not accepted yet is queued for it"
                );
            }
            Because::Time => {
                tracing::debug!(contacts, "looking for contacts that were not sent for a long time");
            }
            Because::Settings | Because::Unknown => {
                let because = review.because.as_str();
                tracing::info!(
                    contacts,
                    because,
                    "review started: the settings have changed, so every contact is checked again"
                );
            }
        }
    }
}

fn is_there(record: &Subject, world: &World) -> bool {
    match record {
        Subject::Contact(email) => world.contacts.get(email).is_some(),
        Subject::Company(key) => world.companies.get(key).is_some(),
        Subject::Deal(key) => world.deals.get(key).is_some(),
        Subject::Happening(id) => world.happenings.get(id).is_some(),
        Subject::Member(key) => world.contacts.get(&key.email).is_some(),
    }
}
