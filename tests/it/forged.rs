//! Tokens that are signed by the right key and wrong all the same, beside some that are right: what the requester got,
//! and that the ledger has it. Which part is at fault is told to nobody but the operator.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::support::fixture::Form;
use crate::support::{Proxy, Site, stub};

const FORM: Form = Form::Csv;

/// Signs whatever the two parts are with the issuer's own key.
fn signed(site: &Site, header: &str, claims: &str) -> String {
    let pem = site.key.to_pem().unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der()).unwrap();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The member set to a value, or taken away.
fn changed(object: &Value, member: &str, value: Option<Value>) -> String {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(member.to_owned(), value)),
        None => drop(members.remove(member)),
    }
    object.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_the_right_key_does_not_make_a_token_right() {
    let proxy = Proxy::start().await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    let (client, site) = (proxy.client(), &proxy.site);
    let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": "test" });
    let claims = serde_json::to_value(site.claims()).unwrap();
    let now = claims["iat"].as_u64().unwrap();
    let jwk = site.key.to_jwk();
    let headers: Vec<(&str, Option<Value>, bool)> = vec![
        ("typ", Some(json!("at+jwt")), true),
        ("typ", Some(json!("application/at+jwt")), true),
        ("cty", Some(json!("json")), true),
        ("typ", Some(json!("JWT")), false),
        ("typ", Some(json!("logout+jwt")), false),
        ("typ", None, false),
        ("alg", Some(json!("none")), false),
        ("alg", Some(json!("HS256")), false),
        ("alg", Some(json!("RS256")), false),
        ("alg", None, false),
        ("kid", Some(json!("other")), false),
        ("kid", Some(json!(["test"])), false),
        ("kid", None, false),
        ("crit", Some(json!(["exp"])), false),
        ("jwk", Some(jwk), false),
        ("jku", Some(json!("https://elsewhere.example/jwks.json")), false),
        ("x5u", Some(json!("https://elsewhere.example/cert.pem")), false),
        ("x5c", Some(json!(["MIIB"])), false),
        ("b64", Some(json!(false)), false),
    ];
    let of_claims: Vec<(&str, Option<Value>, bool)> = vec![
        ("nonce", Some(json!("n")), true),
        ("aud", Some(json!(["portal", claims["aud"]])), true),
        ("nbf", Some(json!(now)), true),
        ("iss", None, false),
        ("iss", Some(json!([claims["iss"]])), false),
        ("sub", None, false),
        ("sub", Some(json!(7)), false),
        ("aud", None, false),
        ("aud", Some(json!({ "salinan": true })), false),
        ("client_id", None, false),
        ("jti", None, false),
        ("jti", Some(json!(null)), false),
        ("iat", None, false),
        ("iat", Some(json!(now + 600)), false),
        ("exp", None, false),
        ("exp", Some(json!((now + 600).to_string())), false),
        ("exp", Some(json!(1e300)), false),
        ("exp", Some(json!(-1)), false),
        ("nbf", Some(json!(now + 600)), false),
        ("role", Some(json!(["partai", "auditor"])), false),
        ("wilayah", Some(json!("9901")), false),
        ("cnf", Some(json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" })), false),
        ("cnf", Some(json!(null)), false),
    ];
    let mut tokens: Vec<(String, String, bool)> = Vec::new();
    for (member, value, is_right) in headers {
        let name = format!("header {member}: {value:?}");
        tokens.push((name, signed(site, &changed(&header, member, value), &claims.to_string()), is_right));
    }
    for (claim, value, is_right) in of_claims {
        let name = format!("claim {claim}: {value:?}");
        tokens.push((name, signed(site, &header.to_string(), &changed(&claims, claim, value)), is_right));
    }
    let (head, text) = (header.to_string(), claims.to_string());
    let twice = format!("{{\"exp\":{},{}", now + 9_999, &text[1..]);
    tokens.push(("a claim twice".to_owned(), signed(site, &head, &twice), false));
    let twice = format!("{{\"kid\":\"other\",{}", &head[1..]);
    tokens.push(("a member twice".to_owned(), signed(site, &twice, &text), false));
    tokens.push(("claims as a list".to_owned(), signed(site, &head, &format!("[{text}]")), false));

    for (name, token, is_right) in tokens {
        let before = proxy.refusals(0).await.len();
        let reply = client.get(FORM.path(), &token).await;
        if is_right {
            assert_eq!((reply.status, reply.text()), (200, FORM.released(3)), "{name}");
            assert_eq!(proxy.refusals(before).await.len(), before, "{name}");
        } else {
            assert_eq!((reply.status, &*reply.code()), (401, "invalid_token"), "{name}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{name}");
            assert_eq!(proxy.refusals(before + 1).await[before..], ["invalid_token"], "{name}");
        }
    }
}
