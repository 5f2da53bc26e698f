//! Requests that only HTTP/2 can put so: refused like the rest, or reset.

use std::time::Duration;

use crate::support::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn what_only_http2_can_send_is_refused_like_the_rest() {
    let proxy = Proxy::start().await;
    let token = proxy.site.partai();
    let base = format!("https://{}", proxy.address);
    let request = |method: &str, path: &str| {
        http::Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header("authorization", format!("Bearer {token}"))
    };
    let plain = || request("GET", "/dpt/9901.csv");
    let flood = |mut built: http::request::Builder| {
        for number in 0..40 {
            built = built.header(format!("x-{number}"), "a".repeat(4_000));
        }
        built
    };
    // Name, request, whether a body follows, and the status; 0: a reset will do.
    let cases = [
        ("a body", plain(), true, 400),
        ("a length and a body", plain().header("content-length", "5"), true, 400),
        ("a length that lies", plain().header("content-length", "500"), true, 400),
        ("a post", request("POST", "/dpt/9901.csv"), true, 400),
        ("a dot segment", request("GET", "/dpt/../dpt/9901.csv"), false, 400),
        ("an escape", request("GET", "/dpt/%39901.csv"), false, 400),
        ("two tokens", plain().header("authorization", "Bearer x"), false, 401),
        ("headers without end", flood(plain()), false, 0),
    ];
    for (name, built, has_body, expected) in cases {
        let (mut requests, _driver) = proxy.client().open_h2().await;
        let (response, mut sender) = requests.send_request(built.body(()).unwrap(), !has_body).unwrap();
        if has_body {
            let _ = sender.send_data("nik=x".into(), true);
        }
        let answered = tokio::time::timeout(Duration::from_secs(10), response).await.expect("an end");
        match answered {
            Ok(response) if expected == 0 => assert!(response.status().is_client_error(), "{name}"),
            Ok(response) => assert_eq!(response.status().as_u16(), expected, "{name}"),
            Err(error) => assert!(error.is_reset() || expected == 0, "{name}: {error}"),
        }
    }
    assert!(proxy.source.asked().is_empty());
}
