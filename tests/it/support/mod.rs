//! The harness: the real binary in front of a source that the test directs, in a folder made for the test.
//!
//! When a [`Proxy`] goes, every test ends alike: the process drains and exits 0, every release in the ledger is
//! closed once, `log verify` accepts the ledger, the source got nothing of any requester and was never asked
//! before the intent was durable, and the oracle has heard all that left.

pub mod client;
pub mod fixture;
pub mod oracle;
pub mod stub;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use salinan::domain::{Clock, Level, Party, SystemClock};
use salinan::identity::{Algorithm, Claims, SigningKey};
use salinan::ledger::{
    Completion, Entry, KEY_FILE, Ledger, LedgerReader, Query, Record as LedgerRecord, Signer,
};
use serde_json::Value;

use client::{Client, Record};
use oracle::Oracle;
use stub::Stub;

/// The program under test.
pub const SALINAN: &str = env!("CARGO_BIN_EXE_salinan");
const ORIGIN: &str = "test.example/ledger";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://salinan.example";
/// Longest wait for the process to start, to stop, and for an entry to appear.
const LIMIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(5);

/// What differs from the usual set-up: more lines for the sections of `salinan.toml`.
#[derive(Default)]
pub struct Setup {
    pub server: &'static str,
    pub source: &'static str,
    pub ledger: &'static str,
    /// In place of rates that no test reaches.
    pub admission: Option<&'static str>,
    /// Shell words before the program is run, such as a limit.
    pub before: Option<String>,
}

/// Everything the program is started with.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub ca_pem: String,
    key: SigningKey,
    tokens: Mutex<Vec<String>>,
}

impl Site {
    /// Certificates, keys, policy and ledger, all new.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let ca_key = KeyPair::generate().unwrap();
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        server.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let server_key = KeyPair::generate().unwrap();
        let server = server.signed_by(&server_key, &Issuer::from_params(&ca, &ca_key)).unwrap();
        fs::write(at("server.pem"), server.pem()).unwrap();
        fs::write(at("server-key.pem"), server_key.serialize_pem()).unwrap();

        let key = SigningKey::generate(Algorithm::Es256, Some("test")).unwrap();
        fs::write(at("jwks.json"), serde_json::json!({ "keys": [key.to_jwk()] }).to_string()).unwrap();
        fs::write(at("master.key"), "5a".repeat(32)).unwrap();
        fs::write(at("policy.toml"), fixture::POLICY).unwrap();

        let ledger = at("ledger");
        fs::create_dir(&ledger).unwrap();
        let signer = Signer::generate(&ledger.join(KEY_FILE), ORIGIN).unwrap();
        let random = Arc::new(SystemRandom::new());
        Ledger::init(&ledger, &signer, "KPU Kabupaten Contoh", Arc::new(SystemClock), random).unwrap();
        Self { folder, ca_pem, key, tokens: Mutex::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    pub fn write_config(&self, setup: &Setup, source: SocketAddr) {
        let usual = "address_per_second = 100000\naddress_burst = 100000\n\
                     party_per_second = 100000\nparty_burst = 100000";
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server-key.pem\"\n{}\n\
             [identity]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks = \"jwks.json\"\n\
             [policy]\npaths = [\"policy.toml\"]\n\
             [source]\nurl = \"http://{source}\"\n{}\n\
             [ledger]\norigin = \"{ORIGIN}\"\ndirectory = \"ledger\"\nkey = \"ledger/ledger-key.pem\"\n\
             master_key = \"master.key\"\n{}\n\
             [admission]\n{}\n\
             [trace]\nformat = \"json\"\nlevel = \"debug\"\n",
            setup.server,
            setup.source,
            setup.ledger,
            setup.admission.unwrap_or(usual),
        );
        fs::write(self.path("salinan.toml"), text).unwrap();
    }

