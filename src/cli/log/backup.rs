//! `salinan log backup`: a copy of the ledger, made beside a running server and verified before it gets its name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use super::{Place, open, unreadable};
use crate::cli::print::{Answer, Failure, Outcome};
use crate::cli::progress::Bar;
use crate::ledger::verify::{Verdict, Verification};
use crate::ledger::{ANCHOR_FILE, DATABASE_FILE, Ledger, LedgerError, LedgerReader, Verifier, anchor};
use crate::store;
use crate::store::sqlite::SqliteReader;

#[derive(Debug, clap::Args)]
pub struct Backup {
    #[command(flatten)]
    place: Place,
    /// A folder for the copy, best on another machine's disk; must not hold a ledger yet
    #[arg(long, value_name = "OUTDIR")]
    to: PathBuf,
    /// The key you know the ledger by; without it, the key the ledger itself names
    #[arg(long)]
    vkey: Option<Verifier>,
}

pub fn run(args: &Backup) -> Outcome {
    let failed = |error| Failure::caused("could not write the copy", error);
    let (copy, unfinished) = (args.to.join(DATABASE_FILE), args.to.join("ledger.sqlite.new"));
    if copy.exists() {
        return Err(Failure::new(format!("there is a ledger in {} already", args.to.display()))
            .help("give each copy a folder of its own"));
    }
    let store = args.place.store().map_err(|error| unreadable(&args.place, error))?;
    // Opened first: a folder is made for a ledger that is there.
    drop(open(&args.place)?);
    DirBuilder::new().recursive(true).mode(0o750).create(&args.to).map_err(failed)?;
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // For its owner alone from the first byte on.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failed)?;
    // Read first: the server goes on, and its anchor with it. The copy holds at least what was signed before.
    let anchor = args.to.join(ANCHOR_FILE);
    let before = args.place.dir.as_ref().map(|directory| directory.join(ANCHOR_FILE));
    if let Some(before) = before.filter(|before| before.exists()) {
        let before = fs::read_to_string(before).map_err(failed)?;
        anchor::write(&anchor, &before).map_err(failed)?;
    }
    let copied = match &store {
        store::Place::File(database) => SqliteReader::copy(database, &unfinished).map_err(LedgerError::from),
        store::Place::Server(_) => Ledger::copy_to_file(&store, &unfinished),
    };
    copied.map_err(|error| unreadable(&args.place, error))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;

    let mut reader = LedgerReader::open_at(&store::Place::File(unfinished.clone()), None)
        .map_err(|error| unreadable(&args.place, error))?;
    let mut bar = Bar::of_entries(true);
    let verdict = reader.verify_by(Verification {
        verifier: args.vkey.as_ref(),
        anchor: anchor.exists().then_some(&*anchor),
        progress: Some(&mut |done, all| bar.set(done, all)),
        ..Verification::default()
    });
    drop(bar);
    let report = match verdict.map_err(|error| unreadable(&args.place, error))? {
        Verdict::Sound(report) => report,
        Verdict::Flawed(flaw) => {
            drop(reader);
            fs::remove_file(&unfinished).map_err(failed)?;
            let at = flaw.index.map(|index| format!(" at entry {index}")).unwrap_or_default();
            writeln!(anstream::stderr(), "the copy is not sound{at}: {flaw}; it was taken away")?;
            return Ok(Answer::No);
        }
    };
    let note = reader.checkpoint().map_err(|error| unreadable(&args.place, error))?;
    drop(reader);
    anchor::write(&anchor, &note).map_err(failed)?;
    fs::rename(&unfinished, &copy).map_err(failed)?;
    anchor::sync_directory_of(&copy).map_err(failed)?;
    writeln!(anstream::stdout(), "{} entries, root {}", report.size, report.root)?;
    writeln!(
        anstream::stderr(),
        "the copy in {} is sound; the signing key is not in it, so keep one elsewhere",
        args.to.display()
    )?;
    Ok(Answer::Yes)
}
