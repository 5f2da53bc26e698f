//! Keyed values made again: what a copy's key makes of the numbers of a source extract, or of all numbers that a masked one
//! in the same row can be. A value that comes out the same is proof of the copy: under another key it does so once in 2^80.

use std::collections::HashSet;

use super::fragment::Table;
use super::given::{Given, How, plain_name};
use crate::domain::person::NUMBER_DIGITS;
use crate::domain::{Action, CopyKey, Mask, ReleaseId};
use crate::redact::{Recode, is_code};

/// Most keyed values made for one trace.
pub const CODES_MAX: u64 = 100_000_000;
/// Hidden digits that are tried, and rows in which they are.
const HIDDEN_MAX: usize = 4;
const ROWS_TRIED_MAX: usize = 2;

/// Gives the key of each copy.
pub type Keys<'a> = dyn Fn(&ReleaseId) -> CopyKey + 'a;

/// The keyed columns of a file, by the fields of one kind of copy.
#[derive(Debug)]
pub struct KeyedColumns {
    columns: Vec<KeyedColumn>,
}

#[derive(Debug)]
struct KeyedColumn {
    column: usize,
    how: How,
    path: String,
    /// The values of the field in the source extract.
    source: Option<usize>,
    /// The values that stand in the file.
    wanted: HashSet<[u8; 16]>,
    /// A column with a mask of the same field, of which few digits are hidden.
    masked: Option<(usize, Mask)>,
}

/// Values of the file that a copy's key makes: column and value.
pub type Made = HashSet<(usize, [u8; 16])>;

impl KeyedColumns {
    pub fn of(table: &Table, fields: &[Given], source: Option<&Table>) -> Self {
        let keyed = fields.iter().filter(|field| field.is_keyed());
        let columns = keyed.filter_map(|field| {
            let column = table.columns.iter().position(|name| field.holds(name))?;
            let masked = fields.iter().find_map(|other| match other.how {
                How::Done(Action::Mask(mask)) if other.path == field.path => {
                    let hidden = NUMBER_DIGITS - usize::from(mask.first) - usize::from(mask.last);
                    let column = table.columns.iter().position(|name| other.holds(name))?;
                    (hidden <= HIDDEN_MAX).then_some((column, mask))
                }
                _ => None,
            });
            let source = source.and_then(|source| source.column(&plain_name(&field.path)));
            let wanted = table.values(column).filter_map(as_code).collect();
            Some(KeyedColumn {
                column,
                how: field.how.clone(),
                path: field.path.clone(),
                source,
                wanted,
                masked,
            })
        });
        Self { columns: columns.collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The values of the file that something is known of to make them from.
    pub fn testable(&self) -> Made {
        let known = self.columns.iter().filter(|keyed| keyed.source.is_some() || keyed.masked.is_some());
        known.flat_map(|keyed| keyed.wanted.iter().map(|code| (keyed.column, *code))).collect()
    }

    /// The values of the file that the key of one copy makes. `left` counts down; at nought nothing more is tried.
    pub fn made(&self, table: &Table, source: Option<&Table>, key: &CopyKey, left: &mut u64) -> Made {
        let mut made = Made::new();
        for keyed in &self.columns {
            let recode = match &keyed.how {
                How::Ganda => Some(Recode::ganda(key)),
                How::Done(action) => Recode::new(action, &keyed.path, key),
                How::Unknown => None,
            };
            let Some(recode) = recode else { continue };
            if let (Some(column), Some(source)) = (keyed.source, source) {
                for value in source.values(column) {
                    if *left == 0 {
                        return made;
                    }
                    *left -= 1;
                    made.extend(
                        recode
                            .of(value)
                            .filter(|code| keyed.wanted.contains(code))
                            .map(|code| (keyed.column, code)),
                    );
                }
            }
            if let Some((masked, mask)) = keyed.masked {
                made.extend(keyed.guess(table, masked, mask, &recode, left));
            }
        }
        made
    }
}

impl KeyedColumn {
    /// Tries all numbers that the masked one in the same row can be.
    fn guess(&self, table: &Table, masked: usize, mask: Mask, recode: &Recode, left: &mut u64) -> Made {
        let hidden = usize::from(mask.first)..NUMBER_DIGITS - usize::from(mask.last);
        let mut made = Made::new();
        let mut tried = 0;
        for row in 0..table.rows() {
            let (Some(code), Ok(shown)) = (
                as_code(table.cell(row, self.column)),
                <[u8; 16]>::try_from(table.cell(row, masked).as_bytes()),
            ) else {
                continue;
            };
            if tried == ROWS_TRIED_MAX {
                break;
            }
            tried += 1;
            for number in 0..10_u64.pow(u32::try_from(hidden.len()).unwrap_or_default()) {
                if *left == 0 {
                    return made;
                }
                *left -= 1;
                let digits = format!("{number:0width$}", width = hidden.len());
                let mut whole = shown;
                whole[hidden.clone()].copy_from_slice(digits.as_bytes());
                if std::str::from_utf8(&whole).is_ok_and(|whole| recode.of(whole) == Some(code)) {
                    made.insert((self.column, code));
                    break;
                }
            }
        }
        made
    }
}

/// A token, a code, or 16 digits in their place.
fn as_code(value: &str) -> Option<[u8; 16]> {
    let code: [u8; 16] = value.as_bytes().try_into().ok()?;
    (is_code(&code) || code.iter().all(u8::is_ascii_digit)).then_some(code)
}
