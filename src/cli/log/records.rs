//! `salinan log show` and `salinan log query`: entries as a table or as JSON.

use std::fmt;
use std::io::Write as _;

use clap::ValueEnum;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Place, open, time, unreadable};
use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::domain::{Party, ReleaseId, Wilayah};
use crate::ledger::entry::Entry;
use crate::ledger::{Query, Record};

/// Entries fetched at a time.
const PAGE: u64 = 256;

#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    place: Place,
    /// An index, or a release's id
    #[arg(value_name = "INDEX|RELEASE")]
    what: String,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
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
    place: Place,
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
    /// From this moment on
    #[arg(long, value_name = "RFC3339")]
    from: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,
    /// At most this many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u64,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn show(args: &Show) -> Outcome {
    let mut reader = open(&args.place)?;
    let found = if let Ok(index) = args.what.parse::<u64>() {
        reader.at(index).map(|record| record.into_iter().collect())
    } else if let Ok(release) = args.what.parse::<ReleaseId>() {
        reader.find(&Query { release: Some(release), ..Query::default() }, 0, PAGE)
    } else {
        return Err(Failure::new("neither an index nor a release's id was given"));
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
    let query = Query {
        kind: args.kind.clone(),
        release: args.release,
        party: args.party.clone(),
        wilayah: args.wilayah,
        area: None,
        outcome: args
            .outcome
            .and_then(|word| word.to_possible_value())
            .map(|word| word.get_name().to_owned()),
        from_ms: args.from.map(unix_ms),
        until_ms: args.until.map(unix_ms),
    };
    let mut reader = open(&args.place)?;
    let mut out = anstream::stdout();
    let mut table =
        print::table(&["index", "time", "type", "release", "party", "wilayah", "outcome", "code"]);
    let (mut from, mut left) = (0, args.limit);
    loop {
        let count = left.min(PAGE);
        let page = reader.find(&query, from, count).map_err(|error| unreadable(&args.place, error))?;
        for record in &page {
            match args.format {
                OutputFormat::Json => writeln!(out, "{}", record_json(record))?,
                OutputFormat::Table => drop(table.add_row(row(record))),
            }
            from = record.index + 1;
            left -= 1;
        }
        if left == 0 || (page.len() as u64) < count {
            break;
        }
    }
    if args.format == OutputFormat::Table {
        writeln!(out, "{table}")?;
    }
    Ok(Answer::Yes)
}

fn row(record: &Record) -> [String; 8] {
    let card = record.entry.card(record.stamp.ts_ms);
    [
        record.index.to_string(),
        time(record.stamp.ts_ms),
        card.kind.to_owned(),
        record.entry.release().map(|release| release.to_string()).unwrap_or_default(),
        plain(&card.party.unwrap_or_default()),
        card.wilayah.unwrap_or_default(),
        card.outcome.unwrap_or_default().to_owned(),
        plain(&card.code.unwrap_or_default()),
    ]
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

/// Text that came with a token must not command the reader's terminal.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        if c.is_control() {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
        plain
    })
}

/// Moments before 1970 are all alike to a ledger.
fn unix_ms(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0)
}

fn read_kind(text: &str) -> Result<String, String> {
    if Entry::KINDS.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("the types are {}", Entry::KINDS.join(", ")))
    }
}

fn read_party(text: &str) -> Result<Party, String> {
    let party = text.rsplit_once('/').and_then(|(election, number)| {
        Some(Party { election: election.to_owned(), number: number.parse().ok()? })
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

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(plain("a\u{1b}[2Jb\nc \u{e9}"), "a\\u{1b}[2Jb\\nc \u{e9}");
    }
}
