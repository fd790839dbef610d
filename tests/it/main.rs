//! The one test binary: what the library promises from outside, and what the house promises of itself.
//!
//! A file a topic. Nothing here sleeps to wait for something to happen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// The rooms under `src/`: who may import whom, which of them are pure, how long a file may be.
mod architecture;
/// What the documents name: files, keys, routes, metrics, tests.
mod documents;
/// What the Dockerfile and the Compose files promise to whoever runs the image.
mod packaging;
/// Licences, bans and sources of every crate that is linked, by the lists in `deny.toml`.
mod supply_chain;
/// What the tests of the running service share.
mod support;

/// Somebody is told when something is wrong, and when it is over.
mod alerts;
/// The allowance holds in every window, across restarts.
mod allowance;
/// What a person asks of Freshsales by hand.
mod asked;
/// A backup of a running service, and what a restore of it does.
mod backup;
/// What the public listener refuses, and what it takes all the same.
mod bad_input;
/// In a real browser.
mod browser;
/// A backlog drains through calls of a hundred contacts; whatever they do not bring goes by itself.
mod bulk;
/// Marked secrets and personal data through a whole run at trace level.
mod canary;
/// An account of the older product.
mod classic;
/// Clocks that jump and come back.
mod clocks;
/// The real binary: what each command takes, prints and exits with.
mod commands;
/// What Freshsales has beside what would be written.
mod compare;
/// Won deals as files for ad platforms.
mod conversions;
/// Killed at any moment under load: nothing acknowledged is lost, nothing takes effect twice.
mod crash;
/// What the CRM may answer, and what becomes of the contact.
mod crm_answers;
/// Addresses that very many share.
mod crowd;
/// Refused contacts: seen, sent again, given up.
mod dead_letters;
/// Orders become deals, once, whatever gets lost on the way.
mod deals;
/// Deals and companies as the private listener shows them, and what a person decides.
mod deals_shown;
/// The debugger over real HTTP.
mod debugger;
/// One contact or event that can't be processed stops no other.
mod defects;
/// Deals of the account as a file, and the contacts that are held.
mod exports;
/// What is foreseen, beside what happens.
mod forecast;
/// Erased people whom Freshsales never named an id for: looked up, forgotten, or given up.
mod forgetting;
/// Webhooks of other vendors end as contacts.
mod hooks;
mod import;
/// Keys that are rotated while the service runs.
mod keys;
mod leads;
/// Who is put on lists of contacts, and in how few calls.
mod listings;
/// `check --live`: what is wrong with an account, and what to do about it.
mod live_check;
/// The probe of companies, deals and notes.
mod live_probe;
/// Documented events end as exactly the documented contacts; nothing is sent without a reason.
mod main_job;
/// A store that moves between a data folder and a database, and a service that goes on with it.
mod moving;
/// Names in the place of ids, and the lists of the account that they are looked up in.
mod names;
/// Events that say of nobody what they say.
mod nobody;
/// Old data waits for what happens now.
mod old_data;
/// A host with one port, and a data folder that would go with the container.
mod one_port;
/// What a running service answers is what its OpenAPI documents describe.
mod openapi;
/// Orders that become deals, once each, whatever happens to calls and service.
mod orders;
/// Other systems are told what happened, once, in order, and of nobody who does not want it.
mod outputs;
/// Where data goes, changed on the page.
mod owned;
/// Calls paused and resumed by hand.
mod pause;
/// The right data of the right person, with the right to send it: identity and consent.
mod people;
/// What another configuration would change, before anybody applies it.
mod plan;
/// What is held on a person is shown, and erased to the last byte, and does not come back.
mod privacy;
/// Addresses in the spelling of an earlier version.
mod respelled;
/// Settings change, and every contact is looked at again without an event.
mod review;
/// People with tokens of their own: what each is shown, and who did what.
mod roles;
/// Every call counts: what costs one, which contact goes first, what an outage costs.
mod scarce;
/// The SDKs people already have: real ones, scripts that send as others do, and what was sent.
mod sdks;
/// What senders switch off, ids that name nobody, a source that is tried out.
mod senders;
/// Settings changed on the page.
mod settings;
/// Told to stop under load: every accepted request is answered, and it ends in time.
mod shutdown;
/// A day of a shop under simulated time, beside the policies of the peers.
mod simulation;
/// Addresses of which nothing is ever sent, by a person's order.
mod suppress;
/// Tags of a contact are joined with those that people put there.
mod tags;
/// What sales is told: notes, activities and tasks, each once.
mod told;
/// Spans for a collector, from the receipt of an event to the answer of Freshsales.
mod traces;
/// Whom to believe: visitors beside servers, and scripts with harvested addresses.
mod trust;
/// The use cases of the documents, each by the configuration that its page shows.
mod two_nodes;
mod use_cases;
/// What people change in Freshsales is heard, and not overruled by who repeats themselves.
mod way_back;
