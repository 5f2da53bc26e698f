//! The runs: what happens to whom when, and what has to hold afterwards.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use salinan::domain::SystemClock;
use salinan::ledger::tree::{Tree, leaf_hash};
use salinan::ledger::verify::Verdict;
use salinan::ledger::{ANCHOR_FILE, Entry, KEY_FILE, Ledger, LedgerReader, Outcome, Query, Signer};
use salinan::store::Place;
use salinan::store::postgres::PostgresOptions;

use crate::server::TestServer;
use crate::worker::ORIGIN;

/// How long things happen in a run.
const RUN: Duration = Duration::from_secs(3);
/// Longest wait for a replica to come up, and to end when told to.
const LIMIT: Duration = Duration::from_mins(1);
const NAMES: [&str; 2] = ["a", "b"];
/// Entries read at a time.
const PAGE: u64 = 4_096;

/// Numbers from a seed, the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// All that was said by whom, and how often something was done to somebody.
#[derive(Default)]
struct Totals {
    opened: usize,
    complete: usize,
    checkpoints: usize,
    reconciled: usize,
    entries: u64,
    done: HashMap<&'static str, u32>,
}

pub fn run(runs: u64, seed: u64) {
    let Some(server) = TestServer::start(&[]) else { return };
    let mut totals = Totals::default();
    for run in 0..runs {
        aloud(&format!("run {run} of {runs}, seed {}", seed + run));
        one(&server, seed + run, &mut totals);
    }
    let mut done: Vec<_> = totals.done.iter().collect();
    done.sort();
    aloud(&format!(
        "{runs} runs: {} copies opened and {} whole as their requesters saw, all in the ledger; \
         {} entries, {} releases reconciled, {} checkpoints shown, all of one history; {done:?}",
        totals.opened, totals.complete, totals.entries, totals.reconciled, totals.checkpoints
    ));
    assert!(totals.complete > 0 && totals.checkpoints > 0, "nothing was tried");
}

/// A replica in a process of its own, and what it says.
struct Worker {
    child: Child,
    is_stopped: bool,
}

