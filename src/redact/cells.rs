//! What CSV cells become: changed by a rule, swept, guarded against being read as formulas; and what they say of
//! the row they stand in.

use crate::domain::{CopyKey, Formulas, MaskPlan, Wilayah};

use super::cell::{Cell, begins_formula, write_cell};
use super::error::{Problem, Stop};
use super::ganda::Ganda;
use super::lanes::Accepted;
use super::mask::{Change, Seen, Shown};
use super::stations::Stations;
use super::stream::Window;
use super::sweep::Sweeper;
use super::{Tally, sweep};

/// Whether a cell without quotes can be neither a long number nor a formula: most are short and begin with a
/// letter or a digit.
#[inline]
pub(super) fn is_plain(written: &[u8]) -> bool {
    written.len() < sweep::RUN_DIGITS && written.first().is_none_or(u8::is_ascii_alphanumeric)
}

/// What cells become, and the memory that takes.
#[derive(Default)]
pub(super) struct Cells {
    /// The new cell as it stands in the copy, after a change.
    pub fresh: Vec<u8>,
    /// The last code found inside the area.
    pub accepted: Accepted,
    plain: Vec<u8>,
    pub ganda: Option<Ganda>,
    pub sweeper: Sweeper,
    pub stations: Stations,
    delimiter: u8,
    /// Whether the row lies outside the area and is to be withheld.
    pub is_withheld: bool,
}

impl Cells {
    pub fn new(delimiter: u8, plan: &MaskPlan, key: &CopyKey) -> Self {
        Self { delimiter, ganda: Ganda::new(plan, key), sweeper: Sweeper::new(plan), ..Self::default() }
    }

    pub fn see_ganda(&mut self, window: Window<'_>, cell: Cell, tally: &mut Tally) {
        if let Some(mut ganda) = self.ganda.take() {
            ganda.see(Seen::Text(self.content(window, cell)), tally);
            self.ganda = Some(ganda);
        }
    }

    /// Whether the row's code lies inside the area.
    pub fn check_area(&mut self, window: Window<'_>, cell: Cell, within: &Wilayah) -> Result<bool, Stop> {
        let mut stations = std::mem::take(&mut self.stations);
        let code = self.content(window, cell);
        let is_inside = within.contains_code(code);
        let accepted = is_inside.then(|| {
            stations.see(code);
            Accepted::new(code)
        });
        let is_empty = code.is_empty();
        self.stations = stations;
        match accepted {
            _ if is_empty => Stop::bad(cell.start, Problem::RowAreaMissing),
            None => Ok(false),
            Some(accepted) => {
                self.accepted = accepted;
                Ok(true)
            }
        }
    }

    pub fn change(&mut self, change: &Change, window: Window<'_>, cell: Cell, tally: &mut Tally) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        let content = self.content(window, cell);
        match change.show(Seen::Text(content), &mut [0; 16], tally) {
            Shown::Nothing => {}
            Shown::Text(text) | Shown::Written(text) => fresh.extend_from_slice(text),
        }
        self.fresh = fresh;
    }

    /// Looks through a cell that is kept. `false`: it leaves as it came; `true`: as `fresh` has it.
    ///
    /// Doubled quotes need not be undone for the sweep: a quote parts numbers either way.
    #[inline]
    pub fn keep(
        &mut self,
        window: Window<'_>,
        cell: Cell,
        formulas: Formulas,
        tally: &mut Tally,
    ) -> Result<bool, Stop> {
        let written = &window.bytes[cell.start..cell.end];
        if self.sweeper.has_patterns() {
            return self.look_for_patterns(window, cell, formulas, tally);
        }
        if is_plain(written) {
            return Ok(false);
        }
        self.look(written, cell, formulas, tally)
    }

    pub fn look(
        &mut self,
        written: &[u8],
        cell: Cell,
        formulas: Formulas,
        tally: &mut Tally,
    ) -> Result<bool, Stop> {
        let content = &written[usize::from(cell.is_quoted)..];
        let is_formula = formulas != Formulas::Keep && begins_formula(content);
        if is_formula && formulas == Formulas::Abort {
            return Stop::bad(cell.start, Problem::FormulaCell);
        }
        if !is_formula && !sweep::may_hold(written) {
            return Ok(false);
        }
        let Ok(text) = std::str::from_utf8(written) else {
            return Stop::bad(cell.start, Problem::InvalidUtf8);
        };
        self.fresh.clear();
        // Patterns, if there are any, have found nothing, and could find something in the quotes round the content.
        let runs = sweep::cover(text, &mut self.fresh);
        if runs > 0 && self.sweeper.aborts() {
            return Stop::bad(cell.start, Problem::SweepFound);
        }
        tally.swept += runs;
        if is_formula {
            if runs == 0 {
                self.fresh.extend_from_slice(written);
            }
            self.fresh.insert(usize::from(cell.is_quoted), b'\'');
        }
        Ok(is_formula || runs > 0)
    }

    /// Patterns are looked for in what the cell says; a cell that has one is written anew.
    pub fn look_for_patterns(
        &mut self,
        window: Window<'_>,
        cell: Cell,
        formulas: Formulas,
        tally: &mut Tally,
    ) -> Result<bool, Stop> {
        let sweeper = std::mem::take(&mut self.sweeper);
        let mut swept = Vec::new();
        let text = std::str::from_utf8(self.content(window, cell)).ok();
        let found = text.map(|text| sweeper.cover(text, &mut swept));
        // Put back before anything ends here: a row is read again after an error.
        self.sweeper = sweeper;
        let Some(found) = found else { return Stop::bad(cell.start, Problem::InvalidUtf8) };
        if found > 0 && self.sweeper.aborts() {
            return Stop::bad(cell.start, Problem::SweepFound);
        }
        if found == 0 {
            return self.look(&window.bytes[cell.start..cell.end], cell, formulas, tally);
        }
        if formulas == Formulas::Abort && begins_formula(&swept) {
            return Stop::bad(cell.start, Problem::FormulaCell);
        }
        tally.swept += found;
        self.fresh = write_cell(&String::from_utf8_lossy(&swept), self.delimiter, formulas);
        Ok(true)
    }

    /// What the cell says, quotes undone.
    pub fn content<'a>(&'a mut self, window: Window<'a>, cell: Cell) -> &'a [u8] {
        if !cell.is_quoted {
            return &window.bytes[cell.start..cell.end];
        }
        let inner = &window.bytes[cell.start + 1..cell.end - 1];
        if !cell.is_escaped {
            return inner;
        }
        self.plain.clear();
        let mut is_second = false;
        for &byte in inner {
            is_second = byte == b'"' && !is_second;
            if !is_second {
                self.plain.push(byte);
            }
        }
        &self.plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_cells_that_begin_with_a_letter_or_a_digit_need_no_second_look() {
        for cell in ["", "SITI", "9", "990101451290000"] {
            assert!(is_plain(cell.as_bytes()), "{cell}");
        }
        for cell in ["9901014512900003", "=1", "\"SITI\"", "\u{ff1d}1", " 1"] {
            assert!(!is_plain(cell.as_bytes()), "{cell}");
        }
    }
}
