//! `salinan log`: create, verify and read the ledger.
//!
//! All but `init`, `upgrade`, `freeze`, `rotate` and `continue` read only, and work beside a running server, on what a crash left and on
//! a copy. What reads entries leaves word of itself to whoever writes the ledger: see `reads`.

mod ask;
mod backup;
mod changes;
mod doctor;
mod doctor_server;
mod due;
mod export;
mod operate;
mod place;
mod reads;
mod records;
mod refusals;
mod releases;
mod restore;
mod row;
mod sheet;
mod trace;
mod upgrade;
mod verify;
mod when;
mod witness;
mod witnessed;

pub(super) use witnessed::load as load_policy;

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use clap::Subcommand;

use self::place::Place;
use super::print::{Answer, Failure, Outcome};
use crate::domain::SystemClock;
use crate::ledger::leaf::write_time;
use crate::ledger::{DATABASE_FILE, KEY_FILE, Ledger, LedgerError, LedgerReader, Signer};

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
    Verify(verify::Verify),
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
    /// Tell whether disk, files and settings, or the server, are fit to keep the ledger; times its syncs or commits
    Doctor(doctor::Doctor),
    /// Copy the ledger, from a file or a server, into another folder beside whoever serves, and verify the copy
    Backup(backup::Backup),
    /// Put a copy that `backup` made into a server that holds no ledger, and verify it there
    Restore(restore::Restore),
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
    /// Bring the tables that an older program made to those of this one; the servers must be stopped
    Upgrade(upgrade::Upgrade),
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

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Init(args) => init(args),
        Command::Verify(args) => verify::run(args),
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
        Command::Restore(args) => restore::run(args),
        Command::Freeze(args) => operate::freeze(args),
        Command::Rotate(args) => operate::rotate(args),
        Command::Continue(args) => operate::go_on(args),
        Command::Upgrade(args) => upgrade::run(args),
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
