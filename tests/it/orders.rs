//! Orders that become deals under simulated time: once each, however often an answer is lost or the service is killed.

use super::simulation::harness::account::{Allowed, Weather};
use super::simulation::harness::orders::Orders;

/// 1,000 calls an hour and 400 a minute, as the smallest plans of Freshsales have them.
const ALLOWED: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };

#[test]
fn orders_become_one_deal_each_though_answers_are_lost_and_the_service_is_killed() {
    let orders = Orders { people: 80, count: 200, kills: 15, seed: 1 };
    let weather = Weather { lost_answers: 40, lost_calls: 40, ..Weather::default() };
    let own = orders.service(ALLOWED, weather);
    assert_eq!((own.doubled, own.missing, own.wrong.as_slice()), (0, 0, [].as_slice()));
    assert_eq!(own.calls_again, [], "the same events once more");
    assert!(own.unanswered > 0, "the weather was fine");
    assert!(own.busiest_hour <= ALLOWED.per_hour as usize, "{} calls in an hour", own.busiest_hour);
    let recipe = orders.recipe(ALLOWED);
    assert!(own.calls * 2 < recipe, "{} calls, a script makes {recipe}", own.calls);
}
