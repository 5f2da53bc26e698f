//! The ledger in a `PostgreSQL` server, for several replicas that append to one tree.
//!
//! The right to append is the lock on the one row of the head. A replica takes it in one flight to the server, and
//! only then gathers its batch; entries, tiles, head and commit are a second flight. Nobody leads, and no number
//! is drawn from a sequence, so that there are no gaps. A replica that stops while it holds the lock loses its
//! connection, and the lock with it.
//!
//! What looks like success and is none: a commit whose answer is lost, and one that the server answers with a
//! warning, such as that a standby was no longer waited for. Both leave open whether the batch is stored, and the
//! ledger looks for it (see [`StoreError::leaves_open`]).

pub mod address;
mod desk;
pub mod health;
mod link;
mod reader;
mod setup;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use tokio_postgres::{Client, Statement};

use super::{
    Batch, Filter, Head, Inspected, Listed, ReadId, Reader, Replica, Store, StoreError, StoredEntry, Turn,
};
use link::is_cut_off;
use reader::{column, head, signed, unsigned};

pub use desk::Desk;
pub use link::PostgresOptions;
pub use reader::PostgresReader;
pub use setup::upgrade;

/// What the server limits itself to: waiting for another replica's lock, and holding one without a word from us.
/// The second is shorter, so that a replica that stops costs the others a wait and no failure. A plan is made once,
/// not for each batch of values.
const SESSION: &str = "SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '1500ms'; \
                       SET enable_hashjoin = off; SET enable_mergejoin = off; \
                       SET plan_cache_mode = force_generic_plan";
/// The longest wait for a flight: a lock's wait and some more; and for a commit.
const BEGIN_WAIT: Duration = Duration::from_secs(3);
const COMMIT_WAIT: Duration = Duration::from_secs(3);

/// The unfinished tiles of the head, and of the state that we know, when the head is another.
const EDGES: &str = "SELECT DISTINCT ON (t.level, t.idx) t.level, t.idx, t.hashes \
    FROM salinan.head h \
    CROSS JOIN LATERAL (VALUES (h.size), ($1::bigint)) s (size) \
    CROSS JOIN generate_series(0, 6) l (level) \
    JOIN salinan.tile t ON t.level = l.level AND t.idx = s.size >> (8 * (l.level + 1)) \
    WHERE h.id = 1 AND h.size <> $1";
/// Whether anything behind the state that we know changed who signs, or ended an election: seldom, and asked by
/// those who build upon what others appended.
const TURNED: &str = "SELECT EXISTS (SELECT FROM salinan.entry WHERE idx >= $1 \
    AND kind IN ('key.rotate', 'log.freeze') \
    AND kind NOT IN ('release.intent', 'release.grant', 'release.complete', 'release.ack'))";
const INSERT: &str = "INSERT INTO salinan.entry \
    (idx, leaf, kind, ts_ms, release, party, wilayah, outcome, code) \
    SELECT $1::bigint + e.n - 1, e.leaf, e.kind, e.ts_ms, e.release, e.party, e.wilayah, e.outcome, e.code \
    FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[], \
    $9::text[]) WITH ORDINALITY e (leaf, kind, ts_ms, release, party, wilayah, outcome, code, n)";
const ADVANCE: &str = "SELECT salinan.advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const TAKE_READS: &str = "SELECT salinan.take_reads($1, $2)";
/// So many reads are entered at a time.
const WAITING: &str = "SELECT id, what FROM salinan.read WHERE idx IS NULL ORDER BY id LIMIT 64";

/// One of several who append.
pub struct PostgresStore {
    reader: PostgresReader,
    boot: String,
    take_head: Statement,
    edges: Statement,
    turned: Statement,
    insert: Statement,
    advance: Statement,
    take_reads: Statement,
    /// The size of the head as we know it.
    known: u64,
    /// Tiles that came with the head, while we hold the right to append.
    tiles: HashMap<(u8, u64), Vec<u8>>,
    /// From this index on there is nothing of what [`TURNED`] asks for, while we hold the right to append.
    unturned_from: Option<u64>,
    /// Whether a transaction is open before it is asked for: that which made the tables.
    is_begun: bool,
}

impl PostgresStore {
    /// Makes the tables, for a head without entries, and lets `role` use them. All of it is stored with the first
    /// batch. The address is that of the owner; there must be no ledger in the database.
    pub fn create(
        options: &PostgresOptions,
        role: &str,
        replica: &Replica<'_>,
        empty: &Head,
    ) -> Result<Self, StoreError> {
        let owner = setup::create(options, role, empty)?;
        let mut store = Self::of(owner, replica)?;
        store.is_begun = true;
        Ok(store)
    }

