//! Why a token was not accepted. The operator's trace gets the variant; the requester gets [`code`], which
//! tells apart only what an honest client can act upon.
//!
//! [`code`]: IdentityError::code

use thiserror::Error;

/// Names of claims and header members here are this program's own words; no text of a token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentityError {
    #[error("there is no authorization header")]
    Missing,
    #[error("there is more than one authorization header")]
    HeaderTwice,
    #[error("the authorization header is not `Bearer` and one token")]
    Scheme,
    #[error("the token is longer than {limit_bytes} bytes")]
    Length { limit_bytes: usize },
    #[error("the token is not three parts of base64url without padding")]
    Parts,
    #[error("the token's header is not a JSON object whose members are each given once")]
    HeaderJson,
    #[error("the token's header has `{member}`, which is never followed")]
    HeaderMember { member: &'static str },
    #[error("the token's header says nothing usable in `{member}`")]
    HeaderShape { member: &'static str },
    #[error("the token is of another type than an access token")]
    Type,
    #[error("the token names a key that its issuer does not have")]
    UnknownKey,
    #[error("the keys of the token's issuer were not read, or too long ago")]
    KeysStale,
    #[error("what is revoked was not read, or too long ago")]
    RevocationsStale,
    #[error("the token's `{by}` is revoked")]
    Revoked { by: &'static str },
    #[error("the last day of the mandate is over")]
    MandateOver,
    #[error("the token's algorithm is not the one of its key, or not one of its issuer")]
    Algorithm,
    #[error("the signature does not fit")]
    Signature,
    #[error("the token's claims are not a JSON object whose members are each given once")]
    ClaimsJson,
    #[error("the claim `{claim}` is missing")]
    ClaimMissing { claim: &'static str },
    #[error("the claim `{claim}` is of the wrong type or form")]
    ClaimShape { claim: &'static str },
    #[error("the claim `{claim}` holds a number as long as a personal number")]
    PersonalNumber { claim: &'static str },
    #[error("the token is bound to something else than one certificate of its bearer")]
    Bound,
    #[error("the token is bound to a certificate, and the connection showed none")]
    CertificateMissing,
    #[error("the token is bound to another certificate than the connection's")]
    OtherCertificate,
    #[error("the token is bound to nothing, and its issuer's have to be")]
    Unbound,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token expired {ago_s} s ago")]
    Expired { ago_s: u64 },
    #[error("the claim `{claim}` lies in the future")]
    Future { claim: &'static str },
    #[error("the token lives longer than {limit_s} s, or ends before it was issued")]
    Lifetime { limit_s: u64 },
    #[error("an area of the token is not of the token's level")]
    AreaLevel,
    #[error("the token lists no area, or more than {limit}")]
    AreaCount { limit: usize },
}

impl IdentityError {
    /// The word that the requester reads.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Expired { .. } => "token_expired",
            Self::Revoked { .. } => "token_revoked",
            Self::MandateOver => "mandate_over",
            Self::KeysStale | Self::RevocationsStale => "try_later",
            Self::HeaderTwice
            | Self::Scheme
            | Self::Length { .. }
            | Self::Parts
            | Self::HeaderJson
            | Self::HeaderMember { .. }
            | Self::HeaderShape { .. }
            | Self::Type
            | Self::UnknownKey
            | Self::Algorithm
            | Self::Signature
            | Self::ClaimsJson
            | Self::ClaimMissing { .. }
            | Self::ClaimShape { .. }
            | Self::PersonalNumber { .. }
            | Self::Bound
            | Self::CertificateMissing
            | Self::OtherCertificate
            | Self::Unbound
            | Self::Issuer
            | Self::Audience
            | Self::Future { .. }
            | Self::Lifetime { .. }
            | Self::AreaLevel
            | Self::AreaCount { .. } => "invalid_token",
        }
    }
}
