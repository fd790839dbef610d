//! What the headers of an answer say about the allowance. Unverified: read where they are there, never depended on.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};

use crate::allowance::RateHint;
use crate::clock::UnixMicros;

/// How many calls the account has, under either name.
const LIMIT: [HeaderName; 2] =
    [HeaderName::from_static("x-ratelimit-limit"), HeaderName::from_static("x-ratelimit-total")];
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// A larger number of seconds is a moment since 1970, not a wait.
const WAIT_SECONDS_MAX: u64 = 1_000_000_000;

/// Reads them.
pub(super) fn rate_hint(headers: &HeaderMap, now: UnixMicros) -> RateHint {
    let number = |name: &HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let calls = |name: &HeaderName| number(name).and_then(|number| u32::try_from(number).ok());
    RateHint {
        limit: LIMIT.iter().find_map(calls),
        remaining: calls(&REMAINING),
        reset: number(&RESET).map(|reset| match reset {
            seconds if seconds <= WAIT_SECONDS_MAX => Duration::from_secs(seconds),
            moment => UnixMicros::default().plus(Duration::from_secs(moment)).since(now),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_nonsense_is_not() {
        let now = UnixMicros(1_900_000_000_000_000);
        let read = |pairs: &[(&'static str, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), (*value).parse().unwrap()));
            rate_hint(&pairs.collect(), now)
        };
        let all = read(&[
            ("x-ratelimit-total", "1000"),
            ("x-ratelimit-remaining", " 7 "),
            ("x-ratelimit-reset", "1900000060"),
        ]);
        let expected =
            RateHint { limit: Some(1_000), remaining: Some(7), reset: Some(Duration::from_mins(1)) };
        assert_eq!(all, expected);
        assert_eq!(read(&[("x-ratelimit-reset", "30")]).reset, Some(Duration::from_secs(30)));
        let odd = [("x-ratelimit-limit", "many"), ("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "")];
        assert_eq!(read(&odd), RateHint::default());
    }
}
