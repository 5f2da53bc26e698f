//! What a requester may ask for: a level and a list of areas; and what the token says the requester is.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use super::text::as_text;
use super::wilayah::{Level, Wilayah};

/// Areas one may ask for, at the level of the mandate. An empty list covers nothing: a requester without an
/// area (an auditor) gets no voter data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    pub level: Level,
    pub wilayah: Vec<Wilayah>,
}

impl Scope {
    /// Whether the area asked for lies inside one of the areas of this scope.
    pub fn covers(&self, asked: &Wilayah) -> bool {
        self.wilayah.iter().any(|own| own.contains(asked))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a role is 1 to 32 lower-case letters, digits, `_` or `-`, beginning with a letter")]
pub struct RoleError;

/// What the token says the requester is, such as `partai`, `bawaslu`, `auditor`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role(Box<str>);

impl Role {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let word =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if word && text.len() <= 32 && text.starts_with(|first: char| first.is_ascii_lowercase()) {
            Ok(Self(text.into()))
        } else {
            Err(RoleError)
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(Role);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_what_lies_inside_and_nothing_else() {
        let scope = Scope { level: Level::Kabkota, wilayah: vec!["3374".parse().unwrap()] };
        for (asked, covered) in [("3374", true), ("337401", true), ("33", false), ("3375", false)] {
            assert_eq!(scope.covers(&asked.parse().unwrap()), covered, "{asked}");
        }
        let nothing = Scope { level: Level::Nasional, wilayah: vec![] };
        assert!(!nothing.covers(&"33".parse().unwrap()));
    }
}
