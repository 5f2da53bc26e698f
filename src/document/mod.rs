//! Files that people write for us, in TOML: read whole, within a limit, with the place of every value, so that
//! one run can report every problem where it stands and say what to do about it.
//!
//! Used for policies and for the configuration. Files are trusted to be ours, not to be right.

mod diagnostic;
mod keys;
mod source;

pub use diagnostic::{Diagnostic, holds_long_number, line_column, quote};
pub use keys::{At, Key, Keys, word};
pub use source::{Problem, Problems, Source, read_all};
