//! A ledger that several replicas append to, on a real server. Tests only.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::AtomicU8;

use tempfile::TempDir;

use super::entry::Cause;
use super::leaf::Stamp;
use super::quotas::{close, kept, within};
use super::tests::{ORIGIN, clock, intent, random, start};
use super::*;
use crate::store::Reader as _;
use crate::store::contract::server::TestServer;
use crate::store::postgres::{PostgresOptions, PostgresReader};

/// A server with a ledger on it, and a directory for each replica.
pub(super) struct Shared {
    pub(super) server: TestServer,
    pub(super) signer: Signer,
    pub(super) made: TempDir,
}

impl Shared {
    pub(super) fn new() -> Option<Self> {
        let server = TestServer::start(&[])?;
        server.database("ledger");
        let made = tempfile::tempdir().unwrap();
        let signer = Signer::generate(&made.path().join(KEY_FILE), ORIGIN).unwrap();
        let owner = PostgresOptions::load(server.address("owner", "ledger").parse().unwrap(), None, None);
        let (owner, directory) = (owner.unwrap(), made.path());
        let init = || Ledger::init_on(&owner, "salinan", directory, &signer, "", clock(), random());
        thread::scope(|scope| scope.spawn(init).join()).unwrap().unwrap();
        Some(Self { server, signer, made })
    }

    pub(super) fn service(&self) -> PostgresOptions {
        PostgresOptions::load(self.server.address("salinan", "ledger").parse().unwrap(), None, None).unwrap()
    }

