//! Makes the tables, and checks that a database is fit to hold a ledger.

use tokio_postgres::Row;

use super::link::PostgresOptions;
use super::reader::{PostgresReader, column, signed};
use crate::store::{Head, StoreError, check_version};

/// What to run, in order, to get from an empty database to the tables of this program. A change of the tables is
/// one more step; a step that was once released is never changed.
const STEPS: &[&str] = &[include_str!("schema.sql"), include_str!("step-2.sql")];

/// Oldest server, as it numbers itself.
pub(super) const SERVER_NEEDED: (i32, &str) = (140_000, "14");

/// Settings without which a commit that was answered can be lost, and what they must be.
const SETTINGS: [(&str, &[&str]); 3] =
    [("fsync", &["on"]), ("full_page_writes", &["on"]), ("synchronous_commit", &["on", "remote_apply"])];

/// Connects as the owner, makes the tables and lets `role` use them, all in a transaction that stays open.
pub(super) fn create(
    options: &PostgresOptions,
    role: &str,
    empty: &Head,
) -> Result<PostgresReader, StoreError> {
    if !is_role(role) {
        return Err(StoreError::Role);
    }
    let mut owner = PostgresReader::connect(options)?;
    check_server(&mut owner)?;
    owner.run("BEGIN")?;
    let exists = owner.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'salinan'", &[])?;
    if !exists.is_empty() {
        return Err(StoreError::Exists);
    }
    owner.run(
        "CREATE SCHEMA salinan; \
         CREATE TABLE salinan.step (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())",
    )?;
    take_steps(&mut owner, 0)?;
    let known = owner.rows("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", &[&role])?;
    if known.is_empty() {
        owner.run(&format!("CREATE ROLE \"{role}\" LOGIN"))?;
    }
    owner.run(&grants(role))?;
    let (sql, size) =
        ("INSERT INTO salinan.head (id, size, root, checkpoint) VALUES (1, $1, $2, $3)", signed(empty.size)?);
    owner.rows(sql, &[&size, &empty.root.as_slice(), &empty.checkpoint])?;
    Ok(owner)
}

/// Takes the steps behind `version`.
fn take_steps(owner: &mut PostgresReader, version: usize) -> Result<(), StoreError> {
    for (number, step) in (1_i32..).zip(STEPS).skip(version) {
        owner.run(step)?;
        owner.rows("INSERT INTO salinan.step (version) VALUES ($1)", &[&number])?;
    }
    Ok(())
}

/// What the service may do: read, insert entries, and call what moves the head.
fn grants(role: &str) -> String {
    format!(
        "REVOKE ALL ON SCHEMA salinan FROM PUBLIC; \
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA salinan FROM PUBLIC; \
         GRANT USAGE ON SCHEMA salinan TO \"{role}\"; \
         GRANT SELECT ON ALL TABLES IN SCHEMA salinan TO \"{role}\"; \
         GRANT INSERT ON salinan.entry TO \"{role}\"; \
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA salinan TO \"{role}\""
    )
}

/// A name that needs no quotes, but is written in them all the same.
fn is_role(name: &str) -> bool {
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    begins_well
        && name.len() <= 63
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a commit that this server answers is durable.
pub(super) fn check_server(reader: &mut PostgresReader) -> Result<(), StoreError> {
    let number = setting(reader, "server_version_num")?.parse::<i32>().map_err(|_| StoreError::Format)?;
    if number < SERVER_NEEDED.0 {
        let found = setting(reader, "server_version")?;
        return Err(StoreError::Engine { found, needed: SERVER_NEEDED.1 });
    }
    if setting(reader, "server_encoding")? != "UTF8" {
        return Err(StoreError::Setting { name: "server_encoding" });
    }
    match settings(reader)?.into_iter().find(|(_, _, is_fit)| !is_fit) {
        Some((name, ..)) => Err(StoreError::Setting { name }),
        None => Ok(()),
    }
}

/// What durability rests on: what it is set to, and whether it may be.
pub(super) fn settings(reader: &mut PostgresReader) -> Result<Vec<(&'static str, String, bool)>, StoreError> {
    let look = |(name, allowed): (&'static str, &[&str])| {
        let value = setting(reader, name)?;
        let is_fit = allowed.contains(&value.as_str());
        Ok((name, value, is_fit))
    };
    SETTINGS.into_iter().map(look).collect()
}

fn setting(reader: &mut PostgresReader, name: &str) -> Result<String, StoreError> {
    one(&reader.rows("SELECT pg_catalog.current_setting($1)", &[&name])?, |row| column(row, 0))
}

/// Whether the tables are those of this program.
pub(super) fn check_format(reader: &mut PostgresReader) -> Result<(), StoreError> {
    let rows = reader.rows("SELECT coalesce(max(version), 0) FROM salinan.step", &[])?;
    let version: i32 = one(&rows, |row| column(row, 0))?;
    check_version(i64::from(version), STEPS.len())
}

/// Brings the tables of an older program to those of this one, and lets `role` use what is new; tells of which version
/// they were and are. All of it or nothing: no replica appends meanwhile, and an older one can append no more if what it uses
/// was changed. The address is that of the owner.
pub fn upgrade(options: &PostgresOptions, role: &str) -> Result<(i64, i64), StoreError> {
    if !is_role(role) {
        return Err(StoreError::Role);
    }
    let mut owner = PostgresReader::connect(options)?;
    check_server(&mut owner)?;
    owner.run("BEGIN")?;
    owner.rows("SELECT FROM salinan.head WHERE id = 1 FOR UPDATE", &[])?;
    let rows = owner.rows("SELECT coalesce(max(version), 0) FROM salinan.step", &[])?;
    let version: i32 = one(&rows, |row| column(row, 0))?;
    if let Err(error @ StoreError::Newer { .. }) = check_version(i64::from(version), STEPS.len()) {
        return Err(error);
    }
    take_steps(&mut owner, usize::try_from(version).map_err(|_| StoreError::Number)?)?;
    owner.run(&grants(role))?;
    owner.run("COMMIT")?;
    Ok((i64::from(version), i64::try_from(STEPS.len()).map_err(|_| StoreError::Number)?))
}

/// Whether this role can do no more than it needs: a slip of ours then cannot change an entry.
pub(super) fn check_role(reader: &mut PostgresReader) -> Result<(), StoreError> {
    let sql = "SELECT bool_or(pg_catalog.has_table_privilege(t, p)) \
               FROM unnest(ARRAY['salinan.entry', 'salinan.tile', 'salinan.head']) t, \
               unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) p";
    if one(&reader.rows(sql, &[])?, |row| column(row, 0))? { Err(StoreError::TooMuch) } else { Ok(()) }
}

fn one<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, StoreError>) -> Result<T, StoreError> {
    rows.first().ok_or(StoreError::Format).and_then(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_plain_name() {
        for (name, is_fit) in [
            ("salinan", true),
            ("salinan_1", true),
            ("", false),
            ("1salinan", false),
            ("Salinan", false),
            ("a\"; DROP", false),
            (&"a".repeat(64), false),
        ] {
            assert_eq!(is_role(name), is_fit, "{name}");
        }
    }
}
