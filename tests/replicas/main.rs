//! Several replicas on one server, and everything that can happen to them at random moments: `kill -9`, stop and
//! continue, being shut out, and the server losing its power. Then the ledger has to be sound, everything that
//! anybody was told has to be in it, and every checkpoint that was ever shown has to be of the one history.
//!
//! `cargo test --test replicas` does a few runs. More of them:
//!
//! ```sh
//! cargo test --test replicas -- --runs 200 --seed 1
//! ```

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod campaign;
#[path = "../support/postgres.rs"]
#[expect(dead_code, reason = "this program needs no TLS")]
mod server;
mod worker;

use std::io::{self, Write as _};

/// The one test, as a runner knows it.
const NAME: &str = "whatever_happens_to_replicas_the_ledger_is_one_and_whole";
const RUNS: u64 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1).and_then(|text| text.parse().ok()).expect("a number"))
    };
    if arguments.first().is_some_and(|first| first == "worker") {
        worker::run(&arguments[1..]);
    } else if has("--list") {
        // A runner asks for ignored tests separately; there are none.
        if !has("--ignored") {
            say(&format!("{NAME}: test"));
        }
    } else if !has("--ignored") {
        let seed = number("--seed").unwrap_or_else(|| {
            std::time::UNIX_EPOCH.elapsed().map_or(1, |since| u64::from(since.subsec_nanos()))
        });
        campaign::run(number("--runs").unwrap_or(RUNS), seed);
    }
}

/// Prints a line at once: whoever reads it may act on it.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    // When nobody reads any more there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
