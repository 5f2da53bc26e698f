//! What is still owed, as `log due` tells it from a register and from what a running proxy recorded.

use std::fs;

use serde_json::Value;

use crate::support::fixture::Form;
use crate::support::stub::{self, chunk, chunked};
use crate::support::{Proxy, run, shown};

const REGISTER: &str = r#"
[register]
election = "pemilu-2024"
stage = "dpt"
version = "1"
legal_basis = "UU 7/2017 Pasal 208 ayat (5)"
days = 7
counting = "calendar"
areas = "wilayah.csv"

[[party]]
number = 7
name = "Partai Contoh Tujuh"

[[party]]
number = 8
name = "Partai Contoh Delapan"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_register_and_the_ledger_together_say_what_is_owed() {
    let proxy = Proxy::start().await;
    let folder = proxy.site.folder.path();
    fs::write(folder.join("register.toml"), REGISTER).unwrap();
    let areas = "wilayah,name,determined\n9901,Kabupaten Contoh,2023-06-21\n990101,Kecamatan Contoh,\n9902,Kota Contoh,\n";
    fs::write(folder.join("wilayah.csv"), areas).unwrap();
    let due = |more: &[&str]| {
        let fixed = ["log", "due", "--dir", "ledger", "--register", "register.toml"];
        run(&[&fixed[..], more].concat(), folder)
    };
    let rows = |more: &[&str]| {
        let output = due(&[&["--format", "csv"], more].concat());
        assert!(output.status.success(), "{}", shown(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        assert_eq!(
            lines.next().as_deref(),
            Some(
                "party,party_name,wilayah,wilayah_name,determined,deadline,state,overdue,days_left,handed_over,late"
            )
        );
        lines.collect::<Vec<_>>()
    };
    let owed =
        |party: &str, wilayah: &str, rest: &str| format!("{party},{wilayah},2023-06-21,2023-06-28,{rest}");
    let (seven, eight) = ("7,Partai Contoh Tujuh", "8,Partai Contoh Delapan");
    let before = rows(&["--at", "2023-06-25"]);
    assert_eq!(
        before,
        [
            owed(seven, "9901,Kabupaten Contoh", "owed,false,3,,false"),
            owed(seven, "990101,Kecamatan Contoh", "owed,false,3,,false"),
            format!("{seven},9902,Kota Contoh,,,not_determined,false,,,false"),
            owed(eight, "9901,Kabupaten Contoh", "owed,false,3,,false"),
            owed(eight, "990101,Kecamatan Contoh", "owed,false,3,,false"),
            format!("{eight},9902,Kota Contoh,,,not_determined,false,,,false"),
        ]
    );

    // One party takes the whole, the other's copy breaks off.
    let (client, form) = (proxy.client(), Form::Ndjson);
    proxy.source.answer(stub::whole(form.media_type(), form.whole(3)));
    let reply = client.get(form.path(), &proxy.site.partai()).await;
    proxy.closing(reply.header("release-id").unwrap()).await;
    proxy.source.answer(vec![chunked(form.media_type()), chunk(form.begun(2))]);
    let mut claims = proxy.site.claims();
    claims.party.as_mut().unwrap().number = 8;
    let broken = client.get(form.path(), &proxy.site.sign(&claims)).await;
    proxy.closing(broken.header("release-id").unwrap()).await;

    let whole = rows(&["--wilayah", "9901", "--party", "7"]);
    assert!(whole[0].contains(",fetched,false,,20") && whole[0].ends_with(",true"), "{}", whole[0]);
    assert!(whole[1].contains(",owed,true,-") && whole.len() == 2, "{whole:?}");
    assert!(rows(&["--state", "offered"])[0].starts_with(eight));
    // On the last day before, nothing of it had happened.
    assert_eq!(rows(&["--at", "2023-06-25"]), before);

    let output = due(&["--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let totals = |name: &str| document["totals"][name].as_u64().unwrap();
    assert_eq!(["obligations", "not_determined", "owed", "offered", "fetched"].map(totals), [6, 2, 2, 1, 1]);
    assert_eq!((totals("overdue"), totals("late")), (3, 1));
    assert_eq!(document["obligations"].as_array().unwrap().len(), 6);

    let table = due(&["--limit", "1"]);
    let text = shown(&table);
    assert!(
        table.status.success() && text.contains("Partai Contoh Tujuh") && text.contains("and 2 more"),
        "{text}"
    );
}

#[test]
fn a_register_with_problems_is_refused_with_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("register.toml", &REGISTER.replace("number = 8", "number = 7").replace("days = 7", "days = 0"));
    write("wilayah.csv", "wilayah,determined\n9901,21-06-2023\n9901,\n99,\nX,\n9902,,\n9901,2023-06-21\n");
    let output = run(&["log", "due", "--dir", "ledger", "--register", "register.toml"], folder.path());
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for expected in [
        "`days` is not a number from 1 to 366",
        "two parties have the number 7",
        "wilayah.csv:2",
        "is not a date of the calendar",
        "wilayah.csv:4",
        "99 is neither",
        "wilayah.csv:5",
        "is not an area",
        "wilayah.csv:6",
        "more or fewer cells",
        "wilayah.csv:7",
        "9901 is listed twice",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
}
