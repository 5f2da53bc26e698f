//! Making signing keys and tokens, for small installations, the demo and tests. A larger one has an identity
//! provider of its own, and then only the verifier is used.
//!
//! Private keys are PKCS#8 in PEM; the public part is a member of a JWKS file.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::domain::{Digest, Level, Party, Role, Wilayah};

use super::binding::Binding;
use super::keys::{Algorithm, is_kid};

#[derive(Debug, Error)]
pub enum SignError {
    #[error("a new key could not be made")]
    Generate,
    #[error("the file is not a private key in PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    Pem { source: rustls_pki_types::pem::Error },
    #[error("the private key is none of EC P-256, Ed25519 and RSA of 2048 bits or more")]
    Kind,
    #[error("a key's name is 1 to 128 printable ASCII characters without blanks")]
    Kid,
    #[error("the claims could not be written as JSON")]
    Claims { source: serde_json::Error },
    #[error("the token could not be signed")]
    Sign,
}

/// What a token will say. The names of the fields are the names of the claims.
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub exp: u64,
    pub iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    pub jti: String,
    pub client_id: String,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    pub level: Level,
    pub wilayah: Vec<Wilayah>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mandate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Binding>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

/// A private key with its name.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

impl SigningKey {
    /// A new key. Without a name of its own it is named by its thumbprint (RFC 7638).
    pub fn generate(algorithm: Algorithm, kid: Option<&str>) -> Result<Self, SignError> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                Pair::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(unmade)?)
            }
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::generate().map_err(unmade)?),
            Algorithm::Rs256 => {
                Pair::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa3072).map_err(unmade)?))
            }
        };
        match kid {
            Some(kid) => Self::named(pair, kid),
            None => Ok(Self { kid: thumbprint(&required_members(&pair)), pair }),
        }
    }

    /// A key from its PEM file; the key itself says which algorithm it is for.
    pub fn read(pem: &[u8], kid: &str) -> Result<Self, SignError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|source| SignError::Pem { source })?;
        let der = der.secret_pkcs8_der();
        let pair = if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Pair::Es256(pair)
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            Pair::EdDsa(pair)
        } else if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            Pair::Rs256(Box::new(pair))
        } else {
            return Err(SignError::Kind);
        };
        Self::named(pair, kid)
    }

    fn named(pair: Pair, kid: &str) -> Result<Self, SignError> {
        if is_kid(kid) { Ok(Self { kid: kid.to_owned(), pair }) } else { Err(SignError::Kid) }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
            Pair::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The private key as a PEM file.
    pub fn to_pem(&self) -> Result<String, SignError> {
        let der = match &self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1().map_err(unmade)?.as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.to_pkcs8v1().map_err(unmade)?.as_ref().to_vec(),
            Pair::Rs256(pair) => AsDer::as_der(&**pair).map_err(unmade)?.as_ref().to_vec(),
        };
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(pem::encode_config(&pem::Pem::new("PRIVATE KEY", der), lines))
    }

    /// The public part, as a member of `keys` in a JWKS file.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = required_members(&self.pair);
        jwk["alg"] = self.algorithm().as_str().into();
        jwk["use"] = "sig".into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// The token for `claims`, ready for an `Authorization: Bearer` header. Says nothing of whether a verifier
    /// would accept it.
    pub fn sign(&self, claims: &Claims) -> Result<String, SignError> {
        let claims = serde_json::to_vec(claims).map_err(|source| SignError::Claims { source })?;
        let header = json!({ "typ": "at+jwt", "alg": self.algorithm().as_str(), "kid": self.kid });
        self.sign_parts(header.to_string().as_bytes(), &claims)
    }

    /// Signs whatever the two parts are: tests make wrong tokens with it.
    pub(super) fn sign_parts(&self, header: &[u8], claims: &[u8]) -> Result<String, SignError> {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let message = token.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, message).map_err(|_| SignError::Sign)?.as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SignError::Sign)?;
                signature
            }
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.kid, self.algorithm().as_str())
    }
}

fn unmade(_: aws_lc_rs::error::Unspecified) -> SignError {
    SignError::Generate
}

/// The members that make the key what it is (RFC 7638, section 3.2), in their lexicographic order.
fn required_members(pair: &Pair) -> Value {
    match pair {
        Pair::Es256(pair) => {
            // An uncompressed point: 4, x, y.
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            json!({ "crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
        }
        Pair::EdDsa(pair) => {
            json!({ "crv": "Ed25519", "kty": "OKP", "x": URL_SAFE_NO_PAD.encode(pair.public_key()) })
        }
        Pair::Rs256(pair) => {
            let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
            json!({ "e": URL_SAFE_NO_PAD.encode(public.e), "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(public.n) })
        }
    }
}

/// The name of a key by RFC 7638, from its required members.
pub(super) fn thumbprint(members: &Value) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(members.to_string().as_bytes()).0)
}
