//! One JSON text with its records: `[{..}, {..}]`, `{..}`, `{"data": [{..}, {..}], "total": 2}`, or the same with
//! columns named once.
//!
//! A unit is a record or a member of the envelope with the comma before it, an opening or a closing bracket,
//! or the blanks round the text. So the state between units is one word, and a record that does not leave
//! takes its comma with it.

use crate::domain::{CopyKey, FieldName, MaskPlan, Outside, Records};

use super::columnar::Columnar;
use super::error::{Problem, Stop};
use super::nested::Work;
use super::object::Objects;
use super::scan::{self, Kind};
use super::stream::Window;
use super::{Limits, Tally};

pub(super) struct Json {
    place: Place,
    is_object: bool,
    envelope: Option<Envelope>,
    /// Where the records are rows of columns named once.
    columnar: Option<Columnar>,
    /// Whether a record of the array was let out.
    has_record: bool,
    pub objects: Objects,
}

#[derive(Clone, Copy)]
enum Place {
    /// Before the text.
    Start,
    /// In the array of records; before the first of them a comma may not stand.
    Records { is_first: bool },
    /// In the envelope.
    Members { is_first: bool },
    /// Behind the text.
    End,
}

/// The object round the array of records.
struct Envelope {
    records: Box<[u8]>,
    keep: Vec<Box<[u8]>>,
    /// Hashes of the names seen.
    names: Vec<u64>,
    has_records: bool,
    /// Whether a member was let out.
    has_member: bool,
}

/// Names an envelope may have. They are all remembered, so there must be an end to them.
const ENVELOPE_MEMBERS_MAX: usize = 1024;

impl Envelope {
    fn new(records: &FieldName, keep: &[FieldName]) -> Self {
        let bytes = |name: &FieldName| name.as_str().as_bytes().into();
        Self {
            records: bytes(records),
            keep: keep.iter().map(bytes).collect(),
            names: Vec::new(),
            has_records: false,
            has_member: false,
        }
    }

    /// Whether a name may stand here; it is noted once its member is whole.
    fn check_name(&self, hash: u64, at: usize) -> Result<(), Stop> {
        if self.names.contains(&hash) {
            return Stop::bad(at, Problem::DuplicateKey);
        }
        if self.names.len() == ENVELOPE_MEMBERS_MAX {
            return Stop::bad(at, Problem::TooManyMembers { limit: ENVELOPE_MEMBERS_MAX });
        }
        Ok(())
    }
}

impl Json {
    pub fn new(records: &Records, plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        let envelope = match records {
            Records::Envelope { field, keep } | Records::Columns { rows: field, keep, .. } => {
                Some(Envelope::new(field, keep))
            }
            Records::Array | Records::Object => None,
        };
        let columnar = match records {
            Records::Columns { columns, .. } => Some(Columnar::new(columns)),
            Records::Array | Records::Object | Records::Envelope { .. } => None,
        };
        let is_object = matches!(records, Records::Object);
        let mut objects = Objects::new(plan, key, limits);
        if is_object {
            // Without its one record the text would be none.
            objects.outside = Outside::Abort;
        }
        Self { place: Place::Start, is_object, envelope, columnar, has_record: false, objects }
    }

    pub fn unit(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        match self.place {
            Place::Start => self.start(window, out, tally),
            Place::Records { is_first } => self.record(is_first, window, out, tally),
            Place::Members { is_first } => self.member(is_first, window, out, tally),
            Place::End => blanks_out(window, out, Problem::TrailingBytes),
        }
    }

    /// Whether the text is whole.
    pub fn finish(&self) -> Result<(), Problem> {
        match self.place {
            Place::End => Ok(()),
            Place::Start | Place::Records { .. } | Place::Members { .. } => Err(Problem::Truncated),
        }
    }

