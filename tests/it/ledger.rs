//! The ledger as seen from outside: order, a full disk, a second process, a ledger that is missing.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use salinan::ledger::Entry;

use crate::support::client::{End, get};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup, Site, aloud, run, shown};

/// At the moment the source is asked the intent can be read by another process; the harness checks that for every
/// test. Here also: nothing is told to the requester before it, and the end of the body comes after its record.
#[tokio::test(flavor = "multi_thread")]
async fn the_intent_is_readable_before_the_first_byte_and_the_completion_before_the_last() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let form = Form::Ndjson;
    for h2 in [false, true] {
        proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()]);
        let client = proxy.client();
        if h2 {
            let (mut requests, _driver) = client.open_h2().await;
            let request = http::Request::get(format!("https://{}{}", proxy.address, form.path()))
                .header("authorization", format!("Bearer {token}"));
            let (response, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
            let response = response.await.unwrap();
            let release = response.headers()["release-id"].to_str().unwrap().to_owned();
            assert_eq!(proxy.last_release(), release);
            proxy.source.open_gate();
            let mut body = response.into_body();
            while let Some(piece) = body.data().await {
                assert!(!piece.unwrap().is_empty() || body.is_end_stream());
            }
            assert!(is_closed(&proxy, &release), "the end of the stream came before its record");
            continue;
        }
        let mut connection = client.open(get(form.path(), &token)).await;
        let (_, headers) = connection.head().await.unwrap();
        let release = headers.iter().find(|(name, _)| name == "release-id").unwrap().1.clone();
        assert_eq!(proxy.last_release(), release);
        assert!(!is_closed(&proxy, &release), "the copy still runs");
        proxy.source.open_gate();
        // Up to the last chunk, and then the record at once.
        let seen = connection.until(b"\r\n0\r\n\r\n").await;
        assert!(seen, "the copy ended whole");
        assert!(is_closed(&proxy, &release), "the last chunk came before its record");
    }
}

fn is_closed(proxy: &Proxy, release: &str) -> bool {
    proxy.site.records().iter().any(
        |record| matches!(&record.entry, Entry::Complete(closed) if closed.release.to_string() == release),
    )
}

/// A proxy that outlives the signal of a file grown too large, as it would a full disk.
async fn on_a_small_disk() -> Proxy {
    let before = Some("trap '' XFSZ".to_owned());
    let ledger = "append_timeout_ms = 1000";
    Proxy::start_with(Setup { ledger, before, ..Setup::default() }).await
}

/// From now on no file of the process grows past what the ledger's log has: the disk is full.
fn fill_disk(proxy: &Proxy) {
    let log = fs::metadata(proxy.site.path("ledger/ledger.sqlite-wal")).unwrap().len();
    limit_files(proxy, &log.to_string());
}

fn limit_files(proxy: &Proxy, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let set = Command::new("prlimit").args(["--pid", &proxy.id().to_string(), &limit]).status();
    assert!(set.unwrap().success());
}

fn has_prlimit() -> bool {
    let has = Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has {
        aloud("SKIPPED: there is no prlimit, so full disks were not tried");
    }
    has
}

