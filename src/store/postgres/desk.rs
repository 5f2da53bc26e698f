//! Where an auditor's command leaves what it asks, for a replica to enter.

use super::link::PostgresOptions;
use super::reader::{PostgresReader, column};
use crate::store::{ReadId, Reader as _, StoreError};

/// A connection that may ask, beside those who append. It must not be used on a thread that runs futures.
pub struct Desk(PostgresReader);

impl Desk {
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut reader = PostgresReader::connect(options)?;
        super::setup::check_format(&mut reader)?;
        // Whatever the role is set to: what was left is there after a power cut.
        reader.run("SET synchronous_commit = on")?;
        Ok(Self(reader))
    }

    /// Leaves a read under a name that nobody used. Durable when it returns.
    pub fn leave(&mut self, id: &ReadId, what: &str) -> Result<(), StoreError> {
        self.0.rows("SELECT salinan.ask($1, $2)", &[&id.as_slice(), &what]).map(drop)
    }

    /// Whether a replica lives, as far as the server knows.
    pub fn is_served(&mut self) -> Result<bool, StoreError> {
        let rows = self.0.rows("SELECT salinan.is_served()", &[])?;
        rows.first().ok_or(StoreError::Format).and_then(|row| column(row, 0))
    }

    /// The entry of a read that was left here, once it is durable.
    pub fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        self.0.entered(id)
    }
}
