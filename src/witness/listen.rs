//! The socket of a witness: `POST /add-checkpoint`, and `GET /HASH/checkpoint` for monitors, over HTTP/1.1. With TLS, or on
//! this machine's own addresses without. Everything has a limit, since anybody may ask.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::SUBMISSION_BYTES_MAX;
use super::service::{Reply, Service};

const CONNECTIONS_MAX: usize = 64;
/// For setting up TLS, and for a request's head.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// Longest life of a connection, whatever happens on it.
const CONNECTION_MAX: Duration = Duration::from_mins(1);
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// After a failed accept the listener rests, so as not to spin.
const ACCEPT_REST: Duration = Duration::from_millis(50);

#[derive(Debug, Error)]
pub enum ListenError {
    #[error("could not listen on {address}")]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error("{address} can be reached from other machines, so it needs a certificate")]
    Plain { address: SocketAddr },
}

pub struct Listening {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listening {
    pub async fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Result<Self, ListenError> {
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(ListenError::Plain { address });
        }
        let failed = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls: tls.map(TlsAcceptor::from) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true. A submission under way is answered or not; what is kept is whole either way.
    pub async fn serve(self, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|now| *now) => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.socket, &places) => accepted,
            };
            let Some((stream, place)) = accepted else { continue };
            let (service, tls) = (Arc::clone(&service), self.tls.clone());
            connections.spawn(async move {
                let _ = timeout(CONNECTION_MAX, attend(stream, tls, service)).await;
                drop(place);
            });
        }
        connections.shutdown().await;
    }
}

async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_REST).await;
            None
        }
    }
}

async fn attend(stream: TcpStream, tls: Option<TlsAcceptor>, service: Arc<Service>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => speak(stream, service).await,
        Some(tls) => match timeout(HEAD_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, service).await,
            Ok(Err(error)) => debug!(%error, "TLS was not agreed"),
            Err(_) => debug!("TLS took too long"),
        },
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, service: Arc<Service>) {
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(respond(answer(request, service).await)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        debug!(%error, "a connection ended");
    }
}

async fn answer(request: Request<Incoming>, service: Arc<Service>) -> Reply {
    let path = request.uri().path().to_owned();
    if path == "/add-checkpoint" {
        if request.method() != Method::POST {
            return refuse(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Ok(body) = Limited::new(request.into_body(), SUBMISSION_BYTES_MAX).collect().await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let Ok(text) = String::from_utf8(body.to_bytes().into()) else {
            return refuse(StatusCode::BAD_REQUEST);
        };
        let signed = tokio::task::spawn_blocking(move || service.add_checkpoint(&text)).await;
        return signed.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let origin = path.strip_prefix('/').and_then(|rest| rest.strip_suffix("/checkpoint"));
    let note = origin.filter(|_| request.method() == Method::GET).and_then(|origin| service.newest(origin));
    note.map_or_else(|| refuse(StatusCode::NOT_FOUND), |text| Reply { text, ..refuse(StatusCode::OK) })
}

/// A status and its own name.
fn refuse(status: StatusCode) -> Reply {
    let text = format!("{}\n", status.canonical_reason().unwrap_or_default());
    Reply { status, kind: "text/plain; charset=utf-8", text }
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.text));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
