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
    let check =
        |format: &str| run(&["register", "check", "register.toml", "--format", format], folder.path());
    let (text, checked) = (shown(&output), check("table"));
    assert_eq!((output.status.code(), checked.status.code()), (Some(2), Some(1)), "{text}");
    let checked = shown(&checked);
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
        assert!(checked.contains(expected), "`{expected}` is not in\n{checked}");
    }
    let output = check("json");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["ok"]), (Some(1), &Value::Bool(false)));
    let places = report["problems"].as_array().unwrap().iter().map(|problem| &problem["line"]);
    assert!(report["register"].is_null() && places.clone().count() >= 7 && places.clone().all(Value::is_u64));

    // What cannot be read is no answer at all.
    fs::remove_file(folder.path().join("wilayah.csv")).unwrap();
    let output = check("table");
    assert_eq!(output.status.code(), Some(2));
    let text = shown(&output);
    assert!(text.contains("could be read") && text.contains("`days` is not a number"), "{text}");
}

#[test]
fn a_sound_register_is_told_in_figures_and_by_the_digest_of_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let areas = "wilayah,name,determined\n9901,Kabupaten Contoh,2023-06-21\n990101,Kecamatan Contoh,\n9902,Kota Contoh,\n";
    write("wilayah.csv", areas);
    let check = |text: &str| {
        write("register.toml", text);
        let output = run(&["register", "check", "register.toml", "--format", "json"], folder.path());
        assert!(output.status.success(), "{}", shown(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["register"].clone()
    };
    let count = |all: u64, determined: u64| serde_json::json!({"all": all, "determined": determined});
    let whole = check(REGISTER);
    assert_eq!((&whole["parties"], &whole["mandates"]), (&2.into(), &0.into()));
    assert_eq!((&whole["kabkota"], &whole["kecamatan"]), (&count(2, 1), &count(1, 1)));
    assert_eq!(whole["obligations"], count(6, 4));
    assert_eq!((&whole["determination"]["election"], &whole["days"]), (&"pemilu-2024".into(), &7.into()));
    assert_eq!(check(&format!("# a remark\n{REGISTER}"))["digest"], whole["digest"]);

    // A party that takes part in one area only is owed nothing elsewhere.
    let part = check(&format!("{REGISTER}within = [\"9902\"]\n"));
    assert_eq!(part["obligations"], count(4, 2));
    assert_ne!(part["digest"], whole["digest"]);

    let output = run(&["register", "check", "register.toml"], folder.path());
    let text = shown(&output);
    let digest = part["digest"].as_str().unwrap();
    assert!(output.status.success() && text.contains("obligations") && text.contains(digest), "{text}");
}

/// The country in 2024: 18 parties, 514 kabupaten and kota, 7,277 kecamatan.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_country_is_told_at_once() {
    let site = crate::support::Site::new();
    let mut areas = "wilayah,name,determined\n".to_owned();
    let mut kecamatan = 7_277;
    for at in 0..514 {
        let code = format!("{}{:02}", 11 + at / 90, 1 + at % 90);
        areas.push_str(&format!("{code},Kabupaten {at},2023-06-{}\n", 20 + at % 2));
        let own = 7_277 / 514 + usize::from(at < 7_277 % 514);
        kecamatan -= own;
        for number in 1..=own {
            areas.push_str(&format!("{code}{number:02},Kecamatan {at}.{number},\n"));
        }
    }
    assert_eq!(kecamatan, 0);
    let parties =
        (1..=18).map(|number| format!("[[party]]\nnumber = {number}\nname = \"Partai {number}\"\n"));
    let head = REGISTER.split("[[party]]").next().unwrap();
    fs::write(site.path("register.toml"), head.to_owned() + &parties.collect::<String>()).unwrap();
    fs::write(site.path("wilayah.csv"), areas).unwrap();
    let since = std::time::Instant::now();
    let due = |format: &str| {
        let output = site.run(&[
            "log",
            "due",
            "--dir",
            "ledger",
            "--register",
            "register.toml",
            "--at",
            "2023-06-30",
            "--format",
            format,
        ]);
        assert!(output.status.success(), "{}", shown(&output));
        output.stdout
    };
    let document: Value = serde_json::from_slice(&due("json")).unwrap();
    let took = since.elapsed();
    crate::support::aloud(&format!("140,238 obligations in {took:.1?}"));
    assert_eq!(document["totals"]["obligations"], 140_238);
    assert_eq!(document["totals"]["overdue"], 140_238);
    assert_eq!(String::from_utf8(due("csv")).unwrap().lines().count(), 140_239);
    assert_eq!(document["frozen"], Value::Null);

    // The end of an election is told with what is owed, and among the changes.
    let frozen = site.run(&[
        "log",
        "freeze",
        "--dir",
        "ledger",
        "--election",
        "pemilu-2024",
        "--operator",
        "KPU Contoh",
        "--reason",
        "hasil ditetapkan",
    ]);
    assert!(frozen.status.success(), "{}", shown(&frozen));
    let today =
        ["log", "due", "--dir", "ledger", "--register", "register.toml", "--party", "7", "--wilayah", "1101"];
    let output = site.run(&[&today[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["frozen"].as_str().unwrap().ends_with("+07:00"));
    assert!(shown(&site.run(&today)).contains("the election is over"));
    let changes = shown(&site.run(&["log", "changes", "--dir", "ledger"]));
    assert!(changes.contains("log.freeze") && changes.contains("hasil ditetapkan"), "{changes}");
    // The bar is two seconds; this build is not optimised, and other tests run beside it.
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}
