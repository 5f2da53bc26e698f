//! Names of fields in the source's records.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::text::as_text;

/// Longest field name accepted, in bytes.
pub const FIELD_NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldNameError {
    #[error("a field name has 1 to {FIELD_NAME_BYTES_MAX} characters")]
    Length,
    #[error("a field name holds letters, digits, `_` and `-`")]
    Character,
}

/// One field of a record, exactly as the source spells it: ASCII letters, digits, `_`, `-`.
///
/// The narrow alphabet keeps a name free of escapes in JSON and CSV, so that the bytes of a name are the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(Box<str>);

impl FieldName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldName {
    type Err = FieldNameError;

    fn from_str(text: &str) -> Result<Self, FieldNameError> {
        if text.is_empty() || text.len() > FIELD_NAME_BYTES_MAX {
            return Err(FieldNameError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err(FieldNameError::Character);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(FieldName);
