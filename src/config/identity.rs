//! `[identity]` and its `[[identity.issuer]]` tables: who may issue tokens, where keys are read, what is revoked.

use std::path::Path;
use std::time::Duration;

use http::Uri;

use super::checked::{causes, load_file};
use super::file::{ISSUER, number, wait};
use super::pem::{self, Unfit};
use crate::caller::{Caller, is_address};
use crate::document::{At, Keys, Problem, Problems, word};
use crate::identity::{Algorithm, IssuerOptions, KeySet, Place, Revocations, RevokedFile, Timing, Verifier};

/// Longest key set that an address may answer with.
const KEYS_BYTES_MAX: usize = 256 * 1_024;

pub(super) fn identity(keys: &Keys<'_>, folder: &Path, problems: &mut Problems<'_>) -> Option<Verifier> {
    let revoked = match keys.get("revoked") {
        Some(_) => load_file(keys, "revoked", folder, problems, |path| match Revocations::load(path) {
            Ok(first) => Ok(Some(RevokedFile { path: path.to_owned(), first })),
            Err(error) => Err(Unfit {
                what: format!("{} {error}{}", path.display(), causes(&error)),
                help: "write `jti = []`, `sub = []`, `client_id = []` and `kid = []`, each in a line of its own",
            }),
        }),
        None => Some(None),
    };
    let timing = Timing {
        poll: wait(keys, "poll_ms", problems),
        refresh: wait(keys, "refresh_ms", problems),
        cooldown: wait(keys, "cooldown_ms", problems),
        stale_max: Duration::from_millis(number(keys, "stale_max_ms", 1_000..=604_800_000, problems)),
    };
    if timing.poll.max(timing.refresh) >= timing.stale_max {
        let message = "`stale_max_ms` is not longer than `poll_ms` and `refresh_ms`, so that all would be too old before it is read again";
        problems.push(Problem::at(keys.span(), message).help("make it several times as long"));
    }
    let timeout = wait(keys, "timeout_ms", problems);
    if keys.get("issuer").is_none() {
        let message = "[identity] has no `[[identity.issuer]]`";
        problems.push(Problem::at(keys.span(), message).help("add one; without it nobody has a token"));
        return None;
    }
    let mut issuers: Vec<IssuerOptions> = Vec::new();
    let mut is_whole = true;
    for table in keys.need_tables("issuer", problems) {
        let keys = Keys::open(table.value, table.span, "[[identity.issuer]]", ISSUER, problems);
        let Some(issuer) = issuer(&keys, folder, timeout, problems) else {
            is_whole = false;
            continue;
        };
        if issuers.iter().any(|known| known.issuer == issuer.issuer) {
            problems.push(
                Problem::at(keys.span(), "two issuers have one name, and a token would have two readings")
                    .help("keep one; several keys stand in one key set"),
            );
        }
        issuers.push(issuer);
    }
    (is_whole && !issuers.is_empty()).then_some(())?;
    Some(Verifier::new(issuers, revoked?, timing))
}

fn issuer(
    keys: &Keys<'_>,
    folder: &Path,
    timeout: Duration,
    problems: &mut Problems<'_>,
) -> Option<IssuerOptions> {
    let issuer = keys.need_text("issuer", problems);
    let audience = keys.need_text("audience", problems);
    let algorithms = algorithms(keys, problems);
    let words = [("optional", false), ("required", true)];
    let bound = match keys.text("bound", problems) {
        Some(text) => word("bound", &text, &words, problems),
        None => Some(false),
    };
    let lifetime_max_s = number(keys, "lifetime_max_s", 60..=2_592_000, problems);
    let roots = match keys.get("ca") {
        Some(_) => load_file(keys, "ca", folder, problems, pem::certificates),
        None => Some(Vec::new()),
    };
    let named = keys.need_text("jwks", problems);
    let (place, set) = match named.filter(|named| named.value.contains("://")) {
        Some(named) => (address(&named, roots?, timeout, problems)?, None),
        None => {
            let path = folder.join(keys.text("jwks", problems)?.value);
            let set = load_file(keys, "jwks", folder, problems, |path| {
                KeySet::load(path).map_err(|error| Unfit {
                    what: format!("{} cannot be used: {error}{}", path.display(), causes(&error)),
                    help: "a key set is a JWKS of public keys, each with `kid` and `alg`: see `salinan token keys`",
                })
            });
            (Place::File(path), Some(set?))
        }
    };
    let options = IssuerOptions {
        issuer: issuer?.value.to_owned(),
        audience: audience?.value.to_owned(),
        algorithms: algorithms?,
        lifetime_max_s,
        bound: bound?,
        place,
        keys: set,
    };
    Some(options)
}

fn address(
    named: &At<&str>,
    roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    timeout: Duration,
    problems: &mut Problems<'_>,
) -> Option<Place> {
    let url = named.value.parse::<Uri>().ok().filter(is_address);
    let url = url.filter(|url| url.scheme_str() == Some("http") || !roots.is_empty());
    let Some(url) = url else {
        problems.push(Problem::at(named.span.clone(), "keys cannot be asked for at this address").help(
            "write `https://` and name in `ca` the certificate that vouches for it; `http` is for this machine's own addresses",
        ));
        return None;
    };
    match Caller::new(roots, timeout, KEYS_BYTES_MAX) {
        Ok(caller) => Some(Place::Url { url, caller: Box::new(caller) }),
        Err(error) => {
            let what = format!("{error}{}", causes(&error));
            problems.push(Problem::at(named.span.clone(), what).help("see `ca`"));
            None
        }
    }
}

/// All of them, unless the file names some.
fn algorithms(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Vec<Algorithm>> {
    let Some(list) = keys.get("algorithms") else { return Some(Algorithm::ALL.to_vec()) };
    let words = Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let texts = keys.need_texts("algorithms", problems)?;
    if texts.is_empty() {
        problems.push(
            Problem::at(list.span(), "`algorithms` is empty, so that no token could be verified")
                .help("name those that the issuer signs with, or leave it out for all"),
        );
    }
    let found: Vec<_> = texts.iter().map(|text| word("algorithms", text, &words, problems)).collect();
    found.into_iter().collect()
}
