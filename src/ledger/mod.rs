//! The tamper-evident record of every copy handed over.
//!
//! `release` opens a release here before the source is asked and closes it before the last byte leaves; both
//! are durable when they return. The record is a Merkle tree in the public formats of C2SP (`tlog-tiles`,
//! `tlog-checkpoint`), so that a party, a court or a rival can check it with tools we did not write; see
//! `docs/ledger-format.md`.
//!
//! What always holds: an answer is given only for what is on disk; every opened release is closed, by its
//! owner, by being dropped, or by the next start; nobody waits longer than the deadline, and nothing queues
//! without a bound.

pub mod anchor;
mod audit;
mod book;
mod boot;
pub mod by_hand;
#[cfg(test)]
mod ceilings;
pub mod checkpoint;
mod cosign;
pub mod coverage;
mod covered;
pub mod entry;
mod error;
mod evidence;
mod export;
#[cfg(test)]
mod faults;
pub mod key;
pub mod keys;
pub mod leaf;
mod make;
pub mod notice;
#[cfg(test)]
mod operated;
mod policies;
pub mod proof;
mod public;
mod queue;
pub mod quorum;
#[cfg(test)]
mod quotas;
mod reader;
mod receipt;
mod reconcile;
mod release;
mod replay;
mod rows;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod shared_by_hand;
pub mod spool;
mod stamper;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod verify;
mod writer;

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;

pub use audit::{Account, End, Entries, How};
pub use boot::InForce;
pub use by_hand::ByHand;
pub use cosign::Cosigner;
pub use coverage::Coverage;
pub use covered::Covered;
pub use entry::{Ack, Completion, Entry, FieldCount, Intent, Outcome, Refusal, ReplicaStart, Reserved};
pub use error::LedgerError;
pub use evidence::{Ending, Evidence, Proved, Unproven};
pub use export::TileName;
pub use key::{Signer, Verifier};
pub use notice::AuditRead;
pub use public::COSIGNED_FILE;
pub use reader::{LedgerReader, Query, Record};
pub use receipt::{Proven, RECEIPT_BYTES_MAX, Receipt, ReceiptError};
pub use release::{CEILING_STEP_BYTES, Closing, Counts, FIELDS_LISTED_MAX, FURTHER_FIELDS, OpenRelease};

use anchor::Anchor;
use book::Book;
use public::Cosigned;
use queue::{Append, Gauge, Message, Needs, Then};
use rows::Accounts;
use stamper::Stamper;
use writer::Writer;

use crate::domain::{Clock, Random};
use crate::store::{NewEntry, Place, Replica, StoreError};

/// Names of the ledger's files in its directory.
pub const DATABASE_FILE: &str = "ledger.sqlite";
pub const ANCHOR_FILE: &str = "ledger.anchor";
pub const KEY_FILE: &str = "ledger-key.pem";
const LOCK_FILE: &str = "ledger.lock";

/// How often other replicas are told that this one lives: a quarter of the time after which they give it up.
const BEAT_INTERVAL: Duration = Duration::from_secs(15);
/// How often reads of auditors are looked for; in a server, which is asked for them, less often.
const READS_INTERVAL: Duration = Duration::from_millis(50);
const READS_INTERVAL_SHARED: Duration = Duration::from_millis(200);
/// How often, and after how long, a lock that is held is tried again.
const LOCK_TRIES: usize = 5;
const LOCK_STEP: Duration = Duration::from_millis(20);
/// How long shutting down may take.
const SHUT_DOWN_MAX: Duration = Duration::from_secs(10);

pub struct LedgerOptions {
    /// Where the lock and, unless said otherwise, the anchor and the database are.
    pub directory: PathBuf,
    pub store: Place,
    /// Where the latest checkpoint is kept outside the database: best on another disk.
    pub anchor: PathBuf,
    pub signer: Signer,
    /// The name of this process among others that write to the same ledger.
    pub replica: String,
    /// How long an append may take before it counts as failed.
    pub append_deadline: Duration,
    /// Entries that may wait, the reserved places of open releases included. A quarter is kept for their grants and
    /// ends.
    pub queue_entries_max: usize,
    /// Bytes of entries that may wait; closing entries are let in beyond it.
    pub queue_bytes_max: usize,
    /// Entries are not further apart than this while the process runs; none: there is no heartbeat.
    pub heartbeat: Option<Duration>,
    /// Policies and register that are in force, so that changes are entered; none: nobody says.
    pub in_force: Option<InForce>,
}

impl LedgerOptions {
    pub fn new(directory: impl Into<PathBuf>, signer: Signer) -> Self {
        let directory = directory.into();
        Self {
            anchor: directory.join(ANCHOR_FILE),
            store: Place::File(directory.join(DATABASE_FILE)),
            directory,
            signer,
            replica: "main".to_owned(),
            append_deadline: Duration::from_secs(2),
            queue_entries_max: 8_192,
            queue_bytes_max: 16 << 20,
            heartbeat: None,
            in_force: None,
        }
    }
}

