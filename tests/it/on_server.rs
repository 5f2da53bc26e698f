//! What auditors and operators do with a ledger on a `PostgreSQL` server, beside the replicas that serve from it.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use salinan::ledger::{ANCHOR_FILE, Entry};
use serde_json::Value;

use crate::replicas::{Replica, Replicas, stop};
use crate::support::client::End;
use crate::support::fixture::Form;
use crate::support::{shown, stub};
use crate::witness::Witness;

const LIMIT: Duration = Duration::from_secs(30);
/// What an auditor's role needs, as docs/operate.md says.
const AUDITOR: &str = "CREATE ROLE panwas LOGIN; GRANT USAGE ON SCHEMA salinan TO panwas; \
    GRANT SELECT ON ALL TABLES IN SCHEMA salinan TO panwas; \
    GRANT EXECUTE ON FUNCTION salinan.ask, salinan.is_served TO panwas";

/// Runs a command of `log` with `--store` alone, as somebody.
fn log_as(all: &Replicas, user: &str, arguments: &[&str]) -> Output {
    let address = all.server.address(user, "ledger");
    all.site.run(&[&["log"], arguments, &["--store", &address]].concat())
}

/// The answer without what depends on when it was asked.
fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", shown(output));
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Result<Vec<Value>, _> = lines.map(serde_json::from_slice).collect();
        Value::Array(lines.unwrap_or_else(|_| panic!("{error}: {}", shown(output))))
    });
    if let Some(document) = document.as_object_mut() {
        document.remove("size");
    }
    document
}

