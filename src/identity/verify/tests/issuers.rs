//! Several issuers, tokens known from before, and what is revoked.

use std::path::Path;
use std::time::Duration;

use super::*;

const OTHER: &str = "https://other.example";

fn set(keys: &[&SigningKey]) -> KeySet {
    let keys: Vec<Value> = keys.iter().map(|key| key.to_jwk()).collect();
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn said(verifier: &Verifier, token: &str, now: u64) -> Result<(), IdentityError> {
    verifier.verify_token(token, None, now).map(drop)
}

#[test]
fn an_issuer_is_judged_by_its_own_keys_algorithms_audience_and_lifetime() {
    // Both have a key named `es`.
    let first = IssuerOptions::new("https://kpu.example", "salinan", set(&[&KEYS[0], &KEYS[1]]));
    let second = IssuerOptions {
        algorithms: vec![Algorithm::Es256],
        lifetime_max_s: 600,
        ..IssuerOptions::new(OTHER, "portal", set(&[&KEYS[STRANGER], &KEYS[1]]))
    };
    let verifier = Verifier::new(vec![first, second], None, Timing::default());
    let kpu = "https://kpu.example";
    let cases = [
        (kpu, "salinan", 0, 3_660, Ok(())),
        (kpu, "salinan", STRANGER, 3_660, Err(IdentityError::Signature)),
        (kpu, "portal", 0, 3_660, Err(IdentityError::Audience)),
        (kpu, "salinan", 1, 3_660, Ok(())),
        (OTHER, "portal", STRANGER, 600, Ok(())),
        (OTHER, "portal", 0, 600, Err(IdentityError::Signature)),
        (OTHER, "salinan", STRANGER, 600, Err(IdentityError::Audience)),
        (OTHER, "portal", STRANGER, 601, Err(IdentityError::Lifetime { limit_s: 600 })),
        (OTHER, "portal", 1, 600, Err(IdentityError::Algorithm)),
        ("https://nobody.example", "salinan", 0, 600, Err(IdentityError::Issuer)),
    ];
    for (iss, aud, signer, lifetime_s, expected) in cases {
        let mut claims = good_claims();
        claims["iss"] = json!(iss);
        claims["aud"] = json!(aud);
        claims["exp"] = json!(NOW - 60 + lifetime_s);
        let key = &KEYS[signer];
        let header = json!({ "typ": "at+jwt", "alg": key.algorithm().as_str(), "kid": key.kid() });
        let token = key.sign_parts(header.to_string().as_bytes(), claims.to_string().as_bytes()).unwrap();
        assert_eq!(said(&verifier, &token, NOW), expected, "{iss} {aud} {signer} {lifetime_s}");
    }
}

#[test]
fn a_token_known_from_before_counts_in_its_own_time_alone() {
    let verifier = verifier();
    let mut claims = good_claims();
    claims["nbf"] = json!(NOW - 30);
    let token = signed(&good_header(), &claims);
    let expired = |ago_s| Err(IdentityError::Expired { ago_s });
    let future = |claim| Err(IdentityError::Future { claim });
    let cases = [
        (NOW, Ok(())),
        (NOW, Ok(())),
        (NOW + 3_604, Ok(())),
        (NOW + 3_605, expired(5)),
        (NOW, Ok(())),
        (NOW - 35, Ok(())),
        (NOW - 36, future("nbf")),
        (NOW - 66, future("iat")),
        (NOW, Ok(())),
        (NOW + 9_000, expired(5_400)),
    ];
    for (now, expected) in cases {
        assert_eq!(said(&verifier, &token, now), expected, "{now}");
    }
    assert_eq!(verifier.cache.len(), 0, "what has expired is not kept");
    assert!(said(&verifier, &format!("{token}A"), NOW).is_err() && verifier.cache.len() == 0);
}

#[test]
fn however_many_tokens_come_so_many_are_kept_and_no_more() {
    let verifier = verifier();
    let key = &KEYS[1];
    let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "ed" }).to_string();
    let token = |number: u32| {
        let mut claims = good_claims();
        claims["jti"] = json!(format!("t-{number}"));
        key.sign_parts(header.as_bytes(), claims.to_string().as_bytes()).unwrap()
    };
    for number in 0..9_000 {
        let requester = verifier.verify_token(&token(number), None, NOW).unwrap();
        assert_eq!(requester.token_id, format!("t-{number}"));
        assert!(verifier.cache.len() <= 8_192, "{}", verifier.cache.len());
    }
    for number in [0, 4_500, 8_999] {
        assert_eq!(verifier.verify_token(&token(number), None, NOW).unwrap().token_id, format!("t-{number}"));
    }
}

#[test]
fn a_mandate_is_good_through_its_last_day_and_only_where_it_was_given() {
    use std::collections::BTreeMap;

    use crate::domain::Mandates;

    // `NOW` is 15 June 2025, 22:06:40 in Western Indonesian Time.
    let midnight = NOW + 6_800;
    let of = |election: &str, party: u16, number: &str, until: &str| {
        let days = BTreeMap::from([((party, number.to_owned()), until.parse().unwrap())]);
        verifier().with_mandates(Mandates::new(election.to_owned(), days))
    };
    let token = |claims: &Value| signed(&good_header(), claims);
    let mut long = good_claims();
    long["exp"] = json!(NOW + 20_000);
    let over = Err(IdentityError::MandateOver);
    let cases = [
        ("its last day", of("pemilu-2024", 7, "015/SM/VI/2023", "2025-06-15"), NOW, Ok(())),
        ("to its last second", of("pemilu-2024", 7, "015/SM/VI/2023", "2025-06-15"), midnight - 1, Ok(())),
        ("the day after", of("pemilu-2024", 7, "015/SM/VI/2023", "2025-06-15"), midnight, over),
        ("long over", of("pemilu-2024", 7, "015/SM/VI/2023", "2023-12-31"), NOW, over),
        ("another letter", of("pemilu-2024", 7, "016/SM/VI/2023", "2023-12-31"), NOW, Ok(())),
        ("another party", of("pemilu-2024", 8, "015/SM/VI/2023", "2023-12-31"), NOW, Ok(())),
        ("another election", of("pemilu-2029", 7, "015/SM/VI/2023", "2023-12-31"), NOW, Ok(())),
    ];
    for (name, verifier, now, expected) in cases {
        assert_eq!(said(&verifier, &token(&long), now), expected, "{name}");
        let requester = verifier.verify_signed(&token(&long), now).unwrap();
        let ended = verifier.watch(&requester).ended(now);
        assert_eq!(ended, expected.is_err().then_some(TokenEnd::MandateOver), "{name}");
    }
}