    /// Enters the ledger as a replica: whatever ran under its name before can append no more.
    pub fn open(options: &PostgresOptions, replica: &Replica<'_>) -> Result<Self, StoreError> {
        let mut reader = PostgresReader::connect(options)?;
        reader.run(SESSION)?;
        setup::check_server(&mut reader)?;
        setup::check_format(&mut reader)?;
        setup::check_role(&mut reader)?;
        Self::of(reader, replica)
    }

    fn of(mut reader: PostgresReader, replica: &Replica<'_>) -> Result<Self, StoreError> {
        reader.rows("SELECT salinan.enter($1, $2)", &[&replica.name, &replica.boot])?;
        Ok(Self {
            take_head: reader.prepare("SELECT * FROM salinan.take_head()")?,
            edges: reader.prepare(EDGES)?,
            turned: reader.prepare(TURNED)?,
            insert: reader.prepare(INSERT)?,
            advance: reader.prepare(ADVANCE)?,
            take_reads: reader.prepare(TAKE_READS)?,
            reader,
            boot: replica.boot.to_owned(),
            known: 0,
            tiles: HashMap::new(),
            unturned_from: None,
            is_begun: false,
        })
    }

    /// What came with the head is of no use without the right to append.
    fn forget(&mut self) {
        self.tiles.clear();
        self.unturned_from = None;
    }
}

impl Reader for PostgresStore {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.reader.head()
    }

    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.entries(from, count)
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.tiles.get(&(level, index)) {
            Some(hashes) => Ok(Some(hashes.clone())),
            None => self.reader.tile(level, index),
        }
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
        let is_turn = matches!(filter.kind.as_deref(), Some("key.rotate" | "log.freeze"));
        if is_turn && self.unturned_from.is_some_and(|unturned| from >= unturned) {
            return Ok(Vec::new());
        }
        self.reader.find(filter, from, count)
    }
}

