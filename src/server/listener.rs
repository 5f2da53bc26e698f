//! Accepts connections up to a limit, of which one address has a few, and drains them when told to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::connection::{self, Site};
use super::{ServerError, ServerOptions};
use crate::admission::{Places, counted};
use crate::release::Path;

/// After a failed accept (usually: no file descriptor free) the listener rests, so as not to spin.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// Connections closed at once are told of together, so that a flood of them is not one of lines.
const TELL_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// The address bound, with the port the system chose where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true, then lets running copies end within the drain limit and cuts off the
    /// rest. Returns how many connections were cut off.
    pub async fn serve(
        self,
        path: Arc<Path>,
        tls: Arc<ServerConfig>,
        options: ServerOptions,
        stop: watch::Receiver<bool>,
    ) -> usize {
        let drain_timeout = options.drain_timeout;
        let places = Arc::new(Semaphore::new(options.connections_max));
        let of_address: Places<IpAddr> = Places::new(options.address_connections_max);
        let mut closed = Closed::default();
        let site = Arc::new(Site { path, acceptor: TlsAcceptor::from(tls), options });
        let mut connections = JoinSet::new();
        let mut stopping = stop.clone();
        loop {
            let accepted = tokio::select! {
                _ = stopping.wait_for(|now| *now) => break,
                accepted = self.accept(&places) => accepted,
                Some(_) = connections.join_next() => continue,
                () = closed.is_due() => {
                    closed.tell();
                    continue;
                }
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let Some(own) = of_address.take(counted(peer.ip())) else {
                closed.count();
                continue;
            };
            let (site, stop) = (Arc::clone(&site), stop.clone());
            connections.spawn(async move {
                connection::serve(&site, stream, peer.ip(), stop).await;
                drop((own, place));
            });
        }
        drop(self.socket);
        closed.tell();
        drain(connections, drain_timeout, &site.path).await
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => {
                // Small answers must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                Some((stream, peer, place))
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_REST).await;
                None
            }
        }
    }
}

async fn drain(mut connections: JoinSet<()>, limit: Duration, path: &Path) -> usize {
    info!(connections = connections.len(), "draining");
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limit, all_ended).await.is_ok() {
        return 0;
    }
    let left = connections.len();
    warn!(connections = left, "cutting off connections that did not end in time");
    path.cut_off();
    connections.shutdown().await;
    left
}

/// Connections closed at once since they were last told of. Whose they were is not kept.
#[derive(Debug, Default)]
struct Closed {
    connections: u64,
    due: Option<Instant>,
}

impl Closed {
    fn count(&mut self) {
        self.connections += 1;
        self.due.get_or_insert_with(|| Instant::now() + TELL_AFTER);
    }

    /// Never, while there are none.
    async fn is_due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    fn tell(&mut self) {
        let Self { connections, due: Some(_) } = std::mem::take(self) else { return };
        warn!(connections, "closed at once: as many of their address were open as may be");
    }
}
