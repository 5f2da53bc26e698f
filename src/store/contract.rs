//! What every store must do, tried on each engine. Tests only.

use rusqlite::Connection;

use super::postgres::{PostgresOptions, PostgresStore};
use super::sqlite::SqliteStore;
use super::*;

#[path = "../../tests/support/postgres.rs"]
pub mod server;

use server::TestServer;

pub const REPLICA: Replica<'_> = Replica { name: "one", boot: "0a" };

pub fn head(size: u64) -> Head {
    Head { size, root: [9; 32], checkpoint: format!("checkpoint {size}") }
}

pub fn entry(leaf: &[u8], wilayah: Option<&str>, turn: Turn) -> NewEntry {
    let card = Card {
        kind: "release.intent",
        ts_ms: 5,
        release: Some([1; 16]),
        party: None,
        wilayah: wilayah.map(str::to_owned),
        outcome: None,
        code: None,
        turn,
    };
    NewEntry { leaf: leaf.to_vec(), card }
}

pub fn tile(width: usize) -> Tile {
    Tile { level: 0, index: 0, hashes: vec![3; 32 * width] }
}

/// Two entries, the first of which opens a release.
pub fn fill<S: Store>(mut store: S) -> S {
    assert_eq!(store.begin().unwrap(), head(0));
    let entries = [entry(b"a", Some("9901"), Turn::Opens), entry(b"b", Some("9902"), Turn::Nothing)];
    store.commit(&Batch { first: 0, entries: &entries, tiles: &[tile(2)], head: &head(2) }).unwrap();
    store
}

pub fn options(server: &TestServer, user: &str, database: &str) -> PostgresOptions {
    PostgresOptions::load(server.address(user, database).parse().unwrap(), None, None).unwrap()
}

/// A database of this name that holds a ledger of two entries.
pub fn on_server(server: &TestServer, database: &str) -> Place {
    server.database(database);
    let owner = options(server, "owner", database);
    drop(fill(PostgresStore::create(&owner, "salinan", &REPLICA, &head(0)).unwrap()));
    Place::Server(options(server, "salinan", database))
}

type Check = fn(&Place);

#[test]
fn each_engine_keeps_what_a_store_promises() {
    let checks: [Check; 6] = [
        a_batch_is_seen_whole_by_others_and_not_by_those_who_read_already,
        filters_find_areas_kinds_and_times,
        a_batch_that_does_not_fit_the_head_is_not_stored,
        what_is_abandoned_is_not_stored,
        an_open_release_is_closed_once,
        a_read_is_entered_once,
    ];
    for check in checks {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("l.sqlite");
        drop(fill(SqliteStore::create(&path, &head(0)).unwrap()));
        check(&Place::File(path));
    }
    let Some(server) = TestServer::start(&[]) else { return };
    for (number, check) in checks.into_iter().enumerate() {
        check(&on_server(&server, &format!("ledger_{number}")));
    }
}

fn a_batch_is_seen_whole_by_others_and_not_by_those_who_read_already(place: &Place) {
    let mut early = place.reader().unwrap();
    assert_eq!(early.head().unwrap(), head(2), "{place}");
    assert_eq!(early.open_releases().unwrap(), [([1; 16], 0)], "{place}");
    let mut store = place.store(&REPLICA).unwrap();
    store.begin().unwrap();
    let closing = [entry(b"c", None, Turn::Closes)];
    store.commit(&Batch { first: 2, entries: &closing, tiles: &[tile(3)], head: &head(3) }).unwrap();
    assert_eq!(early.entries(0, 9).unwrap().len(), 2, "{place}");
    let mut late = place.reader().unwrap();
    assert_eq!((late.head().unwrap(), late.tile(0, 0).unwrap()), (head(3), Some(vec![3; 96])), "{place}");
    assert_eq!((late.open_releases().unwrap(), late.tile(1, 0).unwrap()), (vec![], None), "{place}");
    let leaves: Vec<_> = late.entries(1, 2).unwrap().into_iter().map(|e| (e.index, e.leaf)).collect();
    assert_eq!(leaves, [(1, b"b".to_vec()), (2, b"c".to_vec())], "{place}");
    let mut listed = Listed::default();
    for entry in late.entries(0, 9).unwrap() {
        listed.add(entry.index, &entry.borrowed().card);
    }
    // A later state than the one that was read: of what came since, nothing is listed.
    for until in [3, 2] {
        match (late.inspect(0..until, listed.emptied()).unwrap(), until) {
            (Inspected::Whole, _) => {}
            (Inspected::Lists(found), 3) => assert!(found.is(&listed), "{place}"),
            (Inspected::Lists(found), _) => assert!(!found.is(&listed), "{place}"),
            (Inspected::Damaged, _) => panic!("{place}"),
        }
    }
    assert_eq!(store.begin().unwrap(), head(3), "{place}");
    store.abandon().unwrap();
}

