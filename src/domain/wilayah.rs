//! Areas by their KPU codes: province 2 digits, kabupaten/kota 4, kecamatan 6, desa/kelurahan 10, and the
//! polling station (TPS) 13. `3101011001` is a kelurahan; printed with dots it is `31.01.01.1001`.
//!
//! A code is kept as digits in whole segments. Containment compares whole segments: 33 contains 3374, and 3
//! is not an area at all.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::as_text;

/// The height of an area, with names that mean the same in every party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Nasional,
    Provinsi,
    Kabkota,
    Kecamatan,
    Desa,
}

impl Level {
    pub const ALL: [Self; 5] = [Self::Nasional, Self::Provinsi, Self::Kabkota, Self::Kecamatan, Self::Desa];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nasional => "nasional",
            Self::Provinsi => "provinsi",
            Self::Kabkota => "kabkota",
            Self::Kecamatan => "kecamatan",
            Self::Desa => "desa",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WilayahError {
    #[error("an area code has 2, 4, 6 or 10 digits, not {digits}")]
    Length { digits: usize },
    #[error("an area code holds digits, with dots only between its parts")]
    Shape,
    #[error("a polling station code has 13 digits, not {digits}")]
    TpsLength { digits: usize },
}

const DIGITS_MAX: usize = 13;
/// Where a dot may stand in the printed form, counted in digits before it.
const PART_ENDS: [usize; 4] = [2, 4, 6, 10];

/// The digits of a code, dots removed, of any length up to 13.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Digits {
    bytes: [u8; DIGITS_MAX],
    len: u8,
}

impl Digits {
    fn read(text: &[u8]) -> Result<Self, WilayahError> {
        let mut bytes = [0; DIGITS_MAX];
        let mut len = 0;
        let mut dots = 0;
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' if len < DIGITS_MAX => {
                    bytes[len] = byte;
                    len += 1;
                }
                b'0'..=b'9' => return Err(WilayahError::Length { digits: text.len() }),
                b'.' if PART_ENDS.contains(&len) && at + 1 < text.len() && text[at - 1] != b'.' => dots += 1,
                _ => return Err(WilayahError::Shape),
            }
        }
        // Dotted forms are dotted throughout: 31.01.01, never 31.0101.
        let parts_before_end = PART_ENDS.iter().filter(|&&end| end < len).count();
        if dots != 0 && dots != parts_before_end {
            return Err(WilayahError::Shape);
        }
        #[expect(clippy::cast_possible_truncation, reason = "len is at most 13")]
        Ok(Self { bytes, len: len as u8 })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// An area from province down to desa/kelurahan. Made by parsing, so that every value is a real shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wilayah(Digits);

impl Wilayah {
    pub fn level(&self) -> Level {
        match self.0.len {
            2 => Level::Provinsi,
            4 => Level::Kabkota,
            6 => Level::Kecamatan,
            _ => Level::Desa,
        }
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether `other` is this area or lies inside it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.as_bytes().starts_with(self.0.as_bytes())
    }

    pub fn contains_tps(&self, tps: &Tps) -> bool {
        tps.0.as_bytes().starts_with(self.0.as_bytes())
    }

    /// Whether a row's own code, of an area or of a TPS, plain or dotted, lies inside this area. A code of
    /// any other shape lies nowhere.
    pub fn contains_code(&self, code: &[u8]) -> bool {
        match Digits::read(code) {
            Ok(digits) => {
                (PART_ENDS.contains(&usize::from(digits.len)) || usize::from(digits.len) == DIGITS_MAX)
                    && digits.as_bytes().starts_with(self.0.as_bytes())
            }
            Err(_) => false,
        }
    }

    /// The area at this level that a row's own code, of an area or of a TPS, plain or dotted, lies in. A code
    /// above the level is its own area; a code of any other shape has none, and neither has the whole country.
    pub fn of_code(code: &[u8], level: Level) -> Option<Self> {
        let digits = Digits::read(code).ok()?;
        if !PART_ENDS.contains(&usize::from(digits.len)) && usize::from(digits.len) != DIGITS_MAX {
            return None;
        }
        let len = match level {
            Level::Nasional => return None,
            Level::Provinsi => 2,
            Level::Kabkota => 4,
            Level::Kecamatan => 6,
            Level::Desa => 10,
        };
        let len = digits.len.min(len);
        let mut bytes = [0; DIGITS_MAX];
        bytes[..usize::from(len)].copy_from_slice(&digits.bytes[..usize::from(len)]);
        Some(Self(Digits { bytes, len }))
    }
}

