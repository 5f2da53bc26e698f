//! Asks witnesses to sign the ledger's newest checkpoint, again and again, beside a running server.
//!
//! All witnesses are asked about the same checkpoint, each with the proof of growth from the size it signed before. When
//! enough of them signed, by the quorum of the policy file, their lines are kept with the checkpoint: it is the one that is
//! shown and that receipts are under. A witness that does not answer is counted and told, and nothing waits for it.
//!
//! Replicas of one ledger each ask for themselves. A witness signs the same checkpoint as often as it is asked; where
//! another replica had it sign a larger one first, the newest is asked about at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::submission::Submission;
use crate::caller::{CallError, Caller};
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::quorum::{TrustPolicy, TrustedWitness};
use crate::ledger::{Cosigner, Ledger, LedgerError};

/// Longest answer of a witness: a few lines.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// The first try may only tell what size to begin at.
const TRIES: usize = 2;
/// Rounds at once where another replica's question came before ours.
const ROUNDS: usize = 4;

/// Which witnesses are asked, and how.
pub struct FeederOptions {
    pub policy: TrustPolicy,
    /// Where each witness of the policy is, in its order.
    pub places: Vec<WitnessPlace>,
    /// From one round to the next.
    pub interval: Duration,
    /// Longest that one question to a witness may take.
    pub timeout: Duration,
}

/// Where a witness is, and what vouches for it.
pub struct WitnessPlace {
    pub url: Uri,
    /// Certificates of which one has to vouch for it; no other is trusted.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Why a witness did not sign.
#[derive(Debug, Error)]
enum Unsigned {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the address cannot be asked")]
    Address(#[from] http::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer has no cosignature of its key")]
    NoSignature,
    #[error("it signed size {0} before, and this ledger is smaller")]
    Ahead(u64),
    #[error("it signed size {0} meanwhile, which another replica asked it about")]
    Overtaken(u64),
    #[error(
        "it signed another root at size {0} before: the ledger was forked, or its state is of another one"
    )]
    Contradiction(u64),
    #[error("the proof of growth could not be made")]
    Ledger(#[from] LedgerError),
    #[error("the ledger's own checkpoint cannot be read")]
    Checkpoint(#[from] CheckpointError),
}

struct Witness {
    name: String,
    cosigner: Cosigner,
    url: String,
    /// Trusts what vouches for this witness alone.
    caller: Caller,
    /// The size that it signed last, as far as we know.
    signed: AtomicU64,
    failures: AtomicU64,
}

pub struct Feeder {
    policy: TrustPolicy,
    witnesses: Vec<Arc<Witness>>,
    interval: Duration,
    ledger: Ledger,
    /// The size that all witnesses signed.
    done: Option<u64>,
}

impl Feeder {
    /// Asks nobody yet.
    pub fn new(options: FeederOptions, ledger: Ledger) -> Result<Self, CallError> {
        let witness = |(own, place): (TrustedWitness<'_>, WitnessPlace)| {
            Ok(Arc::new(Witness {
                name: own.name.to_owned(),
                cosigner: own.cosigner.clone(),
                url: format!("{}/add-checkpoint", place.url.to_string().trim_end_matches('/')),
                caller: Caller::new(place.roots, options.timeout, ANSWER_BYTES_MAX)?,
                signed: AtomicU64::new(0),
                failures: AtomicU64::new(0),
            }))
        };
        let witnesses = options.policy.witnesses().zip(options.places).map(witness);
        let witnesses = witnesses.collect::<Result<Vec<_>, CallError>>()?;
        Ok(Self { witnesses, policy: options.policy, interval: options.interval, ledger, done: None })
    }

    /// Asks round after round until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let step = async {
                for _ in 0..ROUNDS {
                    if !self.round().await {
                        break;
                    }
                }
                sleep(self.interval).await;
            };
            tokio::select! {
                _ = stop.wait_for(|now| *now) => return,
                () = step => {}
            }
        }
    }

    /// Everybody once, at the same time, about the same checkpoint. `true`: another replica was faster with a larger
    /// one, so that it is worth asking again.
    async fn round(&mut self) -> bool {
        let (note, size) = match self.newest().await {
            Ok((_, size)) if self.done == Some(size) => return false,
            Ok(newest) => newest,
            Err(error) => {
                warn!(%error, "witnesses were not asked");
                return false;
            }
        };
        let mut asking = JoinSet::new();
        for (at, witness) in self.witnesses.iter().enumerate() {
            let (witness, note) = (Arc::clone(witness), note.clone());
            let ledger = self.ledger.clone();
            asking.spawn(async move { (at, witness.ask(&ledger, &note, size).await) });
        }
        let mut lines: Vec<Option<String>> = vec![None; self.witnesses.len()];
        let mut is_overtaken = false;
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((at, Ok(line))) => lines[at] = Some(line),
                Ok((_, Err(cause))) => is_overtaken |= matches!(cause, Unsigned::Overtaken(_)),
                Err(_) => {}
            }
        }
        let is_by_all = lines.iter().all(Option::is_some);
        let cosigned = note + &lines.into_iter().flatten().collect::<String>();
        let quorum = self.policy.judge(&cosigned);
        if !quorum.is_met {
            if !is_overtaken {
                warn!(size, %quorum, "the checkpoint is not shown as witnessed");
            }
            return is_overtaken;
        }
        match self.ledger.keep_cosigned(cosigned).await {
            Ok(()) => {
                info!(size, %quorum, "the checkpoint is witnessed");
                self.done = is_by_all.then_some(size);
            }
            Err(error) => warn!(%error, "the witnessed checkpoint could not be kept"),
        }
        false
    }

    async fn newest(&self) -> Result<(String, u64), Unsigned> {
        let note = self.ledger.newest_checkpoint().await?;
        let size = Checkpoint::stated_size(&note)?;
        Ok((note, size))
    }
}

