//! `salinan receipt split`: the parts of a receipt as files, for tools that others wrote.
//!
//! ```text
//! DIR/checkpoint        the signed note
//! DIR/vkey              the verifier key that the receipt names
//! DIR/5.leaf            the exact bytes of entry 5, of the release or a handover between keys
//! DIR/5.tlog-proof      its proof, C2SP tlog-proof
//! ```

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use super::{Bundle, load};
use crate::cli::print::{Answer, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub struct Split {
    #[command(flatten)]
    bundle: Bundle,
    /// Where to write; must not exist yet
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub fn run(args: &Split) -> Outcome {
    let receipt = load(&args.bundle.file)?;
    let failed = |error| Failure::caused(format!("could not write {}", args.dir.display()), error);
    fs::create_dir(&args.dir).map_err(failed)?;
    let write = |name: String, text: &str| {
        let path = args.dir.join(name);
        fs::write(&path, text).map_err(failed)?;
        Ok::<_, Failure>(writeln!(anstream::stdout(), "{}", path.display())?)
    };
    write("checkpoint".to_owned(), &receipt.checkpoint)?;
    write("vkey".to_owned(), &format!("{}\n", receipt.vkey))?;
    for entry in receipt.entries.iter().chain(&receipt.handovers) {
        write(format!("{}.leaf", entry.index), &entry.leaf)?;
        write(format!("{}.tlog-proof", entry.index), &entry.proof)?;
    }
    Ok(Answer::Yes)
}
