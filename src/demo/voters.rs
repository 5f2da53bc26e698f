//! The list of made-up voters: where everybody lives, and who voter number n is.
//!
//! Province 99 has two kabupaten: 9901 with as many voters as asked for, and the small 9902 for showing what an
//! area outside a mandate is. A TPS has 248 voters, a kelurahan nine TPS, a kecamatan twelve kelurahan or, in
//! large lists, as many as the codes need. Voters are numbered in the order of their area codes, so that any
//! area is one range of numbers; a voter is computed from number and seed alone.
//!
//! NIKs are unique: a voter's day of birth and serial number follow from the place in the kecamatan. The very
//! first voter is the standard one of the tests, with serial 0003; all others begin at 0004.

use std::ops::Range;

use crate::domain::random::next_u64;
use crate::domain::{Level, Tps, Wilayah};

use super::names::{BIRTHPLACES, NOTES, PLACE_FIRST, PLACE_LAST, REGIONS, STREETS};

/// Voters in 9901 at most: the whole country in 2024.
pub const VOTERS_MAX: u64 = 204_800_000;
/// Voters in 9902.
pub const SMALL_KABKOTA_VOTERS: u64 = 1_000;

/// The made-up province.
const AREA: u64 = 99;
const TPS_VOTERS: u64 = 248;
const KELURAHAN_TPS: u64 = 9;
const KECAMATAN_KELURAHAN_MIN: u64 = 12;
const KABKOTA_KECAMATAN_MAX: u64 = 99;
/// Kelurahan codes end in 1001, 1002 and so on.
const FIRST_KELURAHAN: u64 = 1_001;
const FAMILY_VOTERS: u64 = 3;
const TPS_FAMILIES: u64 = TPS_VOTERS.div_ceil(FAMILY_VOTERS);

/// Days since 1970-01-01 of the oldest and the first unused birthday: 1944-01-01 and 2007-01-01.
const BIRTHS: Range<i64> = -9_497..13_514;
/// Days on which family cards were issued: 2008-01-01 up to 2023-01-01.
const CARDS: Range<i64> = 13_879..19_358;
const BIRTH_DAYS: u64 = (BIRTHS.end - BIRTHS.start).unsigned_abs();
const CARD_DAYS: u64 = (CARDS.end - CARDS.start).unsigned_abs();
/// A birthday of a man or of a woman. Steps of a length that shares no factor with the number of slots visit
/// every slot once before any twice.
const BIRTH_SLOTS: u64 = 2 * BIRTH_DAYS;
const BIRTH_STEP: u64 = 28_447;
const CARD_STEP: u64 = 3_389;
const FIRST_SERIAL: u64 = 4;
/// Born after this day, most are not married yet: 1999-01-01.
const YOUNG_FROM: i64 = 10_592;

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
    seed: u64,
    kabkota: [Kabkota; 2],
}

/// Where a voter is registered, in counts from nought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Station {
    kabkota: usize,
    kecamatan: u64,
    kelurahan: u64,
    tps: u64,
    tps_in_kecamatan: u64,
    /// Its voters.
    pub numbers: Range<u64>,
}

