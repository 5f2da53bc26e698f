//! Rows for auditors, as a table, as CSV or as JSON. They are printed as they come: a sheet of millions of rows needs
//! the memory of a few.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use clap::ValueEnum;
use comfy_table::Table;
use serde::Serialize;
use serde_json::Value;

use crate::cli::print::{self, Failure};

/// Rows that one table lays out together; the next ones begin another table.
const PAGE: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    Csv,
    Json,
}

/// One line of an answer. As it is serialised it stands in the JSON.
pub trait Row: Serialize {
    /// Heads of the CSV.
    const COLUMNS: &'static [&'static str];
    /// Heads of the table.
    const HEADS: &'static [&'static str];

    /// Cells of the CSV.
    fn cells(&self) -> Vec<String>;

    /// Cells of the table, which may have several lines; text from outside is [`plain`].
    fn shown(&self) -> Vec<String>;
}

/// What was asked, for the head of the JSON.
#[derive(Debug, Serialize)]
pub struct Asked<'a> {
    pub question: &'a str,
    pub parameters: &'a [(&'static str, String)],
    /// Entries of the ledger that the answer is from.
    pub size: u64,
}

pub struct Sheet {
    out: Out,
    heads: &'static [&'static str],
    rows: u64,
}

enum Out {
    Table(Box<Table>),
    Csv(Box<csv::Writer<StdoutLock<'static>>>),
    Json(BufWriter<StdoutLock<'static>>),
}

impl Sheet {
    pub fn begin<R: Row>(format: Format, asked: &Asked<'_>) -> Result<Self, Failure> {
        let out = match format {
            Format::Table => Out::Table(Box::new(print::table(R::HEADS))),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(io::stdout().lock());
                writer.write_record(R::COLUMNS).map_err(unwritten)?;
                Out::Csv(Box::new(writer))
            }
            Format::Json => {
                let mut out = BufWriter::new(io::stdout().lock());
                let head = serde_json::to_string(asked).map_err(unwritten)?;
                write!(out, "{},\"rows\":[", head.trim_end_matches('}'))?;
                Out::Json(out)
            }
        };
        Ok(Self { out, heads: R::HEADS, rows: 0 })
    }

    pub fn add<R: Row>(&mut self, row: &R) -> Result<(), Failure> {
        match &mut self.out {
            Out::Table(table) => {
                table.add_row(row.shown());
                if table.row_count() == PAGE {
                    writeln!(anstream::stdout(), "{table}")?;
                    **table = print::table(self.heads);
                }
            }
            Out::Csv(writer) => {
                writer.write_record(row.cells().iter().map(|cell| unarmed(cell))).map_err(unwritten)?;
            }
            Out::Json(out) => {
                out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(out, row).map_err(unwritten)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the sheet, with these further members in the JSON, and gives the number of rows.
    pub fn end(self, further: &[(&str, Value)]) -> Result<u64, Failure> {
        match self.out {
            Out::Table(table) if self.rows == 0 || !table.is_empty() => {
                writeln!(anstream::stdout(), "{table}")?;
            }
            Out::Table(_) => {}
            Out::Csv(mut writer) => writer.flush()?,
            Out::Json(mut out) => {
                out.write_all(b"\n]")?;
                for (name, value) in further {
                    write!(out, ",\"{name}\":{value}")?;
                }
                out.write_all(b"}\n")?;
                out.flush()?;
            }
        }
        Ok(self.rows)
    }
}

fn unwritten(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::caused("could not write the answer", error)
}

/// Text that came with a token must not command the reader's terminal.
pub fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        if c.is_control() {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
        plain
    })
}

/// Text that came with a token must not command the reader's spreadsheet either.
fn unarmed(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_commands_neither_terminal_nor_spreadsheet() {
        assert_eq!(plain("a\u{1b}[2Jb\nc \u{e9}"), "a\\u{1b}[2Jb\\nc \u{e9}");
        for (cell, expected) in [("=1+1", "'=1+1"), ("@x", "'@x"), ("-1", "'-1"), ("a=1", "a=1"), ("", "")] {
            assert_eq!(unarmed(cell), expected);
        }
    }
}
