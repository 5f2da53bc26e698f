//! Salinan: a TLS reverse proxy that masks voter data by policy and records every copy it hands over.
//!
//! Read `release::path` first: everything else serves it. A module may name what earlier stages hand it,
//! never a later one; `tests/tidy.rs` holds the table.

pub mod admission;
pub mod caller;
pub mod cli;
pub mod config;
pub mod demo;
pub mod document;
pub mod domain;
pub mod identity;
pub mod ledger;
pub mod policy;
pub mod processor;
pub mod redact;
pub mod register;
pub mod release;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod upstream;
pub mod witness;
