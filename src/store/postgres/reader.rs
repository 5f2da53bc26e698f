//! Reading the tables, by the writer itself and by others beside it.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::link::{Link, PostgresOptions};
use crate::store::listed::OFTEN;
use crate::store::{Filter, Head, Inspected, Listed, ReadId, Reader, StoreError, StoredCard, StoredEntry};

/// The longest wait for a page of what was asked for, and for a look at everything.
const READ_WAIT: Duration = Duration::from_mins(1);
const WHOLE_WAIT: Duration = Duration::from_hours(1);
/// Remembered prepared statements.
const STATEMENTS_MAX: usize = 64;

pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// Reads one state of the ledger: what is appended later is not seen.
pub struct PostgresReader {
    pub(super) link: Link,
    statements: HashMap<String, Statement>,
}

impl PostgresReader {
    /// Opens beside those who write.
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut reader = Self::connect(options)?;
        reader.run("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '2s'")?;
        super::setup::check_format(&mut reader)?;
        reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        Ok(reader)
    }

    pub(super) fn connect(options: &PostgresOptions) -> Result<Self, StoreError> {
        let reader = Self { link: Link::connect(options)?, statements: HashMap::new() };
        // Our statements are few and each has its index: nothing is to be found by reading a whole table, and
        // nothing is worth being compiled.
        reader.run("SET enable_seqscan = off; SET jit = off")?;
        Ok(reader)
    }

    /// Statements of our own, without values.
    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.link.wait(READ_WAIT, async { Ok(self.link.client().batch_execute(sql).await?) })
    }

    pub(super) fn prepare(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = self.link.wait(READ_WAIT, async { Ok(self.link.client().prepare(sql).await?) })?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    pub(super) fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql)?;
        self.link.wait(READ_WAIT, async { Ok(self.link.client().query(&statement, values).await?) })
    }

    /// Releases, or reads, with the index of an entry of each.
    pub(super) fn releases(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        let read = |row: &Row| Ok((id(column::<&[u8]>(row, 0)?)?, unsigned(column(row, 1)?)?));
        self.rows(sql, values)?.iter().map(read).collect()
    }
}

