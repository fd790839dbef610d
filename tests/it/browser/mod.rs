//! In a real browser: what people and their sites see. Each file a topic; [`crate::support::browser`] drives it.

/// The debugger's view "Connect".
mod connect;
/// What a page says about consent, and by which tool.
mod consent;
/// Deals and companies in the debugger.
mod deals;
/// The debugger's page: what a person who looks for something sees, and what they can order.
mod debugger;
/// The demo page.
mod demo;
/// A form on a page without a script.
mod form;
/// The harness itself: a test of a page fails when it should.
mod harness;
/// Lists that people work in: filters, what survives, files.
mod lists;
/// What the tag costs a page.
mod measured;
/// The first view: whether anything is wrong, who waits, what came today.
mod now;
/// What a mapping would change, before it is applied.
mod plan;
/// The ten questions that people bring, each answered in two clicks at most.
mod questions;
/// How events get from the tag to the service.
mod queue;
/// A service that answers as a test says, for the tests of the queue.
mod recorder;
/// Tokens of people: views by role, masked people, who did what.
mod roles;
/// Settings: a change looked at, applied, undone.
mod settings;
/// A shop with the tag, for the tests of the tag.
mod shop;
/// The first start: five steps to a contact.
mod start;
/// The calls of the tag and what they become.
mod tag;
/// Which page views there are, and what they say.
mod views;
/// The tag on pages as they are: old tabs, other scripts, mistakes.
mod wild;
