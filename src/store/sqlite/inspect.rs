//! Whether all structures in the file agree: pages, and indexes against the table.
//!
//! The engine's `integrity_check` looks each entry up in each index, which takes many times as long as reading all.
//! So it only checks pages, records and the table's order here (`quick_check`). Each index is read once from end to
//! end: it must ascend, so that searching in it finds what is there, and list what the table gives, which is told from
//! sums. Together that says what `integrity_check` says.

use std::ops::Range;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode};

use super::reader::{in_row, signed, unsigned};
use crate::store::listed::{Index, OFTEN};
use crate::store::{Inspected, Listed, StoreError};

/// The tables that are their own index, and what they are ordered by.
const ORDERED: [&str; 2] = [
    "SELECT level, idx FROM tile ORDER BY level, idx",
    "SELECT release, 0 FROM open_release ORDER BY release",
];

pub(super) fn inspect(
    connection: &Connection,
    range: Range<u64>,
    empty: Listed,
) -> Result<Inspected, StoreError> {
    let pages: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if pages != "ok" {
        return Ok(Inspected::Damaged);
    }
    for sql in ORDERED {
        if !ascends(connection, sql, |_, _| {})? {
            return Ok(Inspected::Damaged);
        }
    }
    let (mut before, mut within) = (empty.emptied(), empty);
    for index in Index::ALL {
        let ascends = ascends(connection, &all_of(index), |value, at| {
            if range.contains(&at) {
                within.add_to(index, value, at);
            } else if at < range.start {
                before.add_to(index, value, at);
            }
        });
        match ascends {
            Ok(true) => {}
            Ok(false) => return Ok(Inspected::Damaged),
            // There is no such index, or it is of something else.
            Err(StoreError::Sqlite(Error::SqliteFailure(failure, _)))
                if failure.code == ErrorCode::Unknown =>
            {
                return Ok(Inspected::Damaged);
            }
            Err(error) => return Err(error),
        }
    }
    let agrees = before.is(&in_table(connection, range.start, before.emptied())?);
    Ok(if agrees { Inspected::Lists(within) } else { Inspected::Damaged })
}

/// Reads an index, and nothing else, in its own order.
pub(super) fn all_of(index: Index) -> String {
    let (name, column) = match index {
        Index::Release => ("entry_release", "release"),
        Index::Party => ("entry_party", "party"),
        Index::Wilayah => ("entry_wilayah", "wilayah"),
        Index::Seldom => ("entry_seldom", "kind"),
    };
    let condition = match index {
        Index::Release | Index::Party | Index::Wilayah => "IS NOT NULL".to_owned(),
        Index::Seldom => format!("NOT IN ('{}')", OFTEN.join("', '")),
    };
    format!(
        "SELECT {column}, idx FROM entry INDEXED BY {name} WHERE {column} {condition} ORDER BY {column}, idx"
    )
}

/// Hands over value and number of each row. Whether each row is behind the one before it.
fn ascends(connection: &Connection, sql: &str, mut each: impl FnMut(&[u8], u64)) -> Result<bool, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut last: Option<(Vec<u8>, u64)> = None;
    while let Some(row) = rows.next()? {
        let number;
        let value = match row.get_ref(0)? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
            ValueRef::Integer(found) => {
                number = unsigned(found)?.to_be_bytes();
                &number
            }
            ValueRef::Null | ValueRef::Real(_) => return Ok(false),
        };
        let at = unsigned(row.get(1)?)?;
        match &mut last {
            Some((before, before_at)) => {
                if (&**before, *before_at) >= (value, at) {
                    return Ok(false);
                }
                before.clear();
                before.extend_from_slice(value);
                *before_at = at;
            }
            None => last = Some((value.to_vec(), at)),
        }
        each(value, at);
    }
    Ok(true)
}

/// What the indexes should list of the entries before this one.
fn in_table(connection: &Connection, until: u64, mut listed: Listed) -> Result<Listed, StoreError> {
    let sql =
        "SELECT idx, x'', kind, ts_ms, release, party, wilayah, outcome, code FROM entry WHERE idx < ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([signed(until)?])?;
    while let Some(row) = rows.next()? {
        let entry = in_row(row)?;
        listed.add(entry.index, &entry.card);
    }
    Ok(listed)
}
