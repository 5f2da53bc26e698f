//! Whether a value can have come out of an action, and the keyed values of one copy made again: for tracing a leaked file
//! to the copy that it was cut from. Nothing that leaves passes here.

use aws_lc_rs::hmac;

use crate::domain::{Action, CopyKey, Mask, Nik, Wilayah};

use super::Tally;
use super::ganda;
use super::mask::{AGE_YEARS_MAX, Change, Order, REST, Room, Seen, Shown, WHOLE, read_date};
use super::sweep::RUN_DIGITS;

/// How a value stands to an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It can have come out of it.
    Fits,
    /// It shows what the action hides.
    TooMuch,
    /// It is of another form.
    Other,
}

/// Whether the text can have come out of the action. Nothing, as an empty cell or null, comes out of each.
pub fn fit(action: &Action, value: &str) -> Fit {
    if value.is_empty() {
        return Fit::Fits;
    }
    let bytes = value.as_bytes();
    match action {
        Action::Drop => Fit::TooMuch,
        Action::Keep if has_long_run(bytes) => Fit::TooMuch,
        // The text that a policy fixes is not in the ledger.
        Action::Keep | Action::Fixed(_) => Fit::Fits,
        Action::Mask(mask) => fit_mask(*mask, bytes),
        Action::Letters { first } => fit_letters(usize::from(*first), value),
        Action::Year => match bytes {
            [_, _, _, _] if is_number(bytes) => Fit::Fits,
            _ => dated(bytes),
        },
        Action::Age { .. } if is_age(value) => Fit::Fits,
        Action::Age { .. } => dated(bytes),
        Action::AgeBand { width, .. } => match value.split_once('-') {
            Some((first, last)) if is_age(first) && is_number(last.as_bytes()) => {
                let (first, last) = (first.parse::<u32>(), last.parse::<u32>());
                let width = u32::from(*width).max(1);
                let is_band =
                    |first: u32, last: u32| first.is_multiple_of(width) && last == first + width - 1;
                if first.is_ok_and(|first| last.is_ok_and(|last| is_band(first, last))) {
                    Fit::Fits
                } else {
                    Fit::Other
                }
            }
            _ if is_age(value) => Fit::TooMuch,
            _ => dated(bytes),
        },
        Action::Area { level } => match Wilayah::of_code(bytes, *level) {
            Some(area) if area.as_str() == value => Fit::Fits,
            Some(_) => Fit::TooMuch,
            None => Fit::Other,
        },
        Action::Token if is_code(bytes) => Fit::Fits,
        Action::Fpe if bytes == WHOLE || Nik::read(bytes).is_some() => Fit::Fits,
        Action::Token | Action::Fpe => Fit::Other,
    }
}

/// Whether a text has the form of a token or of `kode_ganda`.
pub fn is_code(value: &[u8]) -> bool {
    value.len() == Room::default().len() && value.iter().all(|sign| matches!(sign, b'A'..=b'Z' | b'2'..=b'7'))
}

fn fit_mask(mask: Mask, value: &[u8]) -> Fit {
    if value == WHOLE {
        return Fit::Fits;
    }
    let (first, last) = (usize::from(mask.first), usize::from(mask.last));
    let digits = value.iter().filter(|sign| sign.is_ascii_digit()).count();
    let Ok(room) = Room::try_from(value) else {
        return if digits > first + last { Fit::TooMuch } else { Fit::Other };
    };
    let hidden = first..room.len().saturating_sub(last);
    let is_hidden = |(at, sign): (usize, &u8)| !hidden.contains(&at) || *sign == b'*';
    let is_shown = |(at, sign): (usize, &u8)| hidden.contains(&at) || sign.is_ascii_digit();
    if !room.iter().enumerate().all(is_hidden) && digits > 0 {
        Fit::TooMuch
    } else if room.iter().enumerate().all(is_hidden) && room.iter().enumerate().all(is_shown) {
        Fit::Fits
    } else {
        Fit::Other
    }
}

