//! Rows of cells with a header (RFC 4180, strictly): `nik,nama` LF `9901014512900003,"CONTOH, SITI"` LF.
//!
//! A unit is the header or a row, with its line end. Columns are found by the header's names. Nothing is
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
use super::rules::{self, Ease, Lookalikes, Rules};
use super::splice::Splice;
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
    /// How many columns from this one on have the same ease.
    pub alike: usize,
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
            self.marks.clear();
        }
        match &self.columns {
            None => self.header(window, out, tally),
            Some(columns) => {
                let (len_before, tally_before) = (out.len(), *tally);
                tally.rows_in += 1;
                let row = Row {
                    delimiter: self.delimiter,
                    formulas: self.formulas,
                    within: &self.within,
                    outside: self.outside,
                    rules: &self.rules,
                    is_lone: self.is_lone,
                };
                self.fields.begin();
                let memory =
                    Memory { cells: &mut self.cells, fields: &mut self.fields, marks: &mut self.marks };
                let end = row.write(columns, memory, window, out, tally)?;
                if self.cells.is_withheld {
                    out.truncate(len_before);
                    *tally = Tally::withheld(tally_before);
                    self.fields.begin();
                } else {
                    tally.rows_out += 1;
                }
                Ok(end)
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
            columns.push(Column {
                place,
                ease: Ease::of(place.map(|place| self.rules.at(place)), has_patterns),
                alike: 1,
            });
            match place.map(|place| self.rules.at(place)) {
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
        if !splice.has_let_out() {
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
        let leaves = |column: &&Column| column.place.is_some_and(|place| self.rules.at(place).leaves());
        for at in (1..columns.len()).rev() {
            if columns[at - 1].ease == columns[at].ease {
                columns[at - 1].alike += columns[at].alike;
            }
        }
        self.is_lone = columns.iter().filter(leaves).count() == 1 && self.cells.ganda.is_none();
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
    is_lone: bool,
}

pub(super) struct Memory<'a> {
    pub cells: &'a mut Cells,
    pub fields: &'a mut Fields,
    pub marks: &'a mut Marks,
}

/// A place in a row: a column, and where its cell begins.
pub(super) struct Place {
    pub at: usize,
    pub pos: usize,
}

impl Row<'_> {
    fn write(
        &self,
        columns: &[Column],
        mut memory: Memory<'_>,
        window: Window<'_>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let mut splice = Splice::new(window.bytes, 0, out);
        let mut place = Place { at: 0, pos: 0 };
        memory.marks.seek(window.at);
        memory.cells.is_withheld = false;
        if let Some(ganda) = &mut memory.cells.ganda {
            ganda.begin();
        }
        loop {
            if !self.is_lone {
                self.hurry(columns, &mut memory, window, &mut splice, &mut place, tally);
            }
            let Memory { cells, fields, marks } = &mut memory;
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
                    splice.leave_out(pos.saturating_sub(1), cell.end);
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
    /// Writes the end of a row whose last cell ends at `at`, and returns it.
    fn end(&self, cells: &Cells, mut splice: Splice<'_>, at: usize, line_end: usize) -> usize {
        if let Some(ganda) = &cells.ganda {
            splice.write_to(at);
            splice.append(&[self.delimiter]);
            splice.append(ganda.code().unwrap_or_default());
        }
        splice.write_to(at + line_end);
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
