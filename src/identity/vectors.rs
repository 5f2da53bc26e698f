//! The published examples of RFC 7515, 7517, 7519, 7638 and 8037, against what reads keys and tokens here. Their
//! signatures are good where the algorithm is one of ours; none of their tokens is an access token, so each is refused.

use serde_json::{Value, json};

use super::issue::thumbprint;
use super::verify::{IssuerOptions, Verifier};
use super::{IdentityError, KeyError, KeyProblem, KeySet};

/// RFC 7515, appendix A.2: RS256.
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515, appendix A.3: ES256.
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037, appendices A.2 and A.4: Ed25519.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// RFC 7515, appendix A.1 and RFC 7519, section 3.1: HS256.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HMAC_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515, appendix A.4: ES512.
const ES512: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
const P521_X: &str =
    "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk";
const P521_Y: &str =
    "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2";
/// RFC 7515, appendix A.5 and RFC 7519, section 6.1: no signature.
const NONE: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
/// RFC 7519, appendix A.1: encrypted.
const ENCRYPTED: &str = "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8qDcjiHnSJflSdv1iNqhWXaKH4MqAkQtMoNfABIPJaZm0HaA415sv3aeuBWnD8J-Ui7Ah6cWafs3ZwwFKDFUUsWHSK-IPKxLGTkND09XyjORj_CHAgOPJ-Sd8ONQRnJvWn_hXV1BNMHzUjPyYwEsRhDhzjAD26imasOTsgruobpYGoQcXUwFDn7moXPRfDE8-NoQX7N7ZYMmpUDkR-Cx9obNGwJQ3nM52YCitxoQVPzjbl7WBuB7AohdBoZOdZ24WlN1lVIeh8v1K4krB8xgKvRU8kgFrEn_a1rZgN5TiysnmzTROF869lQ.AxY8DCtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeWnDYvpIAeZ72deHxz3roJDXQyhxx0wKaMHDjUEOKIwrtkHthpqEanSBNYHZgmNOV7sln1Eu9g3J8.fiK51VwhsxJ-siBMR-YFiA";
/// RFC 7517, appendix A.1, and RFC 7638, section 3.1.
const RSA_2011_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn published() -> [(&'static str, Value, &'static str); 3] {
    [
        ("RS256", json!({ "kty": "RSA", "n": RSA_N, "e": "AQAB" }), RS256),
        ("ES256", json!({ "kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y }), ES256),
        ("EdDSA", json!({ "kty": "OKP", "crv": "Ed25519", "x": ED_X }), EDDSA),
    ]
}

/// The three keys with what a key has here: a name and an algorithm.
fn keys() -> KeySet {
    let named = published().map(|(alg, mut key, _)| {
        key["alg"] = json!(alg);
        key["kid"] = json!(alg);
        key
    });
    read(&named).unwrap()
}

fn read(keys: &[Value]) -> Result<KeySet, KeyError> {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes())
}

fn problem(key: &Value) -> KeyProblem {
    match read(std::slice::from_ref(key)) {
        Err(KeyError::Key { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn published_signatures_are_good_by_their_own_key_alone_and_only_as_they_are() {
    let keys = keys();
    for (alg, _, token) in published() {
        let (message, signature) = token.rsplit_once('.').unwrap();
        for kid in ["RS256", "ES256", "EdDSA"] {
            let expected = if kid == alg { Ok(()) } else { Err(IdentityError::Signature) };
            assert_eq!(keys.check(kid, message, signature), expected, "{alg} by the key of {kid}");
        }
        for (at, _) in signature.char_indices().step_by(7) {
            let other = if &signature[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &signature[..at], &signature[at + 1..]);
            assert_eq!(keys.check(alg, message, &changed), Err(IdentityError::Signature), "{alg} at {at}");
        }
        let changed = message.replacen('e', "f", 1);
        assert_eq!(keys.check(alg, &changed, signature), Err(IdentityError::Signature), "{alg}, message");
    }
}

#[test]
fn published_tokens_are_no_access_tokens_and_those_of_other_algorithms_have_no_key() {
    let verifier = Verifier::of_one(IssuerOptions::new("joe", "salinan", keys()));
    let flat = json!({ "payload": "UGF5bG9hZA", "protected": "eyJhbGciOiJFUzI1NiJ9", "signature": "AA" });
    let cases = [
        ("RFC 7515 A.1, HS256", HS256, IdentityError::Type),
        ("RFC 7515 A.2, RS256", RS256, IdentityError::HeaderShape { member: "typ" }),
        ("RFC 7515 A.3, ES256", ES256, IdentityError::HeaderShape { member: "typ" }),
        ("RFC 7515 A.4, ES512", ES512, IdentityError::HeaderShape { member: "typ" }),
        ("RFC 7515 A.5, none", NONE, IdentityError::Parts),
        ("RFC 7515 A.7, JSON", &flat.to_string(), IdentityError::Parts),
        ("RFC 7519 A.1, encrypted", ENCRYPTED, IdentityError::Parts),
        ("RFC 8037 A.4, EdDSA", EDDSA, IdentityError::HeaderShape { member: "typ" }),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verifier.verify_token(token, None, 1_300_819_000), Err(expected), "{name}");
    }
    let es512 = json!({ "kty": "EC", "crv": "P-521", "x": P521_X, "y": P521_Y, "alg": "ES512", "kid": "a" });
    assert_eq!(problem(&es512), KeyProblem::Algorithm);
    let hs256 = json!({ "kty": "oct", "k": HMAC_KEY, "alg": "HS256", "kid": "a" });
    assert_eq!(problem(&hs256), KeyProblem::Symmetric);
}

#[test]
fn of_the_published_key_sets_only_public_keys_for_signatures_are_taken() {
    let ec = json!({
        "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rsa = json!({ "kty": "RSA", "n": RSA_2011_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
    let set = read(&[ec.clone(), rsa]).unwrap();
    assert_eq!((set.len(), set.algorithm("1").is_some()), (1, false), "RFC 7517 A.1");
    let mut private = ec;
    private["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    assert_eq!(problem(&private), KeyProblem::Private { member: "d" }, "RFC 7517 A.2");
    let wrap = json!({ "kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg" });
    assert_eq!(problem(&wrap), KeyProblem::Symmetric, "RFC 7517 A.3");
    // As they are printed they name no algorithm, and a key without one is not used for any.
    for (alg, mut key, _) in published() {
        key["kid"] = json!("a");
        assert_eq!(problem(&key), KeyProblem::Member { member: "alg" }, "{alg}");
    }
}

#[test]
fn published_thumbprints_are_ours() {
    let rsa = json!({ "kty": "RSA", "n": RSA_2011_N, "e": "AQAB" });
    assert_eq!(thumbprint(&rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638, 3.1");
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED_X });
    assert_eq!(thumbprint(&ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037, A.3");
}
