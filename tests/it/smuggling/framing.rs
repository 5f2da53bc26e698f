//! Where a request ends: lengths, chunks, and requests behind requests.

use super::{
    Case, Outcome, PLAIN, not_http, refused, refused_and_closed, served, served_then_not_http, with,
};

fn body() -> Outcome {
    refused(400, "body_not_allowed")
}

pub fn cases() -> Vec<Case> {
    let chunked = "transfer-encoding: chunked\r\n";
    let chunks = |name, behind: &str| with(name, chunked, behind, body());
    let length =
        |name, value: &str, outcome| with(name, &format!("content-length: {value}\r\n"), "@2", outcome);
    let coding = |name, line: &str, outcome| with(name, &format!("{line}\r\n"), "0\r\n\r\n@2", outcome);
    vec![
        // Two framings at once.
        with(
            "a length, then chunks",
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n@2",
            body(),
        ),
        with(
            "chunks, then a length",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            "0\r\n\r\n@2",
            body(),
        ),
        with(
            "no length, then chunks",
            "content-length: 0\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n@2",
            body(),
        ),
        with("chunks, then no length", "transfer-encoding: chunked\r\ncontent-length: 0\r\n", "@2", body()),
        with(
            "chunks and two lengths",
            "content-length: 1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n",
            "0\r\n\r\n@2",
            body(),
        ),
        // Spellings of the coding.
        coding("chunked with a blank behind", "transfer-encoding: chunked ", body()),
        coding("chunked with two blanks before", "transfer-encoding:  chunked", body()),
        coding("chunked with a tab before", "transfer-encoding:\tchunked", body()),
        coding("chunked without a blank", "transfer-encoding:chunked", body()),
        coding("chunked in capitals", "TRANSFER-ENCODING: CHUNKED", body()),
        coding("chunked behind another", "transfer-encoding: gzip, chunked", body()),
        coding("chunked twice", "transfer-encoding: chunked, chunked", body()),
        coding(
            "two lines, the last chunked",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked",
            body(),
        ),
        coding(
            "two lines, the first chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            not_http(400),
        ),
        coding("chunked and one more", "transfer-encoding: chunked, identity", not_http(400)),
        coding("chunked with an x", "transfer-encoding: xchunked", not_http(400)),
        coding("chunked in quotes", "transfer-encoding: \"chunked\"", not_http(400)),
        coding("chunked with a parameter", "transfer-encoding: chunked;q=1", not_http(400)),
        coding("no coding", "transfer-encoding:", not_http(400)),
        coding("identity", "transfer-encoding: identity", not_http(400)),
        coding("chunked behind a vertical tab", "transfer-encoding: \x0bchunked", not_http(400)),
        coding("a blank before the colon", "transfer-encoding : chunked", not_http(400)),
        coding("the name behind a blank", " transfer-encoding: chunked", not_http(400)),
        coding("the name behind a bare return", "x: y\rtransfer-encoding: chunked", not_http(400)),
        // Not the header, so no body: what follows the head is read as a request, and is none.
        coding("an underscore in the name", "transfer_encoding: chunked", served_then_not_http()),
        coding("a dot in the name", "transfer.encoding: chunked", served_then_not_http()),
        coding("another name", "x-transfer-encoding: chunked", served_then_not_http()),
        with("a length by another name", "content_length: 5\r\n", "abcde\r\n\r\n", served_then_not_http()),
        // Lengths.
        length("a length of the second request", "120", body()),
        length("a length that ends inside it", "7", body()),
        length("a length in zeros", "0007", body()),
        with("a length of no bytes in zeros", "content-length: 00\r\n", "", body()),
        with("the same length twice", "content-length: 7\r\ncontent-length: 7\r\n", "@2", body()),
        with("two lengths", "content-length: 7\r\ncontent-length: 0\r\n", "@2", not_http(400)),
        with(
            "two lengths, the first none",
            "content-length: 0\r\ncontent-length: 7\r\n",
            "@2",
            not_http(400),
        ),
        length("a list of lengths", "7, 7", not_http(400)),
        length("a list of two lengths", "0, 7", not_http(400)),
        length("a length with a plus", "+7", not_http(400)),
        length("a length with a minus", "-7", not_http(400)),
        length("a hexadecimal length", "0x7", not_http(400)),
        length("a length with a letter", "7a", not_http(400)),
        length("a length with a point", "7.0", not_http(400)),
        length("a length in two words", "0 7", not_http(400)),
        length("a length with an exponent", "1e1", not_http(400)),
        length("an empty length", "", not_http(400)),
        length("a length in other digits", "\u{0667}", not_http(400)),
        length("a length past 64 bits", "18446744073709551616", not_http(400)),
        length("the largest length", "18446744073709551615", not_http(431)),
        with("a length and no blank", "content-length:7\r\n", "@2", body()),
        // Chunks: none is read, whatever they say.
        chunks("no chunk", "0\r\n\r\n@2"),
        chunks("a chunk of the second request", "78\r\n@2\r\n0\r\n\r\n"),
        chunks("a negative chunk", "-1\r\n@2"),
        chunks("a chunk past 64 bits", "10000000000000000\r\n@2"),
        chunks("a chunk with an extension", "0;a=b\r\n\r\n@2"),
        chunks("a chunk with a line in its extension", "0;a=\"\n\"\r\n\r\n@2"),
        chunks("a chunk with a prefix", "0x0\r\n\r\n@2"),
        chunks("a chunk behind a bare line feed", "0\n\n@2"),
        chunks("a chunk without its end", "1\r\naa0\r\n\r\n@2"),
        chunks("a trailer that is a length", "0\r\ncontent-length: 7\r\n\r\n@2"),
        chunks("a trailer that is a coding", "0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n@2"),
        chunks("a trailer that is a token", "0\r\nauthorization: Bearer @T\r\n\r\n@2"),
        // Promises of a body.
        with("a promised body", "content-length: 7\r\nexpect: 100-continue\r\n", "@2", body()),
        with(
            "a promised body in chunks",
            &format!("{chunked}expect: 100-continue\r\n"),
            "0\r\n\r\n@2",
            body(),
        ),
        with("a promise without a body", "expect: 100-continue\r\n", "", served()),
        with("another expectation", "expect: 200-ok\r\n", "", served()),
        // Bodies of who may not ask.
        Case(
            "chunks and a length without a token",
            format!("{PLAIN}\r\nhost: a\r\ncontent-length: 4\r\n{chunked}\r\n0\r\n\r\n@2"),
            refused_and_closed(401, "token_missing"),
        ),
        Case(
            "a length without a token",
            format!("{PLAIN}\r\nhost: a\r\ncontent-length: 7\r\n\r\n@2"),
            refused_and_closed(401, "token_missing"),
        ),
        Case(
            "a posted body",
            "POST /dpt/9901.csv HTTP/1.1\r\n@Hcontent-length: 7\r\n\r\n@2".to_owned(),
            body(),
        ),
        // Requests behind requests, each by itself.
        with("a plain request", "", "", served()),
        with("a length of no bytes", "content-length: 0\r\n", "", served()),
        with(
            "two plain requests",
            "",
            "GET /dpt/9901.csv?halaman=2 HTTP/1.1\r\n@H\r\n",
            Outcome {
                answers: vec![(200, ""), (200, "")],
                closes: false,
                asked: vec![PLAIN, "GET /dpt/9901.csv?halaman=2 HTTP/1.1"],
            },
        ),
        with(
            "a second request without a token",
            "",
            "GET /dpt/9901.csv HTTP/1.1\r\nhost: a\r\n\r\n",
            Outcome { answers: vec![(200, ""), (401, "token_missing")], closes: false, asked: vec![PLAIN] },
        ),
        with(
            "a second request behind the last",
            "connection: close\r\n",
            "@2",
            Outcome { closes: true, ..served() },
        ),
        with("a line behind the request", "", "\r\n", served()),
        with("nonsense behind the request", "", "\0\r\n\r\n", served_then_not_http()),
    ]
}
