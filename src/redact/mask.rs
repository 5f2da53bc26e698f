//! What becomes of one value, whatever its format: the value comes in decoded, the answer is plain ASCII or
//! letters, which need no escapes in JSON and no quotes in CSV.
//!
//! An answer is a text or nothing, never a number: digits are neither rounded nor retyped. A value of an
//! unexpected type or shape is hidden whole and counted.

use std::io::Write as _;

use aws_lc_rs::hmac;
use jiff::civil::Date;

use crate::domain::{Action, CopyKey, LETTERS_MAX, Level, Mask, Nik, Wilayah};

use super::Tally;
use super::fpe::Fpe;
use super::lanes;
use super::rules::Below;

/// An action, made ready for use.
pub(super) enum Order {
    Keep,
    Drop,
    /// An HMAC, when one is due, has taken in the key of the copy and the field's path already.
    Change(Change),
    /// The orders for what lies below an object, or below the objects of an array.
    Below(Box<Below>),
}

pub(super) enum Change {
    Mask {
        first: usize,
        last: usize,
    },
    Letters {
        first: usize,
    },
    Year,
    Age {
        at: Date,
    },
    AgeBand {
        at: Date,
        width: i16,
    },
    Area {
        level: Level,
    },
    /// As it stands in the copy, quotes and all.
    Fixed(Box<[u8]>),
    Token(Box<hmac::Context>),
    Fpe(Box<Fpe>),
}

/// A value as its format gives it, escapes and quotes undone.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    Null,
    Text(&'a [u8]),
    /// A number's literal.
    Number(&'a [u8]),
    Bool(&'a [u8]),
    Container,
}

pub(super) enum Shown<'a> {
    /// Null in JSON, an empty cell in CSV.
    Nothing,
    Text(&'a [u8]),
    /// Already as it stands in the copy.
    Written(&'a [u8]),
}

/// Room for the longest answer.
pub(super) type Room = [u8; 16];

/// Stands for a value that is not 16 digits. Of fixed length, since the length of a value discloses too.
pub(super) const WHOLE: &[u8] = b"****";
/// Stands for what follows the letters shown, also when nothing does.
pub(super) const REST: &[u8] = b"***";
pub(super) const AGE_YEARS_MAX: i16 = 150;

impl Order {
    /// `quote` writes a fixed text as the format has it.
    pub fn new(action: &Action, path: &str, key: &CopyKey, quote: &dyn Fn(&str) -> Vec<u8>) -> Self {
        match action {
            Action::Keep => Self::Keep,
            Action::Drop => Self::Drop,
            Action::Mask(Mask { first, last }) => {
                Self::Change(Change::Mask { first: usize::from(*first), last: usize::from(*last) })
            }
            Action::Letters { first } => {
                Self::Change(Change::Letters { first: usize::from((*first).min(LETTERS_MAX)) })
            }
            Action::Year => Self::Change(Change::Year),
            Action::Age { at } => Self::Change(Change::Age { at: *at }),
            Action::AgeBand { at, width } => {
                Self::Change(Change::AgeBand { at: *at, width: i16::from(*width).max(1) })
            }
            Action::Area { level } => Self::Change(Change::Area { level: *level }),
            Action::Fixed(text) => Self::Change(Change::Fixed(quote(text).into_boxed_slice())),
            Action::Token => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
                let mut context = hmac::Context::with_key(&key);
                context.update(path.as_bytes());
                context.update(&[0]);
                Self::Change(Change::Token(Box::new(context)))
            }
            Action::Fpe => Self::Change(Change::Fpe(Box::new(Fpe::new(key, path)))),
        }
    }
}

impl Change {
    /// Whether the answer says nothing of the value, so that one stands for a whole array.
    pub fn is_same_for_all(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    pub fn show<'a>(&'a self, seen: Seen<'_>, room: &'a mut Room, tally: &mut Tally) -> Shown<'a> {
        match (self, seen) {
            (Self::Fixed(text), _) => Shown::Written(text),
            (_, Seen::Null)
            | (Self::Year | Self::Age { .. } | Self::AgeBand { .. } | Self::Area { .. }, Seen::Text(b"")) => {
                Shown::Nothing
            }
            (Self::Mask { .. } | Self::Letters { .. } | Self::Token(_) | Self::Fpe(_), Seen::Text(b"")) => {
                Shown::Text(b"")
            }
            (Self::Mask { first, last }, Seen::Text(value) | Seen::Number(value)) => {
                match Nik::read(value).filter(|_| first + last < room.len()) {
                    Some(number) => {
                        let shown_from = room.len() - last;
                        *room = *number.digits();
                        for (at, digit) in room.iter_mut().enumerate() {
                            *digit = if at >= *first && at < shown_from { b'*' } else { *digit };
                        }
                        Shown::Text(room)
                    }
                    None => unreadable(Shown::Text(WHOLE), tally),
                }
            }
            (Self::Fpe(fpe), Seen::Text(value) | Seen::Number(value)) => match Nik::read(value) {
                Some(number) => {
                    *room = fpe.encrypt(&number);
                    Shown::Text(room)
                }
                None => unreadable(Shown::Text(WHOLE), tally),
            },
            (Self::Mask { .. } | Self::Fpe(_), Seen::Bool(_) | Seen::Container) => {
                unreadable(Shown::Text(WHOLE), tally)
            }
            (Self::Letters { first }, Seen::Text(value)) => match write_letters(value, *first, room) {
                0 => unreadable(Shown::Text(REST), tally),
                end => {
                    room[end..end + REST.len()].copy_from_slice(REST);
                    Shown::Text(&room[..end + REST.len()])
                }
            },
            (Self::Letters { .. }, Seen::Number(_) | Seen::Bool(_) | Seen::Container) => {
                unreadable(Shown::Text(REST), tally)
            }
            (Self::Year, Seen::Text(value)) => match read_date(value) {
                Some(_) => Shown::Text(write_year(value, room)),
                None => unreadable(Shown::Nothing, tally),
            },
            (Self::Age { at }, Seen::Text(value)) => {
                match read_date(value).and_then(|birth| whole_years(birth, *at)) {
                    Some(years) => Shown::Text(write_number(years, room)),
                    None => unreadable(Shown::Nothing, tally),
                }
            }
            (Self::AgeBand { at, width }, Seen::Text(value)) => {
                match read_date(value).and_then(|birth| whole_years(birth, *at)) {
                    Some(years) => Shown::Text(write_band(years, *width, room)),
                    None => unreadable(Shown::Nothing, tally),
                }
            }
            (Self::Area { level }, Seen::Text(value) | Seen::Number(value)) => {
                match Wilayah::of_code(value, *level).filter(|_| is_code(seen)) {
                    Some(area) => {
                        let code = area.as_str().as_bytes();
                        room[..code.len()].copy_from_slice(code);
                        Shown::Text(&room[..code.len()])
                    }
                    None => unreadable(Shown::Nothing, tally),
                }
            }
            (
                Self::Year | Self::Age { .. } | Self::AgeBand { .. },
                Seen::Number(_) | Seen::Bool(_) | Seen::Container,
            )
            | (Self::Area { .. }, Seen::Bool(_) | Seen::Container)
            | (Self::Token(_), Seen::Container) => unreadable(Shown::Nothing, tally),
            (Self::Token(context), Seen::Text(value) | Seen::Number(value) | Seen::Bool(value)) => {
                let mut context = (**context).clone();
                context.update(value);
                base32(context.sign().as_ref(), room);
                Shown::Text(room)
            }
        }
    }
}

fn unreadable<'a>(shown: Shown<'a>, tally: &mut Tally) -> Shown<'a> {
    tally.unreadable += 1;
    shown
}

