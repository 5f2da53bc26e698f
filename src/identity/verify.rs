//! Headers in, [`Requester`] out: the access token of RFC 9068 in one `Authorization: Bearer` header.
//!
//! The order is: find the one token, read its header, take the key that `kid` names in our key file, check the
//! signature by that key's algorithm, and only then read the claims. Time is the caller's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value};

use super::claims;
use super::error::IdentityError;
use super::keys::KeySet;
use super::requester::Requester;
use super::strict_json;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;
const SCHEME: &str = "bearer";
/// Types of an access token (RFC 9068, section 2.1); an ID token has another.
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
/// Members that bring a key, point to one, or order an extension to be understood.
const MEMBERS_REFUSED: [&str; 8] = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"];

#[derive(Debug, Clone)]
pub struct VerifierOptions {
    /// Exactly as in `iss`.
    pub issuer: String,
    /// One of those in `aud`.
    pub audience: String,
    /// How far the clocks of issuer and proxy may differ.
    pub leeway_s: u64,
    /// Longest time from `iat` to `exp`.
    pub lifetime_max_s: u64,
}

impl VerifierOptions {
    /// With 5 seconds of leeway and tokens of at most a day.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), leeway_s: 5, lifetime_max_s: 86_400 }
    }
}

#[derive(Debug)]
pub struct Verifier {
    keys: KeySet,
    options: VerifierOptions,
}

impl Verifier {
    pub fn new(keys: KeySet, options: VerifierOptions) -> Self {
        Self { keys, options }
    }

    /// The requester that the request's one token speaks for.
    pub fn verify(&self, headers: &HeaderMap, now_unix_s: u64) -> Result<Requester, IdentityError> {
        self.verify_token(bearer_token(headers)?, now_unix_s)
    }

    /// The same for a token without its header field.
    pub fn verify_token(&self, token: &str, now_unix_s: u64) -> Result<Requester, IdentityError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(IdentityError::Length { limit_bytes: TOKEN_BYTES_MAX });
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err(IdentityError::Parts) };
        // The library would pass over the spelling of these two; tokens have one.
        decoded(claims)?;
        decoded(signature)?;
        let header = strict_json::object(&decoded(header)?).map_err(|_| IdentityError::HeaderJson)?;
        let kid = self.check_header(&header)?;
        claims::read(&self.keys.claims(kid, token)?, &self.options, now_unix_s)
    }

    /// Gives the name of the key to check with.
    fn check_header<'a>(&self, header: &'a Map<String, Value>) -> Result<&'a str, IdentityError> {
        if let Some(member) = MEMBERS_REFUSED.into_iter().find(|member| header.contains_key(*member)) {
            return Err(IdentityError::HeaderMember { member });
        }
        // Media types are compared without regard to case (RFC 2045, section 5.1).
        let media_type = member(header, "typ")?;
        if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
            return Err(IdentityError::Type);
        }
        let kid = member(header, "kid")?;
        let key_algorithm = self.keys.algorithm(kid).ok_or(IdentityError::UnknownKey)?;
        if member(header, "alg")? != key_algorithm.as_str() {
            return Err(IdentityError::Algorithm);
        }
        Ok(kid)
    }
}

fn bearer_token(headers: &HeaderMap) -> Result<&str, IdentityError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(IdentityError::Missing)?;
    if values.next().is_some() {
        return Err(IdentityError::HeaderTwice);
    }
    let value = value.to_str().map_err(|_| IdentityError::Scheme)?;
    let (scheme, token) = value.split_once(' ').ok_or(IdentityError::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(IdentityError::Scheme);
    }
    Ok(token)
}

/// A part of a token. Only the one canonical spelling is read: no padding, no blanks, no stray last bits.
fn decoded(part: &str) -> Result<Vec<u8>, IdentityError> {
    if part.is_empty() {
        return Err(IdentityError::Parts);
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::Parts)
}

fn member<'a>(header: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, IdentityError> {
    header.get(member).and_then(Value::as_str).ok_or(IdentityError::HeaderShape { member })
}

#[cfg(test)]
mod tests;
