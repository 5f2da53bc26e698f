//! `salinan token`: signing keys and access tokens for small installations and tests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::print::{Answer, Failure, Outcome};
use crate::domain::{Clock, Digest, Level, Party, Random, ReleaseId, Role, SystemClock, Wilayah};
use crate::identity::{Algorithm, Binding, Claims, IssuerOptions, KeySet, SigningKey, Verifier};

const KEY_FILE: &str = "token-key.pem";
const JWKS_FILE: &str = "jwks.json";
/// A private key is its owner's alone.
const KEY_FILE_MODE: u32 = 0o600;

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a signing key: `token-key.pem` (keep it secret) and its public part in `jwks.json`
    Keys(KeysArgs),
    /// Sign an access token and print it
    Issue(Box<IssueArgs>),
}

#[derive(Debug, ClapArgs)]
struct KeysArgs {
    #[arg(long, value_enum, default_value = "es256")]
    alg: Alg,
    /// Directory for both files; public keys already in its `jwks.json` are kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the key; its thumbprint if not given
    #[arg(long)]
    kid: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Alg {
    Es256,
    Eddsa,
    Rs256,
}

#[derive(Debug, ClapArgs)]
struct IssueArgs {
    /// Private key in PEM, as `salinan token keys` writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Name of the key in the key file of the verifier
    #[arg(long)]
    kid: String,
    #[arg(long)]
    issuer: String,
    #[arg(long)]
    audience: String,
    /// Who the token speaks for; never a NIK
    #[arg(long)]
    subject: String,
    #[arg(long)]
    client_id: String,
    /// Such as `partai`, `bawaslu`, `auditor`
    #[arg(long)]
    role: Role,
    /// nasional, provinsi, kabkota, kecamatan or desa
    #[arg(long, value_parser = read_level)]
    level: Level,
    /// Area codes of that level (of provinces, where it is nasional)
    #[arg(long, value_name = "CODE,...", value_delimiter = ',')]
    wilayah: Vec<Wilayah>,
    /// The party acted for, such as `pemilu-2024/7`
    #[arg(long, value_name = "ELECTION/NUMBER", value_parser = read_party)]
    party: Option<Party>,
    /// Number of the mandate letter
    #[arg(long)]
    mandate: Option<String>,
    /// Bind the token to this certificate, in PEM: only a connection that shows it may use the token (RFC 8705)
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Seconds from now until the token expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    ttl: u64,
    /// Time before which the token is not accepted, such as `2026-06-21T00:00:00+07:00`
    #[arg(long, value_name = "TIME")]
    not_before: Option<jiff::Timestamp>,
}

pub(super) fn read_level(text: &str) -> Result<Level, String> {
    let level = Level::ALL.into_iter().find(|level| level.as_str() == text);
    level.ok_or_else(|| "not one of nasional, provinsi, kabkota, kecamatan, desa".to_owned())
}

fn read_party(text: &str) -> Result<Party, String> {
    let party = text.split_once('/').and_then(|(election, number)| {
        Some(Party { election: election.to_owned(), number: number.parse().ok()? })
    });
    party.ok_or_else(|| "not an election and a ballot number, such as pemilu-2024/7".to_owned())
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Keys(args) => make_keys(args),
        Command::Issue(args) => {
            let token = issue(args, &SystemClock)?;
            writeln!(anstream::stdout(), "{token}")?;
            Ok(Answer::Yes)
        }
    }
}

/// Writes the private key first: a public key without its private one is of no use, but harms nobody.
fn make_keys(args: &KeysArgs) -> Outcome {
    let algorithm = match args.alg {
        Alg::Es256 => Algorithm::Es256,
        Alg::Eddsa => Algorithm::EdDsa,
        Alg::Rs256 => Algorithm::Rs256,
    };
    let key = SigningKey::generate(algorithm, args.kid.as_deref())
        .map_err(|source| Failure::caused("could not make a signing key", source))?;
    fs::create_dir_all(&args.out)
        .map_err(|source| Failure::caused(format!("could not create {}", args.out.display()), source))?;
    let jwks_path = args.out.join(JWKS_FILE);
    let jwks = with_key(&jwks_path, &key)?;
    let key_path = args.out.join(KEY_FILE);
    let pem = key.to_pem().map_err(|source| Failure::caused("could not write the key as PEM", source))?;
    write_private(&key_path, pem.as_bytes())?;
    write_whole(&jwks_path, jwks.as_bytes())
        .map_err(|source| Failure::caused(format!("could not write {}", jwks_path.display()), source))?;
    let mut stdout = anstream::stdout();
    writeln!(stdout, "kid  {}", key.kid())?;
    writeln!(stdout, "key  {}", key_path.display())?;
    writeln!(stdout, "jwks {}", jwks_path.display())?;
    Ok(Answer::Yes)
}

