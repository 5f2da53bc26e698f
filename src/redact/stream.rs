//! Between the pieces of a body and the machine of its format: cuts windows, holds the tail, undoes what an
//! unfinished unit wrote, and turns places in a window into places in the text.
//!
//! A unit is tried on a window that begins with it and is at most `record_bytes_max` long. So a limit, an
//! error and a count are found at the same place however the body was cut.

use std::cell::Cell;

use memchr::{memchr, memrchr};

use crate::domain::{CopyKey, Format, MaskPlan};

use super::csv::Csv;
use super::error::{Problem, RedactError, Stop};
use super::fields::{FieldTally, Fields};
use super::json::Json;
use super::ndjson::Ndjson;
use super::rules::Rules;
use super::seq::{self, Seq};
use super::stations::Stations;
use super::{Limits, Tally};

/// What a machine may look at for one unit.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub bytes: &'a [u8],
    /// Of the text in which the window lies, and where in it.
    pub utf8: &'a Utf8<'a>,
    pub at: usize,
    /// Whether the text ends where the window ends.
    pub is_last: bool,
}

impl Window<'_> {
    pub fn byte(&self, at: usize) -> Result<u8, Stop> {
        self.bytes.get(at).copied().ok_or(Stop::More)
    }

    /// Bytes from the start that are UTF-8; those behind are not, or are not whole.
    pub fn utf8_to(&self) -> usize {
        self.utf8.to().saturating_sub(self.at)
    }

    pub fn check_utf8(&self, end: usize) -> Result<(), Stop> {
        if end <= self.utf8_to() { Ok(()) } else { Stop::bad(end - 1, Problem::InvalidUtf8) }
    }
}

/// How far a text is UTF-8. Told when it is first asked: what was found to be ASCII on the way needs no second look.
pub(super) struct Utf8<'a> {
    text: &'a [u8],
    to: Cell<Option<usize>>,
}

impl<'a> Utf8<'a> {
    pub fn of(text: &'a [u8]) -> Self {
        Self { text, to: Cell::new(None) }
    }

    /// All of the text, of which a window may show less.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    #[inline]
    fn to(&self) -> usize {
        self.to.get().unwrap_or_else(|| self.look())
    }

    #[inline(never)]
    fn look(&self) -> usize {
        let to = std::str::from_utf8(self.text).map_or_else(|error| error.valid_up_to(), str::len);
        self.to.set(Some(to));
        to
    }
}

enum Machine {
    Json(Json),
    Ndjson(Ndjson),
    Seq(Seq),
    Csv(Csv),
}

impl Machine {
    /// Takes the unit the window begins with and returns its length. What it wrote and counted before it
    /// stopped is undone by the caller.
    fn unit(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        match self {
            Self::Json(json) => json.unit(window, out, tally),
            Self::Ndjson(ndjson) => ndjson.unit(window, out, tally),
            Self::Seq(seq) => seq.unit(window, out, tally),
            Self::Csv(csv) => csv.unit(window, out, tally),
        }
    }

    /// The byte without which no unit becomes whole; others only end sooner than they are noticed.
    fn end_mark(&self) -> u8 {
        match self {
            Self::Json(_) => b'}',
            Self::Ndjson(_) | Self::Csv(_) => b'\n',
            Self::Seq(_) => seq::SEPARATOR,
        }
    }

    /// The unit just taken, of so many records, is handed on.
    fn commit(&mut self, rows: u64) {
        match self {
            Self::Json(json) => json.objects.work.commit(rows),
            Self::Ndjson(ndjson) => ndjson.objects.work.commit(rows),
            Self::Seq(seq) => seq.objects.work.commit(rows),
            // It is done row by row there.
            Self::Csv(_) => {}
        }
    }

    fn fields(&self) -> (&Rules, &Fields) {
        match self {
            Self::Json(json) => (&json.objects.rules, &json.objects.work.fields),
            Self::Ndjson(ndjson) => (&ndjson.objects.rules, &ndjson.objects.work.fields),
            Self::Seq(seq) => (&seq.objects.rules, &seq.objects.work.fields),
            Self::Csv(csv) => (&csv.rules, &csv.fields),
        }
    }

    fn stations(&mut self) -> &mut Stations {
        match self {
            Self::Json(json) => &mut json.objects.work.values.stations,
            Self::Ndjson(ndjson) => &mut ndjson.objects.work.values.stations,
            Self::Seq(seq) => &mut seq.objects.work.values.stations,
            Self::Csv(csv) => csv.stations(),
        }
    }

