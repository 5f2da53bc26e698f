//! Who asks: an access token in, a [`Requester`] out.
//!
//! The caller hands in the request's headers, the keys and the time. A token is trusted after its signature
//! has been checked with the algorithm that our key file names for that key; nothing in the token chooses a
//! key's algorithm, brings a key of its own or points to one. A token that has two readings (a member given
//! twice, two `Authorization` headers, a claim of another JSON type) is refused, not interpreted.
//!
//! Signatures are checked by `jsonwebtoken` over aws-lc-rs, which needs no process-wide set-up; what the library
//! would let pass (claims of another type, its own clock) is checked here. Keys come from a file or a URL and are read
//! again beside the requests, revocations from a file. Absent on purpose: encrypted tokens, tokens in the query or in
//! a cookie, asking an issuer about a single token.

mod binding;
mod cache;
mod claims;
mod error;
mod issue;
mod kept;
mod keys;
mod requester;
mod revoked;
mod strict_json;
#[cfg(test)]
mod vectors;
mod verify;

pub use binding::Binding;
pub use error::IdentityError;
pub use issue::{Claims, SignError, SigningKey};
pub use kept::{Place, ReadError, Timing};
pub use keys::{Algorithm, KeyError, KeyProblem, KeySet};
pub use requester::Requester;
pub use revoked::{Revocations, RevokedError};
pub use verify::{IssuerOptions, LEEWAY_S, RevokedFile, TokenWatch, Verifier};
