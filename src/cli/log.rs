//! `salinan log`: create, verify and read the ledger.
//!
//! All but `init` read only, and work beside a running server, on what a crash left and on a copy.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use super::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::domain::{Party, ReleaseId, SystemClock, Wilayah};
use crate::ledger::entry::{Entry, write_time};
use crate::ledger::verify::{Flaw, Report, Verdict};
use crate::ledger::{
    DATABASE_FILE, KEY_FILE, Ledger, LedgerError, LedgerReader, Query, Record, Signer, Verifier,
};

/// Open releases that the table of `verify` names.
const OPEN_SHOWN_MAX: usize = 20;
/// Entries fetched at a time.
const PAGE: u64 = 256;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new ledger, and its signing key where there is none
    Init(Init),
    /// Check every entry, hash and signature; name the first that is wrong
    Verify(Verify),
    /// Print one entry, or all entries of a release
    Show(Show),
    /// Find entries
    Query(Find),
    /// Print the current signed checkpoint
    Checkpoint(Directory),
    /// Print the key that checkpoints are verified with
    Vkey(Directory),
    /// Write the ledger in the file layout of C2SP tlog-tiles, for other tools
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Directory {
    /// The ledger's directory
    #[arg(long, alias = "ledger", value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Init {
    #[command(flatten)]
    directory: Directory,
    /// The ledger's name, without blanks, such as `ledger.kpu.example/dpt`; it stands in every checkpoint
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// Who operates it
    #[arg(long, value_name = "TEXT", default_value = "")]
    operator: String,
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    directory: Directory,
    /// The key you know the ledger by; without it, the key the ledger itself names
    #[arg(long)]
    vkey: Option<String>,
    /// A checkpoint kept elsewhere, which the ledger must have grown from; without it, the ledger's own anchor
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    directory: Directory,
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
struct Find {
    #[command(flatten)]
    directory: Directory,
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

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    directory: Directory,
    /// Where to write; must not hold an export yet
    #[arg(long, value_name = "OUTDIR")]
    tiles: PathBuf,
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Init(args) => init(args),
        Command::Verify(args) => verify(args),
        Command::Show(args) => show(args),
        Command::Query(args) => query(args),
        Command::Checkpoint(args) => {
            let note = open(args)?.checkpoint().map_err(|error| unreadable(args, error))?;
            write!(anstream::stdout(), "{note}")?;
            Ok(Answer::Yes)
        }
        Command::Vkey(args) => {
            let vkeys = own_vkeys(args)?;
            writeln!(anstream::stdout(), "{}", vkeys.join("\n"))?;
            Ok(Answer::Yes)
        }
        Command::Export(args) => {
            let mut reader = open(&args.directory)?;
            let written = reader.export_tiles(&args.tiles);
            written.map_err(|error| Failure::caused("could not export the ledger", error))?;
            Ok(Answer::Yes)
        }
    }
}

fn init(args: &Init) -> Outcome {
    let directory = &args.directory.dir;
    let failed = |error: LedgerError| Failure::caused("could not make the ledger", error);
    if directory.join(DATABASE_FILE).exists() {
        let error = LedgerError::Exists { directory: directory.clone() };
        return Err(failed(error).help("a ledger is never made anew over another; choose an empty directory"));
    }
    fs::create_dir_all(directory).map_err(|error| Failure::caused("could not make the directory", error))?;
    let key = directory.join(KEY_FILE);
    let signer =
        if key.exists() { Signer::load(&key, &args.origin) } else { Signer::generate(&key, &args.origin) };
    let signer = signer.map_err(|error| Failure::caused("could not set up the signing key", error))?;
    let random = Arc::new(SystemRandom::new());
    Ledger::init(directory, &signer, &args.operator, Arc::new(SystemClock), random).map_err(failed)?;
    writeln!(anstream::stdout(), "{}", signer.vkey())?;
    writeln!(
        anstream::stderr(),
        "made a ledger in {}; give the key above to everybody who is to verify it",
        directory.display()
    )?;
    Ok(Answer::Yes)
}

fn verify(args: &Verify) -> Outcome {
    let given = args.vkey.as_ref().map(|vkey| vkey.parse::<Verifier>()).transpose();
    let given = given.map_err(|error| Failure::caused("could not read --vkey", error))?;
    let verdict = match open(&args.directory)?.verify(given.as_ref(), args.anchor.as_deref()) {
        Ok(verdict) => verdict,
        Err(error) => return Err(unreadable(&args.directory, error)),
    };
    match (verdict, args.format) {
        (Verdict::Sound(report), OutputFormat::Table) => print_report(&report, given.is_some())?,
        (Verdict::Sound(report), OutputFormat::Json) => {
            writeln!(anstream::stdout(), "{}", report_json(&report, given.is_some()))?;
        }
        (Verdict::Flawed(flaw), format) => {
            print_flaw(&flaw, format)?;
            return Ok(Answer::No);
        }
    }
    Ok(Answer::Yes)
}

