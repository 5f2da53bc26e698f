//! A source that fails before anything has left: the requester gets a refusal, the ledger the cause.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use salinan::domain::Digest;
use salinan::ledger::Outcome;

use crate::support::client::End;
use crate::support::fixture::{Form, INSIDE, NIK, OUTSIDE};
use crate::support::stub::{self, Step, chunk, chunked, last_chunk, send};
use crate::support::{Proxy, Setup};

/// Waits for the source are short here.
pub const HASTY: Setup = Setup {
    server: "",
    identity: "",
    issuer: None,
    source: "head_timeout_ms = 400\nidle_timeout_ms = 400\nrecord_bytes_max = 65536",
    ledger: "",
    admission: None,
    before: None,
};

pub fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// An answer with this head and body, and its right length.
fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    vec![
        send(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())),
        send(body),
    ]
}

fn ok(headers: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    answer(&format!("200 OK\r\n{headers}"), body)
}

/// Name, what the source does, status, and the cause in the ledger (or several, where formats differ).
type Case = (&'static str, Vec<Step>, u16, &'static str);

/// Each case over both protocols: refused, with nothing of the source in it, and recorded as failed.
async fn check(proxy: &Proxy, form: Form, cases: Vec<Case>) {
    let (client, token) = (proxy.client(), proxy.site.partai());
    let mut other = Vec::new();
    for (name, script, status, cause) in cases {
        proxy.source.answer(script);
        for h2 in [false, true] {
            let name = format!("{form:?}, {name}, h2 {h2}");
            let path = form.path();
            let reply = if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
            let code = if status == 504 { "source_timeout" } else { "source_failed" };
            assert_eq!((reply.status, &*reply.code(), reply.end), (status, code, End::Clean), "{name}");
            let release = reply.header("release-id").expect("a failed release has a number").to_owned();
            assert!(reply.text().contains(&release), "{name}");
            let closed = proxy.closing(&release).await;
            let found = (closed.outcome, closed.cause.as_deref().unwrap_or_default());
            if found.0 != Outcome::Failed || !cause.split('|').any(|cause| cause == found.1) {
                other.push(format!("{name}: {found:?}, not {cause}"));
            }
            assert_eq!((closed.status, closed.bytes, closed.rows_out), (status, 0, 0), "{name}");
            assert_eq!(closed.body_sha256, Digest::of(b""), "{name}");
        }
    }
    assert!(other.is_empty(), "other causes than stated:\n{}", other.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_reached_or_is_slow_is_a_refusal() {
    let mut proxy = Proxy::start_with(HASTY).await;
    let cases = vec![
        ("says nothing", vec![Step::Silence], 504, "source_timeout"),
        (
            "stops in its head",
            vec![send("HTTP/1.1 200 OK\r\ncontent-"), Step::Silence],
            504,
            "source_timeout",
        ),
        ("stops after its head", vec![chunked("text/csv"), Step::Silence], 504, "source_silent"),
        ("closes at once", vec![], 502, "source_unreachable"),
        ("closes in its head", vec![send("HTTP/1.1 200 OK\r\ncontent-type: te")], 502, "source_unreachable"),
        ("speaks something else", vec![send("220 mail.example ESMTP\r\n")], 502, "source_unreachable"),
        ("sends too many headers", ok(&"x-a: 1\r\n".repeat(500), ""), 502, "source_unreachable"),
        (
            "sends an endless header",
            vec![send("HTTP/1.1 200 OK\r\nx-a: "), Step::Repeat(vec![b'a'; 65_536], 64)],
            502,
            "source_unreachable",
        ),
        ("closes after its head", vec![chunked("text/csv")], 502, "source_broke_off"),
    ];
    check(&proxy, Form::Csv, cases).await;
    proxy.source.stop().await;
    check(&proxy, Form::Csv, vec![("is down", vec![], 502, "source_unreachable")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_other_than_a_whole_copy_of_the_listed_type_is_a_refusal() {
    let proxy = Proxy::start_with(HASTY).await;
    let form = Form::Csv;
    let body = form.whole(2);
    let typed = |headers: &str| ok(headers, &body);
    let status = |line: &str| answer(&format!("{line}\r\ncontent-type: text/csv"), &body);
    let framed =
        |headers: &str, body: &str| vec![send(format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}"))];
    let cases = vec![
        ("500 with voters in it", status("500 Internal Server Error"), 502, "source_status"),
        ("404", status("404 Not Found"), 502, "source_status"),
        ("401", status("401 Unauthorized\r\nwww-authenticate: Basic"), 502, "source_status"),
        (
            "a redirect",
            status("302 Found\r\nlocation: http://127.0.0.1:1/dpt/9902.csv"),
            502,
            "source_status",
        ),
        ("203", status("203 Non-Authoritative Information"), 502, "source_status"),
        ("204", answer("204 No Content\r\ncontent-type: text/csv", ""), 502, "source_status"),
        ("304", answer("304 Not Modified\r\ncontent-type: text/csv", ""), 502, "source_status"),
        ("a part", status("206 Partial Content\r\ncontent-range: bytes 0-9/99"), 502, "source_partial"),
        (
            "a part that says it is whole",
            typed("content-type: text/csv\r\ncontent-range: bytes 0-9/99"),
            502,
            "source_partial",
        ),
        ("html", typed("content-type: text/html"), 502, "source_media_type"),
        ("another listed nowhere", typed("content-type: application/json"), 502, "source_media_type"),
        ("no type", typed("x-a: b"), 502, "source_header"),
        ("two types", typed("content-type: text/csv\r\ncontent-type: text/html"), 502, "source_header"),
        ("a malformed type", typed("content-type: text/csv; charset=\"utf-8"), 502, "source_header"),
        ("utf-16", typed("content-type: text/csv; charset=utf-16"), 502, "source_charset"),
        ("latin-1", typed("content-type: text/csv; charset=iso-8859-1"), 502, "source_charset"),
        ("brotli", typed("content-type: text/csv\r\ncontent-encoding: br"), 502, "bad_coding"),
        ("zstd", typed("content-type: text/csv\r\ncontent-encoding: zstd"), 502, "bad_coding"),
        (
            "two codings",
            typed("content-type: text/csv\r\ncontent-encoding: gzip, gzip"),
            502,
            "unknown_coding",
        ),
        (
            "two coding headers",
            typed("content-type: text/csv\r\ncontent-encoding: gzip\r\ncontent-encoding: identity"),
            502,
            "source_header",
        ),
        ("gzip that is none", typed("content-type: text/csv\r\ncontent-encoding: gzip"), 502, "bad_gzip"),
        ("gzip unsaid", ok("content-type: text/csv", gzip(&body)), 502, "control_character"),
        (
            "gzip of another flavour",
            ok("content-type: text/csv\r\ncontent-encoding: deflate", gzip(&body)),
            502,
            "bad_coding",
        ),
        (
            "two lengths",
            framed("content-type: text/csv\r\ncontent-length: 3\r\ncontent-length: 30", &body),
            502,
            "source_unreachable",
        ),
        ("an end that only the close marks", framed("content-type: text/csv", &body), 502, "source_unframed"),
        (
            "an upgrade",
            answer("101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade", &body),
            502,
            "source_status",
        ),
    ];
    check(&proxy, form, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_its_rules_at_once_is_a_refusal() {
    let proxy = Proxy::start_with(HASTY).await;
    for form in Form::ALL {
        let (head, tail) = (form.head(), form.tail());
        let good = form.row("WARGA 0", INSIDE, true);
        let bad = |row: &str| stub::whole(form.media_type(), format!("{head}{row}{tail}"));
        let mut cases: Vec<Case> = vec![
            ("a row of another area", bad(&form.row("BADROW", OUTSIDE, true)), 502, "row_outside_area"),
            (
                "a row of nowhere",
                bad(&form.row("BADROW", "", true)),
                502,
                "row_area_missing|row_outside_area",
            ),
            (
                "broken UTF-8",
                stub::whole(form.media_type(), [head.as_bytes(), b"\"\xFF\xFE\"", good.as_bytes()].concat()),
                502,
                "stray_quote|unexpected_shape|invalid_utf8|syntax",
            ),
            (
                "a record without end",
                bad(&good.replace("WARGA", &"A".repeat(70_000))),
                502,
                "record_too_long",
            ),
            (
                "html",
                stub::whole(form.media_type(), "<html>JL KENANGA 7</html>"),
                502,
                "no_known_column|unexpected_shape|syntax",
            ),
            (
                "a record cut off",
                stub::whole(form.media_type(), format!("{head}{}", &good[..good.len() / 2])),
                502,
                "ragged_row|truncated",
            ),
            (
                "a length too long",
                vec![send(format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: 9999\r\n\r\n{head}",
                    form.media_type()
                ))],
                502,
                "source_broke_off",
            ),
            (
                "gzip cut off",
                ok(
                    &format!("content-type: {}\r\ncontent-encoding: gzip", form.media_type()),
                    &gzip(head)[..10],
                ),
                502,
                "truncated",
            ),
            (
                "a bomb of one value",
                ok(
                    &format!("content-type: {}\r\ncontent-encoding: gzip", form.media_type()),
                    gzip(format!("{head}\"{}", "a".repeat(20_000_000))),
                ),
                502,
                "record_too_long|unexpected_shape",
            ),
        ];
        if form == Form::Csv {
            cases.extend(vec![
                (
                    "a column twice",
                    stub::whole("text/csv", "nik,nama,nama,kode_tps\n1,2,3,9901011001001\n"),
                    502,
                    "duplicate_key",
                ),
                ("no area column", stub::whole("text/csv", "nik,nama\n1,2\n"), 502, "row_area_missing"),
                (
                    "no column that may leave",
                    stub::whole("text/csv", "alamat,kode_tps\nJL KENANGA,9901011001001\n"),
                    502,
                    "no_known_column",
                ),
                ("a row too short", bad(&format!("1,{NIK},BADROW\n")), 502, "ragged_row"),
                ("a row too long", bad(&good.replace('\n', ",BADROW\n")), 502, "ragged_row"),
                (
                    "another delimiter",
                    stub::whole("text/csv", form.whole(1).replace(',', ";")),
                    502,
                    "no_known_column",
                ),
                ("a stray quote", bad(&good.replace("WARGA", "WAR\"GA")), 502, "stray_quote"),
                (
                    "a bare carriage return",
                    bad(&good.replace("WARGA", "WAR\rGA")),
                    502,
                    "bare_carriage_return",
                ),
                ("nothing", stub::whole("text/csv", ""), 502, "header_missing"),
            ]);
        } else {
            let twice = good.replace(r#""nama":"#, r#""nik":"x","nama":"#);
            let escaped = good.replace(r#""nama":"#, r#""n\u0069k":"x","nama":"#);
            let deep = good.replace("\"WARGA 0\"", &format!("{}{}", "[".repeat(100), "]".repeat(100)));
            cases.extend(vec![
                ("a key twice", bad(&twice), 502, "duplicate_key"),
                ("a key twice, once escaped", bad(&escaped), 502, "duplicate_key"),
                ("half a surrogate", bad(&good.replace("WARGA", "\\ud800")), 502, "lone_surrogate"),
                ("a NUL in a key", bad(&good.replace("\"nama\"", "\"na\\u0000ma\"")), 502, "nul_in_name"),
                ("nesting without end", bad(&deep), 502, "too_deep"),
                ("no area", bad(&good.replace("kode_tps", "kode")), 502, "row_area_missing"),
                (
                    "an area of another type",
                    bad(&good.replace(&format!("\"{INSIDE}\""), "[1]")),
                    502,
                    "row_area_missing|row_outside_area",
                ),
                ("no object", bad(&format!("\"{NIK}\"\n")), 502, "unexpected_shape"),
                ("a control character", bad(&good.replace("WARGA", "WAR\u{1}GA")), 502, "control_character"),
            ]);
        }
        check(&proxy, form, cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_may_frame_code_and_cut_a_good_copy_as_it_likes() {
    let proxy = Proxy::start_with(HASTY).await;
    let (client, token) = (proxy.client(), proxy.site.partai());
    for form in Form::ALL {
        let (kind, body) = (form.media_type(), form.whole(3));
        let plain = format!("content-type: {kind}");
        let coded = format!("content-type: {kind}\r\ncontent-encoding: gzip");
        let middle = body.len() / 2;
        let zipped = gzip(&body);
        let (first, second) = body.split_at(middle);
        let bytes = |bytes: &[u8]| -> Vec<Step> {
            let each = bytes.iter().map(|byte| chunk([*byte]));
            std::iter::once(chunked(kind)).chain(each).chain([last_chunk()]).collect()
        };
        let cases: Vec<(&str, Vec<Step>)> = vec![
            ("at once", ok(&plain, &body)),
            ("in chunks", vec![chunked(kind), chunk(first), chunk(second), last_chunk()]),
            ("byte by byte", bytes(body.as_bytes())),
            (
                "with a pause in a record",
                vec![
                    chunked(kind),
                    chunk(first),
                    Step::Pause(Duration::from_millis(150)),
                    chunk(second),
                    last_chunk(),
                ],
            ),
            ("with trailers", vec![chunked(kind), chunk(&body), send(format!("0\r\nx-nik: {NIK}\r\n\r\n"))]),
            ("gzip", ok(&coded, &zipped)),
            ("gzip in two members", ok(&coded, [gzip(first), gzip(second)].concat())),
            ("gzip of many pieces", {
                let pieces = zipped.chunks(7).map(chunk);
                let head = send(format!("HTTP/1.1 200 OK\r\n{coded}\r\ntransfer-encoding: chunked\r\n\r\n"));
                std::iter::once(head).chain(pieces).chain([last_chunk()]).collect()
            }),
            ("identity, said so", ok(&format!("{plain}\r\ncontent-encoding: identity"), &body)),
            (
                "a type in capitals",
                ok(&format!("content-type: {}; Charset=\"UTF-8\"", kind.to_uppercase()), &body),
            ),
            ("after an early hint", {
                let mut steps = vec![send(format!("HTTP/1.1 103 Early Hints\r\nlink: </{NIK}>\r\n\r\n"))];
                steps.extend(ok(&plain, &body));
                steps
            }),
            (
                "with headers that speak of the data",
                ok(
                    &format!(
                        "{plain}\r\nset-cookie: nik={NIK}\r\nlink: </dpt?cursor={NIK}>; rel=next\r\netag: \"{NIK}\"\r\n\
                     content-disposition: attachment; filename=\"{NIK}.csv\"\r\nx-total-count: 3\r\ndigest: sha-256={NIK}\r\n\
                     location: /{NIK}\r\nserver: KENANGA\r\ncontent-language: KENANGA\r\ntrailer: x-nik"
                    ),
                    &body,
                ),
            ),
        ];
        for (name, script) in cases {
            proxy.source.answer(script);
            for h2 in [false, true] {
                let path = form.path();
                let reply =
                    if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
                assert_eq!((reply.status, reply.end), (200, End::Clean), "{form:?}, {name}");
                assert_eq!(reply.text(), form.released(3), "{form:?}, {name}");
                let known = [
                    "cache-control",
                    "content-disposition",
                    "content-type",
                    "date",
                    "link",
                    "policy-digest",
                    "release-id",
                    "trailer",
                    "transfer-encoding",
                    "vary",
                    "x-content-type-options",
                ];
                let strange: Vec<_> =
                    reply.headers.iter().filter(|(name, _)| !known.contains(&&**name)).collect();
                assert!(strange.is_empty(), "{form:?}, {name}: {strange:?}");
            }
        }
    }
}
