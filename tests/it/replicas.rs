//! Two processes in front of one source, with one ledger on a `PostgreSQL` server.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use salinan::ledger::{ANCHOR_FILE, Entry, KEY_FILE, LedgerReader, Outcome, Query, Record};
use salinan::store::Place;
use salinan::store::postgres::PostgresOptions;
use serde_json::Value;

use crate::support::client::{self, Client, End};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, Stub};
use crate::support::{SALINAN, Setup, Site, shown, signal, wait};

#[path = "../support/postgres.rs"]
#[expect(dead_code, reason = "TLS is tried elsewhere")]
mod server;

use server::TestServer;

const LIMIT: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(10);

/// One of the processes; killed when it goes.
pub struct Replica(Child, SocketAddr);

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What all of them share.
pub struct Replicas {
    pub site: Site,
    pub source: Stub,
    pub server: TestServer,
}

impl Replicas {
    pub async fn new() -> Option<Self> {
        let server = TestServer::start(&[])?;
        server.database("ledger");
        let site = Site::new();
        let source = Stub::start(site.ledger()).await;
        let owner = server.address("owner", "ledger");
        let dir = site.path("made");
        let made = site.run(&[
            "log",
            "init",
            "--store",
            &owner,
            "--dir",
            dir.to_str().unwrap(),
            "--origin",
            "test.example/ledger",
        ]);
        assert!(made.status.success(), "{}", shown(&made));
        site.write_config(&Setup::default(), source.address());
        let usual = fs::read_to_string(site.path("salinan.toml")).unwrap();
        for name in ["a", "b"] {
            fs::create_dir(site.path(name)).unwrap();
            for file in [KEY_FILE, ANCHOR_FILE] {
                fs::copy(dir.join(file), site.path(name).join(file)).unwrap();
            }
            let own = usual
                .replace("directory = \"ledger\"", &format!("directory = \"{name}\""))
                .replace("ledger/ledger-key.pem", &format!("{name}/{KEY_FILE}"))
                .replace(
                    "[ledger]\n",
                    &format!(
                        "[ledger]\nreplica = \"{name}\"\nstore = \"{}\"\n",
                        server.address("salinan", "ledger")
                    ),
                );
            fs::write(site.path(&format!("{name}.toml")), own).unwrap();
        }
        Some(Self { site, source, server })
    }

    pub fn start(&self, name: &str) -> Replica {
        let trace = self.site.path(&format!("trace-{name}"));
        let child = Command::new(SALINAN)
            .args(["serve", "--config", &format!("{name}.toml")])
            .current_dir(self.site.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&trace).unwrap())
            .spawn()
            .unwrap();
        let mut replica = Replica(child, SocketAddr::from(([127, 0, 0, 1], 0)));
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(address) = serving(&trace) {
                replica.1 = address;
                return replica;
            }
            let ended = replica.0.try_wait().unwrap();
            let said = fs::read_to_string(&trace).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "{name} did not start: {said}");
            std::thread::sleep(STEP);
        }
    }

    pub fn client(&self, replica: &Replica) -> Client {
        Client::new(replica.1, &self.site.ca_pem, client::Record::default())
    }

    /// Everything the ledger says.
    pub async fn records(&self) -> Vec<Record> {
        let address = self.server.address("salinan", "ledger").parse().unwrap();
        let place = Place::Server(PostgresOptions::load(address, None, None).unwrap());
        let read = move || LedgerReader::open_at(&place, None)?.find(&Query::default(), 0, 100_000);
        tokio::task::spawn_blocking(read).await.unwrap().unwrap()
    }

    /// Runs a command that reads the ledger.
    pub fn log(&self, arguments: &[&str]) -> std::process::Output {
        let address = self.server.address("salinan", "ledger");
        let place = ["--store", &address, "--dir", "a"];
        self.site.run(&[&["log"], arguments, &place].concat())
    }
}

fn serving(trace: &Path) -> Option<SocketAddr> {
    let text = fs::read_to_string(trace).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["message"] == "serving")?;
    line["address"].as_str()?.parse().ok()
}

