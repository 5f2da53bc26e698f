//! The file as used: addresses parsed, keys and policies loaded, limits as durations.

use std::error::Error;
use std::fmt::Write;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ServerConfig;
use toml::de::DeTable;

use super::file::{self, TOP, need_path, number, wait};
use super::identity::identity;
use super::pem::{self, Unfit};
use super::server::server;
use super::store;
use super::witnesses::witnesses;
use crate::admission::{AdmissionOptions, Rate};
use crate::document::{At, Diagnostic, Key, Keys, Problem, Problems, Source, word};
use crate::domain::{Digest, Mandates};
use crate::identity::Verifier;
use crate::ledger::{InForce, LedgerOptions, Signer};
use crate::policy::{Policy, PolicySet};
use crate::redact;
use crate::register;
use crate::release::{MasterKey, Public};
use crate::server::ServerOptions;
use crate::store::Place;
use crate::telemetry::{TraceFormat, TraceLevel, TraceOptions};
use crate::upstream::UpstreamOptions;
use crate::witness::FeederOptions;

/// Everything `serve` needs, checked.
pub struct Config {
    /// SHA-256 of the file, for the ledger's record of this start.
    pub digest: Digest,
    pub listen: SocketAddr,
    pub tls: Arc<ServerConfig>,
    pub server: ServerOptions,
    pub stall_timeout: Duration,
    pub verifier: Verifier,
    pub policy: PolicySet,
    pub upstream: UpstreamOptions,
    pub redaction: redact::Limits,
    pub ledger: LedgerOptions,
    pub master_key: MasterKey,
    /// Who may read the ledger's checkpoints and hashes.
    pub public: Public,
    /// Who is asked to sign checkpoints.
    pub witnesses: Option<FeederOptions>,
    pub admission: AdmissionOptions,
    pub trace: TraceOptions,
}

/// Reads and checks the file and all files it names. Every problem of every file comes back at once.
pub fn load(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|problem| vec![problem])?;
    let mut problems = Problems::of(&source);
    let mut policy_problems = Vec::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    let config = source
        .parse(&mut problems)
        .and_then(|table| {
            let top = Keys::open(&table, 0..0, "the file", TOP, &mut problems);
            read(&top, folder, &mut problems, &mut policy_problems)
        })
        .map(|config| Config { digest: Digest::of(source.text.as_bytes()), ..config });
    let mut found = problems.into_sorted();
    found.extend(policy_problems);
    match config {
        Some(config) if found.is_empty() => Ok(config),
        _ => Err(found),
    }
}

fn read(
    top: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
    policy_problems: &mut Vec<Diagnostic>,
) -> Option<Config> {
    // Every part is read before any is missed, so that one run finds the problems of all.
    let server =
        need_section(top, "server", file::SERVER, problems).and_then(|keys| server(&keys, folder, problems));
    let verifier = need_section(top, "identity", file::IDENTITY_AND_ISSUERS, problems)
        .and_then(|keys| identity(&keys, folder, problems));
    let policy = need_section(top, "policy", file::POLICY, problems)
        .and_then(|keys| policy(&keys, folder, problems, policy_problems));
    let source = need_section(top, "source", file::SOURCE, problems)
        .and_then(|keys| upstream(&keys, folder, problems));
    let ledger =
        need_section(top, "ledger", file::LEDGER, problems).and_then(|keys| ledger(&keys, folder, problems));
    let none = DeTable::new();
    let witnesses = witnesses(&section(top, "witness", file::WITNESS, &none, problems), folder, problems);
    let admission = admission(&section(top, "admission", file::ADMISSION, &none, problems), problems);
    let trace = trace(&section(top, "trace", file::TRACE, &none, problems), problems);

    let (listen, tls, server, stall_timeout) = server?;
    let (upstream, redaction) = source?;
    let (mut ledger, master_key, public, mandates) = ledger?;
    let policy = policy?;
    if let Some(in_force) = &mut ledger.in_force {
        in_force.policies = policy.policies().map(Policy::line).collect();
        in_force.quotas = policy.has_quotas();
    }
    Some(Config {
        digest: Digest([0; 32]),
        listen,
        tls,
        server,
        stall_timeout,
        verifier: verifier?.with_mandates(mandates),
        policy,
        upstream,
        redaction,
        ledger,
        master_key,
        public,
        witnesses: witnesses?,
        admission,
        trace,
    })
}

