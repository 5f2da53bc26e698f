//! `salinan receipt get` and `ack`: what of a receipt needs the server.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::held::{self, Held};
use crate::caller::{Caller, is_address};
use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::cli::serve::runtime;
use crate::ledger::{Entry, RECEIPT_BYTES_MAX, Receipt};

/// Longest that one question to the server may take.
const CALL_MAX: Duration = Duration::from_mins(1);

/// Where the receipt is and who asks.
#[derive(Debug, clap::Args)]
struct Remote {
    /// Address of the receipt: `https://HOST/receipts/ID`, as the copy's `Link` names it
    #[arg(value_name = "URL")]
    url: Uri,
    /// File with the token that the copy was fetched with, or an auditor's
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// Certificate that vouches for the server, in PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Get {
    #[command(flatten)]
    remote: Remote,
    /// Where to write the receipt; standard output if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Ack {
    #[command(flatten)]
    remote: Remote,
    /// The copy you hold
    #[arg(long, value_name = "COPY")]
    body: PathBuf,
    /// Its rows, where its form does not tell them
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn get(args: &Get) -> Outcome {
    let bytes = args.remote.ask(Method::GET, "")?;
    // What is kept must be one, or the copy has no receipt when it is needed.
    Receipt::read(&bytes).map_err(|error| Failure::caused("the server's answer cannot be used", error))?;
    match &args.out {
        None => anstream::stdout().write_all(&bytes)?,
        Some(path) => {
            let failed = |error| Failure::caused(format!("could not write {}", path.display()), error);
            fs::write(path, &bytes).map_err(failed)?;
        }
    }
    Ok(Answer::Yes)
}

pub fn ack(args: &Ack) -> Outcome {
    let receipt = Receipt::read(&args.remote.ask(Method::GET, "")?)
        .map_err(|error| Failure::caused("the server's answer cannot be used", error))?;
    let path = &args.body;
    let held = held::read(path, media_type(&receipt).as_deref());
    let Held { bytes, sha256, rows } =
        held.map_err(|error| Failure::caused(format!("could not read {}", path.display()), error))?;
    let rows = args.rows.or(rows).ok_or_else(|| {
        Failure::new(format!("the rows of {} cannot be counted", path.display()))
            .help("say how many there are with `--rows`")
    })?;
    let said = args.remote.ask(Method::POST, &format!("/ack?rows={rows}&bytes={bytes}&sha256={sha256}"))?;
    let said: Value = serde_json::from_slice(&said).unwrap_or_default();
    let (Some(index), Some(is_match)) = (said["index"].as_u64(), said["match"].as_bool()) else {
        return Err(Failure::new("the server's answer to the statement cannot be read"));
    };
    let mut out = anstream::stdout();
    match args.format {
        OutputFormat::Json => {
            let own = json!({ "rows": rows, "bytes": bytes, "sha256": sha256 });
            let recorded = &said["recorded"];
            let document = json!({ "release": receipt.release, "index": index, "match": is_match,
                "held": own, "recorded": recorded });
            writeln!(out, "{document}")?;
        }
        OutputFormat::Table => {
            let recorded = |name: &str| match &said["recorded"][name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let mut table = print::table(&["", "you hold", "recorded"]);
            table.add_row(["rows", &rows.to_string(), &recorded("rows")]);
            table.add_row(["bytes", &bytes.to_string(), &recorded("bytes")]);
            table.add_row(["sha256", &sha256.to_string(), &recorded("sha256")]);
            table.add_row(["outcome", "", &recorded("outcome")]);
            writeln!(out, "{table}")?;
            let word = if is_match { "match" } else { "no match" };
            writeln!(out, "entered as entry {index}: {word}")?;
        }
    }
    Ok(if is_match { Answer::Yes } else { Answer::No })
}

/// The form of the copy, as the receipt says.
fn media_type(receipt: &Receipt) -> Option<String> {
    receipt.entries.iter().find_map(|proven| match Entry::read(proven.leaf.as_bytes()) {
        Ok((_, Entry::Complete(closed))) => closed.completion.media_type,
        _ => None,
    })
}

impl Remote {
    /// The body of an answer 200; every other is a failure.
    fn ask(&self, method: Method, below: &str) -> Result<Bytes, Failure> {
        let url = format!("{}{below}", self.url.to_string().trim_end_matches('/'));
        let failed = || format!("could not ask {}", self.url);
        if !is_address(&self.url) || self.url.query().is_some() {
            return Err(Failure::new(format!("{} is not the address of a receipt", self.url))
                .help("it is like `https://HOST/receipts/ID`"));
        }
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, read_token(&self.token)?)
            .body(Full::default())
            .map_err(|error| Failure::caused(failed(), error))?;
        let caller = Caller::new(read_certificates(&self.ca)?, CALL_MAX, RECEIPT_BYTES_MAX)
            .map_err(|error| Failure::caused(failed(), error))?;
        let response = runtime()?.block_on(caller.call(request));
        let response = response.map_err(|error| Failure::caused(failed(), error))?;
        if response.status().is_success() { Ok(response.into_body()) } else { Err(refused(&response)) }
    }
}

/// What the problem document says.
fn refused(response: &Response<Bytes>) -> Failure {
    let document: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let code = document["code"].as_str().unwrap_or("no code");
    let failure = Failure::new(format!("the server refused with {} ({code})", response.status().as_u16()));
    match document["title"].as_str() {
        Some(title) => failure.help(title),
        None => failure,
    }
}

/// Longest token, as the server takes it in a head.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;

fn read_token(path: &Path) -> Result<HeaderValue, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::caused(format!("could not read {}", path.display()), error))?;
    let token = text.trim();
    let is_plain =
        !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|b| b.is_ascii_graphic());
    let value = is_plain.then(|| HeaderValue::try_from(format!("Bearer {token}")).ok()).flatten();
    let mut value = value.ok_or_else(|| Failure::new(format!("{} does not hold a token", path.display())))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) => Err(Failure::new(format!("{} holds no certificate in PEM", path.display()))),
        Err(error) => Err(Failure::caused(format!("could not read {}", path.display()), error)),
    }
}
