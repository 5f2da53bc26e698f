//! One release that the ledger holds open, and its end.
//!
//! What was opened is closed, whichever way we leave: the place in the writer's queue for the closing entry is
//! reserved at opening, so closing needs no await and cannot find the queue full; and a release that is merely
//! dropped closes itself as aborted, with what was counted until then.
//!
//! Bytes leave up to a ceiling that the ledger holds. Half a step before it the next grant is asked for, so that a
//! copy seldom waits; after a crash the ceiling bounds what can have left.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;

use super::coverage::Coverage;
use super::entry::{Closed, Completion, Entry, FieldCount, Grant, Outcome, Reserved};
use super::error::LedgerError;
use super::queue::{Append, Gauge, Message, Needs, Then};
use super::stamper::Stamper;
use crate::domain::ReleaseId;
use crate::domain::digest::Hasher;

/// What a completion says of the rows: how many were read from the source, and of those handed over what was
/// counted of their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    pub rows_in: u64,
    pub rows_out: u64,
    pub rows_withheld: u64,
    pub swept: u64,
    pub unreadable: u64,
    pub near_misses: u64,
    /// By the names of the source; also those of which nothing was counted.
    pub fields: Vec<(String, FieldCount)>,
    /// The TPS of the rows handed over; none where nobody looked.
    pub tps: Option<Coverage>,
}

/// Most fields that a completion lists by name, so that it always finds room in an entry.
pub const FIELDS_LISTED_MAX: usize = 64;
/// Stands for all further fields together. No field has this name.
pub const FURTHER_FIELDS: &str = "*";

/// The fields of which anything was counted.
fn listed(fields: &[(String, FieldCount)]) -> Vec<(String, FieldCount)> {
    let mut counted = fields.iter().filter(|(_, count)| *count != FieldCount::default());
    let mut listed: Vec<_> = counted.by_ref().take(FIELDS_LISTED_MAX).cloned().collect();
    let further = counted.map(|(_, count)| *count).reduce(|sum, count| FieldCount {
        changed: sum.changed + count.changed,
        swept: sum.swept + count.swept,
        unreadable: sum.unreadable + count.unreadable,
    });
    listed.extend(further.map(|sum| (FURTHER_FIELDS.to_owned(), sum)));
    listed
}

/// Bytes by which a ceiling is raised, and the first one of each release.
pub const CEILING_STEP_BYTES: u64 = 8 << 20;

/// A grant that is on its way to the disk.
struct Raise {
    ceiling: u64,
    answer: oneshot::Receiver<Result<u64, LedgerError>>,
}

/// A release whose intent is durable. Counts what is handed over; see [`OpenRelease::sent`].
pub struct OpenRelease {
    id: ReleaseId,
    index: u64,
    /// Whether the one who asked has it; until then nothing can have been sent.
    delivered: bool,
    status: u16,
    media_type: Option<&'static str>,
    /// The coding, and how many coded bytes there are so far.
    coded: Option<(&'static str, u64)>,
    counts: Counts,
    bytes: u64,
    body: Hasher,
    first_byte_ms: Option<u64>,
    last_byte_ms: Option<u64>,
    /// At most so many bytes may be handed over in all.
    ceiling: u64,
    /// What is kept back of a quota for this copy.
    quota: Option<Reserved>,
    raise: Option<Raise>,
    queue: mpsc::Sender<Message>,
    /// The reserved place in the queue; gone once the closing entry is on its way.
    place: Option<OwnedPermit<Message>>,
    stamper: Arc<Stamper>,
    gauge: Arc<Gauge>,
    deadline: Duration,
}

impl OpenRelease {
    pub(super) fn new(
        id: ReleaseId,
        ceiling: u64,
        queue: mpsc::Sender<Message>,
        place: OwnedPermit<Message>,
        stamper: Arc<Stamper>,
        gauge: Arc<Gauge>,
        deadline: Duration,
    ) -> Self {
        Self {
            id,
            ceiling,
            quota: None,
            raise: None,
            queue,
            index: 0,
            delivered: false,
            status: 0,
            media_type: None,
            coded: None,
            counts: Counts::default(),
            bytes: 0,
            body: Hasher::default(),
            first_byte_ms: None,
            last_byte_ms: None,
            place: Some(place),
            stamper,
            gauge,
            deadline,
        }
    }

    pub fn id(&self) -> ReleaseId {
        self.id
    }

    /// The index of the intent.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What is kept back of a quota for this copy; none: there is no quota.
    pub fn quota(&self) -> Option<&Reserved> {
        self.quota.as_ref()
    }

    /// The status the requester was answered with.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
    }

