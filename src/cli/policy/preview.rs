//! `salinan policy preview`: the very machine that redacts copies, from stdin to stdout.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::print::{Answer, Failure, Outcome};
use crate::domain::{CopyKey, Level, Role, Wilayah};
use crate::policy::PolicySet;
use crate::redact::{Coding, Limits, Redacted, Redactor};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 * 1_024;
/// A key that is no secret: tokens of a preview are equal for equal values, and mean nothing elsewhere.
const PREVIEW_KEY: [u8; 32] = *b"salinan preview, not for a copy.";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy file
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Such as `partai` or `bawaslu`
    #[arg(long)]
    role: Role,
    /// Level of the mandate, where the policy has the role at more than one
    #[arg(long, value_parser = crate::cli::token::read_level)]
    level: Option<Level>,
    /// How the rows on stdin are written
    #[arg(long, value_enum)]
    format: Format,
    /// Area every row must lie in; 99 is the prefix of made-up areas
    #[arg(long, value_name = "CODE", default_value = "99")]
    area: Wilayah,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Ndjson,
    Csv,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

pub fn run(args: &Args) -> Outcome {
    let set = match PolicySet::load(std::slice::from_ref(&args.policy)) {
        Ok(set) => set,
        Err(error) => {
            writeln!(anstream::stderr(), "{}", error.render(true))?;
            return Err(Failure::new("the policy cannot be used").help("see `salinan policy check`"));
        }
    };
    let policy = set.policies().next().ok_or_else(|| Failure::new("the file holds no policy"))?;
    let plan = policy
        .preview(&args.role, args.level, args.format.as_str(), args.area)
        .map_err(|error| Failure::caused("could not make a preview", error))?;
    let mut redactor = Redactor::new(&plan, Coding::Identity, &CopyKey::new(PREVIEW_KEY), Limits::default());
    // The lock is not buffered by lines here: whole chunks go through.
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut out = Redacted::new();
    let stopped = loop {
        let read = input.read(&mut chunk).map_err(|error| Failure::caused("could not read stdin", error))?;
        let step =
            if read == 0 { redactor.finish(&mut out) } else { redactor.push(&chunk[..read], &mut out) };
        output.write_all(out.as_slice())?;
        out.clear();
        if read == 0 || step.is_err() {
            break step.err();
        }
    };
    output.flush()?;
    let tally = redactor.tally();
    let mut talk = anstream::stderr();
    writeln!(
        talk,
        "preview of {} for {}, not a copy: {} rows, {} numbers covered in kept text, {} values not as expected",
        policy.name(),
        args.role,
        tally.rows_out,
        tally.swept,
        tally.unreadable
    )?;
    match stopped {
        None => Ok(Answer::Yes),
        Some(error) => {
            writeln!(talk, "broken off: {error}")?;
            Ok(Answer::No)
        }
    }
}
