//! Rows of cells with a header (RFC 4180, strictly): `nik,nama` LF `9901014512900003,"CONTOH, SITI"` LF.
//!
//! A unit is the header, or a row and those behind it, with their line ends. Columns are found by the header's names. Nothing is
//! guessed: a quote inside a bare cell, text behind a closing quote, a carriage return without its line feed,
//! a NUL, a row of another length than the header each end the pass.

use crate::domain::{CopyKey, Formulas, MaskPlan, Outside, Wilayah};

use super::Tally;
use super::cell::{Next, cell, write_cell};
use super::cells::Cells;
use super::error::{Problem, Stop};
use super::fields::Fields;
use super::ganda::Ganda;
use super::marks::Marks;
use super::mask::Order;
use super::rules::{self, Ease, Lookalikes, Rule, Rules};
use super::segments::{self, Segment};
use super::splice::{Splice, Written};
use super::stations::Stations;
use super::stream::Window;

pub(super) struct Csv {
    delimiter: u8,
    formulas: Formulas,
    within: Wilayah,
    outside: Outside,
    pub rules: Rules,
    pub fields: Fields,
    /// Set by the header.
    columns: Option<Vec<Column>>,
    segments: Vec<Segment>,
    /// Columns before the first of which anything leaves.
    leading: usize,
    /// Whether one column leaves alone, so that an empty cell would make an empty line.
    is_lone: bool,
    cells: Cells,
    marks: Marks,
}

/// A column by its name in the header.
pub(super) struct Column {
    /// The place of its rule.
    pub place: Option<usize>,
    pub ease: Ease,
    /// Whether anything leaves of it.
    pub leaves: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Csv {
    pub fn new(delimiter: u8, formulas: Formulas, plan: &MaskPlan, key: &CopyKey) -> Self {
        let quote = |text: &str| write_cell(text, delimiter, formulas);
        let rules = Rules::flat(plan, key, &quote);
        Self {
            delimiter,
            formulas,
            within: plan.row_area.within,
            outside: plan.row_area.outside,
            fields: Fields::new(&rules),
            rules,
            columns: None,
            segments: Vec::new(),
            leading: 0,
            is_lone: false,
            cells: Cells::new(delimiter, plan, key),
            marks: Marks::default(),
        }
    }

    pub fn stations(&mut self) -> &mut Stations {
        &mut self.cells.stations
    }

    pub fn unit(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        if !b",;|\t:#^~".contains(&self.delimiter) {
            return Stop::bad(0, Problem::Delimiter);
        }
        if window.at == 0 {
            self.marks.begin(0);
        }
        match &self.columns {
            None => self.header(window, out, tally),
            Some(columns) => {
                let row = Row {
                    delimiter: self.delimiter,
                    formulas: self.formulas,
                    within: &self.within,
                    outside: self.outside,
                    rules: &self.rules,
                    columns: columns.len(),
                    segments: &self.segments,
                    leading: self.leading,
                    is_lone: self.is_lone,
                };
                let memory =
                    Memory { cells: &mut self.cells, fields: &mut self.fields, marks: &mut self.marks };
                row.write_all(columns, memory, window, out, tally)
            }
        }
    }

    /// Whether the text is whole.
    pub fn finish(&self) -> Result<(), Problem> {
        if self.columns.is_some() { Ok(()) } else { Err(Problem::HeaderMissing) }
    }

    fn header(&mut self, window: Window<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<usize, Stop> {
        let mut pos = if window.bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if pos == window.bytes.len() && window.is_last {
            return Stop::bad(pos, Problem::HeaderMissing);
        }
        let mut lookalikes = Lookalikes::new(&self.rules);
        let mut columns = Vec::new();
        let mut names = Vec::new();
        let mut has_area = false;
        let mut splice = Splice::new(window.bytes, pos, out);
        let mut separator = pos;
        let end = loop {
            let cell = cell(window, pos, self.delimiter)?;
            let has_patterns = self.cells.sweeper.has_patterns();
            let name = self.cells.content(window, cell);
            let hash = rules::hash(name);
            names.push(hash);
            let place = self.rules.place(hash, name);
            let rule = place.map(|place| self.rules.at(place));
            columns.push(Column {
                place,
                ease: Ease::of(rule, has_patterns),
                leaves: rule.is_some_and(Rule::leaves),
            });
            match rule {
                Some(rule) => {
                    has_area |= rule.is_area;
                    if rule.leaves() {
                        splice.let_out(cell.start);
                        if let Some(renamed) = &rule.renamed {
                            splice.replace(cell.start, cell.end, renamed);
                        }
                    } else {
                        splice.leave_out(separator, cell.end);
                    }
                }
                None => {
                    tally.near_misses += u64::from(lookalikes.is_known(hash, name));
                    splice.leave_out(separator, cell.end);
                }
            }
            separator = cell.end;
            match cell.next {
                Next::Cell => pos = cell.end + 1,
                Next::Row(line_end) => break cell.end + line_end,
            }
        };
        if rules::has_twice(&mut names) {
            return Stop::bad(end, Problem::DuplicateKey);
        }
        if !splice.has_let_out {
            return Stop::bad(end, Problem::NoKnownColumn);
        }
        if !has_area {
            return Stop::bad(end, Problem::RowAreaMissing);
        }
        if self.cells.ganda.is_some() {
            splice.write_to(separator);
            splice.append(&[self.delimiter]);
            splice.append(Ganda::NAME);
        }
        splice.write_to(end);
        self.segments = Segment::all(&columns);
        self.leading = segments::leading(&columns);
        self.is_lone =
            columns.iter().filter(|column| column.leaves).count() == 1 && self.cells.ganda.is_none();
        self.columns = Some(columns);
        Ok(end)
    }
}

/// What is needed to write a row, apart from the memory for it.
pub(super) struct Row<'a> {
    pub delimiter: u8,
    formulas: Formulas,
    within: &'a Wilayah,
    outside: Outside,
    pub rules: &'a Rules,
    pub columns: usize,
    pub segments: &'a [Segment],
    pub leading: usize,
    is_lone: bool,
}

pub(super) struct Memory<'a> {
    pub cells: &'a mut Cells,
    pub fields: &'a mut Fields,
    pub marks: &'a mut Marks,
}

