//! Sockets: accepts connections, sets up TLS, speaks HTTP/1.1 and HTTP/2, and hands each request to the
//! release path. Every wait has a limit, every connection is counted.

mod activity;
mod connection;
mod listener;
mod tls;

use std::time::Duration;

use thiserror::Error;

pub use listener::Listener;
pub use tls::{ClientCertificates, server_config};

/// Limits of the listener, each reached as an ordinary event.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Connections open at one time; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Of one address; further ones are closed at once.
    pub address_connections_max: usize,
    pub handshake_timeout: Duration,
    /// For the head of a request, from its first byte.
    pub head_timeout: Duration,
    /// A connection with no request under way for this long is closed.
    pub idle_timeout: Duration,
    /// How long running copies may go on after the signal to stop.
    pub drain_timeout: Duration,
}

#[derive(Debug, Error)]
pub enum ServerError {
    #[error("could not listen on {address}")]
    Bind { address: std::net::SocketAddr, source: std::io::Error },
    #[error("certificate and key do not make a TLS server")]
    Tls(#[source] rustls::Error),
    #[error("the certificates that vouch for clients cannot be used")]
    Clients(#[from] rustls::server::VerifierBuilderError),
}
