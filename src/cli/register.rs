//! `salinan register check`: every problem of a register's files, or what the register obliges to.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::cli::problem::ProblemReport;
use crate::document::Diagnostic;
use crate::domain::{Determination, Digest, Level};
use crate::register::{self, Register};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a register and print all problems of its files, or what it obliges to
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The register's TOML file, see docs/register.md; the CSV files that it names are checked with it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    register: Option<Summary>,
    problems: Vec<ProblemReport>,
}

/// A register in figures.
#[derive(Serialize)]
struct Summary {
    /// As `register.change` has it in the ledger.
    digest: Digest,
    determination: Determination,
    legal_basis: String,
    days: u16,
    counting: &'static str,
    parties: usize,
    mandates: usize,
    kabkota: Count,
    kecamatan: Count,
    obligations: Count,
}

/// How many there are, and how many of them have a day of determination.
#[derive(Serialize, Default)]
struct Count {
    all: u64,
    determined: u64,
}

impl Count {
    fn add(&mut self, is_determined: bool) {
        self.all += 1;
        self.determined += u64::from(is_determined);
    }
}

impl Summary {
    fn of(register: &Register) -> Self {
        let [mut kabkota, mut kecamatan, mut obligations] = [(); 3].map(|()| Count::default());
        for (wilayah, area) in &register.areas {
            let of_level = if wilayah.level() == Level::Kabkota { &mut kabkota } else { &mut kecamatan };
            of_level.add(area.determined.is_some());
        }
        for (_, _, area) in register.copies() {
            obligations.add(area.determined.is_some());
        }
        Self {
            digest: register.digest(),
            determination: register.determination.clone(),
            legal_basis: register.legal_basis.clone(),
            days: register.days,
            counting: register.counting.as_str(),
            parties: register.parties.len(),
            mandates: register.mandates.len(),
            kabkota,
            kecamatan,
            obligations,
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<(), Failure> {
        let list = &self.determination;
        let mut rule = print::table(&["election", "stage", "version", "days", "counted", "legal basis"]);
        rule.add_row([
            list.election.clone(),
            list.stage.to_string(),
            list.version.clone(),
            self.days.to_string(),
            self.counting.to_owned(),
            self.legal_basis.clone(),
        ]);
        let mut counts = print::table(&["", "number", "determined", "not yet"]);
        for (name, number) in [("parties", self.parties), ("mandate letters that end", self.mandates)] {
            counts.add_row([name.to_owned(), number.to_string(), String::new(), String::new()]);
        }
        for (name, count) in [
            ("kabupaten/kota", &self.kabkota),
            ("kecamatan", &self.kecamatan),
            ("obligations", &self.obligations),
        ] {
            let not_yet = count.all - count.determined;
            let numbers = [count.all, count.determined, not_yet].map(|number| number.to_string());
            counts.add_row([name.to_owned()].into_iter().chain(numbers));
        }
        writeln!(out, "{rule}\n{counts}\nsha-256 {}", self.digest)?;
        Ok(())
    }
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Check(args) => check(args, &mut anstream::stdout()),
    }
}

fn check(args: &CheckArgs, out: &mut impl Write) -> Outcome {
    let loaded = register::load(&args.file);
    match (args.format, &loaded) {
        (OutputFormat::Json, _) => {
            let report = Report {
                ok: loaded.is_ok(),
                register: loaded.as_ref().ok().map(Summary::of),
                problems: loaded.as_ref().err().into_iter().flatten().map(ProblemReport::of).collect(),
            };
            let text = serde_json::to_string_pretty(&report)
                .map_err(|error| Failure::caused("could not write the report", error))?;
            writeln!(out, "{text}")?;
        }
        (OutputFormat::Table, Ok(register)) => Summary::of(register).write(out)?,
        (OutputFormat::Table, Err(problems)) => {
            // Colours are taken out again where the output is not a terminal.
            for problem in problems {
                writeln!(out, "{}", problem.render(true))?;
            }
        }
    }
    match loaded {
        Ok(_) => Ok(Answer::Yes),
        Err(problems) if problems.iter().any(Diagnostic::is_unread) => {
            Err(Failure::new("not all files of the register could be read")
                .help("see the problems above; what could be read was checked"))
        }
        Err(_) => Ok(Answer::No),
    }
}
