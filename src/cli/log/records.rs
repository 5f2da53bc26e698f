//! `salinan log show` and `salinan log query`: entries as a table, as CSV or as JSON.

use std::fmt;
use std::io::Write as _;

use clap::ValueEnum;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::ask::{Asker, Common};
use super::reads::read_word;
use super::row::text as cell;
use super::sheet::{Format, Row, Sheet, plain};
use super::when::Zone;
use super::{Place, unreadable};
use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::domain::{Party, ReleaseId, Wilayah};
use crate::ledger::entry::Entry;
use crate::ledger::{Entries, Query, Record};

/// Entries fetched at a time.
const PAGE: u64 = 256;
/// No ledger grows so large. What is asked is recorded, and a number of a person must not be.
const INDEX_MAX: u64 = 10_000_000_000_000;

#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    place: Place,
    /// An index, or a release's id
    #[arg(value_name = "INDEX|RELEASE")]
    what: String,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    #[command(flatten)]
    asker: Asker,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OutcomeWord {
    Complete,
    Aborted,
    Failed,
    Reconciled,
    Refused,
}

#[derive(Debug, clap::Args)]
pub struct Find {
    #[command(flatten)]
    common: Common,
    /// Entries of this type, such as `release.intent`
    #[arg(long = "type", value_name = "TYPE", value_parser = read_kind)]
    kind: Option<String>,
    /// Intents and refusals of this party
    #[arg(long, value_name = "ELECTION/NUMBER", value_parser = read_party)]
    party: Option<Party>,
    /// Intents and refusals for this area and all inside it
    #[arg(long, value_name = "CODE")]
    wilayah: Option<Wilayah>,
    /// Entries of this release
    #[arg(long, value_name = "ID")]
    release: Option<ReleaseId>,
    /// Ends of this kind
    #[arg(long, value_enum)]
    outcome: Option<OutcomeWord>,
    /// At most this many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u64,
}

/// An entry in a line: its own bytes stand in the last cell of the CSV.
#[derive(Debug, Serialize)]
pub struct EntryRow {
    index: u64,
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    release: Option<ReleaseId>,
    party: Option<String>,
    wilayah: Option<String>,
    outcome: Option<&'static str>,
    code: Option<String>,
    leaf: String,
}

impl EntryRow {
    pub fn of(record: Record, zone: Zone) -> Self {
        let card = record.entry.card(record.stamp.ts_ms);
        Self {
            index: record.index,
            time: zone.show(record.stamp.ts_ms),
            kind: card.kind,
            release: record.entry.release(),
            party: card.party,
            wilayah: card.wilayah,
            outcome: card.outcome,
            code: card.code,
            leaf: record.leaf,
        }
    }
}

impl Row for EntryRow {
    const COLUMNS: &'static [&'static str] =
        &["index", "time", "type", "release", "party", "wilayah", "outcome", "code", "entry"];
    const HEADS: &'static [&'static str] =
        &["index", "time", "type", "release", "party", "wilayah", "outcome", "code"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.index.to_string(),
            self.time.clone(),
            self.kind.to_owned(),
            cell(self.release),
            cell(self.party.as_ref()),
            cell(self.wilayah.as_ref()),
            cell(self.outcome),
            cell(self.code.as_ref()),
            self.leaf.clone(),
        ]
    }

    fn shown(&self) -> Vec<String> {
        let mut cells: Vec<String> = self.cells().iter().map(|cell| plain(cell)).collect();
        cells.pop();
        cells
    }
}

pub fn show(args: &Show) -> Outcome {
    let index = args.what.parse::<u64>().ok().filter(|index| *index < INDEX_MAX);
    let release = args.what.parse::<ReleaseId>().ok();
    let name = match (index, release) {
        (Some(_), _) => "index",
        (None, Some(_)) => "release",
        (None, None) => return Err(Failure::new("neither an index nor a release's id was given")),
    };
    let (mut reader, _) = args.asker.open(&args.place, "show", &[(name, args.what.clone())])?;
    let found = match index {
        Some(index) => reader.at(index).map(|record| record.into_iter().collect()),
        None => reader.find(&Query { release, ..Query::default() }, 0, PAGE),
    };
    let records: Vec<Record> = found.map_err(|error| unreadable(&args.place, error))?;
    if records.is_empty() {
        writeln!(anstream::stderr(), "there is no such entry")?;
        return Ok(Answer::No);
    }
    let mut out = anstream::stdout();
    for record in &records {
        match args.format {
            OutputFormat::Json => writeln!(out, "{}", record_json(record))?,
            OutputFormat::Table => {
                let mut table = print::table(&["index", &record.index.to_string()]);
                for (name, value) in fields(record) {
                    table.add_row([name, text(&value)]);
                }
                writeln!(out, "{table}")?;
            }
        }
    }
    Ok(Answer::Yes)
}

