//! The harness: the real binary in front of a source that the test directs, in a folder made for the test.
//!
//! When a [`Proxy`] goes, every test ends alike: the process drains and exits 0, every release in the ledger is
//! closed once, `log verify` accepts the ledger, the source got nothing of any requester and was never asked
//! before the intent was durable, and the oracle has heard all that left.

pub mod client;
pub mod demo;
pub mod fixture;
pub mod oracle;
pub mod process;
pub mod proof;
pub mod site;
pub mod stub;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use salinan::ledger::{Completion, Entry, LedgerReader, Query};
use serde_json::Value;

use client::{Client, Record};
pub use process::{SALINAN, aloud, run, shown, signal, wait};
pub use site::Site;
use stub::Stub;

/// Longest wait for the process to start, to stop, and for an entry to appear.
const LIMIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(5);

/// What differs from the usual set-up: more lines for the sections of `salinan.toml`.
#[derive(Default)]
pub struct Setup {
    pub server: &'static str,
    pub identity: &'static str,
    /// In place of keys from a file, and whatever stands behind its table.
    pub issuer: Option<String>,
    pub source: &'static str,
    pub ledger: &'static str,
    /// In place of rates that no test reaches.
    pub admission: Option<&'static str>,
    /// Shell words before the program is run, such as a limit.
    pub before: Option<String>,
}

/// A running proxy with its source.
pub struct Proxy {
    pub site: Site,
    pub source: Stub,
    pub address: SocketAddr,
    pub record: Record,
    setup: Setup,
    child: Option<Child>,
    starts: usize,
}

impl Proxy {
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        Self::start_in(setup, |_| {}).await
    }

    /// The same, with more put into the folder before.
    pub async fn start_in(setup: Setup, prepare: impl FnOnce(&Site)) -> Self {
        let site = Site::new();
        prepare(&site);
        let source = Stub::start(site.ledger()).await;
        site.write_config(&setup, source.address());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let record = Record::default();
        let mut proxy = Self { site, source, address, record, setup, child: None, starts: 0 };
        proxy.start_again();
        proxy
    }

    /// Starts the program on what is there.
    pub fn start_again(&mut self) {
        self.starts += 1;
        let trace = self.trace_file();
        let mut command = match &self.setup.before {
            None => Command::new(SALINAN),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{before}; exec \"$@\""), "sh", SALINAN]);
                shell
            }
        };
        let child = command
            .args(["serve", "--config", "salinan.toml"])
            .current_dir(self.site.folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(self.site.path(&format!("stdout-{}", self.starts))).unwrap())
            .stderr(File::create(&trace).unwrap())
            .spawn()
            .unwrap();
        let child = self.child.insert(child);
        let until = Instant::now() + LIMIT;
        self.address = loop {
            let lines = traced(&trace);
            let serving = lines.iter().find(|line| line["message"] == "serving");
            if let Some(address) = serving.and_then(|line| line["address"].as_str()) {
                break address.parse().unwrap();
            }
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "the proxy did not start: {}",
                fs::read_to_string(&trace).unwrap_or_default()
            );
            std::thread::sleep(STEP);
        };
    }

    fn trace_file(&self) -> PathBuf {
        self.site.path(&format!("trace-{}.log", self.starts))
    }

    /// What the process has traced since its last start.
    pub fn traces(&self) -> Vec<Value> {
        traced(&self.trace_file())
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.signal("TERM");
        self.ended(LIMIT)
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait(&mut self.child.take().unwrap(), limit)
    }

    pub fn client(&self) -> Client {
        Client::new(self.address, &self.site.ca_pem, self.record.clone())
    }

    /// How a release ended, as soon as the ledger says it.
    pub async fn closing(&self, release: &str) -> Completion {
        let release = release.parse().unwrap();
        let query = Query { release: Some(release), ..Query::default() };
        let until = Instant::now() + LIMIT;
        loop {
            let found = LedgerReader::open(&self.site.ledger()).unwrap().find(&query, 0, 10).unwrap();
            for record in found {
                if let Entry::Complete(closed) = record.entry {
                    return closed.completion;
                }
            }
            assert!(Instant::now() < until, "the release was not closed in time");
            tokio::time::sleep(STEP).await;
        }
    }

    /// The release opened last.
    pub fn last_release(&self) -> String {
        let records = self.site.records();
        let intents = records.iter().rev().filter(|record| record.entry.kind() == "release.intent");
        intents.map(|record| record.entry.release().unwrap().to_string()).next().expect("an intent")
    }

    /// Waits until the ledger has so many refusals, and gives the code of each.
    pub async fn refusals(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + LIMIT;
        loop {
            let records = self.site.records();
            let codes: Vec<String> = records
                .into_iter()
                .filter_map(|record| match record.entry {
                    Entry::Refused(refusal) => Some(refusal.code),
                    _ => None,
                })
                .collect();
            if codes.len() >= count {
                return codes;
            }
            assert!(Instant::now() < until, "{} of {count} refusals are in the ledger", codes.len());
            tokio::time::sleep(STEP).await;
        }
    }

    /// Nothing of a requester reached the source, and every question to it had its intent before it.
    fn check_source(&self) {
        let asked = self.source.asked();
        let mut intents = Vec::new();
        for one in &asked {
            let mut names = one.names();
            names.sort();
            assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"], "the source's headers");
            assert!(one.head.starts_with("GET /d"), "the source was asked something else");
            assert!(one.head.contains("accept-encoding: identity\r\n"));
            intents.push(one.intents.expect("the ledger can be read beside the server"));
        }
        intents.sort_unstable();
        for (at, count) in intents.iter().enumerate() {
            assert!(*count > at, "the source was asked before the intent was durable");
        }
    }
}

fn traced(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(child) = &mut self.child {
                let _ = child.kill();
                let _ = child.wait();
            }
            let mut said = String::new();
            for line in self.traces().iter().rev().take(3).rev() {
                let _ = writeln!(said, "  {line}");
            }
            aloud(&format!("the proxy's last traces:\n{said}"));
            return;
        }
        if self.child.is_some() {
            let status = self.stop().expect("the proxy ends when told to");
            assert!(status.success(), "the proxy ended with {status}");
        }
        self.check_source();
        self.site.check_ledger();
        self.site.hear(&self.record.all());
    }
}
