//! `salinan serve`: the proxy in front of a voter-data API.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use tokio::sync::watch;
use tracing::info;

use super::print::{Answer, Failure, Outcome};
use crate::admission::Admission;
use crate::config::{self, Config};
use crate::document::Diagnostic;
use crate::domain::{Clock, SystemClock};
use crate::identity::Verifier;
use crate::ledger::{Ledger, ReplicaStart};
use crate::release::{Path, PathOptions};
use crate::server::Listener;
use crate::telemetry;
use crate::upstream::Upstream;
use crate::witness::Feeder;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "salinan.toml")]
    config: PathBuf,
    /// Check the configuration and every file it names, then stop: binds nothing, writes nothing
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Outcome {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) if args.check => {
            show(&problems)?;
            return Ok(Answer::No);
        }
        Err(problems) => return refuse(&problems),
    };
    if args.check {
        writeln!(anstream::stdout(), "{}: nothing to mend", args.config.display())?;
        return Ok(Answer::Yes);
    }
    telemetry::start(config.trace);
    runtime()?.block_on(async {
        // Heard from before anyone is told that we serve, or one who stops us at once would kill us.
        let stop = stop_signal()?;
        let running = Running::start(config).await?;
        info!(address = %running.address(), "serving");
        running.until(stop).await
    })
}

/// Shows all problems of the configuration; nothing can be served.
pub(super) fn refuse(problems: &[Diagnostic]) -> Outcome {
    show(problems)?;
    Err(Failure::new("nothing was started")
        .help("mend the configuration, or look at it with `serve --check`"))
}

fn show(problems: &[Diagnostic]) -> Result<(), Failure> {
    let mut stderr = anstream::stderr();
    for problem in problems {
        writeln!(stderr, "{}\n", problem.render(true))?;
    }
    writeln!(stderr, "{} found", count(problems.len()))?;
    Ok(())
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("could not start", error))
}

/// Turns true at SIGINT or SIGTERM.
pub(super) fn stop_signal() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let unheard = |error| Failure::caused("could not listen for signals", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = stop.send(true);
    });
    Ok(stopping)
}

/// The proxy, bound and ready to accept.
pub(super) struct Running {
    listener: Listener,
    path: Arc<Path>,
    tls: Arc<rustls::ServerConfig>,
    server: crate::server::ServerOptions,
    identity: Arc<Verifier>,
    /// Asks witnesses, if there are any.
    feeder: Option<Feeder>,
}

impl Running {
    /// Opens the ledger, binds the address and puts the path together.
    pub(super) async fn start(config: Config) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random = Arc::new(SystemRandom::new());
        let upstream = Upstream::new(config.upstream)
            .map_err(|error| Failure::caused("could not set up the source", error))?;
        // Bound first: a second start on the same address must not leave a record in the ledger.
        let listener = Listener::bind(config.listen).await.map_err(|error| {
            Failure::caused("could not start serving", error).help("is another one running?")
        })?;
        let start = ReplicaStart {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            config_digest: config.digest,
            policy_digest: config.policy.digest(),
        };
        let ledger = Ledger::open(config.ledger, start, Arc::clone(&clock), random.clone())
            .map_err(|error| Failure::caused("could not open the ledger", error))?;
        let feeder = config.witnesses.map(|options| Feeder::new(options, ledger.clone())).transpose();
        let feeder = feeder.map_err(|error| Failure::caused("could not set up the witnesses", error))?;
        let identity = Arc::new(config.verifier);
        identity.prepare().await;
        let path = Path::new(PathOptions {
            identity: Arc::clone(&identity),
            admission: Admission::new(&config.admission),
            policy: config.policy,
            ledger,
            upstream,
            master_key: config.master_key,
            limits: config.redaction,
            public: config.public,
            stall_timeout: config.stall_timeout,
            clock,
            random,
        });
        let path = Arc::new(path);
        Ok(Self { listener, path, tls: config.tls, server: config.server, identity, feeder })
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.listener.address()
    }

    /// Serves until told to stop, then drains: copies end or are cut off, every release is closed, the ledger
    /// is written out.
    pub(super) async fn until(self, stop: watch::Receiver<bool>) -> Outcome {
        let path = Arc::clone(&self.path);
        let feeding = self.feeder.map(|feeder| tokio::spawn(feeder.run(stop.clone())));
        let mut keeping = self.identity.keep(&stop);
        self.listener.serve(self.path, self.tls, self.server, stop).await;
        if let Some(feeding) = feeding {
            let _ = feeding.await;
        }
        keeping.shutdown().await; // a reading that hangs holds up no closing
        path.settle().await;
        let ledger = path.ledger().clone();
        ledger.shut_down().await;
        info!("stopped");
        Ok(Answer::Yes)
    }
}
