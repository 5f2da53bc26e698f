//! What the requester reads when there is no copy: the only place that turns a cause into a refusal.
//!
//! The requester gets a status, a stable code and a sentence; the operator's trace gets the chain of causes.
//! No text of the request, of the source or of our own files stands in a refusal.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::header::{VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::ask::RequestError;
use super::body::ReplyBody;
use super::error::{ReleaseError, SourceError};
use super::headers::{Limit, Named};
use super::kinds::{self, Kind};
use super::problem::{Language, document};
use crate::admission::AdmissionError;
use crate::domain::AskError;
use crate::identity::IdentityError;
use crate::ledger::LedgerError;
use crate::policy::Denial;
use crate::upstream::UpstreamError;

/// Wait before another try when the ledger or the source is not ready.
const TRY_LATER: Duration = Duration::from_secs(5);

/// The answer to a request that gets no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: &'static Kind,
    pub release: Option<Named>,
    retry_after: Option<Duration>,
    exhausted: Option<Exhausted>,
    allow: Option<String>,
    /// Set where the two sides may no longer agree on where the next request begins.
    close: bool,
}

/// A limit of which nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exhausted {
    limit: Limit,
    /// Seconds until there is something again.
    left: u64,
}

impl Refusal {
    /// The refusal for a cause.
    pub fn of(error: &ReleaseError) -> Self {
        let kind = kind_of(error);
        let mut refusal =
            Self { kind, release: None, retry_after: None, exhausted: None, allow: None, close: false };
        match error {
            ReleaseError::Admission(admission) => {
                let wait = admission.retry_after();
                refusal.retry_after = Some(wait);
                refusal.exhausted = Some(Exhausted { limit: limit_of(admission), left: whole_seconds(wait) });
            }
            ReleaseError::Ledger(LedgerError::ElectionOver) => {}
            ReleaseError::Ledger(LedgerError::QuotaExceeded { rows, window, left, is_kept_back }) => {
                refusal.retry_after = Some(if *is_kept_back { TRY_LATER.min(*left) } else { *left });
                let limit = Limit::rows(*rows, *window);
                refusal.exhausted = Some(Exhausted { limit, left: left.as_secs() });
            }
            ReleaseError::Ledger(_)
            | ReleaseError::Identity(IdentityError::KeysStale | IdentityError::RevocationsStale)
            | ReleaseError::Random
            | ReleaseError::StillOpen => {
                refusal.retry_after = Some(TRY_LATER);
            }
            ReleaseError::Denied(Denial::MethodNotAllowed { allowed, .. }) => {
                refusal.allow =
                    Some(allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", "));
            }
            ReleaseError::Request(RequestError::Ask(AskError::Method)) => {
                refusal.allow = Some("GET".to_owned());
            }
            ReleaseError::Request(_) => refusal.close = true,
            ReleaseError::Failed { named, .. } | ReleaseError::Unclosed { named, .. } => {
                refusal.release = Some(*named);
                refusal.retry_after = (kind.status == 503).then_some(TRY_LATER);
            }
            ReleaseError::OwnMethod { allowed } => refusal.allow = Some(allowed.as_str().to_owned()),
            ReleaseError::Identity(_)
            | ReleaseError::Denied(_)
            | ReleaseError::ReceiptUnknown
            | ReleaseError::NotPublic
            | ReleaseError::Statement
            | ReleaseError::SaidBefore => {}
        }
        refusal
    }

    /// The problem document (RFC 9457) in the requester's language.
    pub fn respond(&self, language: Language) -> Response<ReplyBody> {
        let release = self.release.map(|named| named.release);
        let mut response = Response::new(ReplyBody::whole(document(self.kind, release, language)));
        *response.status_mut() =
            StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let headers = response.headers_mut();
        for (name, text) in [
            (CONTENT_TYPE, "application/problem+json"),
            (CONTENT_LANGUAGE, language.tag()),
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (VARY, "Accept-Language"),
        ] {
            headers.insert(name, HeaderValue::from_static(text));
        }
        let challenge = (self.kind.status == 401).then(|| match self.kind.code {
            "token_missing" => "Bearer".to_owned(),
            _ => "Bearer error=\"invalid_token\"".to_owned(),
        });
        let wait = self.retry_after.map(|wait| whole_seconds(wait).to_string());
        put(headers, WWW_AUTHENTICATE, challenge);
        put(headers, RETRY_AFTER, wait);
        put(headers, ALLOW, self.allow.clone());
        put(headers, CONNECTION, self.close.then(|| "close".to_owned()));
        if let Some(Exhausted { limit, left }) = &self.exhausted {
            limit.put_policy(headers);
            limit.put_left(headers, 0, *left);
        }
        if let Some(named) = &self.release {
            named.put(headers);
        }
        response
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: Option<String>) {
    if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(name, value);
    }
}

/// Rounded up: a requester who waits this long is not refused again for the same second.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

