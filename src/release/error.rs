//! Every way in which a request ends without a whole copy, with its cause for the operator.

use thiserror::Error;

use super::ask::RequestError;
use super::headers::Named;
use crate::admission::AdmissionError;
use crate::domain::Method;
use crate::identity::IdentityError;
use crate::ledger::LedgerError;
use crate::policy::Denial;
use crate::redact::RedactError;
use crate::upstream::UpstreamError;

#[derive(Debug, Error)]
pub enum ReleaseError {
    #[error("not admitted")]
    Admission(#[from] AdmissionError),
    #[error("requester not verified")]
    Identity(#[from] IdentityError),
    #[error("request not readable")]
    Request(#[from] RequestError),
    #[error("denied by policy")]
    Denied(#[from] Denial),
    #[error("the ledger did not take the record")]
    Ledger(#[from] LedgerError),
    #[error("no randomness to be had")]
    Random,
    #[error("release {} failed before its first byte", named.release)]
    Failed { named: Named, source: SourceError },
    #[error("release {} failed before its first byte, and the ledger did not take its end", named.release)]
    Unclosed { named: Named, source: LedgerError },
    #[error("no receipt of that name for this requester")]
    ReceiptUnknown,
    #[error("what the ledger shows is not asked for by this method")]
    OwnMethod { allowed: Method },
    #[error("the ledger shows nothing of that name to this requester")]
    NotPublic,
    #[error("the release is still open, so nobody can hold it whole")]
    StillOpen,
    #[error("the statement is not rows, bytes and a digest")]
    Statement,
    #[error("the recipient has made as many statements as are entered")]
    SaidBefore,
}

/// What went wrong between the source and the requester once a release was open.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("the source failed")]
    Upstream(#[from] UpstreamError),
    #[error("the source's body cannot be released")]
    Redact(#[from] RedactError),
}

impl SourceError {
    /// The stable word for the ledger.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.code(),
            Self::Redact(error) => error.code(),
        }
    }
}
