//! Tokens while the server runs: keys that come and go, what is revoked, and copies that outlive their token.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use salinan::identity::{Algorithm, SigningKey};
use salinan::ledger::{Entry, Outcome};
use serde_json::json;
use tokio::time::sleep;

use crate::support::client::{Client, End, get};
use crate::support::fixture::{self, Form};
use crate::support::stub::{self, Step, Stub, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup};

const LIMIT: Duration = Duration::from_secs(20);
const FORM: Form = Form::Csv;

fn key_set(keys: &[&SigningKey]) -> Vec<Step> {
    let keys: Vec<_> = keys.iter().map(|key| key.to_jwk()).collect();
    stub::whole("application/json", json!({ "keys": keys }).to_string())
}

async fn answer(client: &Client, token: &str) -> (u16, String) {
    answer_at(client, FORM.path(), token).await
}

async fn answer_at(client: &Client, path: &str, token: &str) -> (u16, String) {
    let reply = client.get(path, token).await;
    (reply.status, if reply.status == 200 { String::new() } else { reply.code() })
}

/// Asks until the answer is this one.
async fn until(client: &Client, token: &str, status: u16, code: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        let answer = answer(client, token).await;
        if answer == (status, code.to_owned()) {
            return;
        }
        assert!(Instant::now() < until, "still {answer:?}, not {status} {code}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_an_address_come_and_go_and_are_used_no_longer_than_they_may() {
    const COOLDOWN: Duration = Duration::from_millis(400);
    let mut keys = Stub::start(PathBuf::new()).await;
    let mut proxy = Proxy::start_with(Setup {
        identity: "refresh_ms = 2000\ncooldown_ms = 400\nstale_max_ms = 5000",
        issuer: Some(format!("jwks = \"http://{}/jwks\"", keys.address())),
        ..Setup::default()
    })
    .await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    let (client, site) = (proxy.client(), &proxy.site);
    let good = site.partai();
    let new = SigningKey::generate(Algorithm::EdDsa, Some("new")).unwrap();
    let by_new = new.sign(&site.claims()).unwrap();

    // The issuer did not answer yet: nobody can be judged.
    assert_eq!(answer(&client, &good).await, (503, "try_later".to_owned()));
    keys.answer(key_set(&[&site.key]));
    until(&client, &good, 200, "").await;

    // A flood of keys nobody has.
    let (before, from) = (keys.asked().len(), Instant::now());
    let mut number = 0;
    while from.elapsed() < COOLDOWN * 4 {
        number += 1;
        let stranger = SigningKey::generate(Algorithm::EdDsa, Some(&format!("stranger-{number}"))).unwrap();
        let token = stranger.sign(&site.claims()).unwrap();
        assert_eq!(answer(&client, &token).await, (401, "invalid_token".to_owned()));
    }
    let asked = keys.asked().len() - before;
    let most = 2 + from.elapsed().as_millis() / COOLDOWN.as_millis();
    assert!(asked >= 2 && asked as u128 <= most, "keys were asked for {asked} times, {most} were allowed");

    // A new key is found once it is named, and one that is gone no longer counts, even for a token known from before.
    assert_eq!(answer(&client, &by_new).await, (401, "invalid_token".to_owned()));
    keys.answer(key_set(&[&site.key, &new]));
    until(&client, &by_new, 200, "").await;
    assert_eq!(answer(&client, &good).await, (200, String::new()));
    keys.answer(key_set(&[&new]));
    until(&client, &good, 401, "invalid_token").await;
    assert_eq!(answer(&client, &by_new).await, (200, String::new()));

    // An answer that is no key set, then none: the last one serves for a while.
    keys.answer(stub::whole("application/json", r#"{"keys":[]}"#));
    assert_eq!(answer(&client, &good).await, (401, "invalid_token".to_owned()));
    sleep(COOLDOWN * 2).await;
    assert_eq!(answer(&client, &by_new).await, (200, String::new()));
    keys.stop().await;
    until(&client, &by_new, 503, "try_later").await;
    sleep(COOLDOWN * 2).await;
    let traces = proxy.traces();
    let told = |word: &str| traces.iter().filter(|line| line["message"].to_string().contains(word)).count();
    assert_eq!((told("no reading young enough"), told("could not be read")), (2, 2), "told once each time");
    proxy.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_issuers_each_speak_for_themselves_alone() {
    let other = SigningKey::generate(Algorithm::EdDsa, Some("test")).unwrap();
    let issuer = "jwks = \"jwks.json\"\nalgorithms = [\"ES256\"]\n[[identity.issuer]]\n\
                  issuer = \"https://other.example\"\naudience = \"other\"\nlifetime_max_s = 7200\njwks = \"other.json\"";
    let mut proxy = Proxy::start_in(Setup { issuer: Some(issuer.to_owned()), ..Setup::default() }, |site| {
        fs::write(site.path("other.json"), json!({ "keys": [other.to_jwk()] }).to_string()).unwrap();
    })
    .await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    let (client, site) = (proxy.client(), &proxy.site);
    let claims = |issuer: &str, audience: &str, lifetime_s: u64| {
        let mut claims = site.claims();
        issuer.clone_into(&mut claims.iss);
        audience.clone_into(&mut claims.aud);
        claims.exp = claims.iat + lifetime_s;
        claims
    };
    let (first, own) = (site.claims().iss, site.claims().aud);
    let cases = [
        ("the first", site.sign(&site.claims()), 200),
        ("the second", other.sign(&claims("https://other.example", "other", 3_600)).unwrap(), 200),
        ("a key of the second for the first", other.sign(&site.claims()).unwrap(), 401),
        (
            "a key of the first for the second",
            site.sign(&claims("https://other.example", "other", 3_600)),
            401,
        ),
        (
            "the audience of the first at the second",
            other.sign(&claims("https://other.example", &own, 3_600)).unwrap(),
            401,
        ),
        ("the lifetime of the first", site.sign(&claims(&first, &own, 7_300)), 200),
        (
            "the lifetime of the first at the second",
            other.sign(&claims("https://other.example", "other", 7_300)).unwrap(),
            401,
        ),
        ("nobody", site.sign(&claims("https://nobody.example", "other", 3_600)), 401),
    ];
    for (name, token, status) in &cases {
        let code = if *status == 200 { "" } else { "invalid_token" };
        assert_eq!(answer(&client, token).await, (*status, code.to_owned()), "{name}");
    }
    assert_eq!(proxy.refusals(5).await, ["invalid_token"; 5]);
    proxy.stop();
}

fn revoked(jti: &str, sub: &str, client_id: &str, kid: &str) -> String {
    format!("jti = [{jti}]\nsub = [{sub}]\nclient_id = [{client_id}]\nkid = [{kid}]\n")
}

async fn with_revocations(stale_max_ms: &'static str) -> Proxy {
    let setup = Setup { identity: stale_max_ms, ..Setup::default() };
    let proxy =
        Proxy::start_in(setup, |site| fs::write(site.path("revoked.toml"), revoked("", "", "", "")).unwrap());
    let proxy = proxy.await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_refused_at_once_and_a_broken_list_revokes_no_less() {
    let proxy = with_revocations("revoked = \"revoked.toml\"\nrefresh_ms = 2000\nstale_max_ms = 3000").await;
    let (client, site) = (proxy.client(), &proxy.site);
    let list = |text: &str| fs::write(site.path("revoked.toml"), text).unwrap();
    let (good, other) = (site.partai(), site.other_party());
    let jti = "'token-0'";
    let cases = [
        ("jti", revoked(jti, "", "", ""), 401, 200),
        ("sub", revoked("", "'saksi-7'", "", ""), 401, 200),
        ("client_id", revoked("", "", "'partai-7'", ""), 401, 200),
        ("kid", revoked("", "", "", "'test'"), 401, 401),
        ("others", revoked("'saksi-7'", "'token-0'", "'test'", "'partai-7'"), 200, 200),
    ];
    for (name, text, own, others) in cases {
        assert_eq!(answer(&client, &good).await.0, 200, "{name}");
        list(&text);
        for (token, status) in [(&good, own), (&other, others)] {
            let code = if status == 200 { "" } else { "token_revoked" };
            until(&client, token, status, code).await;
        }
        list(&revoked("", "", "", ""));
        until(&client, &good, 200, "").await;
        until(&client, &other, 200, "").await;
    }
    assert!(proxy.refusals(5).await.iter().all(|code| code == "token_revoked"));

    list(&revoked(jti, "", "", ""));
    until(&client, &good, 401, "token_revoked").await;
    for broken in ["", "jti = []\nsub = []\n", "jti = [7]"] {
        list(broken);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(answer(&client, &good).await, (401, "token_revoked".to_owned()), "{broken}");
        assert_eq!(answer(&client, &other).await.0, 200, "{broken}");
    }
    // Nobody mends it: then nobody can be told from a revoked one.
    until(&client, &other, 503, "try_later").await;
    list(&revoked(jti, "", "", ""));
    until(&client, &other, 200, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mandate_that_is_over_is_refused_and_the_ledger_says_whose() {
    let register = "[register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\nlegal_basis = \"-\"\n\
        days = 7\ncounting = \"calendar\"\n[[area]]\nwilayah = \"9901\"\nname = \"Contoh\"\n\
        [[party]]\nnumber = 7\nname = \"Tujuh\"\n[[mandate]]\nparty = 7\nnumber = \"SM-06/2023\"\n\
        until = \"2023-12-31\"\n[[mandate]]\nparty = 7\nnumber = \"SM-07/2026\"\nuntil = \"2099-12-31\"\n";
    let setup = Setup { ledger: "register = \"register.toml\"", ..Setup::default() };
    let proxy = Proxy::start_in(setup, |site| fs::write(site.path("register.toml"), register).unwrap()).await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    let (client, site) = (proxy.client(), &proxy.site);
    assert_eq!(answer(&client, &site.partai()).await.0, 200);
    let mut claims = site.claims();
    claims.mandate = Some("SM-06/2023".to_owned());
    assert_eq!(answer(&client, &site.sign(&claims)).await, (403, "mandate_over".to_owned()));
    assert_eq!(proxy.refusals(1).await, ["mandate_over"]);
    let refused = site.records().into_iter().find_map(|record| match record.entry {
        Entry::Refused(refusal) => Some(refusal),
        _ => None,
    });
    assert_eq!(refused.unwrap().requester.as_deref(), Some("saksi-7"));
}

/// Starts a copy that stands still after its first rows, and gives its reply once `meanwhile` was done.
async fn standing<T>(
    proxy: &Proxy,
    token: &str,
    meanwhile: impl AsyncFnOnce() -> T,
) -> crate::support::client::Reply {
    proxy.source.answer(vec![chunked(FORM.media_type()), chunk(FORM.begun(3)), Step::Gate, last_chunk()]);
    let client = proxy.client();
    let mut connection = client.open(get(FORM.path(), token)).await;
    assert!(connection.until(b"WARGA 2,1990\n\r\n").await, "the first rows arrive");
    meanwhile().await;
    connection.reply().await.unwrap()
}

async fn start_with_rule(word: Option<&str>) -> Proxy {
    let proxy = with_revocations("revoked = \"revoked.toml\"").await;
    let Some(word) = word else { return proxy };
    let mut proxy = proxy;
    proxy.stop();
    let rule = "role = \"partai\"\nlevel = \"kabkota\"\n";
    let policy = fixture::POLICY.replacen(rule, &format!("{rule}on_token_end = \"{word}\"\n"), 1);
    fs::write(proxy.site.path("policy.toml"), policy).unwrap();
    proxy.start_again();
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_way_ends_with_its_token_unless_the_policy_lets_it_finish() {
    let cases = [
        (None, [false, false]),
        (Some("abort"), [false, false]),
        (Some("finish_expired"), [true, false]),
        (Some("finish"), [true, true]),
    ];
    for (word, finishes) in cases {
        let proxy = start_with_rule(word).await;
        let site = &proxy.site;
        for (cause, finishes) in ["token_expired", "token_revoked"].into_iter().zip(finishes) {
            let name = format!("{word:?}, {cause}");
            let mut claims = site.claims();
            if cause == "token_expired" {
                // Good for three more seconds, by the five that clocks may differ.
                claims.exp = claims.iat + 8;
            }
            let token = site.sign(&claims);
            let reply = standing(&proxy, &token, async || {
                if cause == "token_revoked" {
                    fs::write(site.path("revoked.toml"), revoked("", "'saksi-7'", "", "")).unwrap();
                }
                if finishes {
                    // Where no copy is, a good token is told so.
                    let (client, until) = (proxy.client(), Instant::now() + LIMIT);
                    while answer_at(&client, "/nothing", &token).await.1 != cause {
                        assert!(Instant::now() < until, "{name}: the token does not end");
                        sleep(Duration::from_millis(20)).await;
                    }
                    proxy.source.open_gate();
                }
            })
            .await;
            let closed = proxy.closing(reply.header("release-id").unwrap()).await;
            let (outcome, end) =
                if finishes { (Outcome::Complete, End::Clean) } else { (Outcome::Aborted, End::Cut) };
            assert_eq!((reply.end, closed.outcome), (end, outcome), "{name}");
            assert_eq!(closed.cause.as_deref(), Some(cause), "{name}");
            assert_eq!((closed.rows_out, reply.text()), (3, FORM.released(3)), "{name}");
            assert_eq!(closed.bytes, reply.body.len() as u64, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_an_identity_beside_the_token_says_nothing() {
    let proxy = Proxy::start().await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    let (client, token) = (proxy.client(), proxy.site.partai());
    let with = |headers: &str| {
        format!("GET {} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{headers}\r\n", FORM.path())
    };
    let smuggled = [
        "",
        "x-salinan-role: auditor\r\n",
        "x_salinan_party: pemilu-2024/8\r\nx.salinan.party: pemilu-2024/8\r\n",
        "forwarded: for=10.0.0.1\r\nx-forwarded-for: 10.0.0.1\r\nx-real-ip: 10.0.0.1\r\n",
        "x-forwarded-user: auditor\r\nremote-user: auditor\r\nx-forwarded-access-token: x\r\n",
        "proxy-authorization: Bearer x\r\ncookie: authorization=Bearer x\r\n",
        "connection: authorization, x-salinan-role\r\n",
        "authorization_: Bearer x\r\n",
    ];
    for headers in smuggled {
        let reply = client.raw(with(headers)).await.unwrap();
        assert_eq!((reply.status, reply.text()), (200, FORM.released(3)), "{headers}");
    }
    assert_eq!(client.raw(with("authorization: Bearer x\r\n")).await.unwrap().code(), "invalid_token");
    let (mut requests, driver) = client.open_h2().await;
    let second = [("authorization", "Bearer x")];
    let reply = client.ask_h2(&mut requests, FORM.path(), Some(&token), &second).await;
    assert_eq!((reply.status, &*reply.code()), (401, "invalid_token"));
    let reply = client.ask_h2(&mut requests, FORM.path(), Some(&token), &[]).await;
    assert_eq!(reply.status, 200, "one connection, another identity each time");
    let reply = client.ask_h2(&mut requests, FORM.path(), None, &[]).await;
    assert_eq!((reply.status, &*reply.code()), (401, "token_missing"));
    drop(requests);
    let _ = driver.await;
    assert_eq!(proxy.refusals(3).await, ["invalid_token", "invalid_token", "token_missing"]);
}

/// CPU time of a process so far.
fn cpu(id: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// With the usual rates. Without optimisation, and beside other tests, the program is several times slower.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_tokens_from_one_address_costs_little() {
    const REQUESTS: u32 = 4_000;
    let proxy = Proxy::start_with(Setup { admission: Some(""), ..Setup::default() }).await;
    let good = proxy.site.partai();
    let (message, _) = good.rsplit_once('.').unwrap();
    let bad = format!("{message}.{}", "A".repeat(86));
    let mut connection = proxy.client().open(get(FORM.path(), &bad)).await;
    assert_eq!(connection.reply().await.unwrap().code(), "invalid_token");
    let before = cpu(proxy.id());
    for _ in 0..REQUESTS {
        connection.send(get(FORM.path(), &bad)).await;
        let status = connection.reply().await.unwrap().status;
        assert!([401, 429].contains(&status));
    }
    let each = cpu(proxy.id()).saturating_sub(before) / REQUESTS;
    crate::support::aloud(&format!("a bad token costs {each:?} of CPU"));
    let most = Duration::from_micros(if cfg!(debug_assertions) { 1_000 } else { 100 });
    assert!(each < most, "{each:?}");
}
