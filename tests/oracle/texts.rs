//! A whole body by the orders of a plan: where its records stand, unit by unit, and what becomes of the text round
//! them.
//!
//! This is the slow second opinion. It is written from `docs/redaction.md`, holds the whole body, and shares no code
//! with the redactor but the types of the plan.

use std::collections::BTreeMap;

use salinan::domain::{FieldName, Format, MaskPlan, Outside, Records as Shape};
use salinan::redact::{FieldTally, Limits, Tally};

use super::json::{Fault, Kind, Reader};
use super::orders::Counts;
use super::records::{Records, Unit};
use super::{columns, sequence, tables};

/// What must become of a body.
#[derive(Debug)]
pub struct Copy {
    pub output: String,
    /// Why it is refused: the redactor names one of these. None of them: it is accepted.
    pub codes: Vec<&'static str>,
    /// Of all units before the one that ended the pass.
    pub tally: Tally,
    /// By path, where there was anything to be counted.
    pub fields: BTreeMap<String, FieldTally>,
    /// Whether the pass ended in a record or row, which is counted as read.
    pub ends_in_row: bool,
    /// The code which says that its end was never seen, and then it was not read.
    pub short: Option<&'static str>,
}

/// Without the fields of which nothing was counted.
pub fn counted(fields: impl IntoIterator<Item = (String, FieldTally)>) -> BTreeMap<String, FieldTally> {
    fields.into_iter().filter(|(_, of)| *of != FieldTally::default()).collect()
}

/// The copy that the plan orders of a body.
pub fn copy(plan: &MaskPlan, limits: Limits, body: &[u8]) -> Copy {
    let pass = Pass { plan, limits, body, at: 0, out: String::new(), counts: Counts::default() };
    match &plan.format {
        Format::Json(Shape::Array) => array(pass),
        Format::Json(Shape::Object) => object(pass),
        Format::Json(Shape::Envelope { field, keep }) => envelope(pass, field, keep),
        Format::Json(Shape::Columns { columns, rows, keep }) => columns::copy(pass, columns, rows, keep),
        Format::Ndjson => lines(pass),
        Format::JsonSeq => sequence::copy(pass),
        Format::Csv { delimiter, formulas } => tables::copy(plan, *delimiter, *formulas, pass),
    }
}

/// What was taken so far.
pub struct Pass<'a> {
    pub plan: &'a MaskPlan,
    pub limits: Limits,
    pub body: &'a [u8],
    pub at: usize,
    pub out: String,
    pub counts: Counts,
}

/// The copy of a text whose end was met, with the pass that goes on where there is none.
pub type Step<'a> = Result<Pass<'a>, Copy>;

impl<'a> Pass<'a> {
    /// What one unit may be made of.
    pub fn window(&self) -> &'a [u8] {
        let rest = &self.body[self.at..];
        &rest[..rest.len().min(self.limits.record_bytes_max)]
    }

    /// Whether the text is seen to end where the window does.
    pub fn is_last(&self) -> bool {
        self.body.len() - self.at < self.limits.record_bytes_max
    }

    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.window(), self.limits.depth_max.min(64))
    }

    /// Takes a unit, unless something speaks against it.
    pub fn commit(&mut self, unit: &Unit, len: usize) -> Option<Copy> {
        if !unit.faults.is_empty() {
            return Some(self.stop_in(unit));
        }
        self.at += len;
        self.out.push_str(&unit.text);
        self.counts.add(&unit.counts);
        None
    }

    /// [`Pass::commit`] of a unit that a reader was led through.
    pub fn read(&mut self, mut unit: Unit, result: Result<(), Fault>, len: usize) -> Option<Copy> {
        match result {
            Ok(()) => self.commit(&unit, len),
            Err(Fault::Short) => Some(self.stop_short(unit)),
            Err(Fault::Bad(code)) => {
                unit.fault(code);
                Some(self.stop_in(&unit))
            }
        }
    }

    pub fn stop_short(&mut self, mut unit: Unit) -> Copy {
        let is_whole = self.window().len() < self.limits.record_bytes_max;
        let code = if is_whole { "truncated" } else { "record_too_long" };
        unit.fault(code);
        Copy { short: Some(code), ..self.stop_in(&unit) }
    }

    fn stop_in(&mut self, unit: &Unit) -> Copy {
        let ends_in_row = unit.is_row;
        Copy { ends_in_row, ..self.stop(&unit.faults) }
    }

    pub fn stop(&mut self, codes: &[&'static str]) -> Copy {
        Copy {
            output: std::mem::take(&mut self.out),
            codes: codes.to_vec(),
            tally: self.counts.tally,
            fields: counted(self.counts.fields.clone()),
            ends_in_row: false,
            short: None,
        }
    }

    pub fn whole(mut self) -> Copy {
        self.stop(&[])
    }

    /// The blanks before and behind a text leave as they came, and do not count for the limit.
    fn blanks(&mut self) {
        while let Some(&byte) = self.body.get(self.at).filter(|byte| b" \t\n\r".contains(byte)) {
            self.out.push(char::from(byte));
            self.at += 1;
        }
    }

    /// Takes the bracket that the text begins with.
    pub fn open(mut self, bracket: u8) -> Step<'a> {
        self.blanks();
        match self.body.get(self.at) {
            None => Err(self.stop(&["truncated"])),
            Some(&byte) if byte == bracket => Ok(self),
            Some(0xEF) => Err(self.stop(&["byte_order_mark"])),
            Some(&byte) => Err(self.stop(&[unexpected(byte)])),
        }
    }

    /// Only blanks may follow.
    pub fn close(mut self) -> Copy {
        self.blanks();
        if self.at == self.body.len() { self.whole() } else { self.stop(&["trailing_bytes"]) }
    }

    pub fn take_bracket(&mut self) {
        self.out.push(char::from(self.body[self.at]));
        self.at += 1;
    }
}

