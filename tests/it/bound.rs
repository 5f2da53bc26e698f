//! Certificates of clients, and tokens that are bound to one.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use salinan::domain::Digest;
use salinan::identity::Binding;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::{Client, get};
use crate::support::fixture::Form;
use crate::support::{Proxy, Setup, stub};

const FORM: Form = Form::Csv;

/// An authority for clients.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    /// A certificate for this use and its key.
    fn issue(&self, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec!["partai-7.example".to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let issued = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        (issued.pem(), key.serialize_pem())
    }
}

fn binding(chain: &str) -> Binding {
    Binding(Digest::of(&CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()))
}

async fn start(server: &'static str, issuer: &str, authority: &Authority) -> Proxy {
    let issuer = Some(format!("jwks = \"jwks.json\"\n{issuer}"));
    let proxy = Proxy::start_in(Setup { server, issuer, ..Setup::default() }, |site| {
        fs::write(site.path("clients-ca.pem"), authority.pem()).unwrap();
    })
    .await;
    proxy.source.answer(stub::whole(FORM.media_type(), FORM.whole(3)));
    proxy
}

fn bound_to(proxy: &Proxy, chain: &str) -> String {
    let mut claims = proxy.site.claims();
    claims.cnf = Some(binding(chain));
    proxy.site.sign(&claims)
}

async fn answer(client: &Client, token: &str) -> (u16, String) {
    let reply = client.get(FORM.path(), token).await;
    (reply.status, if reply.status == 200 { String::new() } else { reply.code() })
}

const SERVED: (u16, &str) = (200, "");
const REFUSED: (u16, &str) = (401, "invalid_token");

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_good_beside_its_certificate_alone() {
    let authority = Authority::new();
    let server = "client_certificates = \"optional\"\nclient_ca = \"clients-ca.pem\"";
    let mut proxy = start(server, "", &authority).await;
    let [own, other] = [(); 2].map(|()| authority.issue(ExtendedKeyUsagePurpose::ClientAuth));
    let bare = proxy.client();
    let [with_own, with_other] = [&own, &other].map(|(chain, key)| bare.with_certificate(chain, key));
    let (bound, free) = (bound_to(&proxy, &own.0), proxy.site.partai());

    let mut refused = 0;
    // Each order, so that what is remembered of a token says nothing of who shows it.
    for (client, token, expected) in [
        (&bare, &bound, REFUSED),
        (&with_own, &bound, SERVED),
        (&bare, &bound, REFUSED),
        (&with_other, &bound, REFUSED),
        (&with_own, &bound, SERVED),
        (&bare, &free, SERVED),
        (&with_other, &free, SERVED),
    ] {
        let (status, code) = answer(client, token).await;
        assert_eq!((status, code.as_str()), expected);
        refused += usize::from(status != 200);
    }
    let reply = with_own.get_h2(FORM.path(), &bound).await;
    assert_eq!(reply.status, 200);
    let reply = with_other.get_h2(FORM.path(), &bound).await;
    assert_eq!((reply.status, reply.code().as_str()), REFUSED);
    assert_eq!(proxy.refusals(refused + 1).await, vec!["invalid_token"; refused + 1]);
    // A receipt is no different.
    let release = proxy.last_release();
    assert_eq!(with_own.get(&format!("/receipts/{release}"), &bound).await.status, 200);
    assert_eq!(bare.get(&format!("/receipts/{release}"), &bound).await.status, 401);
    assert!(proxy.stop().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_certificate_of_the_authority_is_not_let_in() {
    let authority = Authority::new();
    let server = "client_certificates = \"required\"\nclient_ca = \"clients-ca.pem\"";
    let mut proxy = start(server, "bound = \"required\"", &authority).await;
    let own = authority.issue(ExtendedKeyUsagePurpose::ClientAuth);
    let bare = proxy.client();
    let with_own = bare.with_certificate(&own.0, &own.1);
    let (bound, free) = (bound_to(&proxy, &own.0), proxy.site.partai());
    assert_eq!(answer(&with_own, &bound).await, (200, String::new()));
    let (status, code) = answer(&with_own, &free).await;
    assert_eq!((status, code.as_str()), REFUSED, "its issuer's tokens have to be bound");

    let strangers = [
        None,
        Some(Authority::new().issue(ExtendedKeyUsagePurpose::ClientAuth)),
        Some(authority.issue(ExtendedKeyUsagePurpose::ServerAuth)),
    ];
    for stranger in strangers {
        let client = match &stranger {
            None => bare.clone(),
            Some((chain, key)) => bare.with_certificate(chain, key),
        };
        for protocol in ["h2", "http/1.1"] {
            // In TLS 1.3 the client learns of it with its first read.
            let Ok(mut stream) = client.try_connect(protocol).await else { continue };
            let _ = stream.write_all(get(FORM.path(), &bound).as_bytes()).await;
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer).await;
            assert!(ended.is_err() && answer.is_empty(), "{answer:?}");
        }
    }
    assert_eq!(proxy.source.asked().len(), 1);
    assert!(proxy.stop().unwrap().success());
}
