//! The ledger in one `SQLite` file: one writer, any number of readers beside it (write-ahead log).
//!
//! The engine's own safety settings are set and read back; a database that does not take them is refused.
//! Automatic checkpoints are off, so that a commit's time is its own fsync; [`Store::tidy`] moves pages when
//! there is time. Triggers stop a slip of ours from changing an entry. Against someone who holds the file
//! they are no defence: that is what the tree, the signatures and the anchor are for.

mod files;
mod inspect;
mod reader;

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{
    Batch, Filter, Head, Inspected, Listed, Page, ReadId, Reader, Store, StoreError, StoredEntry, Turn,
};
use files::Files;
use reader::{APPLICATION_ID, STEPS, signed, unsigned};

pub use reader::{ENGINE_NEEDED, SqliteReader, engine};

/// Pages are moved out of the write-ahead log past this size: when idle, and in any case.
const TIDY_IDLE_BYTES: usize = 8 << 20;
const TIDY_BUSY_BYTES: usize = 64 << 20;
/// About what a commit writes besides the entries and tiles: pages are written whole.
const COMMIT_BYTES: usize = 8 * 4_096;

/// The one writer.
#[derive(Debug)]
pub struct SqliteStore {
    reader: SqliteReader,
    files: Files,
    /// About how much the write-ahead log holds that the database does not.
    unmoved_bytes: usize,
}

impl SqliteStore {
    /// A new database with this empty head. The file must not exist.
    pub fn create(path: &Path, empty: &Head) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let reader = SqliteReader::connect(path, flags)?;
        let connection = &reader.connection;
        set_up(connection)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        take_steps(connection, 0)?;
        connection.execute(
            "INSERT INTO head (id, size, root, checkpoint) VALUES (1, ?1, ?2, ?3)",
            params![signed(empty.size)?, empty.root, empty.checkpoint],
        )?;
        connection.execute_batch("COMMIT")?;
        Self::of(reader, path)
    }

    /// Brings the tables of an older program to those of this one, all of it or nothing, and tells of which version
    /// they were and are. Nobody else may have the file open for writing.
    pub fn upgrade(path: &Path) -> Result<(i64, i64), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let reader = SqliteReader::connect(path, flags)?;
        set_up(&reader.connection)?;
        reader.connection.execute_batch("BEGIN IMMEDIATE")?;
        let version = reader.version()?;
        if let Err(error @ StoreError::Newer { .. }) = reader.check_format() {
            return Err(error);
        }
        take_steps(&reader.connection, usize::try_from(version).map_err(|_| StoreError::Number)?)?;
        reader.connection.execute_batch("COMMIT")?;
        Ok((version, reader.version()?))
    }

    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut reader = SqliteReader::connect(path, flags)?;
        reader.check_format()?;
        set_up(&reader.connection)?;
        reader.head()?;
        Self::of(reader, path)
    }

    fn of(reader: SqliteReader, path: &Path) -> Result<Self, StoreError> {
        let files = Files::of(path).map_err(|_| StoreError::FilesGone)?;
        Ok(Self { reader, files, unmoved_bytes: 0 })
    }

    /// Lets the database grow to this many pages and no more: a full disk for tests.
    #[cfg(test)]
    pub fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        Ok(self.reader.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
    }
}

/// Takes the steps behind `version`, in the transaction that is open.
fn take_steps(connection: &Connection, version: usize) -> Result<(), StoreError> {
    for step in STEPS.iter().skip(version) {
        connection.execute_batch(step)?;
    }
    let steps = i64::try_from(STEPS.len()).map_err(|_| StoreError::Number)?;
    Ok(connection.pragma_update(None, "user_version", steps)?)
}

/// Sets what durability rests on and reads it back.
fn set_up(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Setting { name: "journal_mode" });
    }
    for (name, value) in [("synchronous", 2_i64), ("wal_autocheckpoint", 0), ("checkpoint_fullfsync", 1)] {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).optional()?;
        let found: i64 = connection.pragma_query_value(None, name, |row| row.get(0))?;
        if found != value {
            return Err(StoreError::Setting { name });
        }
    }
    Ok(())
}

