//! Review: what is stored is looked at again, a page at a time, without an event.
//!
//! Every contact, when the settings it was judged by have changed; every dead letter, when a person orders to send them
//! again; the oldest dead letters, when there are too many. A thin loop around the decision, as `process` is: how far a
//! walk came is written in the transaction of its effect, so a restart goes on where it was. Must not decide, and must not
//! make calls.

mod crowds;
mod dead_letters;
mod records;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decision::{Settings, World, kin_of_junk, respelled_contacts, tidy};
use crate::delivery::Subject;
use crate::store::{ErrorClass, For, Keys, Place, SharedStore, StoreError, load_records};
use crate::telemetry::{Panicked, caught, caught_in};
use crate::turn::{self, Next, Pace, Stage, Stalls};
use dead_letters::Bound;

/// Work of one turn.
const PAGE_WORK: Duration = Duration::from_millis(20);
/// Contacts of one turn, whatever they cost.
const PAGE_MIN: usize = 10;
/// Contacts of one turn, however little they cost.
const PAGE_MAX: usize = 1_000;
/// While events wait to be processed, they go first: a turn does a part of its work, one of so many.
const BESIDE_EVENTS: u32 = 4;
/// After a turn the others have so many times as long: calls are what the walk is for.
const OTHERS_TIMES: u32 = 3;
/// How often the number of dead letters is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// The reviewing stage.
pub struct Reviewer {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung by this stage when deliveries may have been opened.
    pub owed: Arc<Notify>,
    /// Rung by others when a person has ordered something.
    pub ordered: Arc<Notify>,
    /// How many dead letters are kept.
    pub dead_letters_max: u64,
    /// How many contacts of another account can be sent in an hour.
    pub backfill_per_hour: u32,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
}

/// What the loop remembers between pages.
struct Walk {
    bound: Bound,
    pace: Pace,
    /// Where the search for the persons of crowds stands.
    gathering: Place,
}

/// What became of a page of records.
enum Page<R, T> {
    /// They were decided on; this is what changed.
    Decided(T, Box<World>),
    /// The first of them can't be.
    PassOver(R),
}

/// Whether a walk had a page, or that it has none now because it stands.
fn or_stands(
    page: Result<Result<bool, StoreError>, Panicked>,
    stands: &mut Option<StoreError>,
) -> Result<bool, StoreError> {
    match page {
        Ok(Err(error)) if error.class() == ErrorClass::Document => *stands = Some(error),
        Ok(page) => return page,
        Err(panicked) => *stands = Some(StoreError::Unreadable("walk", panicked.to_string())),
    }
    Ok(false)
}

struct Walks {
    reviewer: Reviewer,
    walk: Walk,
}

impl Stage for Walks {
    const NAME: &'static str = "walk";

    /// Looks at one page in one turn. Then three of four parts of the time are for calls, and for the events that wait.
    async fn work(&mut self) -> Result<Next, StoreError> {
        let Reviewer { store, clock, owed, .. } = &self.reviewer;
        let turn = store.turn().await;
        let began = clock.monotonic();
        let more = self.reviewer.page_of_turn(&mut self.walk).await?;
        drop(turn);
        if !more {
            return Ok(Next::After(LOOK_EVERY));
        }
        owed.notify_one();
        let held = clock.monotonic().saturating_sub(began);
        Ok(Next::After(held.saturating_mul(OTHERS_TIMES)))
    }

    async fn rung(&mut self) {
        tokio::select! {
            // Without a sender the service is stopping.
            Ok(()) = self.reviewer.settings.changed() => {}
            () = self.reviewer.ordered.notified() => {}
        }
    }
}

impl Reviewer {
    /// Looks at what there is to look at, until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        let walk = Walk {
            bound: Bound::of(self.dead_letters_max),
            pace: Pace::new(PAGE_WORK, PAGE_MIN, PAGE_MAX),
            gathering: Place::START,
        };
        turn::run(Walks { walk, reviewer: self }, &stalls, &*clock, &stop).await
    }

    /// Looks at the next page of the first walk that has one. A walk that can't go on leaves the others their turn.
    async fn page_of_turn(&self, walk: &mut Walk) -> Result<bool, StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let walks = self.store.load(Keys { walks: true, ..Keys::default() }).await?;
        let mut stands = None;
        let gathering =
            self.gathering_page(walks.gathering, walks.review.as_ref(), &mut walk.gathering, &settings);
        if or_stands(caught_in(Box::pin(gathering)).await, &mut stands)? {
            return Ok(true);
        }
        let redrive = self.redrive_page(walks.redrive, &mut walk.pace, &settings);
        if or_stands(caught_in(Box::pin(redrive)).await, &mut stands)? {
            return Ok(true);
        }
        let review = self.review_page(walks.review, &mut walk.pace, &settings);
        if or_stands(caught_in(Box::pin(review)).await, &mut stands)? {
            return Ok(true);
        }
        let enforce = self.enforce(&mut walk.bound, &settings);
        let more = or_stands(caught_in(Box::pin(enforce)).await, &mut stands)?;
        stands.map_or(Ok(more), Err)
    }

    /// Has the first of some records decided on together, as many as can be; `records` holds no others then. Passes over the
    /// first where that alone can't be.
    async fn decided<R: Clone, T>(
        &self,
        records: &mut Vec<R>,
        subject: impl Fn(&R) -> &Subject,
        settings: &Settings,
        decide: impl Fn(&[R], &mut World) -> T,
    ) -> Result<Page<R, T>, StoreError> {
        loop {
            let subjects = records.iter().map(|record| subject(record).clone()).collect();
            let why = match self.world_of(subjects, settings).await {
                Ok(mut world) => match caught(|| decide(records, &mut world)) {
                    Ok(decided) => return Ok(Page::Decided(decided, Box::new(world))),
                    Err(panicked) => panicked.to_string(),
                },
                Err(error) if error.class() == ErrorClass::Document => error.to_string(),
                Err(error) => return Err(error),
            };
            match records.as_slice() {
                [first] => {
                    tracing::error!(
                        why,
                        code = "walk_passed_over",
                        "a record is passed over that can't be looked at: a defect, or a stored document that can't be read. \
                         Report the place"
                    );
                    return Ok(Page::PassOver(first.clone()));
                }
                [] => return Err(StoreError::Unreadable("walk", why)),
                [..] => records.truncate(records.len() / 2),
            }
        }
    }

    /// How much one turn looks at.
    fn page_size(&self, pace: &Pace) -> usize {
        let events_wait = self.store.processed_end().borrow().events < self.store.journal_end().borrow().0;
        if events_wait { pace.items_of_share(BESIDE_EVENTS) } else { pace.items() }
    }

    /// The working set for evaluating contacts.
    async fn world_of(
        &self,
        mut subjects: BTreeSet<Subject>,
        settings: &Settings,
    ) -> Result<World, StoreError> {
        let mut world = World::default();
        subjects.extend(respelled_contacts(&subjects));
        load_records(&*self.store, &subjects, settings, For::Deciding, &mut world).await?;
        let kin = subjects
            .iter()
            .filter_map(Subject::contact)
            .flat_map(|email| kin_of_junk(email, &world, settings))
            .collect();
        let more = Keys { people: kin, ..Keys::default() };
        if !more.is_empty() {
            self.store.load(more).await?.add_to(&mut world);
        }
        tidy(&mut world, settings);
        Ok(world)
    }
}
