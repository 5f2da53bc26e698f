//! Delivers a copy: source to redactor to requester, in a task of its own, and closes the release at the end.
//!
//! The task, not the requester's connection, owns the release. So a requester who leaves cannot cancel the
//! closing, and one who stops reading is noticed here, where the waiting is.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::body::{Hangup, Piece, ReplyBody};
use super::ending::Ending;
use super::error::SourceError;
use super::fetch::Copy;
use super::headers::{Limit, Named, Trailers, put_policy};
use super::path::Path;
use super::refusal::chain;
use crate::domain::{Clock, ContentCoding, Format, TokenEnd};
use crate::ledger::{Completion, Counts, Covered, FieldCount, LedgerError, Outcome};
use crate::policy::Grant;
use crate::redact::{EncodeError, Encoder, Redacted, Redactor};
use crate::upstream::UpstreamError;

/// Pieces made ahead of the requester.
const PIECES_AHEAD: usize = 2;
/// Times the stall limit that the last pieces may take once nothing follows them: one each, and one for the end.
const PATIENCE: u32 = 3;
/// A piece is handed on when it has grown to this, or when the source pauses.
const PIECE_BYTES: usize = 64 * 1_024;

/// Why a copy was broken off after its first byte.
#[derive(Debug, Error)]
enum Broken {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the ledger granted no more")]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Coding(#[from] EncodeError),
    #[error("the copy has more rows than the {rows} kept back of the quota")]
    Quota { rows: u64 },
    #[error("the requester's token ended: {}", .0.code())]
    Token(TokenEnd),
    #[error("the requester left")]
    Left,
    #[error("the server was stopped and did not wait any longer")]
    CutOff,
    #[error("the requester took no byte for {} ms", limit.as_millis())]
    Stalled { limit: Duration },
}

impl From<UpstreamError> for Broken {
    fn from(error: UpstreamError) -> Self {
        Self::Source(error.into())
    }
}

impl From<crate::redact::RedactError> for Broken {
    fn from(error: crate::redact::RedactError) -> Self {
        Self::Source(error.into())
    }
}

impl Broken {
    fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::Ledger(_) => "grant_failed",
            Self::Coding(_) => "coding_failed",
            Self::Quota { .. } => "quota_exceeded",
            Self::Token(end) => end.code(),
            Self::Left => "requester_left",
            Self::CutOff => "server_stopped",
            Self::Stalled { .. } => "requester_stalled",
        }
    }
}

impl Copy {
    /// Starts the delivery and gives the head of the answer with the body that it feeds.
    pub(super) fn deliver(
        mut self,
        path: &Path,
        hangup: &Hangup,
        coding: Option<ContentCoding>,
        trailers: Option<Trailers>,
    ) -> Response<ReplyBody> {
        self.release.open.answered(200);
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let named = self.release.named();
        let (held, done) = oneshot::channel();
        let body = ReplyBody::copy(pieces, held);
        let mut response = head(&self.release.grant, Some(&self.format), coding, Some(named), body);
        if let Some(quota) = self.release.open.quota() {
            let window = Duration::from_millis(quota.until_ms.saturating_sub(quota.from_ms));
            let ends = Duration::from_millis(quota.until_ms.saturating_sub(path.options.clock.unix_ms()));
            let limit = Limit::rows(quota.rows, window);
            limit.put_policy(response.headers_mut());
            let left = quota.rows.saturating_sub(quota.taken);
            limit.put_left(response.headers_mut(), left, ends.as_secs());
        }
        if let Some(trailers) = &trailers {
            trailers.announce(response.headers_mut());
        }
        self.release.open.begun(self.format.media_type(), coding.map(ContentCoding::as_str));
        let ending = Ending {
            watch: path.options.identity.watch(self.release.grant.requester()),
            rule: self.release.grant.on_token_end(),
            clock: Arc::clone(&path.options.clock),
        };
        let delivery = Delivery {
            copy: self,
            covered: Covered::default(),
            coding,
            trailers,
            sender,
            done,
            stall_timeout: path.options.stall_timeout,
            clock: Arc::clone(&path.options.clock),
            hangup: hangup.clone(),
            is_cut_off: Arc::clone(&path.is_cut_off),
        };
        path.deliveries.spawn(delivery.run(ending));
        response
    }
}

