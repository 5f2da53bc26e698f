//! `salinan log`: create, verify and read the ledger.
//!
//! All but `init`, `freeze`, `rotate` and `continue` read only, and work beside a running server, on what a crash left and on
//! a copy. What reads entries leaves word of itself to whoever writes the ledger: see `reads`.

mod ask;
mod backup;
mod changes;
mod doctor;
mod due;
mod export;
mod operate;
mod place;
mod reads;
mod records;
mod refusals;
mod releases;
mod row;
mod sheet;
mod trace;
mod when;
mod witness;
mod witnessed;

pub(super) use witnessed::load as load_policy;

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use clap::Subcommand;
use serde_json::{Value, json};
use witnessed::Witnessed;

use self::place::Place;
use super::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::domain::SystemClock;
use crate::ledger::leaf::write_time;
use crate::ledger::verify::{Flaw, Report, Verdict, Why};
use crate::ledger::{
    COSIGNED_FILE, DATABASE_FILE, KEY_FILE, Ledger, LedgerError, LedgerReader, Signer, Verifier,
};

/// Open releases that the table of `verify` names.
const OPEN_SHOWN_MAX: usize = 20;

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
    Show(records::Show),
    /// Find entries
    Query(records::Find),
    Party(releases::ByParty),
    Area(releases::ByArea),
    Policy(releases::ByPolicy),
    Open(releases::Open),
    Refusals(refusals::Refusals),
    Changes(changes::Changes),
    Trace(trace::Args),
    /// Tell what is still owed to which party, by a register of entitled parties and areas
    Due(due::Due),
    /// Print the current signed checkpoint
    Checkpoint(Place),
    /// Print the keys that checkpoints are verified with, the first one first: more than one after `rotate`
    Vkey(Place),
    /// Tell whether disk, files and settings are fit to keep the ledger; times its syncs
    Doctor(doctor::Doctor),
    /// Copy the ledger into another folder, beside a running server, and verify the copy
    Backup(backup::Backup),
    /// End an election: from now on no copy of its lists is handed over
    Freeze(operate::Freeze),
    /// Hand the ledger over to a new signing key; the server must be stopped
    Rotate(operate::Rotate),
    /// Go on although the newest part of the ledger is lost, and say so in it for ever; the server must be stopped
    ///
    /// A ledger smaller than its anchor is an old copy put back, and no server starts on it. Look for the newest copy
    /// first. Only when there is none: this enters from where on the record is missing. Every checkpoint that was
    /// signed of the missing part, in whatever hand, shows the gap.
    Continue(operate::Continue),
    Export(export::Export),
    Witness(witness::Witness),
}

#[derive(Debug, clap::Args)]
struct Init {
    #[command(flatten)]
    place: Place,
    /// The ledger's name, without blanks, such as `ledger.kpu.example/dpt`; it stands in every checkpoint
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// Who operates it
    #[arg(long, value_name = "TEXT", default_value = "")]
    operator: String,
    /// With `--store`: the role of the service, made where there is none; it may insert entries and no more
    #[arg(long, value_name = "NAME", default_value = "salinan")]
    role: String,
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    /// The key you know the ledger by; without it, the key the ledger itself names
    #[arg(long)]
    vkey: Option<String>,
    /// A checkpoint kept elsewhere, which the ledger must have grown from; without it, the ledger's own anchor
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Ask also for a checkpoint of this ledger that enough witnesses signed, by a file of C2SP tlog-policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The checkpoint that witnesses signed; without it, the one that the server keeps in the ledger's directory
    #[arg(long, value_name = "FILE", requires = "policy")]
    witnessed: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Init(args) => init(args),
        Command::Verify(args) => verify(args),
        Command::Show(args) => records::show(args),
        Command::Query(args) => records::query(args),
        Command::Party(args) => releases::party(args),
        Command::Area(args) => releases::area(args),
        Command::Policy(args) => releases::policy(args),
        Command::Open(args) => releases::open(args),
        Command::Refusals(args) => refusals::refusals(args),
        Command::Changes(args) => changes::changes(args),
        Command::Trace(args) => trace::run(args),
        Command::Due(args) => due::run(args),
        Command::Witness(args) => witness::run(args),
        Command::Checkpoint(args) => {
            let note = open(args)?.checkpoint().map_err(|error| unreadable(args, error))?;
            write!(anstream::stdout(), "{note}")?;
            Ok(Answer::Yes)
        }
        Command::Vkey(args) => {
            let keys = open(args)?.keys().map_err(|error| unreadable(args, error))?;
            for key in keys.iter() {
                writeln!(anstream::stdout(), "{key}")?;
            }
            Ok(Answer::Yes)
        }
        Command::Doctor(args) => doctor::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Freeze(args) => operate::freeze(args),
        Command::Rotate(args) => operate::rotate(args),
        Command::Continue(args) => operate::go_on(args),
        Command::Export(args) => export::run(args),
    }
}

