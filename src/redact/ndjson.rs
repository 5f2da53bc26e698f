//! One JSON object a line: `{..}` LF `{..}` LF. A unit is a line with its end.

use memchr::memchr;

use crate::domain::{CopyKey, MaskPlan};

use super::error::{Problem, Stop};
use super::object::Objects;
use super::scan;
use super::stream::Window;
use super::{Limits, Tally};

pub(super) struct Ndjson {
    pub objects: Objects,
    is_begun: bool,
}

impl Ndjson {
    pub fn new(plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        Self { objects: Objects::new(plan, key, limits), is_begun: false }
    }

    pub fn unit(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        let line_end = memchr(b'\n', window.bytes).map(|at| at + 1);
        if line_end.is_none() && !window.is_last {
            return Err(Stop::More);
        }
        let end = line_end.unwrap_or(window.bytes.len());
        let (len_before, tally_before) = (out.len(), *tally);
        let mut read = self.line(window, end, out, tally);
        if read.is_err() && line_end.is_some() {
            // A value may have been found wrong that goes on in the next line, which has no say in this one: so
            // this one is read again alone.
            out.truncate(len_before);
            *tally = tally_before;
            read = self.line(Window { bytes: &window.bytes[..end], ..window }, end, out, tally);
        }
        match (read, line_end) {
            (Ok(()), _) => {
                self.is_begun = true;
                Ok(end)
            }
            // An object does not go on in the next line.
            (Err(Stop::More), Some(_)) => Stop::bad(end, Problem::Syntax),
            (Err(stop), _) => Err(stop),
        }
    }

    /// Takes the line that ends before `line_end`. The object is looked at with what follows it, since many
    /// bytes are looked at together.
    fn line(
        &mut self,
        window: Window<'_>,
        line_end: usize,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let line = Window { bytes: &window.bytes[..line_end], ..window };
        let start = scan::blanks(line, 0);
        match line.bytes.get(start) {
            None => return Ok(()), // a blank line stays behind
            Some(b'{') => {}
            Some(0xEF) if !self.is_begun && start == 0 => return Stop::bad(0, Problem::ByteOrderMark),
            Some(_) => return Stop::bad(start, Problem::UnexpectedShape),
        }
        let len_before = out.len();
        out.extend_from_slice(&line.bytes[..start]);
        let end = self.objects.record(window, start, out, tally)?;
        if end > line_end {
            return Stop::bad(line_end, Problem::Syntax);
        }
        let rest = scan::blanks(line, end);
        if rest < line.bytes.len() {
            return Stop::bad(rest, Problem::TrailingBytes);
        }
        if self.objects.is_withheld {
            out.truncate(len_before);
        } else {
            out.extend_from_slice(&line.bytes[end..]);
        }
        Ok(())
    }
}
