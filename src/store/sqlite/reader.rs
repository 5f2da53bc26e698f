//! Reading one file of `SQLite`, by the writer itself and by others beside it.

use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params, params_from_iter};

use super::inspect;
use crate::store::listed::OFTEN;
use crate::store::{
    Filter, Head, Inspected, Listed, Page, PageCard, PageEntry, ReadId, Reader, StoreError, StoredEntry,
    check_version,
};

/// An older engine has a fault in its write-ahead log that can lose commits.
pub const ENGINE_NEEDED: (i32, &str) = (3_051_003, "3.51.3");
/// "SALN": which program the file belongs to.
pub(super) const APPLICATION_ID: i64 = 0x5341_4C4E;
/// What to run, in order, to get from an empty database to the tables of this program. A change of the tables is one
/// more step; a step that was once released is never changed.
pub(super) const STEPS: &[&str] = &[include_str!("schema.sql"), include_str!("step-2.sql")];
/// How long to wait for a stranger who holds the write lock.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Remembered prepared statements.
const STATEMENTS: usize = 32;
/// Entries of an area that are sorted for each page of them, rather than passing over all entries once.
const SORTED_MAX: u64 = 4_096;

/// The version of the engine in this program.
pub fn engine() -> (i32, &'static str) {
    (rusqlite::version_number(), rusqlite::version())
}

/// Reads one state of the ledger: what is appended later is not seen.
#[derive(Debug)]
pub struct SqliteReader {
    pub(super) connection: Connection,
}

impl SqliteReader {
    /// Opens beside a running server, on what a crash left, or on a copy; changes nothing.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match Self::open_beside(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            // On a medium that takes no files the engine cannot make its index of the write-ahead log. Where
            // there is no such log, nobody writes either.
            Err(error) if error.is_unopenable() && !with_suffix(path, "-wal").exists() => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Self::open_beside(Path::new(&immutable_uri(path)), flags)
            }
            result => result,
        }
    }

    /// Writes one state of the ledger at `path` into a database at `to`, which must be empty or not there. Beside a
    /// running server, which does not wait for it. Not synced.
    pub fn copy(path: &Path, to: &Path) -> Result<(), StoreError> {
        let reader = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.check_format()?;
        let to = to.to_str().ok_or(StoreError::Name)?;
        reader.connection.execute("VACUUM INTO ?1", [to])?;
        Ok(())
    }

    fn open_beside(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let reader = Self::connect(path, flags)?;
        reader.check_format()?;
        reader.connection.execute_batch("BEGIN")?;
        Ok(reader)
    }

    pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let found = rusqlite::version_number();
        if found < ENGINE_NEEDED.0 {
            return Err(StoreError::Engine {
                found: rusqlite::version().to_owned(),
                needed: ENGINE_NEEDED.1,
            });
        }
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(LOCK_WAIT)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
        Ok(Self { connection })
    }

    pub(super) fn check_format(&self) -> Result<(), StoreError> {
        check_version(self.version()?, STEPS.len())
    }

    /// How many steps the tables have behind them.
    pub(super) fn version(&self) -> Result<i64, StoreError> {
        let number =
            |pragma: &str| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let version = number("user_version")?;
        if number("application_id")? == APPLICATION_ID && version > 0 {
            Ok(version)
        } else {
            Err(StoreError::Format)
        }
    }

    /// Hands over up to `count` entries that match, from index `from` on, in order.
    fn each(
        &self,
        filter: &Filter,
        from: u64,
        count: u64,
        mut take: impl FnMut(PageEntry<'_>),
    ) -> Result<(), StoreError> {
        let (sql, mut values) = select(filter, self.is_broad(filter)?)?;
        values.push(Value::Integer(signed(from)?));
        values.push(Value::Integer(signed(count)?));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            take(in_row(row)?);
        }
        Ok(())
    }

    /// Whether so many entries lie in the area that sorting them for each page takes longer than passing over all.
    fn is_broad(&self, filter: &Filter) -> Result<bool, StoreError> {
        let Some(area) = &filter.wilayah else { return Ok(false) };
        let sql = "SELECT count(*) FROM (SELECT 1 FROM entry INDEXED BY entry_wilayah \
                   WHERE wilayah IS NOT NULL AND wilayah >= ?1 AND wilayah < ?2 LIMIT ?3)";
        let values = params![area, behind(area), signed(SORTED_MAX)?];
        let found: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(unsigned(found)? == SORTED_MAX)
    }

    /// How the engine would look for these.
    #[cfg(test)]
    pub(super) fn plan(&self, filter: &Filter, is_broad: bool) -> Result<String, StoreError> {
        let (sql, mut values) = select(filter, is_broad)?;
        values.extend([Value::Integer(0), Value::Integer(9)]);
        let mut statement = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3))?;
        Ok(steps.collect::<Result<Vec<_>, _>>()?.join("; "))
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path as a URI that tells the engine that nobody changes the file.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

impl SqliteReader {
    /// Names of 16 bytes, each with an index.
    fn indexed(&mut self, sql: &str) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        rows.map(|row| row.map_err(StoreError::from).and_then(|(id, index)| Ok((id, unsigned(index)?))))
            .collect()
    }
}

