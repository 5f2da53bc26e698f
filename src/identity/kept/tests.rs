//! Readings that change, fail and grow old, from files and from a server that does as each path says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What is read: one word.
fn word(bytes: &[u8]) -> Result<String, Box<dyn Error + Send + Sync>> {
    let text = std::str::from_utf8(bytes)?;
    if text.contains(' ') { Err("more than a word".into()) } else { Ok(text.to_owned()) }
}

fn kept(place: Place, timing: Timing) -> Arc<Kept<String>> {
    Kept::new(("word", "test"), place, None, word, timing)
}

fn said(kept: &Kept<String>) -> Option<String> {
    kept.current().map(|word| (*word).clone())
}

#[tokio::test(start_paused = true)]
async fn the_last_good_reading_is_in_force_until_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("word");
    let kept = kept(Place::File(path.clone()), Timing::default());
    let cases: [(&str, Option<&str>, u64, Option<&str>); 9] = [
        ("no file", None, 0, None),
        ("a file", Some("one"), 0, Some("one")),
        ("another", Some("two"), 3_000, Some("two")),
        ("the same", Some("two"), 1_000, Some("two")),
        ("a wrong one", Some("two words"), 2_000, Some("two")),
        ("none", None, 590, Some("two")),
        ("none for long", None, 20, None),
        ("as before", Some("two"), 0, Some("two")),
        ("too long", Some("x"), 0, Some("x")),
    ];
    for (name, text, later_s, expected) in cases {
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => drop(std::fs::remove_file(&path)),
        }
        let is_good = kept.read_again().await;
        tokio::time::advance(Duration::from_secs(later_s)).await;
        assert_eq!(said(&kept).as_deref(), expected, "{name}");
        assert_eq!(is_good, text.is_some_and(|text| !text.contains(' ')), "{name}");
    }
    std::fs::write(&path, "y".repeat(1_048_577)).unwrap();
    assert!(!kept.read_again().await);
    assert_eq!(said(&kept).as_deref(), Some("x"), "a file without end is not read");
}

/// Answers each request by its path, over TLS if there is a configuration; counts them.
async fn server(tls: Option<Arc<ServerConfig>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, counted) = (tls.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                match tls {
                    Some(tls) => {
                        if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                            answer(stream, &counted).await;
                        }
                    }
                    None => answer(stream, &counted).await,
                }
            });
        }
    });
    (address, asked)
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, counted: &AtomicUsize) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    counted.fetch_add(1, Ordering::SeqCst);
    let path = String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().to_owned();
    let (status, more, body) = match path.as_str() {
        "/good" => ("200 OK", "", "good".to_owned()),
        "/moved" => ("302 Found", "location: /good\r\n", String::new()),
        "/broken" => ("500 Internal Server Error", "", "good".to_owned()),
        "/wrong" => ("200 OK", "", "not good".to_owned()),
        "/long" => ("200 OK", "", "x".repeat(2_000)),
        _ => return std::future::pending().await,
    };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn place(url: &str, roots: Vec<CertificateDer<'static>>) -> Place {
    let caller = Caller::new(roots, Duration::from_millis(500), 1_000).unwrap();
    Place::Url { url: url.parse().unwrap(), caller: Box::new(caller) }
}

#[tokio::test]
async fn an_address_is_believed_only_by_its_own_root_and_its_own_whole_answer() {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        (params, key, certificate)
    };
    let (params, key, root) = authority("ours");
    let (.., stranger) = authority("another");
    let own = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&own, &Issuer::from_params(&params, &key)).unwrap();
    let secret = rustls_pki_types::PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    let (address, asked) = server(Some(Arc::new(tls))).await;
    let port = address.port();
    let cases = [
        ("/good", &root, "localhost", true),
        ("/good", &stranger, "localhost", false),
        ("/good", &root, "127.0.0.1", false),
        ("/moved", &root, "localhost", false),
        ("/broken", &root, "localhost", false),
        ("/wrong", &root, "localhost", false),
        ("/long", &root, "localhost", false),
        ("/slow", &root, "localhost", false),
    ];
    for (path, root, host, is_good) in cases {
        let url = format!("https://{host}:{port}{path}");
        let kept = kept(place(&url, vec![root.clone()]), Timing::default());
        let before = asked.load(Ordering::SeqCst);
        assert_eq!(kept.read_again().await, is_good, "{url}");
        assert_eq!(said(&kept), is_good.then(|| "good".to_owned()), "{url}");
        assert!(asked.load(Ordering::SeqCst) <= before + 1, "{url}: a redirect was followed");
    }
}

#[tokio::test]
async fn a_flood_of_wishes_asks_an_address_once_in_a_cool_down() {
    let (address, asked) = server(None).await;
    let cooldown = Duration::from_millis(250);
    let timing = Timing { cooldown, ..Timing::default() };
    let kept = kept(place(&format!("http://{address}/good"), Vec::new()), timing);
    let (stop, stopping) = watch::channel(false);
    assert!(kept.read_again().await);
    let from = Instant::now();
    let keeping = tokio::spawn(Arc::clone(&kept).keep(stopping));
    while from.elapsed() < cooldown * 4 {
        for _ in 0..1_000 {
            kept.want();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send(true).unwrap();
    keeping.await.unwrap();
    let most = 2 + from.elapsed().as_millis() / cooldown.as_millis();
    let times = asked.load(Ordering::SeqCst);
    assert!(times >= 2 && times as u128 <= most, "asked {times} times, and {most} were allowed");
}
