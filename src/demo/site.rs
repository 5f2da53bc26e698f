//! What the demo needs on disk, made on first run and kept: a private CA, the server's certificate, the
//! issuer's signing key, the ledger, policies and a `salinan.toml` that `serve` could use as well.
//!
//! The folder holds private keys that protect made-up voters only. Nothing in it is meant for real data.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use thiserror::Error;

use crate::domain::{Clock, Digest, Level, Party, Random, ReleaseId, Role, Wilayah, day_in_wib};
use crate::identity::{Algorithm, Claims, SigningKey};

/// The name of the demo's ledger.
pub const ORIGIN: &str = "salinan.demo.example/ledger";
const ISSUER: &str = "https://issuer.demo.example";
const AUDIENCE: &str = "https://salinan.demo.example";
/// Tokens live for a day, the server's certificate for ninety, the CA for ten years.
const TOKEN_SECONDS: u64 = 86_400;
const SERVER_DAYS: i64 = 90;
const CA_DAYS: i64 = 3_650;

#[derive(Debug, Error)]
pub enum SiteError {
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("could not make or use the signing key")]
    Signing(#[from] crate::identity::SignError),
    #[error("the machine gives no randomness")]
    Random,
}

/// The demo's folder.
#[derive(Debug)]
pub struct Site {
    directory: PathBuf,
}

/// One demo requester: the name scripts find the token by, and the token.
#[derive(Debug)]
pub struct DemoToken {
    pub name: &'static str,
    pub token: String,
}

