//! What every answer of a release bears, the digest after a copy, and receipts as files: fetched, checked without the
//! server, acknowledged.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use salinan::domain::Digest;
use salinan::ledger::Entry;

use crate::support::client::{End, Reply, get};
use crate::support::fixture::Form;
use crate::support::proof::{Key, verify};
use crate::support::stub::{self, Step, chunk, chunked};
use crate::support::{Proxy, shown};

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

/// A copy that was fetched, with all that its holder needs to use its receipt.
struct Fetched {
    proxy: Proxy,
    release: String,
    vkey: String,
}

impl Fetched {
    async fn new() -> Self {
        let proxy = Proxy::start().await;
        let (site, form) = (&proxy.site, Form::Csv);
        let token = site.partai();
        proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
        let reply = proxy.client().get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean));
        fs::write(site.path("copy.csv"), &reply.body).unwrap();
        fs::write(site.path("other.csv"), Form::Csv.released(4)).unwrap();
        fs::write(site.path("token"), format!("{token}\n")).unwrap();
        fs::write(site.path("stranger"), site.other_party()).unwrap();
        fs::write(site.path("auditor"), site.of_role("auditor")).unwrap();
        fs::write(site.path("ca.pem"), &site.ca_pem).unwrap();
        let vkey = site.run(&["log", "vkey", "--dir", "ledger"]);
        let vkey = String::from_utf8(vkey.stdout).unwrap().trim().to_owned();
        let release = reply.header("release-id").unwrap().to_owned();
        Self { proxy, release, vkey }
    }

    /// Runs `receipt` with these words; exit code and all that it said.
    fn run(&self, words: &str) -> (i32, String) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.proxy.site.run(&[&["receipt"], &words[..]].concat());
        (output.status.code().unwrap(), shown(&output))
    }

    fn remote(&self, who: &str) -> String {
        format!("https://{}/receipts/{} --token {who} --ca ca.pem", self.proxy.address, self.release)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_fetched_by_its_recipient_and_says_in_words_what_it_proves() {
    let fetched = Fetched::new().await;
    let run = |words: &str| fetched.run(words);
    for who in ["token", "auditor"] {
        let (code, said) = run(&format!("get {} --out receipt.json", fetched.remote(who)));
        assert_eq!(code, 0, "{who}: {said}");
    }
    let reads: Vec<_> = fetched
        .proxy
        .site
        .records()
        .into_iter()
        .filter_map(|record| match record.entry {
            Entry::AuditRead(read) => Some((read.auditor, read.question, read.parameters, read.entries)),
            _ => None,
        })
        .collect();
    let parameters = vec![("release".to_owned(), fetched.release.clone())];
    assert_eq!(
        reads,
        [("auditor".to_owned(), "receipt".to_owned(), parameters, 2)],
        "the auditor's read alone"
    );
    let (code, said) = run(&format!("get {} --out none.json", fetched.remote("stranger")));
    assert_eq!((code, said.contains("404 (not_found)")), (2, true), "{said}");
    assert!(!fetched.proxy.site.path("none.json").exists());

    let vkey = &fetched.vkey;
    let (code, said) = run(&format!("verify receipt.json --body copy.csv --vkey {vkey}"));
    assert_eq!(code, 0, "{said}");
    for part in [
        "is sound",
        "saksi-7",
        "party pemilu-2024/7",
        "area 9901",
        "nik (mask(0,0))",
        "3 rows",
        "byte for byte. Its rows, counted, are 3 as recorded",
        "That the copy arrived",
        "That nobody was shown another ledger",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("Whose ledger it is"), "{said}");
    let (code, said) = run("verify receipt.json");
    assert_eq!(code, 0, "{said}");
    for part in ["Whose ledger it is", "warning: the key was taken", "That the file you hold is this copy"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, said) = run(&format!("verify receipt.json --body other.csv --vkey {vkey}"));
    assert_eq!((code, said.contains("It is NOT what was recorded: it differs")), (1, true), "{said}");

    // Acknowledged wrongly, then rightly; the next receipt says both.
    let (code, said) = run(&format!("ack {} --body other.csv", fetched.remote("token")));
    assert_eq!((code, said.contains("no match")), (1, true), "{said}");
    let (code, said) = run(&format!("ack {} --body copy.csv --format json", fetched.remote("token")));
    assert_eq!((code, said.contains("\"match\":true")), (0, true), "{said}");
    let (code, said) = run(&format!("ack {} --body copy.csv", fetched.remote("auditor")));
    assert_eq!((code, said.contains("404 (not_found)")), (2, true), "{said}");
    let (code, said) = run(&format!("get {} --out receipt.json", fetched.remote("token")));
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&format!("verify receipt.json --vkey {vkey} --format json"));
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("that is NOT what was recorded") && said.contains("that is what was recorded"),
        "{said}"
    );
    assert!(!said.contains("That the copy arrived"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_changed_proves_nothing_and_what_is_none_cannot_be_checked() {
    let fetched = Fetched::new().await;
    let site = &fetched.proxy.site;
    assert_eq!(fetched.run(&format!("get {} --out receipt.json", fetched.remote("token"))).0, 0);
    let text = fs::read_to_string(site.path("receipt.json")).unwrap();
    let size = text.split("\\n").nth(1).unwrap().to_owned();
    let other_key = fetched.vkey.rsplit_once('+').unwrap().0;
    let cases = [
        ("another area", text.replace("\\\"wilayah\\\":\\\"9901\\\"", "\\\"wilayah\\\":\\\"9902\\\""), 1),
        ("more rows", text.replace("\\\"rows_out\\\":3", "\\\"rows_out\\\":9"), 1),
        ("another size", text.replace(&format!("\\n{size}\\n"), "\\n99\\n"), 1),
        (
            "a release of another name",
            text.replacen(&fetched.release, "01991a2b-0000-7000-8000-000000000000", 1),
            1,
        ),
        ("a key of another form", text.replace(&fetched.vkey, other_key), 1),
        ("another format", text.replace("receipt@v1", "receipt@v9"), 2),
        ("cut off", text[..text.len() / 2].to_owned(), 2),
        ("nothing", String::new(), 2),
    ];
    for (name, changed, expected) in cases {
        assert_ne!(changed, text, "{name}");
        fs::write(site.path("changed.json"), changed).unwrap();
        let (code, said) = fetched.run("verify changed.json");
        assert_eq!(code, expected, "{name}: {said}");
        assert_eq!(said.contains("proves nothing"), expected == 1, "{name}: {said}");
    }
    let (code, said) = fetched.run("verify receipt.json --vkey test.example/ledger+00000000+AQ==");
    assert_eq!((code, said.contains("could not read --vkey")), (2, true), "{said}");
    assert_eq!(fetched.run("verify missing.json").0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_receipt_are_files_that_others_read() {
    let fetched = Fetched::new().await;
    let site = &fetched.proxy.site;
    assert_eq!(fetched.run(&format!("get {} --out receipt.json", fetched.remote("token"))).0, 0);
    let (code, said) = fetched.run("split receipt.json --dir parts");
    assert_eq!(code, 0, "{said}");
    let part = |name: &str| fs::read_to_string(site.path(&format!("parts/{name}"))).unwrap();
    let key = Key::read(&part("vkey")).unwrap();
    let mut proven = Vec::new();
    for file in fs::read_dir(site.path("parts")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(index) = name.strip_suffix(".leaf") else { continue };
        let (leaf, proof) = (part(&name), part(&format!("{index}.tlog-proof")));
        assert!(proof.ends_with(&part("checkpoint")));
        assert_eq!(
            verify(&key, leaf.as_bytes(), &proof).map(|index| index.to_string()),
            Some(index.to_owned())
        );
        assert_eq!(verify(&key, format!("{leaf} ").as_bytes(), &proof), None);
        let said: serde_json::Value = serde_json::from_str(&leaf).unwrap();
        proven.push(said["type"].as_str().unwrap().to_owned());
    }
    proven.sort();
    assert_eq!(proven, ["release.complete", "release.intent"]);
    assert_eq!(fetched.run("split receipt.json --dir parts").0, 2, "nothing is written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_says_of_which_polling_stations_the_rows_were_also_where_the_copy_broke_off() {
    let proxy = Proxy::start().await;
    let (client, token) = (proxy.client(), proxy.site.partai());
    let station = |number: u32| format!("9901011001{number:03}");
    for form in Form::ALL {
        let rows = |numbers: &[u32]| {
            let row = |(at, number): (usize, &u32)| form.row("WARGA", &station(*number), at == 0);
            format!("{}{}", form.head(), numbers.iter().enumerate().map(row).collect::<String>())
        };
        proxy.source.answer(stub::whole(form.media_type(), rows(&[1, 1, 2, 3, 9, 2]) + form.tail()));
        let reply = client.get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean), "{form:?}");
        let covered = proxy.closing(reply.header("release-id").unwrap()).await.tps.expect("looked at");
        let ranges = vec![("9901011001".to_owned(), "1-3,9".to_owned())];
        assert_eq!((covered.count, covered.unread, covered.ranges), (4, 0, Some(ranges)), "{form:?}");
        let listed: String = [1, 2, 3, 9].map(|number| station(number) + "\n").concat();
        assert_eq!(covered.sha256, Digest::of(listed.as_bytes()), "{form:?}");

        let pause = Step::Pause(Duration::from_millis(300));
        proxy.source.answer(vec![chunked(form.media_type()), chunk(rows(&[1, 2])), pause]);
        let reply = client.get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Cut), "{form:?}");
        let closed = proxy.closing(reply.header("release-id").unwrap()).await;
        let covered = closed.tps.clone().expect("looked at");
        assert_eq!((closed.rows_out, covered.count), (2, 2), "{form:?}: {closed:?}");
    }
    proxy.source.answer(stub::whole("text/html", "<p>"));
    let failed = client.get(Form::Csv.path(), &token).await;
    assert_eq!(proxy.closing(failed.header("release-id").unwrap()).await.tps, None, "no copy was begun");
}
