//! `salinan receipt`: for who gets copies and for auditors. `get` and `ack` speak to the server; `verify` and `split`
//! need nothing but the file.

mod held;
mod remote;
mod split;
mod verify;
mod words;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::print::{Failure, Outcome};
use crate::ledger::{RECEIPT_BYTES_MAX, Receipt};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the receipt of a release
    Get(remote::Get),
    /// Check a receipt without the server, and say what it proves and what it does not
    Verify(verify::Verify),
    /// State for the record which copy you hold: its digest, bytes and rows
    Ack(remote::Ack),
    /// Write a receipt's parts as files for tools that others wrote
    Split(split::Split),
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Get(args) => remote::get(args),
        Command::Verify(args) => verify::run(args),
        Command::Ack(args) => remote::ack(args),
        Command::Split(args) => split::run(args),
    }
}

/// The receipt in a file, unchecked.
fn load(path: &Path) -> Result<Receipt, Failure> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(RECEIPT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::caused(format!("could not read {}", path.display()), error))?;
    Receipt::read(&bytes).map_err(|error| {
        Failure::caused(format!("{} cannot be used", path.display()), error)
            .help("a receipt is what `salinan receipt get` writes, byte for byte")
    })
}

/// The file of a receipt.
#[derive(Debug, clap::Args)]
struct Bundle {
    /// The receipt, as `salinan receipt get` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}
