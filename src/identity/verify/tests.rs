//! Every way to be wrong beside one that is right; the clock stands at `NOW`. They are one piece, to be read as one list.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use http::HeaderValue;
use serde_json::json;

use super::super::issue::SigningKey;
use super::super::keys::Algorithm;
use super::*;

mod issuers;

const NOW: u64 = 1_750_000_000;

/// One key of each algorithm, two of ES256, and one that the key file does not hold.
static KEYS: LazyLock<[SigningKey; 5]> = LazyLock::new(|| {
    [
        (Algorithm::Es256, "es"),
        (Algorithm::EdDsa, "ed"),
        (Algorithm::Rs256, "rs"),
        (Algorithm::Es256, "es-2"),
        (Algorithm::Es256, "es"),
    ]
    .map(|(algorithm, kid)| SigningKey::generate(algorithm, Some(kid)).unwrap())
});
const STRANGER: usize = 4;

fn verifier() -> Verifier {
    let keys: Vec<Value> = KEYS[..STRANGER].iter().map(SigningKey::to_jwk).collect();
    let keys = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    Verifier::of_one(IssuerOptions::new("https://kpu.example", "salinan", keys))
}

fn good_header() -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": "es" })
}

fn good_claims() -> Value {
    json!({
        "iss": "https://kpu.example", "sub": "saksi-7", "aud": "salinan", "client_id": "partai-7",
        "jti": "0197b3f0-0000-7000-8000-000000000001", "iat": NOW - 60, "exp": NOW + 3600, "role": "partai",
        "party": { "election": "pemilu-2024", "number": 7 }, "level": "kabkota", "wilayah": ["9901"],
        "mandate": "015/SM/VI/2023",
    })
}

fn signed(header: &Value, claims: &Value) -> String {
    KEYS[0].sign_parts(header.to_string().as_bytes(), claims.to_string().as_bytes()).unwrap()
}

fn verified(token: &str) -> Result<(), IdentityError> {
    verifier().verify_token(token, None, NOW).map(drop)
}

fn shape(claim: &'static str) -> Result<(), IdentityError> {
    Err(IdentityError::ClaimShape { claim })
}

#[test]
fn a_token_becomes_the_requester_it_speaks_for() {
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", signed(&good_header(), &good_claims()));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).unwrap());
    let mut known = None;
    let requester = verifier().verify(&headers, None, NOW, &mut known).unwrap();
    assert_eq!(known.as_ref(), Some(&requester));
    assert_eq!(requester.subject, "saksi-7");
    assert_eq!(requester.client_id, "partai-7");
    assert_eq!(requester.issuer, "https://kpu.example");
    assert_eq!(requester.token_id, "0197b3f0-0000-7000-8000-000000000001");
    assert_eq!(requester.role.as_str(), "partai");
    assert_eq!(requester.party.unwrap().to_string(), "pemilu-2024/7");
    assert_eq!(requester.scope.wilayah, ["9901".parse().unwrap()]);
    assert_eq!(requester.mandate.as_deref(), Some("015/SM/VI/2023"));
    assert_eq!(requester.expires_at_s, NOW + 3600);
}