/// One made-up person. Texts are ASCII and need no escape, but for the comma before `block`.
pub(super) struct Voter {
    pub number: u64,
    pub nkk: [u8; 16],
    pub nik: [u8; 16],
    pub name: [&'static str; 3],
    pub birthplace: &'static str,
    /// `YYYY-MM-DD`
    pub birth: [u8; 10],
    pub marital: u8,
    pub sex: u8,
    pub street: &'static str,
    pub house: u64,
    pub block: Option<u8>,
    pub rt: u64,
    pub rw: u64,
    pub disability: u8,
    pub ktp: u8,
    pub note: &'static str,
}

impl Roll {
    /// A list with `voters` in 9901, at most [`VOTERS_MAX`].
    pub fn new(seed: u64, voters: u64) -> Self {
        let voters = voters.min(VOTERS_MAX);
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

    /// The voter of that number, registered at `station`.
    pub(super) fn voter(&self, number: u64, station: &Station) -> Voter {
        if number == 0 {
            return standard_voter();
        }
        let in_tps = number - station.numbers.start;
        let in_kecamatan = station.tps_in_kecamatan * TPS_VOTERS + in_tps;
        let family = station.tps_in_kecamatan * TPS_FAMILIES + in_tps / FAMILY_VOTERS;
        let first_of_family = number - in_tps % FAMILY_VOTERS;
        let own = Draw::new(self.seed, number);
        let shared = Draw::new(!self.seed, first_of_family);

        let start = self.seed.wrapping_add(station.kecamatan * 9_973) % BIRTH_SLOTS;
        let slot = (in_kecamatan * BIRTH_STEP + start) % BIRTH_SLOTS;
        let is_woman = slot >= BIRTH_DAYS;
        let born = BIRTHS.start + (slot % BIRTH_DAYS).cast_signed();
        let born_on = Date::of(born);
        let issued_on = Date::of(CARDS.start + (family * CARD_STEP % CARD_DAYS).cast_signed());

        let region = shared.pick::<0, _>(&REGIONS);
        let given = if is_woman { region.female } else { region.male };
        let (first, second) = (own.pick::<0, _>(given), own.pick::<1, _>(given));
        let last = shared.pick::<1, _>(region.last);
        let name = match own.below::<2>(8) {
            0 => [first, "", ""],
            1 | 2 if first != second => [first, second, last],
            _ => [first, last, ""],
        };
        let is_young = born >= YOUNG_FROM;
        Voter {
            number,
            nkk: personal_number(station, &issued_on, 0, FIRST_SERIAL + family / CARD_DAYS),
            nik: personal_number(
                station,
                &born_on,
                if is_woman { 40 } else { 0 },
                FIRST_SERIAL + in_kecamatan / BIRTH_SLOTS,
            ),
            name,
            birthplace: own.pick::<3, _>(&BIRTHPLACES),
            birth: born_on.text(),
            marital: match own.below::<4>(16) {
                0 => b'P',
                1..=12 if is_young => b'B',
                1 => b'B',
                _ => b'S',
            },
            sex: if is_woman { b'P' } else { b'L' },
            street: shared.pick::<2, _>(&STREETS),
            house: 1 + shared.below::<3>(180),
            block: (shared.below::<4>(24) == 0).then_some(b'A' + shared.below::<7>(6).to_le_bytes()[0]),
            rt: 1 + shared.below::<5>(12),
            rw: 1 + shared.below::<6>(9),
            disability: match own.below::<5>(200) {
                kind @ 1..=6 => b'0' + kind.to_le_bytes()[0],
                _ => b'0',
            },
            ktp: if own.below::<6>(50) == 0 { b'B' } else { b'S' },
            note: if own.below::<7>(200) == 0 { own.pick::<0, _>(&NOTES) } else { "" },
        }
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

fn index(number: u64, len: usize) -> usize {
    usize::try_from(number % len as u64).unwrap_or_default()
}

/// Eight draws of 16 bits for one voter or family.
struct Draw([u64; 2]);

impl Draw {
    fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Self([next_u64(&mut state), next_u64(&mut state)])
    }

    /// A number below `limit`, at most 65,536, from draw `N`.
    fn below<const N: usize>(&self, limit: u64) -> u64 {
        const { assert!(N < 8, "there are eight draws") };
        let draw = (self.0[N / 4] >> (N % 4 * 16)) & 0xFFFF;
        (draw * limit) >> 16
    }

    fn pick<const N: usize, T: Copy>(&self, from: &[T]) -> T {
        from[index(self.below::<N>(from.len() as u64), from.len())]
    }
}

/// A day in the calendar.
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// The date that many days after 1970-01-01, for years 1 to 9999. Counts in years that begin in March, so
    /// that a leap day is a year's last (Howard Hinnant, chrono-compatible low-level date algorithms).
    fn of(days: i64) -> Self {
        let days = (days + 719_468).unsigned_abs();
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self { year, month, day: of_year - (153 * from_march + 2) / 5 + 1 }
    }

    fn text(&self) -> [u8; 10] {
        let mut text = *b"0000-00-00";
        put_digits(&mut text[..4], self.year);
        put_digits(&mut text[5..7], self.month);
        put_digits(&mut text[8..], self.day);
        text
    }
}

/// `PPKKCC DDMMYY SSSS`, with the area of the voter's own kecamatan.
fn personal_number(station: &Station, date: &Date, more_days: u64, serial: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    put_digits(&mut digits[..2], AREA);
    put_digits(&mut digits[2..4], station.kabkota as u64 + 1);
    put_digits(&mut digits[4..6], station.kecamatan + 1);
    put_digits(&mut digits[6..8], date.day + more_days);
    put_digits(&mut digits[8..10], date.month);
    put_digits(&mut digits[10..12], date.year % 100);
    put_digits(&mut digits[12..], serial);
    digits
}

/// The last digits of `number`, as many as there is room for.
pub(super) fn put_digits(room: &mut [u8], mut number: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
    }
}

/// The one voter that all tests and documents use.
fn standard_voter() -> Voter {
    Voter {
        number: 0,
        nkk: *b"9901010101010001",
        nik: *b"9901014512900003",
        name: ["SITI", "CONTOH", ""],
        birthplace: "KOTA TENGAH",
        birth: *b"1990-12-05",
        marital: b'S',
        sex: b'P',
        street: "JL KENANGA",
        house: 7,
        block: None,
        rt: 3,
        rw: 5,
        disability: b'0',
        ktp: b'S',
        note: "",
    }
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
        for voters in [0, 1, 248, 60_000, 3_000_000] {
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

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (BIRTHS.start, "1944-01-01"),
            (BIRTHS.end - 1, "2006-12-31"),
            (YOUNG_FROM, "1999-01-01"),
            (CARDS.start, "2008-01-01"),
            (CARDS.end - 1, "2022-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
        ] {
            assert_eq!(Date::of(days).text(), text.as_bytes(), "{text}");
        }
    }
}
