//! `salinan log witness`: a small witness for ledgers of others, in one command.

use std::fs::DirBuilder;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use crate::cli::print::{Answer, Failure, Outcome};
use crate::cli::serve::{runtime, stop_signal};
use crate::config;
use crate::domain::SystemClock;
use crate::ledger::{Signer, Verifier};
use crate::server::{ClientCertificates, server_config};
use crate::telemetry::{self, TraceOptions};
use crate::witness::{Listening, Service};

/// The witness's key in its folder.
const KEY_FILE: &str = "witness-key.pem";

/// Run a witness: sign the checkpoints of ledgers that only grow, and refuse all others
///
/// Prints the witness's verifier key first. Everything it signed is kept in the folder; a witness that lost its folder must
/// get a new name and a new key.
#[derive(Debug, clap::Args)]
pub struct Witness {
    /// The witness's folder, made where it is missing: its key, and what it signed
    #[arg(long, value_name = "STATE")]
    dir: PathBuf,
    /// Its name, without blanks, such as `witness.partai.example/w1`
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where to listen; without a certificate only on this machine's own addresses, such as 127.0.0.1:7380
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Verifier key of a ledger to watch; several may be given, and two of one ledger while its key is handed over
    #[arg(long = "log", value_name = "VKEY", required = true)]
    logs: Vec<Verifier>,
    /// Certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

pub fn run(args: &Witness) -> Outcome {
    let failed = |error| Failure::caused(format!("could not make {}", args.dir.display()), error);
    DirBuilder::new().recursive(true).mode(0o700).create(&args.dir).map_err(failed)?;
    let path = args.dir.join(KEY_FILE);
    let signer = if path.exists() {
        Signer::load(&path, &args.name)
    } else if holds_checkpoints(args) {
        return Err(Failure::new(format!("{} is missing, and this witness signed before", path.display()))
            .help("put the key back, or begin anew in an empty folder under another name"));
    } else {
        Signer::generate(&path, &args.name)
    };
    let signer = signer.map_err(|error| Failure::caused("could not set up the witness's key", error))?;
    let tls = match (&args.certificate, &args.key) {
        (Some(chain), Some(key)) => Some(tls(chain, key)?),
        _ => None,
    };
    let vkey = signer.cosigner().to_string();
    let service = Service::open(&args.dir, signer, args.logs.clone(), Arc::new(SystemClock))
        .map_err(|error| Failure::caused("could not open the witness's folder", error))?;
    telemetry::start(TraceOptions::default());
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let listening = Listening::bind(args.listen, tls).await;
        let listening = listening.map_err(|error| Failure::caused("could not start the witness", error))?;
        writeln!(anstream::stdout(), "{vkey}")?;
        info!(address = %listening.address(), "serving");
        listening.serve(Arc::new(service), stop).await;
        info!("stopped");
        Ok(Answer::Yes)
    })
}

fn holds_checkpoints(args: &Witness) -> bool {
    let files = std::fs::read_dir(&args.dir).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|path| path.extension().is_some_and(|ending| ending == "checkpoint"))
}

fn tls(chain: &std::path::Path, key: &std::path::Path) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let (chain, key) = config::certificate(chain, key).map_err(Failure::new)?;
    let config = server_config(chain, key, ClientCertificates::Off)
        .map_err(|error| Failure::caused("could not set up TLS", error))?;
    // It speaks HTTP/1.1 alone.
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
