//! The list of made-up voters: which areas there are, and which voters live where.
//!
//! Province 99 has two kabupaten: 9901 with as many voters as asked for, and the small 9902 for showing what an
//! area outside a mandate is. A TPS has 248 voters, a kelurahan nine TPS, a kecamatan twelve kelurahan or, in
//! large lists, as many as the codes need. Voters are numbered in the order of their area codes, so that any
//! area is one range of numbers. Who a number is, `person` makes up.

use std::ops::Range;

use crate::domain::{Level, Tps, Wilayah};

use super::names::{PLACE_FIRST, PLACE_LAST};

/// Voters in 9901 at most: the whole country in 2024.
pub const VOTERS_MAX: u64 = 204_800_000;
/// Voters in 9902.
pub const SMALL_KABKOTA_VOTERS: u64 = 1_000;

/// The made-up province.
pub(super) const AREA: u64 = 99;
pub(super) const TPS_VOTERS: u64 = 248;
const KELURAHAN_TPS: u64 = 9;
const KECAMATAN_KELURAHAN_MIN: u64 = 12;
const KABKOTA_KECAMATAN_MAX: u64 = 99;
/// Kelurahan codes end in 1001, 1002 and so on.
const FIRST_KELURAHAN: u64 = 1_001;

pub(super) const PROVINSI_NAME: &str = "PROVINSI UJI";
const KABKOTA_NAMES: [&str; 2] = ["KABUPATEN UJI COBA", "KOTA UJI SEBELAH"];

/// An area with its name and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub wilayah: Wilayah,
    pub name: String,
    pub voters: u64,
}

/// One kabupaten: its voters' numbers, and how they are spread.
#[derive(Debug, Clone)]
struct Kabkota {
    numbers: Range<u64>,
    kecamatan_kelurahan: u64,
}

/// The list. Holds no voter.
#[derive(Debug, Clone)]
pub struct Roll {
    pub(super) seed: u64,
    kabkota: [Kabkota; 2],
}

/// Where a voter is registered, in counts from nought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Station {
    pub kabkota: usize,
    pub kecamatan: u64,
    kelurahan: u64,
    tps: u64,
    pub tps_in_kecamatan: u64,
    /// Its voters.
    pub numbers: Range<u64>,
}

impl Roll {
    /// A list with `voters` in 9901, at least the standard one and at most [`VOTERS_MAX`].
    pub fn new(seed: u64, voters: u64) -> Self {
        let voters = voters.clamp(1, VOTERS_MAX);
        let all = [0..voters, voters..voters + SMALL_KABKOTA_VOTERS];
        let kabkota = all.map(|numbers| {
            let count = numbers.end - numbers.start;
            let kelurahan = count.div_ceil(TPS_VOTERS).div_ceil(KELURAHAN_TPS);
            let least = kelurahan.div_ceil(KABKOTA_KECAMATAN_MAX);
            Kabkota { numbers, kecamatan_kelurahan: least.max(KECAMATAN_KELURAHAN_MIN) }
        });
        Self { seed, kabkota }
    }

    /// The numbers of an area's voters; empty where there is no such area.
    pub fn numbers_in(&self, area: &Wilayah) -> Range<u64> {
        self.numbers_of(area.as_str()).unwrap_or(0..0)
    }

    /// The numbers of a polling station's voters.
    pub fn numbers_at(&self, tps: &Tps) -> Range<u64> {
        self.numbers_of(tps.as_str()).unwrap_or(0..0)
    }

    pub fn voters_in(&self, area: &Wilayah) -> u64 {
        let numbers = self.numbers_in(area);
        numbers.end - numbers.start
    }

