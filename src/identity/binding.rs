//! What a token is bound to (RFC 7800): a bound token is good only beside proof of the key it names.
//!
//! One kind is known, the certificate of the requester's own TLS connection (RFC 8705, section 3.1):
//!
//! ```json
//! {"cnf": {"x5t#S256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}}
//! ```
//!
//! A token that is bound to anything else, or to that and more, is refused: what cannot be checked is not passed over.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::error::IdentityError;
use crate::domain::Digest;

pub(super) const CLAIM: &str = "cnf";
const CERTIFICATE: &str = "x5t#S256";

/// SHA-256 of the certificate, in DER, that the bearer has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub Digest);

impl Binding {
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Option<Self>, IdentityError> {
        let Some(claim) = claims.get(CLAIM) else { return Ok(None) };
        let members = claim.as_object().filter(|members| members.len() == 1);
        let thumbprint = members.and_then(|members| members.get(CERTIFICATE)).and_then(Value::as_str);
        let bytes = thumbprint.and_then(|thumbprint| URL_SAFE_NO_PAD.decode(thumbprint).ok());
        let digest = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        digest.map(|digest| Some(Self(Digest(digest)))).ok_or(IdentityError::Bound)
    }

    /// Whether a connection with this certificate, or none, may use the token.
    pub(super) fn check(&self, certificate: Option<&Digest>) -> Result<(), IdentityError> {
        match certificate {
            None => Err(IdentityError::CertificateMissing),
            Some(shown) if *shown == self.0 => Ok(()),
            Some(_) => Err(IdentityError::OtherCertificate),
        }
    }
}

/// As the claim's value.
impl Serialize for Binding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(CERTIFICATE, URL_SAFE_NO_PAD.encode(self.0.0))])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(cnf: &Value) -> Result<Option<Binding>, IdentityError> {
        let claims = json!({ CLAIM: cnf });
        Binding::read(claims.as_object().unwrap())
    }

    #[test]
    fn a_token_is_bound_to_one_certificate_or_refused() {
        let own = Binding(Digest::of(b"a certificate"));
        assert_eq!(Binding::read(&Map::new()), Ok(None));
        assert_eq!(read(&json!(own)), Ok(Some(own)));
        let thumbprint = URL_SAFE_NO_PAD.encode(own.0.0);
        for cnf in [
            json!({}),
            json!(null),
            json!(thumbprint),
            json!([{ CERTIFICATE: thumbprint }]),
            json!({ CERTIFICATE: null }),
            json!({ CERTIFICATE: format!("{thumbprint}=") }),
            json!({ CERTIFICATE: &thumbprint[1..] }),
            json!({ CERTIFICATE: thumbprint.to_uppercase() + "A" }),
            json!({ "x5t": thumbprint }),
            json!({ "jkt": thumbprint }),
            json!({ CERTIFICATE: thumbprint, "jkt": thumbprint }),
            json!({ "jwk": { "kty": "OKP" } }),
        ] {
            assert_eq!(read(&cnf), Err(IdentityError::Bound), "{cnf}");
        }
        assert_eq!(own.check(Some(&own.0)), Ok(()));
        assert_eq!(own.check(None), Err(IdentityError::CertificateMissing));
        assert_eq!(own.check(Some(&Digest::of(b"another"))), Err(IdentityError::OtherCertificate));
    }
}
