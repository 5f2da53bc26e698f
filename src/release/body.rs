//! The body of an answer: a copy as it is delivered, or a whole small document.
//!
//! A copy ends cleanly only when its deliverer says so. Whatever else happens to the deliverer, a panic
//! included, the body ends with an error and the connection or stream is reset.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::redact::Redacted;

/// The requester sees a reset; why is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the copy was broken off")]
pub struct Interrupted;

/// One step of a copy. There is no way to put other bytes into it than those the redactor made.
#[derive(Debug)]
pub enum Piece {
    Data(Redacted),
    /// The completion is durable: the body may end, with these trailers.
    End(Option<HeaderMap>),
}

/// Dropped with the body, which the deliverer notices: whether the connection is done with it.
pub type Held = oneshot::Sender<()>;

#[derive(Debug)]
pub struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Copy { pieces: mpsc::Receiver<Piece>, ended: bool, _held: Held },
    Whole(Option<Bytes>),
}

impl ReplyBody {
    pub(super) fn copy(pieces: mpsc::Receiver<Piece>, held: Held) -> Self {
        Self(Kind::Copy { pieces, ended: false, _held: held })
    }

    /// A document of our own making: a problem, a receipt.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Some(bytes.into())))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Copy { ended: true, .. } => Poll::Ready(None),
            Kind::Copy { pieces, ended, .. } => pieces.poll_recv(context).map(|piece| match piece {
                Some(Piece::Data(mut redacted)) => Some(Ok(Frame::data(redacted.take()))),
                Some(Piece::End(trailers)) => {
                    *ended = true;
                    trailers.map(|trailers| Ok(Frame::trailers(trailers)))
                }
                None => {
                    *ended = true;
                    Some(Err(Interrupted))
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Copy { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Copy { .. } => SizeHint::default(),
        }
    }
}

/// Rung when a requester stopped taking bytes: the connection is then closed, since neither a reset nor an
/// error can be written to it.
#[derive(Debug, Clone, Default)]
pub struct Hangup(Arc<Notify>);

impl Hangup {
    pub fn ring(&self) {
        self.0.notify_one();
    }

    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
