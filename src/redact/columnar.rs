//! Answers that name their columns once: `{"columns": ["nik", "nama"], "rows": [["9901..", "SITI"]], "total": 1}`.
//!
//! The columns are one unit, and so is each row with the comma before it. Columns are found by their names, and a
//! row has a value for each of them; so the names must stand before the rows.

use std::ops::Range;

use crate::domain::FieldName;

use super::Tally;
use super::error::{Problem, Stop};
use super::ganda::Ganda;
use super::object::Objects;
use super::rules;
use super::scan;
use super::splice::Splice;
use super::stream::Window;

pub(super) struct Columnar {
    /// The member that holds the names.
    pub name: Box<[u8]>,
    /// By column the place of its rule; set once they are read.
    columns: Option<Vec<Option<usize>>>,
}

impl Columnar {
    pub fn new(name: &FieldName) -> Self {
        Self { name: name.as_str().as_bytes().into(), columns: None }
    }

    pub fn is_read(&self) -> bool {
        self.columns.is_some()
    }

    /// Reads the names in the array at `at`, writes those of the columns that leave, and returns its end.
    pub fn read(
        &mut self,
        objects: &mut Objects,
        window: Window<'_>,
        at: usize,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        scan::expect(window, at, b'[')?;
        let mut splice = Splice::new(window.bytes, at, out);
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        let mut has_area = false;
        let first = at + 1;
        let mut element = first;
        while let Some((behind_comma, at)) = scan::element(window, element, element == first, b']')? {
            scan::expect(window, at, b'"')?;
            let scanner = &mut objects.work.scanner;
            let key = scanner.read_key(window, at)?;
            let name = scanner.name(window, key);
            let place = objects.rules.place(key.hash, name);
            if place.is_none() {
                tally.near_misses += u64::from(objects.work.lookalikes.is_known(key.hash, name));
            }
            let rule = place.map(|place| objects.rules.at(place));
            has_area |= rule.is_some_and(|rule| rule.is_area);
            match rule.filter(|rule| rule.leaves()) {
                Some(rule) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(key.start + 1, key.end - 1, renamed);
                    }
                }
                None => splice.leave_out(element, key.end),
            }
            names.push(key.hash);
            columns.push(place);
            element = key.end;
        }
        let end = scan::blanks(window, element);
        if rules::has_twice(&mut names) {
            return Stop::bad(end, Problem::DuplicateKey);
        }
        if !splice.has_let_out {
            return Stop::bad(end, Problem::NoKnownColumn);
        }
        if !has_area {
            return Stop::bad(end, Problem::RowAreaMissing);
        }
        splice.write_to(end);
        if objects.code().is_some() {
            splice.append(b",\"");
            splice.append(Ganda::NAME);
            splice.append(b"\"");
        }
        splice.write_to(end + 1);
        self.columns = Some(columns);
        Ok(end + 1)
    }

    /// Writes the row whose `[` is at `at`, with what stands before it from `from` on, unless it is withheld, and returns
    /// its end.
    pub fn row(
        &self,
        objects: &mut Objects,
        window: Window<'_>,
        Range { start: from, end: at }: Range<usize>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let (len_before, tally_before) = (out.len(), *tally);
        objects.begin(tally);
        let mut splice = Splice::new(window.bytes, from, out);
        let mut columns = self.columns.iter().flatten();
        let first = at + 1;
        let mut element = first;
        while let Some((behind_comma, at)) = scan::element(window, element, element == first, b']')? {
            // Blanks behind the comma may not be there yet.
            let Some(&place) = columns.next() else { return Stop::bad(behind_comma, Problem::RaggedRow) };
            let value = objects.work.scanner.value(window, at)?;
            objects.look(place, window, value, tally)?;
            match place.map(|place| objects.rules.at(place)).filter(|rule| rule.leaves()) {
                Some(rule) => {
                    splice.let_out(behind_comma);
                    objects.work.carry_out(rule, window, value, &mut splice, tally)?;
                }
                None => splice.leave_out(element, value.end),
            }
            element = value.end;
        }
        let end = scan::blanks(window, element);
        if columns.next().is_some() {
            return Stop::bad(end, Problem::RaggedRow);
        }
        splice.write_to(end);
        if let Some(code) = objects.code() {
            splice.append(b",");
            code.write(&mut splice);
        }
        splice.write_to(end + 1);
        objects.end(out, len_before, tally, tally_before);
        Ok(end + 1)
    }
}
