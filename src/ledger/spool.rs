//! Reads of the record on their way into it.
//!
//! A ledger has one writer, and an auditor's command is not it: it must be able to read beside a server, on what a
//! crash left, and on evidence that nobody may change. So it never appends. It leaves what was asked in a file of
//! `audit-reads/`, on disk before anything is answered; the server enters it and takes the file away once the entry is
//! durable. Where no server runs, the next one enters the file before it serves.
//!
//! A file that was entered and could not be taken away is entered again: better twice than never. A copy of a ledger
//! has no such folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::entry::Entry;
use super::error::LedgerError;
use super::leaf::hex;
use super::notice::AuditRead;
use super::queue::{Append, Gauge, Message, Needs, Then};
use super::stamper::Stamper;
use super::{LOCK_FILE, anchor};
use crate::domain::Random;

/// The folder in the ledger's directory.
pub const DIRECTORY: &str = "audit-reads";
/// Longest file, and most files entered at a time.
const FILE_BYTES_MAX: u64 = 16 << 10;
const ROUND_MAX: usize = 64;
/// How often the folder is looked into.
const STEP: Duration = Duration::from_millis(50);

/// A read that waits to be entered.
#[derive(Debug)]
pub struct Waiting {
    path: PathBuf,
}

impl Waiting {
    /// Leaves a read to the server: it is on disk when this returns. `None`: this is a copy, which nobody appends to.
    pub fn leave(
        directory: &Path,
        read: &AuditRead,
        random: &dyn Random,
    ) -> Result<Option<Self>, LedgerError> {
        let folder = directory.join(DIRECTORY);
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut name = [0; 16];
        if !random.fill(&mut name) {
            return Err(LedgerError::Random);
        }
        let path = folder.join(format!("{}.json", hex(&name)));
        let failed = |source| LedgerError::File { path: path.clone(), source: Arc::new(source) };
        let text = serde_json::to_string(read).map_err(io::Error::from).map_err(failed)?;
        anchor::write(&path, &text).map_err(failed)?;
        Ok(Some(Self { path }))
    }

    /// Whether the server has taken it: then its entry is durable.
    pub fn is_taken(&self) -> bool {
        !self.path.exists()
    }
}

/// Whether a server holds the ledger in this directory.
pub fn is_held(directory: &Path) -> bool {
    // A shared lock for a moment: readers do not shut each other out, and a server that starts just now tries again.
    let lock = File::open(directory.join(LOCK_FILE));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Makes the folder where it is missing. Without it reads cannot be recorded, and nothing else suffers.
pub(super) fn make(directory: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().mode(0o770).create(directory.join(DIRECTORY));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::warn!(%error, "reads of auditors cannot be recorded: their folder cannot be made");
        }
        _ => {}
    }
}

/// The reads that wait, the ones with a sound file at least. Others are set aside, or they would be looked at for ever.
pub(super) fn waiting(directory: &Path) -> Vec<(PathBuf, AuditRead)> {
    let Ok(folder) = fs::read_dir(directory.join(DIRECTORY)) else { return Vec::new() };
    let paths = folder.filter_map(|file| Some(file.ok()?.path()));
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: PathBuf| match read(&path) {
        Some(found) => Some((path, found)),
        None => {
            tracing::warn!(file = %path.display(), "a file among the reads of auditors is none and was set aside");
            let _ = fs::rename(&path, path.with_extension("refused"));
            None
        }
    };
    paths.take(ROUND_MAX).filter_map(read).collect()
}

fn read(path: &Path) -> Option<AuditRead> {
    let about = fs::symlink_metadata(path).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    let read: AuditRead = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (read.is_plain() && is_name(&read.auditor)).then_some(read)
}

/// Longest name of an auditor, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// As many digits as no name has and a number of a person has more of.
const NAME_DIGITS_MAX: usize = 13;

/// Whether a text may stand in the record as the name of who asked, or as a word they asked with: short, printable,
/// and without room for a number of a person.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && !text.chars().any(char::is_control)
        && text.chars().filter(|sign| sign.is_numeric()).count() <= NAME_DIGITS_MAX
}

/// Takes the files of entries that are durable away.
pub(super) fn take_away(paths: impl IntoIterator<Item = PathBuf>) {
    for path in paths {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, "a read that was entered could not be taken away and will be entered again");
        }
    }
}