/// The open ledger. Clones share it.
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    store: Place,
    vkey: String,
    queue: mpsc::Sender<Message>,
    cosigned: Cosigned,
    stamper: Arc<Stamper>,
    gauge: Arc<Gauge>,
    append_deadline: Duration,
    queue_bytes_max: usize,
    /// Places in the queue that only grants and ends may take.
    room: usize,
    dropped_refusals: AtomicU64,
    /// The thread, and its reserved place for being asked to end.
    thread: Mutex<Option<(OwnedPermit<Message>, JoinHandle<()>)>>,
}

impl Ledger {
    /// Opens a ledger that exists. Its newest part is checked against its signature and its anchor;
    /// `replica.start` and the closing entries of releases that an earlier process left open are durable when
    /// it returns.
    pub fn open(
        options: LedgerOptions,
        start: ReplicaStart,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, LedgerError> {
        let store = options.store.clone();
        if store.is_missing() {
            return Err(LedgerError::Missing { place: store.to_string() });
        }
        let connect = move |replica: &Replica<'_>| store.store(replica);
        Self::open_with(options, start, clock, random, Box::new(connect))
    }

    fn open_with(
        options: LedgerOptions,
        start: ReplicaStart,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        connect: writer::Connect,
    ) -> Result<Self, LedgerError> {
        let lock = lock(&options.directory)?;
        let (place, vkey) = (options.store.clone(), options.signer.vkey());
        let stamper = Arc::new(Stamper::new(&options.replica, clock, random)?);
        let anchor = writer::read_anchor(&options.anchor)?;
        let open_book = || {
            let mut store = connect(&stamper.replica())?;
            match store.settle() {
                // An auditor who reads does not keep us from serving; housekeeping moves the pages later.
                Err(StoreError::Read) => {
                    tracing::warn!("the ledger is being read, so its log was not emptied");
                }
                settled => settled?,
            }
            let is_shared = store.is_shared();
            let mut accounts = Accounts::default();
            if options.in_force.as_ref().is_some_and(|own| own.quotas) {
                accounts.read_ahead(&mut *store, stamper.clock.unix_ms())?;
            }
            let mut book = Book::open(store, &options.signer, &anchor)?;
            book.take_accounts(accounts);
            let (size, verifier) = (book.head().size, options.signer.verifier());
            let cosigned = Cosigned::load(&options.directory, &options.store, size, &verifier);
            spool::make(&options.directory);
            let reads = spool::waiting(&options.directory);
            boot::begin(&mut book, &stamper, start, options.in_force.as_ref(), &reads)?;
            spool::take_away(&reads);
            Ok::<_, LedgerError>((book, is_shared, cosigned))
        };
        // An engine that waits for a server must not do so on a thread that runs futures.
        let opened = thread::scope(|scope| scope.spawn(open_book).join());
        let (book, is_shared, cosigned) = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;

        let file_error =
            |source| LedgerError::File { path: options.anchor.clone(), source: Arc::new(source) };
        let anchor = Anchor::start(options.anchor.clone()).map_err(file_error)?;
        anchor.follow(book.checkpoint().to_owned());
        // One more place than asked for: the one to end with.
        let (sender, queue) = mpsc::channel(options.queue_entries_max.max(2) + 1);
        let end_place = reserve(&sender)?;
        let gauge = Arc::new(Gauge::default());
        gauge.is_writable.store(true, Ordering::Release);
        if is_shared {
            remind(sender.downgrade(), BEAT_INTERVAL, || Message::Beat).map_err(file_error)?;
        }
        if let Some(interval) = options.heartbeat {
            remind(sender.downgrade(), interval / 2, || Message::Heartbeat).map_err(file_error)?;
        }
        let look = if is_shared { READS_INTERVAL_SHARED } else { READS_INTERVAL };
        remind(sender.downgrade(), look, || Message::Reads).map_err(file_error)?;
        let writer = Writer {
            queue,
            connect,
            signer: options.signer,
            anchor_path: options.anchor.clone(),
            anchor,
            stamper: Arc::clone(&stamper),
            gauge: Arc::clone(&gauge),
            live: HashSet::new(),
            heartbeat: options.heartbeat,
            stored_ms: stamper.clock.unix_ms(),
            directory: options.directory.clone(),
        };
        let thread = thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            let _lock = lock;
            writer.run(book);
        });
        let thread = thread.map_err(file_error)?;
        Ok(Self(Arc::new(Shared {
            store: place,
            vkey,
            queue: sender,
            cosigned,
            stamper,
            gauge,
            append_deadline: options.append_deadline,
            queue_bytes_max: options.queue_bytes_max,
            room: options.queue_entries_max / 4,
            dropped_refusals: AtomicU64::new(0),
            thread: Mutex::new(Some((end_place, thread))),
        })))
    }

    /// Opens a release: its intent is durable when this returns. On an error nothing may be released; should
    /// the intent have been stored all the same, it is closed as failed.
    pub async fn open_release(&self, intent: Intent) -> Result<OpenRelease, LedgerError> {
        let shared = &*self.0;
        self.check_room()?;
        let (id, ceiling) = (intent.release, intent.ceiling_bytes.unwrap_or_default());
        let election = intent.determination.election.clone();
        let within = intent.quota.is_some().then(|| Box::new(intent.clone()));
        let needs = Needs::Opening { election, within };
        let entry = shared.stamper.write(&Entry::Intent(Box::new(intent)))?;
        let place = reserve(&shared.queue)?;
        let end_place = reserve(&shared.queue)?;
        let (stamper, gauge) = (Arc::clone(&shared.stamper), Arc::clone(&shared.gauge));
        let queue = shared.queue.clone();
        let release = OpenRelease::new(id, ceiling, queue, end_place, stamper, gauge, shared.append_deadline);
        let (taker, answer) = oneshot::channel();
        self.send(place, entry, needs, Then::HandOver(Box::new(release), taker));
        release::wait(answer, shared.append_deadline).await.map(|release| release.deliver())
    }

    /// Records a refusal if there is room, without waiting. `false`: it was dropped, and counted.
    pub fn refuse(&self, refusal: Refusal) -> bool {
        let queued = self.check_room().and_then(|()| {
            let entry = self.0.stamper.write(&Entry::Refused(Box::new(refusal)))?;
            self.send(reserve(&self.0.queue)?, entry, Needs::Nothing, Then::Nothing);
            Ok(())
        });
        if queued.is_err() {
            self.0.dropped_refusals.fetch_add(1, Ordering::Relaxed);
        }
        queued.is_ok()
    }

    /// Records what a recipient says it holds; durable when it returns, with the entry's index.
    pub async fn acknowledge(&self, ack: Ack) -> Result<u64, LedgerError> {
        self.check_room()?;
        self.enter(&Entry::Ack(Box::new(ack))).await
    }

    async fn enter(&self, entry: &Entry) -> Result<u64, LedgerError> {
        let entry = self.0.stamper.write(entry)?;
        let (told, answer) = oneshot::channel();
        self.send(reserve(&self.0.queue)?, entry, Needs::Nothing, Then::Tell(told));
        release::wait(answer, self.0.append_deadline).await
    }

    /// Refusals that found no room since the start.
    pub fn dropped_refusals(&self) -> u64 {
        self.0.dropped_refusals.load(Ordering::Relaxed)
    }

    /// Whether appends can succeed. `false` from a failure of the store until it is opened anew.
    pub fn is_writable(&self) -> bool {
        self.0.gauge.is_writable.load(Ordering::Acquire) && !self.0.queue.is_closed()
    }

    /// Stores what is queued and closes the ledger. Releases still open are reconciled by the next start.
    pub async fn shut_down(self) {
        let taken = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((place, thread)) = taken else { return };
        let (done, ended) = oneshot::channel();
        place.send(Message::ShutDown(done));
        if tokio::time::timeout(SHUT_DOWN_MAX, ended).await.is_ok() {
            // It said its last word; what is left of it takes no time.
            let _ = thread.join();
        } else {
            tracing::error!("the ledger did not close in time");
        }
    }

    /// Whether more may be queued by who does not hold a release open: those who do come first.
    fn check_room(&self) -> Result<(), LedgerError> {
        if !self.0.gauge.is_writable.load(Ordering::Acquire) {
            return Err(LedgerError::NotWritable);
        }
        if self.0.gauge.queued_bytes.load(Ordering::Relaxed) > self.0.queue_bytes_max {
            return Err(LedgerError::QueueFull);
        }
        if self.0.queue.capacity() <= self.0.room {
            return Err(LedgerError::QueueFull);
        }
        Ok(())
    }

    fn send(&self, place: OwnedPermit<Message>, entry: NewEntry, needs: Needs, then: Then) {
        self.0.gauge.send(place, Append { entry, needs, then });
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ledger(..)")
    }
}

