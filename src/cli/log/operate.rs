//! `salinan log freeze`, `rotate` and `continue`: what an operator enters by hand.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;

use super::{Place, open, unreadable};
use crate::cli::print::{Answer, Failure, Outcome};
use crate::domain::SystemClock;
use crate::ledger::anchor::sync_directory_of;
use crate::ledger::by_hand::Ordered;
use crate::ledger::entry::Entry;
use crate::ledger::{
    ANCHOR_FILE, ByHand, KEY_FILE, LedgerError, LedgerOptions, LedgerReader, Query, Signer, Verifier,
};

/// Longest words of an operator, in bytes.
const WORDS_BYTES_MAX: usize = 1_000;

/// The ledger and what it takes to append to it.
#[derive(Debug, clap::Args)]
pub struct Own {
    #[command(flatten)]
    place: Place,
    /// The signing key, if it is not the ledger-key.pem in the ledger's directory
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The anchor, if it is not the ledger.anchor in the ledger's directory
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Words {
    /// Who orders it; stands in the ledger for ever
    #[arg(long, value_name = "TEXT", value_parser = read_words)]
    operator: String,
    /// Why; stands in the ledger for ever, so name nobody
    #[arg(long, value_name = "TEXT", value_parser = read_words)]
    reason: String,
}

impl Words {
    fn ordered(&self) -> Ordered {
        Ordered { operator: self.operator.clone(), reason: self.reason.clone() }
    }
}

#[derive(Debug, clap::Args)]
pub struct Freeze {
    #[command(flatten)]
    own: Own,
    /// The election that is over, as policies and tokens name it, such as `pemilu-2024`
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    election: String,
    #[command(flatten)]
    words: Words,
}

#[derive(Debug, clap::Args)]
pub struct Rotate {
    #[command(flatten)]
    own: Own,
}

#[derive(Debug, clap::Args)]
pub struct Continue {
    #[command(flatten)]
    own: Own,
    /// The size in the anchor: so many entries were signed, and those that are missing are lost for good
    #[arg(long, value_name = "N")]
    anchor_size: u64,
    #[command(flatten)]
    words: Words,
}

pub fn freeze(args: &Freeze) -> Outcome {
    let mut reader = open(&args.own.place)?;
    let query = Query { kind: Some("log.freeze".to_owned()), ..Query::default() };
    let ends = reader.find(&query, 0, u64::from(u32::MAX));
    for record in ends.map_err(|error| unreadable(&args.own.place, error))? {
        if matches!(&record.entry, Entry::Freeze(freeze) if freeze.election == args.election) {
            writeln!(anstream::stderr(), "{} is over since entry {}", args.election, record.index)?;
            return Ok(Answer::No);
        }
    }
    let signer = signer(&args.own, &mut reader)?;
    drop(reader);
    let index = args.own.by_hand(signer)?.freeze(&args.election, args.words.ordered());
    let index = index.map_err(not_entered)?;
    writeln!(anstream::stdout(), "{} is over; entry {index} says so", args.election)?;
    Ok(Answer::Yes)
}

pub fn rotate(args: &Rotate) -> Outcome {
    let own = &args.own;
    let mut reader = open(&own.place)?;
    let current = current(own, &mut reader)?;
    let (key, new_key) = (own.key(), own.key().with_extension("new.pem"));
    let unusable = |error| Failure::caused("could not set up the new key", error);
    // One that an earlier try left behind is taken: it may be in force already.
    let new = if new_key.exists() {
        Signer::load(&new_key, current.name()).map_err(unusable)?
    } else {
        Signer::generate(&new_key, current.name()).map_err(unusable)?
    };
    if new.verifier() == current {
        writeln!(anstream::stderr(), "the new key is in force already; its file gets its place")?;
    } else {
        let old = signer(own, &mut reader)?;
        drop(reader);
        let index = own.by_hand(old)?.rotate(&new).map_err(not_entered)?;
        writeln!(anstream::stderr(), "entry {index} hands the ledger over")?;
    }
    let kept = put_in_place(&key, &new_key).map_err(|error| {
        Failure::caused("the new key is in force, but its file is not in place", error)
            .help("run `salinan log rotate` once more")
    })?;
    writeln!(anstream::stdout(), "{}", new.vkey())?;
    if let Some(kept) = kept {
        writeln!(anstream::stderr(), "the old key is in {}, and signs nothing any more", kept.display())?;
    }
    writeln!(anstream::stderr(), "give the key above to everybody who verifies the ledger")?;
    Ok(Answer::Yes)
}

/// The old key under a name of its own, the new one where the old one was. Tells where the old one is now.
fn put_in_place(key: &Path, new_key: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut kept = None;
    if key.exists() {
        let free = (1..).map(|number: u32| key.with_extension(format!("old-{number}.pem")));
        let free = free.take(10_000).find(|path| !path.exists());
        let path = free.ok_or(std::io::ErrorKind::AlreadyExists)?;
        fs::rename(key, &path)?;
        kept = Some(path);
    }
    fs::rename(new_key, key)?;
    sync_directory_of(key)?;
    Ok(kept)
}

pub fn go_on(args: &Continue) -> Outcome {
    let mut reader = open(&args.own.place)?;
    let signer = signer(&args.own, &mut reader)?;
    drop(reader);
    let gone = args.own.by_hand(signer)?.go_on(args.anchor_size, args.words.ordered());
    let loss = match gone {
        Err(error @ (LedgerError::NothingLost { .. } | LedgerError::LossMisstated { .. })) => {
            writeln!(anstream::stderr(), "{error}; nothing was changed")?;
            return Ok(Answer::No);
        }
        gone => gone.map_err(not_entered)?,
    };
    let mut talk = anstream::stderr();
    writeln!(
        anstream::stdout(),
        "the ledger goes on at {}; what was signed from there to {} is lost, and entry {} says so",
        loss.index,
        loss.until,
        loss.index
    )?;
    writeln!(talk, "the anchor of what was lost is kept as {}", loss.kept.display())?;
    writeln!(
        talk,
        "tell everybody who holds a checkpoint between the two: it agrees with the ledger no longer"
    )?;
    Ok(Answer::Yes)
}

impl Own {
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// A file of the ledger's directory, where there is one.
    fn beside(&self, name: &str) -> PathBuf {
        self.place.dir.clone().unwrap_or_default().join(name)
    }

