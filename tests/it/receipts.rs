//! What every answer of a release bears, the digest after a copy, and receipts as files: fetched, checked without the
//! server, acknowledged.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use salinan::domain::Digest;

use crate::support::Proxy;
use crate::support::client::{End, Reply, get};
use crate::support::fixture::Form;
use crate::support::stub::{self, chunk, chunked};

fn field(digest: &Digest) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(digest.0))
}

/// The answer names its release, its policy and its receipt.
fn check_named(reply: &Reply, what: &str) -> String {
    let release = reply.header("release-id").unwrap_or_else(|| panic!("{what}: no release-id")).to_owned();
    let link = format!("</receipts/{release}>; rel=\"receipt describedby\"");
    assert_eq!(reply.header("link"), Some(&*link), "{what}");
    let digest = reply.header("policy-digest").and_then(|text| text.strip_prefix("sha-256="));
    assert!(digest.is_some_and(|digest| digest.parse::<Digest>().is_ok()), "{what}: no policy-digest");
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_followed_by_its_digest_where_the_requester_reads_that_far() {
    let proxy = Proxy::start().await;
    let (client, token) = (proxy.client(), proxy.site.partai());
    for (form, accept) in [(Form::Csv, ""), (Form::Json, ""), (Form::Csv, "gzip"), (Form::Ndjson, "zstd")] {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(300)));
        let name = format!("{form:?} {accept}");
        let line = if accept.is_empty() { String::new() } else { format!("accept-encoding: {accept}\r\n") };
        let request = |te: &str| get(form.path(), &token).replace("\r\n\r\n", &format!("\r\n{te}{line}\r\n"));
        let reply = client.raw(request("")).await.unwrap();
        assert_eq!((reply.status, reply.end, reply.header("trailer")), (200, End::Clean, None), "{name}");
        assert!(reply.trailers.is_empty(), "{name}: nobody asked for trailers");

        let over_h2 = async {
            let (mut requests, _driver) = client.open_h2().await;
            let headers = [("accept-encoding", accept)];
            let headers = if accept.is_empty() { &headers[..0] } else { &headers[..] };
            client.ask_h2(&mut requests, form.path(), Some(&token), headers).await
        };
        for reply in [client.raw(request("te: trailers\r\n")).await.unwrap(), over_h2.await] {
            assert_eq!((reply.status, reply.end), (200, End::Clean), "{name}");
            let release = check_named(&reply, &name);
            let closed = proxy.closing(&release).await;
            let mut expected = vec![("content-digest".to_owned(), field(&Digest::of(&reply.body)))];
            if accept.is_empty() {
                assert_eq!(closed.body_sha256, Digest::of(&reply.body), "{name}");
            } else {
                expected.push(("unencoded-digest".to_owned(), field(&closed.body_sha256)));
            }
            assert_eq!(reply.trailers, expected, "{name}");
            let announced: Vec<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(reply.header("trailer"), Some(&*announced.join(", ")), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_or_breaks_off_is_named_too_and_has_no_digest() {
    let proxy = Proxy::start().await;
    let (client, token, form) = (proxy.client(), proxy.site.partai(), Form::Csv);
    for h2 in [false, true] {
        proxy.source.answer(stub::whole("text/html", "<p>"));
        let ask = async || {
            if h2 {
                client.get_h2(form.path(), &token).await
            } else {
                client
                    .raw(get(form.path(), &token).replace("\r\n\r\n", "\r\nte: trailers\r\n\r\n"))
                    .await
                    .unwrap()
            }
        };
        let failed = ask().await;
        assert_eq!((failed.status, &*failed.code()), (502, "source_failed"));
        let release = check_named(&failed, "failed");
        let receipt = client.get(&format!("/receipts/{release}"), &token).await;
        assert_eq!(receipt.status, 200, "a failed release has a receipt");

        proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(3))]);
        let cut = ask().await;
        assert_eq!((cut.status, cut.end), (200, End::Cut));
        check_named(&cut, "cut off");
        assert!(cut.trailers.is_empty(), "a copy cut off has no digest");

        let refused = client.get("/dpt/9902.csv", &token).await;
        assert_eq!(refused.status, 403);
        assert_eq!((refused.header("link"), refused.header("release-id")), (None, None));
    }
}