/// What speaks against a byte where a value of another kind should begin.
pub fn unexpected(byte: u8) -> &'static str {
    if b"[{\"-0123456789tfn".contains(&byte) { "unexpected_shape" } else { "syntax" }
}

fn object(pass: Pass<'_>) -> Copy {
    let mut pass = match pass.open(b'{') {
        Ok(pass) => pass,
        Err(copy) => return copy,
    };
    let records = Records { outside: Outside::Abort, ..Records::new(pass.plan) };
    let (mut reader, mut unit) = (pass.reader(), Unit::default());
    let result = records.record(&mut reader, &mut unit);
    pass.read(unit, result, reader.at).unwrap_or_else(|| pass.close())
}

fn array(pass: Pass<'_>) -> Copy {
    let step = pass.open(b'[').and_then(|mut pass| {
        pass.take_bracket();
        let records = Records::new(pass.plan);
        elements(pass, b'{', |reader, unit| records.record(reader, unit))
    });
    step.map_or_else(|copy| copy, Pass::close)
}

/// The elements of an array behind its bracket, each of which begins with `begin`, and the array's end.
pub fn elements(
    mut pass: Pass<'_>,
    begin: u8,
    element: impl Fn(&mut Reader<'_>, &mut Unit) -> Result<(), Fault>,
) -> Step<'_> {
    let (mut is_first, mut is_any_out) = (true, false);
    loop {
        let (mut reader, mut unit) = (pass.reader(), Unit::default());
        let mut is_end = false;
        let result = reader.gap(is_first, b']').and_then(|gap| match gap {
            Ok(_) if reader.peek()? != begin => Err(Fault::Bad(unexpected(reader.peek()?))),
            Ok(gap) => {
                if is_first || is_any_out {
                    unit.text = [gap.before, gap.comma].concat();
                }
                unit.text.push_str(gap.behind);
                element(&mut reader, &mut unit)
            }
            Err(tail) => {
                is_end = true;
                reader.at += 1;
                unit.text = format!("{tail}]");
                Ok(())
            }
        });
        is_first = false;
        is_any_out |= !is_end && !unit.is_outside;
        if let Some(copy) = pass.read(unit, result, reader.at) {
            return Err(copy);
        }
        if is_end {
            return Ok(pass);
        }
    }
}

/// Names that may stand round the records.
const MEMBERS_MAX: usize = 1024;

