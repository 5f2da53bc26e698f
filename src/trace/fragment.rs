//! A file of rows that came from somewhere, read without knowing what it is: CSV with whatever delimiter, a JSON text,
//! or JSON line by line. What is nested becomes columns named by their paths.
//!
//! The file is not trusted, and what stands in it is about people: errors give a line and never its text.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;
use thiserror::Error;

use super::given::plain_name;

/// Longest text that is read as rows.
pub const TEXT_BYTES_MAX: usize = 64 << 20;
/// Longest JSON text: unlike lines, it is held whole.
pub const JSON_BYTES_MAX: usize = 32 << 20;
pub const LINE_BYTES_MAX: usize = 1 << 20;
pub const COLUMNS_MAX: usize = 256;
pub const CELLS_MAX: usize = 16_000_000;
/// More digits in a row than the name of a column has.
const NAME_DIGITS_MAX: usize = 4;
const NAME_BYTES_MAX: usize = 128;
/// A control character that no text has.
const NO_DELIMITER: u8 = 0x1F;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FragmentError {
    #[error("it holds no rows")]
    Empty,
    #[error("it is longer than the {max} bytes that are read as rows")]
    TooLong { max: usize },
    #[error("it is not UTF-8 text")]
    Encoding,
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    Line { line: usize },
    #[error("line {line} is not a JSON object")]
    Record { line: usize },
    #[error("it is not sound JSON (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("it is JSON without records: neither an object, nor an array of objects, nor columns and rows")]
    Shape,
    #[error("line {line} is not sound CSV")]
    Csv { line: u64 },
    #[error("line {line} has more cells than there are columns")]
    Ragged { line: u64 },
    #[error("its first line does not look like names of columns")]
    Header,
    #[error("two columns have the same name")]
    Twice,
    #[error("it has more than {COLUMNS_MAX} columns")]
    Columns,
    #[error("it has more than {CELLS_MAX} cells")]
    Cells,
}

/// Rows under named columns. Nothing, null and an empty text are the same here.
#[derive(Debug, Default)]
pub struct Table {
    /// As `plain_name` writes them.
    pub columns: Vec<String>,
    /// Of each row in turn, by column.
    cells: Vec<Range<u32>>,
    text: String,
    rows: usize,
    /// Records of the file: what lists in them hold are rows of their own here.
    pub records: u64,
}

impl Table {
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cell(&self, row: usize, column: usize) -> &str {
        let cell = self.cells.get(row * self.columns.len() + column).cloned().unwrap_or(0..0);
        self.text.get(cell.start as usize..cell.end as usize).unwrap_or_default()
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|own| own == name)
    }

    /// All cells of a column.
    pub fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        (0..self.rows).map(move |row| self.cell(row, column))
    }

    /// Reads a file. `names` are its columns where its first line does not name them.
    pub fn read(bytes: &[u8], names: Option<&[String]>) -> Result<Self, FragmentError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(FragmentError::TooLong { max: TEXT_BYTES_MAX });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| FragmentError::Encoding)?;
        let mut rows = Rows::default();
        match text.trim_start().as_bytes().first() {
            None => return Err(FragmentError::Empty),
            Some(b'[') => rows.add_json(text)?,
            Some(b'{' | 0x1E) if has_one_text(text) => rows.add_json(text)?,
            Some(b'{' | 0x1E) => rows.add_lines(text)?,
            Some(_) => return read_csv(text, names),
        }
        rows.end()
    }
}

/// Whether JSON is one text and not one a line.
fn has_one_text(text: &str) -> bool {
    let mut texts = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    matches!((texts.next(), texts.next()), (Some(Ok(_)), None))
}

/// Cells by row, while the columns are not all known.
#[derive(Default)]
struct Rows {
    names: HashMap<String, usize>,
    columns: Vec<String>,
    by_row: Vec<Vec<(u16, Range<u32>)>>,
    cells: usize,
    text: String,
    records: u64,
}

type Flat = Vec<(String, String)>;