fn limit_of(error: &AdmissionError) -> Limit {
    match error {
        AdmissionError::Address(early) => Limit::rate("address", early.rate),
        AdmissionError::Requester(early) => Limit::rate("requester", early.rate),
        AdmissionError::Party(early) => Limit::rate("party", early.rate),
        AdmissionError::Copies { max } => Limit::copies(*max),
    }
}

fn kind_of(error: &ReleaseError) -> &'static Kind {
    match error {
        ReleaseError::Admission(AdmissionError::Copies { .. }) => &kinds::COPIES_EXCEEDED,
        ReleaseError::Admission(_) => &kinds::TOO_MANY_REQUESTS,
        ReleaseError::Identity(IdentityError::Missing) => &kinds::TOKEN_MISSING,
        ReleaseError::Identity(IdentityError::Expired { .. }) => &kinds::TOKEN_EXPIRED,
        ReleaseError::Identity(IdentityError::Revoked { .. }) => &kinds::TOKEN_REVOKED,
        ReleaseError::Identity(IdentityError::MandateOver) => &kinds::MANDATE_OVER,
        ReleaseError::Identity(IdentityError::KeysStale | IdentityError::RevocationsStale) => {
            &kinds::TRY_LATER
        }
        ReleaseError::Identity(_) => &kinds::INVALID_TOKEN,
        ReleaseError::Request(request) => kind_of_request(*request),
        ReleaseError::Denied(denial) => kind_of_denial(denial),
        ReleaseError::Ledger(LedgerError::ElectionOver) => &kinds::ELECTION_OVER,
        ReleaseError::Ledger(LedgerError::QuotaExceeded { .. }) => &kinds::QUOTA_EXCEEDED,
        ReleaseError::Ledger(_) | ReleaseError::Unclosed { .. } | ReleaseError::Random => &kinds::TRY_LATER,
        ReleaseError::Failed { source, .. } => of_source(source),
        ReleaseError::ReceiptUnknown | ReleaseError::NotPublic => &kinds::NOT_FOUND,
        ReleaseError::OwnMethod { .. } => &kinds::METHOD_NOT_ALLOWED,
        ReleaseError::StillOpen => &kinds::RELEASE_OPEN,
        ReleaseError::Statement => &kinds::STATEMENT_MALFORMED,
        ReleaseError::SaidBefore => &kinds::STATEMENTS_EXHAUSTED,
    }
}

fn kind_of_request(error: RequestError) -> &'static Kind {
    match error {
        RequestError::HttpVersion => &kinds::HTTP_VERSION,
        RequestError::AbsoluteForm => &kinds::REQUEST_FORM,
        RequestError::Host => &kinds::HOST_MALFORMED,
        RequestError::BodyNotAllowed => &kinds::BODY_NOT_ALLOWED,
        RequestError::Ask(ask) => match ask {
            AskError::Method => &kinds::METHOD_NOT_ALLOWED,
            AskError::PathLength | AskError::PathSegment | AskError::PathCharacter => &kinds::PATH_AMBIGUOUS,
            AskError::QueryLength | AskError::QueryShape => &kinds::QUERY_MALFORMED,
            AskError::ParameterTwice => &kinds::PARAMETER_REPEATED,
        },
    }
}

fn kind_of_denial(denial: &Denial) -> &'static Kind {
    match denial {
        Denial::RouteUnknown => &kinds::NOT_FOUND,
        Denial::MethodNotAllowed { .. } => &kinds::METHOD_NOT_ALLOWED,
        Denial::ParameterUnknown { .. } => &kinds::PARAMETER_UNKNOWN,
        Denial::ParameterValue { .. } => &kinds::PARAMETER_VALUE,
        Denial::AreaMissing { .. } | Denial::AreaMalformed { .. } => &kinds::AREA_MALFORMED,
        Denial::RoleWithoutRule { .. } => &kinds::ROLE_NOT_ALLOWED,
        Denial::ElectionMismatch { .. } => &kinds::ELECTION_NOT_ALLOWED,
        Denial::AreaOutsideScope { .. } => &kinds::AREA_NOT_ALLOWED,
        Denial::PolicyNotYetValid { .. } | Denial::PolicyExpired { .. } => &kinds::POLICY_NOT_IN_FORCE,
    }
}

/// What the requester reads when an opened release fails before its first byte.
pub(super) fn of_source(error: &SourceError) -> &'static Kind {
    match error {
        SourceError::Upstream(UpstreamError::Busy) => &kinds::TRY_LATER,
        SourceError::Upstream(UpstreamError::HeadTimeout { .. } | UpstreamError::IdleTimeout { .. }) => {
            &kinds::SOURCE_TIMEOUT
        }
        SourceError::Upstream(_) | SourceError::Redact(_) => &kinds::SOURCE_FAILED,
    }
}

/// An error with all its causes on one line, for the operator.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