    /// The areas of that level inside `area`, in the order of their codes.
    pub fn areas(&self, area: &Wilayah, level: Level) -> impl Iterator<Item = Area> {
        let mut left = self.numbers_in(area);
        std::iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let found = self.area_of(left.start, level)?;
            left.start = self.numbers_in(&found.wilayah).end;
            Some(found)
        })
    }

    /// The area of that level in which the voter is registered.
    pub fn area_of(&self, number: u64, level: Level) -> Option<Area> {
        let station = self.station(number)?;
        let (code, name) = match level {
            Level::Nasional | Level::Provinsi => ("99".to_owned(), PROVINSI_NAME.to_owned()),
            Level::Kabkota => (station.kabkota_code(), station.kabkota_name().to_owned()),
            Level::Kecamatan => (station.kecamatan_code(), station.kecamatan_name()),
            Level::Desa => (station.kelurahan_code(), station.kelurahan_name()),
        };
        let wilayah = code.parse().ok()?;
        Some(Area { wilayah, name, voters: self.voters_in(&wilayah) })
    }

    /// Where the voter is registered; `None` past the end of the list.
    pub(super) fn station(&self, number: u64) -> Option<Station> {
        let at = self.kabkota.iter().position(|kabkota| kabkota.numbers.contains(&number))?;
        let kabkota = &self.kabkota[at];
        let tps = (number - kabkota.numbers.start) / TPS_VOTERS;
        let kelurahan = tps / KELURAHAN_TPS;
        let kecamatan = kelurahan / kabkota.kecamatan_kelurahan;
        let first = kabkota.numbers.start + tps * TPS_VOTERS;
        Some(Station {
            kabkota: at,
            kecamatan,
            kelurahan: kelurahan % kabkota.kecamatan_kelurahan,
            tps: tps % KELURAHAN_TPS,
            tps_in_kecamatan: tps - kecamatan * kabkota.kecamatan_kelurahan * KELURAHAN_TPS,
            numbers: first..(first + TPS_VOTERS).min(kabkota.numbers.end),
        })
    }

    /// The numbers of the voters under a code of 2 to 13 digits.
    fn numbers_of(&self, code: &str) -> Option<Range<u64>> {
        let part = |from: usize, to: usize| code.get(from..to).and_then(|digits| digits.parse::<u64>().ok());
        if part(0, 2) != Some(AREA) {
            return None;
        }
        if code.len() == 2 {
            return Some(self.kabkota[0].numbers.start..self.kabkota[1].numbers.end);
        }
        let at = usize::try_from(part(2, 4)?.checked_sub(1)?).ok()?;
        let Kabkota { numbers, kecamatan_kelurahan } = self.kabkota.get(at)?;
        let kecamatan_tps = kecamatan_kelurahan * KELURAHAN_TPS;
        let (mut tps, mut tps_count) = (0, u64::MAX / TPS_VOTERS);
        if code.len() >= 6 {
            (tps, tps_count) = (part(4, 6)?.checked_sub(1)? * kecamatan_tps, kecamatan_tps);
        }
        if code.len() >= 10 {
            let kelurahan = part(6, 10)?.checked_sub(FIRST_KELURAHAN)?;
            if kelurahan >= *kecamatan_kelurahan {
                return None;
            }
            (tps, tps_count) = (tps + kelurahan * KELURAHAN_TPS, KELURAHAN_TPS);
        }
        if code.len() >= 13 {
            let number = part(10, 13)?.checked_sub(1)?;
            if number >= KELURAHAN_TPS {
                return None;
            }
            (tps, tps_count) = (tps + number, 1);
        }
        let start = numbers.start + tps * TPS_VOTERS;
        let end = numbers.end.min(start.saturating_add(tps_count * TPS_VOTERS));
        (start < end).then_some(start..end)
    }
}

impl Station {
    fn kabkota_code(&self) -> String {
        format!("{AREA}{:02}", self.kabkota + 1)
    }

    fn kecamatan_code(&self) -> String {
        format!("{}{:02}", self.kabkota_code(), self.kecamatan + 1)
    }

    fn kelurahan_code(&self) -> String {
        format!("{}{}", self.kecamatan_code(), FIRST_KELURAHAN + self.kelurahan)
    }

