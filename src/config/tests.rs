//! The shipped file, its manual and the code say the same of every key.

use std::path::Path;

use super::file::KEYS;
use super::load;
use crate::redact;

const SHIPPED: &str = include_str!("../../salinan.toml");
const MANUAL: &str = include_str!("../../docs/config.md");

/// A row of the manual.
struct Row {
    table: String,
    key: String,
    default: String,
    limits: String,
}

fn rows() -> Vec<Row> {
    let mut table = String::new();
    let mut rows = Vec::new();
    for line in MANUAL.lines() {
        if let Some(name) = line.strip_prefix("## `[") {
            name.trim_matches(['[', ']', '`']).clone_into(&mut table);
        } else if let Some(key) = line.strip_prefix("| `") {
            let cells: Vec<&str> = key.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let [key, default, limits, ..] = cells[..] else { panic!("{line}") };
            let [key, default, limits] = [key, default, limits].map(str::to_owned);
            rows.push(Row { table: table.clone(), key, default, limits });
        }
    }
    rows
}

/// A line of the shipped file: its table, its key, its value, and whether it is commented out.
fn settings() -> Vec<(&'static str, &'static str, &'static str, bool)> {
    let mut table = "";
    let mut settings = Vec::new();
    for line in SHIPPED.lines() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
            continue;
        }
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some((key, value)) = bare.split_once(" = ") {
            settings.push((table, key, value, bare != line));
        }
    }
    settings
}

/// How a table is written: those of issuers may stand several times.
fn header(table: &str) -> String {
    if table.contains('.') { format!("[[{table}]]") } else { format!("[{table}]") }
}

/// The shipped file with every key in it, one of them written as `value`, or left out.
fn with(table: &str, key: &str, value: Option<&str>) -> String {
    let mut text = String::new();
    let mut open = "";
    for (in_table, name, shipped, _) in settings() {
        if in_table != open {
            open = in_table;
            text.extend([header(in_table), "\n".to_owned()]);
        }
        let changed = (in_table, name) == (table, key);
        if let Some(value) = if changed { value } else { Some(shipped) } {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

/// What `serve --check` says of a file alone, in an empty folder.
fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("salinan.toml");
    std::fs::write(&path, text).unwrap();
    let found = load(Path::new(&path)).err().unwrap_or_default();
    found.iter().map(|problem| problem.render(false) + "\n").collect()
}

#[test]
fn manual_and_shipped_file_have_every_key_in_the_order_of_the_code() {
    let code: Vec<_> =
        KEYS.iter().flat_map(|(table, keys)| keys.iter().map(|key| (*table, key.name))).collect();
    let rows = rows();
    let manual: Vec<_> = rows.iter().map(|row| (row.table.as_str(), row.key.as_str())).collect();
    let shipped: Vec<_> = settings().iter().map(|(table, key, ..)| (*table, *key)).collect();
    assert_eq!(manual, code);
    assert_eq!(shipped, code);
}

#[test]
fn manual_and_shipped_file_state_the_default_of_every_key_that_may_be_left_out() {
    let examples = KEYS.iter().flat_map(|(_, keys)| keys.iter().map(|key| key.example));
    for ((row, example), (_, _, shipped, commented)) in rows().iter().zip(examples).zip(settings()) {
        let called = format!("{} of [{}]", row.key, row.table);
        match row.default.as_str() {
            "required" => assert!(!commented, "{called}"),
            "none" => {}
            default => assert!(commented && default == example && default == shipped, "{called}"),
        }
    }
}

#[test]
fn only_what_the_manual_calls_required_is_missed_when_left_out() {
    for Row { table, key, default, .. } in rows() {
        let said = problems(&with(&table, &key, None));
        let missed = said.contains(&format!("{} has no `{key}`", header(&table)));
        assert_eq!(missed, default == "required", "{key} of [{table}]: {said}");
    }
}

#[test]
fn a_number_outside_its_limits_is_answered_with_the_limits_and_default_of_the_manual() {
    for Row { table, key, default, limits } in rows() {
        if default.parse::<u64>().is_ok() {
            let said = problems(&with(&table, &key, Some("0")));
            assert!(said.contains(&format!("`{key}` is from {limits}")), "{key} of [{table}]: {said}");
            assert!(said.contains(&format!("leave it out for {default}")), "{key} of [{table}]: {said}");
        } else {
            assert_eq!(limits, "", "{key} of [{table}]");
        }
    }
}

#[test]
fn the_shipped_file_lacks_nothing_but_the_files_it_names() {
    let said = problems(SHIPPED);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    // Certificate and key of the server, key set, policy, source's CA, ledger's key and folder, master key.
    assert_eq!(errors.len(), 8, "{said}");
    let lacking = ["could not read", "cannot be used", "is not a folder"];
    assert!(errors.iter().all(|error| lacking.iter().any(|words| error.contains(words))), "{said}");
}

#[test]
fn the_redactor_and_the_file_have_the_same_longest_record() {
    let default = redact::Limits::default().record_bytes_max.to_string();
    assert!(rows().iter().any(|row| row.key == "record_bytes_max" && row.default == default));
}