    pub(super) fn key(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.beside(KEY_FILE))
    }

    pub(super) fn anchor(&self) -> PathBuf {
        self.anchor.clone().unwrap_or_else(|| self.beside(ANCHOR_FILE))
    }

    fn by_hand(&self, signer: Signer) -> Result<ByHand, Failure> {
        let directory = self.place.directory()?;
        let store = self.place.store().map_err(|error| unreadable(&self.place, error))?;
        let mut options = LedgerOptions { store, ..LedgerOptions::new(directory, signer) };
        options.anchor = self.anchor();
        ByHand::new(options, Arc::new(SystemClock), Arc::new(SystemRandom::new())).map_err(not_entered)
    }
}

fn current(own: &Own, reader: &mut LedgerReader) -> Result<Verifier, Failure> {
    let keys = reader.keys().map_err(|error| unreadable(&own.place, error))?;
    keys.current().cloned().ok_or_else(|| Failure::new("the ledger names no key"))
}

/// The key in force.
fn signer(own: &Own, reader: &mut LedgerReader) -> Result<Signer, Failure> {
    let current = current(own, reader)?;
    let path = own.key();
    Signer::load(&path, current.name())
        .map_err(|error| Failure::caused(format!("could not use the key in {}", path.display()), error))
}

fn not_entered(error: LedgerError) -> Failure {
    let help = match &error {
        LedgerError::Held { .. } => Some("a server is running; stop it first"),
        LedgerError::RolledBack { .. } => {
            Some("put the newest copy back, or see `salinan log continue --help`")
        }
        LedgerError::KeyReplaced => Some("give the key in force as --key"),
        _ => None,
    };
    let failure = Failure::caused("nothing was entered", error);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

fn read_words(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) || !(1..=WORDS_BYTES_MAX).contains(&text.len()) {
        return Err(format!("a text here has 1 to {WORDS_BYTES_MAX} bytes on one line"));
    }
    Ok(text.to_owned())
}
