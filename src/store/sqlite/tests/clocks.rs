//! Tests of a store across clocks that are set and machines that start anew.

use super::*;
use crate::allowance::SlotId;
use crate::clock::{Clock, SteadyClock};
use crate::store::Put;

const HOUR: Duration = Duration::from_hours(1);

/// A store as the service opens it on this machine, and the clock it goes by.
fn on(machine: &ManualClock, folder: &Path) -> (Arc<SqliteStore>, Arc<SteadyClock<ManualClock>>) {
    let steady = Arc::new(SteadyClock::over(machine.clone()));
    let store = SqliteStore::open(folder, settings(), Arc::clone(&steady) as Arc<dyn Clock>).unwrap();
    (store, steady)
}

fn jump(machine: &ManualClock, by: Duration) {
    machine.jump_wall_to(machine.wall().plus(by));
}

/// How long ago each slot was answered; `None`: it was not.
async fn ages(store: &Arc<SqliteStore>, steady: &impl Clock) -> Vec<Option<Duration>> {
    let now = steady.wall();
    let (slots, _) = store.slots(account(), now).await.unwrap();
    slots.into_iter().map(|slot| slot.answered_at.map(|answered_at| now.since(answered_at))).collect()
}

async fn call(store: &Arc<SqliteStore>, steady: &impl Clock, slot: u64) {
    let slot = SlotId(slot);
    state::put(store, [Put::SlotTaken(account(), slot, steady.wall())]).await.unwrap();
    state::put(store, [Put::SlotAnswered(account(), slot, steady.wall())]).await.unwrap();
}

#[tokio::test]
async fn a_restart_with_the_clock_ten_days_ahead_frees_no_slot_and_moves_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let machine = ManualClock::at(NOW);
    let (store, steady) = on(&machine, folder.path());
    call(&store, &steady, 1).await;
    machine.advance(HOUR / 2);
    call(&store, &steady, 2).await;
    state::put(&store, [Put::SlotTaken(account(), SlotId(3), steady.wall())]).await.unwrap();
    drop(store);

    machine.advance(HOUR / 4);
    let right = machine.wall();
    jump(&machine, Duration::from_hours(240));
    let (store, steady) = on(&machine, folder.path());
    assert_eq!(steady.wall(), right);
    assert!(store.latest_moment() <= right, "what opening wrote down is right, too");
    let in_minutes = |minutes: u64| Some(Duration::from_mins(minutes));
    assert_eq!(ages(&store, &steady).await, [in_minutes(45), in_minutes(15), in_minutes(0)]);
    drop(store);

    // Set right again, another start: nothing is younger or older for it.
    machine.jump_wall_to(right);
    machine.advance(HOUR / 4);
    let (store, steady) = on(&machine, folder.path());
    assert_eq!(steady.wall(), machine.wall());
    assert_eq!(ages(&store, &steady).await, [in_minutes(30), in_minutes(15)], "an hour frees a slot");
}

#[tokio::test]
async fn after_a_start_of_the_machine_a_slot_is_no_older_than_that_start() {
    let folder = tempfile::tempdir().unwrap();
    let machine = ManualClock::at(NOW);
    let (store, steady) = on(&machine, folder.path());
    call(&store, &steady, 1).await;
    drop(store);
    machine.restart();
    jump(&machine, Duration::from_hours(240));
    machine.advance(Duration::from_mins(10));
    let (store, steady) = on(&machine, folder.path());
    assert_eq!((steady.wall(), steady.is_proven()), (machine.wall(), false));
    assert_eq!(ages(&store, &steady).await, [Some(Duration::from_mins(10))]);
    // The next answer does not clear it away by the time of day.
    call(&store, &steady, 2).await;
    assert_eq!(ages(&store, &steady).await, [Some(Duration::from_mins(10)), Some(Duration::ZERO)]);
    machine.advance(Duration::from_mins(50));
    assert_eq!(ages(&store, &steady).await, [Some(Duration::from_mins(50))]);
}

#[tokio::test]
async fn slots_of_an_earlier_version_go_by_the_time_of_day() {
    let folder = tempfile::tempdir().unwrap();
    let old = file_from_before(folder.path(), "ADD COLUMN boottime");
    let answered_at = NOW.minus(HOUR / 2).0;
    let sql = "INSERT INTO slots (account, id, taken_at, answered_at) VALUES (?1, 1, ?2, ?2)";
    old.execute(sql, (account().0, answered_at)).unwrap();
    drop(old);
    let (store, steady) = on(&ManualClock::at(NOW), folder.path());
    assert_eq!(steady.wall(), NOW);
    assert_eq!(ages(&store, &steady).await, [Some(HOUR / 2)]);
}