impl Witness {
    /// Its line with the line end. What it does not sign, and why, is told.
    async fn ask(&self, ledger: &Ledger, note: &str, size: u64) -> Result<String, Unsigned> {
        match self.try_ask(ledger, note, size).await {
            Ok(line) => {
                self.failures.store(0, Ordering::Relaxed);
                Ok(line)
            }
            Err(cause @ Unsigned::Overtaken(_)) => Err(cause),
            Err(cause) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                let why = chain(&cause);
                let witness = &self.name;
                if matches!(cause, Unsigned::Contradiction(_) | Unsigned::Ahead(_)) {
                    error!(witness, failures, why, "a witness holds another history of the ledger");
                } else {
                    warn!(witness, failures, why, "a witness did not sign");
                }
                Err(cause)
            }
        }
    }

    async fn try_ask(&self, ledger: &Ledger, note: &str, size: u64) -> Result<String, Unsigned> {
        for _ in 0..TRIES {
            let old = self.signed.load(Ordering::Relaxed);
            if old > size {
                let newest = Checkpoint::stated_size(&ledger.newest_checkpoint().await?)?;
                return Err(if newest < old { Unsigned::Ahead(old) } else { Unsigned::Overtaken(old) });
            }
            let proof = ledger.growth(old, size).await?;
            let body = Submission { old, proof, note: note.to_owned() }.write();
            let request = Request::builder()
                .method(Method::POST)
                .uri(&self.url)
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(Full::from(Bytes::from(body)))?;
            let response = self.caller.call(request).await?;
            let text = String::from_utf8_lossy(response.body());
            match response.status() {
                StatusCode::OK => {
                    let cosigned = format!("{note}{text}");
                    let (line, _) = self.cosigner.find(&cosigned).ok_or(Unsigned::NoSignature)?;
                    self.signed.store(size, Ordering::Relaxed);
                    return Ok(format!("{line}\n"));
                }
                StatusCode::CONFLICT => match text.trim_end().parse::<u64>() {
                    Ok(told) if told == old => return Err(Unsigned::Contradiction(old)),
                    Ok(told) => self.signed.store(told, Ordering::Relaxed),
                    Err(_) => return Err(Unsigned::Status(StatusCode::CONFLICT)),
                },
                // How newer witnesses say so when nothing was to be proven.
                StatusCode::UNPROCESSABLE_ENTITY if old > 0 => return Err(Unsigned::Contradiction(old)),
                status => return Err(Unsigned::Status(status)),
            }
        }
        Err(Unsigned::Status(StatusCode::CONFLICT))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
