//! What becomes of one value, whatever its format: the value comes in decoded, the answer is plain ASCII that
//! needs no escapes in JSON and no quotes in CSV.
//!
//! An answer is a text or nothing, never a number: digits are neither rounded nor retyped. A value of an
//! unexpected type or shape is hidden whole and counted.

use aws_lc_rs::hmac;
use jiff::civil::Date;

use crate::domain::{Action, CopyKey, Mask, Nik};

use super::Tally;

/// An action, made ready for use.
pub(super) enum Order {
    Keep,
    Drop,
    /// An HMAC, when one is due, has taken in the key of the copy and the field's name already.
    Change(Change),
}

pub(super) enum Change {
    Mask {
        first: usize,
        last: usize,
    },
    Year,
    Age {
        at: Date,
    },
    /// As it stands in the copy, quotes and all.
    Fixed(Box<[u8]>),
    Token(Box<hmac::Context>),
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
const WHOLE: &[u8] = b"****";
const AGE_YEARS_MAX: i16 = 150;

impl Order {
    /// `quote` writes a fixed text as the format has it.
    pub fn new(action: &Action, name: &str, key: &CopyKey, quote: &dyn Fn(&str) -> Vec<u8>) -> Self {
        match action {
            Action::Keep => Self::Keep,
            Action::Drop => Self::Drop,
            Action::Mask(Mask { first, last }) => {
                Self::Change(Change::Mask { first: usize::from(*first), last: usize::from(*last) })
            }
            Action::Year => Self::Change(Change::Year),
            Action::Age { at } => Self::Change(Change::Age { at: *at }),
            Action::Fixed(text) => Self::Change(Change::Fixed(quote(text).into_boxed_slice())),
            Action::Token => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
                let mut context = hmac::Context::with_key(&key);
                context.update(name.as_bytes());
                context.update(&[0]);
                Self::Change(Change::Token(Box::new(context)))
            }
        }
    }
}

