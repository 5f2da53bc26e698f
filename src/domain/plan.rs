//! What a policy orders for one copy: how the body is built, an action for each field, and the area each row
//! must lie in. Made by `policy`, carried out by `redact`.

use std::fmt;

use jiff::civil::Date;

use super::field::{FieldName, FieldPath};
use super::sweep::Sweep;
use super::wilayah::{Level, Wilayah};

/// How the source's body is built; the copy leaves in the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One JSON text (RFC 8259).
    Json(Records),
    /// One JSON object a line.
    Ndjson,
    /// One JSON object after each record separator (RFC 7464).
    JsonSeq,
    /// RFC 4180 with a header row.
    Csv { delimiter: u8, formulas: Formulas },
}

impl Format {
    /// The media type the copy is delivered as, whatever the source called it.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::JsonSeq => "application/json-seq",
            Self::Csv { delimiter: b'\t', .. } => "text/tab-separated-values; charset=utf-8; header=present",
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
        }
    }

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Ndjson => "ndjson",
            Self::JsonSeq => "json-seq",
            Self::Csv { .. } => "csv",
        }
    }

    /// What a file of it is called at the end.
    pub fn file_ending(&self) -> &'static str {
        match self {
            Self::Csv { delimiter: b'\t', .. } => "tsv",
            Self::Json(_) | Self::Ndjson | Self::JsonSeq | Self::Csv { .. } => self.as_str(),
        }
    }
}

/// Where the records stand in a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// `[{..}, {..}]`
    Array,
    /// `{..}`: the text is one record.
    Object,
    /// `{"data": [{..}, {..}], "total": 2}`: the array under `field`. Of the other members only those in
    /// `keep` stay, and only when they hold a string, number, boolean or null.
    Envelope { field: FieldName, keep: Vec<FieldName> },
    /// `{"columns": ["nik", "nama"], "rows": [["..", ".."]], "total": 1}`: the names once, under `columns`, and
    /// before the values, which stand in arrays of the same order under `rows`. Other members as in an envelope.
    Columns { columns: FieldName, rows: FieldName, keep: Vec<FieldName> },
}

/// What becomes of a kept cell that a spreadsheet would read as a formula (it begins with `=`, `+`, `-`, `@`,
/// a tab or a carriage return).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formulas {
    /// An apostrophe is put before it.
    #[default]
    Neutralise,
    /// It leaves as it came.
    Keep,
    /// The copy is aborted.
    Abort,
}

/// What happens to one field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A string, number, boolean or null leaves byte for byte (after the sweep); a container gives null.
    Keep,
    /// Name and value stay behind.
    Drop,
    Mask(Mask),
    /// The letters a text begins with, at most so many, and `***`, whatever the text's length: `S***`.
    Letters {
        first: u8,
    },
    /// The year of a date, as a string: `1990`.
    Year,
    /// Whole years from a birth date to the stated date, as a string: `33`.
    Age {
        at: Date,
    },
    /// The band of years that such an age lies in, as a string: `30-39`.
    AgeBand {
        at: Date,
        width: u8,
    },
    /// The code of the area at this level that the value, the code of an area or a TPS, lies in: `9901011001`
    /// of `9901011001002`. A code above the level stays; what is not a code gives null.
    Area {
        level: Level,
    },
    /// The same text in every row.
    Fixed(String),
    /// HMAC-SHA-256 under the key of this copy, cut to 80 bits, in base32 (RFC 4648): 16 characters, equal
    /// within one copy for equal values only, unrelated between copies.
    Token,
    /// 16 digits become 16 other digits by FF1 (NIST SP 800-38G) under a key made from that of this copy: equal within
    /// one copy for equal values only. Who holds the key can turn them back.
    Fpe,
}

impl Action {
    /// The word for this action in policy files and in the ledger.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Mask(_) | Self::Letters { .. } => "mask",
            Self::Year => "year",
            Self::Age { .. } => "age",
            Self::AgeBand { .. } => "age_band",
            Self::Area { .. } => "area",
            Self::Fixed(_) => "fixed",
            Self::Token => "token",
            Self::Fpe => "fpe",
        }
    }
}

/// The action with its settings, as the ledger holds it: `keep`, `mask(12,0)`, `age(2024-02-14)`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(Mask { first, last }) => write!(f, "mask({first},{last})"),
            Self::Letters { first } => write!(f, "mask(letters={first})"),
            Self::Age { at } => write!(f, "age({at})"),
            Self::AgeBand { at, width } => write!(f, "age_band({at},{width})"),
            Self::Area { level } => write!(f, "area({level})"),
            Self::Keep | Self::Drop | Self::Year | Self::Fixed(_) | Self::Token | Self::Fpe => {
                f.write_str(self.word())
            }
        }
    }
}

/// Letters that [`Action::Letters`] shows at most: with more, most names would be known.
pub const LETTERS_MAX: u8 = 3;

/// Digits of a 16-digit number that stay at either end; the rest become `*`. A value that is not 16 ASCII
/// digits becomes `****` whole. `first: 0, last: 0` hides all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    pub first: u8,
    pub last: u8,
}

/// One field, named by its path: what happens to its value and under which name it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    pub path: FieldPath,
    pub action: Action,
    /// The name in the copy, where it differs: an age must not leave as `tanggal_lahir`. The objects it lies in
    /// keep their names.
    pub emit_as: Option<FieldName>,
}

impl FieldRule {
    /// The field's path in the copy.
    pub fn emitted(&self) -> FieldPath {
        self.emit_as.as_ref().map_or_else(|| self.path.clone(), |name| self.path.renamed(name))
    }
}

/// The field that says where a row belongs, and the area it must lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowArea {
    pub field: FieldName,
    pub within: Wilayah,
    pub outside: Outside,
}

/// What becomes of a row outside the area. One that does not say where it belongs always aborts the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// The copy is aborted: the source gave what was not asked for.
    #[default]
    Abort,
    /// The row stays behind and is counted.
    Withhold,
}

/// The orders for one copy. A field that no rule names stays behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskPlan {
    pub format: Format,
    /// At most one rule for a path, none for a path and for what lies below it; emitted paths are distinct too. The
    /// policy checker sees to all of it.
    pub fields: Vec<FieldRule>,
    pub row_area: RowArea,
    /// No field leaves under its name beside it; the policy checker sees to that too.
    pub kode_ganda: Option<KodeGanda>,
    pub sweep: Sweep,
}

/// An added last column, by which rows of one number are found within one copy: a code of the NIK in the field
/// `of`, under the key of the copy; null where that is not 16 digits. The field itself may stay behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KodeGanda {
    pub of: FieldName,
}

impl KodeGanda {
    /// The column's name in every copy.
    pub const NAME: &'static str = "kode_ganda";
}

/// As the ledger holds it: `kode_ganda(nik)`.
impl fmt::Display for KodeGanda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", Self::NAME, self.of)
    }
}

/// The secret of one copy, from which its tokens are made.
#[derive(Clone)]
pub struct CopyKey([u8; 32]);

impl CopyKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CopyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CopyKey(..)")
    }
}