fn need_section<'t>(
    top: &Keys<'t>,
    name: &'static str,
    known: &'static [Key],
    problems: &mut Problems<'_>,
) -> Option<Keys<'t>> {
    top.need(name, problems)?;
    let At { value, span } = top.table(name, problems)?;
    Some(Keys::open(value, span, format!("[{name}]"), known, problems))
}

/// A table that may be left out: then every key of it has its default.
fn section<'t>(
    top: &Keys<'t>,
    name: &'static str,
    known: &'static [Key],
    none: &'t DeTable<'t>,
    problems: &mut Problems<'_>,
) -> Keys<'t> {
    let At { value, span } = top.table(name, problems).unwrap_or(At { value: none, span: 0..0 });
    Keys::open(value, span, format!("[{name}]"), known, problems)
}

fn policy(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
    policy_problems: &mut Vec<Diagnostic>,
) -> Option<PolicySet> {
    let paths: Vec<PathBuf> =
        keys.need_texts("paths", problems)?.iter().map(|path| folder.join(path.value)).collect();
    match PolicySet::load(&paths) {
        Ok(set) => Some(set),
        Err(error) => {
            policy_problems.extend_from_slice(error.diagnostics());
            None
        }
    }
}

fn upstream(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<(UpstreamOptions, redact::Limits)> {
    let url = keys.need_text("url", problems).and_then(|text| {
        let base = text.value.parse::<Uri>().ok().filter(is_base);
        if base.is_none() {
            problems.push(
                Problem::at(text.span.clone(), "`url` is not a scheme and a host alone")
                    .help("write it like `url = \"https://dpt.kpu.example\"`, without path, query or user"),
            );
        }
        base.map(|base| At { value: base, span: text.span })
    });
    let roots = match keys.get("ca") {
        Some(_) => load_file(keys, "ca", folder, problems, pem::certificates),
        None => Some(Vec::new()),
    };
    let options = UpstreamOptions {
        base: Uri::default(),
        roots: Vec::new(),
        connect_timeout: wait(keys, "connect_timeout_ms", problems),
        head_timeout: wait(keys, "head_timeout_ms", problems),
        idle_timeout: wait(keys, "idle_timeout_ms", problems),
        requests_max: count(keys, "requests_max", problems),
    };
    let record_bytes_max = number(keys, "record_bytes_max", 1_024..=16_777_216, problems);
    let (url, roots) = (url?, roots?);
    if url.value.scheme_str() == Some("https") && roots.is_empty() {
        problems.push(
            Problem::at(url.span, "an `https` source needs `ca`")
                .help("name the certificate that vouches for the source; no other is trusted"),
        );
        return None;
    }
    let limits = redact::Limits {
        record_bytes_max: usize::try_from(record_bytes_max).unwrap_or(usize::MAX),
        ..redact::Limits::default()
    };
    Some((UpstreamOptions { base: url.value, roots, ..options }, limits))
}

/// A scheme we speak and a host, without user, path or query.
fn is_base(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.path() == "/"
        && uri.query().is_none()
}

fn ledger(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<(LedgerOptions, MasterKey, Public, Mandates)> {
    let directory = need_path(keys, "directory", folder, problems);
    let origin = keys.need_text("origin", problems)?;
    let signer = load_file(keys, "key", folder, problems, |path| {
        Signer::load(path, origin.value).map_err(|error| Unfit {
            what: format!("{} cannot be used: {error}{}", path.display(), causes(&error)),
            help: "`salinan log init` makes the ledger with its key",
        })
    });
    let master = load_file(keys, "master_key", folder, problems, pem::secret);
    let register = in_force_register(keys, folder, problems);
    let append_deadline = wait(keys, "append_timeout_ms", problems);
    let heartbeat = Duration::from_millis(number(keys, "heartbeat_ms", 1_000..=86_400_000, problems));
    let words = [("nobody", Public::Nobody), ("token", Public::Token), ("anyone", Public::Anyone)];
    let public = keys.text("public", problems).and_then(|text| word("public", &text, &words, problems));
    let server = store::server(keys, folder, problems);
    let replica = store::replica(keys, !matches!(server, Ok(None)), problems);
    let directory = directory?;
    let (register, mandates) = register?;
    if !directory.value.is_dir() {
        problems.push(
            Problem::at(directory.span, format!("{} is not a folder", directory.value.display()))
                .help("make the ledger with `salinan log init`; `serve` never makes one by accident"),
        );
        return None;
    }
    let options = LedgerOptions::new(directory.value, signer?);
    let options = LedgerOptions {
        anchor: keys.text("anchor", problems).map_or(options.anchor, |text| folder.join(text.value)),
        append_deadline,
        heartbeat: Some(heartbeat),
        in_force: Some(InForce { register, ..InForce::default() }),
        store: server.ok()?.map_or(options.store, Place::Server),
        replica: replica?,
        ..options
    };
    Some((options, MasterKey::new(&master?), public.unwrap_or_default(), mandates))
}

/// Digest of the register and its mandates, if one is named; `None` when it is named and cannot be used.
fn in_force_register(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<(Option<Digest>, Mandates)> {
    let Some(_) = keys.get("register") else { return Some((None, Mandates::default())) };
    load_file(keys, "register", folder, problems, |path| {
        let loaded = register::load(path);
        loaded.map(|register| (Some(register.digest()), register.mandates)).map_err(|found| Unfit {
            what: format!("{} cannot be used: {} problems", path.display(), found.len()),
            help: "`salinan register check FILE` shows each of them",
        })
    })
}

fn admission(keys: &Keys<'_>, problems: &mut Problems<'_>) -> AdmissionOptions {
    let mut rate = |per_second, burst| {
        let mut read = |name| {
            let value = number(keys, name, 1..=1_000_000, problems);
            u32::try_from(value).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
        };
        Rate { per_second: read(per_second), burst: read(burst) }
    };
    AdmissionOptions {
        address: rate("address_per_second", "address_burst"),
        requester: rate("requester_per_second", "requester_burst"),
        party: rate("party_per_second", "party_burst"),
        party_copies_max: count(keys, "party_copies_max", problems),
    }
}

fn trace(keys: &Keys<'_>, problems: &mut Problems<'_>) -> TraceOptions {
    let mut options = TraceOptions::default();
    let formats = [("text", TraceFormat::Text), ("json", TraceFormat::Json)];
    let levels = [
        ("error", TraceLevel::Error),
        ("warn", TraceLevel::Warn),
        ("info", TraceLevel::Info),
        ("debug", TraceLevel::Debug),
    ];
    if let Some(text) = keys.text("format", problems) {
        options.format = word("format", &text, &formats, problems).unwrap_or_default();
    }
    if let Some(text) = keys.text("level", problems) {
        options.level = word("level", &text, &levels, problems).unwrap_or_default();
    }
    options
}

pub(super) fn count(keys: &Keys<'_>, name: &'static str, problems: &mut Problems<'_>) -> usize {
    usize::try_from(number(keys, name, 1..=100_000, problems)).unwrap_or(usize::MAX)
}

/// What a file that must be there holds; what is wrong with it is shown where it is named.
pub(super) fn load_file<T>(
    keys: &Keys<'_>,
    name: &'static str,
    folder: &Path,
    problems: &mut Problems<'_>,
    load: impl FnOnce(&Path) -> Result<T, Unfit>,
) -> Option<T> {
    let path = need_path(keys, name, folder, problems)?;
    match load(&path.value) {
        Ok(loaded) => Some(loaded),
        Err(Unfit { what, help }) => {
            problems.push(Problem::at(path.span, what).help(help));
            None
        }
    }
}

pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
