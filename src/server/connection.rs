//! One connection: TLS set up within its time limit, then HTTP/2 or HTTP/1.1 as agreed by ALPN, until the
//! requester leaves, nothing is asked for too long, a copy stalls, or the server drains.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::ServerOptions;
use super::activity::{Activity, Counted};
use super::tls::client_certificate;
use crate::release::{Hangup, Path, Peer, ReplyBody};

/// Streams one HTTP/2 connection may have open at a time.
const STREAMS_MAX: u32 = 64;
/// Largest head of a request, in bytes and in lines.
const HEAD_BYTES_MAX: u16 = 32 * 1_024;
const HEADERS_MAX: usize = 64;

/// What all connections share.
pub struct Site {
    pub path: Arc<Path>,
    pub acceptor: TlsAcceptor,
    pub options: ServerOptions,
}

/// Serves one connection to its end. `draining` turns true when no further request may begin.
pub async fn serve(site: &Site, stream: TcpStream, peer: IpAddr, draining: watch::Receiver<bool>) {
    match timeout(site.options.handshake_timeout, site.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => speak(site, stream, peer, draining).await,
        Ok(Err(error)) => debug!(%error, "TLS was not agreed"),
        Err(_) => debug!("TLS took too long"),
    }
}

async fn speak(site: &Site, stream: TlsStream<TcpStream>, peer: IpAddr, draining: watch::Receiver<bool>) {
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let peer = Peer { address: peer, certificate: client_certificate(stream.get_ref().1) };
    let (activity, hangup) = (Activity::default(), Hangup::default());
    let service = service_fn(|request: Request<Incoming>| {
        let (path, hangup) = (Arc::clone(&site.path), hangup.clone());
        let under_way = activity.begin();
        async move {
            let mut response: Response<ReplyBody> = path.answer(&request, &peer, &hangup).await;
            // Where a body ends is what a smuggled request lies about, so nothing behind one is read.
            if request.version() <= Version::HTTP_11 && !request.body().is_end_stream() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| Counted::new(body, under_way)))
        }
    });
    let (stream, limits) = (TokioIo::new(stream), &site.options);
    if is_h2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::from(HEAD_BYTES_MAX))
            .keep_alive_interval(limits.idle_timeout)
            .serve_connection(stream, service);
        attend(connection, limits.idle_timeout, &activity, &hangup, draining).await;
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(usize::from(HEAD_BYTES_MAX))
            .serve_connection(stream, service);
        attend(connection, limits.idle_timeout, &activity, &hangup, draining).await;
    }
}

/// Drives a connection until it ends or one of ours is a reason to end it.
async fn attend<C: GracefulConnection>(
    connection: C,
    idle_timeout: Duration,
    activity: &Activity,
    hangup: &Hangup,
    mut draining: watch::Receiver<bool>,
) {
    let mut connection = pin!(connection);
    let mut leaving = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = hangup.rung() => return,
            () = activity.idle_for(idle_timeout) => return,
            _ = draining.wait_for(|now| *now), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
