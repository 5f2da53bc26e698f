//! The one thread that appends. It takes what waits in the queue, stores it in one commit, and only then wakes
//! those who wait: while one batch is on its way to the disk the next one gathers, so no timer is needed.
//!
//! After any error of the store nothing more is acknowledged. The connection is closed, and after a second the
//! book is opened anew on what is really there, which the store first makes durable a second time. The failed
//! batch stays unacknowledged, and releases whose end was lost with it are reconciled. A first entry of our own
//! must be durable before we accept others again.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{OwnedPermit, Receiver};
use tokio::sync::oneshot;

use super::anchor::Anchor;
use super::book::Book;
use super::entry::{Cause, Entry, Grant, Reconciled, Resumed};
use super::error::LedgerError;
use super::key::Signer;
use super::release::OpenRelease;
use super::stamper::Stamper;
use crate::domain::{Digest, ReleaseId};
use crate::store::{Filter, NewEntry, Store, StoreError};

/// Most entries and bytes in one commit.
const BATCH_ENTRIES_MAX: usize = 1_024;
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Grants of one release read at a time.
const GRANTS_PAGE: u64 = 256;
/// How long a failed store is left alone, and how often those who ask meanwhile are answered.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_STEP: Duration = Duration::from_millis(20);

pub(super) enum Message {
    Append(Append),
    /// Tell other replicas that we live.
    Beat,
    /// Store what is queued, end, and say so.
    ShutDown(oneshot::Sender<()>),
}

pub(super) struct Append {
    pub(super) entry: NewEntry,
    pub(super) needs: Needs,
    pub(super) then: Then,
}

/// What must hold for an entry when its turn comes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Needs {
    Nothing,
    /// This release is open.
    Open(ReleaseId),
    /// It is open, and this entry is its last.
    Last(ReleaseId),
}

/// What to do once the entry is durable.
pub(super) enum Then {
    Nothing,
    Tell(oneshot::Sender<Result<u64, LedgerError>>),
    /// Hand the release over. When nobody takes it any more it closes itself, as any dropped release does.
    HandOver(Box<OpenRelease>, oneshot::Sender<Result<Box<OpenRelease>, LedgerError>>),
}

/// What the writer shares with those who queue.
#[derive(Default)]
pub(super) struct Gauge {
    pub(super) is_writable: AtomicBool,
    /// Bytes of leaves in the queue.
    pub(super) queued_bytes: AtomicUsize,
}

impl Gauge {
    /// Queues an entry at its reserved place.
    pub(super) fn send(&self, place: OwnedPermit<Message>, append: Append) {
        self.queued_bytes.fetch_add(append.entry.leaf.len(), Ordering::Relaxed);
        place.send(Message::Append(append));
    }
}

/// Opens the store anew.
pub(super) type Connect = Box<dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send + Sync>;

pub(super) struct Writer {
    pub(super) queue: Receiver<Message>,
    pub(super) connect: Connect,
    pub(super) signer: Signer,
    pub(super) anchor_path: PathBuf,
    pub(super) anchor: Anchor,
    pub(super) stamper: Arc<Stamper>,
    pub(super) gauge: Arc<Gauge>,
    /// Releases handed over whose closing entry has not come by.
    pub(super) live: HashSet<ReleaseId>,
}

impl Writer {
    /// Runs until shut down or until nobody can queue any more.
    pub(super) fn run(mut self, book: Book) {
        let mut book = Some(book);
        let mut end = None;
        while end.is_none() {
            book = match book {
                Some(open) => self.work(open, &mut end),
                None => self.recover(&mut end),
            };
        }
        self.queue.close();
        while let (Some(open), false) = (book.take(), self.queue.is_empty()) {
            book = self.work(open, &mut end);
        }
        // Close the database and write the last anchor before anyone is told that we are done.
        if let Some(Err(error)) = book.as_mut().map(Book::leave) {
            tracing::warn!(%error, "other replicas were not told that this one ends");
        }
        drop(book);
        drop(self.anchor);
        if let Some(End::Asked(done)) = end {
            let _ = done.send(());
        }
    }

    /// Waits for one message and stores it with all that came meanwhile.
    fn work(&mut self, book: Book, end: &mut Option<End>) -> Option<Book> {
        let first = match self.queue.blocking_recv() {
            Some(Message::Append(append)) => append,
            Some(Message::Beat) => return self.beat(book),
            Some(Message::ShutDown(done)) => {
                *end = Some(End::Asked(done));
                return Some(book);
            }
            None => {
                *end = Some(End::Alone);
                return Some(book);
            }
        };
        let mut book = self.store(book, |queue| gather(first, queue, end))?;
        match book.tidy(self.queue.is_empty()) {
            Ok(()) => Some(book),
            Err(error) => self.fail(&error.into()),
        }
    }