impl Reader for SqliteReader {
    fn head(&mut self) -> Result<Head, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT size, root, checkpoint FROM head WHERE id = 1")?;
        let (size, root, checkpoint) = statement
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)))
            .optional()?
            .ok_or(StoreError::Format)?;
        Ok(Head { size: unsigned(size)?, root, checkpoint })
    }

    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.find(&Filter::default(), from, count)
    }

    fn read(&mut self, from: u64, count: u64, page: &mut Page) -> Result<(), StoreError> {
        self.each(&Filter::default(), from, count, |entry| page.push(&entry))
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2")?;
        Ok(statement.query_row(params![level, signed(index)?], |row| row.get(0)).optional()?)
    }

    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        self.indexed("SELECT release, idx FROM open_release ORDER BY idx")
    }

    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT idx FROM entered_read WHERE id = ?1")?;
        let index: Option<i64> = statement.query_row([id], |row| row.get(0)).optional()?;
        index.map(unsigned).transpose()
    }

    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
        self.indexed("SELECT id, idx FROM entered_read ORDER BY idx")
    }

    fn inspect(&mut self, range: Range<u64>, empty: Listed) -> Result<Inspected, StoreError> {
        inspect::inspect(&self.connection, range, empty)
    }

    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        let mut found = Vec::new();
        self.each(filter, from, count, |entry| found.push(entry.to_stored()))?;
        Ok(found)
    }
}

/// Behind all areas inside this one: a colon is behind all digits.
fn behind(area: &str) -> String {
    format!("{area}:")
}

/// What an entry is read from.
const COLUMNS: &str = "idx, leaf, kind, ts_ms, release, party, wilayah, outcome, code";

/// The statement that finds entries, and its values but for the first index and the count.
fn select(filter: &Filter, is_broad: bool) -> Result<(String, Vec<Value>), StoreError> {
    let (conditions, values) = conditions(filter, is_broad)?;
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE {conditions} idx >= ? ORDER BY idx LIMIT ?");
    Ok((sql, values))
}

/// The engine uses that index where its very condition is named.
const SELDOM: &str = "kind = ? AND kind NOT IN \
                      ('release.intent', 'release.grant', 'release.complete', 'release.ack') AND ";

/// Our own words and `?` only: whatever came from outside is bound, never written into the statement.
fn conditions(filter: &Filter, is_broad: bool) -> Result<(String, Vec<Value>), StoreError> {
    let text = |word: &String| Value::Text(word.clone());
    let number = |ms: &u64| signed(*ms).map(Value::Integer);
    let of_kind = match filter.kind.as_deref() {
        Some(kind) if !OFTEN.contains(&kind) => SELDOM,
        Some(_) | None => "kind = ? AND ",
    };
    // A plus keeps the engine from an index that has them in another order.
    let (at_least, below) = if is_broad {
        ("+wilayah >= ? AND ", "+wilayah < ? AND ")
    } else {
        ("wilayah >= ? AND ", "wilayah < ? AND ")
    };
    let given = [
        (of_kind, filter.kind.as_ref().map(text)),
        ("release = ? AND ", filter.release.map(|id| Value::Blob(id.to_vec()))),
        ("party = ? AND ", filter.party.as_ref().map(text)),
        // Stored codes are whole segments of digits, so that a text prefix is containment.
        (at_least, filter.wilayah.as_ref().map(text)),
        (below, filter.wilayah.as_ref().map(|area| Value::Text(behind(area)))),
        ("wilayah = ? AND ", filter.area.as_ref().map(text)),
        ("outcome = ? AND ", filter.outcome.as_ref().map(text)),
        ("ts_ms >= ? AND ", filter.from_ms.as_ref().map(number).transpose()?),
        ("ts_ms < ? AND ", filter.until_ms.as_ref().map(number).transpose()?),
    ];
    let mut conditions = String::new();
    let mut values = Vec::new();
    for (condition, value) in given {
        if let Some(value) = value {
            conditions.push_str(condition);
            values.push(value);
        }
    }
    Ok((conditions, values))
}

/// The entry that lies in a row of [`COLUMNS`].
pub(super) fn in_row<'r>(row: &'r Row<'_>) -> Result<PageEntry<'r>, StoreError> {
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(|_| StoreError::Format);
    let release = row.get_ref(4)?.as_blob_or_null().map_err(|_| StoreError::Format)?;
    Ok(PageEntry {
        index: unsigned(row.get(0)?)?,
        leaf: row.get_ref(1)?.as_blob().map_err(|_| StoreError::Format)?,
        card: PageCard {
            kind: text(2)?.ok_or(StoreError::Format)?,
            ts_ms: unsigned(row.get(3)?)?,
            release: release.map(<&[u8; 16]>::try_from).transpose().map_err(|_| StoreError::Format)?,
            party: text(5)?,
            wilayah: text(6)?,
            outcome: text(7)?,
            code: text(8)?,
        },
    })
}

pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Number)
}

pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_into_a_uri_without_losing_its_meaning() {
        assert_eq!(
            immutable_uri(Path::new("/a b/c?d#e%.sqlite")),
            "file:/a%20b/c%3Fd%23e%25.sqlite?immutable=1"
        );
    }
}
