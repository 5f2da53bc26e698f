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
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::anchor::Anchor;
use super::book::Book;
use super::entry::{Cause, Entry, Intent, Resumed};
use super::error::LedgerError;
use super::key::Signer;
use super::notice::Heartbeat;
use super::queue::{Append, End, Gauge, Message, Needs, Then, acknowledge, gather, turn_away};
use super::reconcile::reconcile;
use super::spool;
use super::stamper::Stamper;
use crate::domain::{Digest, ReleaseId};
use crate::store::{NewEntry, Replica, Store, StoreError};

/// How long a failed store is left alone, and how often those who ask meanwhile are answered.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_STEP: Duration = Duration::from_millis(20);

/// Opens the store anew.
pub(super) type Connect = Box<dyn Fn(&Replica<'_>) -> Result<Box<dyn Store>, StoreError> + Send + Sync>;

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
    /// Entries are not further apart than this.
    pub(super) heartbeat: Option<Duration>,
    /// When the last batch was stored.
    pub(super) stored_ms: u64,
    /// Where auditors' commands on this machine leave their reads.
    pub(super) directory: PathBuf,
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
        while !self.queue.is_empty() {
            let Some(open) = book.take() else { break };
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
    fn work(&mut self, mut book: Book, end: &mut Option<End>) -> Option<Book> {
        let first = match self.queue.blocking_recv() {
            Some(Message::Append(append)) => append,
            Some(Message::Beat) => {
                let done = self.beat(&mut book);
                return self.goes_on(book, done);
            }
            Some(Message::Heartbeat) => {
                let done = self.heartbeat(&mut book);
                return self.goes_on(book, done);
            }
            Some(Message::Reads) => {
                let done = self.reads(&mut book);
                return self.goes_on(book, done);
            }
            Some(Message::ShutDown(done)) => {
                *end = Some(End::Asked(done));
                return Some(book);
            }
            None => {
                *end = Some(End::Alone);
                return Some(book);
            }
        };
        let mut are_reads_due = false;
        let mut book = self.store(book, |queue| gather(first, queue, &mut are_reads_due, end))?;
        if are_reads_due {
            let done = self.reads(&mut book);
            book = self.goes_on(book, done)?;
        }
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
            batch(&mut self.queue).into_iter().filter_map(|append| self.take(append, &mut book)).unzip();
        if begun.is_ok() && entries.is_empty() {
            return match book.abandon() {
                Ok(()) => Some(book),
                Err(error) => self.fail(&error.into()),
            };
        }
        match begun.and_then(|()| Ok(book.commit(&entries)?)) {
            Ok(first) => {
                self.stored(&book);
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
    fn beat(&mut self, book: &mut Book) -> Result<(), LedgerError> {
        if !book.beat()? {
            return Ok(());
        }
        book.begin()?;
        let entries = reconcile(book, &self.stamper, Cause::StoreFailed, &self.live)?;
        if entries.is_empty() {
            return Ok(book.abandon()?);
        }
        book.commit(&entries)?;
        self.stored(book);
        Ok(())
    }

    /// Enters that we live, unless something was entered lately.
    fn heartbeat(&mut self, book: &mut Book) -> Result<(), LedgerError> {
        let Some(interval) = self.heartbeat else { return Ok(()) };
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        // We are reminded twice in an interval, so this is in time.
        if self.stamper.clock.unix_ms().abs_diff(self.stored_ms) < interval_ms / 2 {
            return Ok(());
        }
        book.begin()?;
        let head = book.head();
        let (head_size, head_root) = (head.size, Digest(head.root));
        let entry = Entry::Heartbeat(Heartbeat { head_size, head_root, interval_ms });
        book.commit(&[self.stamper.write(&entry)?])?;
        self.stored(book);
        Ok(())
    }

    /// Enters the reads of auditors that wait, each once.
    fn reads(&mut self, book: &mut Book) -> Result<(), LedgerError> {
        let files = spool::waiting(&self.directory);
        if !spool::is_asked(book.store())? && files.is_empty() {
            return Ok(());
        }
        book.begin()?;
        let entries = spool::entries(book.store(), &self.stamper, &files)?;
        if entries.is_empty() {
            book.abandon()?;
        } else {
            book.commit(&entries)?;
            self.stored(book);
        }
        spool::take_away(&files);
        Ok(())
    }

    /// The book, if what was done to it by ourselves went well.
    fn goes_on(&self, book: Book, done: Result<(), LedgerError>) -> Option<Book> {
        match done {
            Ok(()) => Some(book),
            Err(error) => self.fail(&error),
        }
    }

    fn stored(&mut self, book: &Book) {
        self.stored_ms = self.stamper.clock.unix_ms();
        self.anchor.follow(book.checkpoint().to_owned());
    }

    /// Takes an entry out of the queue's account. A release whose end passes here is no longer anyone's,
    /// whether or not that end is stored now; one that is open already is not opened again.
    fn take(&mut self, append: Append, book: &mut Book) -> Option<(NewEntry, Then)> {
        self.gauge.queued_bytes.fetch_sub(append.entry.leaf.len(), Ordering::Relaxed);
        let mut within = None;
        let is_open = match append.needs {
            Needs::Opening { election, .. } if book.is_over(&election) => {
                turn_away(append.then, &LedgerError::ElectionOver);
                return None;
            }
            Needs::Opening { within: own, .. } => {
                within = own;
                true
            }
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
                turn_away(Then::HandOver(release, taker), &LedgerError::OpenAlready);
                None
            }
            then => match within {
                None => Some((append.entry, then)),
                Some(intent) => self.keep_back(intent, then, book),
            },
        }
    }

    /// The intent with what is kept back for it of its quota, unless nothing is left. It is no longer than before.
    fn keep_back(
        &mut self,
        mut intent: Box<Intent>,
        mut then: Then,
        book: &mut Book,
    ) -> Option<(NewEntry, Then)> {
        let kept = book.keep_back(&mut intent, self.stamper.clock.unix_ms());
        let (release, quota, entry) = (intent.release, intent.quota, Entry::Intent(intent));
        let written =
            kept.and_then(|()| self.stamper.write(&entry).inspect_err(|_| book.give_back(&release)));
        match written {
            Ok(entry) => {
                if let Then::HandOver(release, _) = &mut then {
                    release.keep_back(quota);
                }
                Some((entry, then))
            }
            Err(error) => {
                self.refuse(then, &error);
                None
            }
        }
    }

    /// Takes an entry that cannot be stored out of the queue's account.
    fn drop_unstored(&mut self, append: Append) {
        self.gauge.queued_bytes.fetch_sub(append.entry.leaf.len(), Ordering::Relaxed);
        if let Needs::Last(release) = &append.needs {
            self.live.remove(release);
        }
        turn_away(append.then, &LedgerError::NotWritable);
    }

    fn refuse(&mut self, then: Then, error: &LedgerError) {
        if let Then::HandOver(release, _) = &then {
            self.live.remove(&release.id());
        }
        turn_away(then, error);
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
                    Ok(Message::Append(append)) => self.drop_unstored(append),
                    Ok(Message::Beat | Message::Heartbeat | Message::Reads) => {}
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
        let mut store = (self.connect)(&self.stamper.replica())?;
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
        self.stored(&book);
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

pub(super) fn read_anchor(path: &std::path::Path) -> Result<String, LedgerError> {
    std::fs::read_to_string(path)
        .map_err(|error| LedgerError::File { path: path.to_owned(), source: Arc::new(error) })
}