impl Store for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    /// Nothing: a commit of our own that the server answers makes all before it durable.
    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin(&mut self) -> Result<Head, StoreError> {
        let known = signed(self.known)?;
        let client = self.reader.link.client();
        let begin = async {
            if self.is_begun {
                Ok(())
            } else {
                client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await
            }
        };
        let flight = async {
            let take = client.query_one(&self.take_head, &[]);
            // Sees what was committed until the lock was got, since each statement looks anew.
            let values: [reader::Value<'_>; 1] = [&known];
            let edges = client.query(&self.edges, &values);
            let turned = client.query_one(&self.turned, &values);
            Ok(tokio::try_join!(biased; begin, take, edges, turned)?)
        };
        let ((), row, edges, turned) = self.reader.link.wait(BEGIN_WAIT, flight)?;
        self.is_begun = false;
        if column::<bool>(&row, 4)? {
            return Err(StoreError::Standby);
        }
        if !["on", "remote_apply"].contains(&column::<&str>(&row, 3)?) {
            return Err(StoreError::Setting { name: "synchronous_commit" });
        }
        self.forget();
        self.unturned_from = (!column::<bool>(&turned, 0)?).then_some(self.known);
        for tile in &edges {
            let level = u8::try_from(column::<i16>(tile, 0)?).map_err(|_| StoreError::Number)?;
            self.tiles.insert((level, unsigned(column(tile, 1)?)?), column(tile, 2)?);
        }
        let head = head(&row)?;
        self.known = head.size;
        Ok(head)
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        self.forget();
        let columns = Columns::of(batch)?;
        let link = &self.reader.link;
        let flight = async {
            let client: &Client = link.client();
            let (first, size) = (&columns.first, &columns.size);
            let (root, checkpoint) = (batch.head.root.as_slice(), &batch.head.checkpoint);
            let Columns { leaf, kind, ts_ms, release, party, wilayah, outcome, code, .. } = &columns;
            let Columns { level, tile, hashes, opened, opened_at, closed, .. } = &columns;
            let entries =
                [first as reader::Value<'_>, leaf, kind, ts_ms, release, party, wilayah, outcome, code];
            let advance = [
                &self.boot as reader::Value<'_>,
                first,
                size,
                &root,
                checkpoint,
                level,
                tile,
                hashes,
                opened,
                opened_at,
                closed,
            ];
            let insert = client.execute(&self.insert, &entries);
            let advance = client.query(&self.advance, &advance);
            let reads: [reader::Value<'_>; 2] = [&columns.read, &columns.read_at];
            let take_reads = async {
                if columns.read.is_empty() {
                    return Ok(());
                }
                client.query(&self.take_reads, &reads).await.map(drop)
            };
            let (insert, advance, take_reads, end) =
                tokio::join!(biased; insert, advance, take_reads, client.batch_execute("COMMIT"));
            // The first error is the reason of those behind it.
            insert?;
            advance?;
            take_reads?;
            end.map_err(|source| StoreError::Unanswered { source: Box::new(StoreError::Postgres(source)) })
        };
        match link.wait(COMMIT_WAIT, flight) {
            Ok(()) if link.was_warned() => Err(StoreError::Warned),
            Ok(()) => {
                self.known = batch.head.size;
                Ok(())
            }
            Err(error) if is_cut_off(&error) => Err(StoreError::Unanswered { source: Box::new(error) }),
            Err(error) => Err(error),
        }
    }

    fn abandon(&mut self) -> Result<(), StoreError> {
        self.forget();
        self.reader.run("ROLLBACK")
    }

    fn orphans(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        let sql = "SELECT o.release, o.idx FROM salinan.open_release o \
                   JOIN salinan.replica r ON r.boot = o.boot WHERE r.boot = $1 OR r.is_out ORDER BY o.idx";
        self.reader.releases(sql, &[&self.boot])
    }

    fn waiting(&mut self) -> Result<Vec<(ReadId, String)>, StoreError> {
        let rows = self.reader.rows(WAITING, &[])?;
        rows.iter().map(|row| Ok((reader::id(column(row, 0)?)?, column(row, 1)?))).collect()
    }

    fn set_aside(&mut self, id: &ReadId) -> Result<(), StoreError> {
        self.reader.rows("SELECT salinan.set_aside($1)", &[&id.as_slice()]).map(drop)
    }

    fn beat(&mut self) -> Result<bool, StoreError> {
        let rows = self.reader.rows("SELECT salinan.beat($1)", &[&self.boot])?;
        rows.first().ok_or(StoreError::Format).and_then(|row| column(row, 0))
    }

    fn leave(&mut self) -> Result<(), StoreError> {
        self.reader.rows("SELECT salinan.leave($1)", &[&self.boot]).map(drop)
    }

    /// Nothing: the server does its own housekeeping.
    fn tidy(&mut self, _idle: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Runs a statement as whoever the address names.
#[cfg(test)]
pub fn run(options: &PostgresOptions, sql: &str) -> Result<(), StoreError> {
    PostgresReader::connect(options)?.run(sql)
}

/// A batch as the server takes it: a list for each column.
struct Columns<'a> {
    first: i64,
    size: i64,
    leaf: Vec<&'a [u8]>,
    kind: Vec<&'a str>,
    ts_ms: Vec<i64>,
    release: Vec<Option<&'a [u8]>>,
    party: Vec<Option<&'a str>>,
    wilayah: Vec<Option<&'a str>>,
    outcome: Vec<Option<&'a str>>,
    code: Vec<Option<&'a str>>,
    level: Vec<i16>,
    tile: Vec<i64>,
    hashes: Vec<&'a [u8]>,
    opened: Vec<&'a [u8]>,
    opened_at: Vec<i64>,
    closed: Vec<&'a [u8]>,
    read: Vec<Vec<u8>>,
    read_at: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(batch: &Batch<'a>) -> Result<Self, StoreError> {
        let cards = || batch.entries.iter().map(|entry| &entry.card);
        let first = signed(batch.first)?;
        let id = |release: &'a Option<[u8; 16]>| release.as_ref().map(<[u8; 16]>::as_slice);
        let turning = |turn| {
            let turned = (first..).zip(cards()).filter(move |(_, card)| card.turn == turn);
            turned.filter_map(move |(index, card)| Some((id(&card.release)?, index)))
        };
        let reads = (first..).zip(cards()).filter_map(|(index, card)| match card.turn {
            Turn::Enters(id) => Some((id.to_vec(), index)),
            Turn::Nothing | Turn::Opens | Turn::Closes => None,
        });
        let (read, read_at) = reads.unzip();
        let (opened, opened_at) = turning(Turn::Opens).unzip();
        Ok(Self {
            first,
            size: signed(batch.head.size)?,
            leaf: batch.entries.iter().map(|entry| entry.leaf.as_slice()).collect(),
            kind: cards().map(|card| card.kind).collect(),
            ts_ms: cards().map(|card| signed(card.ts_ms)).collect::<Result<_, _>>()?,
            release: cards().map(|card| id(&card.release)).collect(),
            party: cards().map(|card| card.party.as_deref()).collect(),
            wilayah: cards().map(|card| card.wilayah.as_deref()).collect(),
            outcome: cards().map(|card| card.outcome).collect(),
            code: cards().map(|card| card.code.as_deref()).collect(),
            level: batch.tiles.iter().map(|tile| i16::from(tile.level)).collect(),
            tile: batch.tiles.iter().map(|tile| signed(tile.index)).collect::<Result<_, _>>()?,
            hashes: batch.tiles.iter().map(|tile| tile.hashes.as_slice()).collect(),
            opened,
            opened_at,
            closed: turning(Turn::Closes).map(|(release, _)| release).collect(),
            read,
            read_at,
        })
    }
}
