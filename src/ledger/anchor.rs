//! The anchor: the latest checkpoint in a file of its own, fsynced, outside the database.
//!
//! A database that is smaller than its anchor, or has another root at that size, is an old copy put back or a
//! history written anew. The anchor follows the database by at most `INTERVAL`: it is written by a thread of
//! its own, so that no append waits for it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Shortest time between two writes.
const INTERVAL: Duration = Duration::from_millis(500);

/// Writes a checkpoint so that a crash leaves the old one or the new one. Durable when it returns.
pub fn write(path: &Path, checkpoint: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(checkpoint.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_directory_of(path)
}

pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[derive(Debug, Default)]
struct Slot {
    latest: Option<String>,
    ended: bool,
}

/// Takes checkpoints and writes the latest of them, until dropped; then the last one is written at once.
#[derive(Debug)]
pub struct Anchor {
    slot: Arc<(Mutex<Slot>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Anchor {
    pub fn start(path: PathBuf) -> io::Result<Self> {
        let slot = Arc::new((Mutex::new(Slot::default()), Condvar::new()));
        let thread = thread::Builder::new().name("ledger-anchor".to_owned()).spawn({
            let slot = Arc::clone(&slot);
            move || follow(&path, &slot)
        })?;
        Ok(Self { slot, thread: Some(thread) })
    }

    pub fn follow(&self, checkpoint: String) {
        let (slot, changed) = &*self.slot;
        lock(slot).latest = Some(checkpoint);
        changed.notify_one();
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let (slot, changed) = &*self.slot;
        lock(slot).ended = true;
        changed.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// A slot is whole whatever its last holder did.
fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(path: &Path, (slot, changed): &(Mutex<Slot>, Condvar)) {
    loop {
        let nothing_to_do = |slot: &mut Slot| slot.latest.is_none() && !slot.ended;
        let (latest, ended) = {
            let mut slot =
                changed.wait_while(lock(slot), nothing_to_do).unwrap_or_else(PoisonError::into_inner);
            (slot.latest.take(), slot.ended)
        };
        if let Some(checkpoint) = latest
            && let Err(error) = write(path, &checkpoint)
        {
            // The record itself is safe; what suffers is noticing that an old copy was put back.
            tracing::warn!(%error, "the ledger's anchor could not be written");
            lock(slot).latest.get_or_insert(checkpoint);
        }
        if ended {
            return;
        }
        thread::park_timeout(INTERVAL);
    }
}
