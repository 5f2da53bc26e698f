//! The ledger over HTTP in its public form, as one who has nothing else puts it together again.

use aws_lc_rs::digest::{SHA256, digest};
use salinan::ledger::Entry;

use crate::support::client::{Client, Reply};
use crate::support::proof::Key;
use crate::support::{Proxy, Setup};

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

/// RFC 6962, section 2.1, word for word, over hashes of leaves.
fn root(leaves: &[Vec<u8>]) -> Vec<u8> {
    match leaves {
        [] => hash(&[]),
        [one] => one.clone(),
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            hash(&[b"\x01", &root(left), &root(right)])
        }
    }
}

/// The path of each tile of a level that has so many hashes, in one row.
fn paths(level: &str, there: usize) -> Vec<String> {
    (0..there.div_ceil(256))
        .map(|index| match there - index * 256 {
            width @ 1..256 => format!("/tile/{level}/{index:03}.p/{width}"),
            _ => format!("/tile/{level}/{index:03}"),
        })
        .collect()
}

async fn get(client: &Client, path: &str, token: Option<&str>) -> Reply {
    let line = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    client.raw(format!("GET {path} HTTP/1.1\r\nhost: salinan.example\r\n{line}\r\n")).await.unwrap()
}

/// Lets the ledger grow by refusals to at least this size.
async fn grow(proxy: &Proxy, size: usize) {
    let (client, token) = (proxy.client(), proxy.site.partai());
    let (mut requests, _driver) = client.open_h2().await;
    while proxy.site.records().len() < size {
        for _ in 0..20 {
            let reply = client.ask_h2(&mut requests, "/dpt/9902.csv", Some(&token), &[]).await;
            assert_eq!(reply.status, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_ledger_is_put_together_again_from_its_tiles_and_each_read_of_entries_is_entered() {
    let proxy = Proxy::start_with(Setup { ledger: "public = \"anyone\"", ..Setup::default() }).await;
    grow(&proxy, 300).await;
    let (client, auditor) = (proxy.client(), proxy.site.of_role("auditor"));
    let note = get(&client, "/checkpoint", None).await;
    assert_eq!((note.status, note.header("cache-control")), (200, Some("no-store")));
    let vkey = proxy.site.run(&["log", "vkey", "--dir", "ledger"]);
    let key = Key::read(&String::from_utf8_lossy(&vkey.stdout)).unwrap();
    let (size, signed) = key.open(&note.text()).unwrap();
    let size = usize::try_from(size).unwrap();
    assert!(size >= 300);

    let mut levels = Vec::new();
    for (level, there) in [("0", size), ("1", size / 256)] {
        let mut hashes = Vec::new();
        for path in paths(level, there) {
            let reply = get(&client, &path, None).await;
            assert_eq!(
                (reply.status, reply.header("content-type")),
                (200, Some("application/octet-stream")),
                "{path}"
            );
            let is_full = !path.contains(".p/");
            let expected = if is_full { "public, max-age=31536000, immutable" } else { "no-store" };
            assert_eq!(reply.header("cache-control"), Some(expected), "{path}");
            hashes.extend(reply.body.chunks(32).map(<[u8]>::to_vec));
        }
        assert_eq!(hashes.len(), there);
        levels.push(hashes);
    }
    assert_eq!(root(&levels[0]), signed);
    assert_eq!(root(&levels[0][..256]), levels[1][0], "a tile's hash one level higher");

    let mut leaves = Vec::new();
    let tiles = paths("entries", size);
    for path in &tiles {
        let refused = get(&client, path, None).await;
        assert_eq!((refused.status, &*refused.code()), (401, "token_missing"), "{path}");
        let refused = get(&client, path, Some(&proxy.site.partai())).await;
        assert_eq!((refused.status, &*refused.code()), (404, "not_found"), "{path}");
        let reply = get(&client, path, Some(&auditor)).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{path}");
        let mut rest = &reply.body[..];
        while let Some((length, more)) = rest.split_first_chunk() {
            let (leaf, more) = more.split_at(u16::from_be_bytes(*length).into());
            leaves.push(hash(&[b"\0", leaf]));
            rest = more;
        }
    }
    assert_eq!(leaves, levels[0], "the entries are what the hashes are of");
    let reads: Vec<_> = proxy
        .site
        .records()
        .into_iter()
        .filter_map(|record| match record.entry {
            Entry::AuditRead(read) => Some((read.auditor, read.question, read.parameters[0].1.clone())),
            _ => None,
        })
        .collect();
    let expected: Vec<_> =
        tiles.iter().map(|path| ("auditor".to_owned(), "tile".to_owned(), path[1..].to_owned())).collect();
    assert_eq!(reads, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_form_is_for_those_whom_the_configuration_allows() {
    // Status for nobody, for a party, for an auditor.
    let cases = [
        ("", [401, 404, 200]),
        ("public = \"nobody\"", [401, 404, 200]),
        ("public = \"token\"", [401, 200, 200]),
        ("public = \"anyone\"", [200, 200, 200]),
    ];
    for (ledger, expected) in cases {
        let proxy = Proxy::start_with(Setup { ledger, ..Setup::default() }).await;
        let (client, party, auditor) = (proxy.client(), proxy.site.partai(), proxy.site.of_role("auditor"));
        let before = proxy.site.records().len();
        let missing = get(&client, "/tile/0/000", None).await;
        assert_eq!(missing.status, if ledger.contains("anyone") { 404 } else { 401 }, "{ledger}");
        if ledger.contains("anyone") {
            assert_eq!(
                proxy.site.records().len(),
                before,
                "what anyone asks for in vain does not grow the ledger"
            );
        }
        for (who, expected) in [None, Some(&*party), Some(&*auditor)].into_iter().zip(expected) {
            for path in ["/checkpoint", "/tile/0/000.p/1"] {
                assert_eq!(get(&client, path, who).await.status, expected, "{ledger}: {path}");
            }
        }
        // What is not there, or not called so, is not there for an auditor either.
        for path in [
            "/tile/0/000",
            "/tile/0/001.p/1",
            "/tile/1/000.p/1",
            "/tile/0/000.p/250",
            "/tile/0/0",
            "/tile/9/000",
            "/tile/entries/000",
            "/tile/entries/x001/000",
            "/tile/0/000.p/01",
            "/checkpoint?size=1",
            "/tile/0/000.p/1?x=1",
            "/tile",
            "/checkpoint/1",
        ] {
            let reply = get(&client, path, Some(&auditor)).await;
            assert_eq!((reply.status, &*reply.code()), (404, "not_found"), "{ledger}: {path}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{ledger}: {path}");
        }
        let token = format!("authorization: Bearer {auditor}");
        let reply =
            client.raw(format!("POST /checkpoint HTTP/1.1\r\nhost: a\r\n{token}\r\n\r\n")).await.unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")), "{ledger}");
    }
}