fn print_report(report: &Report, key_given: bool) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    let mut table = print::table(&["the ledger is", "sound"]);
    table.add_row(["entries", &report.size.to_string()]);
    table.add_row(["root", &report.root.to_string()]);
    table.add_row(["key", &report.verifier.to_string()]);
    table.add_row(["key known by", if key_given { "--vkey" } else { "the ledger's own word" }]);
    table.add_row(["anchor", if report.anchored { "agrees" } else { "not there" }]);
    table.add_row(["first entry", &time(report.first_ms)]);
    table.add_row(["last entry", &time(report.last_ms)]);
    for (kind, count) in &report.kinds {
        table.add_row([*kind, &count.to_string()]);
    }
    table.add_row(["open releases", &report.open.len().to_string()]);
    writeln!(out, "{table}")?;
    for (intent, release) in report.open.iter().take(OPEN_SHOWN_MAX) {
        writeln!(out, "open: {release}, intent at {intent}")?;
    }
    if report.open.len() > OPEN_SHOWN_MAX {
        writeln!(out, "and {} more", report.open.len() - OPEN_SHOWN_MAX)?;
    }
    if !key_given {
        let mut talk = anstream::stderr();
        writeln!(talk, "note: without --vkey a ledger written anew from the start is not noticed")?;
    }
    Ok(())
}

fn report_json(report: &Report, key_given: bool) -> Value {
    let open: Vec<Value> =
        report.open.iter().map(|(intent, release)| json!({"release": release, "intent": intent})).collect();
    json!({
        "sound": true,
        "size": report.size,
        "root": report.root,
        "vkey": report.verifier.to_string(),
        "vkey_given": key_given,
        "anchored": report.anchored,
        "first": time(report.first_ms),
        "last": time(report.last_ms),
        "types": report.kinds,
        "open": open,
    })
}

fn print_flaw(flaw: &Flaw, format: OutputFormat) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match (format, flaw.index) {
        (OutputFormat::Json, index) => {
            writeln!(out, "{}", json!({"sound": false, "index": index, "why": flaw.to_string()}))?;
        }
        (OutputFormat::Table, Some(index)) => writeln!(out, "not sound at entry {index}: {flaw}")?,
        (OutputFormat::Table, None) => writeln!(out, "not sound: {flaw}")?,
    }
    Ok(())
}

fn show(args: &Show) -> Outcome {
    let mut reader = open(&args.directory)?;
    let found = if let Ok(index) = args.what.parse::<u64>() {
        reader.at(index).map(|record| record.into_iter().collect())
    } else if let Ok(release) = args.what.parse::<ReleaseId>() {
        reader.find(&Query { release: Some(release), ..Query::default() }, 0, PAGE)
    } else {
        return Err(Failure::new("neither an index nor a release's id was given"));
    };
    let records: Vec<Record> = found.map_err(|error| unreadable(&args.directory, error))?;
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

fn query(args: &Find) -> Outcome {
    let query = Query {
        kind: args.kind.clone(),
        release: args.release,
        party: args.party.clone(),
        wilayah: args.wilayah,
        outcome: args
            .outcome
            .and_then(|word| word.to_possible_value())
            .map(|word| word.get_name().to_owned()),
        from_ms: args.from.map(unix_ms),
        until_ms: args.until.map(unix_ms),
    };
    let mut reader = open(&args.directory)?;
    let mut out = anstream::stdout();
    let mut table =
        print::table(&["index", "time", "type", "release", "party", "wilayah", "outcome", "code"]);
    let (mut from, mut left) = (0, args.limit);
    loop {
        let count = left.min(PAGE);
        let page = reader.find(&query, from, count).map_err(|error| unreadable(&args.directory, error))?;
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
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Text that came with a token must not command the reader's terminal.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        if c.is_control() {
            plain.extend(c.escape_default())
        } else {
            plain.push(c)
        }
        plain
    })
}

/// The keys that the first entry names.
fn own_vkeys(directory: &Directory) -> Result<Vec<String>, Failure> {
    match open(directory)?.at(0).map_err(|error| unreadable(directory, error))? {
        Some(Record { entry: Entry::Genesis(genesis), .. }) => Ok(genesis.vkeys),
        _ => Err(Failure::new("the ledger does not begin with log.genesis")),
    }
}

fn open(directory: &Directory) -> Result<LedgerReader, Failure> {
    LedgerReader::open(&directory.dir).map_err(|error| match error {
        LedgerError::Missing { .. } => Failure::caused("could not open the ledger", error)
            .help("`salinan log init --dir DIR --origin NAME` makes one"),
        error => unreadable(directory, error),
    })
}

fn unreadable(directory: &Directory, error: LedgerError) -> Failure {
    Failure::caused(format!("could not read the ledger in {}", directory.dir.display()), error)
}

fn time(unix_ms: u64) -> String {
    write_time(unix_ms).unwrap_or_default()
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
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(plain("a\u{1b}[2Jb\nc \u{e9}"), "a\\u{1b}[2Jb\\nc \u{e9}");
    }
}
