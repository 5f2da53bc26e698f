//! From a leaked file to the releases it can have come from: what of it is proof, what is only consistent, and what
//! excludes a release.
//!
//! `fragment` reads the file, `given` what the ledger says of each copy's fields, `rows` which rows of the file can stand
//! in a copy of such fields, `codes` makes keyed values again, and `judge` puts it together. A release is held against
//! the file only by what must be true of the copy it was cut from, whatever rows, columns, order and format were chosen:
//! so the true copy is never excluded by a cut, and never ranked behind another. Where nothing tells copies apart they
//! share a rank, and the report says so.
//!
//! Nothing here prints, and nothing of the file's values is in a report: counts, names of fields that the ledger names,
//! and codes of areas that it names.

mod codes;
mod fragment;
mod given;
mod judge;
mod rows;
#[cfg(test)]
mod tests;

pub use codes::{CODES_MAX, Keys};
pub use fragment::{FragmentError, TEXT_BYTES_MAX, Table, is_name};
pub use judge::{Case, Excluded, Finding, Report, Strength, Trace};
pub use rows::Misfit;
