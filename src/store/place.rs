//! Where a ledger's store is: all it takes to open it, as often as needed.

use std::fmt;
use std::path::PathBuf;

use super::sqlite::{SqliteReader, SqliteStore};
use super::{Reader, Store, StoreError};

#[derive(Debug, Clone)]
pub enum Place {
    /// A database file of `SQLite`.
    File(PathBuf),
}

impl Place {
    /// Whether there is a store. Opening never makes one.
    pub fn exists(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
        }
    }

    /// Opens one state of the ledger for reading, beside whoever writes it.
    pub fn reader(&self) -> Result<Box<dyn Reader + Send>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteReader::open(path)?)),
        }
    }

    /// Opens the store for appending.
    pub fn store(&self) -> Result<Box<dyn Store>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::open(path)?)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