fn filters_find_areas_kinds_and_times(place: &Place) {
    let mut reader = place.reader().unwrap();
    for (wilayah, found) in [("99", 2), ("9901", 1), ("9903", 0), ("01", 0), ("990101", 0)] {
        let filter = Filter { wilayah: Some(wilayah.to_owned()), ..Filter::default() };
        assert_eq!(reader.find(&filter, 0, 9).unwrap().len(), found, "{wilayah} {place}");
    }
    let text = |word: &str| Some(word.to_owned());
    let cases = [
        (Filter { from_ms: Some(5), until_ms: Some(5), ..Filter::default() }, 0),
        (Filter { from_ms: Some(5), until_ms: Some(6), ..Filter::default() }, 2),
        (Filter { area: text("99"), ..Filter::default() }, 0),
        (Filter { area: text("9902"), kind: text("release.intent"), ..Filter::default() }, 1),
        (Filter { kind: text("release.refused"), ..Filter::default() }, 0),
        (Filter { release: Some([1; 16]), ..Filter::default() }, 2),
        (Filter { release: Some([2; 16]), ..Filter::default() }, 0),
        (Filter { party: text("pemilu-2024/7"), ..Filter::default() }, 0),
        (Filter { outcome: text("complete"), ..Filter::default() }, 0),
    ];
    for (filter, found) in cases {
        assert_eq!(reader.find(&filter, 0, 9).unwrap().len(), found, "{filter:?} {place}");
    }
    assert_eq!(reader.find(&Filter::default(), 1, 9).unwrap().len(), 1, "{place}");
}

fn a_batch_that_does_not_fit_the_head_is_not_stored(place: &Place) {
    let one = [entry(b"c", None, Turn::Nothing)];
    let cases = [
        ("behind", Batch { first: 1, entries: &one, tiles: &[], head: &head(3) }),
        ("ahead", Batch { first: 3, entries: &one, tiles: &[], head: &head(4) }),
        ("shrinking", Batch { first: 2, entries: &one, tiles: &[], head: &head(2) }),
        ("a tile that loses hashes", Batch { first: 2, entries: &one, tiles: &[tile(1)], head: &head(3) }),
    ];
    for (name, batch) in cases {
        let mut store = place.store(&REPLICA).unwrap();
        store.begin().unwrap();
        let error = store.commit(&batch).unwrap_err();
        assert!(!error.leaves_open(), "{name} {place}: {error}");
        drop(store);
        let mut reader = place.reader().unwrap();
        assert_eq!(
            (reader.head().unwrap(), reader.entries(0, 9).unwrap().len()),
            (head(2), 2),
            "{name} {place}"
        );
    }
}

fn what_is_abandoned_is_not_stored(place: &Place) {
    let mut store = place.store(&REPLICA).unwrap();
    store.begin().unwrap();
    store.abandon().unwrap();
    // Nor what was never ended.
    store.begin().unwrap();
    drop(store);
    let mut store = place.store(&REPLICA).unwrap();
    assert_eq!(store.begin().unwrap(), head(2), "{place}");
    store.abandon().unwrap();
}

fn an_open_release_is_closed_once(place: &Place) {
    let mut store = place.store(&REPLICA).unwrap();
    store.begin().unwrap();
    assert_eq!(store.orphans().unwrap(), [([1; 16], 0)], "{place}");
    let again = [entry(b"c", None, Turn::Opens)];
    assert!(
        store.commit(&Batch { first: 2, entries: &again, tiles: &[], head: &head(3) }).is_err(),
        "{place}"
    );
}

fn a_read_is_entered_once(place: &Place) {
    let mut read = entry(b"c", None, Turn::Enters([7; 16]));
    read.card.kind = "audit.read";
    let one = [read];
    let mut store = place.store(&REPLICA).unwrap();
    for size in [3, 4] {
        let width = usize::try_from(size).unwrap();
        let batch = Batch { first: size - 1, entries: &one, tiles: &[tile(width)], head: &head(size) };
        store.begin().unwrap();
        let stored = store.commit(&batch);
        assert_eq!(stored.is_ok(), size == 3, "{place}: {stored:?}");
    }
    drop(store);
    let mut reader = place.reader().unwrap();
    assert_eq!((reader.head().unwrap().size, reader.entered(&[7; 16]).unwrap()), (3, Some(2)), "{place}");
    assert_eq!(reader.entered(&[8; 16]).unwrap(), None, "{place}");
}

/// Takes the tables of a place back to those of version 1, as an older program made them.
fn take_back(place: &Place, server: Option<&TestServer>) {
    match place {
        Place::File(path) => {
            let sql = "DROP TABLE entered_read; PRAGMA user_version = 1";
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
        }
        Place::Server(options) => {
            let sql = "DROP FUNCTION salinan.ask, salinan.is_served, salinan.take_reads, salinan.set_aside; \
                       DROP TABLE salinan.read; DELETE FROM salinan.step WHERE version = 2";
            server.unwrap().sql(&options.address.database, sql);
        }
    }
}

