//! Moments and days as auditors write them, and times as they are shown to them: in Western Indonesian Time unless
//! another zone is asked for, and always with the offset.

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// The time zone that days are counted in and times are shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Zone {
    /// Western Indonesian Time, +07:00
    #[default]
    Wib,
    /// Central Indonesian Time, +08:00
    Wita,
    /// Eastern Indonesian Time, +09:00
    Wit,
    Utc,
}

impl Zone {
    fn offset(self) -> Offset {
        match self {
            Self::Wib => Offset::constant(7),
            Self::Wita => Offset::constant(8),
            Self::Wit => Offset::constant(9),
            Self::Utc => Offset::UTC,
        }
    }

    /// `2023-06-21T09:00:00.000+07:00`; empty where no calendar holds the moment.
    pub fn show(self, unix_ms: u64) -> String {
        let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        time.map_or(String::new(), |time| format!("{:.3}", time.display_with_offset(self.offset())))
    }

    /// The first moment of a day.
    fn start(self, day: Date) -> Option<u64> {
        let start = self.offset().to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        Some(unix_ms(start))
    }
}

/// A day, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Day(Date),
    Time(Timestamp),
}

/// `2023-06-21`, or a time with its offset such as `2023-06-21T09:00:00+07:00`.
pub fn read_moment(text: &str) -> Result<Moment, String> {
    if let Ok(time) = text.parse() {
        return Ok(Moment::Time(time));
    }
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    day.map(Moment::Day).ok_or_else(|| {
        "a day is YYYY-MM-DD; a moment has its offset, as in 2023-06-21T09:00:00+07:00".to_owned()
    })
}

#[derive(Debug, Clone, clap::Args)]
pub struct Period {
    /// From this day on, or from this moment on
    #[arg(long, value_name = "DAY|TIME", value_parser = read_moment)]
    from: Option<Moment>,
    /// Until the end of this day, or before this moment
    #[arg(long, value_name = "DAY|TIME", value_parser = read_moment)]
    until: Option<Moment>,
    /// The zone in which days are counted and times are shown
    #[arg(long, value_enum, default_value_t)]
    pub zone: Zone,
}

impl Period {
    pub fn starts_ms(&self) -> Option<u64> {
        match self.from? {
            Moment::Day(day) => self.zone.start(day),
            Moment::Time(time) => Some(unix_ms(time)),
        }
    }

    pub fn ends_ms(&self) -> Option<u64> {
        match self.until? {
            Moment::Day(day) => self.zone.start(day.tomorrow().ok()?),
            Moment::Time(time) => Some(unix_ms(time)),
        }
    }

    /// As the record of the question has it.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let show = |ms: u64| Zone::Utc.show(ms);
        let given = [("from", self.starts_ms().map(show)), ("until", self.ends_ms().map(show))];
        given.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    pub fn holds(&self, unix_ms: u64) -> bool {
        self.starts_ms().is_none_or(|from| from <= unix_ms)
            && self.ends_ms().is_none_or(|until| unix_ms < until)
    }
}

/// Moments before 1970 are all alike to a ledger.
fn unix_ms(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_runs_from_midnight_to_midnight_of_its_zone_and_is_shown_with_the_offset() {
        let period = |from: &str, until: &str, zone| Period {
            from: Some(read_moment(from).unwrap()),
            until: Some(read_moment(until).unwrap()),
            zone,
        };
        let day = period("2023-06-21", "2023-06-21", Zone::Wib);
        let (from, until) = (day.starts_ms().unwrap(), day.ends_ms().unwrap());
        assert_eq!(until - from, 86_400_000);
        assert_eq!(Zone::Wib.show(from), "2023-06-21T00:00:00.000+07:00");
        assert_eq!(Zone::Utc.show(from), "2023-06-20T17:00:00.000+00:00");
        assert_eq!(Zone::Wit.show(until - 1), "2023-06-22T01:59:59.999+09:00");
        assert!(day.holds(from) && day.holds(until - 1) && !day.holds(until) && !day.holds(from - 1));
        let exact = period("2023-06-21T00:00:00+07:00", "2023-06-21T17:00:00Z", Zone::Utc);
        assert_eq!((exact.starts_ms(), exact.ends_ms()), (Some(from), Some(until)));
        assert_eq!(period("2023-06-21", "2023-06-22", Zone::Wit).starts_ms(), Some(from - 7_200_000));
    }

    #[test]
    fn what_is_neither_a_day_nor_a_moment_is_explained() {
        for text in ["", "2023-06-31", "21-06-2023", "2023-06-21T09:00:00", "2023-06-21 09:00", "kemarin"] {
            assert!(read_moment(text).is_err(), "{text}");
        }
    }
}
