//! Counts the requests of one connection that are under way, from the head of the request to the end of the
//! answer's body, and tells how long there has been none.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep, sleep_until};

#[derive(Debug, Clone)]
struct State {
    under_way: usize,
    last_change: Instant,
}

#[derive(Debug, Clone)]
pub struct Activity(Arc<Mutex<State>>);

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { under_way: 0, last_change: Instant::now() })))
    }
}

impl Activity {
    /// One more request is under way until the returned value is dropped.
    pub fn begin(&self) -> UnderWay {
        self.change(|under_way| under_way + 1);
        UnderWay(self.clone())
    }

    /// Ends when no request has been under way for `limit`. May be dropped and begun again at any time.
    pub async fn idle_for(&self, limit: Duration) {
        loop {
            let State { under_way, last_change } = self.read();
            if under_way > 0 {
                sleep(limit).await;
            } else if last_change.elapsed() >= limit {
                return;
            } else {
                sleep_until(last_change + limit).await;
            }
        }
    }

    fn read(&self) -> State {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn change(&self, count: impl FnOnce(usize) -> usize) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.under_way = count(state.under_way);
        state.last_change = Instant::now();
    }
}

#[derive(Debug)]
pub struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|under_way| under_way.saturating_sub(1));
    }
}

/// A body that counts as under way until it is dropped.
#[derive(Debug)]
pub struct Counted<B> {
    body: B,
    _under_way: UnderWay,
}

impl<B> Counted<B> {
    pub fn new(body: B, under_way: UnderWay) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_while_no_request_is_under_way() {
        let limit = Duration::from_mins(1);
        let activity = Activity::default();
        let under_way = activity.begin();
        assert!(tokio::time::timeout(limit * 5, activity.idle_for(limit)).await.is_err());
        drop(under_way);
        let since = Instant::now();
        activity.idle_for(limit).await;
        assert_eq!(since.elapsed(), limit);
    }
}
