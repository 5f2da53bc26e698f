//! Request lines: methods, targets and versions.

use super::{Case, Outcome, line, not_http, refused, served};

fn path() -> Outcome {
    refused(400, "path_ambiguous")
}

pub fn cases() -> Vec<Case> {
    let get = |name, target: &str, outcome| line(name, &format!("GET {target} HTTP/1.1"), outcome);
    let odd = |name, text: &str| Case(name, format!("{text}\r\n@H\r\n@2"), not_http(400));
    let form = || refused(400, "request_form");
    let query = || refused(400, "query_malformed");
    let method = || refused(405, "method_not_allowed");
    vec![
        get("a plain target", "/dpt/9901.csv", served()),
        get(
            "a parameter",
            "/dpt/9901.csv?halaman=2",
            Outcome { asked: vec!["GET /dpt/9901.csv?halaman=2 HTTP/1.1"], ..served() },
        ),
        // Forms of the target.
        get("an absolute form", "https://salinan.example/dpt/9901.csv", form()),
        get("an absolute form of another host", "https://other.example/dpt/9901.csv", form()),
        get("an absolute form without TLS", "http://salinan.example/dpt/9901.csv", form()),
        get("an absolute form with a user", "http://u:p@salinan.example/dpt/9901.csv", form()),
        get("an absolute form of another scheme", "file://a/dpt/9901.csv", form()),
        get("an authority", "salinan.example:443", form()),
        get("a name alone", "salinan.example", form()),
        get("an asterisk", "*", path()),
        get("a path without a slash", "dpt/9901.csv", not_http(400)),
        line("a tunnel", "CONNECT salinan.example:443 HTTP/1.1", form()),
        line("a tunnel to a path", "CONNECT /dpt/9901.csv HTTP/1.1", method()),
        line("options of everything", "OPTIONS * HTTP/1.1", method()),
        line("options of a path", "OPTIONS /dpt/9901.csv HTTP/1.1", method()),
        line("a trace", "TRACE /dpt/9901.csv HTTP/1.1", method()),
        line("a method in small letters", "get /dpt/9901.csv HTTP/1.1", method()),
        line("an invented method", "GETX /dpt/9901.csv HTTP/1.1", method()),
        line("a method of WebDAV", "PROPFIND /dpt/9901.csv HTTP/1.1", method()),
        // Paths.
        get("two slashes first", "//dpt/9901.csv", path()),
        get("two slashes that name a host", "//other.example/dpt/9901.csv", path()),
        get("two slashes inside", "/dpt//9901.csv", path()),
        get("a slash at the end", "/dpt/9901.csv/", path()),
        get("a dot", "/./dpt/9901.csv", path()),
        get("two dots", "/dpt/../dpt/9901.csv", path()),
        get("two dots at the end", "/dpt/9901.csv/..", path()),
        get("two dots and a parameter", "/dpt/..;/dpt/9901.csv", path()),
        get("an escaped dot", "/dpt/%2e/9901.csv", path()),
        get("two escaped dots", "/dpt/%2e%2E/dpt/9901.csv", path()),
        get("a dot and an escaped one", "/dpt/.%2e/dpt/9901.csv", path()),
        get("dots escaped twice", "/dpt/%252e%252e/dpt/9901.csv", path()),
        get("an escaped slash", "/dpt%2f9901.csv", path()),
        get("an escaped backslash", "/dpt%5c9901.csv", path()),
        get("a backslash", "/dpt\\9901.csv", path()),
        get("backslashes that go up", "/dpt/..\\..\\dpt/9901.csv", path()),
        get("an escaped NUL", "/dpt/9901.csv%00.html", path()),
        get("an escaped line", "/dpt/9901.csv%0d%0ax:%20y", path()),
        get("an escaped request", "/dpt/9901.csv%20HTTP/1.1%0d%0a%0d%0aGET%20/dpt/9902.csv", path()),
        get("an escaped letter", "/dpt/9901.cs%76", path()),
        get("half an escape", "/dpt/9901.csv%2", path()),
        get("an escape of no number", "/dpt/9901.csv%zz", path()),
        get("an escape of sixteen bits", "/dpt%u002f9901.csv", path()),
        get("an overlong slash", "/dpt%c0%af9901.csv", path()),
        get("an overlong dot", "/dpt/%c0%ae%c0%ae/9901.csv", path()),
        get("a parameter of the path", "/dpt/9901.csv;a=b", path()),
        get("a parameter of a folder", "/dpt;a=b/9901.csv", path()),
        get("a plus", "/dpt/9901.csv+", path()),
        get("a colon", "/dpt:9901.csv", path()),
        get("a letter beyond ASCII", "/dpt/9901.csv\u{e9}", path()),
        get("a full-width slash", "/dpt\u{ff0f}9901.csv", path()),
        get("an empty path", "/", path()),
        // No reader behind this one sees what stands behind `#`, for it is left out of what is read.
        get("a fragment", "/dpt/9901.csv#/../9902.csv", served()),
        get("a fragment before a query", "/dpt/9901.csv#?halaman=2", served()),
        get("a long path", &format!("/dpt/{}", "a".repeat(2_000)), path()),
        get("a target past the limit", &format!("/{}", "a".repeat(70_000)), not_http(431)),
        // Queries.
        get("a question mark twice", "/dpt/9901.csv?halaman=1?halaman=2", query()),
        get("a query in an escape", "/dpt/9901.csv%3fhalaman=1", path()),
        get("a parameter twice", "/dpt/9901.csv?halaman=1&halaman=2", refused(400, "parameter_repeated")),
        get("a parameter behind a semicolon", "/dpt/9901.csv?halaman=1;halaman=2", query()),
        get("a parameter in an escape", "/dpt/9901.csv?halaman=1%26tps=9902011001001", query()),
        get("a line in the query", "/dpt/9901.csv?halaman=1%0d%0ax:y", query()),
        get("a path in the query", "/dpt/9901.csv?halaman=/../9902.csv", query()),
        get("no query", "/dpt/9901.csv?", query()),
        // Versions.
        line("HTTP/1.0", "GET /dpt/9901.csv HTTP/1.0", refused(400, "http_version")),
        odd("no version", "GET /dpt/9901.csv"),
        odd("HTTP/0.9", "GET /dpt/9901.csv HTTP/0.9"),
        odd("HTTP/1.2", "GET /dpt/9901.csv HTTP/1.2"),
        odd("HTTP/2.0", "GET /dpt/9901.csv HTTP/2.0"),
        odd("HTTP/1.10", "GET /dpt/9901.csv HTTP/1.10"),
        odd("HTTP/11", "GET /dpt/9901.csv HTTP/11"),
        odd("a version in small letters", "GET /dpt/9901.csv http/1.1"),
        odd("another protocol", "GET /dpt/9901.csv ICAP/1.0"),
        // The line itself.
        odd("two blanks before the target", "GET  /dpt/9901.csv HTTP/1.1"),
        odd("two blanks before the version", "GET /dpt/9901.csv  HTTP/1.1"),
        odd("a blank in the target", "GET /dpt/9901.csv /dpt/9902.csv HTTP/1.1"),
        odd("a tab before the target", "GET\t/dpt/9901.csv HTTP/1.1"),
        odd("a tab in the target", "GET /dpt/\t9901.csv HTTP/1.1"),
        odd("a blank before the method", " GET /dpt/9901.csv HTTP/1.1"),
        odd("a blank behind the version", "GET /dpt/9901.csv HTTP/1.1 "),
        odd("a return in the target", "GET /dpt/\r9901.csv HTTP/1.1"),
        odd("NUL in the target", "GET /dpt/9901.csv\0 HTTP/1.1"),
        odd("NUL in the method", "G\0ET /dpt/9901.csv HTTP/1.1"),
        odd("a delete in the target", "GET /dpt/9901.csv\x7f HTTP/1.1"),
        odd("a colon in the method", "GET: /dpt/9901.csv HTTP/1.1"),
        odd("no method", "/dpt/9901.csv HTTP/1.1"),
        odd("a line of nothing but blanks", "  "),
        Case("empty lines before", "\r\n\r\nGET /dpt/9901.csv HTTP/1.1\r\n@H\r\n".to_owned(), served()),
        Case(
            "the whole in line feeds",
            "GET /dpt/9901.csv HTTP/1.1\nhost: a\nauthorization: Bearer @T\n\n".to_owned(),
            served(),
        ),
    ]
}
