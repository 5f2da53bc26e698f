//! One JSON record: the members that rules name leave, the others stay behind.
//!
//! Names are compared decoded and leave as they were written, unless the rule gives another. The row's area is
//! checked on the way; a row without one, or outside, ends the pass.

use crate::domain::{CopyKey, MaskPlan, Wilayah};

use super::error::{Problem, Stop};
use super::mask::{Change, Order, Seen, Shown};
use super::rules::{Lookalikes, Rules};
use super::scan::{self, Kind, Scanner, Value};
use super::splice::Splice;
use super::stream::Window;
use super::{Limits, Tally, sweep};

pub(super) struct Objects {
    rules: Rules,
    lookalikes: Lookalikes,
    within: Wilayah,
    pub scanner: Scanner,
    pub values: Values,
}

impl Objects {
    pub fn new(plan: &MaskPlan, key: &CopyKey, limits: Limits) -> Self {
        let quote = |text: &str| {
            let mut quoted = Vec::new();
            scan::write_string(text, &mut quoted);
            quoted
        };
        let rules = Rules::new(plan, key, &quote);
        Self {
            lookalikes: Lookalikes::new(rules.names()),
            rules,
            within: plan.row_area.within,
            scanner: Scanner::new(limits.depth_max),
            values: Values::default(),
        }
    }

    /// Writes the record whose `{` is at `at` and returns its end.
    pub fn record(
        &mut self,
        window: Window<'_>,
        at: usize,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        tally.rows_in += 1;
        self.scanner.begin();
        let mut splice = Splice::new(window.bytes, at, out);
        let mut has_area = false;
        // Where the member's text begins, its comma included; and where it begins without.
        let (mut member, mut behind_comma) = (at + 1, at + 1);
        let mut pos = scan::blanks(window, member);
        let mut is_open = window.byte(pos)? != b'}';
        while is_open {
            let key = self.scanner.key(window, pos)?;
            let value_at = scan::colon(window, key.end)?;
            let rule = self.rules.find(key.hash, self.scanner.name(window, key));
            if rule.is_none() && self.lookalikes.is_known(key.hash, self.scanner.name(window, key)) {
                tally.near_misses += 1;
            }
            let value = self.scanner.value(window, value_at)?;
            if rule.is_some_and(|rule| rule.is_area) {
                self.values.check_area(window, value, &self.within)?;
                has_area = true;
            }
            match rule.map(|rule| (rule, &rule.order)) {
                Some((rule, Order::Keep)) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(key.start + 1, key.end - 1, renamed);
                    }
                    if self.values.keep(window, value, tally)? {
                        splice.replace(value.start, value.end, &self.values.fresh);
                    }
                }
                Some((rule, Order::Change(change))) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(key.start + 1, key.end - 1, renamed);
                    }
                    self.values.change(change, window, value, tally);
                    splice.replace(value.start, value.end, &self.values.fresh);
                }
                Some((_, Order::Drop)) | None => splice.leave_out(member, value.end),
            }
            member = value.end;
            pos = scan::blanks(window, member);
            match window.byte(pos)? {
                b',' => {
                    behind_comma = pos + 1;
                    pos = scan::blanks(window, behind_comma);
                }
                b'}' => is_open = false,
                _ => return Stop::bad(pos, Problem::Syntax),
            }
        }
        self.scanner.end_object(0, pos)?;
        if !has_area {
            return Stop::bad(pos, Problem::RowAreaMissing);
        }
        splice.write_to(pos + 1);
        tally.rows_out += 1;
        Ok(pos + 1)
    }
}

/// What values become, and the memory that takes.
#[derive(Default)]
pub(super) struct Values {
    /// The new value as JSON, after a change.
    pub fresh: Vec<u8>,
    plain: Vec<u8>,
    swept: Vec<u8>,
}

impl Values {
    fn check_area(&mut self, window: Window<'_>, value: Value, within: &Wilayah) -> Result<(), Stop> {
        let is_inside = match self.see(window, value) {
            Seen::Text(code) => within.contains_code(code),
            Seen::Number(code) => code.iter().all(u8::is_ascii_digit) && within.contains_code(code),
            Seen::Null | Seen::Bool(_) | Seen::Container => {
                return Stop::bad(value.start, Problem::RowAreaMissing);
            }
        };
        if is_inside { Ok(()) } else { Stop::bad(value.start, Problem::RowOutsideArea) }
    }

    fn change(&mut self, change: &Change, window: Window<'_>, value: Value, tally: &mut Tally) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        match change.show(self.see(window, value), &mut [0; 16], tally) {
            Shown::Nothing => fresh.extend_from_slice(b"null"),
            Shown::Written(text) => fresh.extend_from_slice(text),
            Shown::Text(text) => {
                fresh.push(b'"');
                fresh.extend_from_slice(text);
                fresh.push(b'"');
            }
        }
        self.fresh = fresh;
    }

    /// Looks through a value that is kept. `false`: it leaves as it came; `true`: as `fresh` has it.
    pub fn keep(&mut self, window: Window<'_>, value: Value, tally: &mut Tally) -> Result<bool, Stop> {
        let is_escaped = match value.kind {
            Kind::Bool | Kind::Null => return Ok(false),
            Kind::Container => {
                tally.unreadable += 1;
                self.fresh.clear();
                self.fresh.extend_from_slice(b"null");
                return Ok(true);
            }
            Kind::Number => false,
            Kind::Text { is_escaped } => is_escaped,
        };
        // Escapes may stand for digits, so the cheap look is not for them.
        if !is_escaped && !sweep::may_hold(&window.bytes[value.start..value.end]) {
            return Ok(false);
        }
        self.swept.clear();
        let mut swept = std::mem::take(&mut self.swept);
        let runs = match self.see(window, value) {
            Seen::Text(text) | Seen::Number(text) => {
                let Ok(text) = std::str::from_utf8(text) else {
                    return Stop::bad(value.start, Problem::InvalidUtf8);
                };
                sweep::cover(text, &mut swept)
            }
            Seen::Null | Seen::Bool(_) | Seen::Container => 0,
        };
        if runs > 0 {
            tally.swept += runs;
            self.fresh.clear();
            scan::write_string(&String::from_utf8_lossy(&swept), &mut self.fresh);
        }
        self.swept = swept;
        Ok(runs > 0)
    }

    fn see<'a>(&'a mut self, window: Window<'a>, value: Value) -> Seen<'a> {
        let literal = &window.bytes[value.start..value.end];
        match value.kind {
            Kind::Null => Seen::Null,
            Kind::Bool => Seen::Bool(literal),
            Kind::Number => Seen::Number(literal),
            Kind::Container => Seen::Container,
            Kind::Text { is_escaped } => {
                let inner = &literal[1..literal.len() - 1];
                if is_escaped {
                    self.plain.clear();
                    scan::decode(inner, &mut self.plain);
                    Seen::Text(&self.plain)
                } else {
                    Seen::Text(inner)
                }
            }
        }
    }
}
