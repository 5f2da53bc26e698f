//! Columnar answers: `{"columns": ["nik", "nama"], "rows": [["..", ".."]], "total": 1}`.

use salinan::domain::{Action, FieldName, FieldRule, KodeGanda, MaskPlan};

use super::json::{Fault, Gap, Item, Reader, quoted};
use super::orders::{Names, Order, is_near, known, looked_up};
use super::records::{Records, Unit, may_have_faults_before};
use super::texts::{Around, Copy, Pass, Place, elements, unexpected};

pub fn copy<'a>(pass: Pass<'a>, columns: &'a FieldName, rows: &'a FieldName, keep: &'a [FieldName]) -> Copy {
    let records = Records::new(pass.plan);
    let mut around = Around::new(rows, keep);
    let mut names: Vec<String> = Vec::new();
    let mut step = pass.open(b'{').map(|mut pass| {
        pass.take_bracket();
        pass
    });
    loop {
        around.is_ready = !names.is_empty();
        let place = step.and_then(|pass| {
            let plan = pass.plan;
            around.member(pass, &mut |name, reader, unit| {
                if name != columns.as_str() {
                    return Ok(None);
                }
                let (read, text) = header(plan, reader, unit)?;
                names = read;
                Ok(Some(text))
            })
        });
        step = match place {
            Ok(Place::Records(pass)) => {
                elements(pass, b'[', |reader, unit| row(&records, &names, reader, unit))
            }
            Ok(Place::Other(pass)) => Ok(pass),
            Ok(Place::End(pass)) => return pass.close(),
            Err(copy) => return copy,
        };
    }
}

/// The columns' names, and those that leave as they do.
fn header(plan: &MaskPlan, reader: &mut Reader<'_>, unit: &mut Unit) -> Result<(Vec<String>, String), Fault> {
    let byte = reader.peek()?;
    if byte != b'[' {
        return Err(Fault::Bad(unexpected(byte)));
    }
    reader.at += 1;
    let names = Names::of(plan);
    let (mut read, mut parts) = (Vec::new(), Vec::new());
    let known = known(plan, true);
    let tail = loop {
        let gap = match reader.gap(read.is_empty(), b']')? {
            Ok(gap) => gap,
            Err(tail) => break tail,
        };
        let byte = reader.peek()?;
        if byte != b'"' {
            return Err(Fault::Bad(unexpected(byte)));
        }
        let (key, name) = reader.name()?;
        if read.contains(&name) {
            unit.fault("duplicate_key");
        }
        let has_rule = names.get(&name).is_some() || looked_up(plan).any(|own| own == name);
        unit.counts.tally.near_misses += u64::from(!has_rule && is_near(&name, &known));
        let shown = match names.get(&name) {
            Some(Order::Rule(rule)) => leaving(rule).map(|rule| match &rule.emit_as {
                Some(name) if name != rule.path.leaf() => quoted(name.as_str()),
                _ => key.to_owned(),
            }),
            Some(Order::Inside { .. }) => Some(key.to_owned()),
            None => None,
        };
        parts.push((gap, shown));
        read.push(name);
    };
    reader.at += 1;
    if parts.iter().all(|(_, shown)| shown.is_none()) {
        unit.fault("no_known_column");
    }
    if !read.iter().any(|name| name == plan.row_area.field.as_str()) {
        unit.fault("row_area_missing");
    }
    let ganda = plan.kode_ganda.as_ref().map(|_| quoted(KodeGanda::NAME));
    Ok((read, joined(parts, tail, ganda)))
}

fn leaving(rule: &FieldRule) -> Option<&FieldRule> {
    Some(rule).filter(|rule| rule.action != Action::Drop)
}

/// An array of what leaves, and the added value behind it.
fn joined(parts: Vec<(Gap<'_>, Option<String>)>, tail: &str, added: Option<String>) -> String {
    let mut text = "[".to_owned();
    let mut is_any_out = false;
    for (at, (gap, shown)) in parts.into_iter().enumerate() {
        let Some(shown) = shown else { continue };
        if at == 0 || is_any_out {
            text.extend([gap.before, gap.comma]);
        }
        text.extend([gap.behind, &shown]);
        is_any_out = true;
    }
    text.push_str(tail);
    if let Some(added) = added {
        text.push_str(if is_any_out { "," } else { "" });
        text.push_str(&added);
    }
    text + "]"
}

fn row(
    records: &Records<'_>,
    columns: &[String],
    reader: &mut Reader<'_>,
    unit: &mut Unit,
) -> Result<(), Fault> {
    unit.is_row = true;
    let mut items = Vec::new();
    let tail = reader.array(1, &mut items);
    let is_ragged = if tail.is_ok() { items.len() != columns.len() } else { items.len() >= columns.len() };
    if is_ragged {
        unit.fault("ragged_row");
    }
    if tail.is_err() && reader.depth > 1 {
        may_have_faults_before(unit);
    }
    let mut parts = Vec::new();
    let mut ganda = None;
    for (column, Item { gap, value }) in columns.iter().zip(&items) {
        if column == records.plan.row_area.field.as_str() {
            records.check_area(value, unit);
        }
        let shown = match records.names.get(column) {
            Some(Order::Rule(rule)) => leaving(rule).map(|rule| records.value(rule, value, unit)),
            Some(Order::Inside { names, is_list }) => Some(records.inside(names, *is_list, value, unit)),
            None => None,
        };
        parts.push((*gap, shown));
        if records.plan.kode_ganda.as_ref().is_some_and(|ganda| ganda.of.as_str() == column) {
            ganda = Some(Records::ganda(column, Some(value), unit));
        }
    }
    let added = records.plan.kode_ganda.as_ref().map(|_| ganda.unwrap_or_else(|| "null".to_owned()));
    unit.text.push_str(&joined(parts, tail?, added));
    unit.close_row();
    Ok(())
}