    fn start(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        let first = window.byte(0)?;
        match (first, self.is_object, &self.envelope) {
            (b' ' | b'\t' | b'\n' | b'\r', _, _) => blanks_out(window, out, Problem::Syntax),
            (0xEF, _, _) => Stop::bad(0, Problem::ByteOrderMark),
            (b'{', true, _) => {
                let end = self.objects.record(window, 0..0, out, tally)?;
                self.place = Place::End;
                Ok(end)
            }
            (b'{', false, Some(_)) => {
                out.push(first);
                self.place = Place::Members { is_first: true };
                Ok(1)
            }
            (b'[', false, None) => {
                out.push(first);
                self.place = Place::Records { is_first: true };
                Ok(1)
            }
            (b'[' | b'{' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _, _) => {
                Stop::bad(0, Problem::UnexpectedShape)
            }
            _ => Stop::bad(0, Problem::Syntax),
        }
    }

    fn record(
        &mut self,
        is_first: bool,
        window: Window<'_>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let Some((behind_comma, at)) = scan::element(window, 0, is_first, b']')? else {
            let end = scan::blanks(window, 0) + 1;
            out.extend_from_slice(&window.bytes[..end]);
            self.place =
                if self.envelope.is_some() { Place::Members { is_first: false } } else { Place::End };
            return Ok(end);
        };
        scan::expect(window, at, if self.columnar.is_some() { b'[' } else { b'{' })?;
        // The comma of a record before which none was let out stays behind.
        let from = if self.has_record { 0 } else { behind_comma };
        let end = match &self.columnar {
            None => self.objects.record(window, from..at, out, tally)?,
            Some(columnar) => columnar.row(&mut self.objects, window, from..at, out, tally)?,
        };
        self.has_record |= !self.objects.is_withheld;
        self.place = Place::Records { is_first: false };
        Ok(end)
    }

    /// A member of the envelope, or its end.
    fn member(
        &mut self,
        is_first: bool,
        window: Window<'_>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let Some(envelope) = &mut self.envelope else { return Stop::bad(0, Problem::UnexpectedShape) };
        let Some((behind_comma, at)) = scan::element(window, 0, is_first, b'}')? else {
            let at = scan::blanks(window, 0);
            if !envelope.has_records {
                return Stop::bad(at, Problem::RecordsMissing);
            }
            out.extend_from_slice(&window.bytes[..=at]);
            self.place = Place::End;
            return Ok(at + 1);
        };
        let Work { scanner, values, .. } = &mut self.objects.work;
        scanner.begin();
        let key = scanner.key(window, at)?;
        envelope.check_name(key.hash, at)?;
        let value_at = scan::colon(window, key.end)?;
        let name = scanner.name(window, key);
        // The comma of a member before which nothing was let out stays behind.
        let from = if envelope.has_member { 0 } else { behind_comma };
        if *envelope.records == *name {
            scan::expect(window, value_at, b'[')?;
            if self.columnar.as_ref().is_some_and(|columnar| !columnar.is_read()) {
                return Stop::bad(value_at, Problem::UnexpectedShape);
            }
            out.extend_from_slice(&window.bytes[from..=value_at]);
            envelope.names.push(key.hash);
            envelope.has_records = true;
            envelope.has_member = true;
            self.place = Place::Records { is_first: true };
            return Ok(value_at + 1);
        }
        if let Some(columnar) = self.columnar.as_mut().filter(|columnar| *columnar.name == *name) {
            out.extend_from_slice(&window.bytes[from..value_at]);
            let end = columnar.read(&mut self.objects, window, value_at, out, tally)?;
            envelope.names.push(key.hash);
            envelope.has_member = true;
            self.place = Place::Members { is_first: false };
            return Ok(end);
        }
        let is_kept = envelope.keep.iter().any(|kept| **kept == *name);
        let value = scanner.value(window, value_at)?;
        if is_kept && value.kind != Kind::Container {
            if values.keep(scanner, window, value, tally)? {
                out.extend_from_slice(&window.bytes[from..value.start]);
                out.extend_from_slice(&values.fresh);
            } else {
                out.extend_from_slice(&window.bytes[from..value.end]);
            }
            envelope.has_member = true;
        }
        envelope.names.push(key.hash);
        self.place = Place::Members { is_first: false };
        Ok(value.end)
    }
}

/// Blanks round the text leave as they came.
fn blanks_out(window: Window<'_>, out: &mut Vec<u8>, otherwise: Problem) -> Result<usize, Stop> {
    let end = scan::blanks(window, 0);
    if end == 0 {
        return Stop::bad(0, otherwise);
    }
    out.extend_from_slice(&window.bytes[..end]);
    Ok(end)
}
