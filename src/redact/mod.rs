//! The pass over a source's body: bytes in, [`Redacted`] out, by the orders of a [`MaskPlan`].
//!
//! The body's bytes are handed to [`Redactor::push`] in pieces of any size and leave as whole, allowed
//! records. Only this module can put bytes into a [`Redacted`], and the client's body takes nothing else.
//!
//! What always holds:
//! - A record is handled when it lies whole in one piece of memory. It leaves whole or not at all, so where
//!   the pieces were cut changes neither the output nor the verdict.
//! - A field that no rule names, a value that no rule can read, a text that breaks its grammar: none gets
//!   out. What cannot be read is masked whole or ends the pass; nothing is passed through.
//! - Memory is bounded by `record_bytes_max`, whatever the source sends.
//! - After an error every further call is an error.
//!
//! There is no I/O here and nothing waits. `docs/redaction.md` tells what is accepted and emitted, by format.
//!
//! `stream` cuts the body into windows and holds the tail; `json`, `ndjson`, `seq` and `csv` take one unit (a
//! record, a row, a member of the envelope) at a time; `object` carries out the rules of one JSON record,
//! `columnar` those of a row whose columns were named before, `nested` those of what lies below a member, `mask`
//! those of one value; `sweep` looks for long numbers in what is kept. `encode` codes on its way out what was redacted.

use std::fmt;

use bytes::Bytes;

use crate::domain::{CopyKey, MaskPlan, Tps};

mod cell;
mod cells;
mod coding;
mod columnar;
mod csv;
mod encode;
mod error;
mod fields;
mod fpe;
mod ganda;
mod guess;
mod gzip;
mod hurry;
mod json;
mod lanes;
mod marks;
mod mask;
mod ndjson;
mod nested;
mod object;
mod rules;
mod scan;
mod segments;
mod seq;
mod shape;
mod slices;
mod splice;
mod stations;
mod stream;
mod sweep;
mod values;

pub use coding::Coding;
pub use encode::{EncodeError, Encoder};
pub use error::{Problem, RedactError};
pub use fields::FieldTally;
pub use shape::{Fit, Recode, fit, is_code};

use coding::{Decoder, Stopped};
use stream::Stream;

/// What one pass may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest record, with the separator before it or the line end after it.
    pub record_bytes_max: usize,
    /// Deepest nesting inside a record; the record itself is the first level. At most 64.
    pub depth_max: usize,
    /// Decoded bytes for one coded byte, looked at after the first MiB of decoded text.
    pub ratio_max: u64,
    /// Longest body, decoded.
    pub decoded_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 64 * 1024,
            depth_max: 64,
            ratio_max: 200,
            decoded_bytes_max: 16 * 1024 * 1024 * 1024,
        }
    }
}

/// What a pass saw and did, for the ledger and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records read, the one that ended the pass included.
    pub rows_in: u64,
    /// Records handed on.
    pub rows_out: u64,
    /// Records left out because they lie outside the area. Nothing else is counted of them.
    pub rows_withheld: u64,
    /// Runs of 16 or more digits found in kept values and covered.
    pub swept: u64,
    /// Values hidden whole because their type or shape was not the expected one.
    pub unreadable: u64,
    /// Names no rule knows that look like one a rule knows: `NIK`, ` nik`, `no_nik`. They stayed behind.
    pub near_misses: u64,
}

impl Tally {
    /// The count after a record that is withheld, from that before it.
    fn withheld(before: Self) -> Self {
        Self { rows_in: before.rows_in + 1, rows_withheld: before.rows_withheld + 1, ..before }
    }
}

/// Bytes that may leave. Only this module puts any in.
#[derive(Default)]
pub struct Redacted {
    bytes: Vec<u8>,
}

impl Redacted {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the bytes and keeps their room, for one who has used them where they were.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Hands the bytes on; the next ones begin afresh.
    pub fn take(&mut self) -> Bytes {
        let room = self.bytes.len();
        Bytes::from(std::mem::replace(&mut self.bytes, Vec::with_capacity(room)))
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redacted({} bytes)", self.bytes.len())
    }
}

/// One pass over one body.
pub struct Redactor {
    decoder: Decoder,
    stream: Stream,
    /// Set once by an error or by the end; nothing is taken after it.
    ended: Option<RedactError>,
}

impl Redactor {
    pub fn new(plan: &MaskPlan, coding: Coding, key: &CopyKey, limits: Limits) -> Self {
        Self { decoder: Decoder::new(coding, limits), stream: Stream::new(plan, key, limits), ended: None }
    }

    /// Takes the next bytes of the body. Whole records that may leave are appended to `out`; after an error
    /// `out` holds only records from before it, and the copy must not end as if it were complete.
    pub fn push(&mut self, chunk: &[u8], out: &mut Redacted) -> Result<(), RedactError> {
        self.guard(|own| {
            let pushed = own.decoder.push(chunk, &mut |block| own.stream.push(block, &mut out.bytes));
            pushed.map_err(|stopped| own.judge(stopped, out))
        })
    }

    /// Says that the body ended here, and that the source says so too. A body that ends inside a record, a
    /// text or a coding is an error.
    pub fn finish(&mut self, out: &mut Redacted) -> Result<(), RedactError> {
        self.guard(|own| {
            let decoded = own.decoder.finish(&mut |block| own.stream.push(block, &mut out.bytes));
            decoded.map_err(|stopped| own.judge(stopped, out))?;
            own.stream.finish(&mut out.bytes)
        })?;
        self.ended = Some(RedactError::Ended);
        Ok(())
    }

    pub fn tally(&self) -> &Tally {
        self.stream.tally()
    }

    /// The counts by path: first the record's own fields in the order of the plan, with the row's area field and that
    /// of `kode_ganda` behind them where the plan does not name them, then what lies below each of them.
    pub fn fields(&self) -> Vec<(String, FieldTally)> {
        self.stream.fields()
    }

    /// From now on it is noted of which polling stations the records are, by the code of their area.
    pub fn note_stations(&mut self) {
        self.stream.stations().start();
    }

    /// The polling stations of records handed on since the last call, as they came, and how many records name none. To
    /// be called now and then by who asked for them: until then they are held.
    pub fn take_stations(&mut self) -> (Vec<Tps>, u64) {
        self.stream.stations().take()
    }

    fn judge(&mut self, stopped: Stopped, out: &mut Redacted) -> RedactError {
        match stopped {
            Stopped::Text(error) => error,
            Stopped::Coding(problem) => self.stream.stop(problem, &mut out.bytes),
        }
    }

    fn guard(&mut self, step: impl FnOnce(&mut Self) -> Result<(), RedactError>) -> Result<(), RedactError> {
        if let Some(error) = self.ended {
            return Err(error);
        }
        let answer = step(self);
        self.ended = answer.err();
        answer
    }
}

#[cfg(test)]
mod extras;
#[cfg(test)]
mod families;
#[cfg(any(test, fuzzing))]
#[expect(clippy::unwrap_used, reason = "what fails here fails the test")]
mod harness;
#[cfg(any(test, fuzzing))]
#[expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what does not hold panics")]
pub mod property;
#[cfg(test)]
mod structures;