    /// The three digits of the station alone, and its whole code.
    pub(super) fn tps_codes(&self) -> (String, String) {
        let own = format!("{:03}", self.tps + 1);
        let whole = format!("{}{own}", self.kelurahan_code());
        (own, whole)
    }

    pub(super) fn kabkota_name(&self) -> &'static str {
        KABKOTA_NAMES[self.kabkota]
    }

    pub(super) fn kecamatan_name(&self) -> String {
        place_name(self.kecamatan * 37 + 5)
    }

    pub(super) fn kelurahan_name(&self) -> String {
        place_name(self.kelurahan * 45 + self.kecamatan * 7)
    }
}

/// Odd multiples keep names apart within one area: there are 1,024.
fn place_name(number: u64) -> String {
    let first = PLACE_FIRST[index(number, PLACE_FIRST.len())];
    let last = PLACE_LAST[index(number / 32, PLACE_LAST.len())];
    format!("{first} {last}")
}

pub(super) fn index(number: u64, len: usize) -> usize {
    usize::try_from(number % len as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_hold_exactly_their_share() {
        let roll = Roll::new(1, 60_000);
        let cases = [
            ("99", 61_000),
            ("9901", 60_000),
            ("9902", 1_000),
            ("9903", 0),
            ("9900", 0),
            ("98", 0),
            ("990101", 26_784),
            ("990102", 26_784),
            ("990103", 6_432),
            ("990104", 0),
            ("990100", 0),
            ("9901011001", 2_232),
            ("9901011012", 2_232),
            ("9901011013", 0),
            ("9901011000", 0),
            ("9901031003", 1_968),
            ("9901031004", 0),
            ("990201", 1_000),
            ("9902011001", 1_000),
        ];
        for (code, voters) in cases {
            assert_eq!(roll.voters_in(&code.parse().unwrap()), voters, "{code}");
        }
        for (tps, voters) in [
            ("9901011001001", 248),
            ("9901011001009", 248),
            ("9901011001010", 0),
            ("9901011001000", 0),
            ("9901031003008", 232),
            ("9902011001005", 8),
        ] {
            let numbers = roll.numbers_at(&tps.parse().unwrap());
            assert_eq!(numbers.end - numbers.start, voters, "{tps}");
        }
    }

    #[test]
    fn areas_of_a_level_are_disjoint_named_apart_and_hold_everybody() {
        for voters in [1, 248, 249, 60_000, 3_000_000] {
            let roll = Roll::new(1, voters);
            let province: Wilayah = "99".parse().unwrap();
            for level in Level::ALL {
                let areas: Vec<Area> = roll.areas(&province, level).collect();
                let sum: u64 = areas.iter().map(|area| area.voters).sum();
                assert_eq!(sum, voters + SMALL_KABKOTA_VOTERS, "{level}");
                assert!(areas.windows(2).all(|pair| pair[0].wilayah < pair[1].wilayah), "{level}");
            }
            for kecamatan in roll.areas(&province, Level::Kecamatan) {
                let mut names: Vec<String> =
                    roll.areas(&kecamatan.wilayah, Level::Desa).map(|area| area.name).collect();
                let all = names.len();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), all, "{}", kecamatan.wilayah);
            }
        }
    }

    #[test]
    fn the_whole_country_has_codes() {
        let roll = Roll::new(1, u64::MAX);
        assert_eq!(roll.voters_in(&"9901".parse().unwrap()), VOTERS_MAX);
        let last = roll.area_of(VOTERS_MAX - 1, Level::Desa).unwrap();
        assert_eq!(last.wilayah.level(), Level::Desa);
        assert!(roll.numbers_in(&last.wilayah).contains(&(VOTERS_MAX - 1)));
        assert!(roll.station(VOTERS_MAX + SMALL_KABKOTA_VOTERS).is_none());
    }
}
