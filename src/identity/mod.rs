//! Who asks: an access token in, a [`Requester`] out.
//!
//! The caller hands in the request's headers, the keys and the time. A token is trusted after its signature
//! has been checked with the algorithm that our key file names for that key; nothing in the token chooses a
//! key's algorithm, brings a key of its own or points to one. A token that has two readings (a member given
//! twice, two `Authorization` headers, a claim of another JSON type) is refused, not interpreted.
//!
//! Signatures are checked by `jsonwebtoken` over aws-lc-rs, which needs no process-wide set-up; what the library
//! would let pass (claims of another type, its own clock) is checked here. Absent on purpose:
//! fetching keys over the network, encrypted tokens, tokens in the query or in a cookie.

mod claims;
mod error;
mod issue;
mod keys;
mod requester;
mod strict_json;
mod verify;

pub use error::IdentityError;
pub use issue::{Claims, SignError, SigningKey};
pub use keys::{Algorithm, KeyError, KeyProblem, KeySet};
pub use requester::Requester;
pub use verify::{Verifier, VerifierOptions};