/// Asks again until there is a copy: the proxy recovers by itself.
async fn await_recovery(proxy: &Proxy, token: &str) {
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let reply = proxy.client().get(form.path(), token).await;
        if reply.status == 200 {
            assert_eq!((reply.end, reply.text()), (End::Clean, form.released(2)));
            return;
        }
        assert_eq!((reply.status, &*reply.code()), (503, "try_later"));
        assert!(Instant::now() < until, "it did not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_disk_nothing_is_released_the_source_is_not_asked_and_it_recovers() {
    if !has_prlimit() {
        return;
    }
    let proxy = on_a_small_disk().await;
    let (token, client, form) = (proxy.site.partai(), proxy.client(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    assert_eq!(client.get(form.path(), &token).await.status, 200);
    fill_disk(&proxy);
    for path in ["/dpt/9901.csv", "/dpt/9901.ndjson", "/dpt/9901.json", "/dpt-envelope/9901.json"] {
        for h2 in [false, true] {
            let since = Instant::now();
            let reply = if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
            assert_eq!((reply.status, &*reply.code()), (503, "try_later"), "{path}");
            assert!(reply.header("retry-after").is_some(), "{path}");
            assert!(since.elapsed() < Duration::from_secs(3), "{path}: waited {:?}", since.elapsed());
        }
    }
    assert_eq!(proxy.source.asked().len(), 1, "the source was asked without a record");
    // It still answers those whom it would refuse anyway.
    let reply = client.raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!((reply.status, &*reply.code()), (401, "token_missing"));
    let reply = client.get("/dpt/9902.csv", &token).await;
    assert_eq!((reply.status, &*reply.code()), (403, "area_not_allowed"));
    limit_files(&proxy, "unlimited");
    await_recovery(&proxy, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_end_cannot_be_recorded_does_not_end_cleanly() {
    if !has_prlimit() {
        return;
    }
    let proxy = on_a_small_disk().await;
    let (token, client) = (proxy.site.partai(), proxy.client());
    for form in Form::ALL {
        for h2 in [false, true] {
            let end = vec![chunk(format!("{}\n", form.tail())), last_chunk()];
            let begun = vec![chunked(form.media_type()), chunk(form.begun(3)), Step::Gate];
            proxy.source.answer([begun, end].concat());
            let asked = proxy.source.asked().len();
            let asking = async {
                if h2 {
                    client.get_h2(form.path(), &token).await
                } else {
                    client.get(form.path(), &token).await
                }
            };
            let filling = async {
                while proxy.source.asked().len() == asked {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                fill_disk(&proxy);
                proxy.source.open_gate();
            };
            let (reply, ()) = tokio::join!(asking, filling);
            assert_eq!((reply.status, reply.end), (200, End::Cut), "{form:?} h2 {h2}");
            let release = reply.header("release-id").unwrap();
            assert!(!is_closed(&proxy, release), "{form:?} h2 {h2}");
            let reply = client.raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            assert_eq!(reply.status, 401, "it goes on answering");
            limit_files(&proxy, "unlimited");
            await_recovery(&proxy, &token).await;
            // That the release was closed by the recovery, and once, is checked when the proxy goes.
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_else_holds_is_waited_for_and_then_refused() {
    let setup = Setup { ledger: "append_timeout_ms = 400", ..Setup::default() };
    let proxy = Proxy::start_with(setup).await;
    let (token, client, form) = (proxy.site.partai(), proxy.client(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let stranger = rusqlite::Connection::open(proxy.site.path("ledger/ledger.sqlite")).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..3 {
        let since = Instant::now();
        let reply = client.get(form.path(), &token).await;
        assert_eq!((reply.status, &*reply.code()), (503, "try_later"));
        assert!(since.elapsed() < Duration::from_secs(3), "waited {:?}", since.elapsed());
    }
    assert!(proxy.source.asked().is_empty());
    stranger.execute_batch("ROLLBACK").unwrap();
    drop(stranger);
    await_recovery(&proxy, &token).await;
}

/// Writing on into files that nobody can find any more would be no record.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_taken_away_while_it_runs_ends_the_releases() {
    let proxy = Proxy::start().await;
    let (token, client, form) = (proxy.site.partai(), proxy.client(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    assert_eq!(client.get(form.path(), &token).await.status, 200);
    let (there, away) = (proxy.site.ledger(), proxy.site.path("away"));
    fs::rename(&there, &away).unwrap();
    let reply = client.get(form.path(), &token).await;
    fs::rename(&away, &there).unwrap();
    assert_eq!((reply.status, &*reply.code()), (503, "try_later"));
    await_recovery(&proxy, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_entry_is_named_by_log_verify() {
    let mut proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    assert_eq!(proxy.client().get(form.path(), &token).await.status, 200);
    proxy.stop();
    let database = proxy.site.path("ledger/ledger.sqlite");
    let sound = fs::read(&database).unwrap();
    let changes = [
        (
            "a word of an entry",
            "UPDATE entry SET leaf = CAST(replace(leaf, 'saksi-7', 'saksi-8') AS BLOB) WHERE idx = 3",
        ),
        ("a card", "UPDATE entry SET party = 'pemilu-2024/8' WHERE idx = 3"),
        ("an entry taken out", "DELETE FROM entry WHERE idx = 3"),
    ];
    for (name, change) in changes {
        let stranger = rusqlite::Connection::open(&database).unwrap();
        // Whoever holds the file can drop its triggers.
        stranger.execute_batch("DROP TRIGGER entry_stays; DROP TRIGGER entry_remains").unwrap();
        assert_eq!(stranger.execute(change, []).unwrap(), 1, "{name}");
        stranger.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(stranger);
        let verified = proxy.site.run(&["log", "verify", "--dir", "ledger"]);
        assert_eq!(verified.status.code(), Some(1), "{name}: {}", shown(&verified));
        assert!(shown(&verified).contains("entry 3"), "{name}: {}", shown(&verified));
        fs::write(&database, &sound).unwrap();
    }
    proxy.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_ledger_is_refused_with_its_reason() {
    let proxy = Proxy::start().await;
    let second = proxy.site.run(&["serve", "--config", "salinan.toml"]);
    let said = shown(&second);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("another process has the ledger in"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_missing_ledger_is_refused_and_never_made_by_accident() {
    let site = Site::new();
    site.write_config(&Setup::default(), ([127, 0, 0, 1], 9).into());
    for file in ["ledger/ledger.sqlite", "ledger/ledger.anchor"] {
        let (there, away) = (site.path(file), site.path("away"));
        fs::rename(&there, &away).unwrap();
        let refused = site.run(&["serve", "--config", "salinan.toml"]);
        assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
        assert!(shown(&refused).contains("could not open the ledger"), "{}", shown(&refused));
        assert!(!there.exists(), "{file} was made by accident");
        fs::rename(&away, &there).unwrap();
    }
    fs::rename(site.path("ledger"), site.path("gone")).unwrap();
    let refused = site.run(&["serve", "--config", "salinan.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(shown(&refused).contains("salinan log init"), "{}", shown(&refused));
    assert!(!site.ledger().exists());
    fs::rename(site.path("gone"), site.path("ledger")).unwrap();
    site.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_ledger_put_back_is_refused() {
    let mut proxy = Proxy::start().await;
    proxy.stop();
    let (database, kept) = (proxy.site.path("ledger/ledger.sqlite"), proxy.site.path("kept"));
    fs::copy(&database, &kept).unwrap();
    proxy.start_again();
    let token = proxy.site.partai();
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    assert_eq!(proxy.client().get(form.path(), &token).await.status, 200);
    proxy.stop();
    let newest = fs::read(&database).unwrap();
    fs::copy(&kept, &database).unwrap();
    let refused = proxy.site.run(&["serve", "--config", "salinan.toml"]);
    assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
    assert!(shown(&refused).contains("older copy was put back"), "{}", shown(&refused));
    let verified = proxy.site.run(&["log", "verify", "--dir", "ledger"]);
    assert_eq!(verified.status.code(), Some(1), "{}", shown(&verified));
    fs::write(&database, newest).unwrap();
    proxy.start_again();
}

#[test]
fn serve_check_reports_every_problem_of_every_file_and_binds_nothing() {
    let site = Site::new();
    let config = r#"
[server]
listen = "nowhere"
certificate = "missing.pem"
key = "server-key.pem"
idle_timeout_ms = 0
speed = "fast"

[[identity.issuer]]
issuer = "https://issuer.example"
jwks = "policy.toml"

[policy]
paths = ["policy.toml"]

[source]
url = "https://user@dpt.example/path"

[ledger]
origin = "test.example/ledger"
directory = "nowhere"
key = "ledger/ledger-key.pem"
master_key = "server.pem"

[trace]
level = "loud"
"#;
    fs::write(site.path("salinan.toml"), config).unwrap();
    let policy = crate::support::fixture::POLICY
        .replace("nik = \"mask\"", "nik = \"keep\"")
        .replace("alamat = \"drop\"", "alamat = \"hide\"");
    fs::write(site.path("policy.toml"), policy).unwrap();
    let checked = run(&["serve", "--check", "--config", "salinan.toml"], site.folder.path());
    let said = shown(&checked);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    let expected = [
        ("salinan.toml:3:", "`listen` is not an address with a port"),
        ("salinan.toml:4:", "missing.pem"),
        ("salinan.toml:6:", "`idle_timeout_ms` is from 1 to 3600000"),
        ("salinan.toml:7:", "speed"),
        ("salinan.toml:", "audience"),
        ("salinan.toml:11:", "policy.toml cannot be used"),
        ("salinan.toml:17:", "`url` is not a scheme and a host alone"),
        ("salinan.toml:21:", "nowhere is not a folder"),
        ("salinan.toml:23:", "server.pem"),
        ("salinan.toml:26:", "loud"),
        ("policy.toml:", "nik"),
        ("policy.toml:", "hide"),
    ];
    for (place, word) in expected {
        assert!(said.contains(place), "no problem at {place}:\n{said}");
        assert!(said.contains(word), "nothing said of {word}:\n{said}");
    }
    assert!(said.matches("help:").count() >= 9, "a remedy for each:\n{said}");
    // Without --check: the same, nothing started, and the code of what could not run.
    let started = run(&["serve", "--config", "salinan.toml"], site.folder.path());
    assert_eq!(started.status.code(), Some(2));

    site.write_config(&Setup::default(), ([127, 0, 0, 1], 9).into());
    fs::write(site.path("policy.toml"), crate::support::fixture::POLICY).unwrap();
    let before = fs::read(site.path("ledger/ledger.sqlite")).unwrap();
    let checked = run(&["serve", "--check", "--config", "salinan.toml"], site.folder.path());
    assert!(checked.status.success(), "{}", shown(&checked));
    assert!(fs::read(site.path("ledger/ledger.sqlite")).unwrap() == before, "checking writes nothing");
}
