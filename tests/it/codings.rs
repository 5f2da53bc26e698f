//! Copies that leave coded: only when the route and the request say so, row by row, and whole only at the clean end.

use std::io::Read;
use std::time::Duration;

use salinan::domain::Digest;
use salinan::ledger::Outcome;
use tokio::time::timeout;

use crate::source::HASTY;
use crate::support::Proxy;
use crate::support::client::{End, Reply};
use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];
const LIMIT: Duration = Duration::from_secs(20);

/// What can be read of a coded body, and whether it ends as a whole one does.
fn decoded(coding: &str, coded: &[u8]) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let is_whole = match coding {
        "gzip" => flate2::bufread::GzDecoder::new(coded).read_to_end(&mut text).is_ok(),
        "br" => brotli::Decompressor::new(coded, 4_096).read_to_end(&mut text).is_ok(),
        "zstd" => {
            let mut context = zstd_safe::DCtx::create();
            let (mut input, mut left, mut room) = (zstd_safe::InBuffer::around(coded), 1, vec![0; 1 << 20]);
            while input.pos() < coded.len() {
                let mut output = zstd_safe::OutBuffer::around(&mut room[..]);
                left = context.decompress_stream(&mut output, &mut input).expect("zstd");
                text.extend_from_slice(output.as_slice());
            }
            left == 0
        }
        other => panic!("the coding {other}"),
    };
    (text, is_whole)
}

/// The copy of a form, asked for with these headers over either protocol.
async fn fetch(proxy: &Proxy, path: &str, token: &str, accept: &str, h2: bool) -> Reply {
    let client = proxy.client();
    let reply = if h2 {
        let (mut requests, _driver) = client.open_h2().await;
        client.ask_h2(&mut requests, path, Some(token), &[("accept-encoding", accept)]).await
    } else {
        client.raw(request("GET", path, token, accept)).await.expect("an answer")
    };
    // The oracle hears what the requester reads, and not only what it got.
    if let Some(coding) = reply.header("content-encoding") {
        proxy.record.keep(&decoded(coding, &reply.body).0);
    }
    reply
}