/// Enters what is left in the folder until nobody can append any more.
pub(super) fn watch(
    directory: PathBuf,
    queue: mpsc::WeakSender<Message>,
    stamper: Arc<Stamper>,
    gauge: Arc<Gauge>,
) -> io::Result<()> {
    let watch = move || {
        loop {
            thread::sleep(STEP);
            let Some(queue) = queue.upgrade().filter(|queue| !queue.is_closed()) else { return };
            let mut entered = Vec::new();
            for (path, read) in waiting(&directory) {
                if let Some(answer) = enter(&queue, &stamper, &gauge, read) {
                    entered.push((path, answer));
                }
            }
            drop(queue);
            let is_durable = |answer: oneshot::Receiver<Result<u64, LedgerError>>| {
                matches!(answer.blocking_recv(), Ok(Ok(_)))
            };
            take_away(entered.into_iter().filter_map(|(path, answer)| is_durable(answer).then_some(path)));
        }
    };
    thread::Builder::new().name("ledger-reads".to_owned()).spawn(watch).map(drop)
}

/// Queues an entry; where there is no room the file waits for the next round.
fn enter(
    queue: &mpsc::Sender<Message>,
    stamper: &Stamper,
    gauge: &Gauge,
    read: AuditRead,
) -> Option<oneshot::Receiver<Result<u64, LedgerError>>> {
    let entry = stamper.write(&Entry::AuditRead(Box::new(read))).ok()?;
    let place = queue.clone().try_reserve_owned().ok()?;
    let (told, answer) = oneshot::channel();
    gauge.send(place, Append { entry, needs: Needs::Nothing, then: Then::Tell(told) });
    Some(answer)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::SeededRandom;

    fn read(auditor: &str, value: &str) -> AuditRead {
        AuditRead {
            auditor: auditor.to_owned(),
            question: "party".to_owned(),
            parameters: vec![("party".to_owned(), value.to_owned())],
            entries: 7,
        }
    }

    #[test]
    fn a_read_is_left_where_there_is_a_folder_for_it_and_comes_back_whole() {
        let (directory, random) = (tempfile::tempdir().unwrap(), SeededRandom::new(1));
        let path = directory.path();
        let one = read("auditor", "pemilu-2024/7");
        assert!(Waiting::leave(path, &one, &random).unwrap().is_none(), "a copy has no folder");
        make(path);
        let left = Waiting::leave(path, &one, &random).unwrap().unwrap();
        let found = waiting(path);
        assert_eq!((found.len(), &found[0].1, left.is_taken()), (1, &one, false));
        take_away(found.into_iter().map(|(path, _)| path));
        assert!(left.is_taken());
    }

    #[test]
    fn what_is_no_read_is_set_aside_once() {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        let folder = directory.path().join(DIRECTORY);
        let written = |read: &AuditRead| serde_json::to_string(read).unwrap();
        let files = [
            ("a", String::new()),
            ("b", written(&read("auditor", "a sentence about someone"))),
            ("c", written(&read("9901014512900003", "9901"))),
            ("d", written(&read("line\nfeed", "9901"))),
            ("e", "x".repeat(20_000)),
            ("f", written(&read("auditor", "9901")).replace("entries", "rows")),
        ];
        for (name, text) in &files {
            fs::write(folder.join(format!("{name}.json")), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", folder.join("g.json")).unwrap();
        fs::write(folder.join("half.new"), "{").unwrap();
        assert_eq!(waiting(directory.path()), []);
        let left = |ending: &str| {
            let names = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            names.filter(|path| path.extension().is_some_and(|own| own == ending)).count()
        };
        assert_eq!((left("json"), left("refused"), left("new")), (0, files.len() + 1, 1));
    }

    #[test]
    fn a_name_has_no_room_for_a_number_of_a_person() {
        let long = "x".repeat(129);
        let cases = [
            ("Inspektorat KPU (uid 1001)", true),
            ("bawaslu-9901", true),
            ("", false),
            (&long, false),
            ("99.0101.451290.0003", false),
            ("a\u{1b}[2J", false),
        ];
        for (text, fits) in cases {
            assert_eq!(is_name(text), fits, "{text}");
        }
    }
}
