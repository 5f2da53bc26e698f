//! What only an engine that is shared and far away can do wrong.

use std::error::Error;
use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;
use crate::store::contract::server::TestServer;
use crate::store::contract::{REPLICA, entry, head, on_server, options, tile};
use crate::store::{NewEntry, Place};

fn service(place: &Place) -> &PostgresOptions {
    let Place::Server(options) = place else { panic!("not on a server") };
    options
}

/// Appends one entry behind two.
fn append(store: &mut PostgresStore, entry: NewEntry) -> Result<(), StoreError> {
    let found = store.begin()?;
    let width = usize::try_from(found.size + 1).unwrap();
    store.commit(&Batch {
        first: found.size,
        entries: &[entry],
        tiles: &[tile(width)],
        head: &head(found.size + 1),
    })
}

#[test]
fn a_server_that_can_lose_commits_is_refused_and_so_is_a_role_that_can_change_them() {
    let Some(server) = TestServer::start(&[]) else { return };
    let place = on_server(&server, "ledger");
    let service = service(&place);
    let open = |options: &PostgresOptions| PostgresStore::open(options, &REPLICA).err();
    assert!(open(service).is_none());
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        server.sql("ledger", &format!("ALTER SYSTEM SET {setting} = off"));
        server.sql("ledger", "SELECT pg_reload_conf()");
        // Sessions hear of it a moment later.
        let refused = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            open(service)
        });
        assert!(
            matches!(refused, Some(StoreError::Setting { name }) if name == setting),
            "{setting}: {refused:?}"
        );
        server.sql("ledger", &format!("ALTER SYSTEM RESET {setting}"));
        server.sql("ledger", "SELECT pg_reload_conf()");
        assert!((0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            open(service).is_none()
        }));
    }
    assert!(matches!(open(&options(&server, "owner", "ledger")), Some(StoreError::TooMuch)));
    assert!(matches!(open(&options(&server, "salinan", "postgres")), Some(StoreError::NoLedger { .. })));
    let owner = options(&server, "owner", "ledger");
    let again = PostgresStore::create(&owner, "salinan", &REPLICA, &head(0));
    assert!(matches!(again.err(), Some(StoreError::Exists)));
    // What was begun and has no entry leaves nothing behind.
    server.database("other");
    let owner = options(&server, "owner", "other");
    drop(PostgresStore::create(&owner, "salinan", &REPLICA, &head(0)).unwrap());
    drop(PostgresStore::create(&owner, "salinan", &REPLICA, &head(0)).unwrap());
    assert!(
        PostgresStore::create(&owner, "a\"b", &REPLICA, &head(0))
            .is_err_and(|e| matches!(e, StoreError::Role))
    );
}

#[test]
fn whoever_is_shut_out_appends_nothing_more() {
    let Some(server) = TestServer::start(&[]) else { return };
    let place = on_server(&server, "ledger");
    let service = service(&place);
    let replica = |name, boot| PostgresStore::open(service, &Replica { name, boot }).unwrap();
    let one = |release: u8, turn| {
        let mut entry = entry(b"c", None, turn);
        entry.card.release = Some([release; 16]);
        entry
    };

    // Another run under the same name.
    let mut first = replica("a", "a1");
    append(&mut first, one(7, Turn::Opens)).unwrap();
    let mut second = replica("a", "a2");
    assert!(matches!(append(&mut first, one(7, Turn::Closes)), Err(StoreError::ShutOut)));
    drop(first);
    let back = PostgresStore::open(service, &Replica { name: "a", boot: "a1" });
    assert!(matches!(back.err(), Some(StoreError::NameTaken)));
    second.begin().unwrap();
    // Not that which another holds open, who made the ledger and is still there.
    assert_eq!(second.orphans().unwrap(), [([7; 16], 2)]);
    second.abandon().unwrap();
    append(&mut second, one(7, Turn::Closes)).unwrap();

    // Silence. What another holds open is not ours to close until it is over.
    let mut other = replica("b", "b1");
    append(&mut other, one(8, Turn::Opens)).unwrap();
    assert!(!second.beat().unwrap());
    assert!(append(&mut second, one(8, Turn::Closes)).is_err());
    drop(second);
    let mut second = replica("a", "a2");
    second.begin().unwrap();
    assert_eq!(second.orphans().unwrap(), []);
    second.abandon().unwrap();
    server.sql("ledger", "UPDATE salinan.replica SET seen = seen - interval '61 seconds' WHERE boot = 'b1'");
    assert!(second.beat().unwrap());
    assert!(matches!(append(&mut other, one(8, Turn::Closes)), Err(StoreError::ShutOut)));
    drop(other);
    append(&mut second, one(8, Turn::Closes)).unwrap();
    assert!(!second.beat().unwrap());
    // Who was only silent may come back, and finds what was closed.
    let mut other = replica("b", "b1");
    assert_eq!(other.open_releases().unwrap(), [([1; 16], 0)]);
    append(&mut other, one(9, Turn::Opens)).unwrap();
    // Who leaves is not waited for.
    other.leave().unwrap();
    assert!(second.beat().unwrap());
}

