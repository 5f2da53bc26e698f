//! The demo's own source: a list of made-up voters of any size, and a voter-data API that serves it.
//!
//! Nobody in it exists: every area, NIK and NKK begins with 99, which no province has. The same seed and size
//! give the same bytes on every machine, rows are made as they are sent, and nothing grows with the list.

mod api;
mod names;
mod person;
mod rows;
mod site;
mod voters;

pub use api::SourceServer;
pub use rows::{BodyShape, FIELDS, RowWriter, row};
pub use site::{DemoToken, ORIGIN, Site};
pub use voters::{Area, Roll, SMALL_KABKOTA_VOTERS, VOTERS_MAX};
