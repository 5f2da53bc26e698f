//! Witnesses: others who see every checkpoint of a ledger, and sign it only when it grew out of the one they signed
//! before. With their lines under a checkpoint nobody can be shown another ledger unseen. The protocol is C2SP
//! `tlog-witness`, so that either side may be a program that others wrote.
//!
//! `feeder` asks witnesses beside a running server; what fails there is counted and told, and blocks no release.
//! `service` is a small witness of our own, `listen` its socket; `submission` is what goes between the two.

mod feeder;
mod listen;
mod service;
mod submission;

pub use feeder::{Feeder, FeederOptions, WitnessPlace};
pub use listen::{ListenError, Listening};
pub use service::{Service, ServiceError};

/// Longest submission that is read: a checkpoint with many lines, and a proof.
const SUBMISSION_BYTES_MAX: usize = 64 << 10;
