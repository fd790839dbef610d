//! What is foreseen when much is owed, beside what it takes under simulated time.

use std::time::Duration;

use crate::simulation::harness::account::Allowed;
use crate::simulation::harness::import::Import;

/// A twentieth of an account.
const ALLOWED: Allowed = Allowed { per_hour: 50, per_minute: 20 };

/// It was foreseen to within a twentieth and two minutes: answers take their time, and it is looked every ten seconds.
fn is_foreseen(import: Import, about: Duration) {
    let found = import.run();
    assert_eq!(found.contacts, import.people);
    let off = found.took.abs_diff(found.foreseen);
    assert!(off <= found.took / 20 + Duration::from_mins(2), "{:?}, not {:?}", found.took, found.foreseen);
    assert!(found.took.abs_diff(about) < Duration::from_mins(40), "{:?}", found.took);
}

#[test]
fn an_import_a_call_each_takes_as_long_as_foreseen() {
    let import = Import { people: 300, allowed: ALLOWED, bulk: false, new_contacts_per_hour_max: 0 };
    // Half of 45 calls an hour, a burst at first.
    is_foreseen(import, Duration::from_hours(13));
}

#[test]
fn an_import_in_bulk_takes_as_long_as_foreseen() {
    let import = Import { people: 2_500, allowed: ALLOWED, bulk: true, new_contacts_per_hour_max: 0 };
    // A call each it would be four days.
    is_foreseen(import, Duration::from_hours(1));
}

#[test]
fn an_import_within_the_quota_of_its_source_takes_as_long_as_foreseen() {
    let import = Import { people: 100, allowed: ALLOWED, bulk: true, new_contacts_per_hour_max: 10 };
    is_foreseen(import, Duration::from_hours(9));
}
