//! Who voter number n is, computed from number, seed and polling station alone.
//!
//! NIKs are unique: day of birth and serial follow from the voter's place in the kecamatan, which the first six
//! digits name. Three voters in a row are a family: they share card, last name and street. The very first voter
//! is the standard one of the tests, with serial 0003; all others begin at 0004.

use std::ops::Range;

use super::names::{BIRTHPLACES, NOTES, REGIONS, STREETS};
use super::voters::{AREA, Station, TPS_VOTERS, index};
use crate::domain::random::next_u64;

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

impl Voter {
    /// The voter of that number, registered at `station`.
    pub(super) fn new(seed: u64, number: u64, station: &Station) -> Self {
        if number == 0 {
            return standard_voter();
        }
        let in_tps = number - station.numbers.start;
        let in_kecamatan = station.tps_in_kecamatan * TPS_VOTERS + in_tps;
        let family = station.tps_in_kecamatan * TPS_FAMILIES + in_tps / FAMILY_VOTERS;
        let first_of_family = number - in_tps % FAMILY_VOTERS;
        let own = Draw::new(seed, number);
        let shared = Draw::new(!seed, first_of_family);

        let start = seed.wrapping_add(station.kecamatan * 9_973) % BIRTH_SLOTS;
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
        Self {
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