fn init(args: &Init) -> Outcome {
    let directory = args.place.directory()?;
    let failed = |error: LedgerError| {
        let is_there = matches!(error, LedgerError::Exists { .. });
        let failure = Failure::caused("could not make the ledger", error);
        if is_there {
            failure.help("a ledger is never made anew over another; choose another place")
        } else {
            failure
        }
    };
    let server = args.place.server()?;
    if server.is_none() && directory.join(DATABASE_FILE).exists() {
        return Err(failed(LedgerError::Exists { place: directory.display().to_string() }));
    }
    // The ledger names people who asked: not for everybody on this machine.
    let made = DirBuilder::new().recursive(true).mode(0o750).create(directory);
    made.map_err(|error| Failure::caused("could not make the directory", error))?;
    let key = directory.join(KEY_FILE);
    let signer =
        if key.exists() { Signer::load(&key, &args.origin) } else { Signer::generate(&key, &args.origin) };
    let signer = signer.map_err(|error| Failure::caused("could not set up the signing key", error))?;
    let random = Arc::new(SystemRandom::new());
    let clock = Arc::new(SystemClock);
    let made = match &server {
        Some(server) => {
            Ledger::init_on(server, &args.role, directory, &signer, &args.operator, clock, random)
        }
        None => Ledger::init(directory, &signer, &args.operator, clock, random),
    };
    made.map_err(failed)?;
    writeln!(anstream::stdout(), "{}", signer.vkey())?;
    writeln!(
        anstream::stderr(),
        "made a ledger in {}; give the key above to everybody who is to verify it",
        args.place
    )?;
    Ok(Answer::Yes)
}

fn verify(args: &Verify) -> Outcome {
    let given = args.vkey.as_ref().map(|vkey| vkey.parse::<Verifier>()).transpose();
    let given = given.map_err(|error| Failure::caused("could not read --vkey", error))?;
    let policy = args.policy.as_deref().map(witnessed::load).transpose()?;
    let verdict =
        read(&args.place).and_then(|mut reader| reader.verify(given.as_ref(), args.anchor.as_deref()));
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(LedgerError::Store(error)) if error.is_damage() => {
            Verdict::Flawed(Flaw { index: None, why: Why::Damaged })
        }
        Err(error) => return Err(unreadable(&args.place, error)),
    };
    match (verdict, args.format) {
        (Verdict::Sound(report), format) => {
            let look = |policy| {
                let path = args
                    .witnessed
                    .clone()
                    .unwrap_or_else(|| args.place.dir.clone().unwrap_or_default().join(COSIGNED_FILE));
                let mut reader = open(&args.place)?;
                Witnessed::look(policy, &path, &mut reader, report.size, &report.keys)
                    .map_err(|error| unreadable(&args.place, error))
            };
            let witnessed = policy.as_ref().map(look).transpose()?;
            match format {
                OutputFormat::Table => print_report(&report, given.is_some(), witnessed.as_ref())?,
                OutputFormat::Json => {
                    let mut document = report_json(&report, given.is_some());
                    if let Some(witnessed) = &witnessed {
                        document["witnessed"] = witnessed.json();
                    }
                    writeln!(anstream::stdout(), "{document}")?;
                }
            }
            Ok(if witnessed.is_none_or(|witnessed| witnessed.is_met()) { Answer::Yes } else { Answer::No })
        }
        (Verdict::Flawed(flaw), format) => {
            print_flaw(&flaw, format)?;
            Ok(Answer::No)
        }
    }
}

fn print_report(report: &Report, key_given: bool, witnessed: Option<&Witnessed>) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    let mut table = print::table(&["the ledger is", "sound"]);
    table.add_row(["entries", &report.size.to_string()]);
    table.add_row(["root", &report.root.to_string()]);
    table.add_row(["key", &vkeys(report).join("\n")]);
    table.add_row(["key known by", if key_given { "--vkey" } else { "the ledger's own word" }]);
    table.add_row(["anchor", if report.anchored { "agrees" } else { "not there" }]);
    table.add_row(["first entry", &time(report.first_ms)]);
    table.add_row(["last entry", &time(report.last_ms)]);
    for (kind, count) in &report.kinds {
        table.add_row([kind, &count.to_string()]);
    }
    table.add_row(["open releases", &report.open.len().to_string()]);
    for (election, index) in &report.frozen {
        table.add_row(["election is over", &format!("{election}, by entry {index}")]);
    }
    for (from, until) in &report.lost {
        let range = format!("what was signed from {from} to {until}, as entry {from} says");
        table.add_row(["lost", &range]);
    }
    if let Some(witnessed) = witnessed {
        witnessed.add_to(&mut table);
    }
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

/// The keys that signed, the first one first.
fn vkeys(report: &Report) -> Vec<String> {
    report.keys.iter().map(ToString::to_string).collect()
}

fn report_json(report: &Report, key_given: bool) -> Value {
    let open: Vec<Value> =
        report.open.iter().map(|(intent, release)| json!({"release": release, "intent": intent})).collect();
    json!({
        "sound": true,
        "size": report.size,
        "root": report.root,
        "vkey": report.keys.current().map(ToString::to_string),
        "vkeys": vkeys(report),
        "vkey_given": key_given,
        "anchored": report.anchored,
        "first": time(report.first_ms),
        "last": time(report.last_ms),
        "types": report.kinds,
        "open": open,
        "frozen": report.frozen,
        "lost": report.lost,
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

/// The one way to a ledger that is only read.
fn read(place: &Place) -> Result<LedgerReader, LedgerError> {
    LedgerReader::open_at(&place.store()?, place.dir.as_deref())
}

fn open(place: &Place) -> Result<LedgerReader, Failure> {
    read(place).map_err(|error| unreadable(place, error))
}

fn unreadable(place: &Place, error: LedgerError) -> Failure {
    if matches!(error, LedgerError::Missing { .. }) {
        return Failure::caused("could not open the ledger", error)
            .help("`salinan log init --dir DIR --origin NAME` makes one");
    }
    Failure::caused(format!("could not read the ledger in {place}"), error)
}

fn time(unix_ms: u64) -> String {
    write_time(unix_ms).unwrap_or_default()
}