/// The row at hand is written.
#[inline]
pub(super) fn hand_on(cells: &mut Cells, fields: &mut Fields, tally: &mut Tally) {
    tally.rows_out += 1;
    fields.commit();
    cells.stations.commit(1);
}

/// A row, and what there was when it began.
pub(super) struct Begun {
    from: usize,
    written: Written,
    before: Tally,
}

impl Begun {
    /// The row that begins at `from` is counted as read.
    #[inline]
    pub fn at(from: usize, splice: &mut Splice<'_>, tally: &mut Tally) -> Self {
        let row = Self { from, written: splice.begin(), before: *tally };
        tally.rows_in += 1;
        row
    }
}

/// A place in a row: a column, and where its cell begins.
pub(super) struct Place {
    pub at: usize,
    pub pos: usize,
}

impl Place {
    /// Where the separator before it stands, if it has one.
    #[inline]
    pub fn separator(&self) -> usize {
        self.pos - usize::from(self.at > 0)
    }
}

impl Row<'_> {
    /// Writes the row the window begins with, and those behind it up to the first that is not whole or ends the pass:
    /// that one is looked at again, alone. Each is counted when it is written.
    fn write_all(
        &self,
        columns: &[Column],
        mut memory: Memory<'_>,
        window: Window<'_>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let mut splice = Splice::new(window.bytes, 0, out);
        memory.marks.seek(window.at);
        memory.fields.begin();
        let mut row = Begun::at(0, &mut splice, tally);
        let end = loop {
            match self.write(columns, &mut memory, window, &mut splice, &mut row, tally) {
                Ok(end) => {
                    if memory.cells.is_withheld {
                        splice.take_back(row.written);
                        splice.leave_out(row.from, end);
                        *tally = Tally::withheld(row.before);
                        memory.fields.begin();
                    } else {
                        hand_on(memory.cells, memory.fields, tally);
                    }
                    if end == window.bytes.len() {
                        break end;
                    }
                    memory.marks.seek(window.at + end);
                    row = Begun::at(end, &mut splice, tally);
                }
                Err(stop) if row.from == 0 => return Err(stop),
                Err(_) => {
                    splice.take_back(row.written);
                    *tally = row.before;
                    memory.fields.begin();
                    memory.marks.begin(window.at + row.from);
                    break row.from;
                }
            }
        };
        splice.write_to(end);
        Ok(end)
    }

    /// Writes the row that is begun, and perhaps some behind it, and returns the end of the last one; that one is not
    /// counted yet.
    fn write(
        &self,
        columns: &[Column],
        memory: &mut Memory<'_>,
        window: Window<'_>,
        splice: &mut Splice<'_>,
        row: &mut Begun,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let mut place = Place { at: 0, pos: row.from };
        memory.cells.is_withheld = false;
        if let Some(ganda) = &mut memory.cells.ganda {
            ganda.begin();
        }
        loop {
            if !self.is_lone && window.bytes.get(place.pos) != Some(&b'"') {
                self.hurry(memory, window, splice, (row, &mut place), tally);
            }
            let Memory { cells, fields, marks } = memory;
            let Place { at, pos } = place;
            if at == columns.len() {
                return Ok(self.end(cells, splice, pos - 1, 1));
            }
            let cell = cell(window, pos, self.delimiter)?;
            marks.seek(window.at + cell.end + 1);
            let place_of_rule = columns[at].place;
            let rule = place_of_rule.map(|place| self.rules.at(place));
            let is_area = rule.is_some_and(|rule| rule.is_area);
            if is_area && !cells.check_area(window, cell, self.within)? {
                if self.outside == Outside::Abort {
                    return Stop::bad(cell.start, Problem::RowOutsideArea);
                }
                cells.is_withheld = true;
            }
            let before = *tally;
            if rule.is_some_and(|rule| rule.is_ganda) {
                cells.see_ganda(window, cell, tally);
            }
            match rule.map(|rule| &rule.order) {
                Some(Order::Keep) => {
                    splice.let_out(cell.start);
                    if cells.keep(window, cell, self.formulas, tally)? {
                        splice.replace(cell.start, cell.end, &cells.fresh);
                    } else if self.is_lone && cell.start == cell.end {
                        splice.replace(cell.start, cell.end, b"\"\"");
                    }
                }
                Some(Order::Change(change)) => {
                    splice.let_out(cell.start);
                    cells.change(change, window, cell, tally);
                    place_of_rule.inspect(|place| fields.change(*place, 1));
                    if self.is_lone && cells.fresh.is_empty() {
                        cells.fresh.extend_from_slice(b"\"\"");
                    }
                    splice.replace(cell.start, cell.end, &cells.fresh);
                }
                // Nothing lies below a cell; the rules of CSV have no such order.
                Some(Order::Drop | Order::Below(_)) | None => {
                    splice.leave_out(place.separator(), cell.end);
                }
            }
            if let Some(place) = place_of_rule {
                fields.note(place, &before, tally);
            }
            place = Place { at: at + 1, pos: cell.end + 1 };
            match (cell.next, place.at == columns.len()) {
                (Next::Cell, false) => {}
                (Next::Row(line_end), true) => return Ok(self.end(cells, splice, cell.end, line_end)),
                (Next::Cell, true) | (Next::Row(_), false) => {
                    return Stop::bad(cell.end, Problem::RaggedRow);
                }
            }
        }
    }

    /// Writes what is added to a row whose last cell ends at `at`, and returns its end.
    #[inline]
    fn end(&self, cells: &Cells, splice: &mut Splice<'_>, at: usize, line_end: usize) -> usize {
        if let Some(ganda) = &cells.ganda {
            splice.write_to(at);
            splice.append(&[self.delimiter]);
            splice.append(ganda.code().unwrap_or_default());
        }
        at + line_end
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{csv, run_all_cuts, standard};
    use super::super::segments::HURRIED;
    use super::super::{Coding, Limits};

    #[test]
    fn a_row_among_long_ones_is_read_as_it_is_alone() {
        const HEAD: &str = "x,nkk,nik,nama,alamat,y,tanggal_lahir,kode\n";
        const LONG: &str =
            "1,9901010101010001,9901014512900003,SITI CONTOH,JL KENANGA 7,,1990-12-05,9901011001001\n";
        let plan = standard(csv());
        let cases = [
            ("as long", LONG, "990101**********,SITI CONTOH,1990,9901011001001\n"),
            ("short", "1,2,,A,B,C,,9901\n", ",A,,9901\n"),
            ("a quote", "1,\"2\",,\"A, \"\"B\"\"\",\"B\nC\",C,,\"9901\"\n", ",\"A, \"\"B\"\"\",,\"9901\"\n"),
            ("a formula", "1,2,,=A,B,C,,9901\n", ",'=A,,9901\n"),
            ("a number in a text", "1,2,,NO 9901014512900003,B,C,,9901\n", ",NO ****************,,9901\n"),
            ("another line end", "1,2,,A,B,C,,9901\r\n", ",A,,9901\r\n"),
            ("beyond ASCII", "1,2,,\u{e9}\u{20ac},B,C,,9901\n", ",\u{e9}\u{20ac},,9901\n"),
        ];
        let shown = "990101**********,SITI CONTOH,1990,9901011001001\n";
        for (name, row, expected) in cases {
            let before = HURRIED.get();
            let body = format!("{HEAD}{LONG}{LONG}{row}{LONG}{LONG}");
            let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
            let head = "nik,nama,tahun_lahir,kode\n";
            assert_eq!(found.output, format!("{head}{shown}{shown}{expected}{shown}{shown}"), "{name}");
            assert!(HURRIED.get() > before, "{name}: the fast way was never taken");
        }
        let stopped = [
            ("a cell less", "1,2,,A,B,C,9901\n", "ragged_row"),
            ("a row on two lines", "1,2,,A,B\nC,,9901\n", "ragged_row"),
            ("a cell more", "1,2,,A,B,C,,9901,\n", "ragged_row"),
            ("another area", "1,2,,A,B,C,,9902\n", "row_outside_area"),
            ("no area", "1,2,,A,B,C,,\n", "row_area_missing"),
            ("a quote in a cell", "1,2,,A\"B,B,C,,9901\n", "stray_quote"),
            ("a NUL", "1,2,,A\0B,B,C,,9901\n", "control_character"),
            ("half a line end", "1,2,,A,B,C\rD,,9901\n", "bare_carriage_return"),
        ];
        for (name, row, code) in stopped {
            let body = format!("{HEAD}{LONG}{LONG}{row}{LONG}{LONG}");
            let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!(found.verdict.err().map(|error| error.code()), Some(code), "{name}");
        }
    }
}
