//! `[server]`: where parties connect, by which certificate, and whether they show one of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

use super::checked::{causes, count, load_file};
use super::file::wait;
use super::pem;
use crate::document::{Keys, Problem, Problems, word};
use crate::server::{ClientCertificates, ServerOptions, server_config};

pub(super) type Server = (SocketAddr, Arc<ServerConfig>, ServerOptions, Duration);

pub(super) fn server(keys: &Keys<'_>, folder: &Path, problems: &mut Problems<'_>) -> Option<Server> {
    let listen = keys.need_text("listen", problems).and_then(|text| {
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            problems.push(
                Problem::at(text.span, "`listen` is not an address with a port")
                    .help("write it like `listen = \"0.0.0.0:8443\"`"),
            );
        }
        parsed
    });
    let chain = load_file(keys, "certificate", folder, problems, pem::certificates);
    let key = load_file(keys, "key", folder, problems, pem::private_key);
    let options = ServerOptions {
        connections_max: count(keys, "connections_max", problems),
        address_connections_max: count(keys, "address_connections_max", problems),
        handshake_timeout: wait(keys, "handshake_timeout_ms", problems),
        head_timeout: wait(keys, "head_timeout_ms", problems),
        idle_timeout: wait(keys, "idle_timeout_ms", problems),
        drain_timeout: wait(keys, "drain_timeout_ms", problems),
    };
    let stall_timeout = wait(keys, "stall_timeout_ms", problems);
    let clients = client_certificates(keys, folder, problems);
    let tls = match server_config(chain?, key?, clients?) {
        Ok(tls) => tls,
        Err(error) => {
            problems.push(
                Problem::at(keys.span(), format!("{error}{}", causes(&error))).help(
                    "`key` must be the private key of the first certificate in `certificate`, and `client_ca` certificates of authorities",
                ),
            );
            return None;
        }
    };
    Some((listen?, tls, options, stall_timeout))
}

/// Whether clients are asked for certificates; `client_ca` vouches for them, and no other.
fn client_certificates(
    keys: &Keys<'_>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<ClientCertificates> {
    type Asked = Option<fn(Vec<CertificateDer<'static>>) -> ClientCertificates>;
    let words: [(_, Asked); 3] = [
        ("off", None),
        ("optional", Some(ClientCertificates::Optional)),
        ("required", Some(ClientCertificates::Required)),
    ];
    let asked = match keys.text("client_certificates", problems) {
        Some(text) => word("client_certificates", &text, &words, problems)?,
        None => None,
    };
    match (asked, keys.get("client_ca")) {
        (Some(asked), Some(_)) => {
            load_file(keys, "client_ca", folder, problems, pem::certificates).map(asked)
        }
        (None, None) => Some(ClientCertificates::Off),
        (Some(_), None) => {
            let message = "certificates of clients are asked for, and nobody vouches for them";
            problems.push(Problem::at(keys.span(), message).help("name the authority in `client_ca`"));
            None
        }
        (None, Some(ca)) => {
            let message = "`client_ca` is named, and certificates of clients are not asked for";
            problems.push(Problem::at(ca.span(), message).help(
                "add `client_certificates = \"optional\"` or `\"required\"`, or leave `client_ca` out",
            ));
            None
        }
    }
}
