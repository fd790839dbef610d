//! The walk over all people for the crowds of an earlier version, which listed a hundred persons of a contact and forgot the rest.

use std::collections::BTreeSet;

use super::Reviewer;
use crate::decision::{Gathering, Review, Settings, World};
use crate::event::Email;
use crate::store::{For, Keys, Place, Plan, Put, StoreError, Versioned, load_contacts};

/// Addresses that are looked for at once.
const EMAILS_MAX: usize = 20;

impl Reviewer {
    /// Looks through the next people for those who have the address of a crowd that is not gathered; after the last of them every
    /// contact is looked at again. `place` is where it stands; a restart begins anew.
    pub(super) async fn gathering_page(
        &self,
        gathering: Option<Versioned<Gathering>>,
        review: Option<&Versioned<Review>>,
        place: &mut Place,
        settings: &Settings,
    ) -> Result<bool, StoreError> {
        let Some(Versioned { revision, document: mut gathering }) = gathering else { return Ok(false) };
        let emails: BTreeSet<Email> = gathering.emails.iter().take(EMAILS_MAX).cloned().collect();
        if emails.is_empty() {
            return Ok(false);
        }
        let texts = emails.iter().map(|email| email.as_str().to_owned()).collect();
        let (found, next) = self.store.find(texts, *place).await?;
        let mut world = World::default();
        let people = Keys { people: found.people, ..Keys::default() };
        self.store.load(people).await?.add_to(&mut world);
        load_contacts(&*self.store, &emails, settings, For::Deciding, &mut world).await?;
        world.gather(&emails, settings);
        world.contribute(settings);
        let mut plan = Plan::of(world, &settings.account);
        if let Some(next @ Place::People(_)) = next {
            self.store.apply(plan).await?;
            *place = next;
            return Ok(true);
        }
        gathering.emails.retain(|email| !emails.contains(email));
        if gathering.emails.is_empty() {
            tracing::info!(
                "everybody who shares an address with many others was found; contacts are looked at again"
            );
            let again = review.map(|review| Put::Review(review.revision, review.document.clone().doubted()));
            plan.puts.extend(again);
        }
        plan.puts.push(Put::Gathering(revision, gathering));
        self.store.apply(plan).await?;
        *place = Place::START;
        Ok(true)
    }
}
