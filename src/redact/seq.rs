//! JSON text sequences (RFC 7464): RS `{..}` LF RS `{..}` LF, where RS is the byte 0x1E. A unit is one text with
//! the separator before it and the blanks behind it, of which one at least is a line feed: without it the RFC takes
//! a text for cut off.

use crate::domain::{CopyKey, MaskPlan};

use super::error::{Problem, Stop};
use super::object::Objects;
use super::scan;
use super::stream::Window;
use super::{Limits, Tally};

pub(super) const SEPARATOR: u8 = 0x1E;

pub(super) struct Seq {
    pub objects: Objects,
}

impl Seq {
    pub fn new(plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        Self { objects: Objects::new(plan, key, limits) }
    }

    pub fn unit(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        match window.byte(0)? {
            SEPARATOR => {}
            0xEF => return Stop::bad(0, Problem::ByteOrderMark),
            _ => return Stop::bad(0, Problem::Syntax),
        }
        let at = scan::blanks(window, 1);
        scan::expect(window, at, b'{')?;
        let end = self.objects.record(window, 0..at, out, tally)?;
        let next = scan::blanks(window, end);
        let has_line_feed = window.bytes[end..next].contains(&b'\n');
        match window.bytes.get(next) {
            None if !window.is_last => return Err(Stop::More),
            None if !has_line_feed => return Stop::bad(next, Problem::Truncated),
            Some(&SEPARATOR) if !has_line_feed => return Stop::bad(next, Problem::Syntax),
            None | Some(&SEPARATOR) => {}
            Some(_) => return Stop::bad(next, Problem::TrailingBytes),
        }
        if !self.objects.is_withheld {
            out.extend_from_slice(&window.bytes[end..next]);
        }
        Ok(next)
    }
}
