//! Headers in, [`Requester`] out: the access token of RFC 9068 in one `Authorization: Bearer` header.
//!
//! The order is: find the one token, read its header, take the issuer that `iss` names and its key that `kid` names,
//! check the signature by that key's algorithm, and only then read the claims; what is revoked is asked last, and each
//! time. Time is the caller's.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cache::{Cache, Verified};
use super::claims::{self, Now};
use super::error::IdentityError;
use super::kept::{Kept, Place, Timing};
use super::keys::{Algorithm, KeySet};
use super::requester::Requester;
use super::revoked::Revocations;
use super::strict_json;
use crate::domain::{Digest, Mandates, TokenEnd, day_in_wib};

/// How far the clocks of issuer and proxy may differ.
pub const LEEWAY_S: u64 = 5;
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;
const SCHEME: &str = "bearer";
/// Types of an access token (RFC 9068, section 2.1); an ID token has another.
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
/// Members that bring a key, point to one, or order an extension to be understood.
const MEMBERS_REFUSED: [&str; 8] = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"];

/// Someone who may issue tokens.
#[derive(Debug)]
pub struct IssuerOptions {
    /// Exactly as in `iss`.
    pub issuer: String,
    /// One of those in `aud`.
    pub audience: String,
    /// Keys of other algorithms are not used.
    pub algorithms: Vec<Algorithm>,
    /// Longest time from `iat` to `exp`.
    pub lifetime_max_s: u64,
    /// Whether its tokens have to be bound to a certificate of their bearers.
    pub bound: bool,
    /// Where its keys are read from, and what they were before that.
    pub place: Place,
    pub keys: Option<KeySet>,
}

impl IssuerOptions {
    /// With all algorithms, tokens of at most a day, and these keys for good.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySet) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: Algorithm::ALL.to_vec(),
            lifetime_max_s: 86_400,
            bound: false,
            place: Place::Given,
            keys: Some(keys),
        }
    }
}

/// The file of what is revoked, and what stood in it at the start.
#[derive(Debug)]
pub struct RevokedFile {
    pub path: PathBuf,
    pub first: Revocations,
}

pub struct Verifier {
    issuers: Vec<Issuer>,
    revoked: Option<Arc<Kept<Revocations>>>,
    mandates: Arc<Mandates>,
    cache: Cache,
}

struct Issuer {
    options: IssuerOptions,
    keys: Arc<Kept<KeySet>>,
}

impl Verifier {
    /// No two issuers have one name. Nothing is read until [`Verifier::keep`].
    pub fn new(issuers: Vec<IssuerOptions>, revoked: Option<RevokedFile>, timing: Timing) -> Self {
        let issuers = issuers.into_iter().map(|mut options| {
            let place = std::mem::replace(&mut options.place, Place::Given);
            let called = ("keys", options.issuer.as_str());
            let parse = |bytes: &[u8]| KeySet::read(bytes).map_err(Into::into);
            let keys = Kept::new(called, place, options.keys.take(), parse, timing);
            Issuer { options, keys }
        });
        let revoked = revoked.map(|RevokedFile { path, first }| {
            let parse = |bytes: &[u8]| Revocations::read(bytes).map_err(Into::into);
            Kept::new(("revocations", ""), Place::File(path), Some(first), parse, timing)
        });
        Self { issuers: issuers.collect(), revoked, mandates: Arc::default(), cache: Cache::default() }
    }

    /// With the mandate letters whose last day is known.
    #[must_use]
    pub fn with_mandates(self, mandates: Mandates) -> Self {
        Self { mandates: Arc::new(mandates), ..self }
    }

    /// One issuer with keys that never change, and nothing revoked.
    pub fn of_one(issuer: IssuerOptions) -> Self {
        Self::new(vec![issuer], None, Timing::default())
    }

    /// Asks for the keys of issuers of whom none are known yet.
    pub async fn prepare(&self) {
        for issuer in self.issuers.iter().filter(|issuer| issuer.keys.current().is_none()) {
            issuer.keys.read_again().await;
        }
    }

    /// Reads keys and revocations again until `stop` turns true, each in a task of its own.
    pub fn keep(&self, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for issuer in &self.issuers {
            tasks.spawn(Arc::clone(&issuer.keys).keep(stop.clone()));
        }
        if let Some(revoked) = &self.revoked {
            tasks.spawn(Arc::clone(revoked).keep(stop.clone()));
        }
        tasks
    }

