//! A second opinion on the redactor: the same orders carried out slowly, on whole bodies, and compared with it byte
//! for byte, verdict for verdict and count for count; and what is accepted of JSON and CSV, as tables.
//!
//! `texts` is the reference, from `docs/redaction.md`; it shares no code with the redactor but the types of the plan.
//! Its own reader of JSON is held against `serde_json`, that of CSV against the `csv` crate. A body is made from one
//! number, which a failure prints.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::result_large_err, reason = "nothing here is fast")]

mod bodies;
mod columns;
mod csv_cases;
mod dice;
mod framing_cases;
mod json;
mod json_cases;
mod orders;
mod plans;
mod random;
mod records;
mod run;
mod sequence;
mod tables;
mod texts;
mod values;

/// The key of every copy.
const KEY: [u8; 32] = [7; 32];
const NIK: &str = "9901014512900003";
const NKK: &str = "9901010101010001";