#[test]
fn a_replica_that_stops_while_it_holds_the_lock_loses_it_before_others_give_up() {
    let Some(server) = TestServer::start(&[]) else { return };
    let place = on_server(&server, "ledger");
    let service = service(&place);
    let mut stopped = PostgresStore::open(service, &Replica { name: "a", boot: "a1" }).unwrap();
    let mut other = PostgresStore::open(service, &Replica { name: "b", boot: "b1" }).unwrap();
    stopped.begin().unwrap();
    append(&mut other, entry(b"c", None, Turn::Nothing)).unwrap();
    // What it gathered is not stored, and it cannot think otherwise.
    let one = [entry(b"d", None, Turn::Nothing)];
    let late = stopped.commit(&Batch { first: 2, entries: &one, tiles: &[tile(3)], head: &head(3) });
    assert!(late.is_err(), "{late:?}");
    assert_eq!(place.reader().unwrap().entries(0, 9).unwrap().last().unwrap().leaf, b"c");
}

#[test]
fn a_server_is_known_by_its_certificate_or_not_spoken_to() {
    let Some(server) = TestServer::start(&[]) else { return };
    on_server(&server, "ledger");
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (own, stranger) = (authority("own"), authority("stranger"));
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &own).unwrap();
    let at = |file: &str| server.folder().join(file);
    for (file, text) in [
        ("server.pem", certificate.pem()),
        ("server.key", key.serialize_pem()),
        ("own.pem", own.pem()),
        ("stranger.pem", stranger.pem()),
        ("password", "made up\n".to_owned()),
        ("other", "made down\n".to_owned()),
        ("empty", "\n".to_owned()),
    ] {
        fs::write(at(file), text).unwrap();
    }
    server.hand_over(&at("server.pem"), 0o644);
    server.hand_over(&at("server.key"), 0o600);
    server.sql("ledger", "ALTER ROLE salinan PASSWORD 'made up'");

    let port = server.port();
    let load = |host: &str, mode: &str, password: &str, ca: &str| {
        let address = format!("postgres://salinan@{host}:{port}/ledger?sslmode={mode}").parse().unwrap();
        PostgresOptions::load(address, Some(at(password)), Some(&at(ca)))
    };
    let failure = |host, mode, password, ca| -> String {
        let Some(error) = PostgresReader::open(&load(host, mode, password, ca).unwrap()).err() else {
            return String::new();
        };
        let mut causes = vec![error.to_string()];
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        causes.join(": ")
    };
    // The server does not speak TLS yet: asked to check who it is, we do not go on without.
    assert!(failure("localhost", "verify-full", "password", "own.pem").contains("does not support TLS"));
    let (chain, key) = (at("server.pem"), at("server.key"));
    server.sql("ledger", &format!("ALTER SYSTEM SET ssl_cert_file = '{}'", chain.display()));
    server.sql("ledger", &format!("ALTER SYSTEM SET ssl_key_file = '{}'", key.display()));
    server.sql("ledger", "ALTER SYSTEM SET ssl = on");
    let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(server.data().join("pg_hba.conf"), rules).unwrap();
    server.stop("fast");
    server.go();

    assert_eq!(failure("localhost", "verify-full", "password", "own.pem"), "");
    let cases = [
        ("localhost", "verify-full", "password", "stranger.pem", "certificate"),
        // The certificate is of the name `localhost` alone.
        ("127.0.0.1", "verify-full", "password", "own.pem", "certificate"),
        ("localhost", "verify-full", "other", "own.pem", "password authentication failed"),
        ("localhost", "disable", "password", "own.pem", "no encryption"),
    ];
    for (host, mode, password, ca, expected) in cases {
        let said = failure(host, mode, password, ca);
        assert!(said.contains(expected), "{host} {mode} {password} {ca}: {said}");
        assert!(!said.contains("made"), "{said}");
    }
    assert!(matches!(load("localhost", "disable", "empty", "own.pem"), Err(StoreError::NoPassword { .. })));
    assert!(matches!(load("localhost", "disable", "missing", "own.pem"), Err(StoreError::Password { .. })));
    assert!(matches!(load("localhost", "disable", "password", "password"), Err(StoreError::Roots { .. })));
    let far = "postgres://salinan@db.example/ledger".parse().unwrap();
    assert!(matches!(PostgresOptions::load(far, None, None), Err(StoreError::NoRoots)));
}