    /// Waits until so many more bytes may be handed over: the grant that covers them is durable then.
    pub async fn allow(&mut self, more: usize) -> Result<(), LedgerError> {
        let after = self.bytes + more as u64;
        if let Some(raise) = &mut self.raise {
            match raise.answer.try_recv() {
                Ok(durable) => {
                    durable?;
                    self.ceiling = raise.ceiling;
                    self.raise = None;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => return Err(LedgerError::ShutDown),
            }
        }
        if self.raise.is_none() && after + CEILING_STEP_BYTES / 2 > self.ceiling {
            self.raise = Some(self.ask_grant(after).await?);
        }
        while after > self.ceiling {
            let raise = match self.raise.take() {
                Some(raise) => raise,
                None => self.ask_grant(after).await?,
            };
            wait(raise.answer, self.deadline).await?;
            self.ceiling = raise.ceiling;
        }
        Ok(())
    }

    /// Queues a grant for bytes up to `after` and a step more. It waits its turn for a place, before which no one who
    /// opens a release can come.
    async fn ask_grant(&self, after: u64) -> Result<Raise, LedgerError> {
        let place = match timeout(self.deadline, self.queue.clone().reserve_owned()).await {
            Ok(place) => place.map_err(|_| LedgerError::ShutDown)?,
            Err(_) => return Err(LedgerError::Deadline),
        };
        let ceiling = self.ceiling.max(after) + CEILING_STEP_BYTES;
        let entry = self.stamper.write(&Entry::Grant(Box::new(Grant {
            release: self.id,
            intent: self.index,
            ceiling_bytes: ceiling,
            bytes: self.bytes,
            body_sha256: self.body.digest(),
        })))?;
        let (told, answer) = oneshot::channel();
        self.gauge.send(place, Append { entry, needs: Needs::Open(self.id), then: Then::Tell(told) });
        Ok(Raise { ceiling, answer })
    }

    /// The media type of the copy that is begun now, and the coding it leaves in.
    pub fn begun(&mut self, media_type: &'static str, coding: Option<&'static str>) {
        self.media_type = Some(media_type);
        self.coded = coding.map(|coding| (coding, 0));
    }

    /// So many coded bytes are handed to the connection now.
    pub fn coded(&mut self, bytes: u64) {
        if let Some((_, so_far)) = &mut self.coded {
            *so_far += bytes;
        }
    }

    /// These bytes of the body are handed to the connection now, coded or as they are.
    /// [`OpenRelease::allow`] has allowed them.
    pub fn sent(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.body.update(bytes);
        self.bytes += bytes.len() as u64;
        let now_ms = self.stamper.clock.unix_ms();
        self.first_byte_ms.get_or_insert(now_ms);
        self.last_byte_ms = Some(now_ms);
    }

    /// What was counted until now, in place of what was said before.
    pub fn counted(&mut self, counts: Counts) {
        self.counts = counts;
    }

    /// These TPS are what the rows handed over are of.
    pub fn covered(&mut self, tps: Option<Coverage>) {
        self.counts.tps = tps;
    }

    /// Rows were read, and perhaps withheld, since the last ones were handed over.
    pub fn read(&mut self, rows_in: u64, rows_withheld: u64) {
        self.counts.rows_in = rows_in;
        self.counts.rows_withheld = rows_withheld;
    }

    /// The account so far, as it would be closed with.
    pub fn account(&self, outcome: Outcome, cause: Option<&str>) -> Completion {
        let counts = &self.counts;
        Completion {
            outcome,
            cause: cause.map(str::to_owned),
            status: self.status,
            rows_in: counts.rows_in,
            rows_out: counts.rows_out,
            rows_withheld: counts.rows_withheld,
            swept: counts.swept,
            bytes: self.bytes,
            body_sha256: self.body.digest(),
            first_byte_ms: self.first_byte_ms,
            last_byte_ms: self.last_byte_ms,
            unreadable: counts.unreadable,
            near_misses: counts.near_misses,
            fields: listed(&counts.fields),
            media_type: self.media_type.map(str::to_owned),
            coding: self.coded.map(|(coding, _)| coding.to_owned()),
            coded_bytes: self.coded.map(|(_, bytes)| bytes),
            tps: counts.tps.clone(),
        }
    }

    /// Closes the release. The entry is queued when this returns and durable when the future resolves; dropping
    /// the future loses nothing.
    pub fn close(mut self, completion: Completion) -> Closing {
        let (told, answer) = oneshot::channel();
        let queued = self.queue(completion, Then::Tell(told));
        let deadline = self.deadline;
        Closing(Box::pin(async move {
            queued?;
            wait(answer, deadline).await
        }))
    }

    fn queue(&mut self, completion: Completion, then: Then) -> Result<(), LedgerError> {
        let Some(place) = self.place.take() else { return Err(LedgerError::ShutDown) };
        let closed = Closed { release: self.id, intent: self.index, completion };
        let entry = self.stamper.write(&Entry::Complete(Box::new(closed)))?;
        self.gauge.send(place, Append { entry, needs: Needs::Last(self.id), then });
        Ok(())
    }

    /// The intent became entry `index`.
    pub(super) fn stored(&mut self, index: u64) {
        self.index = index;
    }

    /// The intent says so much is kept back.
    pub(super) fn keep_back(&mut self, quota: Option<Reserved>) {
        self.quota = quota;
    }

    pub(super) fn deliver(mut self) -> Self {
        self.delivered = true;
        self
    }

    /// The intent was not acknowledged, so there is nothing of ours to close.
    pub(super) fn forget(mut self) {
        self.place = None;
    }
}

impl fmt::Debug for OpenRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenRelease({} at {})", self.id, self.index)
    }
}

impl Drop for OpenRelease {
    fn drop(&mut self) {
        if self.place.is_none() {
            return;
        }
        let account = if self.delivered {
            self.account(Outcome::Aborted, Some("requester_left"))
        } else {
            // Whoever asked stopped waiting before the intent was durable.
            self.account(Outcome::Failed, Some("deadline"))
        };
        if let Err(error) = self.queue(account, Then::Nothing) {
            tracing::error!(release = %self.id, %error, "a release could not be closed; the next start will");
        }
    }
}

/// Resolves to the index of the closing entry once it is durable.
#[must_use = "the entry is queued, but only awaiting tells when it is durable"]
pub struct Closing(Pin<Box<dyn Future<Output = Result<u64, LedgerError>> + Send>>);

impl Future for Closing {
    type Output = Result<u64, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

/// The writer's answer, or an error when it takes too long.
pub(super) async fn wait<T>(
    answer: oneshot::Receiver<Result<T, LedgerError>>,
    deadline: Duration,
) -> Result<T, LedgerError> {
    match timeout(deadline, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(LedgerError::ShutDown),
        Err(_) => Err(LedgerError::Deadline),
    }
}
