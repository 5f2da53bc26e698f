//! One JSON object a line: `{..}` LF `{..}` LF. A unit is a line with its end.

use memchr::memchr;

use crate::domain::{CopyKey, MaskPlan};

use super::error::{Problem, Stop};
use super::object::Objects;
use super::scan;
use super::splice;
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
        if let Some(end) = self.record(window, out, tally) {
            return Ok(end);
        }
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

    /// Takes a line that is nothing but a record, without a look for its end first. Where anything is wrong, or
    /// may be, nothing is done.
    fn record(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Option<usize> {
        if window.bytes.first() != Some(&b'{') {
            return None;
        }
        let (len_before, tally_before) = (out.len(), *tally);
        let end = self.objects.record(window, 0..0, out, tally).ok();
        // What was known holds no line feed: the first one in a record ends the pass.
        let is_line = |end: &usize| {
            window.bytes.get(*end) == Some(&b'\n')
                && (self.objects.was_known || memchr(b'\n', &window.bytes[..*end]).is_none())
        };
        let end = end.filter(is_line);
        if end.is_none() {
            out.truncate(len_before);
            *tally = tally_before;
        } else if !self.objects.is_withheld {
            out.push(b'\n');
        }
        #[cfg(test)]
        AT_ONCE.set(AT_ONCE.get() + u64::from(end.is_some() && self.objects.was_known));
        self.is_begun |= end.is_some();
        end.map(|end| end + 1)
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
        let end = self.objects.record(window, 0..start, out, tally)?;
        if end > line_end {
            return Stop::bad(line_end, Problem::Syntax);
        }
        let rest = scan::blanks(line, end);
        if rest < line.bytes.len() {
            return Stop::bad(rest, Problem::TrailingBytes);
        }
        if !self.objects.is_withheld {
            splice::copy(window.bytes, end..line_end, out);
        }
        Ok(())
    }
}

#[cfg(test)]
std::thread_local! {
    /// How often a line was taken without a look for its end by this thread.
    static AT_ONCE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::super::harness::{run_all_cuts, standard};
    use super::super::{Coding, Limits};
    use super::*;
    use crate::domain::Format;

    #[test]
    fn a_record_among_known_lines_is_read_as_it_is_alone() {
        const KNOWN: &str = "{\"kode\":\"9901\",\"nama\":\"SITI\",\"alamat\":\"KENANGA\",\"x\":\"1\"}";
        const SHOWN: &str = "{\"kode\":\"9901\",\"nama\":\"SITI\"}\n";
        let lines = |line: &str, times: usize| format!("{line}\n").repeat(times);
        let cases = [
            ("the same", KNOWN.to_owned(), Ok(SHOWN)),
            ("blanks behind it", format!("{KNOWN} "), Ok("{\"kode\":\"9901\",\"nama\":\"SITI\"} \n")),
            (
                "blanks before its end",
                KNOWN.replace('}', " }"),
                Ok("{\"kode\":\"9901\",\"nama\":\"SITI\" }\n"),
            ),
            ("a line feed before its end", KNOWN.replace('}', "\n}"), Err("syntax")),
            ("a line feed before the first member", KNOWN.replace('{', "{\n"), Err("syntax")),
            ("a line feed before a comma", KNOWN.replace(",\"x", "\n,\"x"), Err("syntax")),
            ("a line feed before a value", KNOWN.replace("x\":", "x\":\n"), Err("syntax")),
            ("two records", KNOWN.repeat(2), Err("trailing_bytes")),
            ("another area", KNOWN.replace("9901", "9902"), Err("row_outside_area")),
        ];
        for (name, line, shown) in cases {
            let before = AT_ONCE.get();
            let body = lines(KNOWN, 8) + &lines(&line, 1) + &lines(KNOWN, 4);
            let found =
                run_all_cuts(&standard(Format::Ndjson), Coding::Identity, Limits::default(), body.as_bytes());
            match shown {
                Ok(shown) => assert_eq!(found.output, SHOWN.repeat(8) + shown + &SHOWN.repeat(4), "{name}"),
                Err(code) => {
                    assert_eq!(found.verdict.map_err(|error| error.code()), Err(code), "{name}");
                    assert_eq!(found.output, SHOWN.repeat(8), "{name}");
                }
            }
            assert!(AT_ONCE.get() > before, "{name}: no line was taken at once");
        }
    }
}
