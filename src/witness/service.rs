//! A witness: for each ledger that it knows it keeps the newest checkpoint it signed, and signs another only when that
//! grew out of it. What it keeps is on disk before its signature leaves, so that no crash makes it sign a fork.
//!
//! ```text
//! STATE/witness-key.pem     its key; readable by its owner only
//! STATE/witness.lock        held by the process that signs
//! STATE/HASH.checkpoint     the newest signed checkpoint of the ledger whose name has this SHA-256
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use thiserror::Error;
use tracing::{info, warn};

use super::submission::Submission;
use crate::domain::{Clock, Digest};
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::{Signer, Verifier, anchor, proof, tree};

#[derive(Debug, Error)]
pub enum ServiceError {
    #[error("could not use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("another process signs with {}", path.display())]
    Held { path: PathBuf },
    #[error("{} is not a checkpoint of {origin} that was signed by its key", path.display())]
    State { path: PathBuf, origin: String, source: CheckpointError },
    #[error("no ledger was given")]
    NoLog,
}

/// A ledger and what was signed of it.
struct Log {
    origin: String,
    /// Its key; two while it is handed over from one to the next.
    verifiers: Vec<Verifier>,
    path: PathBuf,
    /// Held from the check until the new one is on disk: two requests never sign past one another.
    newest: Mutex<Option<(Checkpoint, String)>>,
}

pub struct Service {
    signer: Signer,
    logs: Vec<Log>,
    clock: Arc<dyn Clock>,
    /// Kept open: the lock goes with it.
    _lock: File,
}

/// Status, media type and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: StatusCode,
    pub kind: &'static str,
    pub text: String,
}

impl Reply {
    fn plain(status: StatusCode, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", text: format!("{text}\n") }
    }

    /// The size that the next submission must begin at.
    fn conflict(size: u64) -> Self {
        Self { status: StatusCode::CONFLICT, kind: "text/x.tlog.size", text: format!("{size}\n") }
    }
}

