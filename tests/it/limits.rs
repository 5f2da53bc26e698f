//! Limits, each reached on purpose: rates, connections, waits, and the end of the process.

use std::time::{Duration, Instant};

use salinan::ledger::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{End, get};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let rates = "address_per_second = 1\naddress_burst = 5\nparty_per_second = 1000\nparty_burst = 1000";
    let proxy = Proxy::start_with(Setup { admission: Some(rates), ..Setup::default() }).await;
    let client = proxy.client();
    let ask = "GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut codes = Vec::new();
    for _ in 0..8 {
        let reply = client.raw(ask).await.unwrap();
        if reply.status == 429 {
            let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=5).contains(&wait), "{wait}");
        }
        codes.push(reply.code());
    }
    let (known, refused) = codes.split_at(5);
    assert!(known.iter().all(|code| code == "token_missing"), "{codes:?}");
    assert!(refused.iter().filter(|code| *code == "too_many_requests").count() >= 2, "{codes:?}");
    // A flood of one address does not grow the ledger.
    let entered = proxy.refusals(5).await;
    assert!(entered.iter().all(|code| code == "token_missing"), "{entered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_has_one_rate_for_all_its_tokens_and_another_party_its_own() {
    let rates = "address_per_second = 1000\naddress_burst = 1000\nparty_per_second = 1\nparty_burst = 3";
    let proxy = Proxy::start_with(Setup { admission: Some(rates), ..Setup::default() }).await;
    let (client, form) = (proxy.client(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    let mut statuses = Vec::new();
    for at in 0..6 {
        let reply = client.get(form.path(), &proxy.site.partai()).await;
        statuses.push(reply.status);
        assert!(reply.status == 200 || reply.code() == "too_many_requests", "request {at}");
    }
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    assert_eq!(client.get(form.path(), &proxy.site.other_party()).await.status, 200);
    // This one is known, so it is entered.
    assert!(proxy.refusals(1).await.iter().all(|code| code == "too_many_requests"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_limit_wait_until_one_goes() {
    let proxy = Proxy::start_with(Setup { server: "connections_max = 2", ..Setup::default() }).await;
    let client = proxy.client();
    let (first, second) = (client.connect("http/1.1").await, client.connect("h2").await);
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!third.is_finished(), "a third connection was served beside two");
    drop(first);
    assert_eq!(third.await.unwrap().unwrap().status, 401);
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_at_every_stage() {
    let server = "handshake_timeout_ms = 300\nhead_timeout_ms = 300\nidle_timeout_ms = 500";
    let proxy = Proxy::start_with(Setup { server, ..Setup::default() }).await;
    let (limit, slack) = (Duration::from_secs(5), Duration::from_millis(200));
    let closes = async |mut stream: TcpStream| {
        let mut rest = Vec::new();
        tokio::time::timeout(limit, stream.read_to_end(&mut rest)).await.is_ok()
    };

    let since = Instant::now();
    let silent = TcpStream::connect(proxy.address).await.unwrap();
    assert!(closes(silent).await, "no TLS at all");
    assert!(since.elapsed() >= slack);

    let mut half = TcpStream::connect(proxy.address).await.unwrap();
    half.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    assert!(closes(half).await, "half a hello");

    let mut plain = TcpStream::connect(proxy.address).await.unwrap();
    plain.write_all(b"GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(closes(plain).await, "no TLS but HTTP");

    let client = proxy.client();
    for (name, bytes) in [
        ("nothing after TLS", ""),
        ("half a head", "GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\nauth"),
        ("nothing after an answer", "GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n"),
    ] {
        let mut connection = client.open(bytes).await;
        let since = Instant::now();
        assert!(connection.is_closed_within(limit).await, "{name}");
        assert!(since.elapsed() >= slack, "{name}: closed at once");
    }
    // HTTP/2 without a request.
    let (requests, driver) = client.open_h2().await;
    assert!(tokio::time::timeout(limit, driver).await.is_ok(), "HTTP/2 without a request");
    drop(requests);

    // A slow copy is no idle connection.
    let form = Form::Ndjson;
    let pause = Step::Pause(Duration::from_millis(700));
    proxy.source.answer(vec![
        chunked(form.media_type()),
        chunk(form.begun(2)),
        pause.clone(),
        pause,
        last_chunk(),
    ]);
    for h2 in [false, true] {
        let token = proxy.site.partai();
        let reply =
            if h2 { client.get_h2(form.path(), &token).await } else { client.get(form.path(), &token).await };
        assert_eq!((reply.status, reply.end), (200, End::Clean), "h2 {h2}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_lets_copies_end_takes_no_more_and_exits_0() {
    for name in ["TERM", "INT"] {
        let mut proxy = Proxy::start().await;
        let (token, form) = (proxy.site.partai(), Form::Ndjson);
        proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()]);
        let client = proxy.client();
        let running = [false, true].map(|h2| {
            let (client, token) = (client.clone(), token.clone());
            tokio::spawn(async move {
                if h2 {
                    client.get_h2(form.path(), &token).await
                } else {
                    client.get(form.path(), &token).await
                }
            })
        });
        let until = Instant::now() + Duration::from_secs(10);
        while proxy.source.asked().len() < 2 {
            assert!(Instant::now() < until, "both copies begin");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.signal(name);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(client.try_connect("http/1.1").await.is_err(), "a new connection while draining");
        proxy.source.open_gate();
        for copy in running {
            let reply = copy.await.unwrap();
            assert_eq!((reply.status, reply.end, reply.text()), (200, End::Clean, form.released(2)));
        }
        let status = proxy.ended(Duration::from_secs(10));
        assert!(status.is_some_and(|status| status.success()), "{name}: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_outlives_the_drain_is_cut_off_visibly_and_recorded() {
    let mut proxy = Proxy::start_with(Setup { server: "drain_timeout_ms = 300", ..Setup::default() }).await;
    let (token, form) = (proxy.site.partai(), Form::Ndjson);
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()]);
    let mut connection = proxy.client().open(get(form.path(), &token)).await;
    let (status, headers) = connection.head().await.unwrap();
    assert_eq!(status, 200);
    let since = Instant::now();
    proxy.signal("TERM");
    assert!(!connection.until(b"0\r\n\r\n").await, "a cut copy ended as if it were whole");
    let status = proxy.ended(Duration::from_secs(10));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    assert!(since.elapsed() < Duration::from_secs(5));
    let release = headers.iter().find(|(name, _)| name == "release-id").unwrap().1.clone();
    let closed = proxy.closing(&release).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("server_stopped")));
    proxy.source.open_gate();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_the_source_past_the_limit_wait_and_then_give_up() {
    let setup = Setup { source: "requests_max = 1\nhead_timeout_ms = 500", ..Setup::default() };
    let proxy = Proxy::start_with(setup).await;
    let (token, form, client) = (proxy.site.partai(), Form::Ndjson, proxy.client());
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()]);
    let mut first = client.open(get(form.path(), &token)).await;
    assert_eq!(first.head().await.unwrap().0, 200);
    let second = client.get(form.path(), &token).await;
    assert!([503, 504].contains(&second.status), "{}", second.status);
    assert_eq!(proxy.closing(second.header("release-id").unwrap()).await.outcome, Outcome::Failed);
    proxy.source.open_gate();
    assert!(first.until(b"\r\n0\r\n\r\n").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_copies_at_once_each_get_their_own() {
    let proxy = Proxy::start().await;
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(200)));
    let (partai, bawaslu) = (proxy.site.partai(), proxy.site.of_role("bawaslu"));
    let client = proxy.client();
    let copies: Vec<_> = (0..40)
        .map(|at| {
            let (client, is_party) = (client.clone(), at % 2 == 0);
            let token = if is_party { partai.clone() } else { bawaslu.clone() };
            tokio::spawn(async move {
                let reply = if at % 4 < 2 {
                    client.get(form.path(), &token).await
                } else {
                    client.get_h2(form.path(), &token).await
                };
                (is_party, reply)
            })
        })
        .collect();
    let mut releases = std::collections::HashSet::new();
    for copy in copies {
        let (is_party, reply) = copy.await.unwrap();
        assert_eq!((reply.status, reply.end), (200, End::Clean));
        assert_eq!(reply.text() == form.released(200), is_party, "whose copy it is");
        assert!(releases.insert(reply.header("release-id").unwrap().to_owned()), "two copies of one number");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_1_2_or_1_3_and_nothing_older_or_unencrypted() {
    let proxy = Proxy::start().await;
    let client = proxy.client();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let stream = client.connect_with(versions, "http/1.1").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(versions[0].version));
    }
    assert!(client.try_connect("http/1.0").await.is_err(), "a protocol that is not offered");
    // A hello of TLS 1.1 with one cipher suite, and nothing of 1.2 or 1.3 in it.
    let mut hello = vec![0x16, 3, 1, 0, 0x2D, 1, 0, 0, 0x29, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xC0, 0x13, 1, 0]);
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer.first(), Some(&0x15), "an alert and nothing else");
}
