//! What the policy adds to the sweep: the look for numbers in kept values that every copy gets.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 256;
/// Memory for one compiled pattern, and for what a search remembers.
const COMPILED_BYTES_MAX: usize = 256 * 1_024;

/// The orders for the sweep of one copy. Runs of 16 digits are always looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    pub found: Found,
    /// What is looked for besides.
    pub patterns: Vec<Pattern>,
}

/// What a find in a kept value leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found {
    /// It is covered and counted.
    #[default]
    Mask,
    /// The copy is aborted.
    Abort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("is longer than {PATTERN_BYTES_MAX} bytes")]
    Length,
    #[error("is not a regular expression as the crate `regex` knows them")]
    Syntax,
    #[error("takes more than {COMPILED_BYTES_MAX} bytes when compiled")]
    Size,
    #[error("finds nothing at all")]
    Empty,
}

/// A regular expression without look-around and back references, so that a search takes time in proportion to
/// the text. Its text is part of the policy.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Where the text has what the pattern means. Finds of no length are none.
    pub fn finds<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        self.0.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Length);
        }
        let built = RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(32)
            .build();
        match built {
            // What matches the empty text matches everywhere and means nothing.
            Ok(regex) if regex.is_match("") => Err(PatternError::Empty),
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(PatternError::Size),
            Err(_) => Err(PatternError::Syntax),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_small_linear_and_finds_something() {
        let long = "a".repeat(PATTERN_BYTES_MAX + 1);
        let cases = [
            (r"(?i)\bktp\b", Ok(())),
            (r"08[0-9]{8,11}", Ok(())),
            (r"\b", Ok(())), // finds of no length are passed over
            ("", Err(PatternError::Empty)),
            ("[0-9]*", Err(PatternError::Empty)),
            ("(a", Err(PatternError::Syntax)),
            (r"(a)\1", Err(PatternError::Syntax)),
            ("(?=a)", Err(PatternError::Syntax)),
            (r"\w{900}", Err(PatternError::Size)),
            (&long, Err(PatternError::Length)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Pattern>().map(|_| ()), expected, "{text}");
        }
        let pattern: Pattern = r"\b".parse().unwrap();
        assert_eq!(pattern.finds("SITI CONTOH").count(), 0);
    }
}
