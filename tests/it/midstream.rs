//! Copies that break off after their first byte: the requester can see it, the ledger says at which row and why,
//! and nothing of what broke it has left.

use std::time::Duration;

use salinan::domain::Digest;
use salinan::ledger::Outcome;

use crate::source::{HASTY, gzip};
use crate::support::client::{End, get};
use crate::support::fixture::{Form, INSIDE, NIK, OUTSIDE, changed};
use crate::support::stub::{self, Step, chunk, chunked, last_chunk, send};
use crate::support::{Proxy, Setup};

/// Rows that leave before the trouble.
const ROWS: usize = 5;
/// Long enough for them to be on their way.
const PAUSE: Step = Step::Pause(Duration::from_millis(80));

/// A case: what follows the first rows, the cause, and the rows that were read.
type Case = (&'static str, Vec<Step>, &'static str, u64);

fn in_chunks(form: Form, rest: Vec<Step>) -> Vec<Step> {
    [vec![chunked(form.media_type()), chunk(form.begun(ROWS)), PAUSE], rest].concat()
}

async fn check(proxy: &Proxy, form: Form, cases: Vec<Case>) {
    let (client, token) = (proxy.client(), proxy.site.partai());
    let mut other = Vec::new();
    for (name, script, cause, rows_in) in cases {
        proxy.source.answer(script);
        for h2 in [false, true] {
            let name = format!("{form:?}, {name}, h2 {h2}");
            let path = form.path();
            let reply = if h2 { client.get_h2(path, &token).await } else { client.get(path, &token).await };
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            assert_eq!(reply.end, End::Cut, "{name}: a broken copy must not end as if it were whole");
            assert_eq!(reply.text(), form.released_begun(ROWS), "{name}");
            let closed = proxy.closing(reply.header("release-id").unwrap()).await;
            let found = (closed.outcome, closed.cause.as_deref().unwrap_or_default(), closed.rows_in);
            // A record that has no end is counted by some formats only.
            let has_no_end = ["truncated", "record_too_long"].contains(&cause);
            let is_row = closed.rows_in == rows_in || has_no_end && closed.rows_in + 1 == rows_in;
            if (found.0, found.1, is_row) != (Outcome::Aborted, cause, true) {
                other.push(format!("{name}: {found:?}, not {cause} at {rows_in}"));
            }
            assert_eq!((closed.status, closed.rows_out), (200, ROWS as u64), "{name}");
            assert_eq!(closed.fields, changed(ROWS as u64), "{name}");
            assert_eq!(closed.bytes, reply.body.len() as u64, "{name}");
            assert_eq!(closed.body_sha256, Digest::of(&reply.body), "{name}");
        }
    }
    assert!(other.is_empty(), "other ends than stated:\n{}", other.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_in_the_middle_breaks_the_copy_off_visibly() {
    let proxy = Proxy::start_with(HASTY).await;
    for form in Form::ALL {
        let rows = ROWS as u64;
        let begun = form.begun(ROWS);
        let half = form.row("BADROW", INSIDE, false);
        let half = &half[..half.len() / 2];
        let cut = if form == Form::Csv { "ragged_row" } else { "truncated" };
        let sized = |length: usize, rest: Vec<Step>| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n",
                form.media_type()
            );
            [vec![send(head), send(&begun), PAUSE], rest].concat()
        };
        let cases = vec![
            ("closes between records", in_chunks(form, vec![]), "source_broke_off", rows),
            ("closes inside a record", in_chunks(form, vec![chunk(half)]), "source_broke_off", rows),
            ("falls silent", in_chunks(form, vec![Step::Silence]), "source_silent", rows),
            (
                "falls silent inside a record",
                in_chunks(form, vec![chunk(half), Step::Silence]),
                "source_silent",
                rows,
            ),
            ("breaks its chunks", in_chunks(form, vec![send("zz\r\nBADROW")]), "source_broke_off", rows),
            (
                "ends a chunk too early",
                in_chunks(form, vec![send(format!("ffff\r\n{half}"))]),
                "source_broke_off",
                rows,
            ),
            ("ends whole inside a record", in_chunks(form, vec![chunk(half), last_chunk()]), cut, rows + 1),
            ("promised more bytes", sized(begun.len() + 1_000, vec![]), "source_broke_off", rows),
            (
                "promised fewer bytes",
                sized(begun.len() + half.len(), vec![send(half), send("BADROW")]),
                cut,
                rows + 1,
            ),
        ];
        check(&proxy, form, cases).await;
    }
    // A JSON text that stops between its records is not whole, whatever its framing says.
    for form in [Form::Json, Form::Envelope] {
        let cases = vec![(
            "ends whole between records",
            in_chunks(form, vec![last_chunk()]),
            "truncated",
            ROWS as u64,
        )];
        check(&proxy, form, cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_breaks_the_rules_in_the_middle_ends_the_copy_before_it() {
    let proxy = Proxy::start_with(HASTY).await;
    for form in Form::ALL {
        let next = ROWS as u64 + 1;
        let good = form.row("BADROW", INSIDE, false);
        let bad = |row: &str| {
            in_chunks(
                form,
                vec![chunk(row), chunk(form.row("AFTER", INSIDE, false)), chunk(form.tail()), last_chunk()],
            )
        };
        let broken = [&good.as_bytes()[..good.len() - 12], b"\xFF", good.as_bytes()].concat();
        let mut cases = vec![
            ("a row of another area", bad(&form.row("BADROW", OUTSIDE, false)), "row_outside_area", next),
            // The first of the two is redacted but never handed on, so it is not counted either.
            (
                "a good row and one of another area at once",
                bad(&format!("{good}{}", form.row("BADROW", OUTSIDE, false))),
                "row_outside_area",
                next + 1,
            ),
            ("broken UTF-8", in_chunks(form, vec![chunk(broken), last_chunk()]), "invalid_utf8", next),
            (
                "a record without end",
                bad(&good.replace("BADROW", &"A".repeat(70_000))),
                "record_too_long",
                next,
            ),
        ];
        if form == Form::Csv {
            cases.extend(vec![
                ("a row too short", bad(&format!("1,{NIK},BADROW\n")), "ragged_row", next),
                ("a row too long", bad(&good.replace('\n', ",BADROW\n")), "ragged_row", next),
                ("a stray quote", bad(&good.replace("BADROW", "BAD\"ROW")), "stray_quote", next),
                (
                    "a bare carriage return",
                    bad(&good.replace("BADROW", "BAD\rROW")),
                    "bare_carriage_return",
                    next,
                ),
            ]);
        } else {
            let twice = good.replace(r#""nama":"#, r#""nama":"x","nama":"#);
            cases.extend(vec![
                ("a key twice", bad(&twice), "duplicate_key", next),
                ("half a surrogate", bad(&good.replace("BADROW", "\\udc00BADROW")), "lone_surrogate", next),
                ("nesting without end", bad(&good.replace("\"BADROW\"", &"[".repeat(100))), "too_deep", next),
            ]);
        }
        if form == Form::Ndjson {
            cases.push(("two records on a line", bad(&good.trim_end().repeat(2)), "trailing_bytes", next));
        }
        if matches!(form, Form::Json | Form::Envelope) {
            let rest = vec![chunk(form.tail()), chunk(" {\"nama\":\"BADROW\"}"), last_chunk()];
            let closed = in_chunks(form, rest);
            proxy.source.answer(closed);
            let reply = proxy.client().get(form.path(), &proxy.site.partai()).await;
            assert_eq!(reply.end, End::Cut, "{form:?}: text behind the end");
            assert!(!reply.text().contains("BADROW"));
            let completion = proxy.closing(reply.header("release-id").unwrap()).await;
            assert_eq!(completion.cause.as_deref(), Some("trailing_bytes"));
        }
        check(&proxy, form, cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_that_is_damaged_late_breaks_the_copy_off() {
    let proxy = Proxy::start_with(HASTY).await;
    for form in [Form::Csv, Form::Ndjson] {
        let first = gzip(form.begun(ROWS));
        let second = gzip(form.row("BADROW", INSIDE, false));
        let coded = |rest: Vec<u8>| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
                form.media_type()
            );
            vec![send(head), chunk(&first), PAUSE, chunk(rest), last_chunk()]
        };
        let mut damaged = second.clone();
        let crc = damaged.len() - 6;
        damaged[crc] ^= 1;
        let rows = ROWS as u64;
        let cases = vec![
            ("cut off in its head", coded(second[..5].to_vec()), "truncated", rows),
            ("followed by something else", coded(b"JL KENANGA 7".to_vec()), "bad_gzip", rows),
        ];
        check(&proxy, form, cases).await;
        // The record itself was whole and allowed; what is wrong is found behind it.
        for rest in [damaged, second[..second.len() - 4].to_vec()] {
            proxy.source.answer(coded(rest));
            let reply = proxy.client().get(form.path(), &proxy.site.partai()).await;
            assert_eq!((reply.status, reply.end), (200, End::Cut), "{form:?}");
            let closed = proxy.closing(reply.header("release-id").unwrap()).await;
            assert_eq!(closed.outcome, Outcome::Aborted, "{form:?}");
            assert_eq!(closed.body_sha256, Digest::of(&reply.body), "{form:?}");
        }
    }
    // A bomb of good rows: most of it stays where it is.
    let row = Form::Ndjson.row("WARGA", INSIDE, false).replace('\n', &format!("{}\n", " ".repeat(20_000)));
    let text = row.repeat(500);
    let bomb = gzip(&text);
    assert!(text.len() / bomb.len() > 220, "the bomb has a ratio of {} only", text.len() / bomb.len());
    proxy.source.answer(vec![
        send(format!("HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len())),
        send(bomb),
    ]);
    let mut connection = proxy.client().open(get(Form::Ndjson.path(), &proxy.site.partai())).await;
    let reply = connection.reply().await.unwrap();
    let closed = proxy.closing(&proxy.last_release()).await;
    assert_eq!(closed.cause.as_deref(), Some("ratio_too_high"));
    assert!(reply.status == 502 || reply.end == End::Cut);
    assert!(closed.bytes < 2 << 20, "{} bytes of a bomb left", closed.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_that_leaves_or_stops_reading_is_cut_off_and_recorded() {
    let setup = Setup { server: "stall_timeout_ms = 400", ..HASTY };
    let proxy = Proxy::start_with(setup).await;
    let token = proxy.site.partai();
    let form = Form::Ndjson;
    let block = form.begun(100).repeat(10);
    let endless = vec![
        chunked(form.media_type()),
        Step::Repeat(format!("{:x}\r\n{block}\r\n", block.len()).into(), 2_000),
        last_chunk(),
    ];

    // Leaves while rows come.
    proxy.source.answer(endless.clone());
    let mut connection = proxy.client().open(get(form.path(), &token)).await;
    let (status, headers) = connection.head().await.unwrap();
    assert_eq!(status, 200);
    assert!(connection.more().await);
    drop(connection);
    let release = headers.iter().find(|(name, _)| name == "release-id").unwrap().1.clone();
    let closed = proxy.closing(&release).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("requester_left")));
    assert!(closed.bytes > 0 && closed.rows_out > 0 && closed.rows_in >= closed.rows_out);

    // Leaves while the source is silent.
    proxy.source.answer(in_chunks(form, vec![Step::Gate]));
    let mut connection = proxy.client().open(get(form.path(), &token)).await;
    connection.head().await.unwrap();
    drop(connection);
    let closed = proxy.closing(&proxy.last_release()).await;
    // Whichever is noticed first: both are so.
    assert!(["requester_left", "source_silent"].contains(&closed.cause.as_deref().unwrap()));

    // Leaves before the first byte.
    proxy.source.answer(vec![
        chunked(form.media_type()),
        Step::Pause(Duration::from_millis(300)),
        Step::Silence,
    ]);
    let opened = proxy.source.asked().len();
    let connection = proxy.client().open(get(form.path(), &token)).await;
    while proxy.source.asked().len() == opened {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let release = proxy.last_release();
    drop(connection);
    let closed = proxy.closing(&release).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("requester_left")));
    assert_eq!(closed.bytes, 0);

    // Stops reading.
    proxy.source.answer(endless.clone());
    let mut connection = proxy.client().open(get(form.path(), &token)).await;
    connection.head().await.unwrap();
    let closed = proxy.closing(&proxy.last_release()).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("requester_stalled")));
    assert!(connection.is_closed_within(Duration::from_secs(10)).await);

    // Stops reading one stream of HTTP/2 and resets another.
    proxy.source.answer(endless);
    let (mut requests, _driver) = proxy.client().open_h2().await;
    let request = |path: &str| {
        http::Request::get(format!("https://{}{path}", proxy.address))
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap()
    };
    let (response, mut sender) = requests.send_request(request(form.path()), true).unwrap();
    let response = response.await.unwrap();
    sender.send_reset(h2::Reason::CANCEL);
    let release = response.headers()["release-id"].to_str().unwrap().to_owned();
    let closed = proxy.closing(&release).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("requester_left")));
    let (response, _sender) = requests.send_request(request(form.path()), true).unwrap();
    let response = response.await.unwrap();
    let release = response.headers()["release-id"].to_str().unwrap().to_owned();
    let closed = proxy.closing(&release).await;
    assert_eq!((closed.outcome, closed.cause.as_deref()), (Outcome::Aborted, Some("requester_stalled")));
    let mut body = response.into_body();
    let ended = async {
        loop {
            match body.data().await {
                Some(Ok(piece)) => drop(body.flow_control().release_capacity(piece.len())),
                Some(Err(_)) => return End::Cut,
                None => return if body.is_end_stream() { End::Clean } else { End::Cut },
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert_eq!(ended, Ok(End::Cut));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_that_takes_nothing_of_a_small_copy_does_not_keep_its_place() {
    let setup = Setup { server: "stall_timeout_ms = 200", ..HASTY };
    let proxy = Proxy::start_with(setup).await;
    let form = Form::Ndjson;
    let mut closed_window = h2::client::Builder::new();
    closed_window.initial_window_size(0);
    // All of it fits into what is made ahead, so nothing waits for room; and no byte of a body may be sent.
    for (name, rest) in [("whole", vec![last_chunk()]), ("broken off", vec![])] {
        proxy.source.answer(in_chunks(form, rest));
        let (mut requests, driver) = proxy.client().open_h2_with(&closed_window).await;
        let request = http::Request::get(format!("https://{}{}", proxy.address, form.path()))
            .header("authorization", format!("Bearer {}", proxy.site.partai()))
            .body(())
            .unwrap();
        let (response, _sender) = requests.send_request(request, true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        let ended = tokio::time::timeout(Duration::from_secs(5), driver).await;
        assert!(ended.is_ok(), "{name}: the connection is still held");
        drop(response);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_no_rows_is_whole_and_says_so() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    for form in Form::ALL {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(0)));
        let reply = proxy.client().get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end, reply.text()), (200, End::Clean, form.released(0)), "{form:?}");
        let closed = proxy.closing(reply.header("release-id").unwrap()).await;
        assert_eq!((closed.outcome, closed.rows_in, closed.rows_out), (Outcome::Complete, 0, 0), "{form:?}");
    }
}
