//! Several nodes on one store: whether one works, and whether this one could.

use std::time::Duration;

use super::risk::{Risk, RiskKind};
use crate::clock::UnixMicros;
use crate::store::Work;

/// So long none may work: another takes over in less.
const VACANT: Duration = Duration::from_mins(1);

/// What is wrong with the nodes.
pub(super) fn risks(work: &Work, now: UnixMicros) -> impl Iterator<Item = Risk> + use<> {
    let vacant = nobody_works(work, now).map(|message| Risk::new(RiskKind::NobodyWorks, message));
    let apart = other_settings(work).map(|message| Risk::new(RiskKind::OtherSettings, message));
    vacant.into_iter().chain(apart)
}

/// This node could not take over from the one that works.
fn other_settings(work: &Work) -> Option<String> {
    (!work.apart.is_empty()).then(|| {
        format!(
            "this node has other settings than the one that works ({}): it takes events, and does not take over from it. Give all nodes \
             the same configuration, and reload; the node that works goes by its own until then. Stop that one to have it go by \
             these",
            work.apart.join(", ")
        )
    })
}

/// No node works.
fn nobody_works(work: &Work, now: UnixMicros) -> Option<String> {
    let since = work.vacant_since.filter(|since| !work.here && now.since(*since) >= VACANT)?;
    let why = if work.apart.is_empty() {
        "the log of each node says why it does not take over"
    } else {
        "this one has other settings than the one that worked last, and takes over when that one has been away for ten times \
         store.lease_seconds"
    };
    Some(format!(
        "no node has done the work since {}: events are accepted and kept, and none takes effect; {why}",
        since.to_rfc3339()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_works_is_told_after_a_minute_and_never_by_the_one_that_does() {
        let at = |seconds: i64| UnixMicros(seconds * 1_000_000);
        let vacant = Work { here: false, epoch: 1, vacant_since: Some(at(10)), ..Work::default() };
        assert_eq!(nobody_works(&vacant, at(69)), None);
        assert!(nobody_works(&vacant, at(70)).unwrap().contains("none takes effect; the log of each node"));
        let apart = Work { apart: vec!["mapping".to_owned(), "consent".to_owned()], ..vacant.clone() };
        assert!(nobody_works(&apart, at(70)).unwrap().contains("ten times store.lease_seconds"));
        assert!(
            other_settings(&apart)
                .unwrap()
                .contains("the one that works (mapping, consent): it takes events")
        );
        assert_eq!(other_settings(&vacant), None);
        assert_eq!(nobody_works(&Work { here: true, ..vacant }, at(70)), None);
        assert_eq!(nobody_works(&Work::default(), at(70)), None);
    }
}
