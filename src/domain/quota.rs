//! How many rows one party may take in one period.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::clock::{day_in_wib, end_in_wib};

/// A policy's quota of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RowQuota {
    /// Rows in one period, of all copies together.
    pub rows: u64,
    pub period: Period,
    /// Most rows that one copy keeps back while it runs; none: all that are left.
    pub copy: Option<u64>,
}

/// Periods begin and end with days of Western Indonesian Time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Day,
    Month,
}

impl fmt::Display for RowQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            Period::Day => "day",
            Period::Month => "month",
        };
        write!(f, "{} rows a {period}", self.rows)?;
        self.copy.map_or(Ok(()), |copy| write!(f, ", of which {copy} for one copy"))
    }
}

impl Period {
    pub const WORDS: [(&'static str, Self); 2] = [("day", Self::Day), ("month", Self::Month)];

    /// The first moment of the period that a moment lies in, and the first one behind it, in milliseconds since 1970.
    /// Where the calendar ends, the period does not.
    pub fn around(self, unix_ms: u64) -> (u64, u64) {
        let day = day_in_wib(unix_ms);
        let (first, last) = match self {
            Self::Day => (day, day),
            Self::Month => (day.first_of_month(), day.last_of_month()),
        };
        (begin(first), end_in_wib(last).unwrap_or(u64::MAX))
    }
}

/// The first moment of a day. The year 1970 began earlier in WIB than where moments are counted from.
fn begin(day: Date) -> u64 {
    day.yesterday().ok().and_then(end_in_wib).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_with_days_in_wib() {
        // 2024-02-29 23:59:59.999 and 2024-03-01 00:00 in WIB.
        let (last, next) = (1_709_225_999_999, 1_709_226_000_000);
        let day = 86_400_000;
        assert_eq!(Period::Day.around(last), (next - day, next));
        assert_eq!(Period::Day.around(next), (next, next + day));
        assert_eq!(Period::Month.around(last), (next - 29 * day, next));
        assert_eq!(Period::Month.around(next), (next, next + 31 * day));
        assert_eq!(Period::Month.around(0).0, 0);
        assert_eq!(Period::Day.around(u64::MAX).1, u64::MAX);
    }
}
