//! Certificates, keys and the master secret, loaded from the files that the configuration names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Largest certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 1_048_576;

/// What is wrong with a file and what to do, in a sentence each.
pub(super) struct Unfit {
    pub(super) what: String,
    pub(super) help: &'static str,
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)).map_err(|error| {
        Unfit {
            what: format!("could not read {}: {error}", path.display()),
            help: "the path is meant from the folder of this file",
        }
    })?;
    Ok(bytes)
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unfit> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(Unfit {
            what: format!("{} holds no certificate", path.display()),
            help: "a certificate file is PEM: `-----BEGIN CERTIFICATE-----`, the server's own first",
        }),
    }
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unfit> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| Unfit {
        what: format!("{} holds no private key", path.display()),
        help: "a key file is PEM: PKCS#8, SEC1 or PKCS#1, not encrypted",
    })
}

/// 32 bytes as 64 hexadecimal digits on one line.
pub(super) fn secret(path: &Path) -> Result<[u8; 32], Unfit> {
    let unfit = || Unfit {
        what: format!("{} does not hold 64 hexadecimal digits", path.display()),
        help: "make one with `openssl rand -hex 32`, and keep it: tokens of old copies need it",
    };
    let text = read(path)?;
    let digits = text.trim_ascii();
    if digits.len() != 64 {
        return Err(unfit());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| unfit())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| unfit())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_64_hexadecimal_digits_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let good = "0f".repeat(32);
        let cases = [
            (good.clone(), true),
            (format!("{good}\n"), true),
            (good[1..].to_owned(), false),
            (format!("{good}0f"), false),
            (good.replace('f', "g"), false),
            (String::new(), false),
        ];
        for (text, fit) in cases {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(secret(&path).is_ok(), fit, "{text}");
        }
        assert_eq!(secret(&path.join("missing")).err().map(|unfit| unfit.help.is_empty()), Some(false));
    }
}
