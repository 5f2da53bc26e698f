//! What an operator does to the ledger beside `serve` and between two runs of it, as seen from outside.

use std::fs;
use std::time::{Duration, Instant};

use salinan::ledger::Entry;

use crate::support::fixture::Form;
use crate::support::stub::{self, Step, chunk, chunked, last_chunk};
use crate::support::{Proxy, Setup, shown};

const WORDS: [&str; 4] = ["--operator", "KPU Contoh", "--reason", "tahapan selesai"];

/// Runs a command on the ledger and gives its exit code and what it said.
fn log(proxy: &Proxy, arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["log", arguments[0], "--dir", "ledger"];
    all.extend(&arguments[1..]);
    let output = proxy.site.run(&all);
    (output.status.code(), shown(&output))
}

fn kinds(proxy: &Proxy) -> Vec<&'static str> {
    proxy.site.records().iter().map(|record| record.entry.kind()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_election_nothing_new_is_handed_over_and_what_runs_may_end() {
    let proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2)), Step::Gate, last_chunk()]);
    let client = proxy.client();
    let under_way = client.get(form.path(), &token);
    let ending = async {
        while !kinds(&proxy).contains(&"release.intent") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let freeze = [&["freeze", "--election", "pemilu-2024"][..], &WORDS].concat();
        let (code, said) = log(&proxy, &freeze);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = log(&proxy, &freeze);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("is over since entry"), "{said}");
        let refused = client.get(form.path(), &token).await;
        assert_eq!((refused.status, &*refused.code()), (403, "election_over"));
        assert_eq!(refused.header("retry-after"), None);
        proxy.source.open_gate();
    };
    let (whole, ()) = tokio::join!(under_way, ending);
    assert_eq!(whole.status, 200);
    let release = whole.header("release-id").unwrap();
    assert_eq!(proxy.closing(release).await.outcome.as_str(), "complete");
    assert_eq!(proxy.refusals(1).await, ["election_over"]);
    let (code, said) = log(&proxy, &["verify"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("pemilu-2024, by entry"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_policies_are_entered_before_they_serve() {
    let mut proxy = Proxy::start().await;
    assert_eq!(kinds(&proxy), ["log.genesis", "replica.start", "policy.change"]);
    proxy.stop();
    proxy.start_again();
    assert_eq!(kinds(&proxy)[3..], ["replica.start"]);
    proxy.stop();
    let policy = fs::read_to_string(proxy.site.path("policy.toml")).unwrap();
    fs::write(proxy.site.path("policy.toml"), format!("{policy}\n# another remark\n")).unwrap();
    proxy.start_again();
    assert_eq!(kinds(&proxy)[4..], ["replica.start", "policy.change"]);
    let records = proxy.site.records();
    let (Entry::PolicyChange(first), Entry::PolicyChange(second)) = (&records[2].entry, &records[5].entry)
    else {
        panic!("not changes of policies")
    };
    assert_eq!((first.old_digest, second.old_digest), (None, Some(first.new_digest)));
    assert_eq!((&first.added, first.removed.len(), second.added.len()), (&second.removed, 0, 1));
    assert_ne!(second.added, second.removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_is_named_checked_and_its_changes_are_entered() {
    let setup = Setup { ledger: "register = \"register.toml\"", ..Setup::default() };
    let register = |days: u8| {
        format!(
            "[register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\nlegal_basis = \"-\"\n\
             days = {days}\ncounting = \"calendar\"\n\n[[party]]\nnumber = 7\nname = \"Partai Contoh\"\n\n\
             [[area]]\nwilayah = \"9901\"\nname = \"Contoh\"\ndetermined = \"2023-06-21\"\n"
        )
    };
    let site = crate::support::Site::new();
    fs::write(site.path("register.toml"), register(7)).unwrap();
    let checked = {
        site.write_config(&setup, ([127, 0, 0, 1], 9).into());
        let sound = site.run(&["serve", "--check"]);
        assert!(sound.status.success(), "{}", shown(&sound));
        fs::write(site.path("register.toml"), "[register]\ndays = 0\n").unwrap();
        site.run(&["serve", "--check"])
    };
    assert_eq!(checked.status.code(), Some(1));
    assert!(shown(&checked).contains("register.toml cannot be used"), "{}", shown(&checked));

    let mut proxy = Proxy::start().await;
    let change = |proxy: &mut Proxy, days: Option<u8>| {
        proxy.stop();
        let config = fs::read_to_string(proxy.site.path("salinan.toml")).unwrap();
        let named = "register = \"register.toml\"\n";
        let config = config.replace(named, "");
        let line = if days.is_some() { named } else { "" };
        fs::write(
            proxy.site.path("salinan.toml"),
            config.replace("master_key", &format!("{line}master_key")),
        )
        .unwrap();
        fs::write(proxy.site.path("register.toml"), register(days.unwrap_or(7))).unwrap();
        proxy.start_again();
    };
    for days in [Some(7), Some(7), Some(9), None] {
        change(&mut proxy, days);
    }
    let changes: Vec<_> = proxy
        .site
        .records()
        .into_iter()
        .filter_map(|record| match record.entry {
            Entry::RegisterChange(change) => Some((change.old_digest, change.new_digest)),
            _ => None,
        })
        .collect();
    let [(None, Some(first)), (Some(before), Some(second)), (Some(last), None)] = changes[..] else {
        panic!("{changes:?}")
    };
    assert!(first == before && second == last && first != second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_server_says_that_it_is_there() {
    let proxy = Proxy::start_with(Setup { ledger: "heartbeat_ms = 1000", ..Setup::default() }).await;
    let until = Instant::now() + Duration::from_secs(20);
    while kinds(&proxy).iter().filter(|kind| **kind == "log.heartbeat").count() < 2 {
        assert!(Instant::now() < until, "no heartbeats: {:?}", kinds(&proxy));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_takes_over_between_two_runs_and_the_old_one_is_kept() {
    let mut proxy = Proxy::start().await;
    let (_, first) = log(&proxy, &["vkey"]);
    let first = first.lines().last().unwrap().to_owned();
    let (code, said) = log(&proxy, &["rotate"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("stop it first"), "{said}");
    proxy.stop();
    // The refused try left a key behind, which the next one takes.
    let (code, said) = log(&proxy, &["rotate"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(proxy.site.path("ledger/ledger-key.old-1.pem").exists());
    proxy.start_again();
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    let copy = proxy.client().get(form.path(), &token).await;
    assert_eq!(copy.status, 200);
    // Who knows the first key alone is led to the one that signs now.
    let receipt = format!("/receipts/{}", copy.header("release-id").unwrap());
    let receipt = proxy.client().get(&receipt, &token).await;
    fs::write(proxy.site.path("receipt.json"), &receipt.body).unwrap();
    let checked = proxy.site.run(&["receipt", "verify", "receipt.json", "--vkey", &first]);
    let said = shown(&checked);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(said.contains("named its successor in the ledger"), "{said}");
    assert!(said.contains("That nobody else had the key you gave"), "{said}");
    let (_, keys) = log(&proxy, &["vkey"]);
    let keys: Vec<&str> = keys.lines().filter(|line| line.contains('+')).collect();
    assert_eq!((keys.len(), keys[0]), (2, first.as_str()));
    for key in keys {
        let (code, said) = log(&proxy, &["verify", "--vkey", key]);
        assert_eq!(code, Some(0), "{said}");
    }
    // As if the machine had stopped between the entry and the files: the new key lies under its first name.
    proxy.stop();
    let key = |name: &str| proxy.site.path(&format!("ledger/{name}"));
    fs::rename(key("ledger-key.pem"), key("ledger-key.new.pem")).unwrap();
    fs::rename(key("ledger-key.old-1.pem"), key("ledger-key.pem")).unwrap();
    let refused = proxy.site.run(&["serve", "--config", "salinan.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(shown(&refused).contains("the key was replaced by another"), "{}", shown(&refused));
    let (code, said) = log(&proxy, &["rotate"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("in force already"), "{said}");
    proxy.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn older_tables_are_refused_and_served_once_they_are_brought_up_to_date() {
    let mut proxy = Proxy::start().await;
    let (code, said) = log(&proxy, &["upgrade"]);
    assert_eq!((code, said.contains("stop it first")), (Some(2), true), "{said}");
    proxy.stop();
    let (code, said) = log(&proxy, &["upgrade"]);
    assert_eq!((code, said.contains("are of version 2 already")), (Some(0), true), "{said}");
    let entries = proxy.site.records().len();
    // As the program before this one left them.
    let database = rusqlite::Connection::open(proxy.site.path("ledger/ledger.sqlite")).unwrap();
    database.execute_batch("DROP TABLE entered_read; PRAGMA user_version = 1").unwrap();
    drop(database);
    for refused in [&["serve", "--config", "salinan.toml"][..], &["log", "verify", "--dir", "ledger"]] {
        let output = proxy.site.run(refused);
        let said = shown(&output);
        assert_eq!((output.status.code(), said.contains("log upgrade")), (Some(2), true), "{said}");
    }
    let (code, said) = log(&proxy, &["upgrade"]);
    let is_said = said.contains("were of version 1 and are of version 2 now");
    assert_eq!((code, is_said), (Some(0), true), "{said}");
    assert_eq!(proxy.site.records().len(), entries, "entries stay as they are");
    proxy.start_again();
    let (code, said) = log(&proxy, &["verify"]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_the_ledger_goes_on_only_by_the_operators_word() {
    let mut proxy = Proxy::start().await;
    proxy.stop();
    let (database, kept) = (proxy.site.path("ledger/ledger.sqlite"), proxy.site.path("kept"));
    fs::copy(&database, &kept).unwrap();
    proxy.start_again();
    proxy.stop();
    let signed = proxy.site.records().len();
    fs::copy(&kept, &database).unwrap();
    let left = proxy.site.records().len();
    let refused = proxy.site.run(&["serve", "--config", "salinan.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    let go_on = |size: usize| {
        let size = size.to_string();
        log(&proxy, &[&["continue", "--anchor-size", &size][..], &WORDS].concat())
    };
    let (code, said) = go_on(left);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(proxy.site.records().len(), left, "nothing is entered for a size that is not the anchor's");
    let (code, said) = go_on(signed);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = go_on(signed);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = log(&proxy, &["verify"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("what was signed from {left} to {signed}")), "{said}");
    let (code, said) = log(&proxy, &["verify", "--anchor", &format!("ledger/ledger.lost-{signed}")]);
    assert_eq!(code, Some(1), "{said}");
    proxy.start_again();
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(1)));
    assert_eq!(proxy.client().get(form.path(), &token).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_beside_a_running_server_is_verified_and_serves_again() {
    let mut proxy = Proxy::start().await;
    let (token, form) = (proxy.site.partai(), Form::Csv);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(2)));
    assert_eq!(proxy.client().get(form.path(), &token).await.status, 200);
    let held = proxy.site.records().len();
    let (code, said) = log(&proxy, &["backup", "--to", "copy"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("{held} entries")), "{said}");
    let (code, said) = log(&proxy, &["backup", "--to", "copy"]);
    assert_eq!(code, Some(2), "one copy is never made over another: {said}");
    let verified = proxy.site.run(&["log", "verify", "--dir", "copy"]);
    assert!(verified.status.success(), "{}", shown(&verified));
    let read_by_others = fs::metadata(proxy.site.path("copy/ledger.sqlite")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&read_by_others.permissions()) & 0o077, 0);

    // Nothing was entered since: the copy may take the ledger's place.
    proxy.stop();
    let database = proxy.site.path("ledger/ledger.sqlite");
    fs::copy(proxy.site.path("copy/ledger.sqlite"), &database).unwrap();
    proxy.start_again();
    assert_eq!(proxy.client().get(form.path(), &token).await.status, 200);
    // Now something was, and it may not.
    proxy.stop();
    let newest = fs::read(&database).unwrap();
    fs::copy(proxy.site.path("copy/ledger.sqlite"), &database).unwrap();
    let refused = proxy.site.run(&["serve", "--config", "salinan.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(shown(&refused).contains("older copy was put back"), "{}", shown(&refused));
    // A ledger that is not sound gives no copy.
    fs::write(&database, newest).unwrap();
    let stranger = rusqlite::Connection::open(&database).unwrap();
    stranger
        .execute_batch("DROP TRIGGER entry_stays; UPDATE entry SET party = 'pemilu-2024/8' WHERE idx = 3")
        .unwrap();
    drop(stranger);
    let (code, said) = log(&proxy, &["backup", "--to", "another"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not sound at entry 3"), "{said}");
    assert!(!proxy.site.path("another/ledger.sqlite").exists());
    let stranger = rusqlite::Connection::open(&database).unwrap();
    stranger.execute_batch("UPDATE entry SET party = 'pemilu-2024/7' WHERE idx = 3").unwrap();
    drop(stranger);
    proxy.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_and_what_could_be_better() {
    let mut proxy = Proxy::start().await;
    let findings = |proxy: &Proxy, expected: i32| {
        let output = proxy.site.run(&["log", "doctor", "--dir", "ledger", "--format", "json"]);
        assert_eq!(output.status.code(), Some(expected), "{}", shown(&output));
        let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        found
            .into_iter()
            .map(|one| (one["check"].as_str().unwrap().to_owned(), one["state"].clone()))
            .collect()
    };
    let all: std::collections::BTreeMap<String, serde_json::Value> = findings(&proxy, 0);
    assert_eq!(all["anchor's disk"], "advice");
    for check in ["engine", "sync", "room", "database", "log", "key", "key's turn", "head", "anchor's word"] {
        assert_eq!(all[check], "good", "{check}");
    }
    assert!(!proxy.site.path("ledger/doctor.tmp").exists());
    proxy.stop();
    let key = proxy.site.path("ledger/ledger-key.pem");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(findings(&proxy, 1)["key"], "wrong");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let anchor = proxy.site.path("ledger/ledger.anchor");
    let word = fs::read(&anchor).unwrap();
    fs::write(&anchor, "another").unwrap();
    assert_eq!(findings(&proxy, 1)["anchor's word"], "wrong");
    fs::write(&anchor, word).unwrap();
    let (code, said) = log(&proxy, &["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("on the disk of the ledger"), "{said}");
    proxy.start_again();
}