/// The key file as it is, if there is one, and the new public key; checked as the verifier will read it.
fn with_key(path: &Path, key: &SigningKey) -> Result<String, Failure> {
    let unusable = |source| {
        Failure::caused(format!("could not add the key to {}", path.display()), source)
            .help("repair or move the file, or choose another --kid")
    };
    let mut jwks = if path.exists() {
        KeySet::load(path).map_err(unusable)?;
        let text = fs::read(path)
            .map_err(|source| Failure::caused(format!("could not read {}", path.display()), source))?;
        serde_json::from_slice(&text)
            .map_err(|source| Failure::caused(format!("could not read {}", path.display()), source))?
    } else {
        json!({ "keys": [] })
    };
    if let Some(keys) = jwks["keys"].as_array_mut() {
        keys.push(key.to_jwk());
    }
    let text = format!("{jwks:#}\n");
    KeySet::read(text.as_bytes()).map_err(unusable)?;
    Ok(text)
}

fn write_private(path: &Path, pem: &[u8]) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(KEY_FILE_MODE)
        .open(path)
        .and_then(|mut file| file.write_all(pem).and_then(|()| file.sync_all()));
    written.map_err(|source| {
        let exists = source.kind() == io::ErrorKind::AlreadyExists;
        let failure = Failure::caused(format!("could not write {}", path.display()), source);
        if exists {
            failure.help("a private key is never overwritten; move it away or choose another --out")
        } else {
            failure
        }
    })
}

/// Replaces the file in one step, so that a reader sees the old one or the new one.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// A token that the verifier of this same program accepts, or a failure that says why it would not.
fn issue(args: &IssueArgs, clock: &dyn Clock) -> Result<String, Failure> {
    let pem = fs::read(&args.key)
        .map_err(|source| Failure::caused(format!("could not read {}", args.key.display()), source))?;
    let key = SigningKey::read(&pem, &args.kid).map_err(|source| {
        Failure::caused(format!("could not use {}", args.key.display()), source)
            .help("`salinan token keys` makes a key of the right kind")
    })?;
    let mut random = [0; 10];
    if !Random::fill(&SystemRandom::new(), &mut random) {
        return Err(Failure::new("the machine gave no random bytes"));
    }
    let now_s = clock.unix_seconds();
    let nbf = match args.not_before {
        Some(time) => {
            Some(u64::try_from(time.as_second()).map_err(|_| Failure::new("--not-before lies before 1970"))?)
        }
        None => None,
    };
    let claims = Claims {
        iss: args.issuer.clone(),
        sub: args.subject.clone(),
        aud: args.audience.clone(),
        exp: now_s.saturating_add(args.ttl),
        iat: now_s,
        nbf,
        jti: ReleaseId::new(clock.unix_ms(), random).to_string(),
        client_id: args.client_id.clone(),
        role: args.role.clone(),
        party: args.party.clone(),
        level: args.level,
        wilayah: args.wilayah.clone(),
        mandate: args.mandate.clone(),
        cnf: args.certificate.as_deref().map(binding).transpose()?,
    };
    let token = key.sign(&claims).map_err(|source| Failure::caused("could not sign the token", source))?;
    check(&key, &claims, &token)?;
    Ok(token)
}

fn binding(path: &Path) -> Result<Binding, Failure> {
    let certificate = CertificateDer::from_pem_file(path).map_err(|source| {
        Failure::caused(format!("could not read a certificate from {}", path.display()), source)
            .help("the file is PEM: `-----BEGIN CERTIFICATE-----`, the bearer's own first")
    })?;
    Ok(Binding(Digest::of(&certificate)))
}

