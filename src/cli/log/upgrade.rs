//! `salinan log upgrade`: brings the tables of a ledger that an older program made to those of this one.
//!
//! Entries, hashes and signatures stay as they are: only what lies beside them for searching and for order is changed.

use std::io::Write as _;

use super::{Place, unreadable};
use crate::cli::print::{Answer, Failure, Outcome};
use crate::ledger::{Ledger, LedgerError};

#[derive(Debug, clap::Args)]
pub struct Upgrade {
    #[command(flatten)]
    place: Place,
    /// With `--store`, which then names the owner: the role of the service, which is to use what is new
    #[arg(long, value_name = "NAME", default_value = "salinan")]
    role: String,
}

pub fn run(args: &Upgrade) -> Outcome {
    let store = args.place.store().map_err(|error| unreadable(&args.place, error))?;
    let upgraded = Ledger::upgrade(&store, args.place.dir.as_deref(), &args.role);
    let (from, to) = upgraded.map_err(|error| {
        let is_held = matches!(error, LedgerError::Held { .. });
        let failure = Failure::caused("the tables were left as they are", error);
        if is_held { failure.help("a server is running; stop it first") } else { failure }
    })?;
    let mut out = anstream::stdout();
    if from == to {
        writeln!(out, "the tables are of version {to} already")?;
    } else {
        writeln!(out, "the tables were of version {from} and are of version {to} now")?;
    }
    Ok(Answer::Yes)
}
