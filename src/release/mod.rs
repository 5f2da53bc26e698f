//! One request, top to bottom: verify, decide, open, fetch, deliver. `path.rs` is the file to read first.
//!
//! What always holds: no byte goes to a requester that `redact` did not make; none is asked of the source
//! before the intent is durable in the ledger; every opened release is closed, once; and a body ends cleanly
//! only after its completion is durable.

mod accept;
mod ack;
mod ask;
mod body;
mod deliver;
mod ending;
mod error;
mod fetch;
mod headers;
mod kinds;
mod open;
mod path;
mod problem;
mod receipt;
mod refusal;
mod tiles;

pub use ask::RequestError;
pub use body::{Hangup, Interrupted, ReplyBody};
pub use error::ReleaseError;
pub use headers::Named;
pub use kinds::{Kind, REFUSALS};
pub use open::MasterKey;
pub use path::{Path, PathOptions, Peer};
pub use refusal::Refusal;
pub use tiles::Public;