pub fn stop(mut replica: Replica) {
    signal(replica.0.id(), "TERM");
    let status = wait(&mut replica.0, LIMIT).expect("it ends when told to");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_serve_from_one_ledger_and_survive_each_other_and_the_server() {
    let Some(all) = Replicas::new().await else { return };
    let (a, b) = (all.start("a"), all.start("b"));
    let token = all.site.partai();
    let form = Form::Csv;
    all.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let (of_a, of_b) = (all.client(&a), all.client(&b));
    let mut releases = Vec::new();
    for _ in 0..8 {
        let (one, other) = tokio::join!(of_a.get(form.path(), &token), of_b.get_h2(form.path(), &token));
        for reply in [one, other] {
            assert_eq!((reply.status, reply.end), (200, End::Clean), "{}", reply.text());
            assert_eq!(reply.text(), form.released(3));
            releases.push(reply.header("release-id").unwrap().to_owned());
        }
    }
    // A receipt is had from any of them.
    for (at, release) in releases.iter().enumerate() {
        let other = if at % 2 == 0 { &of_b } else { &of_a };
        let receipt = other.get(&format!("/receipts/{release}"), &token).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text());
        assert!(receipt.text().contains(release));
    }

    // One is killed in the middle of a copy; the other goes on, and the next start of the first closes the copy.
    let script = vec![stub::chunked(form.media_type()), stub::chunk(form.begun(1)), Step::Gate];
    all.source.answer(script);
    let mut cut = of_a.open(client::get(form.path(), &token)).await;
    let (status, _) = cut.head().await.unwrap();
    assert_eq!(status, 200);
    drop(a);
    all.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let reply = of_b.get(form.path(), &token).await;
    assert_eq!((reply.status, reply.end), (200, End::Clean));
    let a = all.start("a");
    let of_a = all.client(&a);
    let reconciled = |records: &[Record]| {
        records.iter().filter(|record| matches!(record.entry, Entry::Reconciled(_))).count()
    };
    assert_eq!(reconciled(&all.records().await), 1);

    // Without the server nothing is released; with it all is as before.
    all.server.stop("immediate");
    for client in [&of_a, &of_b] {
        let refused = client.get(form.path(), &token).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "try_later"));
    }
    all.server.go();
    for client in [&of_a, &of_b] {
        let until = Instant::now() + LIMIT;
        loop {
            let reply = client.get(form.path(), &token).await;
            if reply.status == 200 {
                assert_eq!(reply.end, End::Clean);
                break;
            }
            assert!(Instant::now() < until, "it does not come back: {}", reply.text());
            tokio::time::sleep(STEP * 10).await;
        }
    }

    // The commands read the same ledger, and what they read is entered by whichever replica.
    let asked = all.log(&["query", "--type", "release.complete", "--format", "json", "--auditor", "panwas"]);
    assert!(asked.status.success(), "{}", shown(&asked));
    assert!(String::from_utf8_lossy(&asked.stdout).contains(&releases[0]), "{}", shown(&asked));
    assert!(all.records().await.iter().any(|record| matches!(record.entry, Entry::AuditRead(_))));
    stop(a);
    stop(b);
    for arguments in [&["verify"] as &[&str], &["checkpoint"], &["vkey"]] {
        let output = all.log(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
    }
    let records = all.records().await;
    assert!(records.iter().enumerate().all(|(at, record)| record.index == at as u64));
    for release in &releases {
        let whole = records.iter().any(|record| match &record.entry {
            Entry::Complete(closed) => {
                closed.release.to_string() == *release && closed.completion.outcome == Outcome::Complete
            }
            _ => false,
        });
        assert!(whole, "{release} was whole, without a completion");
    }
    let (opened, closed) = records.iter().fold((0, 0), |(opened, closed), record| match record.entry {
        Entry::Intent(_) => (opened + 1, closed),
        Entry::Complete(_) | Entry::Reconciled(_) => (opened, closed + 1),
        _ => (opened, closed),
    });
    assert_eq!(opened, closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_on_a_server_is_made_once_and_said_plainly_when_it_is_not_there() {
    let Some(server) = TestServer::start(&[]) else { return };
    server.database("ledger");
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| crate::support::run(arguments, folder.path());
    let (owner, service) = (server.address("owner", "ledger"), server.address("salinan", "ledger"));
    let init = ["log", "init", "--store", &owner, "--dir", "l", "--origin", "test.example/l"];
    let missing = run(&["log", "checkpoint", "--store", &owner]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(shown(&missing).contains("holds no ledger"), "{}", shown(&missing));
    assert!(run(&init).status.success());
    let again = run(&init);
    assert_eq!(again.status.code(), Some(2));
    assert!(shown(&again).contains("already"), "{}", shown(&again));
    for address in [&owner, &service] {
        let shown_checkpoint = run(&["log", "checkpoint", "--store", address]);
        assert!(shown_checkpoint.status.success(), "{}", shown(&shown_checkpoint));
        assert_eq!(shown_checkpoint.stdout, fs::read(folder.path().join("l").join(ANCHOR_FILE)).unwrap());
    }
    // An anchor that is not of this ledger is noticed here as anywhere.
    let sound = run(&["log", "verify", "--store", &service, "--dir", "l"]);
    assert!(sound.status.success(), "{}", shown(&sound));
    for (arguments, expected) in [
        (["--store", "postgres://salinan:secret@localhost/ledger"], "a password stands in it"),
        (["--store", "postgres://salinan@db.example/ledger?sslmode=prefer"], "verify-full"),
        (["--store", "postgres://salinan@db.example/ledger"], "vouches for it"),
    ] {
        let refused = run(&[&["log", "verify"], &arguments[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
        assert!(shown(&refused).contains(expected), "{}", shown(&refused));
    }
}