impl Rows {
    fn add_lines(&mut self, text: &str) -> Result<(), FragmentError> {
        for (at, line) in text.split(['\n', '\u{1e}']).enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if line.len() > LINE_BYTES_MAX {
                return Err(FragmentError::Line { line: at + 1 });
            }
            match serde_json::from_str(line) {
                Ok(Value::Object(record)) => self.add_record(&Value::Object(record))?,
                _ => return Err(FragmentError::Record { line: at + 1 }),
            }
        }
        Ok(())
    }

    fn add_json(&mut self, text: &str) -> Result<(), FragmentError> {
        if text.len() > JSON_BYTES_MAX {
            return Err(FragmentError::TooLong { max: JSON_BYTES_MAX });
        }
        let text = text.trim_start_matches('\u{1e}');
        let value: Value = serde_json::from_str(text)
            .map_err(|error| FragmentError::Json { line: error.line(), column: error.column() })?;
        let is_record = |value: &Value| value.is_object();
        match &value {
            Value::Array(records) if records.iter().all(is_record) => self.add_records(records),
            Value::Object(members) => {
                let lists = || members.values().filter_map(Value::as_array).filter(|list| !list.is_empty());
                let named = lists().find(|list| list.iter().all(Value::is_string));
                let rows = lists().find(|list| list.iter().all(Value::is_array));
                let records = lists().find(|list| list.iter().all(is_record));
                match (named, rows, records) {
                    (Some(names), Some(rows), _) => self.add_columns(names, rows),
                    // One record may hold a list itself; an envelope holds little beside it.
                    (_, _, Some(records)) if is_envelope(members) => self.add_records(records),
                    _ => self.add_record(&value),
                }
            }
            _ => Err(FragmentError::Shape),
        }
    }

    fn add_records(&mut self, records: &[Value]) -> Result<(), FragmentError> {
        records.iter().try_for_each(|record| self.add_record(record))
    }

    fn add_columns(&mut self, names: &[Value], rows: &[Value]) -> Result<(), FragmentError> {
        for row in rows.iter().filter_map(Value::as_array) {
            let cells = names.iter().filter_map(Value::as_str).zip(row);
            let record = cells.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            self.add_record(&Value::Object(record))?;
        }
        Ok(())
    }

    fn add_record(&mut self, record: &Value) -> Result<(), FragmentError> {
        self.records += 1;
        let (mut flat, mut left) = (Vec::new(), CELLS_MAX);
        flatten("", record, &Flat::new(), &mut flat, &mut left)?;
        flat.into_iter().try_for_each(|row| self.add_row(row))
    }

    fn add_row(&mut self, row: Flat) -> Result<(), FragmentError> {
        let mut cells = Vec::with_capacity(row.len());
        for (name, value) in row {
            let name = plain_name(&name);
            let column = match self.names.get(&name) {
                Some(column) => *column,
                None => {
                    let column = self.columns.len();
                    self.names.insert(name.clone(), column);
                    self.columns.push(name);
                    column
                }
            };
            let column = u16::try_from(column).ok().filter(|_| self.columns.len() <= COLUMNS_MAX);
            let column = column.ok_or(FragmentError::Columns)?;
            if !value.is_empty() {
                cells.push((column, add_text(&mut self.text, &value)?));
            }
        }
        self.cells += cells.len();
        if self.cells > CELLS_MAX {
            return Err(FragmentError::Cells);
        }
        self.by_row.push(cells);
        Ok(())
    }

    fn end(self) -> Result<Table, FragmentError> {
        let (width, rows) = (self.columns.len(), self.by_row.len());
        if width == 0 || rows == 0 {
            return Err(FragmentError::Empty);
        }
        if width * rows > CELLS_MAX {
            return Err(FragmentError::Cells);
        }
        let mut cells = vec![0..0; width * rows];
        for (row, own) in self.by_row.into_iter().enumerate() {
            for (column, range) in own {
                cells[row * width + usize::from(column)] = range;
            }
        }
        Ok(Table { columns: self.columns, cells, text: self.text, rows, records: self.records })
    }
}

/// Whether the members beside lists of records hold no more than a text, a number or so: then the list is what is
/// handed over. A record of a person has names of people's fields beside its lists.
fn is_envelope(members: &serde_json::Map<String, Value>) -> bool {
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
    let (lists, others): (Vec<&Value>, Vec<&Value>) = members.values().partition(|value| is_list(value));
    let personal = ["nik", "nkk", "nama", "no_kk", "kode_tps", "tps"];
    lists.len() == 1
        && others.iter().all(|value| !value.is_object() && !value.is_array())
        && !members.keys().any(|name| personal.contains(&plain_name(name).as_str()))
}