    /// Stores one batch and answers everyone in it.
    fn store(
        &mut self,
        mut book: Book,
        batch: impl FnOnce(&mut Receiver<Message>) -> Vec<Append>,
    ) -> Option<Book> {
        let begun = book.begin();
        let (entries, afterwards): (Vec<_>, Vec<_>) =
            batch(&mut self.queue).into_iter().filter_map(|append| self.take(append)).unzip();
        if begun.is_ok() && entries.is_empty() {
            return match book.abandon() {
                Ok(()) => Some(book),
                Err(error) => self.fail(&error.into()),
            };
        }
        match begun.and_then(|()| Ok(book.commit(&entries)?)) {
            Ok(first) => {
                self.anchor.follow(book.checkpoint().to_owned());
                for (index, then) in (first..).zip(afterwards) {
                    acknowledge(index, then);
                }
                Some(book)
            }
            Err(error) => {
                let lost = Lost::of(&book, &entries, &error);
                drop(book);
                let failed = self.fail(&error);
                // Others wait for these answers, so that the store is not left alone first.
                let found = match lost.map(|lost| self.open_anew(Some(&lost))) {
                    Some(Ok(Found { book, is_stored: true, first })) => {
                        for (index, then) in (first..).zip(afterwards) {
                            acknowledge(index, then);
                        }
                        return Some(self.succeed(book));
                    }
                    Some(Ok(Found { book, .. })) => Some(self.succeed(book)),
                    Some(Err(error)) => self.fail(&error),
                    None => failed,
                };
                for then in afterwards {
                    self.refuse(then, &error);
                }
                found
            }
        }
    }

    /// Tells the others that we live, and closes what a silent one of them left open.
    fn beat(&mut self, mut book: Book) -> Option<Book> {
        let close = |book: &mut Book| {
            if !book.beat()? {
                return Ok(());
            }
            book.begin()?;
            let entries = reconcile(book, &self.stamper, Cause::StoreFailed, &self.live)?;
            if entries.is_empty() {
                return Ok(book.abandon()?);
            }
            book.commit(&entries)?;
            self.anchor.follow(book.checkpoint().to_owned());
            Ok(())
        };
        match close(&mut book) {
            Ok(()) => Some(book),
            Err(error) => self.fail(&error),
        }
    }

    /// Takes an entry out of the queue's account. A release whose end passes here is no longer anyone's,
    /// whether or not that end is stored now; one that is open already is not opened again.
    fn take(&mut self, append: Append) -> Option<(NewEntry, Then)> {
        self.gauge.queued_bytes.fetch_sub(append.entry.leaf.len(), Ordering::Relaxed);
        let is_open = match append.needs {
            Needs::Nothing => true,
            Needs::Open(release) => self.live.contains(&release),
            Needs::Last(release) => self.live.remove(&release),
        };
        if !is_open {
            self.refuse(append.then, &LedgerError::ClosedByOther);
            return None;
        }
        match append.then {
            Then::HandOver(release, taker) if !self.live.insert(release.id()) => {
                release.forget();
                drop(taker.send(Err(LedgerError::OpenAlready)));
                None
            }
            then => Some((append.entry, then)),
        }
    }

    fn refuse(&mut self, then: Then, error: &LedgerError) {
        match then {
            Then::Nothing => {}
            Then::Tell(told) => drop(told.send(Err(error.clone()))),
            Then::HandOver(release, taker) => {
                self.live.remove(&release.id());
                release.forget();
                drop(taker.send(Err(error.clone())));
            }
        }
    }

    fn fail(&self, error: &LedgerError) -> Option<Book> {
        self.gauge.is_writable.store(false, Ordering::Release);
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "the ledger's store failed; nothing is released until it is opened anew");
        None
    }

    /// Answers everyone with an error for a while, then tries to open the book on what is there.
    fn recover(&mut self, end: &mut Option<End>) -> Option<Book> {
        for _ in 0..BACK_OFF.as_millis() / BACK_OFF_STEP.as_millis() {
            loop {
                match self.queue.try_recv() {
                    Ok(Message::Append(append)) => {
                        if let Some((_, then)) = self.take(append) {
                            self.refuse(then, &LedgerError::NotWritable);
                        }
                    }
                    Ok(Message::Beat) => {}
                    Ok(Message::ShutDown(done)) => {
                        *end = Some(End::Asked(done));
                        return None;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        *end = Some(End::Alone);
                        return None;
                    }
                }
            }
            thread::sleep(BACK_OFF_STEP);
        }
        match self.open_anew(None) {
            Ok(found) => Some(self.succeed(found.book)),
            Err(error) => self.fail(&error),
        }
    }

    fn succeed(&self, book: Book) -> Book {
        self.gauge.is_writable.store(true, Ordering::Release);
        tracing::warn!("the ledger's store works again");
        book
    }

    /// Opens the book on what is really there, and looks whether a batch is among it whose answer was lost. That
    /// batch is durable, if it is there, once the first entry of our own behind it is.
    fn open_anew(&mut self, lost: Option<&Lost>) -> Result<Found, LedgerError> {
        let mut store = (self.connect)()?;
        store.settle()?;
        let anchor = read_anchor(&self.anchor_path)?;
        let mut book = Book::open(store, &self.signer, &anchor)?;
        let (mut first, mut is_stored) = (0, false);
        if let Some(lost) = lost {
            first = lost.first;
            is_stored = book.store().entries(first, 1)?.iter().any(|entry| entry.leaf == lost.leaf);
        }
        // What others closed while we were silent is no longer ours.
        let open: HashSet<_> = book.store().open_releases()?.into_iter().map(|(id, _)| id).collect();
        self.live.retain(|release| open.contains(release.as_bytes()));
        let found = book.head();
        let resumed = Resumed { head_size: found.size, head_root: Digest(found.root) };
        let mut entries = vec![self.stamper.write(&Entry::ReplicaResumed(resumed))?];
        entries.extend(reconcile(&mut book, &self.stamper, Cause::StoreFailed, &self.live)?);
        book.commit(&entries)?;
        self.anchor.follow(book.checkpoint().to_owned());
        Ok(Found { book, is_stored, first })
    }
}

