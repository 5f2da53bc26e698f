//! `[witness]`: whom to ask for signatures, and which certificates vouch for each of them.

use std::collections::BTreeMap;
use std::path::Path;

use http::Uri;
use rustls_pki_types::CertificateDer;

use super::checked::load_file;
use super::file::wait;
use super::pem::{self, Unfit};
use crate::caller::is_address;
use crate::document::{Keys, Problem, Problems, quote};
use crate::ledger::quorum::TrustPolicy;
use crate::witness::{FeederOptions, WitnessPlace};

type Roots = Vec<CertificateDer<'static>>;

/// The witnesses to ask, if a policy names any; `None` when it cannot be used.
#[expect(clippy::option_option, reason = "witnesses may be left out, and those that are wrong may not")]
pub(super) fn witnesses(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<Option<FeederOptions>> {
    let interval = wait(keys, "interval_ms", problems);
    let timeout = wait(keys, "timeout_ms", problems);
    let shared = match keys.get("ca") {
        Some(_) => load_file(keys, "ca", folder, problems, pem::certificates),
        None => Some(Vec::new()),
    };
    let own = own_roots(keys, folder, problems);
    if keys.get("policy").is_none() {
        return shared.and(own).map(|_| None);
    }
    let (shared, own) = (shared?, own?);
    let read = load_file(keys, "policy", folder, problems, |path| read_policy(path, &shared, &own));
    let (policy, places) = read?;
    Some(Some(FeederOptions { policy, places, interval, timeout }))
}

/// Certificates for single witnesses, by the names that the policy has for them; `None` when one cannot be used.
fn own_roots(keys: &Keys<'_>, folder: &Path, problems: &mut Problems<'_>) -> Option<BTreeMap<String, Roots>> {
    if keys.get("ca_of").is_none() {
        return Some(BTreeMap::new());
    }
    let mut roots = Some(BTreeMap::new());
    for (name, value) in keys.table("ca_of", problems)?.value {
        let loaded = match value.get_ref().as_str() {
            Some(text) => pem::certificates(&folder.join(text)),
            None => Err(Unfit {
                what: format!("{} in `ca_of` is not the name of a file", quote(name.get_ref())),
                help: "write it like `ca_of = { NAME = \"certs/its-ca.pem\" }`",
            }),
        };
        match loaded {
            Ok(loaded) => {
                if let Some(roots) = &mut roots {
                    roots.insert(name.get_ref().to_string(), loaded);
                }
            }
            Err(Unfit { what, help }) => {
                problems.push(Problem::at(value.span(), what).help(help));
                roots = None;
            }
        }
    }
    roots
}

/// The policy, and where each of its witnesses is. Its own certificates vouch for a witness, or else the shared ones.
fn read_policy(
    path: &Path,
    shared: &Roots,
    own: &BTreeMap<String, Roots>,
) -> Result<(TrustPolicy, Vec<WitnessPlace>), Unfit> {
    let unfit =
        |what: String, help| Unfit { what: format!("{} cannot be used: {what}", path.display()), help };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unfit(error.to_string(), "the path is meant from the folder of this file"))?;
    let policy = TrustPolicy::read(&text).map_err(|error| {
        unfit(error.to_string(), "it is a file of C2SP tlog-policy: log, witness, group and quorum lines")
    })?;
    if let Some(name) = own.keys().find(|name| policy.witnesses().all(|witness| witness.name != **name)) {
        let what = format!("it has no witness {}, which `ca_of` names", quote(name));
        return Err(unfit(what, "`ca_of` goes by the NAME of the lines `witness NAME VKEY URL`"));
    }
    let mut places = Vec::new();
    for witness in policy.witnesses() {
        let roots = own.get(witness.name).unwrap_or(shared);
        let url = witness.url.and_then(|url| url.parse::<Uri>().ok()).filter(is_address);
        let url = url.filter(|url| !roots.is_empty() || url.scheme_str() == Some("http"));
        let url = url.ok_or_else(|| {
            let what = format!("the witness {} has no address that can be asked", witness.name);
            unfit(what, "write `witness NAME VKEY URL`; `https` needs `ca` or `ca_of`, and `http` is for this machine's own addresses")
        })?;
        places.push(WitnessPlace { url, roots: roots.clone() });
    }
    Ok((policy, places))
}
