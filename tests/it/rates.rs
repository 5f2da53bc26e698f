//! What one address, one requester and one party may have at a time, each beside another that is not held back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use salinan::ledger::{Entry, Outcome};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::client::{End, Reply, get};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup};

async fn connect_from(own: [u8; 4], proxy: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((own, 0))).unwrap();
    socket.connect(proxy).await.unwrap()
}

/// Whether the other side closes long before the time that TLS may take is over.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0; 1];
    let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_connections_and_another_its_own() {
    let server = "address_connections_max = 3\nhandshake_timeout_ms = 60000";
    let proxy = Proxy::start_with(Setup { server, ..Setup::default() }).await;
    let (one, other) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect_from(one, proxy.address).await);
    }
    for _ in 0..20 {
        assert!(is_closed(&mut connect_from(one, proxy.address).await).await, "a fourth connection");
    }
    for _ in 0..3 {
        held.push(connect_from(other, proxy.address).await);
    }
    for stream in &mut held {
        assert!(!is_closed(stream).await, "within the limit");
    }
    assert!(is_closed(&mut connect_from(other, proxy.address).await).await, "a fourth of the other address");
    // Where one goes, there is a place again.
    held.remove(0);
    let until = Instant::now() + Duration::from_secs(5);
    while proxy.client().try_connect("http/1.1").await.is_err() {
        assert!(Instant::now() < until, "no place though one is free");
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let told: Vec<_> = proxy
        .traces()
        .into_iter()
        .filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with("closed at once")))
        .collect();
    let closed: u64 = told.iter().map(|line| line["connections"].as_u64().unwrap()).sum();
    assert!(closed >= 21, "{closed}");
    assert!(told.len() < 10, "{} lines for {closed} connections", told.len());
    assert!(told.iter().all(|line| !line.to_string().contains("127.0.0.")), "whose they were");
}

/// The fields of a refusal by a limit of this name, beside a wait that agrees with them.
fn check_fields(reply: &Reply, policy: &str) {
    assert_eq!(reply.header("ratelimit-policy"), Some(policy));
    let name = policy.split(';').next().unwrap();
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(reply.header("ratelimit"), Some(&*format!("{name};r=0;t={wait}")));
    assert!((1..=6).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_has_one_rate_for_all_its_tokens_beside_another_of_its_party() {
    let rates = "requester_per_second = 1\nrequester_burst = 3\nparty_per_second = 1\nparty_burst = 5";
    let proxy = Proxy::start_with(Setup { admission: Some(rates), ..Setup::default() }).await;
    let (client, form) = (proxy.client(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    let ask = async |subject: &str| {
        let mut claims = proxy.site.claims();
        subject.clone_into(&mut claims.sub);
        client.get(form.path(), &proxy.site.sign(&claims)).await
    };
    let since = Instant::now();
    let mut refused = 0;
    for at in 0..5 {
        let reply = ask("saksi-7").await;
        if reply.status == 429 {
            assert!(at >= 3, "request {at} is within the burst");
            assert_eq!(reply.code(), "too_many_requests");
            check_fields(&reply, "\"requester\";q=3;w=3");
            refused += 1;
        }
    }
    assert!(refused >= 1 || since.elapsed() > Duration::from_secs(1), "no rate held");
    // What was refused has taken nothing of the party's rate; that one holds for its requesters together.
    assert_eq!(ask("saksi-71").await.status, 200);
    let mut codes = Vec::new();
    for _ in 0..3 {
        let reply = ask("saksi-72").await;
        if reply.status == 429 {
            check_fields(&reply, "\"party\";q=5;w=5");
        }
        codes.push(reply.status);
    }
    assert!(codes.contains(&429) || since.elapsed() > Duration::from_secs(1), "{codes:?}");
    assert_eq!(client.get(form.path(), &proxy.site.other_party()).await.status, 200);
    assert!(proxy.refusals(1).await.iter().all(|code| code == "too_many_requests"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_of_an_address_says_which_limit_it_is() {
    let rates = "address_per_second = 1\naddress_burst = 1";
    let proxy = Proxy::start_with(Setup { admission: Some(rates), ..Setup::default() }).await;
    let ask = "GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n";
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let reply = proxy.client().raw(ask).await.unwrap();
        if reply.status == 429 {
            return check_fields(&reply, "\"address\";q=1;w=1");
        }
        assert_eq!((reply.status, reply.header("ratelimit")), (401, None));
        assert!(Instant::now() < until, "no rate held");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_has_so_many_copies_under_way_and_no_intent_for_one_more() {
    let rates = "party_copies_max = 2\naddress_burst = 1000\nrequester_burst = 1000\nparty_burst = 1000";
    let proxy = Proxy::start_with(Setup { admission: Some(rates), ..Setup::default() }).await;
    let (client, form) = (proxy.client(), Form::Ndjson);
    let slow = vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()];
    proxy.source.answer(slow);
    let (token, other) = (proxy.site.partai(), proxy.site.other_party());
    let mut running = Vec::new();
    for token in [&token, &token, &other] {
        let mut connection = client.open(get(form.path(), token)).await;
        assert_eq!(connection.head().await.unwrap().0, 200);
        running.push(connection);
    }
    let asked = proxy.source.asked().len();
    for h2 in [false, true] {
        let path = form.path();
        let reply = if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
        assert_eq!((reply.status, &*reply.code()), (429, "copies_exceeded"));
        assert_eq!(reply.header("release-id"), None);
        check_fields(&reply, "\"copies\";q=2;qu=\"concurrent-requests\"");
    }
    assert_eq!(proxy.source.asked().len(), asked);
    assert_eq!(proxy.refusals(2).await, ["copies_exceeded", "copies_exceeded"]);
    let opened = proxy.site.records().iter().filter(|one| matches!(one.entry, Entry::Intent(_))).count();
    assert_eq!(opened, 3, "a refused copy was opened");
    // One that its requester leaves is over once it is recorded; then there is a place.
    drop(running.remove(0));
    let until = Instant::now() + Duration::from_secs(5);
    let next = loop {
        let mut connection = client.open(get(form.path(), &token)).await;
        match connection.head().await.unwrap().0 {
            200 => break connection,
            status => assert!(status == 429 && Instant::now() < until, "{status}"),
        }
    };
    running.push(next);
    proxy.source.open_gate();
    for mut connection in running {
        assert!(connection.until(b"0\r\n\r\n").await);
    }
    // Who asks for one after the other is never in its own way.
    proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
    for _ in 0..10 {
        let replies = tokio::join!(client.get(form.path(), &token), client.get_h2(form.path(), &token));
        for reply in [replies.0, replies.1] {
            assert_eq!((reply.status, reply.end), (200, End::Clean));
            assert_eq!(proxy.closing(reply.header("release-id").unwrap()).await.outcome, Outcome::Complete);
        }
    }
    // A copy that fails before its first byte gives its place back too.
    proxy.source.answer(stub::whole("text/html", ""));
    for _ in 0..4 {
        assert_eq!(client.get(form.path(), &token).await.code(), "source_failed");
    }
}
