//! Headers: their spelling, who is named by them, and those that would steer another server.

use super::{Case, PLAIN, closed, not_http, refused, served, with};

pub fn cases() -> Vec<Case> {
    // Headers in place of a good token's line.
    let named = |name, headers: &str, outcome| {
        Case(name, format!("{PLAIN}\r\nhost: salinan.example\r\n{headers}\r\n\r\n"), outcome)
    };
    // Headers in place of a good host's line.
    let host = |name, headers: &str, outcome| {
        Case(name, format!("{PLAIN}\r\n{headers}authorization: Bearer @T\r\n\r\n"), outcome)
    };
    let odd = |name, header: &str| with(name, &format!("{header}\r\n"), "@2", not_http(400));
    let steering = |name, header: &str| with(name, &format!("{header}\r\n"), "", served());
    let token = || refused(401, "invalid_token");
    let missing = || refused(401, "token_missing");
    let no_host = || refused(400, "host_malformed");
    let many = |count: usize| (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    let long = |count: usize| format!("x: {}\r\n", "a".repeat(count));
    vec![
        // Lines.
        odd("a folded line", "x: a\r\n b"),
        odd("a line folded by a tab", "x: a\r\n\tb"),
        odd("a folded token", "authorization: Bearer\r\n @T"),
        odd("a blank before the first line", " x: a"),
        odd("a blank before the colon", "x : a"),
        odd("a tab before the colon", "x\t: a"),
        odd("no colon", "x"),
        odd("no name", ": a"),
        odd("a name in quotes", "\"x\": a"),
        odd("a name with a slash", "x/y: a"),
        odd("a name beyond ASCII", "x\u{e9}: a"),
        odd("NUL in a name", "x\0y: a"),
        odd("NUL in a value", "x: a\0b"),
        odd("NUL behind a value", "x: a\0"),
        odd("a bell in a value", "x: a\x07b"),
        odd("an escape in a value", "x: a\x1b[2Jb"),
        odd("a delete in a value", "x: a\x7fb"),
        odd("a vertical tab in a value", "x: a\x0bb"),
        odd("a bare return in a value", "x: a\rb"),
        odd("a bare return in a name", "x\ry: a"),
        odd("two returns at the end of a line", "x: a\r"),
        steering("a tab in a value", "x: a\tb"),
        steering("a value beyond ASCII", "x: caf\u{e9}"),
        steering("an empty value", "x:"),
        // A line feed alone ends a line too (RFC 9112, section 2.2): what it hides from others is seen here.
        with(
            "chunks behind a bare line feed",
            "x: a\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n@2",
            refused(400, "body_not_allowed"),
        ),
        with("a second token behind a bare line feed", "x: a\nauthorization: Bearer @T\r\n", "", token()),
        with("a second host behind a bare line feed", "x: a\nhost: b\r\n", "", no_host()),
        with("lines past the limit", &many(200), "", not_http(431)),
        with("a line past the limit", &long(100_000), "", not_http(431)),
        with("as many lines as are read", &many(62), "", served()),
        with("one line more than is read", &many(63), "", not_http(431)),
        with("a long line", &long(16_000), "", served()),
        // Who is asked.
        host("no host", "", no_host()),
        host("two hosts", "host: a\r\nhost: b\r\n", no_host()),
        host("the same host twice", "host: a\r\nhost: a\r\n", no_host()),
        host("an empty host", "host:\r\n", no_host()),
        host("a host with a user", "host: salinan.example@b\r\n", no_host()),
        host("a host with a user and a password", "host: u:p@b\r\n", no_host()),
        host("two hosts in one line", "host: a, b\r\n", no_host()),
        host("two hosts and a blank", "host: a b\r\n", no_host()),
        host("a host with a path", "host: a/dpt/9902.csv\r\n", no_host()),
        host("a host with a query", "host: a?b\r\n", no_host()),
        host("a host with a fragment", "host: a#b\r\n", no_host()),
        host("a host with a word for a port", "host: a:b\r\n", no_host()),
        host("a host with a port past the last", "host: a:65536\r\n", no_host()),
        host("a host with two ports", "host: a:1:2\r\n", no_host()),
        host("a host beyond ASCII", "host: caf\u{e9}\r\n", no_host()),
        host("a host with a blank before the colon", "host : a\r\n", not_http(400)),
        host("another host", "host: other.example\r\n", served()),
        host("a host with a port", "host: salinan.example:8443\r\n", served()),
        host("an address", "host: [::1]:8443\r\n", served()),
        // Who asks.
        named("a token behind a hop", "connection: authorization\r\nauthorization: Bearer @T", served()),
        named("two tokens", "authorization: Bearer @T\r\nauthorization: Bearer @T", token()),
        named(
            "a token, then another scheme",
            "authorization: Bearer @T\r\nauthorization: Basic eDp5",
            token(),
        ),
        named("an empty token, then one", "authorization:\r\nauthorization: Bearer @T", token()),
        named("two tokens in a line", "authorization: Bearer @T, Bearer @T", token()),
        named("a token for a proxy", "proxy-authorization: Bearer @T", missing()),
        named("a token by another name", "x-authorization: Bearer @T", missing()),
        named("a token with an underscore", "authorization_: Bearer @T", missing()),
        named("a forwarded token", "x-forwarded-authorization: Bearer @T", missing()),
        // What would steer another server.
        steering("another method", "x-http-method-override: DELETE"),
        steering("another method by a shorter name", "x-method-override: PUT"),
        steering("another path", "x-original-url: /dpt/9902.csv"),
        steering("a rewritten path", "x-rewrite-url: /dpt/9902.csv"),
        steering("a destination", "destination: /dpt/9902.csv"),
        steering("a forwarded host", "forwarded: for=10.0.0.1;host=other.example;proto=http"),
        steering("forwarded by other names", "x-forwarded-for: 10.0.0.1\r\nx-forwarded-host: other.example"),
        steering("a token for a proxy beside", "proxy-authorization: Basic eDp5"),
        steering("a kept connection of a proxy", "proxy-connection: keep-alive"),
        steering("hops that are not", "connection: host, accept, x-a\r\nx-a: b"),
        steering("a kept connection", "connection: keep-alive\r\nkeep-alive: timeout=600"),
        steering("a range", "range: bytes=0-9"),
        steering("a range under a condition", "range: bytes=0-9\r\nif-range: \"a\""),
        steering("a condition", "if-none-match: *\r\nif-match: \"a\""),
        steering("a date", "if-modified-since: Sun, 01 Jan 2090 00:00:00 GMT"),
        steering("trailers", "te: trailers"),
        steering("trailers as a hop", "te: trailers\r\nconnection: te"),
        steering("trailers that are named", "trailer: content-length"),
        steering(
            "an upgrade to a socket",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13",
        ),
        steering(
            "an upgrade to HTTP/2",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk",
        ),
        steering("an upgrade to TLS", "connection: upgrade\r\nupgrade: TLS/1.3"),
        // Nothing but a head that ends.
        Case("nothing of HTTP", "\x16\x03\x01\x02\x00\r\n\r\n".to_owned(), not_http(400)),
        Case("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), closed()),
    ]
}
