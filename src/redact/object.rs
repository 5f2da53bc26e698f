//! One JSON record: the members that rules name leave, the others stay behind.
//!
//! Names are compared decoded and leave as they were written, unless the rule gives another. The row's area is
//! checked on the way; a row without one, or outside, ends the pass.

use crate::domain::{CopyKey, MaskPlan, Outside, Wilayah};

use super::error::{Problem, Stop};
use super::fields::Fields;
use super::ganda::Ganda;
use super::guess::{Guesses, Meaning};
use super::mask::{Change, Order, Seen, Shown};
use super::rules::{Ease, Lookalikes, Rules};
use super::scan::{self, Kind, Scanner, Value};
use super::splice::Splice;
use super::stream::Window;
use super::sweep::Sweeper;
use super::{Limits, Tally, sweep};

pub(super) struct Objects {
    pub rules: Rules,
    pub fields: Fields,
    lookalikes: Lookalikes,
    within: Wilayah,
    pub outside: Outside,
    /// Whether the last record lies outside the area and was not written.
    pub is_withheld: bool,
    pub scanner: Scanner,
    pub values: Values,
    ganda: Option<Ganda>,
    guesses: Guesses,
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
            fields: Fields::new(&rules),
            lookalikes: Lookalikes::new(rules.names()),
            rules,
            within: plan.row_area.within,
            outside: plan.row_area.outside,
            is_withheld: false,
            scanner: Scanner::new(limits.depth_max),
            values: Values { sweeper: Sweeper::new(plan), ..Values::default() },
            ganda: Ganda::new(plan, key),
            guesses: Guesses::default(),
        }
    }

    /// Writes the record whose `{` is at `at`, unless it is withheld, and returns its end.
    pub fn record(
        &mut self,
        window: Window<'_>,
        at: usize,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<usize, Stop> {
        let (len_before, tally_before) = (out.len(), *tally);
        tally.rows_in += 1;
        self.is_withheld = false;
        self.scanner.begin();
        let mut splice = Splice::new(window.bytes, at, out);
        self.guesses.begin();
        self.fields.begin();
        if let Some(ganda) = &mut self.ganda {
            ganda.begin();
        }
        let mut has_area = false;
        let first = at + 1;
        // Where the member's text begins, its comma included.
        let mut member = first;
        let end = loop {
            let known = self.hurry(window, first, &mut member, &mut splice, &mut has_area);
            let meaning = match known {
                Some(place) => {
                    self.guesses.take(place);
                    *self.guesses.meaning(place)
                }
                None => match self.read_gap(window, member, member == first)? {
                    Some(meaning) => meaning,
                    None => break scan::blanks(window, member),
                },
            };
            tally.near_misses += u64::from(meaning.is_near);
            let behind_comma = member + meaning.behind_comma;
            let name = member + meaning.key_start + 1..member + meaning.key_end - 1;
            let rule = meaning.rule.map(|place| self.rules.at(place));
            let value = self.scanner.value(window, member + meaning.value_at)?;
            if rule.is_some_and(|rule| rule.is_area) {
                if !self.values.check_area(window, value, &self.within)? {
                    if self.outside == Outside::Abort {
                        return Stop::bad(value.start, Problem::RowOutsideArea);
                    }
                    self.is_withheld = true;
                }
                has_area = true;
            }
            let before = *tally;
            if let Some(ganda) = self.ganda.as_mut().filter(|_| rule.is_some_and(|rule| rule.is_ganda)) {
                ganda.see(self.values.see(window, value), tally);
            }
            match rule.map(|rule| (rule, &rule.order)) {
                Some((rule, Order::Keep)) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(name.start, name.end, renamed);
                    }
                    if self.values.keep(window, value, tally)? {
                        splice.replace(value.start, value.end, &self.values.fresh);
                    }
                }
                Some((rule, Order::Change(change))) => {
                    splice.let_out(behind_comma);
                    if let Some(renamed) = &rule.renamed {
                        splice.replace(name.start, name.end, renamed);
                    }
                    self.values.change(change, window, value, tally);
                    meaning.rule.inspect(|place| self.fields.change(*place));
                    splice.replace(value.start, value.end, &self.values.fresh);
                }
                Some((_, Order::Drop)) | None => splice.leave_out(member, value.end),
            }
            if let Some(place) = meaning.rule {
                self.fields.note(place, &before, tally);
            }
            member = value.end;
        };
        // Names recognised differ from one another; where others were read, all are compared.
        if self.scanner.has_names() {
            self.scanner.note(self.guesses.seen());
            self.scanner.end_object(0, end)?;
        }
        if !has_area {
            return Stop::bad(end, Problem::RowAreaMissing);
        }
        if self.is_withheld {
            out.truncate(len_before);
            *tally = Tally::withheld(tally_before);
            self.fields.begin();
            return Ok(end + 1);
        }
        if let Some(ganda) = &self.ganda {
            splice.write_to(end);
            write_ganda(ganda, &mut splice);
        }
        splice.write_to(end + 1);
        tally.rows_out += 1;
        Ok(end + 1)
    }

    /// Takes members as long as their gaps are known and their values plain texts to be kept or dropped. Gives
    /// the gap of the member it stopped at, if that one is known.
    fn hurry(
        &mut self,
        window: Window<'_>,
        first: usize,
        member: &mut usize,
        splice: &mut Splice<'_>,
        has_area: &mut bool,
    ) -> Option<usize> {
        loop {
            let rest = window.bytes.get(*member..)?;
            let place = self.guesses.recognise(rest, *member == first)?;
            let meaning = self.guesses.meaning(place);
            let (ease, behind_comma) = (meaning.ease, *member + meaning.behind_comma);
            let Some(text) = scan::plain_text(rest, meaning.value_at) else { return Some(place) };
            let end = *member + text.end + 1;
            let is_kept = match ease {
                Ease::Keep => true,
                Ease::Drop => false,
                Ease::Area { is_kept } if !text.is_empty() && self.values.accepted == rest[text.clone()] => {
                    *has_area = true;
                    is_kept
                }
                Ease::Area { .. } | Ease::None => return Some(place),
            };
            if is_kept {
                if text.len() >= sweep::RUN_DIGITS && sweep::may_hold(&rest[text]) {
                    return Some(place);
                }
                splice.let_out(behind_comma);
            } else {
                splice.leave_out(*member, end);
            }
            self.guesses.take(place);
            *member = end;
        }
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
        let key = self.scanner.key(window, pos)?;
        let value_at = scan::colon(window, key.end)?;
        let name = self.scanner.name(window, key);
        let rule = self.rules.place(key.hash, name);
        let is_near = rule.is_none() && self.lookalikes.is_known(key.hash, name);
        let own = rule.map(|place| self.rules.at(place));
        let ease = if is_near { Ease::None } else { Ease::of(own, self.values.sweeper.has_patterns()) };
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
        if value_at < window.bytes.len() {
            self.guesses.learn(&window.bytes[from..value_at], is_first, meaning);
        }
        Ok(Some(meaning))
    }
}