fn request(method: &str, path: &str, token: &str, accept: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: salinan.example\r\nauthorization: Bearer {token}\r\naccept-encoding: {accept}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_leaves_in_every_coding_and_form_and_the_ledger_holds_what_it_decodes_to() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    for form in Form::ALL {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(300)));
        for coding in CODINGS {
            for h2 in [false, true] {
                let name = format!("{form:?} as {coding}, h2 {h2}");
                let reply = fetch(&proxy, form.path(), &token, coding, h2).await;
                assert_eq!((reply.status, reply.end), (200, End::Clean), "{name}: {}", reply.text());
                assert_eq!(reply.header("content-encoding"), Some(coding), "{name}");
                assert_eq!(reply.header("vary"), Some("accept-encoding"), "{name}");
                assert_eq!(
                    reply.header("content-type"),
                    Some(form.media_type())
                        .filter(|_| form != Form::Csv)
                        .or(Some("text/csv; charset=utf-8; header=present")),
                    "{name}"
                );
                let (text, is_whole) = decoded(coding, &reply.body);
                assert_eq!(
                    (String::from_utf8_lossy(&text), is_whole),
                    (form.released(300).into(), true),
                    "{name}"
                );
                assert!(reply.body.len() < text.len() / 4, "{name}: {} of {}", reply.body.len(), text.len());
                let closed = proxy.closing(reply.header("release-id").unwrap()).await;
                assert_eq!((closed.outcome, closed.rows_out), (Outcome::Complete, 300), "{name}");
                assert_eq!(
                    (closed.bytes, closed.body_sha256),
                    (text.len() as u64, Digest::of(&text)),
                    "{name}"
                );
                let coded = (closed.coding.as_deref(), closed.coded_bytes);
                assert_eq!(coded, (Some(coding), Some(reply.body.len() as u64)), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_leaves_as_it_is_unless_the_request_and_the_policy_say_otherwise() {
    let proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
    // What the request says, and the coding; the policy names zstd first.
    let cases = [
        ("", None),
        ("identity", None),
        ("deflate, compress", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("gzip; x", None),
        ("identity;q=0, deflate", None),
        ("*", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, br;q=0.9", Some("gzip")),
        ("identity;q=0, br", Some("br")),
    ];
    for (accept, coding) in cases {
        let reply = fetch(&proxy, form.path(), &token, accept, false).await;
        assert_eq!((reply.status, reply.header("content-encoding")), (200, coding), "{accept:?}");
        assert_eq!(reply.header("vary"), Some("accept-encoding"), "{accept:?}");
        let closed = proxy.closing(reply.header("release-id").unwrap()).await;
        assert_eq!(
            (closed.coding.as_deref(), closed.coded_bytes.is_some()),
            (coding, coding.is_some()),
            "{accept:?}"
        );
        if coding.is_none() {
            assert_eq!(reply.text(), form.released(3), "{accept:?}");
        }
    }
    let plain = proxy.client().get(form.path(), &token).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    // A route without the key codes nothing, whoever asks.
    let reply = fetch(&proxy, "/daftar?wilayah=9901", &token, "gzip, br, zstd", false).await;
    assert_eq!((reply.status, reply.header("content-encoding"), reply.header("vary")), (200, None, None));
    assert_eq!(reply.text(), form.released(3));
    // Refusals are short and for every reader.
    proxy.source.answer(stub::whole(form.media_type(), "nama\n"));
    for (path, status) in [("/dpt/9902.csv", 403), (form.path(), 502)] {
        let reply = fetch(&proxy, path, &token, "gzip", false).await;
        assert_eq!((reply.status, reply.header("content-encoding")), (status, None), "{path}");
        assert!(!reply.code().is_empty(), "{path}");
    }
    // The head alone says what the copy's would.
    let mut connection = proxy.client().open(request("HEAD", "/dpt/9901.ndjson", &token, "br")).await;
    let (status, headers) = connection.head().await.unwrap();
    let header = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    assert_eq!(
        (status, header("content-encoding"), header("vary")),
        (200, Some("br"), Some("accept-encoding"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_can_be_read_while_the_source_pauses_whatever_the_coding() {
    let proxy = Proxy::start().await;
    let (client, token) = (proxy.client(), proxy.site.partai());
    for form in Form::ALL {
        for coding in CODINGS {
            let name = format!("{form:?} as {coding}");
            let rest = (2..4)
                .map(|number| form.row(&format!("WARGA {number}"), crate::support::fixture::INSIDE, false));
            let script = vec![
                chunked(form.media_type()),
                chunk(form.begun(2)),
                Step::Gate,
                chunk(rest.collect::<String>() + form.tail()),
                last_chunk(),
            ];
            proxy.source.answer(script);
            let (mut requests, _driver) = client.open_h2().await;
            let request = http::Request::get(format!("https://{}{}", proxy.address, form.path()))
                .header("authorization", format!("Bearer {token}"))
                .header("accept-encoding", coding);
            let (response, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
            let mut body = timeout(LIMIT, response).await.expect("a head in time").unwrap().into_body();
            let mut coded = Vec::new();
            while decoded(coding, &coded).0 != form.released_begun(2).as_bytes() {
                let piece = timeout(LIMIT, body.data()).await.expect("rows before the source goes on");
                coded.extend_from_slice(&piece.expect("the copy goes on").unwrap());
            }
            assert!(!decoded(coding, &coded).1, "{name}: not whole yet");
            proxy.source.open_gate();
            while let Some(piece) = timeout(LIMIT, body.data()).await.expect("the rest in time") {
                coded.extend_from_slice(&piece.unwrap());
            }
            assert_eq!(decoded(coding, &coded), (form.released(4).into_bytes(), true), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_copy_that_breaks_off_has_no_valid_end() {
    let proxy = Proxy::start_with(HASTY).await;
    let token = proxy.site.partai();
    for form in Form::ALL {
        let begun =
            vec![chunked(form.media_type()), chunk(form.begun(5)), Step::Pause(Duration::from_millis(80))];
        // The source breaks off; and it ends in a record that is not whole.
        for rest in [vec![], vec![chunk("\"JL KENANGA"), last_chunk()]] {
            proxy.source.answer([begun.clone(), rest].concat());
            for coding in CODINGS {
                for h2 in [false, true] {
                    let name = format!("{form:?} as {coding}, h2 {h2}");
                    let reply = fetch(&proxy, form.path(), &token, coding, h2).await;
                    assert_eq!((reply.status, reply.end), (200, End::Cut), "{name}");
                    let (text, is_whole) = decoded(coding, &reply.body);
                    assert_eq!(String::from_utf8_lossy(&text), form.released_begun(5), "{name}");
                    assert!(!is_whole, "{name}: it must not end as if it were whole");
                    let closed = proxy.closing(reply.header("release-id").unwrap()).await;
                    assert_eq!((closed.outcome, closed.rows_out), (Outcome::Aborted, 5), "{name}");
                    assert_eq!(
                        (closed.bytes, closed.body_sha256),
                        (text.len() as u64, Digest::of(&text)),
                        "{name}"
                    );
                    assert_eq!(closed.coded_bytes, Some(reply.body.len() as u64), "{name}");
                }
            }
        }
    }
}