fn reserve(queue: &mpsc::Sender<Message>) -> Result<OwnedPermit<Message>, LedgerError> {
    queue.clone().try_reserve_owned().map_err(|error| match error {
        TrySendError::Full(_) => LedgerError::QueueFull,
        TrySendError::Closed(_) => LedgerError::ShutDown,
    })
}

/// Reminds the writer of something now and then, until nobody queues any more.
fn remind(queue: mpsc::WeakSender<Message>, every: Duration, message: fn() -> Message) -> io::Result<()> {
    let remind = move || {
        loop {
            thread::sleep(every);
            let Some(queue) = queue.upgrade() else { return };
            // A queue without room is one that the writer takes from, or cannot.
            let _ = queue.try_send(message());
        }
    };
    thread::Builder::new().name("ledger-beat".to_owned()).spawn(remind).map(drop)
}

/// One process at a time; the lock goes with the file.
fn lock(directory: &Path) -> Result<File, LedgerError> {
    let path = directory.join(LOCK_FILE);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file_error = |source| LedgerError::File { path: path.clone(), source: Arc::new(source) };
    let file = opened.map_err(file_error)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // An auditor's command may be looking whether anybody holds it.
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_STEP),
            Err(TryLockError::Error(error)) => return Err(file_error(error)),
        }
    }
    Err(LedgerError::Held { directory: directory.to_owned() })
}