/// Each case sets one claim to a value, or takes it away.
type ClaimCase = (&'static str, Option<Value>, Result<(), IdentityError>);

fn check_claims(cases: Vec<ClaimCase>) {
    for (claim, value, expected) in cases {
        let mut claims = good_claims();
        let name = format!("{claim}: {value:?}");
        match value {
            Some(value) => claims[claim] = value,
            None => drop(claims.as_object_mut().unwrap().remove(claim)),
        }
        assert_eq!(verified(&signed(&good_header(), &claims)), expected, "{name}");
    }
}

#[test]
fn each_claim_is_needed_in_its_own_type_and_form() {
    let cases = vec![
        ("iss", None, Err(IdentityError::ClaimMissing { claim: "iss" })),
        ("iss", Some(json!("https://kpu.example/")), Err(IdentityError::Issuer)),
        ("iss", Some(json!(["https://kpu.example"])), shape("iss")),
        ("iss", Some(json!(null)), shape("iss")),
        ("aud", None, Err(IdentityError::ClaimMissing { claim: "aud" })),
        ("aud", Some(json!("portal")), Err(IdentityError::Audience)),
        ("aud", Some(json!("Salinan")), Err(IdentityError::Audience)),
        ("aud", Some(json!(["portal", "salinan"])), Ok(())),
        ("aud", Some(json!(["portal"])), Err(IdentityError::Audience)),
        ("aud", Some(json!([])), shape("aud")),
        ("aud", Some(json!(["salinan", 1])), shape("aud")),
        ("aud", Some(json!({ "salinan": true })), shape("aud")),
        ("sub", None, Err(IdentityError::ClaimMissing { claim: "sub" })),
        ("sub", Some(json!(7)), shape("sub")),
        ("sub", Some(json!("")), shape("sub")),
        ("sub", Some(json!("a".repeat(128))), Ok(())),
        ("sub", Some(json!("a".repeat(129))), shape("sub")),
        ("sub", Some(json!("saksi\n7")), shape("sub")),
        ("sub", Some(json!("saksi\u{202e}7")), shape("sub")),
        ("sub", Some(json!("9901014512900003")), Err(IdentityError::PersonalNumber { claim: "sub" })),
        ("sub", Some(json!("990101451290000")), Ok(())),
        ("client_id", None, Err(IdentityError::ClaimMissing { claim: "client_id" })),
        ("client_id", Some(json!(true)), shape("client_id")),
        (
            "client_id",
            Some(json!("p-99.0101.451290.0003")),
            Err(IdentityError::PersonalNumber { claim: "client_id" }),
        ),
        ("jti", None, Err(IdentityError::ClaimMissing { claim: "jti" })),
        ("jti", Some(json!(1)), shape("jti")),
        ("exp", None, Err(IdentityError::ClaimMissing { claim: "exp" })),
        ("exp", Some(json!((NOW + 3600).to_string())), shape("exp")),
        ("exp", Some(json!(1_750_003_600.5)), shape("exp")),
        ("exp", Some(json!(-1)), shape("exp")),
        ("exp", Some(json!(null)), shape("exp")),
        ("exp", Some(json!(NOW - 4)), Ok(())),
        ("exp", Some(json!(NOW - 5)), Err(IdentityError::Expired { ago_s: 5 })),
        ("exp", Some(json!(NOW - 60)), Err(IdentityError::Lifetime { limit_s: 86_400 })),
        ("exp", Some(json!(NOW - 60 + 86_400)), Ok(())),
        ("exp", Some(json!(NOW - 60 + 86_401)), Err(IdentityError::Lifetime { limit_s: 86_400 })),
        ("exp", Some(json!(u64::MAX)), Err(IdentityError::Lifetime { limit_s: 86_400 })),
        ("iat", None, Err(IdentityError::ClaimMissing { claim: "iat" })),
        ("iat", Some(json!("now")), shape("iat")),
        ("iat", Some(json!(NOW + 5)), Ok(())),
        ("iat", Some(json!(NOW + 6)), Err(IdentityError::Future { claim: "iat" })),
        ("nbf", None, Ok(())),
        ("nbf", Some(json!(NOW + 5)), Ok(())),
        ("nbf", Some(json!(NOW + 6)), Err(IdentityError::Future { claim: "nbf" })),
        ("nbf", Some(json!("0")), shape("nbf")),
        ("nbf", Some(json!(null)), shape("nbf")),
    ];
    check_claims(cases);
}

#[test]
fn role_area_and_mandate_are_needed_in_their_own_type_and_form() {
    let cases = vec![
        ("role", None, Err(IdentityError::ClaimMissing { claim: "role" })),
        ("role", Some(json!("Partai")), shape("role")),
        ("role", Some(json!(["partai", "kpu"])), shape("role")),
        ("role", Some(json!("bawaslu")), Ok(())),
        ("party", None, Err(IdentityError::ClaimMissing { claim: "party" })),
        ("party", Some(json!(["pemilu-2024", 7])), shape("party")),
        ("party", Some(json!({ "election": "pemilu-2024" })), shape("party")),
        ("party", Some(json!({ "election": "pemilu-2024", "number": "7" })), shape("party")),
        ("party", Some(json!({ "election": "pemilu-2024", "number": 0 })), shape("party")),
        ("party", Some(json!({ "election": "pemilu-2024", "number": 65_536 })), shape("party")),
        ("party", Some(json!({ "election": "pemilu-2024", "number": 65_535 })), Ok(())),
        ("party", Some(json!({ "election": "pemilu-2024", "number": 7, "x": 1 })), shape("party")),
        ("party", Some(json!({ "election": "Pemilu 2024", "number": 7 })), shape("party")),
        (
            "party",
            Some(json!({ "election": "9901014512900003", "number": 7 })),
            Err(IdentityError::PersonalNumber { claim: "party" }),
        ),
        ("level", None, Err(IdentityError::ClaimMissing { claim: "level" })),
        ("level", Some(json!("DPC")), shape("level")),
        ("level", Some(json!(4)), shape("level")),
        ("level", Some(json!("kecamatan")), Err(IdentityError::AreaLevel)),
        ("wilayah", None, Err(IdentityError::ClaimMissing { claim: "wilayah" })),
        ("wilayah", Some(json!("9901")), shape("wilayah")),
        ("wilayah", Some(json!([9901])), shape("wilayah")),
        ("wilayah", Some(json!(["99x1"])), shape("wilayah")),
        ("wilayah", Some(json!(["9901", "9902"])), Ok(())),
        ("wilayah", Some(json!(["99"])), Err(IdentityError::AreaLevel)),
        ("wilayah", Some(json!(["9901", "990101"])), Err(IdentityError::AreaLevel)),
        ("wilayah", Some(json!([])), Err(IdentityError::AreaCount { limit: 64 })),
        ("wilayah", Some(json!(vec!["9901"; 64])), Ok(())),
        ("wilayah", Some(json!(vec!["9901"; 65])), Err(IdentityError::AreaCount { limit: 64 })),
        ("mandate", None, Err(IdentityError::ClaimMissing { claim: "mandate" })),
        ("mandate", Some(json!(null)), shape("mandate")),
        ("mandate", Some(json!(15)), shape("mandate")),
        (
            "mandate",
            Some(json!("NIK 9901014512900003")),
            Err(IdentityError::PersonalNumber { claim: "mandate" }),
        ),
        ("cnf", Some(json!({ "jkt": "x" })), Err(IdentityError::Bound)),
        ("nonce", Some(json!("one more claim")), Ok(())),
    ];
    check_claims(cases);
}

#[test]
fn areas_and_party_are_needed_as_the_role_and_level_say() {
    let cases = [
        (json!({ "role": "auditor", "level": "nasional", "wilayah": [] }), Ok(())),
        (
            json!({ "role": "bawaslu", "level": "nasional", "wilayah": [] }),
            Err(IdentityError::AreaCount { limit: 64 }),
        ),
        (json!({ "role": "kpu", "level": "nasional", "wilayah": ["99"] }), Ok(())),
        (json!({ "role": "kpu", "level": "nasional", "wilayah": ["9901"] }), Err(IdentityError::AreaLevel)),
        (json!({ "role": "kpu", "level": "provinsi", "wilayah": ["99"] }), Ok(())),
        (json!({ "role": "kpu", "level": "kecamatan", "wilayah": ["99.01.01"] }), Ok(())),
        (json!({ "role": "kpu", "level": "desa", "wilayah": ["9901011001"] }), Ok(())),
        (json!({ "role": "kpu", "level": "desa", "wilayah": ["9901011001001"] }), shape("wilayah")),
    ];
    for (change, expected) in cases {
        let mut claims = good_claims();
        let members = claims.as_object_mut().unwrap();
        members.remove("party");
        members.remove("mandate");
        members.extend(change.as_object().unwrap().clone());
        assert_eq!(verified(&signed(&good_header(), &claims)), expected, "{change}");
    }
}

#[test]
fn the_header_can_neither_choose_an_algorithm_nor_bring_a_key() {
    let refused = |member| Err(IdentityError::HeaderMember { member });
    let bad = |member| Err(IdentityError::HeaderShape { member });
    let cases: Vec<(&str, Option<Value>, Result<(), IdentityError>)> = vec![
        ("typ", Some(json!("application/at+jwt")), Ok(())),
        ("typ", Some(json!("AT+JWT")), Ok(())),
        ("typ", Some(json!("JWT")), Err(IdentityError::Type)),
        ("typ", Some(json!("id+jwt")), Err(IdentityError::Type)),
        ("typ", None, bad("typ")),
        ("typ", Some(json!(1)), bad("typ")),
        ("alg", Some(json!("none")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!("None")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!("es256")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!("HS256")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!("EdDSA")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!("RS256")), Err(IdentityError::Algorithm)),
        ("alg", Some(json!(["ES256"])), bad("alg")),
        ("alg", None, bad("alg")),
        ("kid", Some(json!("unknown")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("ES")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("es\0")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("../../dev/null")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("' or '1'='1")), Err(IdentityError::UnknownKey)),
        ("kid", Some(json!("es-2")), Err(IdentityError::Signature)),
        ("kid", Some(json!("ed")), Err(IdentityError::Algorithm)),
        ("kid", Some(json!(["es"])), bad("kid")),
        ("kid", None, bad("kid")),
        ("crit", Some(json!(["exp"])), refused("crit")),
        ("crit", Some(json!([])), refused("crit")),
        ("jwk", Some(KEYS[STRANGER].to_jwk()), refused("jwk")),
        ("jku", Some(json!("https://elsewhere.example/jwks.json")), refused("jku")),
        ("x5u", Some(json!("https://elsewhere.example/cert.pem")), refused("x5u")),
        ("x5c", Some(json!(["MIIB"])), refused("x5c")),
        ("b64", Some(json!(false)), refused("b64")),
        ("zip", Some(json!("DEF")), refused("zip")),
        ("enc", Some(json!("A256GCM")), refused("enc")),
        ("cty", Some(json!("json")), Ok(())),
    ];
    for (member, value, expected) in cases {
        let mut header = good_header();
        let name = format!("{member}: {value:?}");
        match value {
            Some(value) => header[member] = value,
            None => drop(header.as_object_mut().unwrap().remove(member)),
        }
        assert_eq!(verified(&signed(&header, &good_claims())), expected, "{name}");
    }
}

#[test]
fn a_signature_counts_only_from_the_named_key_by_its_own_algorithm() {
    for (signer, key) in KEYS.iter().enumerate() {
        for kid in ["es", "ed", "rs", "es-2"] {
            for alg in ["ES256", "EdDSA", "RS256"] {
                let header = json!({ "typ": "at+jwt", "alg": alg, "kid": kid }).to_string();
                let token = key.sign_parts(header.as_bytes(), good_claims().to_string().as_bytes()).unwrap();
                let fits = signer != STRANGER && key.kid() == kid && key.algorithm().as_str() == alg;
                assert_eq!(verified(&token).is_ok(), fits, "signed by {signer}, says {kid} and {alg}");
            }
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let good = signed(&good_header(), &good_claims());
    let claims = URL_SAFE_NO_PAD.encode(good_claims().to_string());
    let jwk = KEYS[2].to_jwk();
    let modulus = jwk["n"].as_str().unwrap();
    for alg in ["HS256", "RS256"] {
        let header = json!({ "typ": "at+jwt", "alg": alg, "kid": "rs" }).to_string();
        let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        for secret in [modulus.as_bytes(), &URL_SAFE_NO_PAD.decode(modulus).unwrap()] {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert!(verified(&token).is_err(), "{alg} with the public key as secret");
        }
    }
    let none = URL_SAFE_NO_PAD.encode(r#"{"typ":"at+jwt","alg":"none","kid":"es"}"#);
    let message = &good[..good.rfind('.').unwrap()];
    let mut more = good_claims();
    more["wilayah"] = json!(["9902"]);
    let (header, sum) = (good.split('.').next().unwrap(), &good[message.len() + 1..]);
    let changed = format!("{header}.{}.{sum}", URL_SAFE_NO_PAD.encode(more.to_string()));
    let signature = URL_SAFE_NO_PAD.decode(&good[message.len() + 1..]).unwrap();
    let with = |signature: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let cases = [
        ("as signed", good.clone(), Ok(())),
        ("none without signature", format!("{none}.{claims}."), Err(IdentityError::Parts)),
        ("none with a signature", format!("{none}.{claims}.AA"), Err(IdentityError::Algorithm)),
        ("signature taken off", format!("{message}."), Err(IdentityError::Parts)),
        ("signature of zeros", with(&[0; 64]), Err(IdentityError::Signature)),
        ("signature cut", with(&signature[..63]), Err(IdentityError::Signature)),
        ("signature twice", with(&[&signature[..], &signature[..]].concat()), Err(IdentityError::Signature)),
        ("claims changed", changed, Err(IdentityError::Signature)),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verified(&token), expected, "{name}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let good = signed(&good_header(), &good_claims());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    // 64 bytes of signature end in two spare bits of the last character; another character with other spare
    // bits must not be read as the same signature.
    let last = signature.chars().last().unwrap();
    let twin = ['B', 'R', 'h', 'x'][['A', 'Q', 'g', 'w'].iter().position(|&known| known == last).unwrap()];
    let respelt = format!("{header}.{claims}.{}{twin}", &signature[..signature.len() - 1]);
    let text = good_claims().to_string();
    let rest = &text[1..];
    let sign = |header: &str, claims: &str| KEYS[0].sign_parts(header.as_bytes(), claims.as_bytes()).unwrap();
    let plain = good_header().to_string();
    let limit = Err(IdentityError::Length { limit_bytes: TOKEN_BYTES_MAX });
    let padded = |length: usize| {
        let mut claims = good_claims();
        claims["padding"] = "x".repeat(length).into();
        signed(&good_header(), &claims)
    };
    let cases = [
        ("as signed", good.clone(), Ok(())),
        ("nothing", String::new(), Err(IdentityError::Parts)),
        ("dots alone", "..".into(), Err(IdentityError::Parts)),
        ("two parts", format!("{header}.{claims}"), Err(IdentityError::Parts)),
        ("a dot at the end", format!("{good}."), Err(IdentityError::Parts)),
        ("a dot before", format!(".{good}"), Err(IdentityError::Parts)),
        ("five parts", format!("{good}.{claims}.{signature}"), Err(IdentityError::Parts)),
        ("padding", format!("{good}=="), Err(IdentityError::Parts)),
        ("spare bits", respelt, Err(IdentityError::Parts)),
        ("a blank inside", format!("{header}. {claims}.{signature}"), Err(IdentityError::Parts)),
        ("standard base64", format!("{header}.{claims}.+/{}", &signature[2..]), Err(IdentityError::Parts)),
        ("junk", "%%%.%%%.%%%".into(), Err(IdentityError::Parts)),
        (
            "not UTF-8 inside",
            format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode([0xff; 9])),
            Err(IdentityError::HeaderJson),
        ),
        (
            "a claim twice",
            sign(&plain, &format!("{{\"exp\":{},{rest}", NOW + 9_999)),
            Err(IdentityError::ClaimsJson),
        ),
        (
            "a claim twice by an escape",
            sign(&plain, &format!("{{\"ex\\u0070\":{},{rest}", NOW + 9_999)),
            Err(IdentityError::ClaimsJson),
        ),
        ("a claim once", sign(&plain, &format!("{{\"exp2\":{},{rest}", NOW + 9_999)), Ok(())),
        (
            "a party member twice",
            sign(&plain, &text.replace("\"number\":7", "\"number\":7,\"number\":8")),
            Err(IdentityError::ClaimsJson),
        ),
        ("claims as a list", sign(&plain, "[]"), Err(IdentityError::ClaimsJson)),
        ("claims and more", sign(&plain, &format!("{text}{text}")), Err(IdentityError::ClaimsJson)),
        (
            "a header member twice",
            sign(&format!("{{\"kid\":\"ed\",{}", &plain[1..]), &text),
            Err(IdentityError::HeaderJson),
        ),
        ("a header as a list", sign(r#"["at+jwt","ES256","es"]"#, &text), Err(IdentityError::HeaderJson)),
        ("long", padded(5_000), Ok(())),
        ("too long", padded(8_192), limit),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verified(&token), expected, "{name}");
    }
}

#[test]
fn there_is_exactly_one_bearer_header() {
    let token = signed(&good_header(), &good_claims());
    let bearer = format!("Bearer {token}");
    let cases: Vec<(&str, Vec<String>, Result<(), IdentityError>)> = vec![
        ("one", vec![bearer.clone()], Ok(())),
        ("the scheme in another case", vec![format!("bEARER {token}")], Ok(())),
        ("none", vec![], Err(IdentityError::Missing)),
        ("the same twice", vec![bearer.clone(), bearer.clone()], Err(IdentityError::HeaderTwice)),
        ("two kinds", vec!["Basic eDp5".into(), bearer.clone()], Err(IdentityError::HeaderTwice)),
        ("two in one", vec![format!("{bearer}, {bearer}")], Err(IdentityError::Parts)),
        ("another scheme", vec![format!("DPoP {token}")], Err(IdentityError::Scheme)),
        ("no scheme", vec![token.clone()], Err(IdentityError::Scheme)),
        ("no token", vec!["Bearer".into()], Err(IdentityError::Scheme)),
        ("a tab", vec![format!("Bearer\t{token}")], Err(IdentityError::Scheme)),
        ("two blanks", vec![format!("Bearer  {token}")], Err(IdentityError::Parts)),
        ("a colon", vec![format!("Bearer: {token}")], Err(IdentityError::Scheme)),
        ("empty", vec![String::new()], Err(IdentityError::Scheme)),
    ];
    for (name, values, expected) in cases {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        }
        assert_eq!(verifier().verify(&headers, None, NOW, &mut None).map(drop), expected, "{name}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
    assert_eq!(verifier().verify(&headers, None, NOW, &mut None), Err(IdentityError::Scheme));
}

#[test]
fn the_requester_learns_only_what_it_can_act_upon() {
    let mut old = good_claims();
    old["exp"] = json!(NOW - 30);
    let mut forged = signed(&good_header(), &old);
    let cases = [
        (IdentityError::Missing, "token_missing"),
        (verified(&forged).unwrap_err(), "token_expired"),
        (
            {
                forged.truncate(forged.len() - 4);
                verified(&forged).unwrap_err()
            },
            "invalid_token",
        ),
        (IdentityError::UnknownKey, "invalid_token"),
    ];
    for (error, code) in cases {
        assert_eq!(error.code(), code, "{error}");
    }
}

/// Another implementation of the same standard makes tokens that pass, and accepts ours.
#[test]
fn tokens_are_those_of_other_implementations() {
    use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, Header, Validation, decode, encode};
    let theirs = [Theirs::ES256, Theirs::EdDSA, Theirs::RS256];
    for (key, algorithm) in KEYS.iter().zip(theirs) {
        let pem = key.to_pem().unwrap();
        let pem = pem.as_bytes();
        let encoding = match algorithm {
            Theirs::ES256 => EncodingKey::from_ec_pem(pem),
            Theirs::EdDSA => EncodingKey::from_ed_pem(pem),
            _ => EncodingKey::from_rsa_pem(pem),
        };
        let mut header = Header::new(algorithm);
        header.typ = Some("at+jwt".into());
        header.kid = Some(key.kid().into());
        let token = encode(&header, &good_claims(), &encoding.unwrap()).unwrap();
        assert_eq!(verified(&token), Ok(()), "{algorithm:?}");

        let header = json!({ "typ": "at+jwt", "alg": key.algorithm().as_str(), "kid": key.kid() });
        let ours =
            key.sign_parts(header.to_string().as_bytes(), good_claims().to_string().as_bytes()).unwrap();
        let jwk = serde_json::from_value(key.to_jwk()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["salinan"]);
        validation.validate_exp = false; // their clock is the machine's
        let read = decode::<Value>(&ours, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap();
        assert_eq!(read.claims, good_claims(), "{algorithm:?}");
    }
}
