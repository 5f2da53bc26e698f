//! `salinan log doctor`: whether the disk, the files and the settings under a ledger are fit to keep it; or the server
//! (`doctor_server`).
//!
//! It writes one small file beside the ledger to time its syncs, and takes it away again; else it only looks.

use std::fs::{self, Metadata, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::operate::Own;
use super::{doctor_server, open, unreadable};
use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::ledger::{DATABASE_FILE, LedgerReader, Signer};
use crate::store::sqlite::{ENGINE_NEEDED, engine};

/// Writes that are timed, each of a page.
const SYNCS: usize = 64;
const PAGE_BYTES: usize = 4_096;
/// A copy waits for some syncs; with slower ones it is refused before its record is durable.
pub(super) const SYNC_MAX: Duration = Duration::from_millis(20);
/// No disk writes faster than this; what does keeps nothing.
const SYNC_MIN: Duration = Duration::from_micros(5);
/// Less room than this is a matter of days.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// A log that grows on is not emptied: somebody reads without end.
const LOG_BYTES_MAX: u64 = 512 << 20;

#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    own: Own,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    /// It works, and could be better.
    Advice,
    Wrong,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    state: State,
    found: String,
    /// What to do where it is not good.
    help: Option<&'static str>,
}

impl Finding {
    pub(super) fn of(
        check: &'static str,
        is_good: bool,
        found: impl Into<String>,
        help: &'static str,
    ) -> Self {
        let state = if is_good { State::Good } else { State::Wrong };
        Self { check, state, found: found.into(), help: (!is_good).then_some(help) }
    }

    pub(super) fn or_advice(mut self) -> Self {
        if self.state == State::Wrong {
            self.state = State::Advice;
        }
        self
    }
}

pub fn run(args: &Doctor) -> Outcome {
    let own = &args.own;
    let mut reader = open(own.place())?;
    let mut findings = match own.place().server()? {
        Some(server) => {
            let mut findings =
                doctor_server::findings(&server).map_err(|error| unreadable(own.place(), error.into()))?;
            if let Some(directory) = &own.place().dir {
                findings.extend(files(own, directory));
            }
            findings
        }
        None => of_file(own, own.place().directory()?)?,
    };
    findings.extend(record(own, &mut reader).map_err(|error| unreadable(own.place(), error))?);
    print(&findings, args.format)?;
    let is_wrong = findings.iter().any(|finding| finding.state == State::Wrong);
    Ok(if is_wrong { Answer::No } else { Answer::Yes })
}

/// What is said of a ledger in a file.
fn of_file(own: &Own, directory: &Path) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![
        Finding::of(
            "engine",
            engine().0 >= ENGINE_NEEDED.0,
            format!("SQLite {}", engine().1),
            "an older engine can lose commits; use a newer build",
        ),
        disk(directory)?,
        room(directory)?,
    ];
    findings.extend(files(own, directory));
    let device = |path: &Path| fs::metadata(path).as_ref().map(Metadata::dev).ok();
    let is_apart = device(&own.anchor()) != device(directory);
    let found = if is_apart { "on another disk than the ledger" } else { "on the disk of the ledger" };
    let help = "a disk that is put back whole takes its anchor along; keep it elsewhere ([ledger] anchor)";
    findings.push(Finding::of("anchor's disk", is_apart, found, help).or_advice());
    let log = directory.join(format!("{DATABASE_FILE}-wal"));
    let length = fs::metadata(log).map_or(0, |about| about.len());
    let found = format!("{} MiB not yet in the database", length >> 20);
    let help = "somebody has read the ledger for long, or the disk is too slow";
    findings.push(Finding::of("log's length", length <= LOG_BYTES_MAX, found, help).or_advice());
    Ok(findings)
}

/// How long it takes until a page is on the disk.
fn disk(directory: &Path) -> Result<Finding, Failure> {
    let path = directory.join("doctor.tmp");
    let failed = |error| Failure::caused(format!("could not write into {}", directory.display()), error);
    let timed = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut times = Vec::new();
        for _ in 0..SYNCS {
            let before = Instant::now();
            file.write_all(&[0; PAGE_BYTES])?;
            file.sync_data()?;
            times.push(before.elapsed());
        }
        Ok::<_, std::io::Error>(times)
    };
    let timed = timed();
    let removed = fs::remove_file(&path);
    let mut times = timed.map_err(failed)?;
    removed.map_err(failed)?;
    times.sort_unstable();
    let (typical, longest) = (times[SYNCS / 2], times[SYNCS - 1]);
    let found = format!(
        "a sync takes {:.2} ms, the longest of {SYNCS} took {:.2} ms",
        typical.as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3
    );
    Ok(if typical < SYNC_MIN {
        let help = "a sync that takes no time keeps nothing: is this a file system in memory?";
        Finding::of("sync", false, found, help)
    } else {
        Finding::of("sync", typical <= SYNC_MAX, found, "put the ledger on a faster disk")
    })
}