pub fn query(args: &Find) -> Outcome {
    let common = &args.common;
    let outcome =
        args.outcome.and_then(|word| word.to_possible_value()).map(|word| word.get_name().to_owned());
    let given = [
        ("type", args.kind.clone()),
        ("party", args.party.as_ref().map(ToString::to_string)),
        ("wilayah", args.wilayah.map(|wilayah| wilayah.to_string())),
        ("release", args.release.map(|release| release.to_string())),
        ("outcome", outcome.clone()),
    ];
    let parameters = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut question = common.begin("query", parameters)?;
    let query = Query {
        kind: args.kind.clone(),
        release: args.release,
        party: args.party.clone(),
        wilayah: args.wilayah,
        outcome,
        ..common.query()
    };
    let mut found = Entries::of([query]);
    let mut sheet = match common.format {
        // A line is an entry, so that its own bytes can be cut out.
        Format::Json => None,
        format => Some(Sheet::begin::<EntryRow>(format, &question.asked())?),
    };
    let mut out = anstream::stdout();
    for _ in 0..args.limit {
        let Some(record) = question.next(&mut found)? else { break };
        match &mut sheet {
            None => writeln!(out, "{}", record_json(&record))?,
            Some(sheet) => sheet.add(&EntryRow::of(record, common.period.zone))?,
        }
    }
    if let Some(sheet) = sheet {
        sheet.end(&[])?;
    }
    if question.next(&mut found)?.is_some() {
        writeln!(anstream::stderr(), "there are more: --limit N shows more than {}", args.limit)?;
    }
    Ok(Answer::Yes)
}

/// The leaf stands in it byte for byte.
fn record_json(record: &Record) -> String {
    format!("{{\"index\":{},\"entry\":{}}}", record.index, record.leaf)
}

/// The leaf's members, nested ones named with dots.
fn fields(record: &Record) -> Vec<(String, Value)> {
    let Ok(Members(leaf)) = serde_json::from_str(&record.leaf) else { return Vec::new() };
    let mut fields = Vec::new();
    for (name, value) in leaf {
        match value {
            Value::Object(inner) => {
                fields.extend(inner.into_iter().map(|(own, value)| (format!("{name}.{own}"), value)));
            }
            value => fields.push((name, value)),
        }
    }
    fields
}

/// The members of an object in the order they are written.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => "-".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(": "),
                other => text(other),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Object(counts) => counts
            .iter()
            .map(|(name, count)| format!("{} {name}", text(count)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn read_kind(text: &str) -> Result<String, String> {
    if Entry::KINDS.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("the types are {}", Entry::KINDS.join(", ")))
    }
}

pub fn read_party(text: &str) -> Result<Party, String> {
    let party = text.rsplit_once('/').and_then(|(election, number)| {
        Some(Party { election: read_word(election).ok()?, number: number.parse().ok()? })
    });
    party.ok_or_else(|| "a party is ELECTION/NUMBER, such as pemilu-2024/7".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_and_types_are_read_or_explained() {
        let cases = [
            ("pemilu-2024/7", Some(("pemilu-2024", 7))),
            ("pilkada/2024/7", Some(("pilkada/2024", 7))),
            ("pemilu-2024", None),
            ("pemilu-2024/", None),
            ("pemilu-2024/70000", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(election, number)| Party { election: election.to_owned(), number });
            assert_eq!(read_party(text).ok(), expected, "{text}");
        }
        assert!(read_kind("release.intent").is_ok());
        assert!(read_kind("intent").is_err());
    }

    #[test]
    fn lists_are_shown_line_by_line() {
        let cases = [
            (r#"[["nik","mask(6,0)"],["nama","keep"]]"#, "nik: mask(6,0)\nnama: keep"),
            (
                r#"[["nik",{"changed":3,"swept":0,"unreadable":1}],["nama",{"changed":0,"swept":2,"unreadable":0}]]"#,
                "nik: 3 changed, 0 swept, 1 unreadable\nnama: 0 changed, 2 swept, 0 unreadable",
            ),
            ("[]", ""),
            ("null", "-"),
        ];
        for (json, expected) in cases {
            assert_eq!(text(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
    }
}