fn fit_letters(first: usize, value: &str) -> Fit {
    let Some(letters) = value.as_bytes().strip_suffix(REST).and_then(|head| std::str::from_utf8(head).ok())
    else {
        return Fit::TooMuch;
    };
    if letters.chars().count() > first {
        Fit::TooMuch
    } else if letters.chars().all(|sign| sign.is_alphabetic() && !sign.is_numeric()) {
        Fit::Fits
    } else {
        Fit::Other
    }
}

/// A whole date where less of it was given.
fn dated(value: &[u8]) -> Fit {
    if read_date(value).is_some() { Fit::TooMuch } else { Fit::Other }
}

fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn is_age(value: &str) -> bool {
    let is_written = is_number(value.as_bytes()) && (value == "0" || !value.starts_with('0'));
    is_written && value.parse::<i16>().is_ok_and(|years| years <= AGE_YEARS_MAX)
}

/// Digits that the sweep would have covered.
fn has_long_run(value: &[u8]) -> bool {
    value.split(|sign| !sign.is_ascii_digit()).any(|run| run.len() >= RUN_DIGITS)
}

/// Makes the keyed values of one field of one copy again.
pub struct Recode(Keyed);

enum Keyed {
    Change(Change),
    Ganda(Box<hmac::Context>),
}

impl Recode {
    /// For `token` and `fpe` of the field at this path of the source's records; `None` for what takes no key.
    pub fn new(action: &Action, path: &str, key: &CopyKey) -> Option<Self> {
        match Order::new(action, path, key, &|_| Vec::new()) {
            Order::Change(change @ (Change::Token(_) | Change::Fpe(_))) => Some(Self(Keyed::Change(change))),
            Order::Keep | Order::Drop | Order::Change(_) | Order::Below(_) => None,
        }
    }

    /// For the column `kode_ganda`.
    pub fn ganda(key: &CopyKey) -> Self {
        Self(Keyed::Ganda(Box::new(ganda::context(key))))
    }