impl Site {
    /// Makes what is missing in `directory` and keeps what is there; the server's certificate is made anew.
    pub fn prepare(
        directory: &Path,
        listen: SocketAddr,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, SiteError> {
        let failed = |source| SiteError::Write { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        // Absolute, so that what is printed works from any folder.
        let site = Self { directory: directory.canonicalize().map_err(failed)? };
        site.make_certificates(listen.ip(), clock)?;
        site.make_signing_key()?;
        site.make_master_key(random)?;
        site.place_policies()?;
        site.place_register(clock)?;
        Ok(site)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    pub fn ledger(&self) -> PathBuf {
        self.file("ledger")
    }

    /// Writes the configuration of this run and gives its path.
    pub fn write_config(
        &self,
        listen: SocketAddr,
        source: SocketAddr,
        policies: &Path,
    ) -> Result<PathBuf, SiteError> {
        let path = self.file("salinan.toml");
        let policies = toml::Value::from(policies.to_string_lossy().as_ref());
        let text = format!(
            "# Written anew by each `salinan demo`.\n\
             [server]\nlisten = \"{listen}\"\ncertificate = \"server.pem\"\nkey = \"server-key.pem\"\naddress_connections_max = 1024\n\n\
             [[identity.issuer]]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks = \"jwks.json\"\n\n\
             [policy]\npaths = [{policies}]\n\n\
             [source]\nurl = \"http://{source}\"\n\n\
             [ledger]\norigin = \"{ORIGIN}\"\ndirectory = \"ledger\"\nkey = \"ledger/ledger-key.pem\"\nmaster_key = \"master.key\"\n\n\
             [admission]\naddress_per_second = 1000\naddress_burst = 5000\nrequester_per_second = 1000\nrequester_burst = 5000\nparty_per_second = 1000\nparty_burst = 5000\nparty_copies_max = 1000\n",
        );
        write(&path, text.as_bytes(), PUBLIC)?;
        Ok(path)
    }

    /// A token for each kind of requester, all for made-up areas.
    pub fn tokens(&self, clock: &dyn Clock, random: &dyn Random) -> Result<Vec<DemoToken>, SiteError> {
        let key = self.signing_key()?;
        let now = clock.unix_seconds();
        let requesters = [
            ("partai_kabkota", "partai", Level::Kabkota, Some("9901"), true),
            ("partai_kecamatan", "partai", Level::Kecamatan, Some("990101"), true),
            ("bawaslu", "bawaslu", Level::Kabkota, Some("9901"), false),
            ("auditor", "auditor", Level::Nasional, None, false),
        ];
        let mut tokens = Vec::new();
        for (name, role, level, wilayah, is_party) in requesters {
            let mut bytes = [0; 10];
            if !random.fill(&mut bytes) {
                return Err(SiteError::Random);
            }
            let claims = Claims {
                iss: ISSUER.to_owned(),
                sub: format!("demo-{name}"),
                aud: AUDIENCE.to_owned(),
                exp: now + TOKEN_SECONDS,
                iat: now,
                nbf: Some(now),
                jti: ReleaseId::new(clock.unix_ms(), bytes).to_string(),
                client_id: "salinan-demo".to_owned(),
                role: known::<Role>(role),
                party: is_party.then(|| Party { election: "pemilu-2024".to_owned(), number: 7 }),
                level,
                wilayah: wilayah.map(known::<Wilayah>).into_iter().collect(),
                mandate: is_party.then(|| "SM-07/DEMO/2026".to_owned()),
                cnf: None,
            };
            tokens.push(DemoToken { name, token: key.sign(&claims)? });
        }
        Ok(tokens)
    }

    fn make_certificates(&self, listen: IpAddr, clock: &dyn Clock) -> Result<(), SiteError> {
        let (ca_path, ca_key_path) = (self.ca(), self.file("ca-key.pem"));
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, "Salinan demo CA (made-up voters only)");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut ca, clock, CA_DAYS);
        if !ca_path.exists() || !ca_key_path.exists() {
            let key = KeyPair::generate()?;
            write(&ca_key_path, key.serialize_pem().as_bytes(), SECRET)?;
            write(&ca_path, ca.self_signed(&key)?.pem().as_bytes(), PUBLIC)?;
        }
        let ca_key = KeyPair::from_pem(&read(&ca_key_path)?)?;
        // An issuer is its name and its key, and both are the same as when its certificate was made.
        let issuer = Issuer::from_params(&ca, &ca_key);

        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        server.distinguished_name.push(DnType::CommonName, "salinan demo");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        set_validity(&mut server, clock, SERVER_DAYS);
        let mut addresses = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])];
        if !listen.is_unspecified() && !listen.is_loopback() {
            addresses.push(listen);
        }
        server.subject_alt_names.extend(addresses.into_iter().map(SanType::IpAddress));
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &issuer)?;
        write(&self.file("server-key.pem"), key.serialize_pem().as_bytes(), SECRET)?;
        write(&self.file("server.pem"), certificate.pem().as_bytes(), PUBLIC)
    }

    fn make_signing_key(&self) -> Result<(), SiteError> {
        let path = self.file("token-key.pem");
        if !path.exists() {
            let key = SigningKey::generate(Algorithm::Es256, Some(KID))?;
            write(&path, key.to_pem()?.as_bytes(), SECRET)?;
        }
        let jwks = serde_json::json!({ "keys": [self.signing_key()?.to_jwk()] });
        write(&self.file("jwks.json"), jwks.to_string().as_bytes(), PUBLIC)
    }

    fn signing_key(&self) -> Result<SigningKey, SiteError> {
        Ok(SigningKey::read(read(&self.file("token-key.pem"))?.as_bytes(), KID)?)
    }

    fn make_master_key(&self, random: &dyn Random) -> Result<(), SiteError> {
        let path = self.file("master.key");
        if path.exists() {
            return Ok(());
        }
        let mut bytes = [0; 32];
        if !random.fill(&mut bytes) {
            return Err(SiteError::Random);
        }
        write(&path, format!("{}\n", Digest(bytes)).as_bytes(), SECRET)
    }

    /// The shipped policies, for who has the program without its sources. Files already there are kept.
    fn place_policies(&self) -> Result<(), SiteError> {
        let folder = self.file("policies");
        fs::create_dir_all(&folder).map_err(|source| SiteError::Write { path: folder.clone(), source })?;
        for (name, text) in SHIPPED {
            let path = folder.join(name);
            if !path.exists() {
                write(&path, text.as_bytes(), PUBLIC)?;
            }
        }
        Ok(())
    }

    /// Who is owed a copy of the made-up list, as if it had been determined three days ago.
    fn place_register(&self, clock: &dyn Clock) -> Result<(), SiteError> {
        let path = self.register();
        if path.exists() {
            return Ok(());
        }
        let determined = day_in_wib(clock.unix_ms().saturating_sub(3 * 86_400_000));
        let text = format!(
            "# What `salinan log due` compares with the ledger: see docs/register.md.\n\
             [register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\n\
             legal_basis = \"UU 7/2017 Pasal 208 ayat (5)\"\ndays = 7\ncounting = \"calendar\"\n\n\
             [[party]]\nnumber = 7\nname = \"Partai Contoh Tujuh\"\n\n\
             [[party]]\nnumber = 8\nname = \"Partai Contoh Delapan\"\n\n\
             [[area]]\nwilayah = \"9901\"\nname = \"Kabupaten Contoh\"\ndetermined = \"{determined}\"\n\n\
             [[area]]\nwilayah = \"990101\"\nname = \"Kecamatan Contoh\"\n\n\
             [[area]]\nwilayah = \"9902\"\nname = \"Kota Contoh\"\n",
        );
        write(&path, text.as_bytes(), PUBLIC)
    }

    pub fn register(&self) -> PathBuf {
        self.file("register.toml")
    }

    pub fn policies(&self) -> PathBuf {
        self.file("policies")
    }
}

const KID: &str = "demo";
const SHIPPED: [(&str, &str); 2] = [
    ("dpt-2018.toml", include_str!("../../policies/dpt-2018.toml")),
    ("dpt-2024.toml", include_str!("../../policies/dpt-2024.toml")),
];

/// A word of this file that is known to be well formed.
fn known<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the demo's own words are well formed")
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SiteError> {
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    written
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| SiteError::Write { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, SiteError> {
    fs::read_to_string(path).map_err(|source| SiteError::Read { path: path.to_owned(), source })
}

/// From yesterday, so that a slow clock elsewhere does not matter, for `days`.
fn set_validity(certificate: &mut CertificateParams, clock: &dyn Clock, days: i64) {
    let now = i64::try_from(clock.unix_seconds()).unwrap_or_default();
    let day = |offset: i64| {
        let at = jiff::Timestamp::from_second(now + offset * 86_400).unwrap_or_default();
        let date = at.to_zoned(TimeZone::UTC).date();
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    certificate.not_before = day(-1);
    certificate.not_after = day(days);
}
