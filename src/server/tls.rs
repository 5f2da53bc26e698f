//! TLS 1.2 and 1.3 by rustls, with HTTP/2 and HTTP/1.1 offered.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{
    ClientCertVerifierBuilder, NoServerSessionStorage, ServerConnection, WebPkiClientVerifier,
};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ServerError;
use crate::domain::Digest;

/// Whether clients show certificates of their own, and who vouches for those.
#[derive(Debug)]
pub enum ClientCertificates {
    /// None is asked for.
    Off,
    /// One is asked for; who has none is let in, and bound tokens are refused then.
    Optional(Vec<CertificateDer<'static>>),
    /// Who has none is not let in.
    Required(Vec<CertificateDer<'static>>),
}

/// The server's side of TLS for one certificate chain and its key.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: ClientCertificates,
) -> Result<Arc<ServerConfig>, ServerError> {
    let builder = ServerConfig::builder();
    let is_asked = !matches!(clients, ClientCertificates::Off);
    let builder = match clients {
        ClientCertificates::Off => builder.with_no_client_auth(),
        ClientCertificates::Optional(roots) => {
            builder.with_client_cert_verifier(verifier(roots)?.allow_unauthenticated().build()?)
        }
        ClientCertificates::Required(roots) => builder.with_client_cert_verifier(verifier(roots)?.build()?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(ServerError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data could be replayed by anyone who saw it, and each replay would be a release.
    config.max_early_data_size = 0;
    if is_asked {
        // A session that is taken up again shows no certificate, so that one that has expired would still count.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn verifier(roots: Vec<CertificateDer<'static>>) -> Result<ClientCertVerifierBuilder, ServerError> {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(root).map_err(ServerError::Tls)?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::new(default_provider())))
}

/// SHA-256 of the certificate that the client showed and proved to hold the key of.
pub(super) fn client_certificate(connection: &ServerConnection) -> Option<Digest> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(Digest::of(certificate))
}