#[test]
fn older_tables_are_refused_and_brought_up_to_date_once() {
    let check = |place: &Place, server: Option<&TestServer>| {
        let opens = |place: &Place| (place.store(&REPLICA).err(), place.reader().err());
        take_back(place, server);
        let is_old =
            |error: Option<StoreError>| matches!(error, Some(StoreError::Older { found: 1, needed: 2 }));
        let (store, reader) = opens(place);
        assert!(is_old(store) && is_old(reader), "{place}");
        let upgrade = || match place {
            Place::File(path) => SqliteStore::upgrade(path),
            Place::Server(service) => {
                let owner = options(server.unwrap(), "owner", &service.address.database);
                let by_service = postgres::upgrade(service, "salinan");
                assert!(by_service.is_err() || by_service.is_ok_and(|(from, to)| from == to), "{place}");
                postgres::upgrade(&owner, "salinan")
            }
        };
        assert_eq!(upgrade().unwrap(), (1, 2), "{place}");
        assert_eq!(upgrade().unwrap(), (2, 2), "{place}");
        let mut reader = place.reader().unwrap();
        assert_eq!((reader.head().unwrap(), reader.entries(0, 9).unwrap().len()), (head(2), 2), "{place}");
        drop(reader);
        a_read_is_entered_once(place);
        // A newer program was here.
        match place {
            Place::File(path) => {
                Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
            }
            Place::Server(options) => {
                server
                    .unwrap()
                    .sql(&options.address.database, "INSERT INTO salinan.step (version) VALUES (3)");
            }
        }
        let is_new =
            |error: Option<StoreError>| matches!(error, Some(StoreError::Newer { found: 3, needed: 2 }));
        let (store, reader) = opens(place);
        assert!(is_new(store) && is_new(reader) && is_new(upgrade().err()), "{place}");
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l.sqlite");
    drop(fill(SqliteStore::create(&path, &head(0)).unwrap()));
    check(&Place::File(path), None);
    let Some(server) = TestServer::start(&[]) else { return };
    let place = on_server(&server, "ledger");
    check(&place, Some(&server));
}

#[test]
fn nothing_stored_can_be_changed_through_an_engine() {
    let statements = [
        "UPDATE entry SET leaf = leaf WHERE idx = 0",
        "DELETE FROM entry WHERE idx = 1",
        "DELETE FROM tile",
        "UPDATE tile SET hashes = root FROM head",
        "DELETE FROM head",
        "UPDATE head SET size = 1",
        "UPDATE head SET size = 2, root = root",
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l.sqlite");
    drop(fill(SqliteStore::create(&path, &head(0)).unwrap()));
    let connection = Connection::open(&path).unwrap();
    for statement in statements {
        let error = connection.execute_batch(statement).unwrap_err().to_string();
        assert!(error.contains("never") || error.contains("only grow"), "{statement}: {error}");
    }

    let Some(server) = TestServer::start(&[]) else { return };
    let Place::Server(service) = on_server(&server, "ledger") else { panic!("not on a server") };
    let more = ["TRUNCATE entry", "TRUNCATE head", "INSERT INTO entry VALUES (9, '', '', 0)"];
    for statement in statements.into_iter().chain(more) {
        // Whoever owns the tables is kept from slips.
        if !statement.starts_with("INSERT") {
            let said = refusal_of(&options(&server, "owner", "ledger"), statement);
            assert!(said.contains("never changed or deleted"), "{statement}: {said}");
        }
        // The service may insert entries, and nothing else; where no head covers them they are no record.
        let said = refusal_of(&service, statement);
        assert_eq!(
            said.contains("permission denied"),
            !statement.starts_with("INSERT"),
            "{statement}: {said}"
        );
    }
    let more = [
        "INSERT INTO tile VALUES (0, 9, '')",
        "INSERT INTO head VALUES (1, 9, '', '')",
        "INSERT INTO open_release VALUES ('', 0, '0a')",
        "UPDATE replica SET is_out = true",
        "UPDATE open_release SET boot = ''",
        "DELETE FROM open_release",
        "DELETE FROM step",
        "CREATE TABLE salinan.other (x int)",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
    ];
    for statement in more {
        let said = refusal_of(&service, statement);
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{statement}: {said}");
    }
}

/// What the server says of a statement; empty when it was carried out.
fn refusal_of(options: &PostgresOptions, statement: &str) -> String {
    let result = postgres::run(options, &format!("SET search_path = salinan; {statement}"));
    result
        .err()
        .and_then(|error| Some(std::error::Error::source(&error)?.source()?.to_string()))
        .unwrap_or_default()
}
