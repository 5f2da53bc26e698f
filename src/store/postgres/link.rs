//! One connection to a server, driven on the thread that uses it, with a limit on every wait.
//!
//! It must not be used on a thread that runs futures. Dropping it closes the connection, and an open transaction
//! with it.

use std::fs;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};

use super::address::Address;
use super::tls::Tls;
use crate::store::StoreError;

/// Until connected and known to the server.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Until a peer that does not acknowledge is given up by the system.
const PEER_WAIT: Duration = Duration::from_secs(5);
/// Longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// All it takes to reach a ledger on a server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub address: Address,
    /// The file that holds the password, read at each connection.
    pub password: Option<PathBuf>,
    /// Who vouches for the server, when its certificate is checked; nobody else is trusted.
    pub roots: Vec<CertificateDer<'static>>,
}

impl PostgresOptions {
    /// Reads who vouches for the server. One on another machine needs somebody who does.
    pub fn load(address: Address, password: Option<PathBuf>, ca: Option<&Path>) -> Result<Self, StoreError> {
        let roots = match ca {
            Some(path) => {
                let unfit = || StoreError::Roots { path: path.to_owned() };
                let roots: Result<Vec<_>, _> =
                    CertificateDer::pem_file_iter(path).map_err(|_| unfit())?.collect();
                roots.ok().filter(|roots| !roots.is_empty()).ok_or_else(unfit)?
            }
            None if address.is_verified => return Err(StoreError::NoRoots),
            None => Vec::new(),
        };
        let options = Self { address, password, roots };
        options.read_password()?;
        tls(&options.roots)?;
        Ok(options)
    }

    fn read_password(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(path) = &self.password else { return Ok(None) };
        let text = fs::read(path).map_err(|source| StoreError::Password { path: path.clone(), source })?;
        let password = text.trim_ascii_end();
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(StoreError::NoPassword { path: path.clone() });
        }
        Ok(Some(password.to_owned()))
    }
}

pub(super) struct Link {
    /// Gone only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    /// Whether the server warned of anything.
    warned: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn connect(options: &PostgresOptions) -> Result<Self, StoreError> {
        let address = &options.address;
        let mut config = Config::new();
        config
            .user(&address.user)
            .dbname(&address.database)
            .port(address.port)
            .application_name("salinan")
            .connect_timeout(CONNECT_WAIT)
            .keepalives_idle(PEER_WAIT)
            .tcp_user_timeout(PEER_WAIT)
            .ssl_mode(if address.is_verified { SslMode::Require } else { SslMode::Disable });
        if address.is_socket() {
            config.host_path(&address.host);
        } else {
            config.host(&address.host);
        }
        if let Some(password) = options.read_password()? {
            config.password(password);
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| StoreError::Runtime { source })?;
        let warned = Arc::new(AtomicBool::new(false));
        let connect = async {
            if address.is_verified {
                let (client, connection) = config.connect(Tls(tls(&options.roots)?)).await?;
                tokio::spawn(drive(connection, Arc::clone(&warned)));
                Ok(client)
            } else {
                let (client, connection) = config.connect(NoTls).await?;
                tokio::spawn(drive(connection, Arc::clone(&warned)));
                Ok(client)
            }
        };
        let connected = runtime.block_on(async { timeout(CONNECT_WAIT, connect).await });
        let client = connected.unwrap_or(Err(StoreError::Silent { wait: CONNECT_WAIT }))?;
        Ok(Self { runtime: Some(runtime), client, warned })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for what was asked of the server, so long at most.
    pub(super) fn wait<T>(
        &self,
        wait: Duration,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else { return Err(StoreError::Silent { wait }) };
        runtime.block_on(async { timeout(wait, asked).await.unwrap_or(Err(StoreError::Silent { wait })) })
    }

    pub(super) fn was_warned(&self) -> bool {
        self.warned.load(Ordering::Acquire)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Waits for nothing, so that it may happen anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn tls(roots: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, StoreError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|source| StoreError::Root { source })?;
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(store).with_no_client_auth()))
}

/// Moves bytes until the connection ends, and takes note of what the server says unasked.
async fn drive<S, T>(mut connection: Connection<S, T>, warned: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                // What has no severity we know may be anything.
                if notice.parsed_severity().is_none_or(|severity| severity == Severity::Warning) {
                    warned.store(true, Ordering::Release);
                    tracing::error!(
                        code = notice.code().code(),
                        notice = notice.message(),
                        "the database warns"
                    );
                }
            }
            Some(Ok(_)) => {}
            // Whoever waits for an answer is told the reason.
            Some(Err(_)) | None => return,
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code().map(SqlState::code) {
            Some("SL001") => Self::ShutOut,
            Some("SL004") => Self::NameTaken,
            Some("25006") => Self::ReadOnly { source: error },
            // The schema, a table of it, or the right to look at it.
            Some("3F000" | "42P01" | "42883" | "42501") => Self::NoLedger { source: error },
            _ => Self::Postgres(error),
        }
    }
}

/// Whether the server may have gone on with what it was asked for although this is its answer.
pub(super) fn is_cut_off(error: &StoreError) -> bool {
    match error {
        StoreError::Silent { .. } => true,
        StoreError::Postgres(error) => {
            error.as_db_error().is_none_or(|error| !matches!(error.parsed_severity(), Some(Severity::Error)))
        }
        _ => false,
    }
}
