//! The ledger as seen from outside: order, a full disk, a second process, a ledger that is missing.

use std::fs;
use std::time::Duration;

use salinan::domain::Digest;
use salinan::ledger::{Entry, Outcome};

use crate::support::client::{End, get};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup, Site, run, shown};

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

/// A limit on the size of files, in blocks of 512 bytes, stands in for a full disk.
fn full_at(bytes: u64) -> Setup {
    let before = Some(format!("trap '' XFSZ; ulimit -f {}", bytes.div_ceil(512)));
    Setup { ledger: "append_timeout_ms = 1000", before, ..Setup::default() }
}

/// Size of the write-ahead log, which is what grows.
fn log_bytes(site: &Site) -> u64 {
    fs::metadata(site.path("ledger/ledger.sqlite-wal")).map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_disk_nothing_is_released_and_the_source_is_not_asked() {
    let proxy = Proxy::start_with(full_at(300_000)).await;
    let token = proxy.site.partai();
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let client = proxy.client();
    let mut whole = 0;
    let refused = loop {
        let reply = client.get(form.path(), &token).await;
        match (reply.status, reply.end) {
            (200, End::Clean) => whole += 1,
            // Full between the intent and the completion.
            (200, End::Cut) => {}
            _ => break reply,
        }
        assert!(whole < 2_000, "the disk never became full");
    };
    assert!(whole > 3, "{whole} copies before the disk was full");
    assert_eq!((refused.status, &*refused.code()), (503, "try_later"));
    assert!(refused.header("retry-after").is_some());
    let asked = proxy.source.asked().len();
    for path in ["/dpt/9901.csv", "/dpt/9901.ndjson", "/dpt/9901.json"] {
        let reply = client.get_h2(path, &token).await;
        assert_eq!((reply.status, &*reply.code()), (503, "try_later"), "{path}");
    }
    assert_eq!(proxy.source.asked().len(), asked, "the source was asked without a record");
    // It still answers those whom it would refuse anyway.
    let reply = client.raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!((reply.status, &*reply.code()), (401, "token_missing"));
    let reply = client.get("/dpt/9902.csv", &token).await;
    assert_eq!((reply.status, &*reply.code()), (403, "area_not_allowed"));
    finish_on_a_larger_disk(proxy, token).await;
}

/// With room again, what was left open is closed and everything works.
async fn finish_on_a_larger_disk(mut proxy: Proxy, token: String) {
    assert!(proxy.stop().is_some_and(|status| status.success()), "it ends in order on a full disk");
    proxy.set_before(None);
    proxy.start_again();
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let reply = proxy.client().get(form.path(), &token).await;
    assert_eq!((reply.status, reply.end, reply.text()), (200, End::Clean, form.released(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_end_cannot_be_recorded_does_not_end_cleanly() {
    let mut proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let form = Form::Ndjson;
    // Find out how much room one copy takes before its end, then leave just that.
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(3)), Step::Gate, last_chunk()]);
    for h2 in [false, true] {
        let mut cut = 0;
        // A page more or less decides it, so several limits are tried.
        for room in 1..=12 {
            proxy.stop();
            let used = log_bytes(&proxy.site);
            proxy.set_before(None);
            proxy.start_again();
            let started = log_bytes(&proxy.site).max(used);
            proxy.stop();
            proxy.set_before(full_at(started.max(200_000) + room * 4_096).before);
            proxy.start_again();
            proxy.source.answer(vec![
                chunked(form.media_type()),
                chunk(form.begun(3)),
                Step::Gate,
                last_chunk(),
            ]);
            let client = proxy.client();
            let before = proxy.site.records().len();
            // Fill the log up to its limit with refusals, leaving room for what is being tried.
            let limit = (started.max(200_000) + room * 4_096).div_ceil(512) * 512;
            while log_bytes(&proxy.site) + 26_000 + room * 2_000 < limit {
                client.get("/dpt/9902.csv", &token).await;
            }
            let source = &proxy.source;
            let asking = async {
                if h2 {
                    client.get_h2(form.path(), &token).await
                } else {
                    client.get(form.path(), &token).await
                }
            };
            let opening = async {
                tokio::time::sleep(Duration::from_millis(150)).await;
                // More entries, so that the end finds the disk full.
                for _ in 0..60 {
                    client.raw("GET /dpt/9902.csv HTTP/1.1\r\nhost: a\r\n\r\n").await;
                }
                source.open_gate();
            };
            let (reply, ()) = tokio::join!(asking, opening);
            assert!(proxy.site.records().len() >= before);
            match (reply.status, reply.end) {
                (200, End::Cut) => {
                    cut += 1;
                    assert!(!is_closed(&proxy, reply.header("release-id").unwrap()));
                }
                (200, End::Clean) => {
                    let closed = proxy.closing(reply.header("release-id").unwrap()).await;
                    assert_eq!(closed.body_sha256, Digest::of(&reply.body));
                    assert_eq!(closed.outcome, Outcome::Complete);
                }
                (503, End::Clean) => assert_eq!(reply.code(), "try_later"),
                other => panic!("{other:?}"),
            }
            let reply = client.raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            assert_eq!(reply.status, 401, "it goes on answering");
            if cut > 0 {
                break;
            }
        }
        assert!(cut > 0, "no limit hit a copy between its intent and its completion, h2 {h2}");
    }
    finish_on_a_larger_disk(proxy, token).await;
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

[identity]
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
