//! `salinan demo`, as a script and as a person use it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use salinan::domain::Digest;

use crate::support::client::End;
use crate::support::demo::Demo;
use crate::support::proof::{Key, verify};
use crate::support::site::{check_ledger, records, verify_ledger};
use crate::support::{SALINAN, aloud, run, shown, signal, wait};

#[tokio::test(flavor = "multi_thread")]
async fn every_address_the_demo_tells_works_with_its_token_over_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), 1_000);
    // Bawaslu's copy has the address by its policy.
    demo.may_show(&["address"]);
    assert!(demo.started_in < Duration::from_secs(3), "started in {:?}", demo.started_in);
    let client = demo.client();
    let party = "nik,nama,usia,jenis_kelamin,kecamatan,kelurahan,tps";
    let cases = [
        ("csv", "partai_kabkota", 200, 1_001, party),
        ("ndjson", "partai_kabkota", 200, 1_000, ""),
        ("json", "partai_kabkota", 200, 0, ""),
        ("envelope", "partai_kabkota", 200, 0, ""),
        ("kecamatan", "partai_kecamatan", 200, 1_001, ""),
        ("csv", "bawaslu", 200, 1_001, "nama,usia,jenis_kelamin,alamat,rt,rw,keterangan"),
        ("refused", "partai_kabkota", 403, 0, ""),
        ("csv", "partai_kecamatan", 403, 0, ""),
        ("csv", "auditor", 403, 0, ""),
    ];
    for (url, token, status, lines, columns) in cases {
        let mut bodies = Vec::new();
        for h2 in [false, true] {
            let (path, token) = (demo.path(url), demo.token(token));
            let reply = if h2 { client.get_h2(path, token).await } else { client.get(path, token).await };
            assert_eq!((reply.status, reply.end), (status, End::Clean), "{url} h2 {h2}: {}", reply.text());
            if lines > 0 {
                assert_eq!(reply.text().lines().count(), lines, "{url}");
            }
            if !columns.is_empty() {
                let text = reply.text();
                let mut found: Vec<_> = text.lines().next().unwrap().split(',').collect();
                let mut expected: Vec<_> = columns.split(',').collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "{url}");
            }
            bodies.push(reply.body);
        }
        if url == "json" || url == "envelope" {
            let parsed: serde_json::Value = serde_json::from_slice(&bodies[0]).unwrap();
            let rows = if url == "json" { &parsed } else { &parsed["data"] };
            assert_eq!(rows.as_array().map(Vec::len), Some(1_000), "{url}");
            assert!(rows[0]["nik"].as_str().unwrap().ends_with("**********"), "{url}");
        }
        assert_eq!(bodies[0], bodies[1], "{url}: the same copy over both protocols");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_proves_the_copy_to_its_recipient_and_the_auditor_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path(), 500);
    let client = demo.client();
    let copy = client.get(demo.path("csv"), demo.token("partai_kabkota")).await;
    let release = copy.header("release-id").unwrap();
    let path = format!("{}{release}", demo.path("receipts"));
    let vkey = run(&["log", "vkey", "--dir", demo.text("/ledger")], folder.path());
    let key = Key::read(&String::from_utf8_lossy(&vkey.stdout)).expect("a verifier key of the C2SP form");

    for name in ["partai_kabkota", "auditor"] {
        let reply = client.get(&path, demo.token(name)).await;
        assert_eq!(reply.status, 200, "{name}");
        let receipt: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(receipt["release"], release);
        let entries = receipt["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2, "the intent and the completion");
        for (entry, kind) in entries.iter().zip(["release.intent", "release.complete"]) {
            let (leaf, proof) = (entry["leaf"].as_str().unwrap(), entry["proof"].as_str().unwrap());
            assert_eq!(verify(&key, leaf.as_bytes(), proof), entry["index"].as_u64(), "{kind}");
            let said: serde_json::Value = serde_json::from_str(leaf).unwrap();
            assert_eq!((&said["type"], &said["release"]), (&kind.into(), &release.into()));
            // The same proof for another leaf, another place or another tree proves nothing.
            let changed = leaf.replacen("partai", "bawaslu", 1).replacen("complete\"", "aborted\"", 1);
            assert_ne!(changed, leaf);
            assert_eq!(verify(&key, changed.as_bytes(), proof), None, "{kind}: a changed leaf");
            let index = entry["index"].as_u64().unwrap();
            let moved = proof.replacen(&format!("index {index}"), &format!("index {}", index - 1), 1);
            assert_eq!(verify(&key, leaf.as_bytes(), &moved), None, "{kind}: another place");
            let mut lines: Vec<String> = proof.lines().map(str::to_owned).collect();
            let size = lines.iter().position(String::is_empty).unwrap() + 2;
            lines[size].push('0');
            let grown = lines.join("\n") + "\n";
            assert_eq!(verify(&key, leaf.as_bytes(), &grown), None, "{kind}: another size");
        }
        let completion: serde_json::Value =
            serde_json::from_str(entries[1]["leaf"].as_str().unwrap()).unwrap();
        let digest = Digest::of(&copy.body).to_string();
        assert_eq!(completion["body_sha256"], digest.as_str(), "the receipt is of this very copy");
        assert_eq!(completion["bytes"], copy.body.len());
        assert_eq!(key.open(receipt["checkpoint"].as_str().unwrap()).map(|(size, _)| size >= 4), Some(true));
    }
    for name in ["partai_kecamatan", "bawaslu"] {
        let reply = client.get(&path, demo.token(name)).await;
        assert_eq!((reply.status, &*reply.code()), (404, "not_found"), "{name}");
    }

    // The recipient states what it holds, and nobody else does.
    let rows = String::from_utf8_lossy(&copy.body).lines().count() - 1;
    let (bytes, digest) = (copy.body.len(), Digest::of(&copy.body));
    let right = format!("?rows={rows}&bytes={bytes}&sha256={digest}");
    let said = async |who: &str, method: &str, what: &str| {
        let token = demo.token(who);
        let request =
            format!("{method} {path}/ack{what} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
        client.raw(request).await.unwrap()
    };
    let wrong = right.replacen(&format!("rows={rows}"), "rows=1", 1);
    let mut indexes = Vec::new();
    for (what, is_match) in [(&wrong, false), (&right, true), (&right, true)] {
        let reply = said("partai_kabkota", "POST", what).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((&answer["match"], &answer["recorded"]["rows"]), (&is_match.into(), &rows.into()));
        indexes.push(answer["index"].as_u64().unwrap());
    }
    assert_eq!(indexes[1], indexes[2], "the same statement is entered once");
    for (who, method, what, status, code) in [
        ("auditor", "POST", &*right, 404, "not_found"),
        ("bawaslu", "POST", &*right, 404, "not_found"),
        ("partai_kabkota", "GET", &*right, 405, "method_not_allowed"),
        ("partai_kabkota", "POST", "", 400, "statement_malformed"),
        ("partai_kabkota", "POST", "?rows=1&bytes=2", 400, "statement_malformed"),
        ("partai_kabkota", "POST", "?rows=1&bytes=2&sha256=3", 400, "statement_malformed"),
        ("partai_kabkota", "POST", &format!("{right}&x=1"), 400, "statement_malformed"),
    ] {
        let reply = said(who, method, what).await;
        assert_eq!((reply.status, &*reply.code()), (status, code), "{who} {method} {what}");
    }
    for other in 2..=16 {
        let reply = said("partai_kabkota", "POST", &format!("?rows={other}&bytes=1&sha256={digest}")).await;
        let expected = if other <= 15 { 200 } else { 409 };
        assert_eq!(reply.status, expected, "statement {other}: {}", reply.text());
    }
    let reply = client.get(&path, demo.token("auditor")).await;
    let receipt: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let entries = receipt["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2 + 16);
    for entry in entries {
        let (leaf, proof) = (entry["leaf"].as_str().unwrap(), entry["proof"].as_str().unwrap());
        assert_eq!(verify(&key, leaf.as_bytes(), proof), entry["index"].as_u64());
    }
    check_ledger(&demo.ledger());
    let reply = client.raw(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await.unwrap();
    assert_eq!(reply.status, 401);
    let reply = client.get(&format!("{path}?x=1"), demo.token("auditor")).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_in_the_same_folder_goes_on_with_the_same_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), 300);
    assert_eq!(demo.client().get(demo.path("csv"), demo.token("partai_kabkota")).await.status, 200);
    let (ledger, old_token) = (demo.ledger(), demo.token("partai_kabkota").to_owned());
    let key = fs::read(ledger.join("ledger-key.pem")).unwrap();
    // Ctrl-C.
    assert_eq!(demo.stop("INT").and_then(|status| status.code()), Some(0));
    check_ledger(&ledger);
    let before = records(&ledger);
    drop(demo);

    let demo = Demo::start(folder.path(), 300);
    assert_eq!(demo.ledger(), ledger);
    assert!(fs::read(ledger.join("ledger-key.pem")).unwrap() == key, "the same key");
    let reply = demo.client().get(demo.path("csv"), &old_token).await;
    assert_eq!(reply.status, 200, "a token of the first run still works");
    let after = records(&ledger);
    assert!(after.len() > before.len());
    assert!(before.iter().zip(&after).all(|(one, two)| one.leaf == two.leaf), "what was there stays");
}

#[test]
fn one_who_stops_it_as_soon_as_it_speaks_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..15 {
        // Dropping it stops it, and checks that it exits 0.
        drop(Demo::start(folder.path(), 1));
    }
}

