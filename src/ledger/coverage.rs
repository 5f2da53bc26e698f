//! Which polling stations (TPS) a copy covered: their number, one digest over all of them, and where they are few
//! enough, all of them by name.
//!
//! ```json
//! {"count":3,"sha256":"5f..","ranges":[["9901011001","1-2"],["9901011002","7"]],"unread":0}
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::leaf::wide;
use crate::domain::digest::Hasher;
use crate::domain::{Digest, Tps};

/// Longest list of ranges in an entry, as the bytes of its codes and numbers.
pub const RANGES_BYTES_MAX: usize = 16 << 10;
/// Digits of the code of a TPS that name its desa or kelurahan.
const DESA_DIGITS: usize = 10;

/// The TPS of the rows that were handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    #[serde(with = "wide")]
    pub count: u64,
    /// Of the sorted codes, 13 digits each, each with a line feed behind it.
    pub sha256: Digest,
    /// Code of each desa, ascending, and its numbers, such as `["9901011001","1-12,14"]`; none: too long.
    pub ranges: Option<Vec<(String, String)>>,
    /// Rows whose code could not be read.
    #[serde(with = "wide")]
    pub unread: u64,
}

impl Coverage {
    pub fn of(codes: &BTreeSet<Tps>, unread: u64) -> Self {
        Self::of_sorted(codes.iter().copied(), unread)
    }

    /// Of codes that ascend, each once.
    pub(super) fn of_sorted(codes: impl Iterator<Item = Tps>, unread: u64) -> Self {
        let mut hasher = Hasher::default();
        let mut ranges = Ranges::default();
        let mut count = 0;
        for code in codes {
            count += 1;
            hasher.update(code.as_str().as_bytes());
            hasher.update(b"\n");
            let (desa, number) = code.as_str().split_at(DESA_DIGITS);
            ranges.add(desa, number.parse().unwrap_or_default());
        }
        Self { count, sha256: hasher.digest(), ranges: ranges.end(), unread }
    }

    /// Whether a TPS whose code begins so is among them: any of an area, or the TPS of that code. `None`: it does not say.
    pub fn holds(&self, code: &str) -> Option<bool> {
        let ranges = self.ranges.as_ref()?;
        let (area, number) = code.split_at(code.len().min(DESA_DIGITS));
        let number: Option<u16> = number.parse().ok();
        let is_in = |numbers: &str| {
            number.is_none_or(|number| {
                numbers.split(',').any(|run| {
                    let (first, last) = run.split_once('-').unwrap_or((run, run));
                    first.parse().is_ok_and(|first: u16| first <= number)
                        && last.parse().is_ok_and(|last: u16| number <= last)
                })
            })
        };
        let is_found = ranges.iter().any(|(desa, numbers)| desa.starts_with(area) && is_in(numbers));
        (is_found || self.unread == 0).then_some(is_found)
    }

    /// Whether number and digest are those of the ranges. Without ranges there is nothing to compare.
    pub fn is_consistent(&self) -> bool {
        let Some(ranges) = &self.ranges else { return true };
        let mut codes = BTreeSet::new();
        for (desa, numbers) in ranges {
            for part in numbers.split(',') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return false };
                // Three digits each, so that no entry makes us count for long.
                if last > 999 {
                    return false;
                }
                for number in first..=last {
                    let Ok(code) = format!("{desa}{number:03}").parse() else { return false };
                    codes.insert(code);
                }
            }
        }
        *self == Self::of(&codes, self.unread)
    }
}

/// Codes in ascending order, gathered into runs.
#[derive(Default)]
struct Ranges {
    done: Vec<(String, String)>,
    bytes: usize,
    run: Option<(u16, u16)>,
}

impl Ranges {
    fn add(&mut self, desa: &str, number: u16) {
        if self.bytes > RANGES_BYTES_MAX {
            return;
        }
        let is_same = self.done.last().is_some_and(|(known, _)| known == desa);
        match &mut self.run {
            Some((_, last)) if is_same && *last + 1 == number => *last = number,
            _ => {
                self.close();
                if !is_same {
                    self.done.push((desa.to_owned(), String::new()));
                    self.bytes += desa.len();
                }
                self.run = Some((number, number));
            }
        }
    }

