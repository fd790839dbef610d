//! What a day before a short allowance must show. Fails with what was there instead.

use std::ops::Range;
use std::time::Duration;

use super::report::{Report, shown};

/// The oldest a conversion may be when it is delivered, outside of the outage.
const AGE_MAX: Duration = Duration::from_mins(1);
/// Calls made, in percent of those of a peer that brought something.
const CALLS_PERCENT_MAX: usize = 40;

/// Every contact is right and every conversion is delivered, none late outside of the outage; never more than `per_hour`
/// calls in an hour, none of them refused.
pub fn keeps_up(own: &Report, per_hour: u32, outage: &[Range<Duration>]) {
    assert_eq!((own.right, own.lost), (own.contacts, 0), "contacts that are right, events lost");
    assert_eq!(own.delivered(), own.conversions.len(), "conversions delivered");
    let oldest = own.ages(outage).last().copied().unwrap_or_default();
    assert!(oldest <= AGE_MAX, "a conversion was {} old at delivery", shown(oldest));
    assert!(own.busiest_hour <= per_hour as usize, "{} calls in an hour", own.busiest_hour);
    assert_eq!(own.throttled, 0, "calls answered with a 429");
}

/// Far fewer calls than any peer needs, even if of the peer's only those count that brought something and of the
/// service's all.
pub fn spares_calls(own: &Report, peers: &[Report]) {
    for peer in peers {
        let most = peer.accepted() * CALLS_PERCENT_MAX / 100;
        assert!(
            own.calls <= most,
            "{} calls, {}: {} that brought something",
            own.calls,
            peer.name,
            peer.accepted()
        );
    }
}