    /// Whether the text may end where all units taken so far end.
    fn finish(&self) -> Result<(), Problem> {
        match self {
            Self::Json(json) => json.finish(),
            Self::Ndjson(_) | Self::Seq(_) => Ok(()),
            Self::Csv(csv) => csv.finish(),
        }
    }
}

/// Tries of one held unit before it has to grow by an eighth for the next.
const EAGER_TRIES: u32 = 16;

pub(super) struct Stream {
    machine: Machine,
    record_bytes_max: usize,
    bytes_max: u64,
    /// The beginning of a unit that is not whole yet; never longer than `record_bytes_max`.
    held: Vec<u8>,
    tries: u32,
    tried_len: usize,
    tally: Tally,
    /// Bytes of the text taken in whole units.
    taken: u64,
}

impl Stream {
    pub fn new(plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        let machine = match &plan.format {
            Format::Json(records) => Machine::Json(Json::new(records, plan, key, limits)),
            Format::Ndjson => Machine::Ndjson(Ndjson::new(plan, key, limits)),
            Format::JsonSeq => Machine::Seq(Seq::new(plan, key, limits)),
            Format::Csv { delimiter, formulas } => Machine::Csv(Csv::new(*delimiter, *formulas, plan, key)),
        };
        Self {
            machine,
            record_bytes_max: limits.record_bytes_max.max(1),
            bytes_max: limits.decoded_bytes_max,
            held: Vec::new(),
            tries: 0,
            tried_len: 0,
            tally: Tally::default(),
            taken: 0,
        }
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    pub fn stations(&mut self) -> &mut Stations {
        self.machine.stations()
    }

    pub fn fields(&self) -> Vec<(String, FieldTally)> {
        let (rules, fields) = self.machine.fields();
        let paths = rules.paths().into_iter().enumerate();
        paths.map(|(place, path)| (path.to_owned(), fields.at(place))).collect()
    }

    /// Ends the pass for a problem outside the text, behind all of it so far; but what the text itself holds
    /// against it comes first, however late it would have been noticed.
    pub fn stop(&mut self, problem: Problem, out: &mut Vec<u8>) -> RedactError {
        match self.settle(out) {
            Err(error) => error,
            Ok(()) => self.error_at(self.held.len(), problem),
        }
    }

    pub fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        let room = self.bytes_max.saturating_sub(self.taken + self.held.len() as u64);
        match usize::try_from(room) {
            Ok(room) if room < data.len() => {
                self.take(&data[..room], out)?;
                Err(self.stop(Problem::BodyTooLong { limit_bytes: self.bytes_max }, out))
            }
            Ok(_) | Err(_) => self.take(data, out),
        }
    }

    fn take(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        while !self.held.is_empty() && !data.is_empty() {
            let room = self.record_bytes_max - self.held.len();
            let mark = memchr(self.machine.end_mark(), data).map_or(data.len(), |at| at + 1);
            let is_marked = mark <= room && data[mark - 1] == self.machine.end_mark();
            let (head, tail) = data.split_at(mark.min(room));
            self.held.extend_from_slice(head);
            data = tail;
            if self.held.len() == self.record_bytes_max || (is_marked && self.is_due()) {
                self.try_held(out)?;
            }
        }
        // A unit that is begun behind the last mark is not tried before there is more of it.
        let marked = memrchr(self.machine.end_mark(), data).map_or(0, |at| at + 1);
        let mut taken = self.take_units(&data[..marked], false, out)?;
        if data.len() - taken >= self.record_bytes_max {
            taken += self.take_units(&data[taken..], false, out)?;
        }
        self.hold(&data[taken..]);
        Ok(())
    }

