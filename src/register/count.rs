//! How days are counted. Whether the law's seven days are calendar days or working days is not settled, so the
//! register says.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    Calendar,
    /// Neither Saturdays and Sundays nor these days count.
    Working {
        days_off: BTreeSet<Date>,
    },
}

impl Counting {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Working { .. } => "working",
        }
    }

    /// The last of so many days after `from`, which is not counted itself. `None` beyond the end of the calendar.
    pub fn deadline(&self, from: Date, days: u16) -> Option<Date> {
        let mut day = from;
        let mut left = days;
        while left > 0 {
            day = day.tomorrow().ok()?;
            left -= u16::from(self.counts(day));
        }
        Some(day)
    }

    fn counts(&self, day: Date) -> bool {
        match self {
            Self::Calendar => true,
            Self::Working { days_off } => {
                !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !days_off.contains(&day)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_days_end_on_the_seventh_that_counts() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        // 21 June 2023 is a Wednesday; 28 to 30 June were holidays that year.
        let working = Counting::Working { days_off: BTreeSet::new() };
        let holidays = ["2023-06-28", "2023-06-29", "2023-06-30"].map(day).into();
        let cases = [
            (Counting::Calendar, 7, "2023-06-28"),
            (Counting::Calendar, 0, "2023-06-21"),
            (working.clone(), 7, "2023-06-30"),
            (working.clone(), 1, "2023-06-22"),
            (working, 3, "2023-06-26"),
            (Counting::Working { days_off: holidays }, 7, "2023-07-05"),
        ];
        for (counting, days, expected) in cases {
            let found = counting.deadline(day("2023-06-21"), days);
            assert_eq!(found, Some(day(expected)), "{counting:?} {days}");
        }
        assert_eq!(Counting::Calendar.deadline(Date::MAX, 1), None);
    }
}
