//! Tests of the Freshsales stage. They call nothing but servers of their own on loopback.

mod account;
mod answers;
mod ask;
mod bulk;
mod client;
mod config;
mod lookup;
mod transport;