    /// Judges what is held, so that nothing is left that could be known by now.
    pub fn settle(&mut self, out: &mut Vec<u8>) -> Result<(), RedactError> {
        if self.held.is_empty() { Ok(()) } else { self.try_held(out) }
    }

    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), RedactError> {
        let held = std::mem::take(&mut self.held);
        let taken = self.take_units(&held, true, out)?;
        if taken < held.len() {
            return Err(self.error_at(held.len() - taken, Problem::Truncated));
        }
        self.machine.finish().map_err(|problem| self.error_at(0, problem))
    }

    fn is_due(&self) -> bool {
        self.tries < EAGER_TRIES || self.held.len() >= self.tried_len + self.tried_len / 8
    }

    fn try_held(&mut self, out: &mut Vec<u8>) -> Result<(), RedactError> {
        let mut held = std::mem::take(&mut self.held);
        let taken = self.take_units(&held, false, out)?;
        if taken == 0 {
            self.tries += 1;
            self.tried_len = held.len();
        } else {
            held.drain(..taken);
            self.tries = 0;
        }
        self.held = held;
        Ok(())
    }

    fn hold(&mut self, tail: &[u8]) {
        self.held.extend_from_slice(tail);
        self.tries = 0;
    }

    /// Takes all whole units `text` begins with and returns their length. What is left over is the beginning
    /// of a unit and shorter than `record_bytes_max`.
    fn take_units(&mut self, text: &[u8], ends: bool, out: &mut Vec<u8>) -> Result<usize, RedactError> {
        let utf8 = Utf8::of(text);
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let bytes = &rest[..rest.len().min(self.record_bytes_max)];
            let window = Window { bytes, utf8: &utf8, at, is_last: ends && bytes.len() == rest.len() };
            let (len_before, tally_before) = (out.len(), self.tally);
            match self.machine.unit(window, out, &mut self.tally) {
                Ok(len) => {
                    self.machine.commit(self.tally.rows_out - tally_before.rows_out);
                    at += len;
                    self.taken += len as u64;
                }
                Err(Stop::More) => {
                    out.truncate(len_before);
                    self.tally = tally_before;
                    if bytes.len() < self.record_bytes_max {
                        return Ok(at);
                    }
                    let problem = Problem::RecordTooLong { limit_bytes: self.record_bytes_max };
                    return Err(self.error_at(bytes.len(), problem));
                }
                Err(Stop::Bad { at: place, problem }) => {
                    out.truncate(len_before);
                    // The record that ends the pass is counted as read; nothing else it did is.
                    self.tally = Tally { rows_in: self.tally.rows_in, ..tally_before };
                    return Err(self.error_at(place, problem));
                }
            }
        }
        Ok(at)
    }

    fn error_at(&self, place: usize, problem: Problem) -> RedactError {
        RedactError::Stopped { records: self.tally.rows_out, offset: self.taken + place as u64, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{array, csv, standard};
    use super::*;

    const LIMITS: Limits =
        Limits { record_bytes_max: 16 * 1024, depth_max: 64, ratio_max: 200, decoded_bytes_max: u64::MAX };

    fn stream(format: Format) -> Stream {
        Stream::new(&standard(format), &CopyKey::new([7; 32]), LIMITS)
    }

    #[test]
    fn memory_stays_flat_however_long_the_body() {
        let row = format!("{{\"kode\":\"9901\",\"x\":\"{}\"}}", "}\\n".repeat(2000));
        let cases = [
            (array(), "[", format!("{row},")),
            (Format::Ndjson, "", format!("{row}\n")),
            (csv(), "kode,x\n", format!("9901,\"{}\"\n", "\n".repeat(6000))),
        ];
        for (format, head, row) in cases {
            let name = format.as_str();
            let mut stream = stream(format);
            let mut out = Vec::new();
            stream.push(head.as_bytes(), &mut out).unwrap();
            let body = row.repeat(200);
            for size in [1000, 4096, 7777, 16_384, 50_000] {
                for piece in body.as_bytes().chunks(size) {
                    stream.push(piece, &mut out).unwrap();
                    out.clear();
                    assert!(stream.held.len() <= LIMITS.record_bytes_max, "{name}");
                }
            }
            // A vector that grows by doubling may be twice as large as what it held.
            assert!(stream.held.capacity() <= 2 * LIMITS.record_bytes_max, "{name}");
            stream.settle(&mut out).unwrap();
            assert_eq!(stream.tally.rows_out, 5 * 200, "{name}");
        }
    }

    #[test]
    fn a_long_record_in_small_pieces_is_not_tried_at_every_end_mark() {
        let mut stream = stream(array());
        let mut out = Vec::new();
        let body = format!("[{{\"kode\":\"9901\",\"x\":[{}{{}}]", "{},".repeat(5000));
        for byte in body.as_bytes() {
            stream.push(&[*byte], &mut out).unwrap();
        }
        assert!(stream.tries < 100, "{} tries", stream.tries);
        stream.push(b"}", &mut out).unwrap();
        stream.push(b"]", &mut out).unwrap();
        stream.finish(&mut out).unwrap();
        assert_eq!(out, b"[{\"kode\":\"9901\"}]");
    }
}
