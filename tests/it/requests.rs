//! Requests that get no copy: each is refused with its code, entered in the ledger, and never reaches the source.

use std::time::Duration;

use crate::support::client::{End, get};
use crate::support::fixture::{Form, NIK};
use crate::support::{Proxy, stub};

/// A request line and headers for a token, as bytes.
struct Case {
    name: &'static str,
    request: String,
    status: u16,
    code: &'static str,
}

fn case(name: &'static str, request: String, status: u16, code: &'static str) -> Case {
    Case { name, request, status, code }
}

/// Runs each case on a connection of its own; each must leave one refusal and ask the source nothing.
async fn check(proxy: &Proxy, cases: &[Case]) {
    let client = proxy.client();
    for case in cases {
        let before = proxy.refusals(0).await.len();
        let reply = client.raw(&case.request).await.unwrap_or_else(|| panic!("no answer: {}", case.name));
        assert_eq!((reply.status, &*reply.code()), (case.status, case.code), "{}", case.name);
        assert_eq!(reply.end, End::Clean, "{}", case.name);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", case.name);
        let codes = proxy.refusals(before + 1).await;
        assert_eq!(codes[before..], [case.code], "{}", case.name);
    }
    assert!(proxy.source.asked().is_empty(), "the source was asked");
}

/// A request that would be answered, with one thing changed.
fn with(token: &str, line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: salinan.example\r\nauthorization: Bearer {token}\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_without_a_good_token_is_refused_before_anything_else() {
    let proxy = Proxy::start().await;
    let site = &proxy.site;
    let good = site.partai();
    let signed = |change: fn(&mut salinan::identity::Claims)| {
        let mut claims = site.claims();
        change(&mut claims);
        site.sign(&claims)
    };
    let expired = signed(|claims| {
        claims.iat -= 7_200;
        claims.exp = claims.iat + 3_600;
    });
    let parts: Vec<&str> = good.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());
    let bearer = |token: &str| {
        format!("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n")
    };
    let plain = |headers: &str| format!("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    // {"alg":"none","typ":"at+jwt","kid":"test"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoidGVzdCJ9";
    let cases = [
        case("no token", plain(""), 401, "token_missing"),
        case(
            "no token on an unknown path",
            "GET /x HTTP/1.1\r\nhost: a\r\n\r\n".into(),
            401,
            "token_missing",
        ),
        case(
            "a token in the query",
            format!("GET /dpt/9901.csv?access_token={good} HTTP/1.1\r\nhost: a\r\n\r\n"),
            401,
            "token_missing",
        ),
        case("a token in a cookie", plain(&format!("cookie: token={good}\r\n")), 401, "token_missing"),
        case("no scheme", plain(&format!("authorization: {good}\r\n")), 401, "invalid_token"),
        case("another scheme", plain("authorization: Basic c2Frc2k6cmFoYXNpYQ==\r\n"), 401, "invalid_token"),
        case(
            "two tokens",
            plain(&format!("authorization: Bearer {good}\r\nauthorization: Bearer {good}\r\n")),
            401,
            "invalid_token",
        ),
        case(
            "two tokens in one header",
            plain(&format!("authorization: Bearer {good}, Bearer {good}\r\n")),
            401,
            "invalid_token",
        ),
        case(
            "a header with an underscore",
            plain(&format!("authorization_: Bearer {good}\r\n")),
            401,
            "token_missing",
        ),
        case("nonsense", bearer("nonsense"), 401, "invalid_token"),
        case("a forged signature", bearer(&forged), 401, "invalid_token"),
        case("no signature", bearer(&format!("{}.{}.", parts[0], parts[1])), 401, "invalid_token"),
        case("alg none", bearer(&format!("{none}.{}.", parts[1])), 401, "invalid_token"),
        case("expired", bearer(&expired), 401, "token_expired"),
        case("not yet", bearer(&signed(|claims| claims.nbf = Some(claims.iat + 600))), 401, "invalid_token"),
        case("another issuer", bearer(&signed(|claims| claims.iss.push('x'))), 401, "invalid_token"),
        case("another audience", bearer(&signed(|claims| claims.aud.push('x'))), 401, "invalid_token"),
        case(
            "a lifetime of a year",
            bearer(&signed(|claims| claims.exp += 31_536_000)),
            401,
            "invalid_token",
        ),
        case("no mandate", bearer(&signed(|claims| claims.mandate = None)), 401, "invalid_token"),
        case("no party", bearer(&signed(|claims| claims.party = None)), 401, "invalid_token"),
        case("a NIK as subject", bearer(&signed(|claims| claims.sub = NIK.to_owned())), 401, "invalid_token"),
        case(
            "areas of another level",
            bearer(&signed(|claims| claims.wilayah = vec!["990101".parse().unwrap()])),
            401,
            "invalid_token",
        ),
    ];
    check(&proxy, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_does_not_list_is_refused() {
    let proxy = Proxy::start().await;
    let site = &proxy.site;
    let token = site.partai();
    let ask = |line: &str| with(&token, line, "");
    let mut other = site.claims();
    other.party = Some(salinan::domain::Party { election: "pemilu-2019".to_owned(), number: 7 });
    let other = site.sign(&other);
    let mut low = site.claims();
    low.level = salinan::domain::Level::Kecamatan;
    low.wilayah = vec!["990101".parse().unwrap()];
    let low = site.sign(&low);
    let cases = [
        case("an unknown route", ask("GET /dps/9901.csv"), 404, "not_found"),
        case("a route's neighbour", ask("GET /dpt/9901.xml"), 404, "not_found"),
        case("a longer path", ask("GET /dpt/9901.csv/x"), 404, "not_found"),
        case("no route at all", ask("GET /metrics"), 404, "not_found"),
        case("a receipt that is none", ask("GET /receipts/x"), 404, "not_found"),
        case(
            "a receipt nobody has",
            ask("GET /receipts/01991a2b-0000-7000-8000-000000000000"),
            404,
            "not_found",
        ),
        case("all receipts", ask("GET /receipts"), 404, "not_found"),
        case("delete", with(&token, "DELETE /dpt/9901.csv", ""), 405, "method_not_allowed"),
        case(
            "a post",
            with(&token, "POST /dpt/9901.csv", "content-length: 0\r\n"),
            405,
            "method_not_allowed",
        ),
        case("a method in small letters", ask("get /dpt/9901.csv"), 405, "method_not_allowed"),
        case("options", ask("OPTIONS /dpt/9901.csv"), 405, "method_not_allowed"),
        case("trace", ask("TRACE /dpt/9901.csv"), 405, "method_not_allowed"),
        case("an invented method", ask("AMBIL /dpt/9901.csv"), 405, "method_not_allowed"),
        case("an unknown parameter", ask("GET /dpt/9901.csv?nama=SITI"), 400, "parameter_unknown"),
        case(
            "a hidden field as a filter",
            ask(&format!("GET /dpt/9901.csv?nik={NIK}")),
            400,
            "parameter_unknown",
        ),
        case("a sort", ask("GET /dpt/9901.csv?sort=nik"), 400, "parameter_unknown"),
        case("a selection of fields", ask("GET /dpt/9901.csv?fields=nik.alamat"), 400, "parameter_unknown"),
        case("the role as a parameter", ask("GET /dpt/9901.csv?role=bawaslu"), 400, "parameter_unknown"),
        case("a number that is none", ask("GET /dpt/9901.csv?halaman=dua"), 400, "parameter_value"),
        case(
            "a number as long as a NIK",
            ask(&format!("GET /dpt/9901.csv?halaman={NIK}")),
            400,
            "parameter_value",
        ),
        case(
            "a station outside the area",
            ask("GET /dpt/9901.csv?tps=9902011001001"),
            400,
            "parameter_value",
        ),
        case(
            "a parameter twice",
            ask("GET /dpt/9901.csv?tps=9901011001001&tps=9901011001001"),
            400,
            "parameter_repeated",
        ),
        case("a parameter without a value", ask("GET /dpt/9901.csv?tps"), 400, "query_malformed"),
        case("an escape in the query", ask("GET /dpt/9901.csv?tps=9901%30"), 400, "query_malformed"),
        case("an empty query", ask("GET /dpt/9901.csv?"), 400, "query_malformed"),
        case("no area", ask("GET /daftar"), 400, "area_malformed"),
        case("an area that is none", ask("GET /dpt/99x1.csv"), 400, "area_malformed"),
        case("an area of three digits", ask("GET /dpt/990.csv"), 400, "area_malformed"),
        case("a NIK as area", ask(&format!("GET /dpt/{NIK}.csv")), 400, "area_malformed"),
        case("an area in the query that is none", ask("GET /daftar?wilayah=990"), 400, "area_malformed"),
        case("another kabupaten", ask("GET /dpt/9902.csv"), 403, "area_not_allowed"),
        case("the whole province", ask("GET /dpt/99.csv"), 403, "area_not_allowed"),
        case("another kabupaten in the query", ask("GET /daftar?wilayah=9902"), 403, "area_not_allowed"),
        case("another election", with(&other, "GET /dpt/9901.csv", ""), 403, "election_not_allowed"),
        case(
            "a role without a rule",
            with(&site.of_role("auditor"), "GET /dpt/9901.csv", ""),
            403,
            "role_not_allowed",
        ),
        case("a level without a rule", with(&low, "GET /dpt/990101.csv", ""), 403, "role_not_allowed"),
    ];
    check(&proxy, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_two_readings_is_refused() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let ask = |line: &str| with(&token, line, "");
    let get = |headers: &str| with(&token, "GET /dpt/9901.csv", headers);
    let path = "path_ambiguous";
    let cases = [
        case("a dot segment", ask("GET /dpt/../dpt/9901.csv"), 400, path),
        case("a single dot", ask("GET /./dpt/9901.csv"), 400, path),
        case("escaped dots", ask("GET /dpt/%2e%2e/9901.csv"), 400, path),
        case("twice escaped dots", ask("GET /dpt/%252e%252e/9901.csv"), 400, path),
        case("an escaped slash", ask("GET /dpt%2F9901.csv"), 400, path),
        case("an escaped letter", ask("GET /dpt/9901.%63sv"), 400, path),
        case("an escaped end", ask("GET /dpt/9901.csv%00"), 400, path),
        case("two slashes", ask("GET //dpt/9901.csv"), 400, path),
        case("two slashes inside", ask("GET /dpt//9901.csv"), 400, path),
        case("a slash at the end", ask("GET /dpt/9901.csv/"), 400, path),
        case("a backslash", ask("GET /dpt\\9901.csv"), 400, path),
        case("a parameter of the path", ask("GET /dpt/9901.csv;v=1"), 400, path),
        case("an absolute form", ask("GET https://salinan.example/dpt/9901.csv"), 400, "request_form"),
        case(
            "an absolute form of the source",
            ask("GET http://127.0.0.1:1/dpt/9901.csv"),
            400,
            "request_form",
        ),
        case("the asterisk", ask("GET *"), 400, path),
        case("HTTP/1.0", get("").replace("HTTP/1.1", "HTTP/1.0"), 400, "http_version"),
        case("a body", format!("{}x", get("content-length: 1\r\n")), 400, "body_not_allowed"),
        case(
            "a body in chunks",
            format!("{}0\r\n\r\n", get("transfer-encoding: chunked\r\n")),
            400,
            "body_not_allowed",
        ),
        case(
            "a promised body",
            get("content-length: 10\r\nexpect: 100-continue\r\n"),
            400,
            "body_not_allowed",
        ),
    ];
    check(&proxy, &cases).await;
}

/// What hyper itself cannot read is answered with a bare 400, or not at all, and the connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_http_ends_the_connection() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let get = |headers: &str| with(&token, "GET /dpt/9901.csv", headers);
    let flood: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let cases = [
        ("two lengths", format!("{}xx", get("content-length: 1\r\ncontent-length: 2\r\n"))),
        (
            "a length and chunks",
            format!("{}0\r\n\r\n", get("content-length: 3\r\ntransfer-encoding: chunked\r\n")),
        ),
        ("chunks that are not the last coding", get("transfer-encoding: chunked, gzip\r\n")),
        ("an unknown coding", get("transfer-encoding: xchunked\r\n")),
        ("a blank before the colon", get("x-a : b\r\n")),
        ("a folded header", get("x-a: b\r\n c\r\n")),
        ("a NUL in the path", with(&token, "GET /dpt/\0.csv", "")),
        ("a NUL in a header", get("x-a: b\0c\r\n")),
        ("a blank in the path", with(&token, "GET /dpt/ 9901.csv", "")),
        ("headers past the limit in number", get(&flood)),
        ("headers past the limit in bytes", get(&format!("x-a: {}\r\n", "a".repeat(100_000)))),
        ("a method of blanks", with(&token, " /dpt/9901.csv", "")),
        ("nothing of the kind", "\x16\x03\x01\x02\r\n\r\n".to_owned()),
        ("connect", with(&token, "CONNECT 127.0.0.1:22", "")),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    for (name, request) in cases {
        let mut connection = proxy.client().open(&request).await;
        if let Some((status, _)) = connection.head().await {
            assert!((400..500).contains(&status), "{name}: {status}");
        }
        assert!(connection.is_closed_within(Duration::from_secs(5)).await, "{name}: not closed");
    }
    assert!(proxy.source.asked().is_empty());
}

/// Headers that would steer another proxy change nothing here: the copy is the one of the token, whole.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_would_steer_another_proxy_change_nothing() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let cases = [
        ("a range", "range: bytes=0-9\r\n"),
        ("several ranges", "range: bytes=0-1,5-6\r\nif-range: \"x\"\r\n"),
        ("a condition", "if-none-match: *\r\nif-modified-since: Sun, 01 Jan 2090 00:00:00 GMT\r\n"),
        ("another method", "x-http-method-override: DELETE\r\nx-http-method: PUT\r\n"),
        ("another path", "x-original-url: /dpt/9902.csv\r\nx-rewrite-url: /dpt/9902.csv\r\n"),
        ("another host", "x-forwarded-host: source.example\r\nforwarded: for=10.0.0.1;host=x\r\n"),
        ("another role", "x-role: bawaslu\r\nx_role: bawaslu\r\nx-user: admin\r\nremote-user: admin\r\n"),
        ("another identity beside", "x-authorization: Bearer x\r\nproxy-authorization: Bearer x\r\n"),
        ("hop by hop", "connection: authorization, close\r\n"),
        ("an upgrade", "connection: upgrade\r\nupgrade: websocket\r\n"),
        (
            "HTTP/2 without TLS",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
        ),
        ("codings of no route", "accept-encoding: deflate, compress\r\nte: trailers, gzip, chunked\r\n"),
        ("another type", "accept: text/html\r\n"),
        ("a traced request", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"),
        ("a body of no bytes", "content-length: 0\r\n"),
        ("a cookie", "cookie: session=1\r\n"),
    ];
    for (at, (name, headers)) in cases.iter().enumerate() {
        let reply = proxy.client().raw(with(&token, "GET /dpt/9901.csv", headers)).await.unwrap();
        assert_eq!((reply.status, reply.end), (200, End::Clean), "{name}");
        assert_eq!(reply.text(), form.released(3), "{name}");
        for forbidden in [
            "etag",
            "last-modified",
            "content-range",
            "accept-ranges",
            "content-encoding",
            "set-cookie",
            "upgrade",
        ] {
            assert_eq!(reply.header(forbidden), None, "{name}");
        }
        assert_eq!(proxy.source.asked().len(), at + 1, "{name}");
    }
    // That the source got none of them is checked when the proxy goes.
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_in_one_write_get_two_answers_and_each_its_own_requester() {
    let proxy = Proxy::start().await;
    let (partai, bawaslu) = (proxy.site.partai(), proxy.site.of_role("bawaslu"));
    let form = Form::Csv;
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let both =
        format!("{}{}{}", get(form.path(), &partai), get(form.path(), &bawaslu), get(form.path(), "x"));
    let mut connection = proxy.client().open(both).await;
    let first = connection.reply().await.unwrap();
    assert_eq!(first.text(), form.released(2));
    let second = connection.reply().await.unwrap();
    assert_eq!(second.text(), "nama,tanggal_lahir\nWARGA 0,1990\nWARGA 1,1990\n");
    let third = connection.reply().await.unwrap();
    assert_eq!((third.status, &*third.code()), (401, "invalid_token"));

    // The same over HTTP/2: identity belongs to the request, not to the connection.
    let client = proxy.client();
    let (mut requests, _driver) = client.open_h2().await;
    let first = client.ask_h2(&mut requests, form.path(), Some(&partai), &[]).await;
    let second = client.ask_h2(&mut requests, form.path(), Some(&bawaslu), &[]).await;
    let third = client.ask_h2(&mut requests, form.path(), None, &[]).await;
    let fourth =
        client.ask_h2(&mut requests, "/dpt/9902.csv", Some(&partai), &[("range", "bytes=0-1")]).await;
    assert_eq!(first.text(), form.released(2));
    assert_eq!(second.text(), "nama,tanggal_lahir\nWARGA 0,1990\nWARGA 1,1990\n");
    assert_eq!((third.status, &*third.code()), (401, "token_missing"));
    assert_eq!((fourth.status, &*fourth.code()), (403, "area_not_allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_problem_document_in_the_requesters_language() {
    let proxy = Proxy::start().await;
    let reply = proxy
        .client()
        .raw("GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\naccept-language: id-ID, en;q=0.5\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(reply.header("content-language"), Some("id"));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert!(reply.text().contains("Kirimkan token"), "{}", reply.text());
    let token = proxy.site.partai();
    let reply = proxy.client().raw(with(&token, "PUT /dpt/9901.csv", "content-length: 0\r\n")).await.unwrap();
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_out_of_force_gives_nothing() {
    for (from, until) in [("2090-01-01", "2099-12-31"), ("2023-06-21", "2023-12-31")] {
        let mut proxy = Proxy::start().await;
        assert_eq!(proxy.stop().map(|status| status.success()), Some(true));
        let policy = crate::support::fixture::POLICY.replace("2023-06-21", from).replace("2099-12-31", until);
        std::fs::write(proxy.site.path("policy.toml"), policy).unwrap();
        proxy.start_again();
        let own = proxy.site.partai();
        let cases = [case("out of force", get("/dpt/9901.csv", &own), 403, "policy_not_in_force")];
        check(&proxy, &cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_the_head_alone_is_no_release() {
    let proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Ndjson);
    let entries = proxy.site.records().len();
    let mut connection = proxy.client().open(with(&token, "HEAD /dpt/9901.ndjson", "")).await;
    let (status, headers) = connection.head().await.unwrap();
    let header = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    assert_eq!((status, header("content-type")), (200, Some(form.media_type())));
    assert_eq!((header("release-id"), header("content-length")), (None, None));
    // What follows on the connection is the next answer and no body.
    connection.send(with("x", "GET /dpt/9901.ndjson", "")).await;
    assert_eq!(connection.reply().await.unwrap().status, 401);
    let (mut requests, _driver) = proxy.client().open_h2().await;
    let head = http::Request::head(format!("https://{}{}", proxy.address, form.path()))
        .header("authorization", format!("Bearer {token}"));
    let (response, _) = requests.send_request(head.body(()).unwrap(), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    while let Some(piece) = body.data().await {
        assert!(piece.unwrap().is_empty());
    }
    assert!(proxy.source.asked().is_empty(), "nothing leaves, so nothing is asked");
    proxy.refusals(1).await;
    assert_eq!(proxy.site.records().len(), entries + 1, "the refusal and no release");
    // Where the policy does not list it, and for who may not have the copy, it is refused as any other.
    for (path, status) in [("/dpt/9901.csv", 405), ("/dpt/9902.ndjson", 403)] {
        let mut connection = proxy.client().open(with(&token, &format!("HEAD {path}"), "")).await;
        assert_eq!(connection.head().await.unwrap().0, status, "{path}");
    }
}