/// Whether the value may be a code by its type: of the numbers, only a literal of digits.
fn is_code(seen: Seen<'_>) -> bool {
    match seen {
        Seen::Text(_) => true,
        Seen::Number(literal) => literal.iter().all(u8::is_ascii_digit),
        Seen::Null | Seen::Bool(_) | Seen::Container => false,
    }
}

/// Writes the letters a text begins with, at most so many, and returns their end.
fn write_letters(text: &[u8], first: usize, room: &mut Room) -> usize {
    let text = std::str::from_utf8(text).unwrap_or_default();
    // Some signs for numbers count as letters too.
    let letters = text.chars().take(first).take_while(|sign| sign.is_alphabetic() && !sign.is_numeric());
    letters.fold(0, |end, letter| end + letter.encode_utf8(&mut room[end..]).len())
}

/// `YYYY-MM-DD`, `DD-MM-YYYY`, `DD/MM/YYYY` or `DD|MM|YYYY`, of a day that was.
pub(super) fn read_date(text: &[u8]) -> Option<Date> {
    let text: &[u8; 10] = text.try_into().ok()?;
    let mut block = [0; lanes::BLOCK];
    block[..text.len()].copy_from_slice(text);
    // Which of the ten are digits, the first lowest; and what stands between them.
    let (year, month, day) = match (lanes::digits(&block), text[2], text[4], text[5], text[7]) {
        (0b11_0110_1111, _, b'-', _, b'-') => (0, 5, 8),
        (0b11_1101_1011, b'-', _, b'-', _)
        | (0b11_1101_1011, b'/', _, b'/', _)
        | (0b11_1101_1011, b'|', _, b'|', _) => (6, 3, 0),
        _ => return None,
    };
    let two = |at: usize| 10 * (text[at] - b'0').cast_signed() + (text[at + 1] - b'0').cast_signed();
    Date::new(100 * i16::from(two(year)) + i16::from(two(year + 2)), two(month), two(day)).ok()
}

/// Writes the year of a date that was read, as it stands there.
fn write_year<'a>(date: &[u8], room: &'a mut Room) -> &'a [u8] {
    let from = if date[4] == b'-' { 0 } else { 6 };
    room[..4].copy_from_slice(&date[from..from + 4]);
    &room[..4]
}

fn whole_years(birth: Date, at: Date) -> Option<i16> {
    let before_birthday = (at.month(), at.day()) < (birth.month(), birth.day());
    let years = at.year() - birth.year() - i16::from(before_birthday);
    (birth <= at && years <= AGE_YEARS_MAX).then_some(years)
}

/// Writes a number that is not negative.
fn write_number(number: i16, room: &mut Room) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut from = room.len();
    loop {
        from -= 1;
        room[from] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            return &room[from..];
        }
    }
}

/// Writes the band of so many years that an age lies in: `30-39`.
fn write_band(years: i16, width: i16, room: &mut Room) -> &[u8] {
    let first = years / width * width;
    let mut rest = &mut room[..];
    // The longest is `150-404`.
    let _ = write!(rest, "{first}-{}", first + width - 1);
    let left = rest.len();
    &room[..room.len() - left]
}

/// The first 80 bits in base32 (RFC 4648), which are 16 characters.
pub(super) fn base32(bytes: &[u8], room: &mut Room) {
    for (five, eight) in bytes.chunks_exact(5).zip(room.chunks_exact_mut(8)) {
        let mut bits = five.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        for place in eight.iter_mut().rev() {
            *place = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits & 31) as usize];
            bits >>= 5;
        }
    }
}

#[cfg(test)]
mod tests;
