//! Each read of the record is itself recorded before it is answered: here by leaving it to whoever writes the ledger.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;

use super::{Place, open, unreadable};
use crate::cli::print::Failure;
use crate::domain::Digest;
use crate::ledger::LedgerError;
use crate::ledger::notice::AuditRead;
use crate::ledger::spool::{self, Waiting};
use crate::store::postgres::PostgresOptions;
use crate::store::{ReadId, StoreError};

/// How long a server may take to enter a read, and how often it is looked for.
const WAIT_STEPS: u32 = 500;
const STEP: Duration = Duration::from_millis(20);

/// What a question was asked with: names and values.
pub type Parameters = [(&'static str, String)];

/// Records that somebody reads. When this returns `Ok` the read may be answered: it is in the ledger, or on disk for the
/// next server to enter, or it was said aloud that it is not recorded.
pub fn record(
    place: &Place,
    auditor: Option<&str>,
    question: &str,
    parameters: &Parameters,
    size: u64,
) -> Result<(), Failure> {
    let value = |text: &String| {
        if is_plain(text) { text.clone() } else { format!("sha256:{}", Digest::of(text.as_bytes())) }
    };
    let read = AuditRead {
        auditor: auditor.map_or_else(user, str::to_owned),
        question: question.to_owned(),
        parameters: parameters.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect(),
        entries: size,
    };
    if let Some(server) = place.server()? {
        return record_on(&server, &read);
    }
    let directory = place.directory()?;
    let is_held = spool::is_held(directory);
    let waiting = match Waiting::leave(directory, &read, &SystemRandom::new()) {
        Ok(Some(waiting)) => waiting,
        Ok(None) if is_held => {
            return Err(Failure::new("the read cannot be recorded, so it is not answered")
                .help("the folder audit-reads/ is missing where the server keeps its ledger; the server makes it when it starts"));
        }
        Ok(None) => {
            return say(
                "this read is not recorded: there is no audit-reads/, so the ledger is a copy or was never served",
            );
        }
        Err(error @ LedgerError::File { .. }) if !is_held => {
            return say(&format!("this read is not recorded: {error}, and no server holds the ledger"));
        }
        Err(error) => {
            return Err(Failure::caused("the read could not be recorded, so it is not answered", error)
                .help("audit-reads/ in the ledger's directory must be writable to who asks"));
        }
    };
    if !is_held {
        return say(
            "no server holds the ledger; this read waits in audit-reads/ and is entered at the next start",
        );
    }
    for _ in 0..WAIT_STEPS {
        if waiting.is_taken() {
            return find(place, &waiting.id);
        }
        thread::sleep(STEP);
    }
    Err(late())
}

/// Leaves the read in the server that holds the ledger, where replicas look for it.
fn record_on(server: &PostgresOptions, read: &AuditRead) -> Result<(), Failure> {
    let failed = |error: LedgerError| {
        let help = match &error {
            LedgerError::Store(error) if matches!(**error, StoreError::ReadOnly { .. }) => {
                "ask the server that takes writes; from a standby nothing can be recorded"
            }
            LedgerError::Store(error) if matches!(**error, StoreError::Older { .. }) => {
                "`salinan log upgrade --store` as the owner"
            }
            _ => "the role needs `GRANT EXECUTE ON FUNCTION salinan.ask, salinan.is_served`: docs/operate.md",
        };
        Failure::caused("the read could not be recorded, so it is not answered", error).help(help)
    };
    let (mut desk, id) = spool::leave_on(server, read, &SystemRandom::new()).map_err(failed)?;
    let asked = |error: StoreError| failed(error.into());
    if !desk.is_served().map_err(asked)? {
        return say("no replica serves; this read waits in the server and is entered when one starts");
    }
    for _ in 0..WAIT_STEPS {
        if desk.entered(&id).map_err(asked)?.is_some() {
            return Ok(());
        }
        thread::sleep(STEP);
    }
    Err(late())
}

fn late() -> Failure {
    Failure::new("the read was not recorded in time, so it is not answered")
        .help("is the server able to write its ledger? its traces say why not")
}

/// The server has taken the read: its entry must be there.
fn find(place: &Place, id: &ReadId) -> Result<(), Failure> {
    if open(place)?.entered(id).map_err(|error| unreadable(place, error))?.is_some() {
        return Ok(());
    }
    Err(Failure::new("the server did not enter the read, so it is not answered")
        .help("its traces say why; `--auditor` takes a short name"))
}

fn say(what: &str) -> Result<(), Failure> {
    Ok(writeln!(anstream::stderr(), "note: {what}")?)
}

/// Whether a value may stand in the record as it is.
fn is_plain(text: &str) -> bool {
    let one = AuditRead {
        auditor: String::new(),
        question: "x".to_owned(),
        parameters: vec![("x".to_owned(), text.to_owned())],
        entries: 0,
    };
    one.is_plain()
}

/// The user of the operating system that runs this, by name where it has one.
fn user() -> String {
    let Ok(about) = fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let id = about.uid().to_string();
    let names = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = names.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, own) = (parts.next()?, parts.next()?, parts.next()?);
        (own == id).then(|| name.to_owned())
    });
    name.filter(|name| spool::is_name(name)).unwrap_or_else(|| format!("uid {id}"))
}

/// `--auditor`.
pub fn read_auditor(text: &str) -> Result<String, String> {
    if spool::is_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name is 1 to 128 characters without control characters and long numbers".to_owned())
}

/// A word asked with: it will stand in the record, so no number of a person may.
pub fn read_word(text: &str) -> Result<String, String> {
    if text.parse::<Digest>().is_ok() || spool::is_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name is 1 to 128 characters without control characters and long numbers".to_owned())
}
