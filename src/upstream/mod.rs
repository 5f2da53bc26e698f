//! The source: KPU's voter-data API. Takes a normalised path from `release`, hands back the head it checked and
//! the body as it comes.
//!
//! The source is trusted to hold the data, not to behave: its status, media type, coding and framing are
//! checked here, its bytes in `redact`. Of what it says in headers nothing goes on to the requester, and of
//! what the requester says in headers nothing comes here.

mod client;
mod headers;

use std::time::Duration;

pub use client::{Upstream, UpstreamBody};
pub use headers::Answer;

use http::Uri;
use http::uri::PathAndQuery;
use rustls_pki_types::CertificateDer;
use thiserror::Error;

/// How the source is reached.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// Scheme and authority, `http://127.0.0.1:9000` or `https://dpt.example`.
    pub base: Uri,
    /// Certificates that may vouch for an `https` source; no other root is trusted.
    pub roots: Vec<CertificateDer<'static>>,
    pub connect_timeout: Duration,
    /// From sending the request to the end of the answer's head, waiting for a free place included.
    pub head_timeout: Duration,
    /// Longest silence between two pieces of the body.
    pub idle_timeout: Duration,
    /// Requests to the source at one time.
    pub requests_max: usize,
}

/// What the source is asked for.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    pub path: PathAndQuery,
    /// Essences of the media types the route lists, such as `text/csv`.
    pub media_types: Vec<String>,
}

#[derive(Debug, Error)]
pub enum UpstreamError {
    #[error("the trust roots for the source cannot be used")]
    Roots(#[source] rustls::Error),
    #[error("the source was not reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the source gave no answer within {} ms", limit.as_millis())]
    HeadTimeout { limit: Duration },
    #[error("no place for another request to the source became free")]
    Busy,
    #[error("the source answered with status {status}")]
    Status { status: u16 },
    #[error("the source sent part of a body nobody asked for")]
    Partial,
    #[error("the source's {header} header is missing, doubled or malformed")]
    Header { header: &'static str },
    #[error("the source's body has neither a length nor chunks, so its end cannot be told from a break")]
    Unframed,
    #[error("the source's media type is not one the route lists")]
    MediaType,
    #[error("the source's text is not declared UTF-8")]
    Charset,
    #[error("the source's body broke off")]
    Broken(#[source] hyper::Error),
    #[error("the source fell silent for {} ms", limit.as_millis())]
    IdleTimeout { limit: Duration },
}

impl UpstreamError {
    /// The stable word for the ledger.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Roots(_) | Self::Unreachable(_) => "source_unreachable",
            Self::HeadTimeout { .. } => "source_timeout",
            Self::Busy => "source_busy",
            Self::Status { .. } => "source_status",
            Self::Partial => "source_partial",
            Self::Header { .. } => "source_header",
            Self::Unframed => "source_unframed",
            Self::MediaType => "source_media_type",
            Self::Charset => "source_charset",
            Self::Broken(_) => "source_broke_off",
            Self::IdleTimeout { .. } => "source_silent",
        }
    }
}
