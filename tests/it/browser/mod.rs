//! In a real browser: what people and their sites see. Each file a topic; [`crate::support::browser`] drives it.

/// The harness itself: a test of a page fails when it should.
mod harness;
/// A shop with the tag, for the tests of the tag.
mod shop;
/// The calls of the tag and what they become.
mod tag;