    /// What a replica of this name is opened with, in a directory of its own.
    pub(super) fn options(&self, name: &str, store: PostgresOptions) -> (TempDir, LedgerOptions) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(self.made.path().join(ANCHOR_FILE), directory.path().join(ANCHOR_FILE)).unwrap();
        let options = LedgerOptions::new(directory.path(), self.signer.clone());
        let options = LedgerOptions { store: Place::Server(store), replica: name.to_owned(), ..options };
        (directory, options)
    }

    pub(super) fn open(&self, name: &str) -> (TempDir, Ledger) {
        let (directory, options) = self.options(name, self.service());
        (directory, Ledger::open(options, start(), clock(), random()).unwrap())
    }

    /// Everything that is stored, read on a thread of its own.
    pub(super) fn entries(&self) -> Vec<(Stamp, Entry)> {
        let service = self.service();
        let read = move || PostgresReader::open(&service)?.entries(0, 100_000);
        let entries = thread::spawn(read).join().unwrap().unwrap();
        assert!(entries.iter().enumerate().all(|(at, entry)| entry.index == at as u64), "indexes have gaps");
        entries.iter().map(|entry| Entry::read(&entry.leaf).unwrap()).collect()
    }

    fn words(&self) -> Vec<String> {
        let word = |(_, entry): &(Stamp, Entry)| entry.kind().split_once('.').unwrap().1.to_owned();
        self.entries().iter().map(word).collect()
    }

    pub(super) fn verify(&self) -> verify::Report {
        let place = Place::Server(self.service());
        let verifier = self.signer.verifier();
        let verify = move || LedgerReader::open_at(&place, None)?.verify(Some(&verifier), None);
        match thread::spawn(verify).join().unwrap().unwrap() {
            verify::Verdict::Sound(report) => *report,
            verify::Verdict::Flawed(flaw) => panic!("{flaw}"),
        }
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_append_to_one_tree_at_once() {
    let Some(shared) = Shared::new() else { return };
    let replicas: Vec<_> = ["a", "b", "c"].map(|name| shared.open(name)).into_iter().collect();
    let mut tasks = Vec::new();
    for (number, (_, ledger)) in replicas.iter().enumerate() {
        for task in 0..16 {
            let ledger = ledger.clone();
            tasks.push(tokio::spawn(async move {
                let mut indexes = Vec::new();
                for round in 0..8 {
                    let id = number as u64 * 1_000 + task * 10 + round;
                    let release = ledger.open_release(intent(id)).await.unwrap();
                    indexes.push(release.index());
                    let account = release.account(Outcome::Complete, None);
                    indexes.push(release.close(account).await.unwrap());
                }
                indexes
            }));
        }
    }
    let mut indexes = Vec::new();
    for task in tasks {
        indexes.extend(task.await.unwrap());
    }
    indexes.sort_unstable();
    // One genesis and three starts are before or among them.
    indexes.dedup();
    assert_eq!(indexes.len(), 3 * 16 * 8 * 2);
    // A receipt of one is given by another.
    let id = intent(1_000).release;
    let receipt = replicas[0].1.receipt(id).await.unwrap().unwrap();
    assert_eq!(receipt.entries.len(), 2);
    for (_, ledger) in replicas {
        ledger.shut_down().await;
    }
    assert_eq!(shared.verify().size, 4 + 3 * 16 * 8 * 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_silent_replica_left_open_is_closed_by_another_and_by_it_no_more() {
    let Some(shared) = Shared::new() else { return };
    let ((_a, silent), (_b, other)) = (shared.open("a"), shared.open("b"));
    let mut release = silent.open_release(intent(1)).await.unwrap();
    let kept = other.open_release(intent(2)).await.unwrap();
    let beat = |ledger: &Ledger| assert!(ledger.0.queue.try_send(Message::Beat).is_ok());
    beat(&other);
    beat(&silent);
    shared.server.sql("ledger", "UPDATE salinan.replica SET seen = seen - interval '61 s' WHERE name = 'a'");
    beat(&other);
    until("closed by another", || shared.words().last().unwrap() == "reconciled").await;
    // It can neither raise its ceiling nor say that the copy was whole.
    release.sent(&vec![7; 8 << 20]);
    assert!(release.allow(1).await.is_err());
    until("back again", || silent.is_writable()).await;
    let account = release.account(Outcome::Complete, None);
    let late = release.close(account).await;
    assert!(matches!(late, Err(LedgerError::ClosedByOther)), "{late:?}");
    // What is asked of it from now on is recorded as ever.
    let again = silent.open_release(intent(3)).await.unwrap();
    for release in [again, kept] {
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
    }
    silent.shut_down().await;
    other.shut_down().await;
    let entries = shared.entries();
    let closed = entries.iter().find_map(|(stamp, entry)| match entry {
        Entry::Reconciled(closed) => Some((stamp.replica.as_str(), closed.cause, closed.bytes_max)),
        _ => None,
    });
    assert_eq!(closed, Some(("b", Cause::ReplicaSilent, Some(8 << 20))));
    assert!(shared.verify().open.is_empty());
}

/// What becomes of the next commit that passes.
const PASSES: u8 = 0;
const ANSWER_LOST: u8 = 1;
const NEVER_ARRIVES: u8 = 2;

/// Stands between a replica and the server, and cuts both off at a commit.
fn between(port: u16) -> (u16, Arc<AtomicU8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let fate = Arc::new(AtomicU8::new(PASSES));
    let shared = Arc::clone(&fate);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (mut from_server, mut to_client) = (server, client);
            let is_cut = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let (cut, fate) = (Arc::clone(&is_cut), Arc::clone(&shared));
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 20];
                while let Ok(count @ 1..) = from_client.read(&mut bytes) {
                    let is_commit = bytes[..count].windows(7).any(|word| word == b"COMMIT\0");
                    let now = if is_commit { fate.swap(PASSES, Ordering::SeqCst) } else { PASSES };
                    if now != PASSES {
                        cut.store(true, Ordering::SeqCst);
                    }
                    if now != NEVER_ARRIVES && to_server.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                    if now != PASSES {
                        // Long enough for the server to do what it was asked.
                        thread::sleep(Duration::from_millis(200));
                        break;
                    }
                }
                let _ = to_server.shutdown(Shutdown::Both);
                let _ = from_client.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                    if is_cut.load(Ordering::SeqCst) || to_client.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (own, fate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_is_looked_for() {
    let Some(shared) = Shared::new() else { return };
    let (port, fate) = between(shared.server.port());
    let address = format!("postgres://salinan@127.0.0.1:{port}/ledger").parse().unwrap();
    let store = PostgresOptions::load(address, None, None).unwrap();
    let (_directory, options) = shared.options("a", store);
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();

    let first = ledger.open_release(intent(1)).await.unwrap();
    fate.store(ANSWER_LOST, Ordering::SeqCst);
    let stored = ledger.open_release(intent(2)).await.expect("it was stored, and is found");
    assert_eq!(stored.index(), first.index() + 1);
    assert_eq!(shared.words()[2..], ["intent", "intent", "resumed"]);
    fate.store(NEVER_ARRIVES, Ordering::SeqCst);
    let lost = ledger.open_release(intent(3)).await;
    assert!(lost.is_err(), "it was not stored, and must not be acknowledged");
    assert!(ledger.is_writable(), "and the ledger goes on at once");
    // The end of a copy likewise: it is whole if its account is there.
    fate.store(ANSWER_LOST, Ordering::SeqCst);
    let account = first.account(Outcome::Complete, None);
    first.close(account).await.unwrap();
    fate.store(NEVER_ARRIVES, Ordering::SeqCst);
    let account = stored.account(Outcome::Complete, None);
    stored.close(account).await.unwrap_err();
    ledger.shut_down().await;
    let words = shared.words();
    let rest = ["intent", "intent", "resumed", "resumed", "complete", "resumed", "resumed", "reconciled"];
    assert_eq!(words[2..], rest);
    assert!(shared.verify().open.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_no_standby_has_is_no_commit() {
    let Some(shared) = Shared::new() else { return };
    let (_directory, ledger) = shared.open("a");
    let sql = |sql: &str| shared.server.sql("ledger", sql);
    let standby = |name: &str| {
        sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        // Its own commit would wait for the standby.
        sql("SET synchronous_commit = local; SELECT pg_reload_conf()");
    };
    standby("nobody");
    until("asked for", || sql("SHOW synchronous_standby_names") == "nobody").await;
    let opening = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.open_release(intent(1)).await.map(drop) }
    });
    until("waiting", || {
        sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'salinan'")
            == "1"
    })
    .await;
    // Somebody cancels the wait: the server answers with success, and a warning.
    sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    opening.await.unwrap().unwrap_err();
    assert!(!ledger.is_writable());
    standby("");
    until("writable again", || ledger.is_writable()).await;
    drop(ledger.open_release(intent(2)).await.unwrap());
    ledger.shut_down().await;
    // It was stored after all, and closed before anything else.
    let words = shared.words();
    assert_eq!(words[2..4], ["intent", "resumed"], "{words:?}");
    assert!(shared.verify().open.is_empty(), "{words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_older_copy_of_the_database_is_refused() {
    let Some(shared) = Shared::new() else { return };
    shared.server.sql("postgres", "CREATE DATABASE yesterday TEMPLATE ledger");
    let (directory, ledger) = shared.open("a");
    drop(ledger.open_release(intent(1)).await.unwrap());
    ledger.shut_down().await;
    shared.server.sql("postgres", "DROP DATABASE ledger WITH (FORCE)");
    shared.server.sql("postgres", "ALTER DATABASE yesterday RENAME TO ledger");
    let options = |directory: &TempDir| {
        let options = LedgerOptions::new(directory.path(), shared.signer.clone());
        LedgerOptions { store: Place::Server(shared.service()), replica: "a".to_owned(), ..options }
    };
    let refused = Ledger::open(options(&directory), start(), clock(), random());
    let refused = refused.err().unwrap();
    assert!(matches!(refused, LedgerError::RolledBack { anchored: 4, size: 1 }), "{refused}");
    // Nor is a history that another replica wrote instead.
    let (_other, ledger) = shared.open("b");
    for number in 1..9 {
        drop(ledger.open_release(intent(number)).await.unwrap());
    }
    ledger.shut_down().await;
    let refused = Ledger::open(options(&directory), start(), clock(), random()).err().unwrap();
    assert!(matches!(refused, LedgerError::Forked { size: 4 }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_put_back_beneath_a_running_replica_is_noticed() {
    let Some(shared) = Shared::new() else { return };
    let (_directory, ledger) = shared.open("a");
    // The server's owner can do this; what it cannot do is make a replica build upon it.
    shared.server.sql(
        "ledger",
        "SET session_replication_role = replica; \
         UPDATE salinan.head SET size = 1, checkpoint = checkpoint; DELETE FROM salinan.entry WHERE idx = 1",
    );
    let refused = ledger.open_release(intent(1)).await;
    assert!(matches!(refused, Err(LedgerError::RolledBack { anchored: 2, size: 1 })), "{refused:?}");
    assert!(!ledger.is_writable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_share_one_quota() {
    let Some(shared) = Shared::new() else { return };
    let (_here, a) = shared.open("a");
    let (_there, b) = shared.open("b");
    let now_ms = clock().unix_ms();
    let mut tasks = Vec::new();
    for number in 0..20 {
        let ledger = if number % 2 == 0 { a.clone() } else { b.clone() };
        // Each asks for 30 of the 100 rows, and takes what it gets.
        tasks.push(tokio::spawn(async move {
            let opened = ledger.open_release(within(number, now_ms, 30)).await;
            let rows = kept(&opened).map_or(0, |(_, rows)| rows);
            if let Ok(release) = opened {
                close(release, Outcome::Complete, None, rows).await;
            }
            rows
        }));
    }
    let mut rows = Vec::new();
    for task in tasks {
        rows.push(task.await.unwrap());
    }
    rows.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(rows[..5], [30, 30, 30, 10, 0]);
    // What a replica that dies had kept back is given back by the next run under its name, and taken by the other.
    let late = |number, rows| Intent { policy: "lain".to_owned(), ..within(number, now_ms, rows) };
    let held = a.open_release(late(30, 90)).await;
    assert_eq!(kept(&b.open_release(late(31, 90)).await), Some((90, 10)));
    let (_again, next) = shared.open("a");
    assert_eq!(kept(&b.open_release(late(32, 90)).await), Some((0, 90)));
    drop(held);
    next.shut_down().await;
    b.shut_down().await;
    shared.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_left_in_the_server_are_entered_once_by_whichever_replica() {
    let Some(shared) = Shared::new() else { return };
    let read = |number: u64| AuditRead {
        auditor: "panwas".to_owned(),
        question: "open".to_owned(),
        parameters: Vec::new(),
        entries: number,
    };
    let service = shared.service();
    let leave = move |from: u64| {
        let service = service.clone();
        let leave = move || {
            let random = crate::domain::SeededRandom::new(from);
            let left: Vec<_> = (from..from + 10)
                .map(|number| spool::leave_on(&service, &read(number), &random).unwrap())
                .collect();
            let is_served = left.into_iter().map(|(mut desk, _)| desk.is_served().unwrap());
            is_served.collect::<Vec<_>>()
        };
        tokio::task::spawn_blocking(leave)
    };
    // Nobody is there yet; who comes first enters them.
    assert_eq!(leave(100).await.unwrap(), [false; 10]);
    let (_a, a) = shared.open("a");
    assert_eq!(shared.words().iter().filter(|word| *word == "read").count(), 10);
    let (_b, b) = shared.open("b");
    shared.server.sql("ledger", "SELECT salinan.ask('0123456789abcdef', 'no read')");
    let copies = tokio::spawn({
        let b = b.clone();
        async move {
            for number in 0..50 {
                drop(b.open_release(intent(number)).await.unwrap());
            }
        }
    });
    let (one, other) = tokio::join!(leave(200), leave(300));
    assert!(one.unwrap().into_iter().chain(other.unwrap()).all(|is_served| is_served));
    copies.await.unwrap();
    until("entered", || shared.words().iter().filter(|word| *word == "read").count() == 30).await;
    until("nothing waits", || {
        shared.server.sql("ledger", "SELECT count(*) FROM salinan.read WHERE idx IS NULL") == "0"
    })
    .await;
    a.shut_down().await;
    b.shut_down().await;
    // Who ended said so.
    assert_eq!(shared.server.sql("ledger", "SELECT count(*) FROM salinan.replica WHERE NOT is_out"), "0");
    let mut entered: Vec<u64> = shared
        .entries()
        .into_iter()
        .filter_map(|(_, entry)| match entry {
            Entry::AuditRead(read) => Some(read.entries),
            _ => None,
        })
        .collect();
    entered.sort_unstable();
    assert!(entered.into_iter().eq((100..110).chain(200..210).chain(300..310)));
    shared.verify();
}
