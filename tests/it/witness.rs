//! Witnesses beside a running server: growth is signed and shown, a fork and an old copy are not, and a witness that is
//! gone holds nothing up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use salinan::ledger::Cosigner;

use crate::support::client::{End, get};
use crate::support::fixture::Form;
use crate::support::site::certified;
use crate::support::stub;
use crate::support::{Proxy, SALINAN, Site, shown, signal, wait};

const LIMIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(10);

/// A witness of our own, as a process.
pub struct Witness {
    child: Child,
    folder: PathBuf,
    pub vkey: String,
    pub address: String,
}

impl Witness {
    pub fn start(folder: &Path, name: &str, listen: &str, log: &str) -> Self {
        Self::start_with(folder, name, listen, log, &[])
    }

    fn start_with(folder: &Path, name: &str, listen: &str, log: &str, more: &[&str]) -> Self {
        let (out, err) = (folder.with_extension("out"), folder.with_extension("err"));
        let child = Command::new(SALINAN)
            .args(["log", "witness", "--dir", &folder.to_string_lossy(), "--name", name])
            .args(["--listen", listen, "--log", log])
            .args(more)
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let until = Instant::now() + LIMIT;
        let address = loop {
            let said = fs::read_to_string(&err).unwrap_or_default();
            if let Some((_, rest)) = said.split_once("address=") {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
            assert!(Instant::now() < until, "the witness did not start: {said}");
            std::thread::sleep(STEP);
        };
        let vkey = fs::read_to_string(&out).unwrap().trim().to_owned();
        Self { child, folder: folder.to_owned(), vkey, address }
    }

    fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        assert!(wait(&mut self.child, LIMIT).expect("the witness ends when told to").success());
    }

    /// Whether it signed the note.
    pub fn signed(&self, note: &str) -> bool {
        self.vkey.parse::<Cosigner>().unwrap().find(note).is_some()
    }

