//! What all commands print alike: answers, failures with their causes and remedy, tables.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};

/// How a command that ran to its end answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// A check failed or a proof is wrong; what is wrong has been printed.
    No,
}

/// Why a command could not run: what was attempted, its causes, and what to do.
#[derive(Debug)]
pub struct Failure {
    what: String,
    help: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, source: None }
    }

    /// `what` was attempted and `source` stopped it.
    pub fn caused(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), help: None, source: Some(source.into()) }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Printing to a closed pipe or a full disk.
impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::caused("could not write the output", source)
    }
}

pub type Outcome = Result<Answer, Failure>;

/// Prints a failure, if there is one, and gives the exit code.
pub fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(failure) => {
            let mut stderr = anstream::stderr();
            let _ = write_failure(&mut stderr, &failure);
            ExitCode::from(2)
        }
    }
}

fn write_failure(out: &mut impl Write, failure: &Failure) -> io::Result<()> {
    write!(out, "error: {}", failure.what)?;
    let mut cause: Option<&dyn Error> = failure.source.as_deref().map(|source| source as &dyn Error);
    while let Some(error) = cause {
        write!(out, ": {error}")?;
        cause = error.source();
    }
    writeln!(out)?;
    if let Some(help) = &failure.help {
        writeln!(out, "  help: {help}")?;
    }
    Ok(())
}

/// The forms a command can print its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// For machines
    Json,
}

/// A table with these column heads, as wide as the terminal allows.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heads.iter().copied());
    table
}