fn room(directory: &Path) -> Result<Finding, Failure> {
    let about = rustix::fs::statvfs(directory);
    let about = about.map_err(|error| Failure::caused("could not ask the file system", error))?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let found = format!("{} MiB free", free >> 20);
    Ok(Finding::of("room", free >= FREE_BYTES_MIN, found, "with a full disk nothing is released; make room"))
}

/// Who may read the files; those that are not there are another store's.
fn files(own: &Own, directory: &Path) -> Vec<Finding> {
    let paths: [(&str, PathBuf); 5] = [
        ("folder", directory.to_owned()),
        ("database", directory.join(DATABASE_FILE)),
        ("log", directory.join(format!("{DATABASE_FILE}-wal"))),
        ("key", own.key()),
        ("anchor", own.anchor()),
    ];
    let mut findings = Vec::new();
    for (check, path) in paths {
        // Without a server there is no log, and a copy has no key.
        let Ok(about) = fs::metadata(&path) else {
            if check == "anchor" {
                let found = format!("{} is not there", path.display());
                findings.push(Finding::of(check, false, found, "without it no server starts"));
            }
            continue;
        };
        let mode = about.permissions().mode() & 0o7777;
        let others = if about.is_dir() { 0o007 } else { 0o077 };
        let help = "take it away from others: chmod go= on files, o= on the folder";
        let finding =
            Finding::of(check, mode & others == 0, format!("{} has mode {mode:o}", path.display()), help);
        // Of these two nobody can read who asked: the files in the folder have modes of their own.
        findings.push(if matches!(check, "anchor" | "folder") { finding.or_advice() } else { finding });
    }
    findings
}

/// What the ledger says of itself at its newest end.
fn record(own: &Own, reader: &mut LedgerReader) -> Result<Vec<Finding>, crate::ledger::LedgerError> {
    let (keys, note, size) = (reader.keys()?, reader.checkpoint()?, reader.size()?);
    let signed = keys.open(&note);
    let is_signed = signed.as_ref().is_ok_and(|signed| signed.size == size);
    let help = "run `salinan log verify`";
    let mut findings = vec![Finding::of("head", is_signed, format!("{size} entries"), help)];
    if let Ok(text) = fs::read_to_string(own.anchor()) {
        let anchored = keys.open(&text);
        let fits = anchored.as_ref().is_ok_and(|anchored| anchored.size <= size);
        let found = match anchored {
            Ok(anchored) => format!("{} entries were signed at least", anchored.size),
            Err(error) => error.to_string(),
        };
        let help =
            "an older copy was put back, or the anchor is another ledger's; no server starts like this";
        findings.push(Finding::of("anchor's word", fits, found, help));
    }
    if let Some(current) = keys.current()
        && own.key().exists()
    {
        let signer = Signer::load(&own.key(), current.name());
        let is_current = signer.as_ref().is_ok_and(|signer| signer.verifier() == *current);
        let found = if is_current { "the one in force" } else { "not the one in force" };
        findings.push(Finding::of("key's turn", is_current, found, "see `salinan log rotate --help`"));
    }
    let open = reader.open_releases()?.len();
    findings.push(Finding::of("open releases", true, open.to_string(), ""));
    Ok(findings)
}

fn print(findings: &[Finding], format: OutputFormat) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    if format == OutputFormat::Json {
        let text = serde_json::to_string(findings);
        writeln!(out, "{}", text.map_err(|error| Failure::caused("could not write the findings", error))?)?;
        return Ok(());
    }
    let mut table = print::table(&["check", "", "found"]);
    for finding in findings {
        let state = match finding.state {
            State::Good => "good",
            State::Advice => "advice",
            State::Wrong => "WRONG",
        };
        let help = finding.help.map(|help| format!("\n{help}")).unwrap_or_default();
        table.add_row([finding.check, state, &format!("{}{help}", finding.found)]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
