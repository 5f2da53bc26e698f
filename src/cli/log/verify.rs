//! `salinan log verify`: every entry, hash and signature, with a bar for those who wait.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::witnessed::{self, Witnessed};
use super::{Place, open, read, time, unreadable};
use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::cli::progress::Bar;
use crate::config;
use crate::ledger::verify::{Flaw, Report, Seal, Verdict, Verification, Verified, Why};
use crate::ledger::{COSIGNED_FILE, LedgerError, Verifier, anchor};

/// Open releases that the table of `verify` names.
const OPEN_SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Verify {
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
    /// Go on from what `--save` wrote: entries that were verified then are not looked at again
    ///
    /// The ledger must begin with the very tree that was verified. The entries, hashes and index cards before are not
    /// read again, and neither are the database's own structures and indexes, unless --structures is given.
    #[arg(long, value_name = "FILE", requires = "seal")]
    from: Option<PathBuf>,
    /// Write now and then, and at the end, how far it is, for `--from`; may be the same file
    #[arg(long, value_name = "FILE", requires = "seal")]
    save: Option<PathBuf>,
    /// A secret of yours, 64 hexadecimal digits; a file saved with another one is refused. Keep it where nobody who can
    /// write to that file can read it
    #[arg(long, value_name = "FILE")]
    seal: Option<PathBuf>,
    /// With --from: look at the database's own structures and indexes all the same, which takes as long as reading all
    #[arg(long, requires = "from")]
    structures: bool,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &Verify) -> Outcome {
    let given = args.vkey.as_ref().map(|vkey| vkey.parse::<Verifier>()).transpose();
    let given = given.map_err(|error| Failure::caused("could not read --vkey", error))?;
    let policy = args.policy.as_deref().map(witnessed::load).transpose()?;
    let seal = args.seal.as_deref().map(config::seal).transpose();
    let seal = seal.map_err(|error| Failure::caused("could not use the secret of --seal", error))?;
    let from = match (&args.from, &seal) {
        (Some(path), Some(seal)) => Some(saved(path, seal)?),
        _ => None,
    };
    let mut save = |verified: &Verified| match (&args.save, &seal) {
        (Some(path), Some(seal)) => {
            let failed = |error: io::Error| LedgerError::Save { path: path.clone(), source: error.into() };
            anchor::write(path, &verified.write(seal)?).map_err(failed)
        }
        _ => Ok(()),
    };
    let mut bar = Bar::of_entries(args.format == OutputFormat::Table);
    let verdict = read(&args.place).and_then(|mut reader| {
        reader.verify_by(Verification {
            verifier: given.as_ref(),
            anchor: args.anchor.as_deref(),
            from,
            structures: args.structures,
            progress: Some(&mut |done, all| bar.set(done, all)),
            keep: Some(&mut save),
        })
    });
    drop(bar);
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(LedgerError::Store(error)) if error.is_damage() => {
            Verdict::Flawed(Flaw { index: None, why: Why::Damaged })
        }
        Err(error @ (LedgerError::Resume(_) | LedgerError::OtherLedger)) => {
            return Err(Failure::caused("could not go on from --from", error)
                .help("without --from everything is verified from the beginning"));
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
                Witnessed::look(policy, &path, &mut reader, &report)
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
    if let Some(base) = &report.base {
        table.add_row(["verified before", &format!("{} entries, not looked at again", base.size)]);
    }
    table.add_row(["structures and indexes", &looked_at(report)]);
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

/// When the database's own structures were looked at.
fn looked_at(report: &Report) -> String {
    match report.structures {
        Some(size) if size == report.size => "agree".to_owned(),
        Some(size) => format!("agreed at {size} entries; not looked at again"),
        None => "never looked at: use --structures".to_owned(),
    }
}

/// What an earlier run left, sealed with this secret.
fn saved(path: &Path, seal: &Seal) -> Result<Verified, Failure> {
    let failed = || format!("could not go on from {}", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::caused(failed(), error))?;
    Verified::read(&text, seal).map_err(|error| {
        Failure::caused(failed(), error).help("without --from everything is verified from the beginning")
    })
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
        "verified_before": report.base.map(|base| base.size),
        "structures_at": report.structures,
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
