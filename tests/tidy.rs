//! The house rules that a compiler does not check: which module may name which, how long files are, and that
//! everybody in them is made up.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Each module of `src/` and those of `crate::` it may name.
const LAYERS: [(&str, &[&str]); 22] = [
    ("domain", &[]),
    ("document", &[]),
    ("telemetry", &[]),
    ("caller", &[]),
    ("processor", &[]),
    ("store", &["domain"]),
    ("redact", &["domain"]),
    ("upstream", &["domain"]),
    ("identity", &["domain", "caller"]),
    ("admission", &["domain"]),
    ("demo", &["domain", "identity"]),
    ("policy", &["domain", "document", "identity"]),
    ("register", &["domain", "document"]),
    ("ledger", &["domain", "store"]),
    ("trace", &["domain", "ledger", "redact"]),
    ("release", &["domain", "admission", "identity", "policy", "ledger", "upstream", "redact"]),
    ("witness", &["domain", "ledger", "caller"]),
    ("server", &["domain", "admission", "release", "telemetry"]),
    (
        "config",
        &[
            "domain",
            "document",
            "admission",
            "identity",
            "policy",
            "ledger",
            "register",
            "upstream",
            "redact",
            "release",
            "server",
            "store",
            "telemetry",
            "witness",
            "caller",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "document",
            "admission",
            "identity",
            "policy",
            "ledger",
            "upstream",
            "redact",
            "release",
            "server",
            "telemetry",
            "config",
            "demo",
            "register",
            "store",
            "trace",
            "caller",
            "witness",
        ],
    ),
    ("lib", &[]),
    ("main", &["cli", "processor"]),
];
/// Longest file that needs no reason.
const LINES_MAX: usize = 450;
/// Words with which the first comment of a longer file says why.
const REASONS: [&str; 2] = ["one piece", "one long file"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|own| endings.iter().any(|ending| own == *ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The module of `src/` that a file belongs to.
fn module(path: &Path) -> String {
    let path = path.strip_prefix(root().join("src")).unwrap_or(path);
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that a text of `module` names and may not.
fn violations(module: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("the module `{module}` has no line in the table")];
    };
    // Comments may name anything.
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut named = Vec::new();
    for path in Regex::new(r"\b(?:crate|salinan)::(\w+)").unwrap().captures_iter(&code) {
        named.push(path[1].to_owned());
    }
    // `use crate::{policy::Grant, domain::Ask}`
    for group in Regex::new(r"\b(?:crate|salinan)::\{([^;]*)\}\s*;").unwrap().captures_iter(&code) {
        let mut depth = 0;
        let flat: String = group[1]
            .chars()
            .filter(|one| {
                depth += i32::from(*one == '{') - i32::from(*one == '}');
                depth == 0
            })
            .collect();
        named.extend(flat.split(',').filter_map(|part| {
            let first = part.trim().split("::").next().unwrap_or_default().trim();
            (!first.is_empty()).then(|| first.split(' ').next().unwrap_or_default().to_owned())
        }));
    }
    // `super::super::` out of the module is a way round the table.
    let is_known = |name: &String| LAYERS.iter().any(|(known, _)| known == name);
    named.retain(|name| is_known(name) && name != module && !allowed.contains(&&**name));
    named.sort();
    named.dedup();
    named
}

#[test]
fn a_module_names_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for path in files("src", &["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for name in violations(&module(&path), &text) {
            wrong.push(format!("{} names `{name}`", shown(&path)));
        }
    }
    assert!(wrong.is_empty(), "against the table of layers:\n{}", wrong.join("\n"));
}

#[test]
fn a_planted_violation_is_found_in_every_spelling() {
    let cases = [
        ("redact", "use crate::domain::MaskPlan;", &[] as &[&str]),
        ("redact", "use crate::ledger::Ledger;", &["ledger"]),
        ("redact", "fn f() { crate::server::run() }", &["server"]),
        ("redact", "use crate::{domain::MaskPlan, policy::Grant};", &["policy"]),
        ("redact", "use crate::{\n    domain::{Ask, MaskPlan},\n    upstream,\n};", &["upstream"]),
        ("redact", "// as `crate::ledger` says", &[]),
        ("domain", "use crate::store::Store;", &["store"]),
        ("ledger", "use crate::release::Path;", &["release"]),
        ("release", "use crate::store::Head;\nuse crate::config::Config;", &["config", "store"]),
        ("server", "use crate::ledger::Ledger;", &["ledger"]),
        ("config", "use crate::cli::main;", &["cli"]),
        ("demo", "let x = salinan::policy::decide();", &["policy"]),
        ("attic", "", &["the module `attic` has no line in the table"]),
    ];
    for (module, text, expected) in cases {
        assert_eq!(violations(module, text), expected, "{module}: {text}");
    }
}