#[test]
fn every_command_the_demo_prints_works_when_pasted() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        aloud("SKIPPED: there is no curl, so the demo's commands were not tried");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(SALINAN)
        .args(["demo", "--listen", "127.0.0.1:0", "--voters", "400", "--dir", "site"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Commands are what is indented under a title; the last one is the auditor's query.
    let mut script = "set -e\n".to_owned();
    let mut commands = 0;
    // Held to the end: a demo that cannot say its last word stops.
    let mut said = BufReader::new(child.stdout.take().unwrap());
    for line in said.by_ref().lines() {
        let line = line.unwrap();
        let Some(command) = line.strip_prefix("  ") else { continue };
        let is_command = ["curl ", "RELEASE=", "'"].iter().any(|first| command.starts_with(first));
        let is_setting = command
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        if is_command || is_setting {
            commands += usize::from(is_command);
            script.extend([command, "\necho; echo\n"]);
        }
        if command.contains(" log query ") {
            break;
        }
    }
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    signal(child.id(), "INT");
    let status = wait(&mut child, Duration::from_secs(30));
    drop(said);
    let said = shown(&output);
    assert!(output.status.success(), "{said}");
    assert!(status.is_some_and(|status| status.success()), "Ctrl-C: {status:?}");
    assert!(commands >= 9, "{commands} commands: {said}");
    let at = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(at("copy.csv").lines().count(), 401);
    assert_eq!(at("copy.ndjson").lines().count(), 400);
    assert!(serde_json::from_str::<serde_json::Value>(&at("copy.json")).is_ok());
    assert_eq!(at("bawaslu.csv").lines().count(), 401);
    assert_eq!(at("kecamatan.csv").lines().count(), 401);
    assert!(said.contains(r#""code":"area_not_allowed""#), "{said}");
    assert!(said.contains("c2sp.org/tlog-proof@v1"), "the receipt: {said}");
    assert!(said.contains("release.complete"), "the auditor's query: {said}");
    verify_ledger(&folder.path().join("site/ledger"));
}
