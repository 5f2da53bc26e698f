//! What auditors ask of a ledger, beside a running proxy and behind it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use salinan::domain::{Digest, SeededRandom, SystemClock};
use salinan::ledger::{Entry, Ledger, LedgerOptions, Refusal, ReplicaStart, Signer};
use serde_json::Value;

use crate::support::fixture::Form;
use crate::support::stub::{self, chunk, chunked};
use crate::support::{Proxy, SALINAN, Site, aloud, shown};

/// The answer as JSON.
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", shown(output));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// The answer as lines of CSV, each as its cells by name.
fn csv(output: &Output) -> Vec<std::collections::HashMap<String, String>> {
    assert!(output.status.success(), "{}", shown(output));
    let mut reader = csv::Reader::from_reader(&*output.stdout);
    reader.deserialize().collect::<Result<_, _>>().expect("sound CSV with a header")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_answered_as_a_table_as_csv_and_as_json() {
    let proxy = Proxy::start().await;
    let (client, form) = (proxy.client(), Form::Ndjson);
    // One party takes the whole, the other's copy breaks off; a third one is refused, and the supervisor takes a TPS.
    proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let whole = client.get(form.path(), &proxy.site.partai()).await;
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(20_000))]);
    let broken = client.get(form.path(), &proxy.site.other_party()).await;
    proxy.source.answer(stub::whole("text/csv", Form::Csv.whole(1)));
    let narrow = client.get("/dpt/9901.csv?tps=9901011001001", &proxy.site.of_role("bawaslu")).await;
    let elsewhere = client.get("/dpt/9902.csv", &proxy.site.partai()).await;
    assert_eq!(elsewhere.status, 403);
    let [whole, broken, narrow] =
        [&whole, &broken, &narrow].map(|reply| reply.header("release-id").unwrap().to_owned());
    for release in [&whole, &broken, &narrow] {
        proxy.closing(release).await;
    }
    proxy.refusals(1).await;

    let ask = |question: &[&str]| {
        let (head, rest) = question.split_first().unwrap();
        proxy.site.run(&[&["log", *head, "--dir", "ledger"], rest].concat())
    };
    let releases = |question: &[&str]| {
        let document = json(&ask(&[question, &["--format", "json"]].concat()));
        assert_eq!(document["question"], question[0]);
        let rows = document["rows"].as_array().unwrap();
        let of = |row: &Value| {
            (row["release"].as_str().unwrap().to_owned(), row["holds"].as_str().unwrap_or("-").to_owned())
        };
        rows.iter().map(of).collect::<Vec<_>>()
    };
    let is = |found: &[(String, String)], expected: &[(&String, &str)]| {
        let expected: Vec<_> =
            expected.iter().map(|(release, holds)| ((*release).clone(), (*holds).to_owned())).collect();
        assert_eq!(found, expected);
    };

    is(&releases(&["party", "pemilu-2024/7"]), &[(&whole, "-")]);
    is(&releases(&["party", "pemilu-2024/9"]), &[]);
    is(&releases(&["area", "9901"]), &[(&whole, "all"), (&broken, "perhaps"), (&narrow, "part")]);
    is(&releases(&["area", "99.01.01.1001.001"]), &[(&whole, "all"), (&broken, "perhaps"), (&narrow, "all")]);
    // The record of the whole copy lists its polling stations, and this one is not among them.
    is(&releases(&["area", "9901011001002"]), &[(&broken, "perhaps")]);
    is(&releases(&["area", "99"]), &[(&whole, "part"), (&broken, "perhaps"), (&narrow, "part")]);
    is(&releases(&["area", "9902"]), &[]);
    is(&releases(&["area", "9901", "--version", "2"]), &[]);
    is(&releases(&["policy", "fixture"]), &[(&whole, "-"), (&broken, "-"), (&narrow, "-")]);
    is(&releases(&["policy", "fixture", "--until", "2023-06-21"]), &[]);
    is(&releases(&["open"]), &[]);

    let document = json(&ask(&["party", "pemilu-2024/7", "--format", "json"]));
    let row = &document["rows"][0];
    for (name, expected) in [
        ("outcome", "complete"),
        ("wilayah", "9901"),
        ("policy", "fixture"),
        ("version", "1"),
        ("requester", "saksi-7"),
        ("mandate", "SM-07/2026"),
    ] {
        assert_eq!(row[name], expected, "{name}");
    }
    assert_eq!(row["fields"][1], serde_json::json!(["nik", "mask(0,0)"]));
    assert_eq!((&row["rows"], &row["bytes_min"]), (&Value::from(3), &row["bytes_max"]));
    assert!(row["opened"].as_str().unwrap().ends_with("+07:00"), "times are in WIB");

    let lines =
        csv(&ask(&["policy", row["policy_digest"].as_str().unwrap(), "--format", "csv", "--zone", "utc"]));
    assert_eq!(lines.len(), 3);
    assert_eq!((&*lines[1]["outcome"], &*lines[1]["cause"]), ("aborted", "source_broke_off"));
    assert_eq!(
        (&*lines[0]["fields"], &*lines[2]["parameters"]),
        ("nama=keep; nik=mask(0,0); nkk=mask(0,0); tanggal_lahir=year", "tps=9901011001001")
    );
    assert!(lines[0]["opened"].ends_with("+00:00"));
    let refused = csv(&ask(&["refusals", "--party", "pemilu-2024/7", "--format", "csv"]));
    assert_eq!(
        (refused.len(), &*refused[0]["code"], &*refused[0]["wilayah"]),
        (1, "area_not_allowed", "9902")
    );
    let intents = csv(&ask(&["query", "--type", "release.intent", "--format", "csv"]));
    let leaf: Value = serde_json::from_str(&intents[0]["entry"]).unwrap();
    assert_eq!((intents.len(), &leaf["release"]), (3, &Value::from(whole.as_str())));

    let changed = csv(&ask(&["changes", "--format", "csv"]));
    assert_eq!((&*changed[0]["type"], &*changed[0]["by"]), ("log.genesis", "KPU Kabupaten Contoh"));
    assert_eq!(&*changed[1]["type"], "replica.start");
    assert!(changed[1]["after"].contains("version 0.1.0, configuration ") && changed[1]["before"].is_empty());

    // Every question stands in the ledger before its answer.
    let before = proxy.site.records().len();
    let asked = ask(&[
        "area",
        "9901011001001",
        "--auditor",
        "Inspektorat",
        "--from",
        "2023-06-21",
        "--format",
        "json",
    ]);
    let size = json(&asked)["size"].as_u64().unwrap();
    let records = proxy.site.records();
    let Entry::AuditRead(read) = &records[before].entry else { panic!("the read is the next entry") };
    assert_eq!(
        (&*read.auditor, &*read.question, read.entries, before as u64),
        ("Inspektorat", "area", size, size)
    );
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        read.parameters,
        [parameter("tps", "9901011001001"), parameter("from", "2023-06-20T17:00:00.000+00:00")]
    );
    // So is every other read of entries.
    for question in [&["show", "0"] as &[&str], &["query"], &["refusals"]] {
        let before = proxy.site.records().len();
        assert!(ask(question).status.success());
        assert_eq!(proxy.site.records()[before].entry.kind(), "audit.read", "{question:?}");
    }
    let before = proxy.site.records().len();
    for wrong in [
        &["policy", "9901014512900003"] as &[&str],
        &["show", "9901014512900003"],
        &["open", "--auditor", "9901014512900003"],
    ] {
        assert_eq!(ask(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(proxy.site.records().len(), before, "what is no question leaves no trace");

    let exported = ask(&["export", "--csv", "entries.csv", "--tiles", "tiles"]);
    assert!(exported.status.success(), "{}", shown(&exported));
    let mut lines = csv::Reader::from_path(proxy.site.path("entries.csv")).unwrap();
    let leaves: Vec<String> = lines.records().map(|line| line.unwrap()[8].to_owned()).collect();
    let written: Vec<String> = proxy.site.records().into_iter().map(|record| record.leaf).collect();
    // The export's own read came behind what it exports.
    assert!(leaves == written[..written.len() - 1], "each entry byte for byte");
    assert!(proxy.site.path("tiles/checkpoint").exists());
    assert_eq!(ask(&["export", "--csv", "entries.csv"]).status.code(), Some(2), "nothing is written over");

    let table = shown(&ask(&["area", "9901011001001"]));
    for expected in
        ["holds: perhaps", "3 rows", "saksi-7 (partai kabkota)", "source_broke_off", "nik=mask(0,0)"]
    {
        assert!(table.contains(expected), "`{expected}` is not in\n{table}");
    }
    let nothing = ask(&["area", "9902"]);
    assert!(nothing.status.success() && shown(&nothing).contains("nothing of the kind"));
    for wrong in [&["area", "99011"] as &[&str], &["party", "7"], &["area", "9901", "--from", "kemarin"]] {
        assert_eq!(ask(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_without_a_server_waits_for_the_next_one_and_that_of_a_copy_is_said_not_to_be_recorded() {
    let mut proxy = Proxy::start().await;
    assert!(proxy.stop().unwrap().success());
    let before = proxy.site.records().len();
    let asked = proxy.site.run(&["log", "open", "--dir", "ledger", "--auditor", "Inspektorat"]);
    assert!(asked.status.success() && shown(&asked).contains("waits in audit-reads/"), "{}", shown(&asked));
    assert_eq!(proxy.site.records().len(), before, "nobody but a server appends");
    // Meanwhile a policy changes.
    let policy = std::fs::read_to_string(proxy.site.path("policy.toml")).unwrap();
    std::fs::write(proxy.site.path("policy.toml"), format!("# anew\n{policy}")).unwrap();
    let changes =
        |proxy: &Proxy| csv(&proxy.site.run(&["log", "changes", "--dir", "ledger", "--format", "csv"]));
    let was = changes(&proxy).len();
    proxy.start_again();
    let now = changes(&proxy);
    let change = now.iter().find(|row| row["type"] == "policy.change" && !row["before"].is_empty()).unwrap();
    assert_eq!((now.len(), &*change["what"]), (was + 1, "fixture"));
    let digests = [Digest::of(policy.as_bytes()), Digest::of(format!("# anew\n{policy}").as_bytes())];
    assert!(
        change["before"].ends_with(&digests[0].to_string())
            && change["after"].ends_with(&digests[1].to_string())
    );
    // Three reads were left: `open` and twice `changes`, the second of them beside the new server.
    let asked: Vec<String> = proxy.site.records()[before..]
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::AuditRead(read) => Some(read.question.clone()),
            _ => None,
        })
        .collect();
    assert_eq!((asked.len(), &*asked[2]), (3, "changes"));
    assert!(asked.contains(&"open".to_owned()));

    std::fs::create_dir(proxy.site.path("copy")).unwrap();
    std::fs::copy(proxy.site.path("ledger/ledger.sqlite"), proxy.site.path("copy/ledger.sqlite")).unwrap();
    let asked = proxy.site.run(&["log", "open", "--dir", "copy"]);
    assert!(asked.status.success() && shown(&asked).contains("not recorded"), "{}", shown(&asked));

    // A server that cannot enter it: the question is not answered.
    std::fs::remove_dir_all(proxy.site.path("ledger/audit-reads")).unwrap();
    std::fs::write(proxy.site.path("ledger/audit-reads"), "").unwrap();
    let asked = proxy.site.run(&["log", "open", "--dir", "ledger"]);
    assert_eq!(asked.status.code(), Some(2), "{}", shown(&asked));
    assert!(asked.stdout.is_empty(), "nothing is answered");
    std::fs::remove_file(proxy.site.path("ledger/audit-reads")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_file_is_traced_to_the_copies_it_can_have_come_from() {
    let proxy = Proxy::start().await;
    let client = proxy.client();
    let mut bodies = Vec::new();
    for (form, role) in [
        (Form::Ndjson, "partai"),
        (Form::Ndjson, "bawaslu"),
        (Form::Csv, "peneliti"),
        (Form::Csv, "peneliti"),
    ] {
        proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
        let token = if role == "partai" { proxy.site.partai() } else { proxy.site.of_role(role) };
        let reply = client.get(form.path(), &token).await;
        let release = reply.header("release-id").unwrap().to_owned();
        proxy.closing(&release).await;
        bodies.push((release, String::from_utf8(reply.body.clone()).unwrap()));
    }
    let trace = |text: &str, more: &[&str]| {
        std::fs::write(proxy.site.path("leaked"), text).unwrap();
        let output = proxy.site.run(&[&["log", "trace", "leaked", "--dir", "ledger"], more].concat());
        let said = shown(&output);
        for hidden in ["WARGA", "9901014512900003", "9901010101010001"] {
            assert!(!said.contains(hidden), "`{hidden}` of the file is printed");
        }
        (output, said)
    };
    let ranks = |text: &str, more: &[&str]| {
        let (output, said) = trace(text, &[&["--format", "json"], more].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        let rows = document["rows"].as_array().unwrap().clone();
        let of = |row: &Value| {
            let release = bodies.iter().position(|(id, _)| row["release"] == id.as_str()).unwrap();
            (row["rank"].as_u64().unwrap(), release, row["verdict"].as_str().unwrap().to_owned())
        };
        (rows.iter().map(of).collect::<Vec<_>>(), document)
    };
    let is = |verdict: &str| verdict.to_owned();

    // The whole copy, byte for byte.
    let (found, document) = ranks(&bodies[0].1, &[]);
    assert_eq!(found, [(1, 0, is("the whole copy"))]);
    assert!(document["conclusion"].as_str().unwrap().starts_with("proven: the file came from release"));
    // Two rows of two columns, written otherwise: the copies that had a polling station.
    let cut = "Kode_TPS;NAMA\n9901011001001;WARGA 2\n9901011001001;WARGA 0\n";
    let (found, document) = ranks(cut, &[]);
    assert_eq!(found, [(1, 2, is("consistent")), (1, 3, is("consistent"))]);
    assert_eq!(document["columns_set_aside"], serde_json::json!([]));
    assert_eq!(document["excluded"], serde_json::json!([["the copy had no `kode_tps`", 2]]));
    // One row with a token: with the key and the source's row it is proof of one of the two.
    let cells = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
    let token: String = bodies[3].1.lines().take(2).map(|line| format!("{}\n", cells(line))).collect();
    assert!(token.lines().next().unwrap().contains("nik"), "the token is in the cut");
    assert_eq!(ranks(&token, &[]).0.iter().map(|(rank, ..)| *rank).collect::<Vec<_>>(), [1, 1]);
    std::fs::write(proxy.site.path("extract"), Form::Csv.whole(3)).unwrap();
    let (found, document) = ranks(&token, &["--master-key", "master.key", "--source", "extract"]);
    assert_eq!(found, [(1, 3, is("keyed values"))]);
    assert!(document["rows"][0]["why"][0].as_str().unwrap().starts_with("proof: 1 of 1 keyed values"));
    // A number in full was never given: nobody's copy.
    let (output, said) = trace("nik,nama\n9901014512900003,WARGA 1\n", &[]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no release of this ledger") && said.contains("excluded"), "{said}");
    // What cannot be read as rows can still be a whole copy; when it is none, that is no answer.
    let (output, said) = trace("{\"nama\": [", &[]);
    assert!(output.status.code() == Some(2) && said.contains("could not be read as rows"), "{said}");
    let (output, said) = trace(&bodies[1].1, &["--master-key", "policy.toml"]);
    assert!(output.status.code() == Some(2) && said.contains("64 hexadecimal digits"), "{said}");
    let table = trace(cut, &[]).1;
    for expected in [
        "nothing in the file tells these 2 releases apart",
        "consistent: 2 of 2 rows",
        "note: rows were placed in areas by kode_tps",
    ] {
        assert!(table.contains(expected), "`{expected}` is not in\n{table}");
    }
    let records = proxy.site.records();
    let read = records.iter().rev().find_map(|record| match &record.entry {
        Entry::AuditRead(read) => Some(read),
        _ => None,
    });
    let read = read.unwrap();
    assert_eq!((&*read.question, &*read.parameters[0].1), ("trace", "2"));
}

/// How much memory a question took over a ledger of so many refusals, in KiB, and that it found them all.
async fn peak_of_a_question(refusals: u64) -> u64 {
    let site = Site::new();
    let signer = Signer::load(&site.path("ledger/ledger-key.pem"), "test.example/ledger").unwrap();
    let digest = Digest::of(b"");
    let start = ReplicaStart { build: "test".to_owned(), config_digest: digest, policy_digest: digest };
    let options = LedgerOptions::new(site.ledger(), signer);
    let ledger =
        Ledger::open(options, start, Arc::new(SystemClock), Arc::new(SeededRandom::new(refusals))).unwrap();
    let refusal = Refusal {
        requester: Some("saksi-7".to_owned()),
        client_id: None,
        role: None,
        party: None,
        code: "area_not_allowed".to_owned(),
        status: 403,
        route: None,
        wilayah: None,
    };
    for _ in 0..refusals {
        while !ledger.refuse(refusal.clone()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    ledger.shut_down().await;
    let mut asked = Command::new(SALINAN)
        .args(["log", "refusals", "--dir", "ledger", "--format", "csv"])
        .current_dir(site.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(asked.stdout.take().unwrap()).lines();
    // All but the last lines: the process waits with those in the pipe.
    let all_but = refusals - 1_500;
    let head = lines.by_ref().take(usize::try_from(all_but).unwrap()).map(Result::unwrap).count();
    assert_eq!(head as u64, all_but);
    let status = std::fs::read_to_string(format!("/proc/{}/status", asked.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert_eq!(lines.count() as u64, 1_501, "the head and every refusal");
    assert!(asked.wait().unwrap().success());
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_over_many_entries_takes_the_memory_of_few() {
    let (few, many) = (peak_of_a_question(4_000).await, peak_of_a_question(60_000).await);
    aloud(&format!("4,000 refusals: {few} KiB; 60,000: {many} KiB"));
    assert!(many < few + 8 * 1_024, "from {few} to {many} KiB");
}