impl Service {
    /// Reads what was signed before, and keeps every other process from signing.
    pub fn open(
        directory: &Path,
        signer: Signer,
        verifiers: Vec<Verifier>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServiceError> {
        let path = directory.join("witness.lock");
        let failed = |source| ServiceError::File { path: path.clone(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(ServiceError::Held { path }),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut logs: Vec<Log> = Vec::new();
        for verifier in verifiers {
            if let Some(known) = logs.iter_mut().find(|log| log.origin == verifier.name()) {
                known.verifiers.push(verifier);
                continue;
            }
            let origin = verifier.name().to_owned();
            let path = directory.join(format!("{}.checkpoint", Digest::of(origin.as_bytes())));
            logs.push(Log { origin, verifiers: vec![verifier], path, newest: Mutex::default() });
        }
        for log in &mut logs {
            log.newest = Mutex::new(log.read_state()?);
        }
        if logs.is_empty() {
            return Err(ServiceError::NoLog);
        }
        Ok(Self { signer, logs, clock, _lock: lock })
    }

    /// Answers `add-checkpoint`. Blocks while it writes.
    pub fn add_checkpoint(&self, body: &str) -> Reply {
        let malformed = || Reply::plain(StatusCode::BAD_REQUEST, "the submission is not of its form");
        let Some(submission) = Submission::read(body) else { return malformed() };
        let origin = submission.note.split('\n').next().unwrap_or_default();
        let Some(log) = self.logs.iter().find(|log| log.origin == origin) else {
            return Reply::plain(StatusCode::NOT_FOUND, "this witness does not know the ledger");
        };
        let new = match log.open(&submission.note) {
            Ok(new) => new,
            Err(CheckpointError::Unsigned | CheckpointError::Signature) => {
                return Reply::plain(
                    StatusCode::FORBIDDEN,
                    "the checkpoint is not signed by the ledger's key",
                );
            }
            Err(CheckpointError::Shape | CheckpointError::Origin) => return malformed(),
        };
        if submission.old > new.size {
            return Reply::plain(StatusCode::BAD_REQUEST, "the old size is larger than the checkpoint's");
        }
        let mut newest = log.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = newest.as_ref().map_or(Checkpoint { size: 0, root: [0; 32] }, |(known, _)| *known);
        if submission.old != known.size {
            return Reply::conflict(known.size);
        }
        if new.size == known.size && newest.is_some() && new.root != known.root {
            warn!(
                origin,
                size = new.size,
                "REFUSED: another root was signed at the size signed before; keep both"
            );
            log.keep_evidence(&submission.note);
            return Reply::conflict(known.size);
        }
        let is_possible = new.size > 0 || new.root == tree::empty_root();
        if !is_possible || !proof::is_consistent(&known, &new, &submission.proof) {
            warn!(
                origin,
                old = known.size,
                new = new.size,
                "REFUSED: the ledger did not grow out of what was signed"
            );
            log.keep_evidence(&submission.note);
            return Reply::plain(StatusCode::UNPROCESSABLE_ENTITY, "the proof does not show growth");
        }
        let text = new_text(&submission.note);
        if let Err(error) = anchor::write(&log.path, &submission.note) {
            warn!(%error, "the checkpoint could not be kept, so it is not signed");
            return Reply::plain(StatusCode::SERVICE_UNAVAILABLE, "the checkpoint could not be kept");
        }
        *newest = Some((new, submission.note.clone()));
        info!(origin, size = new.size, "signed");
        let line = self.signer.cosign(text, self.clock.unix_seconds());
        Reply { status: StatusCode::OK, kind: "text/plain; charset=utf-8", text: line }
    }

    /// The newest checkpoint signed of the ledger whose name has this digest, for monitors.
    pub fn newest(&self, origin_sha256: &str) -> Option<String> {
        let is_asked = |log: &&Log| Digest::of(log.origin.as_bytes()).to_string() == origin_sha256;
        let log = self.logs.iter().find(is_asked)?;
        log.newest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, note)| note.clone())
    }
}

/// The part of a note that is signed.
fn new_text(note: &str) -> &str {
    note.find("\n\n").map_or(note, |end| &note[..=end])
}

impl Log {
    /// The checkpoint, if one of the ledger's keys signed it.
    fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let mut opened = Err(CheckpointError::Unsigned);
        for verifier in &self.verifiers {
            opened = Checkpoint::open(note, verifier);
            if opened.is_ok() {
                break;
            }
        }
        opened
    }

    /// A signed checkpoint that contradicts another is proof against the ledger: the newest one is kept.
    fn keep_evidence(&self, note: &str) {
        let path = self.path.with_extension("contradiction");
        if let Err(error) = anchor::write(&path, note) {
            warn!(%error, file = %path.display(), "a contradicting checkpoint could not be kept");
        }
    }

