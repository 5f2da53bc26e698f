//! What actions make of one value, by patterns and other people's code instead of passes over bytes.

use std::sync::LazyLock;

use aes::Aes256;
use aws_lc_rs::hmac;
use fpe::ff1::{FF1, FlexibleNumeralString};
use jiff::Unit;
use jiff::civil::Date;
use regex::Regex;
use salinan::domain::{Action, Found, KodeGanda, LETTERS_MAX, Level, Mask, Sweep};

use super::KEY;

/// A value as an action sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    Null,
    Text(&'a str),
    /// As it was written.
    Number(&'a str),
    Bool(&'a str),
    Container,
}

fn is_like(pattern: &'static str, text: &str) -> bool {
    // A handful of patterns, each compiled for each value: slow is fine here.
    Regex::new(pattern).unwrap().is_match(text)
}

pub fn is_nik(text: &str) -> bool {
    is_like("^[0-9]{16}$", text)
}

/// What a changing action makes of a value, `None` being null or an empty cell; and whether it could not read it.
/// `field` is what a token is of, beside the value.
pub fn shown(action: &Action, field: &str, seen: Seen<'_>) -> (Option<String>, bool) {
    let hidden = |stars: &str| (Some(stars.to_owned()), true);
    let read = |answer: Option<String>| {
        let is_unreadable = answer.is_none();
        (answer, is_unreadable)
    };
    match (action, seen) {
        (Action::Fixed(text), _) => (Some(text.clone()), false),
        (Action::Mask(_) | Action::Letters { .. } | Action::Token | Action::Fpe, Seen::Text("")) => {
            (Some(String::new()), false)
        }
        (_, Seen::Null | Seen::Text("")) => (None, false),
        (Action::Mask(Mask { first, last }), Seen::Text(text) | Seen::Number(text)) => {
            let (first, last) = (usize::from(*first), usize::from(*last));
            if first + last < 16 && is_nik(text) {
                let stars = "*".repeat(16 - first - last);
                (Some(format!("{}{stars}{}", &text[..first], &text[16 - last..])), false)
            } else {
                hidden("****")
            }
        }
        (Action::Fpe, Seen::Text(text) | Seen::Number(text)) if is_nik(text) => {
            (Some(permuted(field, text)), false)
        }
        (Action::Mask(_) | Action::Fpe, _) => hidden("****"),
        (Action::Letters { first }, Seen::Text(text)) => {
            let is_letter = |sign: &char| sign.is_alphabetic() && !sign.is_numeric();
            let first = usize::from((*first).min(LETTERS_MAX));
            let letters: String = text.chars().take(first).take_while(is_letter).collect();
            (Some(format!("{letters}***")), letters.is_empty())
        }
        (Action::Letters { .. }, _) => hidden("***"),
        (Action::Year, Seen::Text(text)) => read(date(text).map(|date| format!("{:04}", date.year()))),
        (Action::Age { at }, Seen::Text(text)) => read(age(text, *at).map(|years| years.to_string())),
        (Action::AgeBand { at, width }, Seen::Text(text)) => {
            let width = i32::from(*width).max(1);
            read(age(text, *at).map(|years| {
                let band = years / width;
                format!("{}-{}", band * width, (band + 1) * width - 1)
            }))
        }
        (Action::Area { level }, Seen::Text(text)) => read(area(text, *level)),
        (Action::Area { level }, Seen::Number(text)) => {
            read(area(text, *level).filter(|_| is_like("^[0-9]+$", text)))
        }
        (Action::Token, Seen::Text(text) | Seen::Number(text) | Seen::Bool(text)) => {
            (Some(code(&format!("{field}\0{text}"))), false)
        }
        (
            Action::Year | Action::Age { .. } | Action::AgeBand { .. } | Action::Area { .. } | Action::Token,
            _,
        ) => (None, true),
        (Action::Keep | Action::Drop, _) => panic!("not a change"),
    }
}

/// FF1 over the digits as other people's long numbers have it.
fn permuted(field: &str, digits: &str) -> String {
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), b"salinan fpe v1\0");
    let ff1 = FF1::<Aes256>::new(key.as_ref(), 10).unwrap();
    let digits: Vec<u16> = digits.bytes().map(|digit| u16::from(digit - b'0')).collect();
    let permuted = ff1.encrypt(field.as_bytes(), &FlexibleNumeralString::from(digits)).unwrap();
    Vec::from(permuted).iter().map(ToString::to_string).collect()
}

/// The code of the added column, if there is one; and whether what is there could not be read.
pub fn ganda(seen: Seen<'_>) -> (Option<String>, bool) {
    match seen {
        Seen::Null | Seen::Text("") => (None, false),
        Seen::Text(text) | Seen::Number(text) if is_nik(text) => {
            debug_assert_eq!(KodeGanda::NAME, "kode_ganda");
            (Some(code(&format!("salinan kode_ganda v1\0{text}"))), false)
        }
        _ => (None, true),
    }
}

