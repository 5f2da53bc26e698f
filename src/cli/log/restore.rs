//! `salinan log restore`: puts a copy that `log backup` made into a server that holds no ledger.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;

use super::{Place, open, unreadable};
use crate::cli::print::{Answer, Failure, Outcome};
use crate::domain::SystemClock;
use crate::ledger::verify::Verdict;
use crate::ledger::{DATABASE_FILE, Ledger, LedgerError, LedgerReader, Verifier};
use crate::store;

#[derive(Debug, clap::Args)]
pub struct Restore {
    #[command(flatten)]
    place: Place,
    /// The folder with the copy
    #[arg(long, value_name = "COPYDIR")]
    from: PathBuf,
    /// The key you know the ledger by; without it, the key the ledger itself names
    #[arg(long)]
    vkey: Option<Verifier>,
    /// The role of the service, made where there is none; it may insert entries and no more
    #[arg(long, value_name = "NAME", default_value = "salinan")]
    role: String,
}

pub fn run(args: &Restore) -> Outcome {
    let Some(server) = args.place.server()? else {
        return Err(Failure::new("`--store` is needed: the server to restore to, as its owner")
            .help("a copy in a file needs no command: put its ledger.sqlite in place (docs/operate.md)"));
    };
    let copy = store::Place::File(args.from.join(DATABASE_FILE));
    let failed = |error: LedgerError| {
        let is_there = matches!(error, LedgerError::Exists { .. });
        let failure = Failure::caused("the copy was not restored", error);
        if is_there {
            failure.help("a ledger is never written over: rename its schema or its database, or take another")
        } else {
            failure.help("what is half there is no ledger: drop the schema `salinan` and try again")
        }
    };
    let verify = |mut reader: LedgerReader| reader.verify(args.vkey.as_ref(), None);
    let verdict = LedgerReader::open_at(&copy, Some(&args.from)).and_then(verify).map_err(failed)?;
    if let Verdict::Flawed(flaw) = verdict {
        writeln!(anstream::stderr(), "the copy is not sound: {flaw}; nothing was written")?;
        return Ok(Answer::No);
    }
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::new()));
    Ledger::restore_on(&copy, &server, &args.role, clock, random).map_err(failed)?;
    let mut reader = open(&args.place)?;
    let verdict = reader.verify(args.vkey.as_ref(), None).map_err(|error| unreadable(&args.place, error))?;
    match verdict {
        Verdict::Sound(report) => {
            writeln!(anstream::stdout(), "{} entries, root {}", report.size, report.root)?;
            Ok(Answer::Yes)
        }
        Verdict::Flawed(flaw) => {
            writeln!(
                anstream::stderr(),
                "what was restored is not sound: {flaw}; drop the schema `salinan`"
            )?;
            Ok(Answer::No)
        }
    }
}
