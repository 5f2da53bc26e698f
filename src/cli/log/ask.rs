//! What all auditors' questions share: which ledger, which period, in which form, and who asks.

use clap::Args;

use super::sheet::{Asked, Format};
use super::when::Period;
use super::{Place, open, reads, unreadable};
use crate::cli::print::Failure;
use crate::ledger::{Account, Entries, LedgerReader, Query, Record};

#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    pub period: Period,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    asker: Asker,
}

/// Who asks.
#[derive(Debug, Args)]
pub struct Asker {
    /// Who asks: every read of the ledger is recorded in it. Without this, the user of the operating system
    #[arg(long, value_name = "NAME", value_parser = reads::read_auditor)]
    auditor: Option<String>,
}

impl Asker {
    /// Opens a ledger for a question that is recorded before it is answered, and gives its size.
    pub fn open(
        &self,
        place: &Place,
        word: &'static str,
        parameters: &reads::Parameters,
    ) -> Result<(LedgerReader, u64), Failure> {
        let mut reader = open(place)?;
        let size = reader.size().map_err(|error| unreadable(place, error))?;
        reads::record(place, self.auditor.as_deref(), word, parameters, size)?;
        Ok((reader, size))
    }
}

/// A question under way: the ledger as it stood, and what is said of the question itself.
pub struct Question<'a> {
    pub common: &'a Common,
    reader: LedgerReader,
    word: &'static str,
    parameters: Vec<(&'static str, String)>,
    size: u64,
}

impl Common {
    /// Opens the ledger to answer a question, with what it was asked with.
    pub fn begin(
        &self,
        word: &'static str,
        mut parameters: Vec<(&'static str, String)>,
    ) -> Result<Question<'_>, Failure> {
        parameters.extend(self.period.parameters());
        let (reader, size) = self.asker.open(&self.place, word, &parameters)?;
        Ok(Question { common: self, reader, word, parameters, size })
    }

    /// All entries of the period.
    pub fn query(&self) -> Query {
        Query { from_ms: self.period.starts_ms(), until_ms: self.period.ends_ms(), ..Query::default() }
    }

    /// All entries of the period that are of this type.
    pub fn of_kind(&self, kind: &str) -> Query {
        Query { kind: Some(kind.to_owned()), ..self.query() }
    }
}

impl Question<'_> {
    /// For the head of the answer.
    pub fn asked(&self) -> Asked<'_> {
        Asked { question: self.word, parameters: &self.parameters, size: self.size }
    }

    pub fn next(&mut self, entries: &mut Entries) -> Result<Option<Record>, Failure> {
        entries.next_in(&mut self.reader).map_err(|error| unreadable(&self.common.place, error))
    }

    pub fn at(&mut self, index: u64) -> Result<Option<Record>, Failure> {
        self.reader.at(index).map_err(|error| unreadable(&self.common.place, error))
    }

    /// What became of the release that an intent opened.
    pub fn account(&mut self, opened: Record) -> Result<Option<Account>, Failure> {
        self.reader.account(opened).map_err(|error| unreadable(&self.common.place, error))
    }

    pub fn open_releases(&mut self) -> Result<Vec<Record>, Failure> {
        self.reader.open_releases().map_err(|error| unreadable(&self.common.place, error))
    }
}