/// A batch of which nobody knows whether it was stored: its place, and its first entry, whose nonce no other has.
struct Lost {
    first: u64,
    leaf: Vec<u8>,
}

impl Lost {
    fn of(book: &Book, entries: &[NewEntry], error: &LedgerError) -> Option<Self> {
        let LedgerError::Store(error) = error else { return None };
        let entry = entries.first().filter(|_| error.leaves_open())?;
        Some(Self { first: book.committing(), leaf: entry.leaf.clone() })
    }
}

/// The book opened anew, and whether a lost batch is in it from index `first` on.
struct Found {
    book: Book,
    is_stored: bool,
    first: u64,
}

/// Why the thread ends.
pub(super) enum End {
    Asked(oneshot::Sender<()>),
    Alone,
}

/// All that waits, up to the limits of a batch.
fn gather(first: Append, queue: &mut Receiver<Message>, end: &mut Option<End>) -> Vec<Append> {
    let mut bytes = first.entry.leaf.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        match queue.try_recv() {
            Ok(Message::Append(append)) => {
                bytes += append.entry.leaf.len();
                batch.push(append);
            }
            // So busy that others hear of us anyway.
            Ok(Message::Beat) => {}
            Ok(Message::ShutDown(done)) => {
                *end = Some(End::Asked(done));
                break;
            }
            Err(_) => break,
        }
    }
    batch
}

fn acknowledge(index: u64, then: Then) {
    match then {
        Then::Nothing => {}
        Then::Tell(told) => drop(told.send(Ok(index))),
        Then::HandOver(mut release, taker) => {
            release.stored(index);
            // When the taker is gone the release is dropped here and queues its own end.
            drop(taker.send(Ok(release)));
        }
    }
}

/// Closing entries for the open releases that nobody else can close and that are not `live`. The right to append
/// is held.
pub(super) fn reconcile(
    book: &mut Book,
    stamper: &Stamper,
    cause: Cause,
    live: &HashSet<ReleaseId>,
) -> Result<Vec<NewEntry>, LedgerError> {
    let mut entries = Vec::new();
    for (_, index) in book.store().orphans()? {
        let leaf = book.store().entries(index, 1)?.pop().filter(|entry| entry.index == index);
        let leaf = leaf.ok_or(LedgerError::EntryChanged { index })?.leaf;
        let Ok((stamp, Entry::Intent(intent))) = Entry::read(&leaf) else {
            return Err(LedgerError::EntryChanged { index });
        };
        if !live.contains(&intent.release) {
            let grant = last_grant(book, &intent.release)?;
            entries.push(stamper.write(&Entry::Reconciled(Reconciled {
                release: intent.release,
                intent: index,
                cause: if stamp.replica == stamper.replica { cause } else { Cause::ReplicaSilent },
                bytes_min: grant.as_ref().map_or(0, |grant| grant.bytes),
                bytes_max: grant.map(|grant| grant.ceiling_bytes).or(intent.ceiling_bytes),
            }))?);
        }
    }
    Ok(entries)
}

/// The grant that bounds what can have left of a release.
fn last_grant(book: &mut Book, release: &ReleaseId) -> Result<Option<Grant>, LedgerError> {
    let kind = Some("release.grant".to_owned());
    let filter = Filter { kind, release: Some(*release.as_bytes()), ..Filter::default() };
    let (mut from, mut last) = (0, None);
    loop {
        let page = book.store().find(&filter, from, GRANTS_PAGE)?;
        let is_end = (page.len() as u64) < GRANTS_PAGE;
        if let Some(stored) = page.last() {
            let Ok((_, Entry::Grant(grant))) = Entry::read(&stored.leaf) else {
                return Err(LedgerError::EntryChanged { index: stored.index });
            };
            from = stored.index + 1;
            last = Some(*grant);
        }
        if is_end {
            return Ok(last);
        }
    }
}

pub(super) fn read_anchor(path: &std::path::Path) -> Result<String, LedgerError> {
    std::fs::read_to_string(path)
        .map_err(|error| LedgerError::File { path: path.to_owned(), source: Arc::new(error) })
}
