//! Names of fields in the source's records, and the paths to those in nested ones.

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

/// Most steps of a path above the field itself.
pub const STEPS_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldPathError {
    #[error(transparent)]
    Name(#[from] FieldNameError),
    #[error("a field lies in at most {STEPS_MAX} objects below the record")]
    Depth,
    #[error(
        "`[]` stands behind an array of objects, and a field of theirs behind that, as in `anggota[].nik`"
    )]
    List,
}

/// One step from a record towards a field of an object inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    pub name: FieldName,
    /// Whether the member is an array of objects and not an object.
    pub is_list: bool,
}

/// Where a field stands in a record: `nik`; `alamat.jalan` in the object under `alamat`; `anggota[].nik` in each
/// object of the array under `anggota`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    steps: Vec<Step>,
    leaf: FieldName,
}

impl FieldPath {
    /// The objects and arrays that the field lies in, outermost first; none for a field of the record itself.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn leaf(&self) -> &FieldName {
        &self.leaf
    }

    /// The name, if this is a field of the record itself.
    pub fn name(&self) -> Option<&FieldName> {
        self.steps.is_empty().then_some(&self.leaf)
    }

    /// The same place under another name.
    #[must_use]
    pub fn renamed(&self, leaf: &FieldName) -> Self {
        Self { steps: self.steps.clone(), leaf: leaf.clone() }
    }
}

impl From<FieldName> for FieldPath {
    fn from(leaf: FieldName) -> Self {
        Self { steps: Vec::new(), leaf }
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let (above, leaf) = text.rsplit_once('.').map_or((None, text), |(above, leaf)| (Some(above), leaf));
        if leaf.contains("[]") {
            return Err(FieldPathError::List);
        }
        let step = |part: &str| {
            let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            name.parse().map(|name| Step { name, is_list })
        };
        let steps: Vec<Step> =
            above.map(|above| above.split('.').map(step).collect()).transpose()?.unwrap_or_default();
        if steps.len() > STEPS_MAX {
            return Err(FieldPathError::Depth);
        }
        Ok(Self { steps, leaf: leaf.parse()? })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { name, is_list } in &self.steps {
            write!(f, "{name}{}.", if *is_list { "[]" } else { "" })?;
        }
        write!(f, "{}", self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_with_dots_and_brackets_between() {
        let deep = format!("{}z", "a.".repeat(STEPS_MAX));
        for text in ["nik", "alamat.jalan", "anggota[].nik", "a.b[].c[].d-e", &deep] {
            assert_eq!(text.parse::<FieldPath>().unwrap().to_string(), text);
        }
        let path: FieldPath = "a.b[].c".parse().unwrap();
        let steps: Vec<_> = path.steps().iter().map(|step| (step.name.as_str(), step.is_list)).collect();
        assert_eq!((steps, path.leaf().as_str(), path.name()), (vec![("a", false), ("b", true)], "c", None));
        assert_eq!(path.renamed(&"d".parse().unwrap()).to_string(), "a.b[].d");
        let name: FieldPath = "nik".parse().unwrap();
        assert_eq!(name.name().map(FieldName::as_str), Some("nik"));
        let too_deep = format!("a.{deep}");
        for text in
            ["", ".", "a.", ".a", "a..b", "a[]", "a.b[]", "[].a", "a[0].b", "a[].b c", "a[][].b", &too_deep]
        {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }
}
