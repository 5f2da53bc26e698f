//! TLS 1.2 and 1.3 by rustls, with HTTP/2 and HTTP/1.1 offered.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ServerError;

/// The server's side of TLS for one certificate chain and its key.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, ServerError> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServerError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data could be replayed by anyone who saw it, and each replay would be a release.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