impl Worker {
    fn start(
        directory: &Path,
        name: &str,
        address: &str,
        number: u64,
        said: &Arc<Mutex<Vec<String>>>,
    ) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["worker", directory.to_str().unwrap(), name, address, &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, said) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(said));
        thread::spawn(move || {
            // A line that was cut off by a kill was not said.
            for line in out.split(b'\n').map_while(Result::ok) {
                said.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self { child, is_stopped: false }
    }

    fn signal(&mut self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
        self.is_stopped = name == "STOP";
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end and waits until it did.
    fn end(mut self) {
        if self.is_stopped {
            self.signal("CONT");
        }
        drop(self.child.stdin.take());
        let until = Instant::now() + LIMIT;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "a replica does not end when told to");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one(server: &TestServer, seed: u64, totals: &mut Totals) {
    let mut dice = Dice(seed);
    let database = format!("ledger_{seed}");
    server.database(&database);
    let made = tempfile::tempdir().unwrap();
    let signer = Signer::generate(&made.path().join(KEY_FILE), ORIGIN).unwrap();
    let owner =
        PostgresOptions::load(server.address("owner", &database).parse().unwrap(), None, None).unwrap();
    let random = Arc::new(SystemRandom::new());
    Ledger::init_on(&owner, "salinan", made.path(), &signer, "", Arc::new(SystemClock), random).unwrap();
    let folders = NAMES.map(|name| {
        let folder = made.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in [KEY_FILE, ANCHOR_FILE] {
            fs::copy(made.path().join(file), folder.join(file)).unwrap();
        }
        folder
    });

    let said = Arc::new(Mutex::new(Vec::new()));
    let address = server.address("salinan", &database);
    let mut number = 0;
    let mut start = |at: usize| {
        number += 1;
        Worker::start(&folders[at], NAMES[at], &address, number, &said)
    };
    let mut workers: Vec<Worker> = (0..NAMES.len()).map(&mut start).collect();
    wait_for(&said, "ready", NAMES.len());
    let until = Instant::now() + RUN;
    while Instant::now() < until {
        thread::sleep(Duration::from_millis(20 + dice.below(500)));
        let at = usize::try_from(dice.below(NAMES.len() as u64)).unwrap();
        let what = match dice.below(10) {
            0..3 => {
                workers[at].kill();
                workers[at] = start(at);
                "kill"
            }
            3..6 if !workers[at].is_stopped => {
                workers[at].signal("STOP");
                "stop"
            }
            3..6 => {
                workers[at].signal("CONT");
                "continue"
            }
            6 => {
                // As if it had been silent for a minute.
                let sql = format!("UPDATE salinan.replica SET is_out = true WHERE name = '{}'", NAMES[at]);
                server.sql(&database, &sql);
                "shut out"
            }
            7 => {
                server.stop("immediate");
                server.go();
                "server lost its power"
            }
            _ => "nothing",
        };
        *totals.done.entry(what).or_default() += 1;
    }
    for worker in &mut workers {
        if worker.is_stopped {
            worker.signal("CONT");
        }
    }
    // Both work again, whatever happened, and go on for a moment.
    let before = count(&said, "complete");
    wait_for(&said, "complete", before + 20);
    for worker in workers {
        worker.end();
    }
    // The next start of each closes what was left open.
    for (folder, name) in folders.iter().zip(NAMES) {
        let ready = count(&said, "ready");
        let worker = Worker::start(folder, name, &address, 0, &said);
        wait_for(&said, "ready", ready + 1);
        worker.end();
    }
    check(
        &Place::Server(PostgresOptions::load(address.parse().unwrap(), None, None).unwrap()),
        &signer,
        &said,
        totals,
    );
    server.sql("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"));
}

fn count(said: &Mutex<Vec<String>>, word: &str) -> usize {
    said.lock().unwrap().iter().filter(|line| line.split(' ').next() == Some(word)).count()
}

fn wait_for(said: &Mutex<Vec<String>>, word: &str, times: usize) {
    let until = Instant::now() + LIMIT;
    while count(said, word) < times {
        let last = said.lock().unwrap().iter().rev().take(5).cloned().collect::<Vec<_>>();
        assert!(Instant::now() < until, "never `{word}` {times} times; lately {last:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What has to hold, whatever happened.
fn check(place: &Place, signer: &Signer, said: &Mutex<Vec<String>>, totals: &mut Totals) {
    let mut reader = LedgerReader::open_at(place, None).unwrap();
    let report = match reader.verify(Some(&signer.verifier()), None).unwrap() {
        Verdict::Sound(report) => *report,
        Verdict::Flawed(flaw) => panic!("the ledger is not sound: {flaw}"),
    };
    // Verified: indexes without gaps, and each release closed once at most.
    totals.entries += report.size;

    let said = said.lock().unwrap();
    let mut wanted: HashMap<u64, Vec<[u8; 32]>> = HashMap::new();
    let (mut opened, mut complete) = (HashMap::new(), HashMap::new());
    for line in said.iter() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["opened", id, index] => drop(opened.insert(index.parse::<u64>().unwrap(), id.to_owned())),
            ["complete", id, index] => drop(complete.insert(index.parse::<u64>().unwrap(), id.to_owned())),
            ["checkpoint", size, root] => {
                let root = BASE64_STANDARD.decode(root).unwrap().try_into().unwrap();
                wanted.entry(size.parse().unwrap()).or_default().push(root);
                totals.checkpoints += 1;
            }
            _ => {}
        }
    }
    totals.opened += opened.len();
    totals.complete += complete.len();

    let (mut tree, mut finished, mut from) = (Tree::default(), Vec::new(), 0);
    let mut closed = HashSet::new();
    loop {
        let page = reader.find(&Query::default(), from, PAGE).unwrap();
        if page.is_empty() {
            break;
        }
        for record in page {
            from = record.index + 1;
            finished.clear();
            tree.push(leaf_hash(record.leaf.as_bytes()), &mut finished);
            for root in wanted.remove(&tree.size()).unwrap_or_default() {
                assert_eq!(root, tree.root(), "another root was shown at size {}", tree.size());
            }
            let release = record.entry.release().map(|id| id.to_string());
            match &record.entry {
                Entry::Intent(_) => {
                    // Opened as a requester saw: at that index, that release.
                    if let Some(id) = opened.remove(&record.index) {
                        assert_eq!(release.as_ref(), Some(&id), "entry {}", record.index);
                    }
                }
                Entry::Complete(end) => {
                    assert!(closed.insert(release.clone()), "closed twice");
                    if let Some(id) = complete.remove(&record.index) {
                        assert_eq!(release.as_ref(), Some(&id), "entry {}", record.index);
                        assert_eq!(end.completion.outcome, Outcome::Complete);
                    }
                }
                Entry::Reconciled(_) => {
                    assert!(closed.insert(release.clone()), "closed twice");
                    totals.reconciled += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(tree.size(), report.size);
    assert!(
        wanted.is_empty(),
        "checkpoints were shown of sizes that the ledger never had: {:?}",
        wanted.keys()
    );
    assert!(opened.is_empty(), "opened, and not in the ledger: {opened:?}");
    assert!(complete.is_empty(), "whole, without a completion: {complete:?}");
    assert!(report.open.is_empty(), "still open: {:?}", report.open);
}

/// Says something that a reader of the run must not miss.
fn aloud(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
