//! CSV with a header (RFC 4180, strictly) by the orders of a plan, cell by cell and row by row.

use salinan::domain::{Action, FieldRule, Formulas, KodeGanda, MaskPlan, Outside};

use super::orders::{Names, Order, is_near, known, looked_up};
use super::records::Unit;
use super::texts::{Copy, Pass};
use super::values::{self, Seen};

/// A cell as it was written, and what it says.
struct Cell {
    raw: String,
    says: String,
}

/// The cells of a row, those before a fault at least, and how it ends.
struct Row {
    cells: Vec<Cell>,
    end: Result<&'static str, &'static str>,
    len: usize,
}

const SHORT: &str = "short";

struct Table<'p> {
    plan: &'p MaskPlan,
    names: Names<'p>,
    delimiter: u8,
    formulas: Formulas,
}

pub fn copy(plan: &MaskPlan, delimiter: u8, formulas: Formulas, mut pass: Pass<'_>) -> Copy {
    let table = Table { plan, names: Names::of(plan), delimiter, formulas };
    if !b",;|\t:#^~".contains(&delimiter) {
        return if pass.body.is_empty() { pass.stop(&["header_missing"]) } else { pass.stop(&["delimiter"]) };
    }
    let mark = if pass.body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    if pass.body.len() == mark {
        return pass.stop(&["header_missing"]);
    }
    let header = read_row(pass.window(), mark, pass.is_last(), delimiter);
    let mut unit = Unit::default();
    let columns: Vec<String> = header.cells.iter().map(|cell| cell.says.clone()).collect();
    match header.end {
        Ok(line_end) => table.header(&header.cells, line_end, &mut unit),
        Err(SHORT) => return pass.stop_short(unit),
        Err(code) => unit.fault(code),
    }
    if let Some(copy) = pass.commit(&unit, header.len) {
        return copy;
    }
    while pass.at < pass.body.len() {
        let row = read_row(pass.window(), 0, pass.is_last(), delimiter);
        let mut unit = Unit { is_row: true, ..Unit::default() };
        let (cells, columns_len) = (row.cells.len(), columns.len());
        let is_ragged = if row.end.is_ok() { cells != columns_len } else { cells >= columns_len };
        if is_ragged {
            unit.fault("ragged_row");
        }
        table.row(&columns, &row.cells, &mut unit);
        match row.end {
            Ok(line_end) => unit.text.push_str(line_end),
            Err(SHORT) => return pass.stop_short(unit),
            Err(code) => unit.fault(code),
        }
        unit.close_row();
        if let Some(copy) = pass.commit(&unit, row.len) {
            return copy;
        }
    }
    pass.whole()
}

/// `is_last` says that the text ends where `text` does.
fn read_row(text: &[u8], from: usize, is_last: bool, delimiter: u8) -> Row {
    let (mut at, mut cells) = (from, Vec::new());
    let row = |cells, end, len| Row { cells, end, len };
    loop {
        let begin = at;
        let mut says = Vec::new();
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match (text.get(at), text.get(at + 1)) {
                    (None, _) => return row(cells, Err(SHORT), at),
                    (Some(0), _) => return row(cells, Err("control_character"), at),
                    (Some(b'"'), Some(b'"')) => {
                        says.push(b'"');
                        at += 2;
                    }
                    (Some(b'"'), _) => break,
                    (Some(byte), _) => {
                        says.push(*byte);
                        at += 1;
                    }
                }
            }
            at += 1;
        } else {
            while let Some(byte) = text.get(at).filter(|byte| **byte != delimiter && !b"\r\n".contains(byte))
            {
                match byte {
                    b'"' => return row(cells, Err("stray_quote"), at),
                    0 => return row(cells, Err("control_character"), at),
                    _ => says.push(*byte),
                }
                at += 1;
            }
        }
        let end = match (text.get(at), text.get(at + 1)) {
            (None, _) if is_last => Ok(""),
            (None, _) => return row(cells, Err(SHORT), at),
            (Some(b'\n'), _) => Ok("\n"),
            (Some(b'\r'), Some(b'\n')) => Ok("\r\n"),
            (Some(b'\r'), None) if !is_last => return row(cells, Err(SHORT), at),
            (Some(b'\r'), _) => return row(cells, Err("bare_carriage_return"), at),
            (Some(byte), _) if *byte == delimiter => Err(()),
            (Some(_), _) => return row(cells, Err("stray_quote"), at),
        };
        let (Ok(raw), Ok(says)) = (std::str::from_utf8(&text[begin..at]), String::from_utf8(says)) else {
            return row(cells, Err("invalid_utf8"), at);
        };
        cells.push(Cell { raw: raw.to_owned(), says });
        match end {
            Ok(line_end) => return row(cells, Ok(line_end), at + line_end.len()),
            Err(()) => at += 1,
        }
    }
}