    /// What stands in the copy for a value of the source; `None` where nothing that could be told apart does.
    pub fn of(&self, value: &str) -> Option<[u8; 16]> {
        if value.is_empty() {
            return None;
        }
        let mut room = Room::default();
        match &self.0 {
            Keyed::Ganda(context) => {
                ganda::write(context, &Nik::read(value.as_bytes())?, &mut room);
                Some(room)
            }
            Keyed::Change(change) => {
                match change.show(Seen::Text(value.as_bytes()), &mut room, &mut Tally::default()) {
                    Shown::Text(text) => text.try_into().ok(),
                    Shown::Nothing | Shown::Written(_) => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;
    use crate::domain::Level;

    const VALUES: [&str; 22] = [
        "",
        "9901014512900003",
        "9901014512900044",
        "99.0101.451290.0003",
        "0",
        "SITI CONTOH",
        "Élise",
        "7 SUMUR",
        "1990-12-05",
        "05-12-1990",
        "05|12|2001",
        "1990-13-05",
        "9901011001002",
        "99.01.01.1001.002",
        "9901011001",
        "9901",
        "JL KENANGA 7",
        "B",
        "123",
        "S***",
        "null",
        "****",
    ];

    fn actions() -> Vec<Action> {
        let at = Date::constant(2024, 2, 14);
        let mut actions = vec![
            Action::Keep,
            Action::Year,
            Action::Age { at },
            Action::AgeBand { at, width: 10 },
            Action::AgeBand { at, width: 7 },
            Action::Token,
            Action::Fpe,
        ];
        actions.extend(
            [(0, 0), (6, 0), (12, 0), (0, 4), (6, 4)].map(|(first, last)| Action::Mask(Mask { first, last })),
        );
        actions.extend([1, 2, 3].map(|first| Action::Letters { first }));
        let levels = Level::ALL.into_iter().filter(|level| *level != Level::Nasional);
        actions.extend(levels.map(|level| Action::Area { level }));
        actions
    }

    /// What the copy shows for a value.
    fn shown(action: &Action, value: &str) -> String {
        match Order::new(action, "nik", &CopyKey::new([7; 32]), &|_| Vec::new()) {
            Order::Change(change) => {
                let mut room = Room::default();
                match change.show(Seen::Text(value.as_bytes()), &mut room, &mut Tally::default()) {
                    Shown::Text(text) | Shown::Written(text) => String::from_utf8(text.to_vec()).unwrap(),
                    Shown::Nothing => String::new(),
                }
            }
            _ => value.to_owned(),
        }
    }

    #[test]
    fn whatever_an_action_makes_fits_it() {
        for action in actions() {
            for value in VALUES {
                if action == Action::Keep && has_long_run(value.as_bytes()) {
                    continue; // the sweep's
                }
                let made = shown(&action, value);
                assert_eq!(fit(&action, &made), Fit::Fits, "{action} of {value}: {made}");
            }
        }
    }

    #[test]
    fn what_shows_more_than_an_action_is_told_from_what_is_of_another_form() {
        let mask = |first, last| Action::Mask(Mask { first, last });
        let at = Date::constant(2024, 2, 14);
        let cases = [
            (mask(6, 0), "9901014512900003", Fit::TooMuch),
            (mask(6, 0), "990101451290****", Fit::TooMuch),
            (mask(6, 0), "9901************", Fit::Other),
            (mask(6, 0), "************0003", Fit::TooMuch),
            (mask(6, 0), "99.0101", Fit::Other),
            (mask(12, 0), "990101**********", Fit::Other),
            (mask(0, 0), "****************", Fit::Fits),
            (mask(0, 0), "990101", Fit::TooMuch),
            (mask(0, 0), "SITI", Fit::Other),
            (Action::Keep, "a 9901014512900003 b", Fit::TooMuch),
            (Action::Letters { first: 1 }, "SITI", Fit::TooMuch),
            (Action::Letters { first: 1 }, "SI***", Fit::TooMuch),
            (Action::Letters { first: 2 }, "S1***", Fit::Other),
            (Action::Year, "1990-12-05", Fit::TooMuch),
            (Action::Year, "90", Fit::Other),
            (Action::Age { at }, "1990-12-05", Fit::TooMuch),
            (Action::Age { at }, "033", Fit::Other),
            (Action::AgeBand { at, width: 10 }, "33", Fit::TooMuch),
            (Action::AgeBand { at, width: 10 }, "30-34", Fit::Other),
            (Action::Area { level: Level::Kecamatan }, "9901011001", Fit::TooMuch),
            (Action::Area { level: Level::Desa }, "990101", Fit::Fits),
            (Action::Token, "SITI", Fit::Other),
            (Action::Fpe, "990101**********", Fit::Other),
            (Action::Drop, "x", Fit::TooMuch),
        ];
        for (action, value, expected) in cases {
            assert_eq!(fit(&action, value), expected, "{action} {value}");
        }
    }

    #[test]
    fn codes_made_again_are_those_of_the_copy_and_of_no_other() {
        let (key, other) = (CopyKey::new([7; 32]), CopyKey::new([8; 32]));
        for action in [Action::Token, Action::Fpe] {
            let value = "9901014512900003";
            let code = Recode::new(&action, "nik", &key).unwrap().of(value).unwrap();
            assert_eq!(code, shown(&action, value).as_bytes());
            assert_ne!(Some(code), Recode::new(&action, "nkk", &key).unwrap().of(value));
            assert_ne!(Some(code), Recode::new(&action, "nik", &other).unwrap().of(value));
        }
        let ganda = Recode::ganda(&key);
        assert!(is_code(&ganda.of("9901014512900003").unwrap()));
        assert_eq!((ganda.of("990101"), ganda.of("")), (None, None));
        assert!(Recode::new(&Action::Keep, "nik", &key).is_none());
    }
}
