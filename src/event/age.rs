//! Age: whether an event is old data that is being loaded, or happened just now.
//!
//! The route alone says nothing: the server SDKs of Segment for Ruby, Java and .NET send every event to `/v1/import`
//! (`segmentio/analytics-ruby` `lib/segment/analytics/defaults.rb`, `segmentio/analytics-java` `DEFAULT_PATH`).

use super::time::Claimed;

/// By which route an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A route for events of all ages.
    Live,
    /// `/v1/import`: a route for old data that much of what is new comes by.
    Import,
}

/// Whether an event is old data. Decided once, when it is received.
///
/// `is_old` is whether its time is over a day ago, as far as that is certain. What the sender says (`context.backfill`) wins. An event that says its own time is old after a day, whatever its
/// route. One that says none happened now, unless it was imported: then it is old.
#[must_use]
pub fn is_backfill(arrival: Arrival, said: Option<bool>, claimed: Claimed, is_old: bool) -> bool {
    if let Some(said) = said {
        return said;
    }
    match (arrival, claimed.timestamp) {
        (Arrival::Import, None) => true,
        (Arrival::Live, None) => false,
        (Arrival::Live | Arrival::Import, Some(_)) => is_old,
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::is_old_data;
    use super::*;
    use crate::clock::UnixMicros;

    const HOUR: i64 = 3_600_000_000;
    const NOW: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn old(arrival: Arrival, said: Option<bool>, hours_ago: Option<i64>) -> bool {
        let timestamp = hours_ago.map(|hours| UnixMicros(NOW.0 - hours * HOUR));
        let claimed = Claimed { timestamp, sent_at: None };
        is_backfill(arrival, said, claimed, is_old_data(timestamp.unwrap_or(NOW), NOW))
    }

    #[test]
    fn the_time_of_an_event_tells_its_age_and_the_route_only_where_there_is_none() {
        for (arrival, hours_ago, expected) in [
            (Arrival::Live, None, false),
            (Arrival::Live, Some(0), false),
            (Arrival::Live, Some(24), false),
            (Arrival::Live, Some(25), true),
            (Arrival::Import, None, true),
            (Arrival::Import, Some(0), false),
            (Arrival::Import, Some(24), false),
            (Arrival::Import, Some(25), true),
        ] {
            assert_eq!(old(arrival, None, hours_ago), expected, "{arrival:?} {hours_ago:?}");
        }
    }

    #[test]
    fn what_the_sender_says_of_the_age_wins() {
        for said in [true, false] {
            for arrival in [Arrival::Live, Arrival::Import] {
                for hours_ago in [None, Some(0), Some(1000)] {
                    assert_eq!(old(arrival, Some(said), hours_ago), said, "{arrival:?} {hours_ago:?}");
                }
            }
        }
    }
}
