//! One small request to somebody else and its whole answer, within limits: for commands, and for asking witnesses and
//! issuers.
//! Copies never go this way.
//!
//! Nobody is trusted but the certificates handed in; without TLS only this machine is spoken to.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::time::timeout;

#[derive(Debug, Error)]
pub enum CallError {
    #[error("the certificates to trust cannot be used")]
    Roots(#[source] rustls::Error),
    #[error("an address begins with `https://`; without TLS only this machine's own are spoken to")]
    Address,
    #[error("it could not be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it did not answer within {} ms", limit.as_millis())]
    Timeout { limit: Duration },
    #[error("its answer broke off, or is longer than {limit_bytes} bytes")]
    Body { limit_bytes: usize, source: Box<dyn StdError + Send + Sync> },
}

#[derive(Debug)]
pub struct Caller {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limit: Duration,
    answer_bytes_max: usize,
}

impl Caller {
    /// Connects to nothing yet. `limit` is for one call as a whole.
    pub fn new(
        roots: Vec<CertificateDer<'static>>,
        limit: Duration,
        answer_bytes_max: usize,
    ) -> Result<Self, CallError> {
        let mut trusted = RootCertStore::empty();
        for root in roots {
            trusted.add(root).map_err(CallError::Roots)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limit));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, limit, answer_bytes_max })
    }

    /// The whole answer, whatever its status.
    pub async fn call(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, CallError> {
        if !is_address(request.uri()) {
            return Err(CallError::Address);
        }
        let limit_bytes = self.answer_bytes_max;
        let called = async {
            let response = self.client.request(request).await.map_err(CallError::Unreachable)?;
            let (head, body) = response.into_parts();
            let whole = Limited::new(body, limit_bytes).collect().await;
            let body = whole.map_err(|source| CallError::Body { limit_bytes, source })?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        timeout(self.limit, called).await.map_err(|_| CallError::Timeout { limit: self.limit })?
    }
}

/// Whether this is an address that may be called: with TLS, or on this machine.
pub fn is_address(uri: &Uri) -> bool {
    let is_own = || match uri.host() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    };
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => is_own(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_this_machine_is_called() {
        let cases = [
            ("https://salinan.example/receipts/x", true),
            ("http://127.0.0.1:8000/", true),
            ("http://[::1]:8000/", true),
            ("http://localhost:8000/", true),
            ("http://localhost.example/", false),
            ("http://salinan.example/", false),
            ("http://10.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
            ("/receipts/x", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_address(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
