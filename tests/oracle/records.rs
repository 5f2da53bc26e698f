//! One JSON record by the orders of a plan: what of it leaves, byte for byte, and what speaks against it.

use salinan::domain::{Action, FieldRule, KodeGanda, MaskPlan, Outside};

use super::json::{Fault, Kind, Member, Reader, Value, quoted};
use super::orders::{Counts, Names, Order, is_near, known, looked_up};
use super::values::{self, Seen};

/// A record, a row, or what stands round them, as it would leave.
#[derive(Default)]
pub struct Unit {
    pub text: String,
    /// All that was found against it, of which the redactor names one.
    pub faults: Vec<&'static str>,
    pub counts: Counts,
    /// Whether a record or row was begun.
    pub is_row: bool,
    pub is_outside: bool,
}

impl Unit {
    pub fn fault(&mut self, code: &'static str) {
        if !self.faults.contains(&code) {
            self.faults.push(code);
        }
    }

    /// Counts it as a row, withheld where it lies outside and may be.
    pub fn close_row(&mut self) {
        let is_withheld = self.is_outside;
        if is_withheld {
            self.text.clear();
            self.counts = Counts::default();
        }
        self.counts.tally.rows_in += 1;
        self.counts.tally.rows_out += u64::from(!is_withheld);
        self.counts.tally.rows_withheld += u64::from(is_withheld);
    }
}

pub struct Records<'p> {
    pub plan: &'p MaskPlan,
    pub names: Names<'p>,
    /// What becomes of rows outside the area.
    pub outside: Outside,
}

impl<'p> Records<'p> {
    pub fn new(plan: &'p MaskPlan) -> Self {
        Self { plan, names: Names::of(plan), outside: plan.row_area.outside }
    }

    /// Reads the record the reader is at, and appends its copy.
    pub fn record(&self, reader: &mut Reader<'_>, unit: &mut Unit) -> Result<(), Fault> {
        unit.is_row = true;
        let mut members = Vec::new();
        let tail = reader.object(1, &mut members);
        let mut text = self.members(&self.names, &members, true, unit);
        self.area_of(&members, tail.is_ok(), unit);
        if tail.is_err() && reader.depth > 1 {
            may_have_faults_before(unit);
        }
        let ganda = self.ganda_of(&members, unit);
        let tail = tail?;
        text.push_str(tail);
        if let Some(code) = ganda {
            let comma = if text.trim_end_matches([' ', '\t', '\n', '\r']) == "{" { "" } else { "," };
            text.push_str(&format!("{comma}\"{}\":{code}", KodeGanda::NAME));
        }
        unit.text.push_str(&text);
        unit.text.push('}');
        unit.close_row();
        Ok(())
    }