/// The first 80 bits of the HMAC under the key of the copy, five by five.
fn code(text: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), text.as_bytes());
    let bits: Vec<u8> =
        tag.as_ref()[..10].iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let five = |bits: &[u8]| bits.iter().fold(0, |number, bit| number * 2 + usize::from(*bit));
    bits.chunks(5).map(|bits| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[five(bits)])).collect()
}

fn date(text: &str) -> Option<Date> {
    static FORMS: LazyLock<Regex> = LazyLock::new(|| {
        let day_first =
            ["-", "/", "[|]"].map(|sign| format!("([0-9]{{2}}){sign}([0-9]{{2}}){sign}([0-9]{{4}})"));
        Regex::new(&format!("^(?:([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})|{})$", day_first.join("|"))).unwrap()
    });
    let parts = FORMS.captures(text)?;
    let parts: Vec<&str> = parts.iter().skip(1).flatten().map(|part| part.as_str()).collect();
    let (year, day) = if parts[0].len() == 4 { (parts[0], parts[2]) } else { (parts[2], parts[0]) };
    Date::new(year.parse().unwrap(), parts[1].parse().unwrap(), day.parse().unwrap()).ok()
}

fn age(text: &str, at: Date) -> Option<i32> {
    let birth = date(text)?;
    let years = i32::from(birth.until((Unit::Year, at)).unwrap().get_years());
    (birth <= at && years <= 150).then_some(years)
}

/// The digits of a code, plain or dotted throughout.
fn digits(code: &str) -> Option<String> {
    static FORMS: LazyLock<Regex> = LazyLock::new(|| {
        let form = |dot| {
            format!(
                "[0-9]{{2}}(?:{dot}[0-9]{{2}}(?:{dot}[0-9]{{2}}(?:{dot}[0-9]{{4}}(?:{dot}[0-9]{{3}})?)?)?)?"
            )
        };
        Regex::new(&format!("^(?:{}|{})$", form(""), form("[.]"))).unwrap()
    });
    FORMS.is_match(code).then(|| code.replace('.', ""))
}

fn area(code: &str, level: Level) -> Option<String> {
    let len = match level {
        Level::Nasional => return None,
        Level::Provinsi => 2,
        Level::Kabkota => 4,
        Level::Kecamatan => 6,
        Level::Desa => 10,
    };
    let digits = digits(code)?;
    Some(digits.chars().take(len).collect())
}

/// Whether a row's code lies in an area.
pub fn is_within(code: &str, area: &str) -> bool {
    digits(code).is_some_and(|digits| digits.starts_with(area))
}

/// What the sweep found in a text.
pub struct Swept {
    pub text: String,
    pub finds: u64,
    /// Whether that ends the pass.
    pub aborts: bool,
}

/// What takes no room, and the blocks of marks that stand on the character before them.
const UNSEEN: &str = r"[\p{Default_Ignorable_Code_Point}\x{300}-\x{36F}\x{483}-\x{489}\x{1AB0}-\x{1AFF}\x{1DC0}-\x{1DFF}\x{20D0}-\x{20FF}\x{FE20}-\x{FE2F}]*";
const BETWEEN: &str = r"[\s\p{Pd}\p{Pc}./\x{B7}\x{6D4}\x{2022}\x{2024}\x{2027}\x{2043}\x{2044}\x{2212}\x{2215}\x{2219}\x{22C5}\x{29F8}\x{3002}\x{30FB}\x{FE12}\x{FE52}\x{FF0E}\x{FF0F}\x{FF61}\x{FF65}]";

pub fn swept(text: &str, sweep: &Sweep) -> Swept {
    static RUN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"\p{{N}}(?:{UNSEEN}(?:{BETWEEN}{UNSEEN})?\p{{N}}){{15,}}")).unwrap()
    });
    // By bytes: whether one is in a find, and the number of the run it is in.
    let mut in_find = vec![false; text.len()];
    for pattern in &sweep.patterns {
        for find in pattern.finds(text) {
            in_find[find].fill(true);
        }
    }
    let mut in_run = vec![None; text.len()];
    for (number, run) in RUN.find_iter(text).enumerate() {
        in_run[run.range()].fill(Some(number));
    }
    let mut fresh = String::new();
    let (mut finds, mut runs) = (0, Vec::new());
    for (at, character) in text.char_indices() {
        let is_digit = character.is_numeric();
        if in_find[at] {
            // Finds that touch are one.
            if at == 0 || !in_find[at - 1] {
                fresh.push_str("****");
                finds += 1;
            }
        } else if let (Some(run), true) = (in_run[at], is_digit) {
            fresh.push('*');
            runs.push(run);
        } else {
            fresh.push(character);
        }
    }
    runs.dedup();
    let finds = finds + runs.len() as u64;
    Swept { text: fresh, finds, aborts: finds > 0 && sweep.found == Found::Abort }
}
