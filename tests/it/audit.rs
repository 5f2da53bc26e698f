//! What auditors ask of a ledger, beside a running proxy and behind it.

use std::process::Output;

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