/// Verifies at the first moment at which the token should be accepted.
fn check(key: &SigningKey, claims: &Claims, token: &str) -> Result<(), Failure> {
    let jwks: Value = json!({ "keys": [key.to_jwk()] });
    let keys = KeySet::read(jwks.to_string().as_bytes())
        .map_err(|source| Failure::caused("the key could not be verified with", source))?;
    let verifier = Verifier::of_one(IssuerOptions::new(&claims.iss, &claims.aud, keys));
    let from_s = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
    let certificate = claims.cnf.as_ref().map(|binding| &binding.0);
    verifier.verify_token(token, certificate, from_s).map(drop).map_err(|source| {
        Failure::caused("the verifier would refuse this token", source).help(
            "role partai needs --party, --mandate and --wilayah; every area is of the --level; \
             --ttl is 1 to 86400; no name holds 16 digits",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::domain::TestClock;

    const NOW_S: u64 = 1_750_000_000;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(line: &str) -> Command {
        Line::parse_from(std::iter::once("token").chain(line.split(' '))).args.command
    }

    fn keys(directory: &Path, rest: &str) -> Result<Answer, String> {
        let Command::Keys(args) = read(&format!("keys --out {} {rest}", directory.display())) else {
            panic!()
        };
        make_keys(&args).map_err(|failure| format!("{failure:?}"))
    }

    fn issued(directory: &Path, rest: &str) -> Result<String, String> {
        let line = format!(
            "issue --key {}/token-key.pem --issuer https://kpu.example --audience salinan --client-id partai-7 {rest}",
            directory.display()
        );
        let Command::Issue(args) = read(&line) else { panic!() };
        issue(&args, &TestClock::at(NOW_S * 1_000)).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_key_is_made_once_and_its_public_part_joins_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!(keys(directory, "--alg eddsa --kid one"), Ok(Answer::Yes));
        let key = directory.join(KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, KEY_FILE_MODE);
        assert!(keys(directory, "--alg es256 --kid two").unwrap_err().contains("never overwritten"));
        assert_eq!(KeySet::load(&directory.join(JWKS_FILE)).unwrap().len(), 1);
        fs::rename(&key, directory.join("old.pem")).unwrap();
        assert!(keys(directory, "--alg es256 --kid one").unwrap_err().contains("KidTwice"));
        assert!(!key.exists(), "nothing is written when the public key cannot be");
        assert_eq!(keys(directory, "--alg es256"), Ok(Answer::Yes));
        assert_eq!(KeySet::load(&directory.join(JWKS_FILE)).unwrap().len(), 2);
        fs::remove_file(&key).unwrap();
        fs::write(directory.join(JWKS_FILE), "{}").unwrap();
        assert!(keys(directory, "--kid three").unwrap_err().contains("Keys"));
    }

    #[test]
    fn an_issued_token_is_accepted_and_one_that_would_not_be_is_not_issued() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        keys(directory, "--kid one").unwrap();
        let partai = "--kid one --subject saksi-7 --role partai --level kabkota --wilayah 9901,9902 \
                      --party pemilu-2024/7 --mandate 015/SM/2023";
        let token = issued(directory, partai).unwrap();
        let keys = KeySet::load(&directory.join(JWKS_FILE)).unwrap();
        let verifier = Verifier::of_one(IssuerOptions::new("https://kpu.example", "salinan", keys));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        let requester = verifier.verify(&headers, None, NOW_S, &mut None).unwrap();
        assert_eq!(requester.party.unwrap().to_string(), "pemilu-2024/7");
        assert_eq!(requester.expires_at_s, NOW_S + 3_600);

        let cases = [
            ("--role auditor --level nasional", None),
            ("--role auditor --level nasional --ttl 86400", None),
            ("--role auditor --level nasional --ttl 86401", Some("Lifetime")),
            ("--role auditor --level nasional --ttl 0", Some("Lifetime")),
            ("--role auditor --level nasional --not-before 2025-06-15T15:30:00Z", None),
            ("--role auditor --level nasional --not-before 2026-06-15T15:30:00Z", Some("Expired")),
            ("--role auditor --level nasional --not-before 1960-06-15T15:30:00Z", Some("before 1970")),
            ("--role bawaslu --level kabkota", Some("AreaCount")),
            ("--role bawaslu --level kecamatan --wilayah 9901", Some("AreaLevel")),
            ("--role partai --level kabkota --wilayah 9901", Some("ClaimMissing { claim: \"party\" }")),
            ("--role auditor --level nasional --mandate 9901014512900003", Some("PersonalNumber")),
        ];
        for (rest, refused) in cases {
            let found = issued(directory, &format!("--kid one --subject saksi-7 {rest}"));
            match refused {
                None => assert!(found.is_ok(), "{rest}: {found:?}"),
                Some(word) => {
                    assert!(found.as_ref().is_err_and(|said| said.contains(word)), "{rest}: {found:?}");
                }
            }
        }
    }
}
