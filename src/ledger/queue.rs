//! What waits for the writer, and who is told what became of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc::{OwnedPermit, Receiver};
use tokio::sync::oneshot;

use super::entry::Intent;
use super::error::LedgerError;
use super::release::OpenRelease;
use crate::domain::ReleaseId;
use crate::store::NewEntry;

/// Most entries and bytes in one commit.
const BATCH_ENTRIES_MAX: usize = 1_024;
const BATCH_BYTES_MAX: usize = 1 << 20;

#[expect(clippy::large_enum_variant, reason = "nearly all messages are the large one")]
pub(super) enum Message {
    Append(Append),
    /// Tell other replicas that we live.
    Beat,
    /// Say that we live in the ledger, if nothing has been entered for a while.
    Heartbeat,
    /// Enter the reads of auditors that wait.
    Reads,
    /// Store what is queued, end, and say so.
    ShutDown(oneshot::Sender<()>),
}

pub(super) struct Append {
    pub(super) entry: NewEntry,
    pub(super) needs: Needs,
    pub(super) then: Then,
}

/// What must hold for an entry when its turn comes.
#[derive(Debug, Clone)]
pub(super) enum Needs {
    Nothing,
    /// This election is not over; and where the intent is within a quota, there are rows left of it.
    Opening {
        election: String,
        within: Option<Box<Intent>>,
    },
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

/// Why the thread ends.
pub(super) enum End {
    Asked(oneshot::Sender<()>),
    Alone,
}

/// All that waits, up to the limits of a batch.
pub(super) fn gather(
    first: Append,
    queue: &mut Receiver<Message>,
    are_reads_due: &mut bool,
    end: &mut Option<End>,
) -> Vec<Append> {
    let mut bytes = first.entry.leaf.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        match queue.try_recv() {
            Ok(Message::Append(append)) => {
                bytes += append.entry.leaf.len();
                batch.push(append);
            }
            // So busy that others hear of us anyway.
            Ok(Message::Beat | Message::Heartbeat) => {}
            Ok(Message::Reads) => *are_reads_due = true,
            Ok(Message::ShutDown(done)) => {
                *end = Some(End::Asked(done));
                break;
            }
            Err(_) => break,
        }
    }
    batch
}

/// Tells who waits that its entry was not stored.
pub(super) fn turn_away(then: Then, error: &LedgerError) {
    match then {
        Then::Nothing => {}
        Then::Tell(told) => drop(told.send(Err(error.clone()))),
        Then::HandOver(release, taker) => {
            release.forget();
            drop(taker.send(Err(error.clone())));
        }
    }
}

pub(super) fn acknowledge(index: u64, then: Then) {
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
