//! One JSON record: the members that rules name leave, the others stay behind.
//!
//! Names are compared decoded and leave as they were written, unless the rule gives another. The row's area is
//! checked on the way; a row without one, or outside, ends the pass.

use std::ops::Range;

use crate::domain::{CopyKey, MaskPlan, Outside, Wilayah};

use super::error::{Problem, Stop};
use super::ganda::Ganda;
use super::guess::{Guesses, Meaning};
use super::nested::Work;
use super::rules::{Ease, Rules};
use super::scan::{self, Value};
use super::splice::Splice;
use super::stream::Window;
use super::{Limits, Tally};

pub(super) struct Objects {
    pub rules: Rules,
    pub work: Work,
    within: Wilayah,
    pub outside: Outside,
    /// Whether the last record lies outside the area and was not written.
    pub is_withheld: bool,
    ganda: Option<Ganda>,
    pub guesses: Guesses,
    /// Whether the last record was known gap by gap, with plain texts between them.
    pub was_known: bool,
}

impl Objects {
    pub fn new(plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        let quote = |text: &str| {
            let mut quoted = Vec::new();
            scan::write_string(text.as_bytes(), &mut quoted);
            quoted
        };
        let rules = Rules::new(plan, key, &quote);
        Self {
            work: Work::new(&rules, plan, limits),
            rules,
            within: plan.row_area.within,
            outside: plan.row_area.outside,
            is_withheld: false,
            ganda: Ganda::new(plan, key),
            guesses: Guesses::default(),
            was_known: false,
        }
    }

    /// A new record, or a row, begins.
    pub fn begin(&mut self, tally: &mut Tally) {
        tally.rows_in += 1;
        self.is_withheld = false;
        self.work.begin();
        if let Some(ganda) = &mut self.ganda {
            ganda.begin();
        }
    }

    /// What a value says of the row it stands in: where that belongs, and the code of its number. Returns whether
    /// it is the row's area.
    pub fn look(
        &mut self,
        place: Option<usize>,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
    ) -> Result<bool, Stop> {
        let Some(rule) = place.map(|place| self.rules.at(place)) else { return Ok(false) };
        if rule.is_area && !self.work.values.check_area(window, value, &self.within)? {
            if self.outside == Outside::Abort {
                return Stop::bad(value.start, Problem::RowOutsideArea);
            }
            self.is_withheld = true;
        }
        if let Some(ganda) = self.ganda.as_mut().filter(|_| rule.is_ganda) {
            let before = *tally;
            ganda.see(self.work.values.see(window, value), tally);
            self.work.fields.note(rule.place, &before, tally);
        }
        Ok(rule.is_area)
    }

    /// Ends a record or row that was read to its end: it is counted as handed on, or taken back and counted as
    /// withheld.
    pub fn end(&mut self, out: &mut Vec<u8>, len_before: usize, tally: &mut Tally, before: Tally) {
        if self.is_withheld {
            out.truncate(len_before);
            *tally = Tally::withheld(before);
            self.work.fields.begin();
        } else {
            tally.rows_out += 1;
        }
    }

    /// The added code as a JSON value, where the plan adds a column.
    pub fn code(&self) -> Option<Code<'_>> {
        self.ganda.as_ref().map(|ganda| Code(ganda.code()))
    }

    /// Writes the record whose `{` is at `at`, with what stands before it from `from` on, unless it is withheld, and
    /// returns its end.
    pub fn record(
        &mut self,
        window: Window<'_>,
        Range { start: from, end: at }: Range<usize>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let (len_before, tally_before) = (out.len(), *tally);
        self.begin(tally);
        self.guesses.begin();
        let mut splice = Splice::new(window.bytes, from, out);
        let mut has_area = false;
        let first = at + 1;
        self.was_known = false;
        // Where the member's text begins, its comma included.
        let mut member = first;
        let mut was_known = true;
        let end = loop {
            let is_known = self.hurry(window, first, &mut member, &mut splice, (&mut has_area, tally));
            let meaning = if is_known {
                let meaning = *self.guesses.meaning();
                self.guesses.take();
                meaning
            } else {
                match self.read_gap(window, member, member == first)? {
                    Some(meaning) => meaning,
                    None => break scan::blanks(window, member),
                }
            };
            was_known = false;
            tally.near_misses += u64::from(meaning.is_near);
            let value = self.work.scanner.value(window, member + meaning.value_at)?;
            has_area |= self.look(meaning.rule, window, value, tally)?;
            match meaning.rule.map(|place| self.rules.at(place)).filter(|rule| rule.leaves()) {
                Some(rule) => {
                    splice.let_out(member + meaning.behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(member + meaning.key_start + 1, member + meaning.key_end - 1, renamed);
                    }
                    self.work.carry_out(rule, window, value, &mut splice, tally)?;
                }
                None => splice.leave_out(member, value.end),
            }
            member = value.end;
        };
        // Names recognised differ from one another; where others were read, all are compared.
        if self.work.scanner.has_names() {
            self.work.scanner.note(self.guesses.seen());
            self.work.scanner.end_object(0, end)?;
        }
        if !has_area {
            return Stop::bad(end, Problem::RowAreaMissing);
        }
        if let Some(code) = self.code() {
            splice.write_to(end);
            splice.append(if splice.has_let_out { b",\"" } else { b"\"" });
            splice.append(Ganda::NAME);
            splice.append(b"\":");
            code.write(&mut splice);
        }
        splice.write_to(end + 1);
        self.was_known = was_known && end == member;
        self.end(out, len_before, tally, tally_before);
        Ok(end + 1)
    }

    /// Reads the gap at `from` in full, up to the value behind it, and remembers it; `None` when the record
    /// ends there.
    fn read_gap(&mut self, window: Window<'_>, from: usize, is_first: bool) -> Result<Option<Meaning>, Stop> {
        let mut pos = scan::blanks(window, from);
        let mut behind_comma = from;
        match window.byte(pos)? {
            b'}' => return Ok(None),
            b',' if !is_first => {
                behind_comma = pos + 1;
                pos = scan::blanks(window, behind_comma);
            }
            _ if is_first => {}
            _ => return Stop::bad(pos, Problem::Syntax),
        }
        let key = self.work.scanner.key(window, pos)?;
        let value_at = scan::colon(window, key.end)?;
        let Work { scanner, lookalikes, .. } = &mut self.work;
        let name = scanner.name(window, key);
        let rule = self.rules.place(key.hash, name);
        let is_near = rule.is_none() && lookalikes.is_known(key.hash, name);
        let own = rule.map(|place| self.rules.at(place));
        let ease = if is_near { Ease::None } else { Ease::of(own, self.work.values.sweeper.has_patterns()) };
        let meaning = Meaning {
            behind_comma: behind_comma - from,
            key_start: key.start - from,
            key_end: key.end - from,
            value_at: value_at - from,
            hash: key.hash,
            rule,
            is_near,
            ease,
        };
        if let Some(value) = window.bytes.get(value_at) {
            self.guesses.learn(&window.bytes[from..value_at], *value, is_first, meaning);
        }
        Ok(Some(meaning))
    }
}

/// The code of a row as a JSON value.
pub(super) struct Code<'a>(Option<&'a [u8]>);

impl Code<'_> {
    pub fn write(&self, splice: &mut Splice<'_>) {
        match self.0 {
            Some(code) => {
                splice.append(b"\"");
                splice.append(code);
                splice.append(b"\"");
            }
            None => splice.append(b"null"),
        }
    }
}
