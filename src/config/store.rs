//! Where the ledger rests, and the name of this process among those who append to it.

use std::path::Path;

use super::checked::causes;
use super::file::need_path;
use crate::document::{At, Keys, Problem, Problems};
use crate::store::postgres::PostgresOptions;
use crate::store::postgres::address::Address;

/// Longest name of a replica, in bytes; it stands in every entry.
const NAME_BYTES_MAX: usize = 64;

/// The server of `store`; `Ok(None)` without one, `Err` when it cannot be used, which `problems` says.
pub(super) fn server(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Result<Option<PostgresOptions>, ()> {
    let Some(At { value, span }) = keys.text("store", problems) else {
        for name in ["store_password", "store_ca"] {
            if let Some(At { span, .. }) = keys.text(name, problems) {
                problems.push(
                    Problem::at(span, format!("`{name}` is for `store`, which is not there"))
                        .help("without `store` the ledger is a file in `directory`: leave this out"),
                );
            }
        }
        return Ok(None);
    };
    let address = value.parse::<Address>().map_err(|error| {
        problems.push(
            Problem::at(span.clone(), format!("`store` is not an address: {error}"))
                .help("write it like `store = \"postgres://salinan@db.example/ledger\"`"),
        );
    })?;
    let mut path =
        |name| keys.get(name).map(|_| need_path(keys, name, folder, problems).ok_or(())).transpose();
    let (password, ca) = (path("store_password")?, path("store_ca")?);
    let ca = ca.map(|ca| ca.value);
    let options = PostgresOptions::load(address, password.map(|password| password.value), ca.as_deref());
    options.map(Some).map_err(|error| {
        problems.push(
            Problem::at(span, format!("`store` cannot be used: {error}{}", causes(&error)))
                .help("`store_ca` names a PEM certificate, `store_password` a file with the password alone"),
        );
    })
}

/// The name of this process. Several that shared one would shut each other out.
pub(super) fn replica(keys: &Keys<'_>, is_shared: bool, problems: &mut Problems<'_>) -> Option<String> {
    let Some(given) = keys.text("replica", problems) else {
        if is_shared {
            problems.push(
                Problem::at(keys.span(), "a ledger on a server needs `replica`")
                    .help("give each process that appends to it a name of its own: `replica = \"a\"`"),
            );
            return None;
        }
        return Some(keys.example("replica").trim_matches('"').to_owned());
    };
    let is_fit = !given.value.is_empty()
        && given.value.len() <= NAME_BYTES_MAX
        && given.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_fit {
        problems.push(
            Problem::at(given.span, "`replica` is 1 to 64 letters, digits, `-`, `_` and `.`")
                .help("give each process that appends to the ledger a name of its own"),
        );
        return None;
    }
    Some(given.value.to_owned())
}