impl<'p> Table<'p> {
    /// The rule of a column; a path into an object is of none.
    fn rule(&self, column: &str) -> Option<&'p FieldRule> {
        match self.names.get(column)? {
            Order::Rule(rule) => Some(rule),
            Order::Inside { .. } => None,
        }
    }

    /// The rule of a column of which something leaves.
    fn leaving(&self, column: &str) -> Option<&'p FieldRule> {
        self.rule(column).filter(|rule| rule.action != Action::Drop)
    }

    fn header(&self, cells: &[Cell], line_end: &str, unit: &mut Unit) {
        let mut out = Vec::new();
        let known = known(self.plan, false);
        for (at, Cell { raw, says }) in cells.iter().enumerate() {
            if cells[..at].iter().any(|before| before.says == *says) {
                unit.fault("duplicate_key");
            }
            if let Some(rule) = self.leaving(says) {
                let renamed = rule.emit_as.as_ref().filter(|name| *name != rule.path.leaf());
                out.push(renamed.map_or(raw.clone(), ToString::to_string));
            }
            let has_rule = self.rule(says).is_some() || looked_up(self.plan).any(|own| own == says);
            unit.counts.tally.near_misses += u64::from(!has_rule && is_near(says, &known));
        }
        if out.is_empty() {
            unit.fault("no_known_column");
        }
        if !cells.iter().any(|cell| cell.says == self.plan.row_area.field.as_str()) {
            unit.fault("row_area_missing");
        }
        out.extend(self.plan.kode_ganda.as_ref().map(|_| KodeGanda::NAME.to_owned()));
        unit.text = out.join(&self.between()) + line_end;
    }

    fn between(&self) -> String {
        char::from(self.delimiter).to_string()
    }

    fn row(&self, columns: &[String], cells: &[Cell], unit: &mut Unit) {
        let mut out = Vec::new();
        let mut ganda = String::new();
        for (column, cell) in columns.iter().zip(cells) {
            if column == self.plan.row_area.field.as_str() {
                self.check_area(cell, unit);
            }
            if let Some(rule) = self.leaving(column) {
                out.push(self.cell(rule, cell, unit));
            }
            if self.plan.kode_ganda.as_ref().is_some_and(|ganda| ganda.of.as_str() == column) {
                let (code, is_unreadable) = values::ganda(Seen::Text(&cell.says));
                unit.counts.unreadable(column, is_unreadable);
                ganda = code.unwrap_or_default();
            }
        }
        out.extend(self.plan.kode_ganda.as_ref().map(|_| ganda));
        unit.text =
            if out.len() == 1 && out[0].is_empty() { "\"\"".to_owned() } else { out.join(&self.between()) };
    }

    fn check_area(&self, cell: &Cell, unit: &mut Unit) {
        if cell.says.is_empty() {
            unit.fault("row_area_missing");
        } else if !values::is_within(&cell.says, self.plan.row_area.within.as_str()) {
            match self.plan.row_area.outside {
                Outside::Abort => unit.fault("row_outside_area"),
                Outside::Withhold => unit.is_outside = true,
            }
        }
    }

    fn cell(&self, rule: &FieldRule, cell: &Cell, unit: &mut Unit) -> String {
        let field = rule.path.to_string();
        if rule.action == Action::Keep {
            return self.kept(&field, cell, unit);
        }
        unit.counts.changed(&field);
        let (text, is_unreadable) = values::shown(&rule.action, &field, Seen::Text(&cell.says));
        unit.counts.unreadable(&field, is_unreadable);
        let text = text.unwrap_or_default();
        match &rule.action {
            // Of all that actions write, only a text of the plan may need quotes or be a formula.
            Action::Fixed(_) if self.formulas == Formulas::Keep => self.written(&text, ""),
            Action::Fixed(_) => self.written(&text, apostrophe(&text)),
            _ => text,
        }
    }

    fn kept(&self, field: &str, cell: &Cell, unit: &mut Unit) -> String {
        let swept = values::swept(&cell.says, &self.plan.sweep);
        if swept.aborts {
            unit.fault("sweep_found");
        }
        unit.counts.swept(Some(field), swept.finds);
        let apostrophe = match self.formulas {
            Formulas::Keep => "",
            Formulas::Neutralise | Formulas::Abort => apostrophe(&swept.text),
        };
        if self.formulas == Formulas::Abort && !apostrophe.is_empty() {
            unit.fault("formula_cell");
        }
        if swept.finds > 0 && !self.plan.sweep.patterns.is_empty() {
            return self.written(&swept.text, apostrophe);
        }
        // What runs cover is written as it was, digits apart.
        let is_quoted = cell.raw.starts_with('"');
        match (swept.finds > 0, is_quoted) {
            (false, false) => format!("{apostrophe}{}", cell.raw),
            (false, true) => format!("\"{apostrophe}{}", &cell.raw[1..]),
            (true, false) => format!("{apostrophe}{}", swept.text),
            (true, true) => format!("\"{apostrophe}{}\"", swept.text.replace('"', "\"\"")),
        }
    }

    /// A text as a cell, with quotes where it needs them.
    fn written(&self, text: &str, apostrophe: &str) -> String {
        let needs_quotes = text.bytes().any(|byte| byte == self.delimiter || b"\"\r\n".contains(&byte));
        let text = format!("{apostrophe}{}", text.replace('"', "\"\""));
        if needs_quotes { format!("\"{text}\"") } else { text }
    }
}

/// What is put before a text that a spreadsheet would read as a formula.
fn apostrophe(text: &str) -> &'static str {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        "'"
    } else {
        ""
    }
}
