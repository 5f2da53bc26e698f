//! A running `salinan demo`, with the facts it prints for scripts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, Record};
use super::oracle::Oracle;
use super::process::{SALINAN, signal, wait};
use super::site::{check_ledger, hear_files};

/// Longest wait for it to start and to stop.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Demo {
    pub facts: Value,
    pub record: Record,
    /// From its start to its facts.
    pub started_in: Duration,
    folder: PathBuf,
    child: Option<Child>,
    may_show: &'static [&'static str],
}

impl Demo {
    /// Starts on a folder, new or used before, with so many voters.
    pub fn start(folder: &Path, voters: u64) -> Self {
        let (stdout, stderr) = (folder.join("facts.json"), folder.join("trace.log"));
        let _ = fs::remove_file(&stdout);
        let since = Instant::now();
        let mut child = Command::new(SALINAN)
            .args([
                "demo",
                "--format",
                "json",
                "--listen",
                "127.0.0.1:0",
                "--voters",
                &voters.to_string(),
                "--dir",
            ])
            .arg(folder.join("site"))
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let facts = loop {
            let text = fs::read_to_string(&stdout).unwrap();
            if let Some(line) = text.strip_suffix('\n') {
                break serde_json::from_str(line).expect("the facts are one JSON object");
            }
            let ended = child.try_wait().unwrap();
            let said = fs::read_to_string(&stderr).unwrap();
            assert!(ended.is_none() && since.elapsed() < LIMIT, "the demo did not start: {said}");
            std::thread::sleep(Duration::from_millis(2));
        };
        let started_in = since.elapsed();
        let record = Record::default();
        Self { facts, record, started_in, folder: folder.to_owned(), child: Some(child), may_show: &[] }
    }

    /// What the test fetches may show this: the oracle then hears files and traces only.
    pub fn may_show(&mut self, what: &'static [&'static str]) {
        self.may_show = what;
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.facts.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no fact {pointer}"))
    }

    pub fn token(&self, name: &str) -> &str {
        self.text(&format!("/tokens/{name}"))
    }

    /// The path of one of the URLs.
    pub fn path(&self, name: &str) -> &str {
        let url = self.text(&format!("/urls/{name}"));
        url.strip_prefix(&format!("https://{}", self.text("/address"))).expect("a URL of this server")
    }

    pub fn ledger(&self) -> PathBuf {
        self.text("/ledger").into()
    }

    pub fn client(&self) -> Client {
        let ca = fs::read_to_string(self.text("/ca")).unwrap();
        Client::new(self.text("/address").parse().unwrap(), &ca, self.record.clone())
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn stop(&mut self, name: &str) -> Option<ExitStatus> {
        signal(self.id(), name);
        wait(&mut self.child.take().unwrap(), LIMIT)
    }

    /// The oracle for the standard voter, who is the first of every demo, and for the demo's tokens.
    fn oracle(&self) -> Oracle {
        let mut oracle = Oracle::of_the_fixture();
        for (_, token) in self.facts["tokens"].as_object().unwrap() {
            oracle.hide_token(token.as_str().unwrap());
        }
        oracle
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(child) = &mut self.child {
                let _ = child.kill();
                let _ = child.wait();
            }
            return;
        }
        if self.child.is_some() {
            let status = self.stop("TERM").expect("the demo ends when told to");
            assert!(status.success(), "the demo ended with {status}");
            check_ledger(&self.ledger());
        }
        let oracle = self.oracle();
        hear_files(&oracle, &[&self.ledger(), &self.folder], &["ledger.", "trace"]);
        for bytes in self.record.all() {
            let leaks = oracle.leaks(&bytes);
            let other: Vec<_> =
                leaks.iter().filter(|leak| !self.may_show.iter().any(|may| leak.starts_with(may))).collect();
            assert!(other.is_empty(), "the oracle heard in what requesters got: {other:?}");
        }
    }
}
