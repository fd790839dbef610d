//! Tests of the delivery room.

use super::*;

#[test]
fn the_lane_of_a_delivery_only_rises() {
    let email = Email::parse("a@example.com").unwrap();
    let id = DeliveryId::of(crate::event::Position(7), 0);
    let delivery = Delivery::open(id, Account("acme".into()), email, Lane::Login, UnixMicros(1));
    let delivery = delivery.absorb(Lane::Refresh);
    assert_eq!((delivery.lane, delivery.events), (Lane::Login, 2));
    assert_eq!(delivery.absorb(Lane::Conversion).lane, Lane::Conversion);
}
