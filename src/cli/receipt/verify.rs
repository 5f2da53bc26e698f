//! `salinan receipt verify`: what a receipt proves and what it does not, without the server.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::held::{self, Held};
use super::words::{self, Said};
use super::{Bundle, load};
use crate::cli::log::load_policy;
use crate::cli::print::{Answer, Failure, Outcome, OutputFormat};
use crate::ledger::{Ending, Evidence, Receipt, Verifier};

#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    bundle: Bundle,
    /// The copy you hold, to be compared with what was recorded
    #[arg(long, value_name = "COPY")]
    body: Option<PathBuf>,
    /// The key you know the ledger by, or an earlier one of its keys; without it, the key that the receipt itself names
    #[arg(long)]
    vkey: Option<String>,
    /// Ask also that enough witnesses signed the receipt's checkpoint, by a file of C2SP tlog-policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// A copy beside what the ledger says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    pub held: Held,
    pub is_same: bool,
    /// Whether its length is that of the coded copy, so that it has to be decoded first.
    pub is_coded: bool,
}

pub fn run(args: &Verify) -> Outcome {
    let receipt = load(&args.bundle.file)?;
    let quorum =
        args.policy.as_deref().map(load_policy).transpose()?.map(|policy| policy.judge(&receipt.checkpoint));
    let text = args.vkey.as_ref().unwrap_or(&receipt.vkey);
    let verifier: Verifier = match (text.parse(), &args.vkey) {
        (Ok(verifier), _) => verifier,
        (Err(error), Some(_)) => return Err(Failure::caused("could not read --vkey", error)),
        (Err(_), None) => return refuse(args, &receipt, "the key that it names is not a verifier key"),
    };
    let evidence = match receipt.prove(&verifier) {
        Ok(evidence) => evidence,
        Err(unproven) => {
            let mut why = unproven.to_string();
            if let Some(cause) = std::error::Error::source(&unproven) {
                why = format!("{why}: {cause}");
            }
            return refuse(args, &receipt, &why);
        }
    };
    let compared = args.body.as_deref().map(|path| compare(path, &evidence)).transpose()?;
    let said = words::of(&evidence, args.vkey.is_some(), compared.as_ref(), quorum.as_ref());
    let mut out = anstream::stdout();
    match args.format {
        OutputFormat::Json => {
            let document = document(&receipt, args, &evidence, compared.as_ref(), &said);
            writeln!(out, "{document}")?;
        }
        OutputFormat::Table => {
            writeln!(out, "the receipt of release {} is sound", receipt.release)?;
            for (head, sentences) in [("proven", &said.proven), ("not proven", &said.not_proven)] {
                writeln!(out, "\n{head}:")?;
                for sentence in sentences {
                    writeln!(out, "- {sentence}")?;
                }
            }
        }
    }
    if args.vkey.is_none() {
        let mut talk = anstream::stderr();
        writeln!(
            talk,
            "warning: the key was taken from the receipt itself; give the one you know with --vkey"
        )?;
    }
    let is_same = compared.is_none_or(|compared| compared.is_same);
    let is_met = quorum.is_none_or(|quorum| quorum.is_met);
    Ok(if is_same && is_met { Answer::Yes } else { Answer::No })
}

fn refuse(args: &Verify, receipt: &Receipt, why: &str) -> Outcome {
    let mut out = anstream::stdout();
    match args.format {
        OutputFormat::Json => {
            writeln!(out, "{}", json!({ "sound": false, "release": receipt.release, "why": why }))?;
        }
        OutputFormat::Table => {
            writeln!(out, "the receipt of release {} proves nothing: {why}", receipt.release)?;
        }
    }
    Ok(Answer::No)
}

fn compare(path: &Path, evidence: &Evidence) -> Result<Compared, Failure> {
    let Some(Ending::Complete(end)) = evidence.ending.as_ref().map(|ending| &ending.entry) else {
        return Err(Failure::new(
            "the receipt has no account of the copy, so --body cannot be compared with it",
        )
        .help("fetch the receipt again once the copy has ended"));
    };
    let held = held::read(path, end.media_type.as_deref())
        .map_err(|error| Failure::caused(format!("could not read {}", path.display()), error))?;
    let is_same = held.sha256 == end.body_sha256 && held.bytes == end.bytes;
    Ok(Compared { held, is_same, is_coded: !is_same && end.coded_bytes == Some(held.bytes) })
}

fn document(
    receipt: &Receipt,
    args: &Verify,
    evidence: &Evidence,
    compared: Option<&Compared>,
    said: &Said,
) -> Value {
    let entries: Vec<Value> = receipt
        .entries
        .iter()
        .map(|proven| {
            let leaf: Value = serde_json::from_str(&proven.leaf).unwrap_or_default();
            json!({ "index": proven.index, "entry": leaf })
        })
        .collect();
    let body = compared.map(|Compared { held, is_same, .. }| {
        json!({ "bytes": held.bytes, "sha256": held.sha256, "rows": held.rows, "same": is_same })
    });
    json!({
        "sound": true,
        "release": receipt.release,
        "vkey": evidence.signer.to_string(),
        "vkey_given": args.vkey.is_some(),
        "handovers": evidence.handovers.iter().map(|handover| handover.index).collect::<Vec<_>>(),
        "size": evidence.checkpoint.size,
        "root": crate::domain::Digest(evidence.checkpoint.root),
        "entries": entries,
        "body": body,
        "proven": said.proven,
        "not_proven": said.not_proven,
    })
}
