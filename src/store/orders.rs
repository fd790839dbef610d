//! Orders that a person gave on a node that does not work: kept as they were asked for, until the one that works carries them
//! out.

use crate::clock::UnixMicros;

/// Names an order among those of a store; a later one has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub u64);

/// What a person ordered, as a request to the private listener. It may name people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// When.
    pub at: UnixMicros,
    /// The name of their token; empty for the one of `admin.token`.
    pub who: String,
    /// The word of their role.
    pub role: String,
    /// The method of the request.
    pub method: String,
    /// The route as the table of routes has it, which names nobody.
    pub route: String,
    /// The path and the query.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of an order: the answer to its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEnd {
    /// When.
    pub at: UnixMicros,
    /// The status of the answer.
    pub status: u16,
    /// Its body, as JSON; empty once somebody was erased whom it named.
    pub answer: String,
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStands {
    /// The order; without `target` and `body` once it has ended.
    pub order: Order,
    /// It took effect, whether or not its answer is known: it must not be carried out once more.
    pub taken: bool,
    /// What came of it, once it has ended.
    pub end: Option<OrderEnd>,
}

/// What is noted of an order, in the plan that carries it out or afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOrder {
    /// It takes effect with this plan. One that did, or has ended, is a `Conflict`.
    Taken(OrderId),
    /// It has ended. One that had is a `Conflict`.
    Ended(OrderId, OrderEnd),
}
