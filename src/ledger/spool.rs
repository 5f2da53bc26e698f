//! Reads of the record on their way into it.
//!
//! A ledger has one history, and an auditor's command does not write it: it must be able to read beside a server, on
//! what a crash left, and on evidence that nobody may change. So it never appends. It leaves what was asked, on disk
//! before anything is answered: in a file of `audit-reads/`, or in the store itself where that is a server. Whoever
//! serves enters it. Where nobody does, the next one enters it before it serves.
//!
//! Each is left under a random name, and the batch that enters it says so to the store, which takes no name twice. So it
//! is entered once, whenever a process dies and however many replicas look. A copy of a ledger has no such folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::Entry;
use super::error::LedgerError;
use super::leaf::hex;
use super::notice::AuditRead;
use super::stamper::Stamper;
use super::{LOCK_FILE, anchor};
use crate::domain::Random;
use crate::store::postgres::{Desk, PostgresOptions};
use crate::store::{NewEntry, ReadId, Store, Turn};

/// The folder in the ledger's directory.
pub const DIRECTORY: &str = "audit-reads";
/// Longest file, and most files entered at a time.
const FILE_BYTES_MAX: u64 = 16 << 10;
const ROUND_MAX: usize = 64;

/// A read that was left to be entered, as who left it sees it.
#[derive(Debug)]
pub struct Waiting {
    path: PathBuf,
    /// Its name, under which the store tells of its entry.
    pub id: ReadId,
}

/// A read that was left in a file, as who enters it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    path: PathBuf,
    id: ReadId,
    read: AuditRead,
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
        let id = new_id(random)?;
        let path = folder.join(format!("{}.json", hex(&id)));
        let failed = |source| LedgerError::File { path: path.clone(), source: Arc::new(source) };
        let text = serde_json::to_string(read).map_err(io::Error::from).map_err(failed)?;
        anchor::write(&path, &text).map_err(failed)?;
        Ok(Some(Self { path, id }))
    }

    /// Whether the server has taken it: then its entry is durable.
    pub fn is_taken(&self) -> bool {
        !self.path.exists()
    }
}

fn new_id(random: &dyn Random) -> Result<ReadId, LedgerError> {
    let mut id = [0; 16];
    if random.fill(&mut id) { Ok(id) } else { Err(LedgerError::Random) }
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
pub(super) fn waiting(directory: &Path) -> Vec<Left> {
    let Ok(folder) = fs::read_dir(directory.join(DIRECTORY)) else { return Vec::new() };
    let paths = folder.filter_map(|file| Some(file.ok()?.path()));
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: PathBuf| match read(&path) {
        Some((id, read)) => Some(Left { path, id, read }),
        None => {
            tracing::warn!(file = %path.display(), "a file among the reads of auditors is none and was set aside");
            let _ = fs::rename(&path, path.with_extension("refused"));
            None
        }
    };
    paths.take(ROUND_MAX).filter_map(read).collect()
}

fn read(path: &Path) -> Option<(ReadId, AuditRead)> {
    let name = path.file_stem()?.to_str().filter(|name| name.len() == 32)?;
    let id = u128::from_str_radix(name, 16).ok()?.to_be_bytes();
    let about = fs::symlink_metadata(path).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    Some((id, sound(&fs::read(path).ok()?)?))
}

/// What was left, when it is a read that may stand in the record.
fn sound(what: &[u8]) -> Option<AuditRead> {
    let read: AuditRead = serde_json::from_slice(what).ok()?;
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

/// Takes the files of entries that are durable away. One that stays is found to be entered and taken away later.
pub(super) fn take_away(files: &[Left]) {
    for file in files {
        if let Err(error) = fs::remove_file(&file.path) {
            tracing::warn!(%error, "a read that was entered could not be taken away");
        }
    }
}

/// Entries for these reads and for those that wait in the store, but for what was entered before. The right to append
/// is held.
pub(super) fn entries(
    store: &mut dyn Store,
    stamper: &Stamper,
    files: &[Left],
) -> Result<Vec<NewEntry>, LedgerError> {
    let mut reads: Vec<(ReadId, AuditRead)> = Vec::new();
    for file in files {
        if store.entered(&file.id)?.is_none() {
            reads.push((file.id, file.read.clone()));
        }
    }
    for (id, what) in store.waiting()? {
        reads.extend(sound(what.as_bytes()).map(|read| (id, read)));
    }
    let mut entries = Vec::new();
    for (id, read) in reads {
        let mut entry = stamper.write(&Entry::AuditRead(Box::new(read)))?;
        entry.card.turn = Turn::Enters(id);
        entries.push(entry);
    }
    Ok(entries)
}

/// Whether anything waits in the store. What is no read is set aside there. The right to append is not held.
pub(super) fn is_asked(store: &mut dyn Store) -> Result<bool, LedgerError> {
    let mut is_asked = false;
    for (id, what) in store.waiting()? {
        if sound(what.as_bytes()).is_some() {
            is_asked = true;
        } else {
            tracing::warn!("what was left among the reads of auditors is none and was set aside");
            store.set_aside(&id)?;
        }
    }
    Ok(is_asked)
}

/// Leaves a read in the server that holds the ledger: it is durable when this returns.
pub fn leave_on(
    server: &PostgresOptions,
    read: &AuditRead,
    random: &dyn Random,
) -> Result<(Desk, ReadId), LedgerError> {
    let id = new_id(random)?;
    let what = serde_json::to_string(read).map_err(|error| LedgerError::Entry(error.into()))?;
    let mut desk = Desk::open(server)?;
    desk.leave(&id, &what)?;
    Ok((desk, id))
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
        assert_eq!((found.len(), &found[0].read, left.is_taken()), (1, &one, false));
        assert_eq!(found[0].id, left.id);
        take_away(&found);
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
            ("g", written(&read("auditor", "9901"))),
        ];
        for (name, text) in &files {
            // The last is sound but for its name.
            fs::write(folder.join(format!("{}.json", name.repeat(32))), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", folder.join(format!("{}.json", "0".repeat(32)))).unwrap();
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