/// The rows of a value under a name: its texts and numbers, and for each object of a list in it a row of its own. `left`
/// counts down the cells that they may have.
fn flatten(
    name: &str,
    value: &Value,
    beside: &Flat,
    rows: &mut Vec<Flat>,
    left: &mut usize,
) -> Result<(), FragmentError> {
    let mut own = beside.clone();
    let mut lists: Vec<(String, &Vec<Value>)> = Vec::new();
    let mut open = vec![(name.to_owned(), value)];
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Null => own.push((name, String::new())),
            Value::Bool(value) => own.push((name, value.to_string())),
            Value::Number(value) => own.push((name, value.to_string())),
            Value::String(value) => own.push((name, value.clone())),
            Value::Array(items) => lists.push((name, items)),
            Value::Object(members) => {
                for (member, value) in members.iter().rev() {
                    let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                    open.push((name, value));
                }
            }
        }
    }
    *left = left.checked_sub(own.len() + 1).ok_or(FragmentError::Cells)?;
    let before = rows.len();
    for (name, items) in lists {
        for item in items {
            let name = if item.is_object() || item.is_array() { format!("{name}[]") } else { name.clone() };
            flatten(&name, item, &own, rows, left)?;
        }
    }
    if rows.len() == before {
        rows.push(own);
    }
    Ok(())
}

fn add_text(text: &mut String, value: &str) -> Result<Range<u32>, FragmentError> {
    let too_many = |_| FragmentError::Cells;
    let start = u32::try_from(text.len()).map_err(too_many)?;
    text.push_str(value);
    Ok(start..u32::try_from(text.len()).map_err(too_many)?)
}

fn read_csv(text: &str, names: Option<&[String]>) -> Result<Table, FragmentError> {
    if let Some(line) = text.split('\n').position(|line| line.len() > LINE_BYTES_MAX) {
        return Err(FragmentError::Line { line: line + 1 });
    }
    let head = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| head.bytes().filter(|byte| byte == delimiter).count();
    // A single column has no delimiter, and whatever is like one in it is none.
    let delimiter = *b",;\t|".iter().rev().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b',');
    let is_single = count(&delimiter) == 0 || names.is_some_and(|names| names.len() == 1);
    let delimiter = if is_single { NO_DELIMITER } else { delimiter };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let columns: Vec<String> = match names {
        Some(names) => names.iter().map(|name| plain_name(name)).collect(),
        None => {
            let first =
                records.next().ok_or(FragmentError::Empty)?.map_err(|_| FragmentError::Csv { line: 1 })?;
            let named: Vec<String> = first.iter().map(plain_name).collect();
            if !named.iter().all(|name| is_name(name)) {
                return Err(FragmentError::Header);
            }
            named
        }
    };
    if columns.len() > COLUMNS_MAX {
        return Err(FragmentError::Columns);
    }
    if (1..columns.len()).any(|at| columns[..at].contains(&columns[at])) {
        return Err(FragmentError::Twice);
    }
    let mut table = Table { columns, ..Table::default() };
    for record in records {
        let line = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
        let record = record.map_err(|error| FragmentError::Csv { line: line(error.position()) })?;
        if record.len() > table.columns.len() {
            return Err(FragmentError::Ragged { line: line(record.position()) });
        }
        for column in 0..table.columns.len() {
            table.cells.push(add_text(&mut table.text, record.get(column).unwrap_or_default())?);
        }
        if table.cells.len() > CELLS_MAX {
            return Err(FragmentError::Cells);
        }
        table.rows += 1;
        table.records += 1;
    }
    if table.rows == 0 { Err(FragmentError::Empty) } else { Ok(table) }
}

/// Whether a text can be the name of a column: what stands in rows about people mostly cannot.
pub fn is_name(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && digits <= NAME_DIGITS_MAX
        && text.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
        && !text.contains(['*', '\n', '/'])
}

#[cfg(test)]
mod tests;