/// What a member of the object round the records is.
pub enum Place<'a> {
    /// The array of records, whose bracket the pass is behind.
    Records(Pass<'a>),
    Other(Pass<'a>),
    End(Pass<'a>),
}

/// The members round the records, one after the other.
pub struct Around<'a> {
    pub records: &'a str,
    pub keep: &'a [FieldName],
    pub names: Vec<String>,
    pub is_any_out: bool,
    /// Whether what the records need was read.
    pub is_ready: bool,
}

impl<'a> Around<'a> {
    pub fn new(records: &'a FieldName, keep: &'a [FieldName]) -> Self {
        Self { records: records.as_str(), keep, names: Vec::new(), is_any_out: false, is_ready: true }
    }

    pub fn member(
        &mut self,
        mut pass: Pass<'a>,
        own: &mut dyn FnMut(&str, &mut Reader<'a>, &mut Unit) -> Result<Option<String>, Fault>,
    ) -> Result<Place<'a>, Copy> {
        let records = Records::new(pass.plan);
        let (mut reader, mut unit) = (pass.reader(), Unit::default());
        let (mut is_end, mut is_records, mut leaves) = (false, false, false);
        let is_first = self.names.is_empty();
        let result = reader.gap(is_first, b'}').and_then(|gap| {
            let gap = match gap {
                Ok(gap) => gap,
                Err(_) if !self.names.iter().any(|name| name == self.records) => {
                    return Err(Fault::Bad("records_missing"));
                }
                Err(tail) => {
                    is_end = true;
                    reader.at += 1;
                    unit.text = format!("{tail}}}");
                    return Ok(());
                }
            };
            let (key, name) = reader.name()?;
            if self.names.contains(&name) {
                return Err(Fault::Bad("duplicate_key"));
            }
            if self.names.len() == MEMBERS_MAX {
                return Err(Fault::Bad("too_many_members"));
            }
            let colon = reader.colon()?;
            is_records = name == self.records;
            let shown = if is_records {
                let byte = reader.peek()?;
                if byte != b'[' {
                    return Err(Fault::Bad(unexpected(byte)));
                }
                if !self.is_ready {
                    return Err(Fault::Bad("unexpected_shape"));
                }
                reader.at += 1;
                Some("[".to_owned())
            } else if let Some(text) = own(&name, &mut reader, &mut unit)? {
                Some(text)
            } else {
                let value = reader.value(1)?;
                let is_scalar = !matches!(value.kind, Kind::Array(..) | Kind::Object(..));
                let is_kept = is_scalar && self.keep.iter().any(|kept| kept.as_str() == name);
                is_kept.then(|| records.kept(None, &value, &mut unit))
            };
            leaves = shown.is_some();
            if let Some(shown) = shown {
                if is_first || self.is_any_out {
                    unit.text.push_str(&[gap.before, gap.comma].concat());
                }
                unit.text.extend([gap.behind, key, colon, &shown]);
            }
            self.names.push(name);
            Ok(())
        });
        if let Some(copy) = pass.read(unit, result, reader.at) {
            return Err(copy);
        }
        self.is_any_out |= leaves;
        Ok(if is_end {
            Place::End(pass)
        } else if is_records {
            Place::Records(pass)
        } else {
            Place::Other(pass)
        })
    }
}

fn envelope<'a>(pass: Pass<'a>, field: &'a FieldName, keep: &'a [FieldName]) -> Copy {
    let records = Records::new(pass.plan);
    let mut around = Around::new(field, keep);
    let mut step = pass.open(b'{').map(|mut pass| {
        pass.take_bracket();
        pass
    });
    loop {
        let place = step.and_then(|pass| around.member(pass, &mut |_, _, _| Ok(None)));
        step = match place {
            Ok(Place::Records(pass)) => elements(pass, b'{', |reader, unit| records.record(reader, unit)),
            Ok(Place::Other(pass)) => Ok(pass),
            Ok(Place::End(pass)) => return pass.close(),
            Err(copy) => return copy,
        };
    }
}

fn lines(mut pass: Pass<'_>) -> Copy {
    let records = Records::new(pass.plan);
    while pass.at < pass.body.len() {
        let window = pass.window();
        let line_end = window.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        if line_end.is_none() && !pass.is_last() {
            return pass.stop_short(Unit::default());
        }
        let mut reader =
            Reader::new(&window[..line_end.unwrap_or(window.len())], pass.limits.depth_max.min(64));
        let mut unit = Unit::default();
        let begin = reader.blanks();
        let result = match reader.peek() {
            Err(_) => Ok(()), // a blank line stays behind
            Ok(b'{') => {
                unit.text.push_str(begin);
                records.record(&mut reader, &mut unit).and_then(|()| {
                    let end = reader.blanks();
                    if !unit.is_outside {
                        unit.text.push_str(end);
                    }
                    if reader.is_at_end() { Ok(()) } else { Err(Fault::Bad("trailing_bytes")) }
                })
            }
            Ok(0xEF) if pass.at == 0 && begin.is_empty() => Err(Fault::Bad("byte_order_mark")),
            Ok(_) => Err(Fault::Bad("unexpected_shape")),
        };
        // An object does not go on in the next line.
        let result = match result {
            Err(Fault::Short) if line_end.is_some() => Err(Fault::Bad("syntax")),
            other => other,
        };
        if let Some(copy) = pass.read(unit, result, reader.at) {
            return copy;
        }
    }
    pass.whole()
}
