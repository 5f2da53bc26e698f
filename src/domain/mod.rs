//! The words of the field as types: areas, parties, fields, plans, releases.
//!
//! Text from outside becomes one of these types once, at the door; behind it nobody parses again. Nothing
//! here does I/O, reads a clock or draws a random number: those are handed in.

pub mod ask;
pub mod clock;
pub mod coding;
pub mod dataset;
pub mod digest;
pub mod field;
pub mod mandate;
pub mod media;
pub mod party;
pub mod person;
pub mod plan;
pub mod policy_line;
pub mod quota;
pub mod random;
pub mod release;
pub mod scope;
pub mod sweep;
mod text;
pub mod token_end;
pub mod wilayah;

pub use ask::{Ask, AskError, Method};
pub use clock::{Clock, SystemClock, TestClock, day_in_wib, end_in_wib};
pub use coding::ContentCoding;
pub use dataset::{Dataset, Determination, Stage};
pub use digest::Digest;
pub use field::{FieldName, FieldNameError, FieldPath, FieldPathError, Step};
pub use mandate::Mandates;
pub use media::{MediaType, MediaTypeError};
pub use party::Party;
pub use person::{Nik, Nkk};
pub use plan::{
    Action, CopyKey, FieldRule, Format, Formulas, KodeGanda, LETTERS_MAX, Mask, MaskPlan, Outside, Records,
    RowArea,
};
pub use policy_line::{PolicyLine, digest_of_policies};
pub use quota::{Period, RowQuota};
pub use random::{Random, SeededRandom};
pub use release::ReleaseId;
pub use scope::{Role, Scope};
pub use sweep::{Found, Pattern, PatternError, Sweep};
pub use token_end::{OnTokenEnd, TokenEnd};
pub use wilayah::{Level, Tps, Wilayah, WilayahError};
