//! What `salinan log doctor` asks a server, and how long the server takes to make something durable.

use std::time::{Duration, Instant};

use super::link::PostgresOptions;
use super::reader::{PostgresReader, column};
use super::setup;
use crate::store::StoreError;

/// Commits that are timed.
const COMMITS: usize = 64;

/// A server as it is found by whoever the address names.
#[expect(clippy::struct_excessive_bools, reason = "each is one finding")]
#[derive(Debug)]
pub struct Health {
    pub version: String,
    pub is_version_fit: bool,
    /// What a commit's durability rests on, what it is set to, and whether it may be.
    pub settings: Vec<(&'static str, String, bool)>,
    pub is_standby: bool,
    /// How far behind its primary a standby is, in milliseconds, as far as it can tell.
    pub standby_lag_ms: Option<i64>,
    /// The version of TLS that this connection speaks.
    pub tls: Option<String>,
    /// Whether the address's own role may change or delete what is stored.
    pub may_change: bool,
    /// Roles other than the owner that may log in and change or delete entries, those that may do anything included.
    pub changers: Vec<String>,
    pub owner: String,
    /// Whether the triggers against slips are there and on.
    pub is_guarded: bool,
    /// Connections that the server has room for, and those that are there.
    pub connections_max: i64,
    pub connections: i64,
    /// Standbys that are connected, those that a commit waits for, and the longest lag in milliseconds where the role
    /// may see it.
    pub standbys: i64,
    pub waits_for: String,
    pub replay_lag_ms: Option<i64>,
    pub has_checksums: bool,
    pub bytes: i64,
    /// Replicas that live.
    pub replicas: Vec<String>,
    pub waiting_reads: i64,
    /// How long a statement without effect takes.
    pub round_trip: Duration,
    /// How long each of some small commits took, ascending; none on a standby.
    pub commits: Vec<Duration>,
}

const ABOUT: &str = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
    pg_is_in_recovery(), \
    (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint, \
    (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl), \
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint, \
    (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL), \
    (SELECT count(*) FROM pg_stat_replication), \
    current_setting('synchronous_standby_names'), \
    (SELECT (max(extract(epoch FROM replay_lag)) * 1000)::bigint FROM pg_stat_replication), \
    current_setting('data_checksums') = 'on', pg_database_size(current_database()), \
    (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM salinan.replica \
     WHERE NOT is_out AND seen >= clock_timestamp() - interval '60 seconds'), \
    (SELECT count(*) FROM salinan.read WHERE idx IS NULL), \
    has_table_privilege('salinan.entry', 'UPDATE, DELETE, TRUNCATE'), \
    (SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = 'salinan.entry'::regclass), \
    (SELECT coalesce(array_agg(r.rolname::text ORDER BY r.rolname), '{}') FROM pg_roles r, pg_class c \
     WHERE c.oid = 'salinan.entry'::regclass AND r.rolcanlogin AND r.oid <> c.relowner \
     AND has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE')), \
    (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
     WHERE c.relnamespace = 'salinan'::regnamespace AND t.tgenabled IN ('O', 'A') \
     AND t.tgname IN ('entry_stays', 'tile_remains', 'head_remains', 'tile_grows', 'head_grows'))";

/// Looks at a server; writes nothing that stays, but for messages in its write-ahead log that nobody reads. Must not be
/// called on a thread that runs futures.
pub fn examine(options: &PostgresOptions) -> Result<Health, StoreError> {
    let mut reader = PostgresReader::connect(options)?;
    setup::check_format(&mut reader)?;
    let settings = setup::settings(&mut reader)?;
    let mut rows = reader.rows(ABOUT, &[])?;
    let row = rows.pop().ok_or(StoreError::Format)?;
    let is_standby: bool = column(&row, 2)?;
    let time = |sql: &str| {
        let before = Instant::now();
        reader.run(sql).map(|()| before.elapsed())
    };
    time("SELECT 1")?;
    let round_trip = time("SELECT 1")?;
    let mut commits = Vec::new();
    if !is_standby {
        for _ in 0..COMMITS {
            // Takes part in a transaction, so that its end waits for the disk like that of any other.
            commits.push(time("SELECT pg_logical_emit_message(true, 'salinan', repeat('x', 4096))")?);
        }
        commits.sort_unstable();
    }
    Ok(Health {
        version: column(&row, 0)?,
        is_version_fit: column::<i32>(&row, 1)? >= setup::SERVER_NEEDED.0,
        settings,
        is_standby,
        standby_lag_ms: column(&row, 3)?,
        tls: column(&row, 4)?,
        connections_max: column(&row, 5)?,
        connections: column(&row, 6)?,
        standbys: column(&row, 7)?,
        waits_for: column(&row, 8)?,
        replay_lag_ms: column(&row, 9)?,
        has_checksums: column(&row, 10)?,
        bytes: column(&row, 11)?,
        replicas: column(&row, 12)?,
        waiting_reads: column(&row, 13)?,
        may_change: column(&row, 14)?,
        owner: column(&row, 15)?,
        changers: column(&row, 16)?,
        is_guarded: column::<i64>(&row, 17)? == 5,
        round_trip,
        commits,
    })
}
