//! Copies that succeed: what leaves, in every form, over both protocols.

use salinan::domain::Digest;
use salinan::ledger::Outcome;

use crate::support::Proxy;
use crate::support::client::End;
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