    fn read_state(&self) -> Result<Option<(Checkpoint, String)>, ServiceError> {
        let path = self.path.clone();
        let note = match fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ServiceError::File { path, source }),
        };
        let origin = self.origin.clone();
        let checkpoint = self.open(&note).map_err(|source| ServiceError::State { path, origin, source })?;
        Ok(Some((checkpoint, note)))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::TestClock;
    use crate::ledger::tree::{Hash, empty_root, leaf_hash, node_hash};

    struct Site {
        folder: TempDir,
        ledger: Signer,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger = Signer::generate(&folder.path().join("ledger.pem"), "ledger.example").unwrap();
            Signer::generate(&folder.path().join("witness.pem"), "witness.example/w").unwrap();
            Self { folder, ledger }
        }

        fn open(&self) -> Result<Service, ServiceError> {
            let signer = Signer::load(&self.folder.path().join("witness.pem"), "witness.example/w").unwrap();
            let clock = Arc::new(TestClock::at(1_718_935_200_000));
            Service::open(self.folder.path(), signer, vec![self.ledger.verifier()], clock)
        }

        fn note(&self, size: u64, root: Hash) -> String {
            Checkpoint { size, root }.sign(&self.ledger)
        }
    }

    fn submission(old: u64, proof: &[Hash], note: &str) -> String {
        Submission { old, proof: proof.to_vec(), note: note.to_owned() }.write()
    }

    #[test]
    fn growth_is_signed_and_forks_rollbacks_and_strangers_are_not() {
        let site = Site::new();
        let service = site.open().unwrap();
        let [a, b, c, x] = [b"a", b"b", b"c", b"x"].map(|entry| leaf_hash(entry));
        let two = node_hash(&a, &b);
        let (one, grown, forked) = (
            site.note(1, a),
            site.note(3, node_hash(&two, &c)),
            site.note(3, node_hash(&node_hash(&a, &x), &c)),
        );
        let ask = |old, proof: &[Hash], note: &str| service.add_checkpoint(&submission(old, proof, note));
        let size = |size: u64| Reply::conflict(size);
        assert_eq!(ask(1, &[], &one), size(0), "nothing was signed yet");
        assert_eq!(ask(0, &[b], &one).status, 422, "nothing grows out of nothing with a proof");
        let signed = ask(0, &[], &one);
        assert_eq!(signed.status, 200);
        let witness = service.signer.cosigner();
        assert_eq!(witness.find(&format!("{one}{}", signed.text)).unwrap().1, 1_718_935_200);
        assert_eq!(ask(1, &[], &one).status, 200, "the same again is signed again");
        assert_eq!(ask(1, &[], &site.note(1, x)), size(1), "another root of the same size");
        assert_eq!(ask(0, &[], &grown), size(1), "who does not know what was signed is told");
        assert_eq!(ask(1, &[b], &grown).status, 422, "a proof too short");
        assert_eq!(ask(1, &[b, c], &forked).status, 422, "a fork");
        assert_eq!(ask(1, &[x, c], &grown).status, 422, "another proof");
        assert_eq!(ask(1, &[b, c], &grown).status, 200);
        assert_eq!(ask(3, &[], &one).status, 400, "a rollback");
        assert_eq!(ask(1, &[], &one), size(3), "a rollback that does not say so");
        assert_eq!(ask(3, &[], &forked), size(3), "a fork of the same size");

        let foreign = grown.replacen("ledger.example", "other.example", 1);
        assert_eq!(ask(3, &[], &foreign).status, 404);
        let unsigned = grown.replacen("— ledger.example", "— other.example", 1);
        assert_eq!(ask(3, &[], &unsigned).status, 403);
        assert_eq!(ask(3, &[], &grown.replacen("\n3\n", "\n4\n", 1)).status, 403);
        assert_eq!(service.add_checkpoint("old 3\n\nledger.example\n").status, 400);
        let evidence = fs::read_to_string(service.logs[0].path.with_extension("contradiction")).unwrap();
        assert_eq!(evidence, forked, "what contradicts is kept");
    }

    #[test]
    fn what_was_signed_is_known_after_a_start_and_nobody_signs_beside_it() {
        let site = Site::new();
        let service = site.open().unwrap();
        assert!(matches!(site.open(), Err(ServiceError::Held { .. })));
        let one = site.note(1, leaf_hash(b"a"));
        assert_eq!(service.add_checkpoint(&submission(0, &[], &one)).status, 200);
        let state = service.logs[0].path.clone();
        drop(service);
        let service = site.open().unwrap();
        assert_eq!(service.newest(&Digest::of(b"ledger.example").to_string()), Some(one.clone()));
        assert_eq!(service.add_checkpoint(&submission(0, &[], &one)), Reply::conflict(1));
        drop(service);
        fs::write(state, one.replacen("\n1\n", "\n0\n", 1)).unwrap();
        assert!(matches!(site.open(), Err(ServiceError::State { .. })), "a changed state is not signed upon");
    }

    #[test]
    fn an_empty_ledger_has_the_root_of_nothing_and_what_is_not_kept_is_not_signed() {
        let site = Site::new();
        let service = site.open().unwrap();
        let of = |note: &str| service.add_checkpoint(&submission(0, &[], note)).status;
        assert_eq!(of(&site.note(0, leaf_hash(b"a"))), 422);
        assert_eq!(of(&site.note(0, empty_root())), 200);
        fs::remove_dir_all(site.folder.path()).unwrap();
        assert_eq!(of(&site.note(1, leaf_hash(b"a"))), 503);
        assert_eq!(of(&site.note(0, empty_root())), 503);
    }
}
