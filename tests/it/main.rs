//! Integration tests: the real binary, from outside. One module a theme; `support` is the harness.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::too_many_lines, reason = "a table of cases is read as one")]

mod audit;
mod bound;
mod codings;
mod copies;
mod crash;
mod demo;
mod due;
mod forged;
mod http2;
mod ledger;
mod limits;
mod memory;
mod midstream;
mod on_server;
mod operate;
mod policies;
mod quota;
mod rates;
mod receipts;
mod replicas;
mod requests;
mod sizes;
mod smuggling;
mod source;
mod support;
mod tiles;
mod tokens;
mod verify;
mod witness;
