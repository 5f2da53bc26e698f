//! What became of a release, for auditors' questions: its entries read together, and entries of several kinds in the
//! order of the ledger.
//!
//! Everything is read a page at a time, so that a question over millions of entries needs the memory of a few.

use std::collections::VecDeque;

use super::entry::{Ack, Completion, Entry, Grant, Intent, Outcome, Reconciled};
use super::error::LedgerError;
use super::reader::{LedgerReader, Query, Record};

/// Entries fetched at a time.
const PAGE: u64 = 256;

/// Entries that match any of some queries, each once, in the order of the ledger. No two of the queries may match the
/// same entry.
#[derive(Debug)]
pub struct Entries {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    query: Query,
    page: VecDeque<Record>,
    from: u64,
    is_last: bool,
}

impl Entries {
    pub fn of(queries: impl IntoIterator<Item = Query>) -> Self {
        let stream = |query| Stream { query, page: VecDeque::new(), from: 0, is_last: false };
        Self { streams: queries.into_iter().map(stream).collect() }
    }

    /// The next entry, read where `reader` stands.
    pub fn next_in(&mut self, reader: &mut LedgerReader) -> Result<Option<Record>, LedgerError> {
        for stream in &mut self.streams {
            stream.fill(reader)?;
        }
        let index = |stream: &Stream| stream.page.front().map(|record| record.index);
        let begun = self.streams.iter_mut().filter(|stream| !stream.page.is_empty());
        Ok(begun.min_by_key(|stream| index(stream)).and_then(|stream| stream.page.pop_front()))
    }
}

impl Stream {
    fn fill(&mut self, reader: &mut LedgerReader) -> Result<(), LedgerError> {
        if self.page.is_empty() && !self.is_last {
            self.page = reader.find(&self.query, self.from, PAGE)?.into();
            self.is_last = (self.page.len() as u64) < PAGE;
            self.from = self.page.back().map_or(self.from, |record| record.index + 1);
        }
        Ok(())
    }
}

/// One release as far as the ledger has it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Index and time of the intent.
    pub index: u64,
    pub opened_ms: u64,
    pub intent: Intent,
    pub end: Option<End>,
    /// The last one.
    pub grant: Option<Grant>,
    /// What the recipient said last, and when; what matched goes before what did not.
    pub ack: Option<(u64, Ack)>,
}

#[derive(Debug, Clone)]
pub struct End {
    pub index: u64,
    pub ts_ms: u64,
    pub how: How,
}

#[derive(Debug, Clone)]
pub enum How {
    Complete(Box<Completion>),
    Reconciled(Reconciled),
}

impl Account {
    pub fn completion(&self) -> Option<&Completion> {
        match &self.end {
            Some(End { how: How::Complete(completion), .. }) => Some(completion),
            Some(End { how: How::Reconciled(_), .. }) | None => None,
        }
    }

    /// `complete`, `aborted`, `failed`, `reconciled` or `open`.
    pub fn outcome(&self) -> &'static str {
        match &self.end {
            None => "open",
            Some(End { how: How::Reconciled(_), .. }) => "reconciled",
            Some(End { how: How::Complete(completion), .. }) => completion.outcome.as_str(),
        }
    }

    pub fn cause(&self) -> Option<&str> {
        match &self.end {
            None => None,
            Some(End { how: How::Reconciled(closed), .. }) => Some(closed.cause.as_str()),
            Some(End { how: How::Complete(completion), .. }) => completion.cause.as_deref(),
        }
    }

    /// Bytes that can have left, at least and at most; no most: no bound was set.
    pub fn bytes(&self) -> (u64, Option<u64>) {
        match &self.end {
            Some(End { how: How::Complete(completion), .. }) => (completion.bytes, Some(completion.bytes)),
            Some(End { how: How::Reconciled(closed), .. }) => (closed.bytes_min, closed.bytes_max),
            None => match &self.grant {
                Some(grant) => (grant.bytes, Some(grant.ceiling_bytes)),
                None => (0, self.intent.ceiling_bytes),
            },
        }
    }

    /// Whether it is known that nothing left.
    pub fn is_empty(&self) -> bool {
        self.bytes().1 == Some(0)
            || self.completion().is_some_and(|completion| completion.outcome == Outcome::Failed)
    }

    /// Whether the recipient said that it holds the same.
    pub fn is_acknowledged(&self) -> bool {
        self.ack.as_ref().is_some_and(|(_, ack)| ack.is_match)
    }

    fn take(&mut self, record: Record) {
        let (index, ts_ms) = (record.index, record.stamp.ts_ms);
        match record.entry {
            Entry::Grant(grant) => self.grant = Some(*grant),
            Entry::Complete(closed) => {
                self.end = Some(End { index, ts_ms, how: How::Complete(Box::new(closed.completion)) });
            }
            Entry::Reconciled(closed) => self.end = Some(End { index, ts_ms, how: How::Reconciled(closed) }),
            Entry::Ack(ack) if ack.is_match || !self.is_acknowledged() => self.ack = Some((ts_ms, *ack)),
            _ => {}
        }
    }
}

impl LedgerReader {
    /// What became of the release that an intent opened; `None` where the entry is no intent.
    pub fn account(&mut self, opened: Record) -> Result<Option<Account>, LedgerError> {
        let Entry::Intent(intent) = opened.entry else { return Ok(None) };
        let (index, opened_ms) = (opened.index, opened.stamp.ts_ms);
        let query = Query { release: Some(intent.release), ..Query::default() };
        let mut account = Account { index, opened_ms, intent: *intent, end: None, grant: None, ack: None };
        let mut later = Entries::of([query]);
        while let Some(record) = later.next_in(self)? {
            account.take(record);
        }
        Ok(Some(account))
    }
}