#[test]
fn nothing_unfinished_is_left_in_the_sources() {
    // Written apart, so that this file does not find itself.
    let words = ["to".to_owned() + "do!(", "unimple".to_owned() + "mented!(", "db".to_owned() + "g!("];
    for path in files("src", &["rs"]).into_iter().chain(files("tests", &["rs"])) {
        let text = fs::read_to_string(&path).unwrap();
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds `{word}`", shown(&path));
        }
    }
}

#[test]
fn a_long_file_says_why_it_is_one_piece() {
    let mut long = Vec::new();
    for path in files("src", &["rs"]).into_iter().chain(files("tests", &["rs"])) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        let first: String = text.lines().take_while(|line| line.starts_with("//")).collect();
        if lines > LINES_MAX && !REASONS.iter().any(|reason| first.contains(reason)) {
            long.push(format!(
                "{} has {lines} lines and its first comment does not say why it is one piece",
                shown(&path)
            ));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_is() {
    for path in files("src", &["rs"]).into_iter().chain(files("tests", &["rs"])) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no comment on top", shown(&path));
    }
}

/// Numbers of 16 digits that are nobody's: 2^53 and the one behind it.
const NOT_PEOPLE: [&str; 2] = ["9007199254740992", "9007199254740993"];

/// The 16-digit numbers in a text that do not begin with the made-up area.
fn strangers(text: &str) -> Vec<&str> {
    let runs = Regex::new(r"[0-9A-Za-z_]+").unwrap();
    runs.find_iter(text)
        .map(|run| run.as_str())
        .filter(|run| run.len() == 16 && run.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|run| !run.starts_with("99") && !NOT_PEOPLE.contains(run))
        // No province is 00, and one digit over and over is a number that real lists hold for nobody.
        .filter(|run| !run.starts_with("00") && run.bytes().any(|byte| byte != run.as_bytes()[0]))
        .collect()
}

#[test]
fn everybody_in_the_files_is_made_up() {
    assert_eq!(
        strangers(&format!("nik {}, {}", "31740".to_owned() + "15203900000", "9901014512900003")).len(),
        1
    );
    let mut found = Vec::new();
    for folder in ["src", "tests", "docs", "policies", "benches", "fuzz"] {
        for path in files(folder, &["rs", "md", "toml", "txt", "csv", "json", "ndjson"]) {
            for number in strangers(&fs::read_to_string(&path).unwrap()) {
                found.push(format!("{}: a number that begins with {}", shown(&path), &number[..2]));
            }
        }
    }
    assert!(
        found.is_empty(),
        "a NIK of the tests begins with 99, which no province has:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_cause_in_the_ledger_is_explained_to_auditors() {
    let page = fs::read_to_string("docs/audit.md").unwrap();
    let mut causes = 0;
    for file in ["src/upstream/mod.rs", "src/release/deliver.rs"] {
        let text = fs::read_to_string(file).unwrap();
        for arm in text.split("=> \"").skip(1) {
            let Some((cause, _)) = arm.split_once("\",") else { continue };
            assert!(
                page.contains(&format!("`{cause}`")),
                "docs/audit.md does not explain `{cause}` of {file}"
            );
            causes += 1;
        }
    }
    assert!(causes >= 14, "only {causes} causes were found");
}

#[test]
fn no_private_key_is_among_the_files() {
    let output = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed =
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mark =
        regex::bytes::Regex::new("-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]{40}").unwrap();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let Ok(bytes) = fs::read(root().join(name)) else { continue };
        assert!(!mark.is_match(&bytes), "{name} holds a private key");
        assert!(
            !Path::new(name).extension().is_some_and(|ending| ending == "key" || ending == "p12"),
            "{name}"
        );
    }
}
