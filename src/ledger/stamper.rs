//! Turns what is to be said into a leaf: adds the time, the process's names and the nonce.

use std::sync::Arc;

use super::entry::Entry;
use super::error::LedgerError;
use super::leaf::{Stamp, hex};
use crate::domain::{Clock, Random};
use crate::store::{NewEntry, Replica};

/// Shared by everyone who writes entries in this process.
pub(super) struct Stamper {
    pub(super) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    replica: String,
    pub(super) boot: String,
}

impl Stamper {
    pub(super) fn new(
        replica: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, LedgerError> {
        let mut boot = [0; 16];
        if !random.fill(&mut boot) {
            return Err(LedgerError::Random);
        }
        Ok(Self { clock, random, replica: replica.to_owned(), boot: hex(&boot) })
    }

    /// Who appends what is written here.
    pub(super) fn replica(&self) -> Replica<'_> {
        Replica { name: &self.replica, boot: &self.boot }
    }

    pub(super) fn write(&self, entry: &Entry) -> Result<NewEntry, LedgerError> {
        let mut nonce = [0; 16];
        if !self.random.fill(&mut nonce) {
            return Err(LedgerError::Random);
        }
        let stamp = Stamp {
            ts_ms: self.clock.unix_ms(),
            replica: self.replica.clone(),
            boot: self.boot.clone(),
            nonce,
        };
        Ok(entry.write(&stamp)?)
    }
}
