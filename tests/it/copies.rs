//! Copies that succeed: what leaves, in every form, over both protocols.

use salinan::domain::Digest;
use salinan::ledger::{Entry, Outcome};

use crate::support::Proxy;
use crate::support::client::{End, get};
use crate::support::fixture::{Form, changed};
use crate::support::stub;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_leaves_masked_in_every_form_over_both_protocols_and_is_recorded() {
    let proxy = Proxy::start().await;
    let (client, token) = (proxy.client(), proxy.site.partai());
    for form in Form::ALL {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
        for h2 in [false, true] {
            let reply = if h2 {
                client.get_h2(form.path(), &token).await
            } else {
                client.get(form.path(), &token).await
            };
            assert_eq!((reply.status, reply.end), (200, End::Clean), "{form:?}");
            assert_eq!(reply.text(), form.released(3), "{form:?}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{form:?}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{form:?}");
            let closed = proxy.closing(reply.header("release-id").unwrap()).await;
            assert_eq!(closed.outcome, Outcome::Complete, "{form:?}");
            assert_eq!((closed.rows_in, closed.rows_out), (3, 3), "{form:?}");
            assert_eq!(closed.fields, changed(3), "{form:?}");
            assert_eq!(closed.bytes, reply.body.len() as u64, "{form:?}");
            assert_eq!(closed.body_sha256, Digest::of(&reply.body), "{form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_commas_and_tabs_answers_in_the_kind_that_came() {
    let proxy = Proxy::start().await;
    let (client, token, path) = (proxy.client(), proxy.site.partai(), "/dpt-tabel/9901");
    let tabs = |text: String| text.replace(',', "\t");
    let commas = |text: String| text;
    let cases: [(&str, &str, fn(String) -> String); 2] =
        [("text/csv", "csv", commas), ("Text/Tab-Separated-Values; charset=utf-8", "tsv", tabs)];
    for (media_type, ending, cells) in cases {
        proxy.source.answer(stub::whole(media_type, cells(Form::Csv.whole(3))));
        let reply = client.get(path, &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean), "{media_type}: {}", reply.text());
        assert_eq!(reply.text(), cells(Form::Csv.released(3)), "{media_type}");
        let called = reply.header("content-type").unwrap();
        assert!(
            called
                .starts_with(&media_type.to_lowercase()[..media_type.find(';').unwrap_or(media_type.len())]),
            "{called}"
        );
        let disposition = reply.header("content-disposition").unwrap();
        assert!(disposition.ends_with(&format!(".{ending}\"")), "{disposition}");
        let release = reply.header("release-id").unwrap();
        assert_eq!(proxy.closing(release).await.media_type.as_deref(), Some(called));
        let intent = proxy.site.records().into_iter().rev().find_map(|record| match record.entry {
            Entry::Intent(intent) => Some(intent),
            _ => None,
        });
        assert_eq!(intent.unwrap().media_type, None, "nobody knew before the source answered");
    }
    let mut connection = client.open(get(path, &token).replacen("GET", "HEAD", 1)).await;
    let (status, headers) = connection.head().await.unwrap();
    let told = headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("content-"));
    assert_eq!((status, told.collect::<Vec<_>>()), (200, vec![]), "what only the source can say is left out");
    // The name decides and not the bytes.
    proxy.source.answer(stub::whole("text/tab-separated-values", Form::Csv.whole(3)));
    let reply = client.get(path, &token).await;
    assert_eq!((reply.status, &*reply.code()), (502, "source_failed"));
    let closed = proxy.closing(reply.header("release-id").unwrap()).await;
    assert_eq!((closed.cause.as_deref(), closed.media_type), (Some("no_known_column"), None));
}
