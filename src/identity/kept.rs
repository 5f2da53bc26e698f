//! What is read again and again from outside: key sets and revocations. The last good reading is in force until
//! the next one, and no longer than `stale_max`.
//!
//! A file is read whole each time, which is cheap for what it holds, and finds every kind of change: a new file under
//! the same name, a link turned elsewhere, the same length and time. A URL is asked over TLS with its own trust root;
//! redirects are not followed. Who serves it is trusted to say which keys sign, and nothing else: a longer answer,
//! another status or a key that cannot be used leaves things as they are, and is told.
//!
//! Whoever asks never waits for a reading: it happens in a task of its own.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::caller::{CallError, Caller};
use crate::domain::Digest;

/// Longest file or answer, in bytes.
pub const BYTES_MAX: u64 = 1_024 * 1_024;

/// How often things are read again, and how long an old reading may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between two readings of a file.
    pub poll: Duration,
    /// Between two askings of a URL.
    pub refresh: Duration,
    /// Least time between two askings of a URL, whatever tokens come.
    pub cooldown: Duration,
    /// Longest that the last good reading is used when no other succeeds.
    pub stale_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(2),
            refresh: Duration::from_mins(5),
            cooldown: Duration::from_secs(30),
            stale_max: Duration::from_hours(1),
        }
    }
}

/// Where it is read from.
#[derive(Debug)]
pub enum Place {
    /// Nowhere: what was given stays.
    Given,
    File(PathBuf),
    Url {
        url: Uri,
        caller: Box<Caller>,
    },
}

#[derive(Debug, Error)]
pub enum ReadError {
    #[error("the file cannot be read")]
    File(#[from] io::Error),
    #[error("it is longer than {BYTES_MAX} bytes")]
    Length,
    #[error("the address could not be asked")]
    Call(#[from] CallError),
    #[error("the address cannot be asked for")]
    Request(#[from] http::Error),
    #[error("the address answered with status {0}, not 200")]
    Status(StatusCode),
    #[error("reading it was broken off")]
    BrokenOff,
    #[error("it cannot be used")]
    Content(#[source] Box<dyn Error + Send + Sync>),
}

/// All bytes of a file, up to the limit.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX { Err(ReadError::Length) } else { Ok(bytes) }
}

pub(super) type Parse<T> = fn(&[u8]) -> Result<T, Box<dyn Error + Send + Sync>>;

pub(super) struct Kept<T> {
    /// What it is called in traces, and whose it is.
    what: &'static str,
    whose: String,
    place: Place,
    parse: Parse<T>,
    timing: Timing,
    state: RwLock<State<T>>,
    wanted: Notify,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// Of the bytes that `value` was read from by us.
    digest: Option<Digest>,
    confirmed: Instant,
    is_failing: bool,
    is_told_stale: bool,
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// `first` is what was read before; without it nothing is in force until a reading succeeds.
    pub(super) fn new(
        (what, whose): (&'static str, &str),
        place: Place,
        first: Option<T>,
        parse: Parse<T>,
        timing: Timing,
    ) -> Arc<Self> {
        let state = State {
            value: first.map(Arc::new),
            digest: None,
            confirmed: Instant::now(),
            is_failing: false,
            is_told_stale: false,
        };
        let (state, wanted) = (RwLock::new(state), Notify::new());
        Arc::new(Self { what, whose: whose.to_owned(), place, parse, timing, state, wanted })
    }

    /// What is in force; `None` when there is nothing, or nothing young enough.
    pub(super) fn current(&self) -> Option<Arc<T>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if self.is_stale(&state) { None } else { state.value.clone() }
    }

    fn is_stale(&self, state: &State<T>) -> bool {
        !matches!(self.place, Place::Given) && state.confirmed.elapsed() > self.timing.stale_max
    }

    /// Something was looked for that is not there: a URL is asked as soon as the cool-down allows.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Reads again until `stop` turns true.
    pub(super) async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (interval, cooldown) = match self.place {
            Place::Given => return,
            Place::File(_) => (self.timing.poll, self.timing.poll),
            Place::Url { .. } => (self.timing.refresh, self.timing.cooldown),
        };
        let mut last = Instant::now();
        let mut is_good = self.current().is_some();
        loop {
            let due = if is_good { interval.max(cooldown) } else { cooldown };
            let wanted = async {
                sleep_until(last + cooldown).await;
                self.wanted.notified().await;
            };
            tokio::select! {
                _ = stop.wait_for(|now| *now) => return,
                () = sleep_until(last + due) => {}
                () = wanted => {}
            }
            last = Instant::now();
            is_good = self.read_again().await;
        }
    }

    /// One reading. `false`: it failed, and what was in force stays so.
    pub(super) async fn read_again(&self) -> bool {
        let read = self.bytes().await;
        let digest = read.as_ref().ok().map(|bytes| Digest::of(bytes));
        let known = self.state.read().unwrap_or_else(PoisonError::into_inner).digest;
        let parsed = match read {
            Ok(_) if digest == known => Ok(None),
            Ok(bytes) => (self.parse)(&bytes).map(Some).map_err(ReadError::Content),
            Err(error) => Err(error),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let (what, whose) = (self.what, &*self.whose);
        match parsed {
            Ok(new) => {
                if new.is_some() || state.is_failing {
                    info!(what, whose, "read again");
                }
                if let Some(new) = new {
                    state.value = Some(Arc::new(new));
                    state.digest = digest;
                }
                (state.confirmed, state.is_failing, state.is_told_stale) = (Instant::now(), false, false);
                true
            }
            Err(error) => {
                if !state.is_failing {
                    let cause = causes(&error);
                    warn!(what, whose, cause, "could not be read; the last good reading stays in force");
                }
                state.is_failing = true;
                if !state.is_told_stale && (state.value.is_none() || self.is_stale(&state)) {
                    state.is_told_stale = true;
                    error!(what, whose, "there is no reading young enough; tokens that need it are refused");
                }
                false
            }
        }
    }

    async fn bytes(&self) -> Result<Vec<u8>, ReadError> {
        match &self.place {
            Place::Given => Err(ReadError::BrokenOff),
            Place::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path));
                read.await.map_err(|_| ReadError::BrokenOff)?
            }
            Place::Url { url, caller } => {
                let request =
                    Request::get(url).header(ACCEPT, "application/json").body(Full::<Bytes>::default())?;
                let answer = caller.call(request).await?;
                if answer.status() != StatusCode::OK {
                    return Err(ReadError::Status(answer.status()));
                }
                Ok(answer.into_body().into())
            }
        }
    }
}

/// An error with its causes on one line. None of ours quotes what was read.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
