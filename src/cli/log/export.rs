//! `salinan log export`: the whole ledger for other tools, as a folder of C2SP tlog-tiles or as CSV.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::ask::Asker;
use super::records::EntryRow;
use super::sheet::Row as _;
use super::when::Zone;
use super::{Place, unreadable};
use crate::cli::print::{Answer, Failure, Outcome};
use crate::ledger::{Entries, LedgerReader, Query};

/// Write the ledger for other tools: in the file layout of C2SP tlog-tiles, or as CSV
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder can be verified with tools that others wrote. The CSV has one line for each entry, whose own \
                        bytes stand in the last column; times are UTC, as in the entries."
)]
#[group(id = "form", required = true, multiple = true, args = ["tiles", "csv"])]
pub struct Export {
    #[command(flatten)]
    place: Place,
    /// A folder to write to; must not hold an export yet
    #[arg(long, value_name = "OUTDIR")]
    tiles: Option<PathBuf>,
    /// A file to write to; must not exist yet
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    asker: Asker,
}

pub fn run(args: &Export) -> Outcome {
    let forms = [("tiles", args.tiles.is_some()), ("csv", args.csv.is_some())];
    let parameters =
        forms.iter().filter(|(_, is_asked)| *is_asked).map(|(form, _)| ("form", (*form).to_owned()));
    let (mut reader, _) = args.asker.open(&args.place, "export", &parameters.collect::<Vec<_>>())?;
    if let Some(folder) = &args.tiles {
        let written = reader.export_tiles(folder);
        written.map_err(|error| Failure::caused("could not export the ledger", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(args, &mut reader, path)?;
    }
    Ok(Answer::Yes)
}

fn write_csv(args: &Export, reader: &mut LedgerReader, path: &Path) -> Result<(), Failure> {
    let failed = |error: csv::Error| Failure::caused(format!("could not write {}", path.display()), error);
    // The ledger names who asked: not for everybody on this machine.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| Failure::caused(format!("could not make {}", path.display()), error))?;
    let mut out = csv::Writer::from_writer(BufWriter::new(file));
    out.write_record(EntryRow::COLUMNS).map_err(failed)?;
    let mut all = Entries::of([Query::default()]);
    while let Some(record) = all.next_in(reader).map_err(|error| unreadable(&args.place, error))? {
        out.write_record(EntryRow::of(record, Zone::Utc).cells()).map_err(failed)?;
    }
    let file = out.into_inner().map_err(|error| failed(error.into_error().into()))?;
    let file = file.into_inner().map_err(|error| failed(error.into_error().into()))?;
    file.sync_all().map_err(|error| failed(error.into()))
}
