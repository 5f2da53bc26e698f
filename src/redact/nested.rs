//! Carries out the order of a rule on a JSON value, whatever lies below it: `"alamat.kelurahan" = "keep"`,
//! `"anggota[].nik" = "drop"`.
//!
//! The value was read to its end before, so its grammar is known to be sound; what is found out here is whether it
//! is built as the paths of the plan say. Of an object on a path only the members that rules name leave.

use crate::domain::MaskPlan;

use super::error::{Problem, Stop};
use super::fields::Fields;
use super::mask::Order;
use super::rules::{Below, Lookalikes, Rule, Rules};
use super::scan::{self, Kind, Scanner, Value};
use super::splice::Splice;
use super::stream::Window;
use super::values::Values;
use super::{Limits, Tally};

/// What it takes to carry out orders, apart from the rules.
pub(super) struct Work {
    pub scanner: Scanner,
    pub values: Values,
    pub fields: Fields,
    pub lookalikes: Lookalikes,
}

impl Work {
    pub fn new(rules: &Rules, plan: &MaskPlan, limits: Limits) -> Self {
        Self {
            scanner: Scanner::new(limits.depth_max),
            values: Values::new(plan),
            fields: Fields::new(rules),
            lookalikes: Lookalikes::new(rules),
        }
    }

    /// A new record begins.
    pub fn begin(&mut self) {
        self.scanner.begin();
        self.fields.begin();
    }

    /// What was read, so many records, is handed on.
    #[inline]
    pub fn commit(&mut self, rows: u64) {
        self.fields.commit();
        self.values.stations.commit(rows);
    }

    /// Writes what stands in a value's place. One that stays behind is not for this: its name stays too.
    pub fn carry_out(
        &mut self,
        rule: &Rule,
        window: Window<'_>,
        value: Value,
        splice: &mut Splice<'_>,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let before = *tally;
        match &rule.order {
            Order::Keep => {
                if self.values.keep(&mut self.scanner, window, value, tally)? {
                    splice.replace(value.start, value.end, &self.values.fresh);
                }
            }
            Order::Change(change) => {
                let changed = self.values.change(change, &mut self.scanner, window, value, tally)?;
                self.fields.change(rule.place, changed);
                splice.replace(value.start, value.end, &self.values.fresh);
            }
            Order::Below(below) => {
                // Each field below has counts of its own.
                return splice
                    .replace_by(value.start, value.end, |out| self.below(below, window, value, out, tally));
            }
            Order::Drop => {}
        }
        self.fields.note(rule.place, &before, tally);
        Ok(())
    }

    fn below(
        &mut self,
        below: &Below,
        window: Window<'_>,
        value: Value,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        match (value.kind, window.bytes[value.start], below.is_list) {
            (Kind::Null, _, _) => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            (Kind::Container, b'{', false) => self.object(&below.rules, window, value, out, tally),
            (Kind::Container, b'[', true) => self.list(&below.rules, window, value, out, tally),
            _ => Stop::bad(value.start, Problem::UnexpectedShape),
        }
    }

    /// The objects of an array, and nulls among them.
    fn list(
        &mut self,
        rules: &Rules,
        window: Window<'_>,
        list: Value,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let (mut at, mut written) = (list.start + 1, list.start);
        while at < list.end {
            if let b',' | b']' | b' ' | b'\t' | b'\n' | b'\r' = window.bytes[at] {
                at += 1;
                continue;
            }
            let element = self.scanner.value(window, at)?;
            match (element.kind, window.bytes[at]) {
                (Kind::Null, _) => {}
                (Kind::Container, b'{') => {
                    out.extend_from_slice(&window.bytes[written..at]);
                    self.object(rules, window, element, out, tally)?;
                    written = element.end;
                }
                _ => return Stop::bad(at, Problem::UnexpectedShape),
            }
            at = element.end;
        }
        out.extend_from_slice(&window.bytes[written..list.end]);
        Ok(())
    }

    fn object(
        &mut self,
        rules: &Rules,
        window: Window<'_>,
        object: Value,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let mut splice = Splice::new(window.bytes, object.start, out);
        // Where the member's text begins, its comma included.
        let first = object.start + 1;
        let mut member = first;
        while let Some((behind_comma, at)) = scan::element(window, member, member == first, b'}')? {
            let key = self.scanner.read_key(window, at)?;
            let name = self.scanner.name(window, key);
            let rule = rules.find(key.hash, name);
            if rule.is_none() {
                tally.near_misses += u64::from(self.lookalikes.is_known(key.hash, name));
            }
            let value_at = scan::colon(window, key.end)?;
            let value = self.scanner.value(window, value_at)?;
            match rule.filter(|rule| rule.leaves()) {
                Some(rule) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(key.start + 1, key.end - 1, renamed);
                    }
                    self.carry_out(rule, window, value, &mut splice, tally)?;
                }
                None => splice.leave_out(member, value.end),
            }
            member = value.end;
        }
        splice.write_to(object.end);
        Ok(())
    }
}