async fn reads(all: &Replicas) -> Vec<(String, String)> {
    let records = all.records().await.into_iter();
    let read = records.filter_map(|record| match record.entry {
        Entry::AuditRead(read) => Some((read.auditor, read.question)),
        _ => None,
    });
    read.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_are_answered_from_a_server_as_from_a_file_and_each_read_is_entered_first() {
    let Some(all) = Replicas::new().await else { return };
    let (a, b) = (all.start("a"), all.start("b"));
    all.server.sql("ledger", AUDITOR);
    let (of_a, of_b) = (all.client(&a), all.client(&b));
    let (token, form) = (all.site.partai(), Form::Csv);
    all.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let mut copies = Vec::new();
    for client in [&of_a, &of_b] {
        let reply = client.get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean));
        copies.push((reply.header("release-id").unwrap().to_owned(), reply.text()));
    }
    assert_eq!(of_b.get("/dpt/9902.csv", &token).await.status, 403);
    fs::write(all.site.path("leaked.csv"), &copies[0].1).unwrap();
    fs::write(
        all.site.path("register.toml"),
        "[register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\nlegal_basis = \"-\"\n\
         days = 7\ncounting = \"calendar\"\n\n[[party]]\nnumber = 7\nname = \"Partai Contoh\"\n\n\
         [[area]]\nwilayah = \"9901\"\nname = \"Contoh\"\ndetermined = \"2023-06-21\"\n",
    )
    .unwrap();
    let backup = log_as(&all, "salinan", &["backup", "--to", "copy"]);
    assert!(backup.status.success(), "{}", shown(&backup));

    let questions: [&[&str]; 12] = [
        &["party", "pemilu-2024/7"],
        &["party", "pemilu-2024/9"],
        &["area", "9901"],
        &["area", "9901011001001"],
        &["policy", "fixture"],
        &["refusals", "--party", "pemilu-2024/7"],
        &["open"],
        &["changes"],
        &["due", "--register", "register.toml", "--at", "2023-06-30"],
        &["trace", "leaked.csv"],
        &["query", "--type", "release.complete"],
        &["show", "0"],
    ];
    let asked: Vec<(&str, &[&str])> = questions.iter().map(|question| (question[0], *question)).collect();
    for (word, question) in &asked {
        let question = [question, &["--auditor", "panwas", "--format", "json"][..]].concat();
        // `show` prints the entry itself.
        let question = if *word == "show" { question[..4].to_vec() } else { question };
        let before = reads(&all).await.len();
        let on_server = log_as(&all, "panwas", &question);
        let reads = reads(&all).await;
        assert_eq!(reads.len(), before + 1, "{word}: {}", shown(&on_server));
        assert_eq!(reads[before], ("panwas".to_owned(), (*word).to_owned()));
        assert!(!shown(&on_server).contains("note:"), "{}", shown(&on_server));
        let in_file = all.site.run(&[&["log"], &question[..], &["--dir", "copy"]].concat());
        if *word == "show" {
            assert_eq!(on_server.stdout, in_file.stdout);
        } else {
            assert_eq!(answer(&on_server), answer(&in_file), "{word}");
        }
    }
    let exported = log_as(&all, "panwas", &["export", "--csv", "server.csv", "--tiles", "tiles"]);
    assert!(exported.status.success(), "{}", shown(&exported));
    let exported = all.site.run(&["log", "export", "--dir", "copy", "--csv", "file.csv"]);
    assert!(exported.status.success(), "{}", shown(&exported));
    let read = |name: &str| fs::read_to_string(all.site.path(name)).unwrap();
    assert!(read("server.csv").starts_with(&read("file.csv")), "the same entries, and the reads behind them");

    // A role that may read the tables and not ask is told so, and is not answered.
    all.server.sql("ledger", "REVOKE EXECUTE ON FUNCTION salinan.ask FROM panwas");
    let before = reads(&all).await.len();
    let refused = log_as(&all, "panwas", &["open"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{}", shown(&refused));
    assert!(shown(&refused).contains("GRANT EXECUTE"), "{}", shown(&refused));
    all.server.sql("ledger", "GRANT EXECUTE ON FUNCTION salinan.ask TO panwas");
    assert_eq!(reads(&all).await.len(), before);
    stop(a);
    stop(b);
    // Nobody serves: the read is durable in the server, and whoever starts next enters it before it serves.
    let asked = log_as(&all, "panwas", &["open", "--auditor", "Inspektorat"]);
    assert!(asked.status.success() && shown(&asked).contains("waits in the server"), "{}", shown(&asked));
    assert_eq!(reads(&all).await.len(), before);
    let b = all.start("b");
    assert_eq!(reads(&all).await.last().unwrap(), &("Inspektorat".to_owned(), "open".to_owned()));
    stop(b);
    let verified = log_as(&all, "panwas", &["verify"]);
    assert!(verified.status.success(), "{}", shown(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_server_is_a_ledger_and_is_restored_to_another_one() {
    let Some(all) = Replicas::new().await else { return };
    let a = all.start("a");
    let (token, form) = (all.site.partai(), Form::Csv);
    all.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let fetch = async |replica: &Replica| {
        let reply = all.client(replica).get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean), "{}", reply.text());
    };
    fetch(&a).await;
    let (owner, service) = (all.server.address("owner", "ledger"), all.server.address("salinan", "ledger"));
    let run = |arguments: &[&str], expected: i32| {
        let output = all.site.run(arguments);
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}", shown(&output));
        shown(&output)
    };
    let made = run(&["log", "backup", "--store", &service, "--dir", "a", "--to", "copy"], 0);
    run(&["log", "backup", "--store", &service, "--to", "copy"], 2);
    let entries = made.lines().find(|line| line.contains(" entries, root ")).unwrap().to_owned();
    run(&["log", "verify", "--dir", "copy"], 0);
    assert_eq!(
        fs::metadata(all.site.path("copy/ledger.sqlite"))
            .map(|about| std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077)
            .unwrap(),
        0
    );

    // Never over a ledger; into an empty database it is the same one.
    let there = run(&["log", "restore", "--from", "copy", "--store", &owner], 2);
    assert!(there.contains("never written over"), "{there}");
    all.server.database("second");
    let second = all.server.address("owner", "second");
    assert!(run(&["log", "restore", "--from", "copy", "--store", &second], 0).contains(&entries));
    run(&["log", "verify", "--store", &second, "--dir", "a"], 0);

    // The server was lost, and the copy is put in its place. What it lacks is noticed.
    fetch(&a).await;
    stop(a);
    run(&["log", "verify", "--store", &second, "--dir", "a"], 1);
    all.server.sql("postgres", "ALTER DATABASE ledger RENAME TO gone");
    all.server.sql("postgres", "ALTER DATABASE second RENAME TO ledger");
    let refused = run(&["serve", "--config", "a.toml"], 2);
    assert!(refused.contains("older copy was put back"), "{refused}");
    let signed: usize = fs::read_to_string(all.site.path("a").join(ANCHOR_FILE))
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let go_on = |size: usize, expected: i32| {
        let size = size.to_string();
        let words = ["--operator", "KPU Contoh", "--reason", "diska rusak", "--anchor-size", &size];
        run(&[&["log", "continue", "--store", &service, "--dir", "a"], &words[..]].concat(), expected)
    };
    go_on(signed - 1, 1);
    go_on(signed, 0);
    let a = all.start("a");
    fetch(&a).await;
    stop(a);
    let verified = run(&["log", "verify", "--store", &service, "--dir", "a"], 0);
    assert!(verified.contains(&format!("to {signed}")), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_on_a_server_is_handed_over_to_another_key() {
    let Some(all) = Replicas::new().await else { return };
    let service = all.server.address("salinan", "ledger");
    let run = |arguments: &[&str], expected: i32| {
        let output = all.site.run(arguments);
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}", shown(&output));
        shown(&output)
    };
    let keys = || {
        let said = run(&["log", "vkey", "--store", &service, "--dir", "a"], 0);
        said.lines().filter(|line| line.starts_with("test.example/")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = keys();
    let a = all.start("a");
    let rotate = ["log", "rotate", "--store", &service, "--dir", "a"];
    assert!(run(&rotate, 2).contains("stop it first"));
    stop(a);
    run(&rotate, 0);
    let both = keys();
    assert_eq!((first.len(), both.len(), &both[0]), (1, 2, &first[0]));
    assert!(all.site.path("a/ledger-key.old-1.pem").exists());
    // The replica that has the new key serves, and one that has the old key does not.
    let refused = run(&["serve", "--config", "b.toml"], 2);
    assert!(refused.contains("the key was replaced by another"), "{refused}");
    fs::copy(all.site.path("a/ledger-key.pem"), all.site.path("b/ledger-key.pem")).unwrap();
    for name in ["a", "b"] {
        let replica = all.start(name);
        let (token, form) = (all.site.partai(), Form::Csv);
        all.source.answer(stub::whole(form.media_type(), form.whole(3)));
        let reply = all.client(&replica).get(form.path(), &token).await;
        assert_eq!((reply.status, reply.end), (200, End::Clean), "{}", reply.text());
        stop(replica);
    }
    for key in &both {
        run(&["log", "verify", "--store", &service, "--dir", "a", "--vkey", key], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_tables_of_a_server_are_brought_up_to_date_by_their_owner() {
    let Some(all) = Replicas::new().await else { return };
    stop(all.start("a"));
    let upgrade = |user: &str| {
        let output = log_as(&all, user, &["upgrade"]);
        (output.status.code(), shown(&output))
    };
    let (code, said) = upgrade("owner");
    assert_eq!((code, said.contains("are of version 2 already")), (Some(0), true), "{said}");
    // As the program before this one left them.
    let older = "DROP FUNCTION salinan.ask, salinan.is_served, salinan.take_reads, salinan.set_aside; \
                 DROP TABLE salinan.read; DELETE FROM salinan.step WHERE version = 2";
    all.server.sql("ledger", older);
    let serve = || all.site.run(&["serve", "--config", "a.toml"]);
    let refused = shown(&serve());
    assert!(refused.contains("log upgrade"), "{refused}");
    // The service may not change tables.
    let (code, said) = upgrade("salinan");
    assert_eq!((code, said.contains("the tables were left as they are")), (Some(2), true), "{said}");
    let (code, said) = upgrade("owner");
    let is_said = said.contains("were of version 1 and are of version 2 now");
    assert_eq!((code, is_said), (Some(0), true), "{said}");
    stop(all.start("a"));
    let verified = log_as(&all, "salinan", &["verify"]);
    assert!(verified.status.success(), "{}", shown(&verified));
    all.server.sql("ledger", "INSERT INTO salinan.step (version) VALUES (3)");
    let (code, said) = upgrade("owner");
    assert_eq!((code, said.contains("use the newer program")), (Some(2), true), "{said}");
    assert_eq!(serve().status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_a_server() {
    let Some(all) = Replicas::new().await else { return };
    let a = all.start("a");
    let findings = |user: &str, expected: i32| {
        let output = log_as(&all, user, &["doctor", "--dir", "a", "--format", "json"]);
        assert_eq!(output.status.code(), Some(expected), "{}", shown(&output));
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let of = |one: Value| {
            let word = |name: &str| one[name].as_str().unwrap().to_owned();
            (word("check"), (word("state"), word("found")))
        };
        found.into_iter().map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let found = findings("salinan", 0);
    for check in [
        "server",
        "standby",
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "commit",
        "isolation",
        "TLS",
        "role",
        "guards",
        "connections",
        "replicas",
        "reads that wait",
        "key",
        "key's turn",
        "head",
        "anchor's word",
    ] {
        assert_eq!(found[check].0, "good", "{check}: {}", found[check].1);
    }
    assert_eq!(found["replicas"].1, "a");
    assert_eq!((&*found["standbys"].0, &*found["checksums"].0), ("advice", "advice"));
    assert_eq!(found["who may change entries"].0, "good");
    assert!(found["commit"].1.starts_with("a commit takes "), "{}", found["commit"].1);
    assert_eq!(findings("owner", 1)["role"].0, "wrong");

    all.server.sql("ledger", "CREATE ROLE intern LOGIN; GRANT DELETE ON salinan.entry TO intern");
    all.server.sql("ledger", "ALTER TABLE salinan.entry DISABLE TRIGGER entry_stays");
    all.server.sql("ledger", "ALTER SYSTEM SET full_page_writes = off");
    all.server.sql("ledger", "SELECT pg_reload_conf()");
    let until = Instant::now() + LIMIT;
    while all.server.sql("ledger", "SHOW full_page_writes") != "off" {
        assert!(Instant::now() < until);
    }
    let found = findings("salinan", 1);
    for (check, state, word) in [
        ("who may change entries", "advice", "intern"),
        ("guards", "wrong", "off"),
        ("full_page_writes", "wrong", "off"),
    ] {
        assert_eq!(found[check].0, state, "{check}");
        assert!(found[check].1.contains(word), "{check}: {}", found[check].1);
    }
    all.server.sql("ledger", "ALTER SYSTEM RESET full_page_writes");
    all.server.sql("ledger", "SELECT pg_reload_conf()");
    all.server.sql("ledger", "ALTER TABLE salinan.entry ENABLE TRIGGER entry_stays");
    let table = shown(&log_as(&all, "salinan", &["doctor"]));
    assert!(table.contains("a commit takes") && table.contains("PostgreSQL"), "{table}");
    stop(a);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_shows_a_witnessed_checkpoint_of_the_one_history() {
    let Some(all) = Replicas::new().await else { return };
    let vkey = all.log(&["vkey"]);
    let vkey = String::from_utf8(vkey.stdout).unwrap().trim().to_owned();
    let witness = Witness::start(&all.site.path("w"), "witness.example/w", "127.0.0.1:0", &vkey);
    let policy = format!("log {vkey}\nwitness w {} http://{}\nquorum w\n", witness.vkey, witness.address);
    fs::write(all.site.path("witnesses.policy"), policy).unwrap();
    for name in ["a", "b"] {
        let path = all.site.path(&format!("{name}.toml"));
        let config = fs::read_to_string(&path).unwrap();
        let more = "[witness]\npolicy = \"witnesses.policy\"\ninterval_ms = 20\ntimeout_ms = 2000\n";
        fs::write(&path, config + more).unwrap();
    }
    let replicas = [all.start("a"), all.start("b")];
    let (token, form) = (all.site.partai(), Form::Csv);
    all.source.answer(stub::whole(form.media_type(), form.whole(3)));
    // The ledger grows while both ask.
    for _ in 0..20 {
        for replica in &replicas {
            let reply = all.client(replica).get(form.path(), &token).await;
            assert_eq!((reply.status, reply.end), (200, End::Clean));
        }
    }
    let size = all.records().await.len();
    let note =
        |name: &str| fs::read_to_string(all.site.path(name).join("ledger.cosigned")).unwrap_or_default();
    let of = |note: &str| note.lines().nth(1).and_then(|line| line.parse::<usize>().ok()).unwrap_or_default();
    let until = Instant::now() + LIMIT;
    while ["a", "b"].iter().any(|name| of(&note(name)) < size) {
        assert!(Instant::now() < until, "not witnessed: {} and {} of {size}", of(&note("a")), of(&note("b")));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [a, b] = replicas;
    stop(a);
    stop(b);
    for name in ["a", "b"] {
        assert!(witness.signed(&note(name)), "{name}");
        // Nobody was taken for a forger.
        let trace = fs::read_to_string(all.site.path(&format!("trace-{name}"))).unwrap();
        assert!(!trace.contains("another history"), "{name}: {trace}");
    }
    let address = all.server.address("salinan", "ledger");
    for name in ["a", "b"] {
        let verified = all.site.run(&[
            "log",
            "verify",
            "--store",
            &address,
            "--dir",
            name,
            "--policy",
            "witnesses.policy",
        ]);
        assert!(verified.status.success(), "{}", shown(&verified));
    }
}
