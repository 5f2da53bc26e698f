//! The folder that the program is started in, with everything made for one test.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use salinan::domain::{Clock, Level, Party, SystemClock};
use salinan::identity::{Algorithm, Claims, SigningKey};
use salinan::ledger::{Entry, KEY_FILE, Ledger, LedgerReader, Query, Record, Signer};

use super::oracle::Oracle;
use super::process::{run, shown};
use super::{Setup, fixture};

const ORIGIN: &str = "test.example/ledger";
pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://salinan.example";

/// Makes a new authority and, as `NAME.pem` and `NAME-key.pem`, a certificate for this machine that it vouches for. Gives
/// the authority's own.
pub fn certified(folder: &Path, name: &str) -> String {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca_key = KeyPair::generate().unwrap();
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    server.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    let key = KeyPair::generate().unwrap();
    let server = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    fs::write(folder.join(format!("{name}.pem")), server.pem()).unwrap();
    fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).unwrap();
    ca_pem
}

/// Everything the program is started with.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub ca_pem: String,
    pub key: SigningKey,
    tokens: Mutex<Vec<String>>,
}

impl Site {
    /// Certificates, keys, policy and ledger, all new.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let ca_pem = certified(folder.path(), "server");

        let key = SigningKey::generate(Algorithm::Es256, Some("test")).unwrap();
        fs::write(at("jwks.json"), serde_json::json!({ "keys": [key.to_jwk()] }).to_string()).unwrap();
        fs::write(at("master.key"), "5a".repeat(32)).unwrap();
        fs::write(at("policy.toml"), fixture::POLICY).unwrap();

        let ledger = at("ledger");
        fs::create_dir(&ledger).unwrap();
        let signer = Signer::generate(&ledger.join(KEY_FILE), ORIGIN).unwrap();
        let random = Arc::new(SystemRandom::new());
        Ledger::init(&ledger, &signer, "KPU Kabupaten Contoh", Arc::new(SystemClock), random).unwrap();
        Self { folder, ca_pem, key, tokens: Mutex::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    pub fn write_config(&self, setup: &Setup, source: SocketAddr) {
        let usual = "address_per_second = 100000\naddress_burst = 100000\n\
                     requester_per_second = 100000\nrequester_burst = 100000\n\
                     party_per_second = 100000\nparty_burst = 100000\nparty_copies_max = 100000";
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server-key.pem\"\n{}\n\
             [identity]\npoll_ms = 50\n{}\n\
             [[identity.issuer]]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n{}\n\
             [policy]\npaths = [\"policy.toml\"]\n\
             [source]\nurl = \"http://{source}\"\n{}\n\
             [ledger]\norigin = \"{ORIGIN}\"\ndirectory = \"ledger\"\nkey = \"ledger/ledger-key.pem\"\n\
             master_key = \"master.key\"\n{}\n\
             [admission]\n{}\n\
             [trace]\nformat = \"json\"\nlevel = \"debug\"\n",
            setup.server,
            setup.identity,
            setup.issuer.as_deref().unwrap_or("jwks = \"jwks.json\""),
            setup.source,
            setup.ledger,
            setup.admission.unwrap_or(usual),
        );
        fs::write(self.path("salinan.toml"), text).unwrap();
    }

    /// The claims of a party's witness for 9901, which a test may change before they are signed.
    pub fn claims(&self) -> Claims {
        let now = SystemClock.unix_seconds();
        let number = self.tokens.lock().unwrap().len();
        Claims {
            iss: ISSUER.to_owned(),
            sub: "saksi-7".to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now + 3_600,
            iat: now - 10,
            nbf: None,
            jti: format!("token-{number}"),
            client_id: "partai-7".to_owned(),
            role: "partai".parse().unwrap(),
            party: Some(Party { election: "pemilu-2024".to_owned(), number: 7 }),
            level: Level::Kabkota,
            wilayah: vec!["9901".parse().unwrap()],
            mandate: Some("SM-07/2026".to_owned()),
            cnf: None,
        }
    }

    pub fn sign(&self, claims: &Claims) -> String {
        let token = self.key.sign(claims).unwrap();
        self.tokens.lock().unwrap().push(token.clone());
        token
    }

    pub fn partai(&self) -> String {
        self.sign(&self.claims())
    }

    pub fn other_party(&self) -> String {
        let mut claims = self.claims();
        "saksi-8".clone_into(&mut claims.sub);
        "partai-8".clone_into(&mut claims.client_id);
        claims.party = Some(Party { election: "pemilu-2024".to_owned(), number: 8 });
        self.sign(&claims)
    }

    pub fn of_role(&self, role: &str) -> String {
        let mut claims = self.claims();
        role.clone_into(&mut claims.sub);
        role.clone_into(&mut claims.client_id);
        claims.role = role.parse().unwrap();
        claims.party = None;
        self.sign(&claims)
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(arguments, self.folder.path())
    }

    /// Everything the ledger says, read beside the server.
    pub fn records(&self) -> Vec<Record> {
        records(&self.ledger())
    }

    /// The oracle hears the ledger's files, all traces and whatever else is given.
    pub fn hear(&self, others: &[Vec<u8>]) {
        let mut oracle = Oracle::of_the_fixture();
        for token in self.tokens.lock().unwrap().iter() {
            oracle.hide_token(token);
        }
        hear_files(&oracle, &[&self.ledger(), self.folder.path()], &["ledger.", "trace", "stdout"]);
        for bytes in others {
            oracle.hear("what requesters got", bytes);
        }
    }

    pub fn check_ledger(&self) {
        check_ledger(&self.ledger());
    }
}

/// The files of these folders whose names begin so.
pub fn hear_files(oracle: &Oracle, folders: &[&Path], beginnings: &[&str]) {
    for file in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if beginnings.iter().any(|beginning| name.starts_with(beginning)) {
            oracle.hear(&name, &fs::read(&path).unwrap());
        }
    }
}

/// Everything a ledger says.
pub fn records(ledger: &Path) -> Vec<Record> {
    LedgerReader::open(ledger).unwrap().find(&Query::default(), 0, 1_000_000).unwrap()
}

/// `log verify` accepts the ledger, and every release in it was opened once and closed once.
pub fn check_ledger(ledger: &Path) {
    verify_ledger(ledger);
    let mut open = HashMap::new();
    for record in records(ledger) {
        let Some(release) = record.entry.release() else { continue };
        match record.entry {
            Entry::Intent(_) => assert!(open.insert(release, true).is_none(), "{release} opened twice"),
            Entry::Grant(_) => assert_eq!(open.get(&release), Some(&true), "{release} granted more unopened"),
            Entry::Ack(_) => assert_eq!(open.get(&release), Some(&false), "{release} stated while open"),
            _ => assert_eq!(open.insert(release, false), Some(true), "{release} closed twice or unopened"),
        }
    }
    let left: Vec<_> = open.iter().filter(|(_, open)| **open).collect();
    assert!(left.is_empty(), "releases were left open: {left:?}");
}

pub fn verify_ledger(ledger: &Path) {
    let verified = run(&["log", "verify", "--dir", &ledger.to_string_lossy()], ledger);
    assert!(verified.status.success(), "log verify: {}", shown(&verified));
}
