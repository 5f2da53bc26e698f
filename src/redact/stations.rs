//! Of which polling stations (TPS) the records handed on are, by the code that names their area. Looked at only where
//! somebody asked for it; a code is looked at when it differs from that of the record before.

use crate::domain::Tps;

#[derive(Debug, Default)]
pub(super) struct Stations {
    is_on: bool,
    /// The record at hand is of this one; none: its code is not that of a TPS.
    current: Option<Tps>,
    /// Whether no record of `current` was handed on before.
    is_fresh: bool,
    found: Vec<Tps>,
    unread: u64,
}

impl Stations {
    pub fn start(&mut self) {
        self.is_on = true;
    }

    /// The record at hand, and those after it until another is seen, bear this code.
    pub fn see(&mut self, code: &[u8]) {
        if !self.is_on {
            return;
        }
        let seen = Tps::of_code(code);
        if seen != self.current {
            self.current = seen;
            self.is_fresh = true;
        }
    }

    /// So many records, all of the last code seen, are handed on.
    #[inline]
    pub fn commit(&mut self, rows: u64) {
        if self.is_on && rows > 0 {
            self.note(rows);
        }
    }

    fn note(&mut self, rows: u64) {
        match self.current {
            None => self.unread += rows,
            Some(code) if self.is_fresh => {
                self.found.push(code);
                self.is_fresh = false;
            }
            Some(_) => {}
        }
    }

    /// Those found since they were last taken, as they came, and the records without one.
    pub fn take(&mut self) -> (Vec<Tps>, u64) {
        (std::mem::take(&mut self.found), std::mem::take(&mut self.unread))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{array, csv, standard};
    use super::super::{Coding, Limits, Redacted, Redactor};
    use crate::domain::{CopyKey, Format, Outside, Tps};

    const ONE: &str = "9901011001001";
    const TWO: &str = "9901011001002";

    /// Rows of these codes, as the text of a JSON value or the bare cell.
    fn body(format: &Format, codes: &[&str]) -> String {
        let bare = |code: &str| code.trim_matches('"').replace("\\u0039", "9");
        match format {
            Format::Csv { .. } => {
                let rows: String = codes.iter().map(|code| format!("{},A\n", bare(code))).collect();
                format!("kode,nama\n{rows}")
            }
            Format::Ndjson => {
                codes.iter().map(|code| format!("{{\"nama\":\"A\",\"kode\":{code}}}\n")).collect()
            }
            _ => {
                let rows: Vec<_> = codes.iter().map(|code| format!("{{\"kode\":{code}}}")).collect();
                format!("[{}]", rows.join(","))
            }
        }
    }

    #[test]
    fn stations_are_those_of_the_rows_handed_on_wherever_the_body_is_cut() {
        let (one, two) = (format!("\"{ONE}\""), format!("\"{TWO}\""));
        let dotted = "\"99.01.01.1001.001\"";
        // As a number, with an escape, of no station, of another area.
        let (number, escaped, desa, outside) =
            (TWO, "\"\\u0039901011001001\"", "\"9901011001\"", "\"9902011001001\"");
        let cases: [(&[&str], &[&str], u64); 6] = [
            (&[&one, &one, &two, &one], &[ONE, TWO, ONE], 0),
            (&[dotted, &one, number, number], &[ONE, TWO], 0),
            (&[&one, number, &one], &[ONE, TWO, ONE], 0),
            (&[desa, desa, &one, escaped, desa], &[ONE], 3),
            (&[&one, outside, outside, &one], &[ONE], 0),
            (&[outside], &[], 0),
        ];
        for format in [array(), Format::Ndjson, csv()] {
            for (at, (codes, expected, unread)) in cases.iter().enumerate() {
                let text = body(&format, codes);
                for cut in 0..=text.len() {
                    let mut plan = standard(format.clone());
                    plan.row_area.outside = Outside::Withhold;
                    let key = CopyKey::new([7; 32]);
                    let mut redactor = Redactor::new(&plan, Coding::Identity, &key, Limits::default());
                    redactor.note_stations();
                    let (mut out, (head, tail)) = (Redacted::new(), text.split_at(cut));
                    redactor.push(head.as_bytes(), &mut out).unwrap();
                    let (mut found, mut without) = redactor.take_stations();
                    redactor.push(tail.as_bytes(), &mut out).unwrap();
                    redactor.finish(&mut out).unwrap();
                    let (more, further) = redactor.take_stations();
                    found.extend(more);
                    without += further;
                    let found: Vec<_> = found.iter().map(Tps::as_str).collect();
                    assert_eq!(
                        (&found[..], without),
                        (*expected, *unread),
                        "{format:?}, case {at}, cut at {cut}"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_is_noted_unasked_and_a_row_that_ends_the_pass_is_not() {
        let text = format!("kode,nama\n{ONE},A\n{TWO},A,\n");
        for (asked, expected) in [(false, 0), (true, 1)] {
            let mut redactor =
                Redactor::new(&standard(csv()), Coding::Identity, &CopyKey::new([7; 32]), Limits::default());
            if asked {
                redactor.note_stations();
            }
            assert!(redactor.push(text.as_bytes(), &mut Redacted::new()).is_err());
            assert_eq!(redactor.take_stations().0.len(), expected);
        }
    }
}
