//! The configuration file: read, checked and turned into what the rooms use, all problems in one run.
//!
//! Secrets are paths, never values. Relative paths are meant from the folder of the file, so that a service
//! started elsewhere reads the same ones. `docs/config.md` shows every key; a test compares it with the code.

mod checked;
mod file;
mod identity;
mod pem;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod witnesses;

pub use checked::{Config, load};
pub use file::KEYS;

use std::path::Path;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain and its private key, from PEM files of a command; or what is wrong with them, in a sentence.
pub fn certificate(
    chain: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = pem::certificates(chain).map_err(|unfit| unfit.what)?;
    let key = pem::private_key(key).map_err(|unfit| unfit.what)?;
    Ok((chain, key))
}

/// Reads the secret that `log verify` seals what it saves with.
pub fn seal(path: &Path) -> Result<crate::ledger::verify::Seal, String> {
    let bytes = pem::secret(path)
        .map_err(|unfit| format!("{}; make one of your own with `openssl rand -hex 32`", unfit.what))?;
    Ok(crate::ledger::verify::Seal::new(&bytes))
}

/// Reads the secret that `[ledger] master_key` names, for those who trace copies by it.
pub fn master_key(path: &Path) -> Result<crate::release::MasterKey, String> {
    let bytes = pem::secret(path).map_err(|unfit| format!("{}; {}", unfit.what, unfit.help))?;
    Ok(crate::release::MasterKey::new(&bytes))
}