impl Reader for PostgresReader {
    fn head(&mut self) -> Result<Head, StoreError> {
        let rows = self.rows("SELECT size, root, checkpoint FROM salinan.head WHERE id = 1", &[])?;
        head(rows.first().ok_or(StoreError::Format)?)
    }

    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.find(&Filter::default(), from, count)
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT hashes FROM salinan.tile WHERE level = $1 AND idx = $2";
        let rows = self.rows(sql, &[&i16::from(level), &signed(index)?])?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        self.releases("SELECT release, idx FROM salinan.open_release ORDER BY idx", &[])
    }

    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        let rows = self.rows("SELECT idx FROM salinan.read WHERE id = $1", &[&id.as_slice()])?;
        let index: Option<i64> = rows.first().map(|row| column(row, 0)).transpose()?.flatten();
        index.map(unsigned).transpose()
    }

    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
        self.releases("SELECT id, idx FROM salinan.read WHERE idx IS NOT NULL ORDER BY idx", &[])
    }

    /// Whether each index finds exactly what is in the table.
    fn inspect(&mut self, _: Range<u64>, _: Listed) -> Result<Inspected, StoreError> {
        let indexes = [
            ("release", "release IS NOT NULL"),
            ("party", "party IS NOT NULL"),
            ("wilayah", "wilayah IS NOT NULL"),
            ("kind", "kind NOT IN ('release.intent', 'release.grant', 'release.complete', 'release.ack')"),
        ];
        for (name, condition) in indexes {
            let mut found = Vec::new();
            for (by_table, by_index) in [("on", "off"), ("off", "on")] {
                self.run(&format!(
                    "SET LOCAL enable_seqscan = {by_table}; SET LOCAL enable_indexscan = {by_index}; \
                     SET LOCAL enable_indexonlyscan = {by_index}; SET LOCAL enable_bitmapscan = off"
                ))?;
                let sql = format!(
                    "SELECT count(*), coalesce(bit_xor(hashtextextended({name}::text, idx)), 0) \
                     FROM salinan.entry WHERE {condition}"
                );
                let client = self.link.client();
                let row = self.link.wait(WHOLE_WAIT, async { Ok(client.query_one(&sql, &[]).await?) })?;
                found.push((column::<i64>(&row, 0)?, column::<i64>(&row, 1)?));
            }
            if found[0] != found[1] {
                return Ok(Inspected::Damaged);
            }
        }
        self.run("SET LOCAL enable_bitmapscan = on")?;
        Ok(Inspected::Whole)
    }

    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        let (from, count) = (signed(from)?, signed(count)?);
        let release = filter.release.map(|id| id.to_vec());
        // A colon is behind all digits.
        let behind = filter.wilayah.as_ref().map(|area| format!("{area}:"));
        let (from_ms, until_ms) =
            (filter.from_ms.map(signed).transpose()?, filter.until_ms.map(signed).transpose()?);
        let of_kind = match filter.kind.as_deref() {
            Some(kind) if !OFTEN.contains(&kind) => SELDOM,
            Some(_) | None => "kind =",
        };
        // Stored areas are whole segments of digits, so that a text prefix is containment.
        let given: [(&str, Option<Value<'_>>); 9] = [
            (of_kind, filter.kind.as_ref().map(|word| word as Value<'_>)),
            ("release =", release.as_ref().map(|id| id as Value<'_>)),
            ("party =", filter.party.as_ref().map(|word| word as Value<'_>)),
            ("wilayah >=", filter.wilayah.as_ref().map(|word| word as Value<'_>)),
            ("wilayah <", behind.as_ref().map(|word| word as Value<'_>)),
            ("wilayah =", filter.area.as_ref().map(|word| word as Value<'_>)),
            ("outcome =", filter.outcome.as_ref().map(|word| word as Value<'_>)),
            ("ts_ms >=", from_ms.as_ref().map(|ms| ms as Value<'_>)),
            ("ts_ms <", until_ms.as_ref().map(|ms| ms as Value<'_>)),
        ];
        // Our own words and `$n` only: whatever came from outside is bound, never written into the statement.
        let mut conditions = String::new();
        let mut values: Vec<Value<'_>> = vec![&from, &count];
        for (condition, value) in given {
            if let Some(value) = value {
                values.push(value);
                conditions += &format!("{condition} ${} AND ", values.len());
            }
        }
        let sql = format!(
            "SELECT idx, leaf, kind, ts_ms, release, party, wilayah, outcome, code FROM salinan.entry \
             WHERE {conditions} idx >= $1 ORDER BY idx LIMIT $2"
        );
        self.rows(&sql, &values)?.iter().map(read_entry).collect()
    }
}

const SELDOM: &str = "kind NOT IN ('release.intent', 'release.grant', 'release.complete', 'release.ack') \
                      AND kind =";

pub(super) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    index: usize,
) -> Result<T, StoreError> {
    row.try_get(index).map_err(|_| StoreError::Format)
}

/// Size, root and checkpoint, the first three columns.
pub(super) fn head(row: &Row) -> Result<Head, StoreError> {
    let root = column::<&[u8]>(row, 1)?.try_into().map_err(|_| StoreError::Format)?;
    Ok(Head { size: unsigned(column(row, 0)?)?, root, checkpoint: column(row, 2)? })
}

pub(super) fn id(bytes: &[u8]) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Format)
}

fn read_entry(row: &Row) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        index: unsigned(column(row, 0)?)?,
        leaf: column(row, 1)?,
        card: StoredCard {
            kind: column(row, 2)?,
            ts_ms: unsigned(column(row, 3)?)?,
            release: column::<Option<&[u8]>>(row, 4)?.map(id).transpose()?,
            party: column(row, 5)?,
            wilayah: column(row, 6)?,
            outcome: column(row, 7)?,
            code: column(row, 8)?,
        },
    })
}

pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Number)
}

pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Number)
}