/// Writes the added member behind all others.
fn write_ganda(ganda: &Ganda, splice: &mut Splice<'_>) {
    splice.append(if splice.has_let_out() { b",\"" } else { b"\"" });
    splice.append(Ganda::NAME);
    match ganda.code() {
        Some(code) => {
            splice.append(b"\":\"");
            splice.append(code);
            splice.append(b"\"");
        }
        None => splice.append(b"\":null"),
    }
}

/// What values become, and the memory that takes.
#[derive(Default)]
pub(super) struct Values {
    /// The new value as JSON, after a change.
    pub fresh: Vec<u8>,
    /// The last code found inside the area, as it stood between its quotes.
    accepted: Vec<u8>,
    plain: Vec<u8>,
    swept: Vec<u8>,
    sweeper: Sweeper,
}

impl Values {
    /// Whether the row's code lies inside the area.
    fn check_area(&mut self, window: Window<'_>, value: Value, within: &Wilayah) -> Result<bool, Stop> {
        let is_inside = match self.see(window, value) {
            Seen::Text(code) => within.contains_code(code),
            Seen::Number(code) => code.iter().all(u8::is_ascii_digit) && within.contains_code(code),
            Seen::Null | Seen::Bool(_) | Seen::Container => {
                return Stop::bad(value.start, Problem::RowAreaMissing);
            }
        };
        if !is_inside {
            return Ok(false);
        }
        self.accepted.clear();
        if let Kind::Text { is_escaped: false } = value.kind {
            self.accepted.extend_from_slice(&window.bytes[value.start + 1..value.end - 1]);
        }
        Ok(true)
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
        if !is_escaped && !self.sweeper.may_hold(&window.bytes[value.start..value.end]) {
            return Ok(false);
        }
        self.swept.clear();
        let mut swept = std::mem::take(&mut self.swept);
        let sweeper = std::mem::take(&mut self.sweeper);
        let runs = match self.see(window, value) {
            Seen::Text(text) | Seen::Number(text) => {
                let Ok(text) = std::str::from_utf8(text) else {
                    return Stop::bad(value.start, Problem::InvalidUtf8);
                };
                sweeper.cover(text, &mut swept)
            }
            Seen::Null | Seen::Bool(_) | Seen::Container => 0,
        };
        if runs > 0 && sweeper.aborts() {
            return Stop::bad(value.start, Problem::SweepFound);
        }
        self.sweeper = sweeper;
        if runs > 0 {
            tally.swept += runs;
            self.fresh.clear();
            scan::write_string(&swept, &mut self.fresh);
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