impl FromStr for Wilayah {
    type Err = WilayahError;

    fn from_str(text: &str) -> Result<Self, WilayahError> {
        let digits = Digits::read(text.as_bytes())?;
        if PART_ENDS.contains(&usize::from(digits.len)) {
            Ok(Self(digits))
        } else {
            Err(WilayahError::Length { digits: usize::from(digits.len) })
        }
    }
}

/// A polling station: its kelurahan's ten digits and three of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tps(Digits);

impl Tps {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The station that a row's own code names, plain or dotted; `None`: it names none.
    pub fn of_code(code: &[u8]) -> Option<Self> {
        Digits::read(code).ok().filter(|digits| usize::from(digits.len) == DIGITS_MAX).map(Self)
    }
}

impl FromStr for Tps {
    type Err = WilayahError;

    fn from_str(text: &str) -> Result<Self, WilayahError> {
        let digits = Digits::read(text.as_bytes())?;
        if usize::from(digits.len) == DIGITS_MAX {
            Ok(Self(digits))
        } else {
            Err(WilayahError::TpsLength { digits: usize::from(digits.len) })
        }
    }
}

macro_rules! code_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.as_str())
            }
        }
        as_text!($name);
    };
}
code_text!(Wilayah);
code_text!(Tps);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_parse_by_whole_parts_only() {
        let cases = [
            ("31", Some("31")),
            ("3101", Some("3101")),
            ("31.01", Some("3101")),
            ("31.01.01.1001", Some("3101011001")),
            ("3101011001", Some("3101011001")),
            ("", None),
            ("3", None),
            ("310", None),
            ("31010", None),
            ("31.0101", None),
            ("31..01", None),
            (".3101", None),
            ("3101.", None),
            ("31 01", None),
            ("３１", None),
            ("3101011001001", None),
            ("31010110010010", None),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<Wilayah>().ok();
            assert_eq!(parsed.as_ref().map(Wilayah::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn containment_follows_parts_and_not_text() {
        let kab: Wilayah = "3374".parse().unwrap();
        let cases: [(&[u8], bool); 11] = [
            (b"3374", true),
            (b"337401", true),
            (b"33.74.01", true),
            (b"3374011001001", true),
            (b"33.74.01.1001.001", true),
            (b"3375", false),
            (b"33", false),
            (b"33740", false),
            (b"", false),
            (b"3374x", false),
            (b"33740110010011", false),
        ];
        for (code, inside) in cases {
            assert_eq!(kab.contains_code(code), inside, "{}", String::from_utf8_lossy(code));
        }
        assert!(kab.contains_tps(&"3374011001001".parse().unwrap()));
    }
    #[test]
    fn a_code_lies_in_one_area_at_each_level() {
        let cases: [(&[u8], Level, Option<&str>); 12] = [
            (b"9901011001002", Level::Desa, Some("9901011001")),
            (b"99.01.01.1001.002", Level::Desa, Some("9901011001")),
            (b"9901011001", Level::Desa, Some("9901011001")),
            (b"9901011001002", Level::Kecamatan, Some("990101")),
            (b"9901011001002", Level::Kabkota, Some("9901")),
            (b"9901011001002", Level::Provinsi, Some("99")),
            (b"9901", Level::Desa, Some("9901")),
            (b"9901011001002", Level::Nasional, None),
            (b"99010110010023", Level::Desa, None),
            (b"990", Level::Provinsi, None),
            (b"JL KENARI 7", Level::Desa, None),
            (b"", Level::Desa, None),
        ];
        for (code, level, expected) in cases {
            let found = Wilayah::of_code(code, level);
            let name = String::from_utf8_lossy(code);
            assert_eq!(found.as_ref().map(Wilayah::as_str), expected, "{name} {level}");
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{name} {level}");
        }
    }
}
