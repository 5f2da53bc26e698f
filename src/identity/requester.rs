//! The checked person who asks.

use super::binding::Binding;
use crate::domain::{Party, Role, Scope};

/// What a verified token says of its bearer. Made only by this module's verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// `sub`
    pub subject: String,
    pub client_id: String,
    pub issuer: String,
    /// `jti`
    pub token_id: String,
    /// `kid` of the key that signed the token.
    pub key_id: String,
    pub role: Role,
    pub party: Option<Party>,
    pub scope: Scope,
    /// Number of the surat mandat.
    pub mandate: Option<String>,
    pub expires_at_s: u64,
    /// What the token is bound to.
    pub binding: Option<Binding>,
}
