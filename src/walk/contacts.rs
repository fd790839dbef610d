//! The walk over all contacts.

use super::Reviewer;
use crate::decision::{Because, Review, Settings, World};
use crate::delivery::Subject;
use crate::event::Email;
use crate::store::{ErrorClass, Plan, Put, StoreError, Versioned};
use crate::turn::Pace;

impl Reviewer {
    /// Looks at the next contacts, if the settings have changed since all were looked at.
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
        let mut emails = if review.goes_on() {
            self.store.contacts(review.after.clone(), self.page_size(pace)).await?
        } else {
            Vec::new()
        };
        let worked = self.store.worked();
        let loaded = self.readable(&mut emails, settings).await?;
        let began = self.clock.monotonic();
        let mut world = loaded.unwrap_or_default();
        let review = match emails.first() {
            Some(first) if emails.len() == 1 && world.contacts.get(first).is_none() => {
                review.pass_over(first)
            }
            Some(_) | None => review.page(&emails, &mut world, settings, now),
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
        if !emails.is_empty() {
            pace.took(emails.len(), decided_in + self.store.worked().saturating_sub(worked));
        }
        Ok(goes_on)
    }

    /// The working set of the first contacts, as many as can be read; none where the first can't be.
    async fn readable(
        &self,
        emails: &mut Vec<Email>,
        settings: &Settings,
    ) -> Result<Option<World>, StoreError> {
        loop {
            match self.world_of(emails.iter().cloned().map(Subject::Contact).collect(), settings).await {
                Ok(world) => return Ok(Some(world)),
                Err(error) if error.class() != ErrorClass::Document => return Err(error),
                Err(_) if emails.len() > 1 => emails.truncate(emails.len() / 2),
                Err(error) => {
                    tracing::error!(%error, "the review passes over a contact that can't be read");
                    return Ok(None);
                }
            }
        }
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