fn write_keys(path: &Path, keys: &[&SigningKey]) {
    let keys: Vec<Value> = keys.iter().map(|key| key.to_jwk()).collect();
    std::fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn neither_a_key_that_is_gone_nor_a_revoked_name_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, list) = (folder.path().join("jwks.json"), folder.path().join("revoked.toml"));
    write_keys(&keys, &[&KEYS[0]]);
    let issuer = IssuerOptions {
        place: Place::File(keys.clone()),
        ..IssuerOptions::new("https://kpu.example", "salinan", KeySet::load(&keys).unwrap())
    };
    let none = "jti = []\nsub = []\nclient_id = []\nkid = []\n";
    let first = Revocations::read(none.as_bytes()).unwrap();
    let revoked = Some(RevokedFile { path: list.clone(), first });
    let verifier = Verifier::new(vec![issuer], revoked, Timing::default());
    let token = signed(&good_header(), &good_claims());
    let watch = verifier.watch(&verifier.verify_token(&token, None, NOW).unwrap());
    assert_eq!((watch.ended(NOW), watch.ended(NOW + 3_605)), (None, Some(TokenEnd::Expired)));

    write_keys(&keys, &[&KEYS[1]]);
    assert!(verifier.issuers[0].keys.read_again().await);
    assert_eq!(said(&verifier, &token, NOW), Err(IdentityError::UnknownKey));
    // Another key by the same name.
    write_keys(&keys, &[&KEYS[STRANGER]]);
    assert!(verifier.issuers[0].keys.read_again().await);
    assert_eq!(said(&verifier, &token, NOW), Err(IdentityError::Signature));
    write_keys(&keys, &[&KEYS[0]]);
    assert!(verifier.issuers[0].keys.read_again().await);
    assert_eq!(said(&verifier, &token, NOW), Ok(()));

    let kept = verifier.revoked.as_ref().unwrap();
    let names = [
        ("jti", "0197b3f0-0000-7000-8000-000000000001"),
        ("sub", "saksi-7"),
        ("client_id", "partai-7"),
        ("kid", "es"),
    ];
    for (by, name) in names {
        std::fs::write(&list, none.replace(&format!("{by} = []"), &format!("{by} = ['{name}']"))).unwrap();
        assert!(kept.read_again().await);
        assert_eq!(said(&verifier, &token, NOW), Err(IdentityError::Revoked { by }));
        assert_eq!(watch.ended(NOW), Some(TokenEnd::Revoked), "{by}");
    }
    std::fs::write(&list, none).unwrap();
    assert!(kept.read_again().await);
    assert_eq!((said(&verifier, &token, NOW), watch.ended(NOW)), (Ok(()), None));

    // Nothing can be read any more: first what is revoked is unknown, and of a stranger nothing is told.
    std::fs::remove_file(&list).unwrap();
    tokio::time::advance(Duration::from_mins(50)).await;
    assert!(!kept.read_again().await && verifier.issuers[0].keys.read_again().await);
    assert_eq!(said(&verifier, &token, NOW), Ok(()));
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(said(&verifier, &token, NOW), Err(IdentityError::RevocationsStale));
    assert_eq!(said(&verifier, "a.b.c", NOW), Err(IdentityError::Parts));
    std::fs::remove_file(&keys).unwrap();
    tokio::time::advance(Duration::from_mins(50)).await;
    assert_eq!(said(&verifier, &token, NOW), Err(IdentityError::KeysStale));
}

/// Of one thread, so that what else the machine does plays no part.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

#[test]
fn a_bad_token_costs_little() {
    const TIMES: u32 = 500;
    let verifier = verifier();
    let sign = |signer: usize, kid: &str| {
        let header = json!({ "typ": "at+jwt", "alg": KEYS[signer].algorithm().as_str(), "kid": kid });
        KEYS[signer].sign_parts(header.to_string().as_bytes(), good_claims().to_string().as_bytes()).unwrap()
    };
    let cases = [
        ("another key, ES256", sign(STRANGER, "es")),
        ("an unknown key", sign(0, "nobody")),
        ("not a token", "a".repeat(TOKEN_BYTES_MAX)),
        ("dots alone", ".".repeat(TOKEN_BYTES_MAX)),
        ("known from before", sign(0, "es")),
    ];
    for (name, token) in cases {
        let _ = verifier.verify_token(&token, None, NOW);
        let before = cpu();
        for _ in 0..TIMES {
            assert_eq!(verifier.verify_token(&token, None, NOW).is_ok(), name == "known from before");
        }
        let each = cpu().saturating_sub(before) / TIMES;
        // Without optimisation, and beside other tests, everything takes longer.
        let most = Duration::from_micros(if cfg!(debug_assertions) { 500 } else { 100 });
        assert!(each < most, "{name}: {each:?}");
    }
}