    fn close(&mut self) {
        let (Some((first, last)), Some((_, numbers))) = (self.run.take(), self.done.last_mut()) else {
            return;
        };
        let before = numbers.len();
        if !numbers.is_empty() {
            numbers.push(',');
        }
        let _ = if first == last { write!(numbers, "{first}") } else { write!(numbers, "{first}-{last}") };
        self.bytes += numbers.len() - before;
    }

    fn end(mut self) -> Option<Vec<(String, String)>> {
        self.close();
        (self.bytes <= RANGES_BYTES_MAX).then_some(self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(texts: &[&str]) -> BTreeSet<Tps> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn runs_of_a_desa_are_joined_and_the_digest_is_of_the_sorted_codes() {
        let of = Coverage::of(
            &codes(&["9901011002007", "9901011001004", "9901011001001", "9901011001002", "9901011002006"]),
            1,
        );
        let ranges = [("9901011001", "1-2,4"), ("9901011002", "6-7")];
        let ranges: Vec<_> = ranges.map(|(desa, numbers)| (desa.to_owned(), numbers.to_owned())).into();
        assert_eq!((of.count, of.unread, of.ranges.as_ref()), (5, 1, Some(&ranges)));
        let listed = b"9901011001001\n9901011001002\n9901011001004\n9901011002006\n9901011002007\n";
        assert_eq!(of.sha256, Digest::of(listed));
        assert!(of.is_consistent());
        let none = Coverage::of(&BTreeSet::new(), 0);
        assert_eq!((none.count, none.sha256, none.ranges), (0, Digest::of(b""), Some(Vec::new())));
    }

    #[test]
    fn an_area_or_a_tps_is_found_among_them() {
        let held = codes(&["9901011001001", "9901011001002", "9901011001004", "9901021002006"]);
        let of = Coverage::of(&held, 0);
        for (code, expected) in [
            ("99", true),
            ("990101", true),
            ("9901021002", true),
            ("990103", false),
            ("9901011001002", true),
            ("9901011001003", false),
            ("9901011001004", true),
            ("9901021002007", false),
        ] {
            assert_eq!(of.holds(code), Some(expected), "{code}");
        }
        let unsure = Coverage::of(&held, 1);
        assert_eq!((unsure.holds("9901011001003"), unsure.holds("9901011001004")), (None, Some(true)));
        assert_eq!(Coverage { ranges: None, ..of }.holds("99"), None);
    }

    #[test]
    fn too_many_ranges_are_left_out_and_the_digest_stays() {
        let many =
            |desa: u32| (0..desa).map(|n| format!("99{n:08}001").parse().unwrap()).collect::<BTreeSet<Tps>>();
        let fitting = Coverage::of(&many(1_489), 0);
        assert!(fitting.ranges.is_some() && fitting.is_consistent());
        let longer = Coverage::of(&many(1_490), 0);
        assert_eq!((longer.count, longer.ranges.as_ref()), (1_490, None));
        assert_ne!(longer.sha256, fitting.sha256);
    }

    #[test]
    fn ranges_that_say_something_else_are_found_out() {
        let whole = Coverage::of(&codes(&["9901011001001", "9901011001002"]), 0);
        let with = |desa: &str, numbers: &str| Coverage {
            ranges: Some(vec![(desa.to_owned(), numbers.to_owned())]),
            ..whole.clone()
        };
        let cases = [
            ("as it was", with("9901011001", "1-2"), true),
            ("one less", with("9901011001", "1"), false),
            ("another desa", with("9901011002", "1-2"), false),
            ("not joined", with("9901011001", "1,2"), false),
            ("zeros before", with("9901011001", "01-2"), false),
            ("a long run", with("9901011001", "1-60000"), false),
            ("no number", with("9901011001", "x"), false),
            ("no area", with("x", "1-2"), false),
        ];
        for (name, coverage, expected) in cases {
            assert_eq!(coverage.is_consistent(), expected, "{name}");
        }
    }
}