impl Reader for SqliteStore {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.reader.head()
    }

    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.entries(from, count)
    }

    fn read(&mut self, from: u64, count: u64, page: &mut Page) -> Result<(), StoreError> {
        self.reader.read(from, count, page)
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.tile(level, index)
    }

    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        self.reader.open_releases()
    }

    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        self.reader.entered(id)
    }

    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
        self.reader.entered_reads()
    }

    fn inspect(&mut self, range: Range<u64>, empty: Listed) -> Result<Inspected, StoreError> {
        self.reader.inspect(range, empty)
    }

    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.find(filter, from, count)
    }
}

impl Store for SqliteStore {
    /// Moves all of the write-ahead log into the database and empties it.
    fn settle(&mut self) -> Result<(), StoreError> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let blocked: bool = self.reader.connection.query_row(sql, [], |row| row.get(0))?;
        self.unmoved_bytes = 0;
        if blocked { Err(StoreError::Read) } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<Head, StoreError> {
        self.reader.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.reader.head()
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let connection = &self.reader.connection;
        let mut insert = connection.prepare_cached(
            "INSERT INTO entry (idx, leaf, kind, ts_ms, release, party, wilayah, outcome, code) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let mut opens =
            connection.prepare_cached("INSERT INTO open_release (release, idx) VALUES (?1, ?2)")?;
        let mut enters = connection.prepare_cached("INSERT INTO entered_read (id, idx) VALUES (?1, ?2)")?;
        let mut closes = connection.prepare_cached("DELETE FROM open_release WHERE release = ?1")?;
        for (index, entry) in (signed(batch.first)?..).zip(batch.entries) {
            let card = &entry.card;
            insert.execute(params![
                index,
                entry.leaf,
                card.kind,
                signed(card.ts_ms)?,
                card.release,
                card.party,
                card.wilayah,
                card.outcome,
                card.code
            ])?;
            match card.turn {
                Turn::Opens => opens.execute(params![card.release, index])?,
                Turn::Closes => closes.execute(params![card.release])?,
                Turn::Enters(id) => enters.execute(params![id, index])?,
                Turn::Nothing => 0,
            };
            self.unmoved_bytes += 2 * entry.leaf.len();
        }
        let mut write = connection.prepare_cached(
            "INSERT INTO tile (level, idx, hashes) VALUES (?1, ?2, ?3) \
             ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes WHERE hashes <> excluded.hashes",
        )?;
        for tile in batch.tiles {
            write.execute(params![tile.level, signed(tile.index)?, tile.hashes])?;
            self.unmoved_bytes += tile.hashes.len();
        }
        let moved = connection
            .prepare_cached("UPDATE head SET size = ?1, root = ?2, checkpoint = ?3 WHERE size = ?4")?
            .execute(params![
                signed(batch.head.size)?,
                batch.head.root,
                batch.head.checkpoint,
                signed(batch.first)?
            ])?;
        if moved != 1 {
            let found = unsigned(connection.query_row("SELECT size FROM head", [], |row| row.get(0))?)?;
            return Err(StoreError::HeadMoved { expected: batch.first, found });
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        self.unmoved_bytes += COMMIT_BYTES;
        if self.files.are_in_place() { Ok(()) } else { Err(StoreError::FilesGone) }
    }

    fn abandon(&mut self) -> Result<(), StoreError> {
        Ok(self.reader.connection.execute_batch("ROLLBACK")?)
    }

    fn tidy(&mut self, idle: bool) -> Result<(), StoreError> {
        if self.unmoved_bytes < if idle { TIDY_IDLE_BYTES } else { TIDY_BUSY_BYTES } {
            return Ok(());
        }
        self.unmoved_bytes = 0;
        // Passive: readers are not waited for; what they still need stays in the log until the next time.
        self.reader.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{entry, fill, head, tile};
    use super::super::listed::Index;
    use super::*;

    /// A store with two entries, the first of which opens a release.
    fn store(path: &Path) -> SqliteStore {
        fill(SqliteStore::create(path, &head(0)).unwrap())
    }

    #[test]
    fn settling_empties_the_write_ahead_log_unless_someone_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("l.sqlite");
        let mut store = store(&path);
        store.settle().unwrap();
        assert_eq!(std::fs::metadata(directory.path().join("l.sqlite-wal")).unwrap().len(), 0);
        store.begin().unwrap();
        let one = [entry(b"c", None, Turn::Nothing)];
        store.commit(&Batch { first: 2, entries: &one, tiles: &[tile(3)], head: &head(3) }).unwrap();
        let mut reader = SqliteReader::open(&path).unwrap();
        reader.head().unwrap();
        assert!(matches!(store.settle(), Err(StoreError::Read)));
        drop(reader);
        store.settle().unwrap();
        assert_eq!(store.head().unwrap(), head(3));
    }

    #[test]
    fn nothing_is_stored_in_files_that_were_taken_away_or_replaced() {
        for (name, files) in [
            ("database", &["l.sqlite"] as &[&str]),
            ("log", &["l.sqlite-wal"]),
            ("both", &["l.sqlite", "l.sqlite-wal"]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let at = |file: &str| directory.path().join(file);
            let mut store = store(&at("l.sqlite"));
            for file in files {
                std::fs::rename(at(file), at("away")).unwrap();
                // A copy under the old name is another file.
                std::fs::copy(at("away"), at(file)).unwrap();
            }
            store.begin().unwrap();
            let one = [entry(b"c", None, Turn::Nothing)];
            let batch = Batch { first: 2, entries: &one, tiles: &[tile(3)], head: &head(3) };
            assert!(matches!(store.commit(&batch), Err(StoreError::FilesGone)), "{name}");
        }
    }

    #[test]
    fn what_auditors_ask_for_is_found_by_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory.path().join("l.sqlite"));
        let kind = |kind: &str| Some(kind.to_owned());
        let filters = [
            ("entry_party", Filter { kind: kind("release.intent"), party: kind("p/7"), ..Filter::default() }),
            (
                "entry_wilayah",
                Filter { kind: kind("release.intent"), area: kind("9901"), ..Filter::default() },
            ),
            (
                "entry_wilayah",
                Filter { kind: kind("release.intent"), wilayah: kind("9901"), ..Filter::default() },
            ),
            ("entry_seldom", Filter { kind: kind("release.refused"), ..Filter::default() }),
            ("entry_seldom", Filter { kind: kind("policy.change"), from_ms: Some(5), ..Filter::default() }),
        ];
        for (index, filter) in filters {
            let plan = store.reader.plan(&filter, false).unwrap();
            assert!(plan.contains(&format!("USING INDEX {index} ")), "{plan}");
        }
        // Of an area with very many, a page must not cost as much as all of them.
        let wide = Filter { kind: kind("release.intent"), wilayah: kind("99"), ..Filter::default() };
        let plan = store.reader.plan(&wide, true).unwrap();
        assert!(plan.contains("USING INTEGER PRIMARY KEY") && !plan.contains("TEMP B-TREE"), "{plan}");
    }

    /// An order of the engine's making would hide that of the index.
    #[test]
    fn an_index_is_read_from_end_to_end_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory.path().join("l.sqlite"));
        for index in Index::ALL {
            let sql = format!("EXPLAIN QUERY PLAN {}", inspect::all_of(index));
            let mut statement = store.reader.connection.prepare(&sql).unwrap();
            let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
            let steps = steps.collect::<Result<Vec<_>, _>>().unwrap();
            assert!(steps.len() == 1 && steps[0].contains("USING COVERING INDEX"), "{steps:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_ledger_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(SqliteStore::open(&path), Err(StoreError::Format)));
        assert!(matches!(SqliteReader::open(&path), Err(StoreError::Format)));
        std::fs::write(&path, vec![7; 8_192]).unwrap();
        assert!(SqliteStore::open(&path).unwrap_err().is_damage());
        assert!(SqliteStore::open(&directory.path().join("none")).is_err(), "none is made by opening");
    }
}
