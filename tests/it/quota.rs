//! A policy's quota of rows, as a requester meets it and as the ledger holds it.

use std::fs;

use salinan::ledger::{Entry, Outcome};

use crate::support::Proxy;
use crate::support::client::End;
use crate::support::fixture::{self, Form};
use crate::support::stub;

/// Five rows a month for a party, four of them for one copy.
async fn with_quota() -> Proxy {
    let mut proxy = Proxy::start().await;
    proxy.stop();
    let rule = "role = \"partai\"\nlevel = \"kabkota\"\n";
    let quota = format!("{rule}quota = {{ rows = 5, period = \"month\", copy = 4 }}\n");
    fs::write(proxy.site.path("policy.toml"), fixture::POLICY.replace(rule, &quota)).unwrap();
    proxy.start_again();
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_takes_its_rows_and_no_more_also_after_a_restart() {
    let mut proxy = with_quota().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    // Rows of the source, what was left before, and whether the copy is whole.
    for (rows, left, is_whole) in [(3, 5, true), (3, 2, false), (2, 2, true)] {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(rows)));
        let reply = proxy.client().get(form.path(), &token).await;
        assert_eq!(reply.status, 200, "{rows}: {}", reply.text());
        let policy = reply.header("ratelimit-policy").unwrap();
        assert!(policy.starts_with("\"rows\";q=5;qu=\"rows\";w=2"), "{policy}");
        let said = reply.header("ratelimit").unwrap();
        assert!(said.starts_with(&format!("\"rows\";r={left};t=")), "{rows}: {said}");
        let closed = proxy.closing(reply.header("release-id").unwrap()).await;
        if is_whole {
            assert_eq!((reply.end, reply.text()), (End::Clean, form.released(rows)));
            assert_eq!((closed.outcome, closed.rows_out), (Outcome::Complete, rows as u64));
        } else {
            // Nothing of the piece with a row too many has left.
            assert_eq!((reply.end, &*reply.text()), (End::Cut, ""));
            assert_eq!((closed.outcome, closed.rows_out), (Outcome::Aborted, 0));
            assert_eq!(closed.cause.as_deref(), Some("quota_exceeded"));
        }
        proxy.stop();
        proxy.start_again();
    }
    let client = proxy.client();
    let asked = proxy.source.asked().len();
    for h2 in [false, true] {
        let path = form.path();
        let reply = if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
        assert_eq!((reply.status, &*reply.code()), (429, "quota_exceeded"));
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() <= 31 * 24 * 3_600 + 1);
        assert!(reply.header("ratelimit").unwrap().starts_with("\"rows\";r=0;t="));
        assert!(reply.header("ratelimit-policy").is_some() && reply.header("release-id").is_none());
    }
    assert_eq!(proxy.source.asked().len(), asked, "the source was asked for what is not handed over");
    assert_eq!(proxy.refusals(2).await, ["quota_exceeded", "quota_exceeded"]);
    // Another party has rows of its own, and a role without a quota has no field that speaks of one.
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    assert_eq!(client.get(form.path(), &proxy.site.other_party()).await.status, 200);
    let mut claims = proxy.site.claims();
    (claims.role, claims.party) = ("bawaslu".parse().unwrap(), None);
    let reply = client.get(form.path(), &proxy.site.sign(&claims)).await;
    assert_eq!((reply.status, reply.header("ratelimit-policy")), (200, None));
    let kept: Vec<_> = proxy
        .site
        .records()
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Intent(intent) => Some(intent.quota.map(|quota| (quota.taken, quota.reserved))),
            _ => None,
        })
        .collect();
    assert_eq!(kept, [Some((0, 4)), Some((3, 2)), Some((3, 2)), Some((0, 4)), None]);
}
