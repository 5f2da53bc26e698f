//! `salinan demo`: everything on one machine with made-up voters.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use aws_lc_rs::rand::SystemRandom;
use serde_json::json;

use super::print::{Failure, Outcome, OutputFormat};
use super::serve::{Running, refuse, runtime, stop_signal};
use crate::config;
use crate::demo::{DemoToken, ORIGIN, Roll, Site, SourceServer, VOTERS_MAX};
use crate::domain::SystemClock;
use crate::ledger::{KEY_FILE, Ledger, Signer};
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for all the demo makes: certificates, keys, policies, ledger
    #[arg(long, value_name = "DIR", default_value = "certs/demo")]
    dir: PathBuf,
    /// Address to serve on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Made-up voters in kabupaten 9901
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=VOTERS_MAX))]
    voters: u64,
    /// Seed of the made-up voters
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Policy file or folder, in place of the shipped policies
    #[arg(long, value_name = "PATH")]
    policies: Option<PathBuf>,
    /// How to print what to try
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &Args) -> Outcome {
    let (clock, random) = (SystemClock, SystemRandom::new());
    let made = |error| Failure::caused("could not prepare the demo's folder", error);
    let site = Site::prepare(&args.dir, args.listen, &clock, &random).map_err(made)?;
    if !site.ledger().exists() {
        make_ledger(&site)?;
    }
    runtime()?.block_on(async {
        let roll = Roll::new(args.seed, args.voters);
        let source = SourceServer::start(roll, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .map_err(|error| Failure::caused("could not start the demo's voter-data API", error))?;
        let policies = match &args.policies {
            Some(path) => path
                .canonicalize()
                .map_err(|error| Failure::caused(format!("could not find {}", path.display()), error))?,
            None => site.policies(),
        };
        let path = site.write_config(args.listen, source.address(), &policies).map_err(made)?;
        let config = match config::load(&path) {
            Ok(config) => config,
            Err(problems) => return refuse(&problems),
        };
        telemetry::start(config.trace);
        // Heard from before anyone is told that we serve, or one who stops us at once would kill us.
        let stop = stop_signal()?;
        let running = Running::start(config).await?;
        let tokens = site.tokens(&clock, &random).map_err(made)?;
        let facts = Facts { site: &site, policies: &policies, address: running.address(), tokens };
        match args.format {
            OutputFormat::Json => facts.print_json()?,
            OutputFormat::Table => facts.print(args.voters)?,
        }
        let outcome = running.until(stop).await;
        source.shutdown().await;
        outcome
    })
}

fn make_ledger(site: &Site) -> Result<(), Failure> {
    let made = |error| Failure::caused("could not make the demo's ledger", error);
    let directory = site.ledger();
    std::fs::create_dir_all(&directory)
        .map_err(|error| Failure::caused("could not make the demo's ledger", error))?;
    let signer = Signer::generate(&directory.join(KEY_FILE), ORIGIN)
        .map_err(|error| Failure::caused("could not make the ledger's key", error))?;
    Ledger::init(
        &directory,
        &signer,
        "KPU Kabupaten 9901 (demo)",
        Arc::new(SystemClock),
        Arc::new(SystemRandom::new()),
    )
    .map_err(made)
}

/// What the demo tells, to people or to scripts.
struct Facts<'a> {
    site: &'a Site,
    policies: &'a Path,
    address: SocketAddr,
    tokens: Vec<DemoToken>,
}

/// The made-up kabupaten whose copies the demo's party and supervisors may have, and one they may not.
const OWN: &str = "9901";
const OTHER: &str = "9902";