    /// What it says to a submission.
    fn submit(&self, body: &str) -> (u16, String) {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        let head = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // One that is too long may be refused before it was read.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A proxy that asks witnesses, each `interval_ms` apart.
async fn watched(count: usize, rule: &str) -> (Proxy, Vec<Witness>) {
    let mut proxy = Proxy::start().await;
    let vkey = proxy.site.run(&["log", "vkey", "--dir", "ledger"]);
    let vkey = String::from_utf8(vkey.stdout).unwrap().trim().to_owned();
    let start = |n: usize| {
        let folder = proxy.site.path(&format!("witness-{n}"));
        Witness::start(&folder, &format!("witness.example/w{n}"), "127.0.0.1:0", &vkey)
    };
    let witnesses: Vec<Witness> = (0..count).map(start).collect();
    let lines: String = witnesses
        .iter()
        .enumerate()
        .map(|(n, own)| format!("witness w{n} {} http://{}\n", own.vkey, own.address))
        .collect();
    fs::write(proxy.site.path("witnesses.policy"), format!("log {vkey}\n{lines}{rule}\n")).unwrap();
    let path = proxy.site.path("salinan.toml");
    let config = fs::read_to_string(&path).unwrap();
    let more = "[witness]\npolicy = \"witnesses.policy\"\ninterval_ms = 100\ntimeout_ms = 2000\n";
    fs::write(&path, config + more).unwrap();
    assert!(proxy.stop().unwrap().success());
    proxy.start_again();
    (proxy, witnesses)
}

/// Waits until the kept checkpoint is of at least this size; gives it.
async fn cosigned(site: &Site, size: usize) -> String {
    let until = Instant::now() + LIMIT;
    loop {
        let note = fs::read_to_string(site.path("ledger/ledger.cosigned")).unwrap_or_default();
        if size_of(&note).is_some_and(|found| found >= size) {
            return note;
        }
        assert!(Instant::now() < until, "no witnessed checkpoint of size {size}");
        tokio::time::sleep(STEP).await;
    }
}

fn size_of(note: &str) -> Option<usize> {
    note.lines().nth(1)?.parse().ok()
}

async fn fetch(proxy: &Proxy) -> String {
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let reply = proxy.client().get(form.path(), &proxy.site.partai()).await;
    assert_eq!((reply.status, reply.end), (200, End::Clean));
    reply.header("release-id").unwrap().to_owned()
}

fn verify(site: &Site, more: &[&str]) -> (i32, String) {
    let output =
        site.run(&[&["log", "verify", "--dir", "ledger", "--policy", "witnesses.policy"], more].concat());
    (output.status.code().unwrap(), shown(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_is_signed_by_all_and_shown_in_checkpoints_and_receipts() {
    let (proxy, witnesses) = watched(2, "group both all w0 w1\nquorum both").await;
    let site = &proxy.site;
    let first = cosigned(site, 1).await;
    let release = fetch(&proxy).await;
    let note = cosigned(site, site.records().len()).await;
    assert!(size_of(&note) > size_of(&first), "it grew and was signed again");
    for witness in &witnesses {
        assert!(witness.signed(&note));
    }
    let (code, said) = verify(site, &[]);
    assert_eq!((code, said.contains("2 of 2 witnesses signed: enough")), (0, true), "{said}");
    let (code, said) = verify(site, &["--format", "json"]);
    assert_eq!((code, said.contains("\"met\":true")), (0, true), "{said}");

    let shown = proxy.client().get("/checkpoint", &site.of_role("auditor")).await;
    assert!(witnesses.iter().all(|witness| witness.signed(&shown.text())), "{}", shown.text());
    let token = site.partai();
    let receipt = proxy.client().raw(get(&format!("/receipts/{release}"), &token)).await.unwrap();
    fs::write(site.path("receipt.json"), &receipt.body).unwrap();
    let output = site.run(&["receipt", "verify", "receipt.json", "--policy", "witnesses.policy"]);
    let said = crate::support::shown(&output);
    assert_eq!((output.status.code(), said.contains("enough witnesses saw")), (Some(0), true), "{said}");
    // The same for one that no witness signed.
    let lines = String::from_utf8(receipt.body).unwrap();
    let other =
        Witness::start(&site.path("other"), "witness.example/other", "127.0.0.1:0", &witnesses_log(site));
    fs::write(site.path("other.policy"), format!("witness x {}\nquorum x\n", other.vkey)).unwrap();
    fs::write(site.path("receipt.json"), lines).unwrap();
    let output = site.run(&["receipt", "verify", "receipt.json", "--policy", "other.policy"]);
    let said = crate::support::shown(&output);
    assert_eq!((output.status.code(), said.contains("too few witnesses")), (Some(1), true), "{said}");
}

fn witnesses_log(site: &Site) -> String {
    let policy = fs::read_to_string(site.path("witnesses.policy")).unwrap();
    policy.split_whitespace().nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_gone_holds_nothing_up_and_a_quorum_is_missed_without_it() {
    let (proxy, mut witnesses) = watched(2, "group both all w0 w1\nquorum both").await;
    let site = &proxy.site;
    let before = cosigned(site, 1).await;
    witnesses[1].stop();
    let since = Instant::now();
    fetch(&proxy).await;
    assert!(since.elapsed() < Duration::from_secs(2), "the copy waited for a witness");
    let until = Instant::now() + LIMIT;
    while !proxy.traces().iter().any(|line| line["message"] == "the checkpoint is not shown as witnessed") {
        assert!(Instant::now() < until, "nobody was told that the quorum is missed");
        tokio::time::sleep(STEP).await;
    }
    let told = proxy.traces();
    let mut gone =
        told.iter().filter(|line| line["message"] == "a witness did not sign" && line["witness"] == "w1");
    assert!(gone.next_back().is_some_and(|line| line["failures"].as_u64() >= Some(1)));
    let kept = fs::read_to_string(site.path("ledger/ledger.cosigned")).unwrap();
    assert!(witnesses.iter().all(|own| own.signed(&kept)), "what is shown still has its quorum");
    assert!(size_of(&kept) >= size_of(&before));
    // One of two is enough for who says so, and the one that is gone goes on where it was once it is back.
    let policy = fs::read_to_string(site.path("witnesses.policy")).unwrap();
    let (folder, address) = (witnesses[1].folder.clone(), witnesses[1].address.clone());
    let log = witnesses_log(site);
    witnesses[1] = Witness::start(&folder, "witness.example/w1", &address, &log);
    let note = cosigned(site, site.records().len()).await;
    assert!(witnesses.iter().all(|own| own.signed(&note)));
    let alone = note.lines().filter(|line| !line.starts_with("— witness.example/w1 ")).collect::<Vec<_>>();
    fs::write(site.path("alone"), alone.join("\n") + "\n").unwrap();
    let (code, said) = verify(site, &["--witnessed", "alone"]);
    assert_eq!((code, said.contains("1 of 2 witnesses signed: too few")), (1, true), "{said}");
    fs::write(site.path("witnesses.policy"), policy.replace("group both all", "group both any")).unwrap();
    let (code, said) = verify(site, &["--witnessed", "alone"]);
    assert_eq!((code, said.contains("1 of 2 witnesses signed: enough")), (0, true), "{said}");
    let (code, said) = verify(site, &["--witnessed", "missing"]);
    assert_eq!((code, said.contains("no checkpoint that witnesses signed")), (1, true), "{said}");
}

/// Each witness is known by what vouches for it, and by nothing that vouches for another.
#[tokio::test(flavor = "multi_thread")]
async fn witnesses_of_two_authorities_are_asked_each_under_its_own() {
    let mut proxy = Proxy::start().await;
    assert!(proxy.stop().unwrap().success());
    let path = |name: &str| proxy.site.path(name);
    let log = String::from_utf8(proxy.site.run(&["log", "vkey", "--dir", "ledger"]).stdout).unwrap();
    let log = log.trim().to_owned();
    let mut policy = format!("log {log}\n");
    let mut witnesses = Vec::new();
    for name in ["w0", "w1"] {
        fs::write(path(&format!("{name}-ca.pem")), certified(proxy.site.folder.path(), name)).unwrap();
        let file = |end: &str| path(&format!("{name}{end}.pem")).to_string_lossy().into_owned();
        let (certificate, key) = (file(""), file("-key"));
        let more = ["--certificate", &certificate, "--key", &key];
        let called = format!("witness.example/{name}");
        let own = Witness::start_with(&path(&format!("{name}-state")), &called, "127.0.0.1:0", &log, &more);
        policy += &format!("witness {name} {} https://{}\n", own.vkey, own.address);
        witnesses.push(own);
    }
    fs::write(path("witnesses.policy"), policy + "group both all w0 w1\nquorum both\n").unwrap();
    let config = fs::read_to_string(path("salinan.toml")).unwrap();
    let set = |site: &Site, more: &str| {
        let usual = "policy = \"witnesses.policy\"\ninterval_ms = 100\ntimeout_ms = 2000";
        fs::write(site.path("salinan.toml"), format!("{config}[witness]\n{usual}\n{more}\n")).unwrap();
    };
    // What is trusted, and whose certificate is then not known.
    let refused = [
        ("ca = \"w0-ca.pem\"", "w1"),
        ("ca = \"w0-ca.pem\"\nca_of = { w0 = \"w1-ca.pem\" }", "w0"),
        ("ca = \"w0-ca.pem\"\nca_of = { w0 = \"w0-ca.pem\" }", "w1"),
    ];
    for (more, unknown) in refused {
        set(&proxy.site, more);
        proxy.start_again();
        let until = Instant::now() + LIMIT;
        while !proxy.traces().iter().any(|line| {
            line["message"] == "a witness did not sign"
                && line["witness"] == unknown
                && line["why"].as_str().is_some_and(|why| why.contains("certificate"))
        }) {
            assert!(Instant::now() < until, "{more}: nobody was told that {unknown} is not known");
            tokio::time::sleep(STEP).await;
        }
        assert!(!proxy.site.path("ledger/ledger.cosigned").exists(), "{more}");
        assert!(proxy.stop().unwrap().success());
    }
    for more in [
        "ca = \"w0-ca.pem\"\nca_of = { w1 = \"w1-ca.pem\" }",
        "ca_of = { w0 = \"w0-ca.pem\", w1 = \"w1-ca.pem\" }",
    ] {
        set(&proxy.site, more);
        proxy.start_again();
        let note = cosigned(&proxy.site, proxy.site.records().len()).await;
        assert!(witnesses.iter().all(|own| own.signed(&note)), "{more}");
        assert!(proxy.stop().unwrap().success());
    }
    let wrong = [
        ("ca_of = { w0 = \"w0-ca.pem\" }", "the witness w1 has no address that can be asked"),
        ("ca = \"w0-ca.pem\"\nca_of = { w2 = \"w1-ca.pem\" }", "it has no witness `w2`, which `ca_of` names"),
        ("ca_of = { w0 = 7 }", "`w0` in `ca_of` is not the name of a file"),
        ("ca_of = { w0 = \"missing.pem\" }", "could not read"),
        ("ca_of = \"w0-ca.pem\"", "`ca_of` is a table"),
    ];
    for (more, expected) in wrong {
        set(&proxy.site, more);
        let checked = proxy.site.run(&["serve", "--check"]);
        let said = shown(&checked);
        assert_eq!((checked.status.code(), said.contains(expected)), (Some(1), true), "{more}: {said}");
    }
    set(&proxy.site, "ca = \"w0-ca.pem\"\nca_of = { w1 = \"w1-ca.pem\" }");
    proxy.start_again();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Who puts back an old copy together with its anchor, and has the key, deceives the server but not the witness.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_put_back_with_its_anchor_is_found_out_by_the_witness() {
    let (mut proxy, witnesses) = watched(1, "quorum w0").await;
    cosigned(&proxy.site, 1).await;
    assert!(proxy.stop().unwrap().success());
    let (ledger, old) = (proxy.site.ledger(), proxy.site.path("old"));
    copy(&ledger, &old);
    proxy.start_again();
    fetch(&proxy).await;
    let kept = cosigned(&proxy.site, proxy.site.records().len()).await;
    fs::write(proxy.site.path("kept"), &kept).unwrap();
    assert!(proxy.stop().unwrap().success());

    fs::rename(&ledger, proxy.site.path("away")).unwrap();
    copy(&old, &ledger);
    proxy.start_again();
    let told = |proxy: &Proxy, part: &str| {
        proxy.traces().iter().any(|line| {
            line["message"] == "a witness holds another history of the ledger"
                && line["why"].as_str().is_some_and(|why| why.contains(part))
        })
    };
    let until = Instant::now() + LIMIT;
    while !told(&proxy, "this ledger is smaller") {
        assert!(Instant::now() < until, "nobody was told of the old copy");
        tokio::time::sleep(STEP).await;
    }
    let (code, said) = verify(&proxy.site, &["--witnessed", "kept"]);
    assert_eq!((code, said.contains("put back or cut off")), (1, true), "{said}");
    // It grows past what was signed, but not out of it.
    let token = proxy.site.partai();
    while proxy.site.records().len() <= size_of(&kept).unwrap() {
        assert_eq!(proxy.client().get("/dpt/9902.csv", &token).await.status, 403);
    }
    let until = Instant::now() + LIMIT;
    while !told(&proxy, "another root") {
        assert!(Instant::now() < until, "nobody was told of the fork");
        tokio::time::sleep(STEP).await;
    }
    let (code, said) = verify(&proxy.site, &["--witnessed", "kept"]);
    assert_eq!((code, said.contains("forked or written anew")), (1, true), "{said}");
    let newest = fs::read_to_string(proxy.site.path("ledger/ledger.cosigned")).unwrap();
    assert!(size_of(&newest) < size_of(&kept), "the fork is not shown as witnessed");
    let evidence = fs::read_dir(&witnesses[0].folder).unwrap().flatten();
    assert!(
        evidence
            .map(|file| file.path())
            .any(|path| path.extension().is_some_and(|end| end == "contradiction"))
    );
}

#[test]
fn a_witness_refuses_what_is_malformed_or_too_long_and_needs_a_certificate_to_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new();
    let vkey = site.run(&["log", "vkey", "--dir", "ledger"]);
    let vkey = String::from_utf8(vkey.stdout).unwrap().trim().to_owned();
    let state = folder.path().join("state");
    let mut witness = Witness::start(&state, "witness.example/w", "127.0.0.1:0", &vkey);
    let note = fs::read_to_string(site.path("ledger/ledger.anchor")).unwrap();
    let long = format!("old 0\n\n{note}{}", "— a.example AAAA\n".repeat(8_000));
    assert_eq!(witness.submit(&long).0, 413);
    assert_eq!(witness.submit("").0, 400);
    assert_eq!(witness.submit(&format!("old 1\n\n{}", note.replace("test.example", "other.example"))).0, 404);
    let (status, line) = witness.submit(&format!("old 0\n\n{note}"));
    assert_eq!((status, witness.signed(&format!("{note}{line}"))), (200, true), "{line}");
    assert_eq!(witness.submit(&format!("old 0\n\n{note}")), (409, "1\n".to_owned()));
    witness.stop();
    // What it signed is known after a start, and without its key it does not begin anew.
    let mut witness = Witness::start(&state, "witness.example/w", "127.0.0.1:0", &vkey);
    assert_eq!(witness.submit(&format!("old 0\n\n{note}")), (409, "1\n".to_owned()));
    witness.stop();
    let state = state.to_string_lossy().into_owned();
    let arguments =
        ["log", "witness", "--dir", &state, "--name", "witness.example/w", "--log", &vkey, "--listen"];
    let open = site.run(&[&arguments[..], &["0.0.0.0:0"]].concat());
    assert_eq!(
        (open.status.code(), shown(&open).contains("needs a certificate")),
        (Some(2), true),
        "{}",
        shown(&open)
    );
    fs::remove_file(format!("{state}/witness-key.pem")).unwrap();
    let lost = site.run(&[&arguments[..], &["127.0.0.1:0"]].concat());
    assert_eq!(
        (lost.status.code(), shown(&lost).contains("signed before")),
        (Some(2), true),
        "{}",
        shown(&lost)
    );
}