/// The answer to `HEAD`: what the head of the copy would say, as far as that is known without asking the source. No
/// data leaves, so there is no release.
pub(super) fn head_alone(
    grant: &Grant,
    coding: Option<ContentCoding>,
    clock: &dyn Clock,
) -> Response<ReplyBody> {
    let (sender, pieces) = mpsc::channel(1);
    // An end without a length: that of the copy is not known.
    let _ = sender.try_send(Piece::End(None));
    let (held, _) = oneshot::channel();
    let mut response = head(grant, grant.format(), coding, None, ReplyBody::copy(pieces, held));
    if let Some(quota) = grant.quota() {
        let (from_ms, until_ms) = quota.period.around(clock.unix_ms());
        let window = Duration::from_millis(until_ms.saturating_sub(from_ms));
        Limit::rows(quota.rows, window).put_policy(response.headers_mut());
    }
    response
}

/// A format that only the source's answer settles is left out of the answer to `HEAD` (RFC 9110, section 9.3.2).
fn head(
    grant: &Grant,
    format: Option<&Format>,
    coding: Option<ContentCoding>,
    release: Option<Named>,
    body: ReplyBody,
) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(format) = format {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    }
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    }
    if !grant.codings().is_empty() {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    let of = grant.determination();
    let file = format.map(|format| {
        let (area, ending) = (grant.area(), format.file_ending());
        format!("attachment; filename=\"{}-{}-{area}.{ending}\"", of.election, of.stage)
    });
    if let Some(value) = file.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    match release {
        Some(named) => named.put(headers),
        None => put_policy(headers, grant.policy().digest),
    }
    response
}

struct Delivery {
    copy: Copy,
    /// The TPS of the rows handed over.
    covered: Covered,
    coding: Option<ContentCoding>,
    trailers: Option<Trailers>,
    sender: mpsc::Sender<Piece>,
    /// Resolves when the connection is done with the body.
    done: oneshot::Receiver<()>,
    stall_timeout: Duration,
    clock: Arc<dyn Clock>,
    hangup: Hangup,
    is_cut_off: Arc<AtomicBool>,
}

impl Delivery {
    async fn run(mut self, ending: Ending) {
        let opened_ms = self.clock.unix_ms();
        // Whatever the copy waits for, it does not outlive the token unseen.
        let ended = tokio::select! {
            biased;
            end = ending.comes() => Err(Broken::Token(end)),
            ended = self.stream() => ended,
        };
        let ended = ended.map_err(|broken| match broken {
            Broken::Left if self.is_cut_off.load(Ordering::Acquire) => Broken::CutOff,
            other => other,
        });
        let (outcome, cause) = match &ended {
            Ok(last) => {
                self.copy.release.open.coded(last.len() as u64);
                if let Some(trailers) = &mut self.trailers {
                    trailers.sent(last.as_slice());
                }
                (Outcome::Complete, ending.outlived().map(TokenEnd::code))
            }
            Err(broken) => (Outcome::Aborted, Some(broken.code())),
        };
        if outcome == Outcome::Complete {
            cover(&mut self.covered, &mut self.copy.redactor);
        }
        let mut open = self.copy.release.open;
        let id = open.id();
        let counts = counts(&self.copy.redactor);
        match outcome {
            Outcome::Complete => open.counted(counts),
            // A copy that broke off is entered with the row at which it did, and with what was counted of the rows in
            // the pieces handed on: the redactor may be ahead of them.
            Outcome::Aborted | Outcome::Failed => open.read(counts.rows_in, counts.rows_withheld),
        }
        open.covered(self.covered.coverage());
        let completion = open.account(outcome, cause);
        let trailers = self.trailers.map(|trailers| trailers.end(completion.body_sha256));
        let Completion { rows_out: rows, bytes, coded_bytes, swept, unreadable, near_misses, .. } =
            completion;
        let elapsed_ms = self.clock.unix_ms().saturating_sub(opened_ms);
        let closed = open.close(completion).await;
        // Before the end is sent: who asks for the next copy when it has this one whole, finds a place.
        drop(self.copy.release.place);
        // What waits in the channel may take a while each; who took nothing for that long already has had it.
        let patience = match &ended {
            Err(Broken::Stalled { .. }) => Duration::ZERO,
            Ok(_) | Err(_) => self.stall_timeout.saturating_mul(PATIENCE),
        };
        match (ended, closed) {
            (Ok(last), Ok(_)) => {
                info!(
                    release = %id, rows, bytes, coded_bytes, swept, unreadable, near_misses, elapsed_ms,
                    outcome = "complete", "release closed"
                );
                // The one clean end, of the coding too: the completion is durable.
                let _ = timeout(self.stall_timeout, async {
                    if !last.is_empty() {
                        self.sender.send(Piece::Data(last)).await?;
                    }
                    self.sender.send(Piece::End(trailers)).await
                })
                .await;
            }
            (Err(broken), Ok(_)) => {
                let (code, cause) = (broken.code(), chain(&broken));
                warn!(release = %id, rows, bytes, elapsed_ms, outcome = "aborted", code, cause, "release closed");
            }
            (_, Err(error)) => {
                let cause = chain(&error);
                warn!(release = %id, rows, bytes, elapsed_ms, outcome = "open", cause, "release not closed");
            }
        }
        drop(self.sender);
        // Neither an end nor a reset reaches who takes nothing: then the connection goes, and its place is free.
        if timeout(patience, self.done).await.is_err() {
            self.hangup.ring();
        }
    }