    /// The requester that the request's one token speaks for. `certificate` is the digest of the one that the connection
    /// showed, if it showed one. `known` gets the requester also where the token is good and its
    /// bearer is refused all the same: the record says who it was.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        certificate: Option<&Digest>,
        now_unix_s: u64,
        known: &mut Option<Requester>,
    ) -> Result<Requester, IdentityError> {
        let requester = self.verify_signed(bearer_token(headers)?, now_unix_s)?;
        *known = Some(requester.clone());
        self.admit(&requester, certificate, now_unix_s)?;
        Ok(requester)
    }

    /// The same for a token without its header field.
    pub fn verify_token(
        &self,
        token: &str,
        certificate: Option<&Digest>,
        now_unix_s: u64,
    ) -> Result<Requester, IdentityError> {
        let requester = self.verify_signed(token, now_unix_s)?;
        self.admit(&requester, certificate, now_unix_s)?;
        Ok(requester)
    }

    /// Whether the connection may use the token, and neither that was withdrawn nor the mandate is over.
    fn admit(
        &self,
        requester: &Requester,
        certificate: Option<&Digest>,
        now_unix_s: u64,
    ) -> Result<(), IdentityError> {
        if let Some(binding) = &requester.binding {
            binding.check(certificate)?;
        }
        if let Some(revoked) = &self.revoked {
            let revoked = revoked.current().ok_or(IdentityError::RevocationsStale)?;
            if let Some(by) = revoked.of(requester) {
                return Err(IdentityError::Revoked { by });
            }
        }
        if is_mandate_over(&self.mandates, requester, now_unix_s) {
            return Err(IdentityError::MandateOver);
        }
        Ok(())
    }

    fn verify_signed(&self, token: &str, now_unix_s: u64) -> Result<Requester, IdentityError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(IdentityError::Length { limit_bytes: TOKEN_BYTES_MAX });
        }
        let now = Now { unix_s: now_unix_s, leeway_s: LEEWAY_S };
        let digest = Digest::of(token.as_bytes());
        let verified = match self.cache.find(&digest) {
            Some(known) if self.is_still_good(&known, now) => known,
            Some(_) => {
                self.cache.forget(&digest);
                self.check_and_keep(token, digest, now)?
            }
            None => self.check_and_keep(token, digest, now)?,
        };
        Ok(verified.requester.clone())
    }

    /// What tells whether a requester's token has ended meanwhile.
    pub fn watch(&self, requester: &Requester) -> TokenWatch {
        let (revoked, mandates) = (self.revoked.clone(), Arc::clone(&self.mandates));
        TokenWatch { requester: requester.clone(), revoked, mandates }
    }

    /// Whether what was found good once would be found good again: by the same keys, in its time.
    fn is_still_good(&self, known: &Verified, now: Now) -> bool {
        let keys = self.issuers[known.issuer].keys.current();
        keys.is_some_and(|keys| Arc::ptr_eq(&keys, &known.keys))
            && now.is_reached(known.starts_at_s)
            && !now.is_over(known.requester.expires_at_s)
    }

    fn check_and_keep(&self, token: &str, digest: Digest, now: Now) -> Result<Arc<Verified>, IdentityError> {
        let verified = Arc::new(self.check(token, now)?);
        self.cache.put(digest, Arc::clone(&verified));
        Ok(verified)
    }

    fn check(&self, token: &str, now: Now) -> Result<Verified, IdentityError> {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdentityError::Parts);
        };
        // The library would pass over the spelling of the signature; tokens have one.
        decoded(signature)?;
        let claims = decoded(claims)?;
        let header = strict_json::object(&decoded(header)?).map_err(|_| IdentityError::HeaderJson)?;
        check_type(&header)?;
        let claims = strict_json::object(&claims).map_err(|_| IdentityError::ClaimsJson)?;
        let named = claims::issuer(&claims)?;
        let at = self.issuers.iter().position(|issuer| issuer.options.issuer == named);
        let at = at.ok_or(IdentityError::Issuer)?;
        let issuer = &self.issuers[at];
        let Some(keys) = issuer.keys.current() else {
            issuer.keys.want();
            return Err(IdentityError::KeysStale);
        };
        let kid = member(&header, "kid")?;
        let Some(algorithm) = keys.algorithm(kid) else {
            issuer.keys.want();
            return Err(IdentityError::UnknownKey);
        };
        if member(&header, "alg")? != algorithm.as_str() || !issuer.options.algorithms.contains(&algorithm) {
            return Err(IdentityError::Algorithm);
        }
        let message = &token[..token.len() - signature.len() - 1];
        keys.check(kid, message, signature)?;
        let (requester, starts_at_s) = claims::read(&claims, &issuer.options, kid, now)?;
        Ok(Verified { requester, issuer: at, keys, starts_at_s })
    }
}

/// Tells whether a token that was good has ended: by its own time, with its mandate, or because it was revoked.
pub struct TokenWatch {
    requester: Requester,
    revoked: Option<Arc<Kept<Revocations>>>,
    mandates: Arc<Mandates>,
}

impl TokenWatch {
    /// A list of revocations that is too old ends nothing; no new request is answered by it.
    pub fn ended(&self, now_unix_s: u64) -> Option<TokenEnd> {
        let revoked = self.revoked.as_ref().and_then(|revoked| revoked.current());
        if revoked.is_some_and(|revoked| revoked.of(&self.requester).is_some()) {
            return Some(TokenEnd::Revoked);
        }
        let now = Now { unix_s: now_unix_s, leeway_s: LEEWAY_S };
        if now.is_over(self.requester.expires_at_s) {
            return Some(TokenEnd::Expired);
        }
        let is_over = is_mandate_over(&self.mandates, &self.requester, now_unix_s);
        is_over.then_some(TokenEnd::MandateOver)
    }
}

fn is_mandate_over(mandates: &Mandates, requester: &Requester, now_unix_s: u64) -> bool {
    let of = requester.party.as_ref().zip(requester.mandate.as_deref());
    let last_day = of.and_then(|(party, mandate)| mandates.last_day(party, mandate));
    last_day.is_some_and(|day| day < day_in_wib(now_unix_s.saturating_mul(1_000)))
}

/// An access token that neither brings a key nor orders anything to be understood.
fn check_type(header: &Map<String, Value>) -> Result<(), IdentityError> {
    if let Some(member) = MEMBERS_REFUSED.into_iter().find(|member| header.contains_key(*member)) {
        return Err(IdentityError::HeaderMember { member });
    }
    // Media types are compared without regard to case (RFC 2045, section 5.1).
    let media_type = member(header, "typ")?;
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        Ok(())
    } else {
        Err(IdentityError::Type)
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
