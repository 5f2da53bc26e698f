//! Time is handed in, so that a test can move it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// Western Indonesian Time, in which days are counted wherever in the country one asks.
const WIB: Offset = Offset::constant(7);

/// The day in WIB that a moment lies in. A moment that no calendar holds lies on the last day of all.
pub fn day_in_wib(unix_ms: u64) -> Date {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or(Date::MAX, |time| WIB.to_datetime(time).date())
}

/// The first moment behind a day in WIB, in milliseconds since 1970; `None` where no calendar holds it.
pub fn end_in_wib(day: Date) -> Option<u64> {
    let end = WIB.to_timestamp(day.tomorrow().ok()?.into()).ok()?;
    u64::try_from(end.as_millisecond()).ok()
}

pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn unix_ms(&self) -> u64;

    fn unix_seconds(&self) -> u64 {
        self.unix_ms() / 1_000
    }
}

/// The machine's clock: the only place that reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the machine's clock")]
    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn at(unix_ms: u64) -> Self {
        Self(AtomicU64::new(unix_ms))
    }

    pub fn set(&self, unix_ms: u64) {
        self.0.store(unix_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