    /// Everything up to, but not including, the end of the body; gives the end of its coding.
    async fn stream(&mut self) -> Result<Redacted, Broken> {
        let mut encoder = Encoder::new(self.coding)?;
        let mut ready = std::mem::take(&mut self.copy.first);
        while self.copy.source.is_some() {
            self.fill(&mut ready).await?;
            if !ready.is_empty() {
                self.send(std::mem::take(&mut ready), &mut encoder).await?;
            }
        }
        if !ready.is_empty() {
            self.send(ready, &mut encoder).await?;
        }
        Ok(encoder.finish()?)
    }

    /// Redacts pieces of the source into `ready` until it is worth sending or the source has ended.
    async fn fill(&mut self, ready: &mut Redacted) -> Result<(), Broken> {
        let Copy { source: place, redactor, .. } = &mut self.copy;
        let Some(source) = place else { return Ok(()) };
        let sender = &self.sender;
        while ready.len() < PIECE_BYTES {
            let next = poll_fn(|context| match source.poll_piece(context) {
                Poll::Pending if !ready.is_empty() => Poll::Ready(None),
                polled => polled.map(Some),
            });
            let next = tokio::select! {
                biased;
                next = next => next,
                () = sender.closed() => return Err(Broken::Left),
            };
            match next {
                Some(Some(piece)) => redactor.push(&piece?, ready)?,
                Some(None) => {
                    redactor.finish(ready)?;
                    *place = None;
                    break;
                }
                None => break, // the source pauses: what is ready goes out
            }
        }
        Ok(())
    }

    async fn send(&mut self, ready: Redacted, encoder: &mut Encoder) -> Result<(), Broken> {
        let most = self.copy.release.open.quota().map(|quota| quota.reserved);
        if let Some(rows) = most.filter(|rows| self.copy.redactor.tally().rows_out > *rows) {
            return Err(Broken::Quota { rows });
        }
        self.copy.release.open.allow(ready.len()).await?;
        let limit = self.stall_timeout;
        let place = match timeout(limit, self.sender.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(Broken::Left),
            Err(_) => return Err(Broken::Stalled { limit }),
        };
        let coded = encoder.code(&ready)?;
        cover(&mut self.covered, &mut self.copy.redactor);
        let open = &mut self.copy.release.open;
        open.counted(counts(&self.copy.redactor));
        open.sent(ready.as_slice());
        let piece = coded.unwrap_or(ready);
        open.coded(piece.len() as u64);
        if let Some(trailers) = &mut self.trailers {
            trailers.sent(piece.as_slice());
        }
        place.send(Piece::Data(piece));
        Ok(())
    }
}

/// The rows redacted until now are handed over.
fn cover(covered: &mut Covered, redactor: &mut Redactor) {
    let (stations, unread) = redactor.take_stations();
    covered.add(&stations, unread);
}

/// What the redactor has counted until now.
fn counts(redactor: &Redactor) -> Counts {
    let tally = redactor.tally();
    let fields = redactor.fields().into_iter();
    Counts {
        rows_in: tally.rows_in,
        rows_out: tally.rows_out,
        rows_withheld: tally.rows_withheld,
        swept: tally.swept,
        unreadable: tally.unreadable,
        near_misses: tally.near_misses,
        fields: fields
            .map(|(name, of)| {
                (name, FieldCount { changed: of.changed, swept: of.swept, unreadable: of.unreadable })
            })
            .collect(),
        tps: None,
    }
}