impl Facts<'_> {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn print_json(&self) -> Result<(), Failure> {
        let tokens: serde_json::Map<_, _> =
            self.tokens.iter().map(|one| (one.name.to_owned(), one.token.as_str().into())).collect();
        let facts = json!({
            "address": self.address.to_string(),
            "ca": self.site.ca(),
            "ledger": self.site.ledger(),
            "config": self.site.file("salinan.toml"),
            "policies": self.policies,
            "tokens": tokens,
            "urls": {
                "csv": self.url(&format!("/dpt/{OWN}.csv")),
                "ndjson": self.url(&format!("/dpt/{OWN}.ndjson")),
                "json": self.url(&format!("/dpt/{OWN}.json")),
                "envelope": self.url(&format!("/dpt-envelope/{OWN}.json")),
                "kecamatan": self.url(&format!("/dpt/{OWN}01.csv")),
                "refused": self.url(&format!("/dpt/{OTHER}.csv")),
                "receipts": self.url("/receipts/"),
            },
        });
        let mut stdout = anstream::stdout();
        writeln!(stdout, "{facts}")?;
        stdout.flush()?;
        Ok(())
    }

    fn print(&self, voters: u64) -> Result<(), Failure> {
        let mut out = anstream::stdout();
        let head = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        let shown = |path: &Path| path.display().to_string();
        writeln!(
            out,
            "{head}Salinan demo{head:#}: {voters} made-up voters in kabupaten {OWN}; Ctrl-C stops it.\n"
        )?;
        for (name, value) in [
            ("address", self.url("")),
            ("CA", shown(&self.site.ca())),
            ("ledger", shown(&self.site.ledger())),
            ("policies", shown(self.policies)),
        ] {
            writeln!(out, "  {name:<9} {value}")?;
        }
        writeln!(out, "\n{head}Paste once{head:#} (tokens live for a day)\n")?;
        writeln!(out, "  CA={}", quoted(&shown(&self.site.ca())))?;
        for one in &self.tokens {
            writeln!(out, "  {}={}", one.name.to_uppercase(), one.token)?;
        }
        let curl = |token: &str, rest: &str, path: &str| {
            format!(
                "curl -sS --cacert \"$CA\" -H \"Authorization: Bearer ${token}\" {rest}{}",
                self.url(path)
            )
        };
        let program =
            quoted(&std::env::current_exe().map_or_else(|_| "salinan".to_owned(), |path| shown(&path)));
        let ledger = quoted(&shown(&self.site.ledger()));
        let register = quoted(&shown(&self.site.register()));
        let own = |suffix: &str| format!("/dpt/{OWN}.{suffix}");
        let steps = [
            (
                "A party's copy: CSV, NDJSON, JSON",
                vec![
                    curl("PARTAI_KABKOTA", "-o copy.csv -D head.txt ", &own("csv")),
                    curl("PARTAI_KABKOTA", "-o copy.ndjson ", &own("ndjson")),
                    curl("PARTAI_KABKOTA", "-o copy.json ", &own("json")),
                ],
            ),
            (
                "The same address as Bawaslu: another field set",
                vec![curl("BAWASLU", "-o bawaslu.csv ", &own("csv"))],
            ),
            (
                "A kecamatan's representative",
                vec![curl("PARTAI_KECAMATAN", "-o kecamatan.csv ", &format!("/dpt/{OWN}01.csv"))],
            ),
            (
                "Refused: an area outside the mandate",
                vec![curl("PARTAI_KABKOTA", "", &format!("/dpt/{OTHER}.csv"))],
            ),
            (
                "The receipt of the first copy",
                vec![
                    "RELEASE=$(tr -d '\\r' < head.txt | sed -n 's/^release-id: //p')".to_owned(),
                    curl("PARTAI_KABKOTA", "", "/receipts/").replace("/receipts/", "/receipts/\"$RELEASE\""),
                ],
            ),
            (
                "What the auditor reads",
                vec![
                    format!("{program} log verify --dir {ledger}"),
                    format!("{program} log query --dir {ledger}"),
                    format!("{program} log due --dir {ledger} --register {register}"),
                ],
            ),
        ];
        for (title, commands) in steps {
            writeln!(out, "\n{head}{title}{head:#}\n")?;
            for command in commands {
                writeln!(out, "  {command}")?;
            }
        }
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }
}

/// A path as a shell takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