impl Change {
    pub fn show<'a>(&'a self, seen: Seen<'_>, room: &'a mut Room, tally: &mut Tally) -> Shown<'a> {
        match (self, seen) {
            (Self::Fixed(text), _) => Shown::Written(text),
            (_, Seen::Null) | (Self::Year | Self::Age { .. }, Seen::Text(b"")) => Shown::Nothing,
            (Self::Mask { .. } | Self::Token(_), Seen::Text(b"")) => Shown::Text(b""),
            (Self::Mask { first, last }, Seen::Text(value) | Seen::Number(value)) => {
                match Nik::read(value).filter(|_| first + last < room.len()) {
                    Some(number) => {
                        let hidden = *first..room.len() - last;
                        *room = *number.digits();
                        room[hidden].fill(b'*');
                        Shown::Text(room)
                    }
                    None => unreadable(Shown::Text(WHOLE), tally),
                }
            }
            (Self::Mask { .. }, Seen::Bool(_) | Seen::Container) => unreadable(Shown::Text(WHOLE), tally),
            (Self::Year, Seen::Text(value)) => match read_date(value) {
                Some(date) => Shown::Text(write_number(date.year(), 4, room)),
                None => unreadable(Shown::Nothing, tally),
            },
            (Self::Age { at }, Seen::Text(value)) => {
                match read_date(value).and_then(|birth| whole_years(birth, *at)) {
                    Some(years) => Shown::Text(write_number(years, 1, room)),
                    None => unreadable(Shown::Nothing, tally),
                }
            }
            (Self::Year | Self::Age { .. }, Seen::Number(_) | Seen::Bool(_) | Seen::Container)
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

/// `YYYY-MM-DD`, `DD-MM-YYYY`, `DD/MM/YYYY` or `DD|MM|YYYY`, of a day that was.
fn read_date(text: &[u8]) -> Option<Date> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.iter().try_fold(0_i16, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i16::from(byte - b'0'))
        })
    };
    if text.len() != 10 {
        return None;
    }
    let (year, month, day) = match (text[2], text[4], text[5], text[7]) {
        (_, b'-', _, b'-') => (number(0, 4)?, number(5, 7)?, number(8, 10)?),
        (b'-', _, b'-', _) | (b'/', _, b'/', _) | (b'|', _, b'|', _) => {
            (number(6, 10)?, number(3, 5)?, number(0, 2)?)
        }
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn whole_years(birth: Date, at: Date) -> Option<i16> {
    let before_birthday = (at.month(), at.day()) < (birth.month(), birth.day());
    let years = at.year() - birth.year() - i16::from(before_birthday);
    (birth <= at && years <= AGE_YEARS_MAX).then_some(years)
}

/// Writes a number that is not negative with at least `width` digits.
fn write_number(number: i16, width: usize, room: &mut Room) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut from = room.len();
    while rest > 0 || room.len() - from < width {
        from -= 1;
        room[from] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    &room[from..]
}

/// The first 80 bits in base32 (RFC 4648), which are 16 characters.
fn base32(bytes: &[u8], room: &mut Room) {
    for (five, eight) in bytes.chunks_exact(5).zip(room.chunks_exact_mut(8)) {
        let mut bits = five.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        for place in eight.iter_mut().rev() {
            *place = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits & 31) as usize];
            bits >>= 5;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(action: &Action, seen: Seen<'_>) -> (String, u64) {
        let key = CopyKey::new([7; 32]);
        let order = Order::new(action, "nik", &key, &|text| text.as_bytes().to_vec());
        let Order::Change(change) = order else { panic!("not a change") };
        let (mut room, mut tally) = ([0; 16], Tally::default());
        let shown = match change.show(seen, &mut room, &mut tally) {
            Shown::Nothing => "nothing".to_owned(),
            Shown::Text(text) | Shown::Written(text) => String::from_utf8(text.to_vec()).unwrap(),
        };
        (shown, tally.unreadable)
    }

    #[test]
    fn only_sixteen_plain_digits_show_any() {
        let mask = |first, last| Action::Mask(Mask { first, last });
        let cases: [(Action, Seen<'_>, &str, u64); 19] = [
            (mask(6, 0), Seen::Text(b"9901014512900003"), "990101**********", 0),
            (mask(0, 4), Seen::Text(b"9901014512900003"), "************0003", 0),
            (mask(2, 2), Seen::Text(b"9901014512900003"), "99************03", 0),
            (mask(0, 0), Seen::Text(b"9901014512900003"), "****************", 0),
            (mask(6, 0), Seen::Number(b"9901014512900003"), "990101**********", 0),
            (mask(12, 4), Seen::Text(b"9901014512900003"), "****", 1),
            (mask(255, 255), Seen::Text(b"9901014512900003"), "****", 1),
            (mask(6, 0), Seen::Text(b"99.0101.451290.0003"), "****", 1),
            (mask(6, 0), Seen::Text(b"9901 0145 1290 0003"), "****", 1),
            (mask(6, 0), Seen::Text(b"990101451290000"), "****", 1),
            (mask(6, 0), Seen::Text(b"99010145129000033"), "****", 1),
            (mask(6, 0), Seen::Text("９９０１０１４５１２９００００３".as_bytes()), "****", 1),
            (mask(6, 0), Seen::Text(b"'9901014512900003"), "****", 1),
            (mask(6, 0), Seen::Number(b"9901014512900003.0"), "****", 1),
            (mask(6, 0), Seen::Number(b"9.901014512900003e15"), "****", 1),
            (mask(6, 0), Seen::Bool(b"true"), "****", 1),
            (mask(6, 0), Seen::Container, "****", 1),
            (mask(6, 0), Seen::Null, "nothing", 0),
            (mask(6, 0), Seen::Text(b""), "", 0),
        ];
        for (at, (action, seen, expected, unreadable)) in cases.into_iter().enumerate() {
            assert_eq!(show(&action, seen), (expected.to_owned(), unreadable), "case {at}");
        }
    }

    #[test]
    fn dates_show_their_year_or_an_age_and_nothing_else() {
        let at = Action::Age { at: Date::constant(2024, 2, 14) };
        let cases: [(&Action, &[u8], &str); 20] = [
            (&Action::Year, b"1990-12-05", "1990"),
            (&Action::Year, b"05-12-1990", "1990"),
            (&Action::Year, b"05/12/1990", "1990"),
            (&Action::Year, b"05|12|1990", "1990"),
            (&Action::Year, b"0990-12-05", "0990"),
            (&Action::Year, b"1990-02-29", "nothing"),
            (&Action::Year, b"1992-02-29", "1992"),
            (&Action::Year, b"1990-13-05", "nothing"),
            (&Action::Year, b"05-12/1990", "nothing"),
            (&Action::Year, b"1990/12/05", "nothing"),
            (&Action::Year, b"1990-12-5", "nothing"),
            (&Action::Year, b"1990-12-05 ", "nothing"),
            (&Action::Year, "１990-12-".as_bytes(), "nothing"),
            (&Action::Year, b"9901014512900003", "nothing"),
            (&at, b"1990-02-14", "34"),
            (&at, b"1990-02-15", "33"),
            (&at, b"2024-02-14", "0"),
            (&at, b"2024-02-15", "nothing"),
            (&at, b"1874-02-14", "150"),
            (&at, b"1873-02-14", "nothing"),
        ];
        for (action, text, expected) in cases {
            let name = String::from_utf8_lossy(text);
            let unreadable = u64::from(expected == "nothing");
            assert_eq!(show(action, Seen::Text(text)), (expected.to_owned(), unreadable), "{name}");
        }
        for seen in [Seen::Number(b"1990"), Seen::Bool(b"true"), Seen::Container] {
            assert_eq!(show(&Action::Year, seen), ("nothing".to_owned(), 1));
        }
        assert_eq!(show(&Action::Year, Seen::Text(b"")), ("nothing".to_owned(), 0));
    }

    #[test]
    fn a_token_is_the_hmac_of_name_and_value_in_base32() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let tag = hmac::sign(&key, b"nik\x009901014512900003");
        let mut expected = [0; 16];
        base32(tag.as_ref(), &mut expected);
        let expected = (String::from_utf8(expected.to_vec()).unwrap(), 0);
        assert_eq!(show(&Action::Token, Seen::Text(b"9901014512900003")), expected);
        assert_eq!(show(&Action::Token, Seen::Number(b"9901014512900003")), expected);
        assert_ne!(show(&Action::Token, Seen::Text(b"9901014512900004")), expected);
        assert_eq!(show(&Action::Token, Seen::Container), ("nothing".to_owned(), 1));
        assert_eq!(show(&Action::Token, Seen::Null), ("nothing".to_owned(), 0));
        let mut room = [0; 16];
        base32(b"foobar1234", &mut room);
        assert_eq!(&room, b"MZXW6YTBOIYTEMZU");
    }
}
