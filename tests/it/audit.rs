//! What auditors ask of a ledger, beside a running proxy and behind it.

use std::process::Output;

use salinan::ledger::Entry;
use serde_json::Value;

use crate::support::fixture::Form;
use crate::support::stub::{self, chunk, chunked};
use crate::support::{Proxy, shown};

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
    is(&releases(&["area", "9901011001002"]), &[(&whole, "all"), (&broken, "perhaps")]);
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
    proxy.start_again();
    let kinds: Vec<_> = proxy.site.records()[before..].iter().map(|record| record.entry.kind()).collect();
    assert_eq!(kinds, ["replica.start", "audit.read"], "it is entered before anything is served");

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