    /// The claims of a party's witness for 9901, which a test may change before they are signed.
    pub fn claims(&self) -> Claims {
        let now = SystemClock.unix_seconds();
        let number = self.tokens.lock().unwrap().len();
        Claims {
            iss: ISSUER.to_owned(),
            sub: "saksi-7".to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now + 3_600,
            iat: now - 10,
            nbf: None,
            jti: format!("token-{number}"),
            client_id: "partai-7".to_owned(),
            role: "partai".parse().unwrap(),
            party: Some(Party { election: "pemilu-2024".to_owned(), number: 7 }),
            level: Level::Kabkota,
            wilayah: vec!["9901".parse().unwrap()],
            mandate: Some("SM-07/2026".to_owned()),
        }
    }

    pub fn sign(&self, claims: &Claims) -> String {
        let token = self.key.sign(claims).unwrap();
        self.tokens.lock().unwrap().push(token.clone());
        token
    }

    pub fn partai(&self) -> String {
        self.sign(&self.claims())
    }

    pub fn other_party(&self) -> String {
        let mut claims = self.claims();
        "saksi-8".clone_into(&mut claims.sub);
        "partai-8".clone_into(&mut claims.client_id);
        claims.party = Some(Party { election: "pemilu-2024".to_owned(), number: 8 });
        self.sign(&claims)
    }

    pub fn of_role(&self, role: &str) -> String {
        let mut claims = self.claims();
        role.clone_into(&mut claims.sub);
        role.clone_into(&mut claims.client_id);
        claims.role = role.parse().unwrap();
        claims.party = None;
        self.sign(&claims)
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(arguments, self.folder.path())
    }

    /// Everything the ledger says, read beside the server.
    pub fn records(&self) -> Vec<LedgerRecord> {
        LedgerReader::open(&self.ledger()).unwrap().find(&Query::default(), 0, 1_000_000).unwrap()
    }

    /// The oracle hears the ledger's files, all traces and whatever else is given.
    pub fn hear(&self, others: &[Vec<u8>]) {
        let mut oracle = Oracle::of_the_fixture();
        for token in self.tokens.lock().unwrap().iter() {
            oracle.hide_token(token);
        }
        for file in fs::read_dir(self.ledger()).unwrap().chain(fs::read_dir(self.folder.path()).unwrap()) {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("ledger.") || name.starts_with("trace") || name.starts_with("stdout") {
                oracle.hear(&name, &fs::read(&path).unwrap());
            }
        }
        for bytes in others {
            oracle.hear("what requesters got", bytes);
        }
    }

    /// `log verify` accepts the ledger, and every release in it was opened once and closed once.
    pub fn check_ledger(&self) {
        let ledger = self.ledger();
        let verified = self.run(&["log", "verify", "--dir", &ledger.to_string_lossy()]);
        assert!(verified.status.success(), "log verify: {}", shown(&verified));
        let mut open = HashMap::new();
        for record in self.records() {
            let Some(release) = record.entry.release() else { continue };
            match record.entry {
                Entry::Intent(_) => assert!(open.insert(release, true).is_none(), "{release} opened twice"),
                _ => {
                    assert_eq!(open.insert(release, false), Some(true), "{release} closed twice or unopened")
                }
            }
        }
        let left: Vec<_> = open.iter().filter(|(_, open)| **open).collect();
        assert!(left.is_empty(), "releases were left open: {left:?}");
    }
}

pub fn run(arguments: &[&str], folder: &Path) -> Output {
    let child = Command::new(SALINAN)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    output(child)
}

/// Waits for a process with a limit; one that takes longer is ended.
pub fn output(child: Child) -> Output {
    let id = child.id();
    let (ended, end) = std::sync::mpsc::sync_channel::<()>(1);
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(LIMIT * 3).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            signal(id, "KILL");
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    output
}

pub fn shown(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Sends a signal to a process that the tests started.
pub fn signal(id: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).stderr(Stdio::null()).status();
    assert!(sent.is_ok());
}

/// Says something in the run's output that a reader must not miss.
pub fn aloud(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Waits for a process, and kills it when it takes too long.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(STEP);
    }
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
        let site = Site::new();
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

    /// Shell words before the next start.
    pub fn set_before(&mut self, before: Option<String>) {
        self.setup.before = before;
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

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
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
