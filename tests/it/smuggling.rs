//! Requests that two readers could read in two ways: each is sent raw on a connection of its own, and gets the
//! answers listed and no other; the source and the ledger see what the answers say and nothing more.
//!
//! Most carry a second request that would be served if anything took it for one. Where a connection stays open
//! behind the answers, a plain request sent last must be answered next, so the two sides count alike.

mod framing;
mod heads;
mod lines;

use std::time::Duration;

use crate::support::client::{Connection, End};
use crate::support::fixture::Form;
use crate::support::{Proxy, stub};

/// Longest wait for a connection that must close.
const LIMIT: Duration = Duration::from_secs(5);
/// The question that a plain request puts to the source.
const PLAIN: &str = "GET /dpt/9901.csv HTTP/1.1";

/// The code that a plain request for another area gets, by which a connection shows that it is in step.
const SENTINEL: &str = "area_not_allowed";
/// Between two writes, long enough that the first is read by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// What comes of the bytes of a case.
struct Outcome {
    /// Status and code of each answer; the code is empty for a copy, and for what was no request at all.
    answers: Vec<(u16, &'static str)>,
    /// Whether the connection ends behind them.
    closes: bool,
    /// The first line of each question that the source must see.
    asked: Vec<&'static str>,
}

/// One copy, and the connection stays.
fn served() -> Outcome {
    Outcome { answers: vec![(200, "")], closes: false, asked: vec![PLAIN] }
}

/// One copy, and what follows it is no request.
fn served_then_not_http() -> Outcome {
    Outcome { answers: vec![(200, ""), (400, "")], closes: true, asked: vec![PLAIN] }
}

/// One refusal that the ledger holds. The connection stays, unless the request itself was wrong.
fn refused(status: u16, code: &'static str) -> Outcome {
    Outcome { answers: vec![(status, code)], closes: status == 400, asked: Vec::new() }
}

/// One refusal that the ledger holds, and nothing behind it is read.
fn refused_and_closed(status: u16, code: &'static str) -> Outcome {
    Outcome { closes: true, ..refused(status, code) }
}

/// No request: a status alone, and the connection ends.
fn not_http(status: u16) -> Outcome {
    refused_and_closed(status, "")
}

/// The connection ends without an answer.
fn closed() -> Outcome {
    Outcome { answers: Vec::new(), closes: true, asked: Vec::new() }
}

/// A name, the bytes sent and what must come of them. In the bytes `@T` stands for a good token, `@H` for the headers
/// of a good request without its last empty line, and `@2` for a second request that would be served.
struct Case(&'static str, String, Outcome);

/// A plain request with more headers, and what stands behind its head.
fn with(name: &'static str, headers: &str, behind: &str, outcome: Outcome) -> Case {
    Case(name, format!("{PLAIN}\r\n@H{headers}\r\n{behind}"), outcome)
}

/// A good request but for its request line.
fn line(name: &'static str, line: &str, outcome: Outcome) -> Case {
    Case(name, format!("{line}\r\n@H\r\n"), outcome)
}

fn bytes(text: &str, token: &str) -> String {
    let headers = "host: salinan.example\r\nauthorization: Bearer @T\r\n";
    text.replace("@2", "GET /dpt/9901.ndjson HTTP/1.1\r\n@H\r\n").replace("@H", headers).replace("@T", token)
}

/// What a connection gives: each answer, and how it goes on behind as many as are expected.
async fn seen(connection: &mut Connection, expected: &Outcome, sentinel: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < expected.answers.len() {
        let Some(reply) = connection.reply().await else { break };
        let is_whole =
            reply.end == End::Clean && (reply.status != 200 || reply.text() == Form::Csv.released(1));
        seen.push(format!("{} {}{}", reply.status, reply.code(), if is_whole { "" } else { "broken" }));
    }
    if !expected.closes {
        connection.send(sentinel).await;
    }
    let next = tokio::time::timeout(LIMIT, connection.reply()).await;
    seen.push(match next {
        Ok(None) => "closed".to_owned(),
        Ok(Some(reply)) => format!("then {} {}", reply.status, reply.code()),
        Err(_) => "open".to_owned(),
    });
    seen
}

impl Outcome {
    /// The same as text.
    fn told(&self) -> Vec<String> {
        let mut told: Vec<_> = self.answers.iter().map(|(status, code)| format!("{status} {code}")).collect();
        told.push(if self.closes { "closed".to_owned() } else { format!("then 403 {SENTINEL}") });
        told
    }

    /// The codes that the ledger holds.
    fn codes(&self) -> Vec<&'static str> {
        let codes = self.answers.iter().map(|(_, code)| *code).filter(|code| !code.is_empty());
        codes.chain((!self.closes).then_some(SENTINEL)).collect()
    }
}

/// Sends each case, in one write or in two, and holds the answers, the source and the ledger against the outcome.
async fn check(cases: Vec<Case>, in_two: bool) {
    let proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    let sentinel = bytes("GET /dpt/9902.csv HTTP/1.1\r\n@H\r\n", &token);
    // What the source gets of a plain request behind its first line.
    assert_eq!(proxy.client().get(form.path(), &token).await.text(), form.released(1));
    let plain = proxy.source.asked()[0].head.split_once("\r\n").unwrap().1.to_owned();
    let mut wrong = Vec::new();
    for Case(name, text, expected) in &cases {
        let (asked, refusals) = (proxy.source.asked().len(), proxy.refusals(0).await.len());
        let intents = stub::count_intents(&proxy.site.ledger()).unwrap();
        let request = bytes(text, &token).into_bytes();
        let (first, second) = request.split_at(if in_two { request.len() / 2 } else { request.len() });
        let mut connection = proxy.client().open(first).await;
        if in_two {
            tokio::time::sleep(PAUSE).await;
            connection.send(second).await;
        }
        let seen = seen(&mut connection, expected, &sentinel).await;
        if seen != expected.told() {
            wrong.push(format!("{name}: {seen:?} and not {:?}", expected.told()));
            continue;
        }
        let heads = proxy.source.asked().split_off(asked);
        let lines: Vec<_> = heads.iter().map(|asked| asked.head.split_once("\r\n").unwrap()).collect();
        let due: Vec<_> = expected.asked.iter().map(|line| (*line, plain.as_str())).collect();
        let codes = proxy.refusals(refusals + expected.codes().len()).await.split_off(refusals);
        let opened = stub::count_intents(&proxy.site.ledger()).unwrap() - intents;
        if lines != due || codes != expected.codes() || opened != due.len() {
            wrong.push(format!("{name}: asked {lines:?}, refused {codes:?}, opened {opened}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn all() -> Vec<Case> {
    [framing::cases(), heads::cases(), lines::cases()].into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_two_framings_gets_one_answer() {
    check(framing::cases(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_with_two_readings_gets_one_answer() {
    check(heads::cases(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_line_with_two_readings_gets_one_answer() {
    check(lines::cases(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bytes_are_cut_changes_no_answer() {
    assert!(all().len() >= 240, "the table has shrunk to {}", all().len());
    // The preface is known by all of its bytes at once; a part of it is a line that gets 400, as any odd one does.
    check(all().into_iter().filter(|case| case.0 != "the preface of HTTP/2").collect(), true).await;
}
