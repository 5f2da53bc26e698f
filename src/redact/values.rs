//! What JSON values become: kept and swept, changed by an action, and what they say of the row they stand in.

use crate::domain::{MaskPlan, Wilayah};

use super::Tally;
use super::error::{Problem, Stop};
use super::lanes::Accepted;
use super::mask::{Change, Seen, Shown};
use super::scan::{self, Kind, Scanner, Value};
use super::stations::Stations;
use super::stream::{Utf8, Window};
use super::sweep::Sweeper;

/// What values become, and the memory that takes.
#[derive(Default)]
pub(super) struct Values {
    /// The new value as JSON, after a change.
    pub fresh: Vec<u8>,
    /// The last code found inside the area, as it stood between its quotes.
    pub accepted: Accepted,
    pub sweeper: Sweeper,
    pub stations: Stations,
    plain: Vec<u8>,
    swept: Vec<u8>,
}

impl Values {
    pub fn new(plan: &MaskPlan) -> Self {
        Self { sweeper: Sweeper::new(plan), ..Self::default() }
    }

    /// Whether the row's code lies inside the area.
    pub fn check_area(&mut self, window: Window<'_>, value: Value, within: &Wilayah) -> Result<bool, Stop> {
        let mut stations = std::mem::take(&mut self.stations);
        let is_inside = match self.see(window, value) {
            Seen::Null | Seen::Text(b"") | Seen::Bool(_) | Seen::Container => None,
            Seen::Number(code) if !code.iter().all(u8::is_ascii_digit) => Some(false),
            Seen::Text(code) | Seen::Number(code) => {
                let is_inside = within.contains_code(code);
                if is_inside {
                    stations.see(code);
                }
                Some(is_inside)
            }
        };
        self.stations = stations;
        match is_inside {
            None => Stop::bad(value.start, Problem::RowAreaMissing),
            Some(false) => Ok(false),
            Some(true) => {
                // What stands otherwise is looked at in each record, also after one of this code.
                self.accepted = match value.kind {
                    Kind::Text { is_escaped: false } => {
                        Accepted::new(&window.bytes[value.start + 1..value.end - 1])
                    }
                    _ => Accepted::default(),
                };
                Ok(true)
            }
        }
    }

    /// Puts what a value becomes into `fresh`; returns how many values were changed for it. Of an array each
    /// element is changed, in arrays inside it too; an object is hidden whole, since its names are data as well.
    pub fn change(
        &mut self,
        change: &Change,
        scanner: &mut Scanner,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
    ) -> Result<u64, Stop> {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        let is_array = value.kind == Kind::Container && window.bytes[value.start] == b'[';
        let mut changed = 1;
        if is_array && !change.is_same_for_all() {
            changed = 0;
            let mut at = value.start;
            while at < value.end {
                if let sign @ (b'[' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r') = window.bytes[at] {
                    fresh.push(sign);
                    at += 1;
                } else {
                    let element = scanner.value(window, at)?;
                    self.write_changed(change, window, element, tally, &mut fresh);
                    changed += 1;
                    at = element.end;
                }
            }
        } else {
            self.write_changed(change, window, value, tally, &mut fresh);
        }
        self.fresh = fresh;
        Ok(changed)
    }

    fn write_changed(
        &mut self,
        change: &Change,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
        to: &mut Vec<u8>,
    ) {
        match change.show(self.see(window, value), &mut [0; 16], tally) {
            Shown::Nothing => to.extend_from_slice(b"null"),
            Shown::Written(text) => to.extend_from_slice(text),
            Shown::Text(text) => {
                to.push(b'"');
                to.extend_from_slice(text);
                to.push(b'"');
            }
        }
    }

    /// Looks through a value that is kept, and through all that lies below it. `false`: it leaves as it came;
    /// `true`: as `fresh` has it.
    pub fn keep(
        &mut self,
        scanner: &mut Scanner,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
    ) -> Result<bool, Stop> {
        let literal = &window.bytes[value.start..value.end];
        // Escapes may stand for digits, so the cheap look is not for them.
        let is_escaped = match value.kind {
            Kind::Bool | Kind::Null => return Ok(false),
            Kind::Number => false,
            Kind::Text { is_escaped } => is_escaped,
            Kind::Container => literal.contains(&b'\\'),
        };
        if !is_escaped && !self.sweeper.may_hold(literal) {
            return Ok(false);
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        let is_changed = if value.kind == Kind::Container {
            self.sweep_all(scanner, window, value, tally, &mut fresh)?
        } else {
            self.sweep(window, value, tally, &mut fresh)?
        };
        self.fresh = fresh;
        Ok(is_changed)
    }

    /// Sweeps every string, number and name of a container.
    fn sweep_all(
        &mut self,
        scanner: &mut Scanner,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
        to: &mut Vec<u8>,
    ) -> Result<bool, Stop> {
        let (mut at, mut written) = (value.start, value.start);
        while at < value.end {
            if !matches!(window.bytes[at], b'"' | b'-' | b'0'..=b'9') {
                at += 1;
                continue;
            }
            let part = scanner.value(window, at)?;
            let len_before = to.len();
            to.extend_from_slice(&window.bytes[written..part.start]);
            if self.sweep(window, part, tally, to)? {
                written = part.end;
            } else {
                to.truncate(len_before);
            }
            at = part.end;
        }
        if written == value.start {
            return Ok(false);
        }
        to.extend_from_slice(&window.bytes[written..value.end]);
        // Two numbers that were names look alike once they are covered.
        let utf8 = Utf8::of(to);
        let swept = Window { bytes: to, utf8: &utf8, at: 0, is_last: true };
        match scanner.value(swept, 0) {
            Ok(_) => Ok(true),
            Err(_) => Stop::bad(value.start, Problem::DuplicateKey),
        }
    }

    /// Appends a string or number with what the sweep found in it covered; nothing where it found nothing.
    fn sweep(
        &mut self,
        window: Window<'_>,
        value: Value,
        tally: &mut Tally,
        to: &mut Vec<u8>,
    ) -> Result<bool, Stop> {
        self.swept.clear();
        let mut swept = std::mem::take(&mut self.swept);
        let sweeper = std::mem::take(&mut self.sweeper);
        let runs = match self.see(window, value) {
            Seen::Text(text) | Seen::Number(text) => {
                std::str::from_utf8(text).ok().map(|text| sweeper.cover(text, &mut swept))
            }
            Seen::Null | Seen::Bool(_) | Seen::Container => Some(0),
        };
        // Put back before anything ends here: a line is read again after an error.
        self.sweeper = sweeper;
        let Some(runs) = runs else { return Stop::bad(value.start, Problem::InvalidUtf8) };
        if runs > 0 && self.sweeper.aborts() {
            return Stop::bad(value.start, Problem::SweepFound);
        }
        if runs > 0 {
            tally.swept += runs;
            scan::write_string(&swept, to);
        }
        self.swept = swept;
        Ok(runs > 0)
    }

    pub fn see<'a>(&'a mut self, window: Window<'a>, value: Value) -> Seen<'a> {
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
