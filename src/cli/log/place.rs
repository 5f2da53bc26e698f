//! Where the ledger is, as the commands take it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::print::Failure;
use crate::ledger::{DATABASE_FILE, LedgerError};
use crate::store;
use crate::store::postgres::PostgresOptions;
use crate::store::postgres::address::Address;

#[derive(Debug, clap::Args)]
pub struct Place {
    /// The ledger's directory
    #[arg(long, alias = "ledger", value_name = "DIR", required_unless_present = "store")]
    pub dir: Option<PathBuf>,
    /// The server that holds the ledger of several replicas, such as `postgres://auditor@db.example/ledger`; the
    /// directory is then where the anchor is
    #[arg(long, value_name = "URL")]
    store: Option<Address>,
    /// The file with the password for the server
    #[arg(long, value_name = "FILE", requires = "store")]
    store_password: Option<PathBuf>,
    /// The certificate that vouches for the server, if it is on another machine
    #[arg(long, value_name = "FILE", requires = "store")]
    store_ca: Option<PathBuf>,
}

impl Place {
    /// What is known of the server, where the ledger is on one.
    pub fn server(&self) -> Result<Option<PostgresOptions>, Failure> {
        self.options()
            .map_err(|error| Failure::caused("could not set up the connection to the server", error))
    }

    /// The directory, for what needs one.
    pub fn directory(&self) -> Result<&Path, Failure> {
        self.dir.as_deref().ok_or_else(|| {
            Failure::new("`--dir` is needed as well").help("the signing key and the anchor are kept there")
        })
    }

    /// The store, from which the ledger is read.
    pub fn store(&self) -> Result<store::Place, LedgerError> {
        Ok(match (self.options()?, &self.dir) {
            (Some(options), _) => store::Place::Server(options),
            (None, dir) => store::Place::File(dir.clone().unwrap_or_default().join(DATABASE_FILE)),
        })
    }

    fn options(&self) -> Result<Option<PostgresOptions>, store::StoreError> {
        let Some(address) = &self.store else { return Ok(None) };
        PostgresOptions::load(address.clone(), self.store_password.clone(), self.store_ca.as_deref())
            .map(Some)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.store, &self.dir) {
            (Some(address), _) => write!(f, "{address}"),
            (None, Some(dir)) => write!(f, "{}", dir.display()),
            (None, None) => Ok(()),
        }
    }
}