    /// The object up to its last member.
    fn members(&self, names: &Names<'_>, members: &[Member<'_>], is_record: bool, unit: &mut Unit) -> String {
        let known = known(self.plan, true);
        let is_looked_up = |name: &str| is_record && looked_up(self.plan).any(|own| own == name);
        let mut text = "{".to_owned();
        let mut is_any_out = false;
        for (at, member) in members.iter().enumerate() {
            let Some(order) = names.get(&member.name) else {
                let is_near = !is_looked_up(&member.name) && is_near(&member.name, &known);
                unit.counts.tally.near_misses += u64::from(is_near);
                continue;
            };
            let Some((key, value)) = self.member(order, member, unit) else { continue };
            // The comma of the first member to leave stays behind with those before it.
            if at == 0 || is_any_out {
                text.extend([member.gap.before, member.gap.comma]);
            }
            text.extend([member.gap.behind, &key, member.colon, &value]);
            is_any_out = true;
        }
        text
    }

    /// The name and the value that leave.
    fn member(&self, order: &Order<'_>, member: &Member<'_>, unit: &mut Unit) -> Option<(String, String)> {
        match order {
            Order::Rule(FieldRule { action: Action::Drop, .. }) => None,
            Order::Rule(rule) => {
                let key = rule.emit_as.as_ref().filter(|name| *name != rule.path.leaf());
                let key = key.map_or(member.key.to_owned(), |name| quoted(name.as_str()));
                Some((key, self.value(rule, &member.value, unit)))
            }
            Order::Inside { names, is_list } => {
                Some((member.key.to_owned(), self.inside(names, *is_list, &member.value, unit)))
            }
        }
    }

    /// A value by the rule of its field.
    pub fn value(&self, rule: &FieldRule, value: &Value<'_>, unit: &mut Unit) -> String {
        let field = rule.path.to_string();
        if rule.action == Action::Keep {
            return self.kept(Some(&field), value, unit);
        }
        changed(rule, &field, value, unit)
    }

    /// An object, or an array of them, some of whose members leave.
    pub fn inside(&self, names: &Names<'_>, is_list: bool, value: &Value<'_>, unit: &mut Unit) -> String {
        match &value.kind {
            Kind::Null => value.raw.to_owned(),
            Kind::Object(members, tail) if !is_list => {
                format!("{}{tail}}}", self.members(names, members, false, unit))
            }
            Kind::Array(items, tail) if is_list => {
                let items = items.iter().map(|item| {
                    let text = self.inside(names, false, &item.value, unit);
                    [item.gap.before, item.gap.comma, item.gap.behind, &text].concat()
                });
                format!("[{}{tail}]", items.collect::<String>())
            }
            _ => {
                unit.fault("unexpected_shape");
                String::new()
            }
        }
    }

    /// A value that is kept, all below it too; `field` is where finds of the sweep are counted beside the whole.
    pub fn kept(&self, field: Option<&str>, value: &Value<'_>, unit: &mut Unit) -> String {
        match &value.kind {
            Kind::Null | Kind::Bool => value.raw.to_owned(),
            Kind::Number => self.swept(field, value.raw, value.raw, unit).0,
            Kind::Text(text) => self.swept(field, value.raw, text, unit).0,
            Kind::Array(items, tail) => {
                let items = items.iter().map(|item| {
                    let text = self.kept(field, &item.value, unit);
                    [item.gap.before, item.gap.comma, item.gap.behind, &text].concat()
                });
                format!("[{}{tail}]", items.collect::<String>())
            }
            Kind::Object(members, tail) => {
                let mut names = Vec::new();
                let mut text = String::new();
                for member in members {
                    let (key, name) = self.swept(field, member.key, &member.name, unit);
                    let value = self.kept(field, &member.value, unit);
                    let Member { gap, colon, .. } = member;
                    text.extend([gap.before, gap.comma, gap.behind, &key, colon, &value]);
                    if names.contains(&name) {
                        unit.fault("duplicate_key");
                    }
                    names.push(name);
                }
                format!("{{{text}{tail}}}")
            }
        }
    }

    /// A text after the sweep, as written and as meant.
    fn swept(&self, field: Option<&str>, raw: &str, text: &str, unit: &mut Unit) -> (String, String) {
        let swept = values::swept(text, &self.plan.sweep);
        if swept.aborts {
            unit.fault("sweep_found");
        }
        unit.counts.swept(field, swept.finds);
        if swept.finds == 0 { (raw.to_owned(), swept.text) } else { (quoted(&swept.text), swept.text) }
    }

    fn area_of(&self, members: &[Member<'_>], is_whole: bool, unit: &mut Unit) {
        let area = self.plan.row_area.field.as_str();
        let mut found = members.iter().filter(|member| member.name == area).peekable();
        if found.peek().is_none() && is_whole {
            unit.fault("row_area_missing");
        }
        // One that stands twice is another fault, and both are looked at.
        found.for_each(|member| self.check_area(&member.value, unit));
    }

    pub fn check_area(&self, value: &Value<'_>, unit: &mut Unit) {
        let is_inside = |code: &str| values::is_within(code, self.plan.row_area.within.as_str());
        let is_inside = match seen(value) {
            Seen::Null | Seen::Bool(_) | Seen::Container | Seen::Text("") => {
                return unit.fault("row_area_missing");
            }
            Seen::Text(code) => is_inside(code),
            Seen::Number(code) => !code.contains('.') && is_inside(code),
        };
        if !is_inside && self.outside == Outside::Withhold {
            unit.is_outside = true;
        } else if !is_inside {
            unit.fault("row_outside_area");
        }
    }

    /// The added member's value, where the plan adds one.
    fn ganda_of(&self, members: &[Member<'_>], unit: &mut Unit) -> Option<String> {
        let of = self.plan.kode_ganda.as_ref()?.of.as_str();
        let value = members.iter().find(|member| member.name == of).map(|member| &member.value);
        Some(Self::ganda(of, value, unit))
    }

    pub fn ganda(of: &str, value: Option<&Value<'_>>, unit: &mut Unit) -> String {
        let (code, is_unreadable) = values::ganda(value.map_or(Seen::Null, seen));
        unit.counts.unreadable(of, is_unreadable);
        code.map_or("null".to_owned(), |code| quoted(&code))
    }
}

/// Inside a member that could not be read to its end something may lie that speaks against it as well.
pub fn may_have_faults_before(unit: &mut Unit) {
    for code in ["unexpected_shape", "duplicate_key", "sweep_found"] {
        unit.fault(code);
    }
}

/// What a changing action makes of a value: of each element of an array, of any other value as a whole. A text of the
/// plan stands for the array as well.
fn changed(rule: &FieldRule, field: &str, value: &Value<'_>, unit: &mut Unit) -> String {
    if let (Kind::Array(items, tail), false) = (&value.kind, matches!(rule.action, Action::Fixed(_))) {
        let items = items.iter().map(|item| {
            let text = changed(rule, field, &item.value, unit);
            [item.gap.before, item.gap.comma, item.gap.behind, &text].concat()
        });
        return format!("[{}{tail}]", items.collect::<String>());
    }
    let (text, is_unreadable) = values::shown(&rule.action, field, seen(value));
    unit.counts.changed(field);
    unit.counts.unreadable(field, is_unreadable);
    text.map_or("null".to_owned(), |text| quoted(&text))
}

pub fn seen<'a>(value: &'a Value<'_>) -> Seen<'a> {
    match &value.kind {
        Kind::Null => Seen::Null,
        Kind::Bool => Seen::Bool(value.raw),
        Kind::Number => Seen::Number(value.raw),
        Kind::Text(text) => Seen::Text(text),
        Kind::Array(..) | Kind::Object(..) => Seen::Container,
    }
}
