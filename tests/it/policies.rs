//! However many policies there are, `serve` starts with them, and the ledger says which came and which went.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use salinan::ledger::Entry;
use salinan::ledger::notice::PolicyChange;

use crate::support::{Proxy, SALINAN, shown, signal, wait};

/// Lines of one entry.
const LINES_MAX: usize = 64;
const LIMIT: Duration = Duration::from_secs(20);

/// Policies by number, and no others, each with a path of its own.
fn write_policies(proxy: &Proxy, numbers: impl Iterator<Item = usize>, remark: &str) {
    let folder = proxy.site.path("policies");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    for number in numbers {
        let text = format!(
            "# {remark}\n[policy]\nname = \"p{number}\"\ndataset = \"dpt\"\nelection = \"pemilu-2024\"\nstage = \"dpt\"\n\
             version = \"1\"\nvalid_from = 2023-06-21\nvalid_until = 2034-12-31\nlegal_basis = \"-\"\n\
             approved_by = \"KPU Contoh\"\n\n[[route]]\npath = \"/p{number}/{{wilayah}}.csv\"\nmethods = [\"GET\"]\n\
             format = \"csv\"\nmedia_types = [\"text/csv\"]\nrow_area = \"kode_tps\"\n\n[[role]]\nrole = \"partai\"\n\
             level = \"kabkota\"\n[role.fields]\nnama = \"keep\"\n"
        );
        fs::write(folder.join(format!("{number}.toml")), text).unwrap();
    }
    let config = fs::read_to_string(proxy.site.path("salinan.toml")).unwrap();
    let config = config.replace("paths = [\"policy.toml\"]", "paths = [\"policies\"]");
    fs::write(proxy.site.path("salinan.toml"), config).unwrap();
}

/// The changes of policies from an index on.
fn changes(proxy: &Proxy, from: usize) -> Vec<PolicyChange> {
    let of = |entry: &Entry| match entry {
        Entry::PolicyChange(own) => Some((**own).clone()),
        _ => None,
    };
    proxy.site.records()[from..].iter().filter_map(|record| of(&record.entry)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_policies_is_served_and_every_change_of_them_can_be_followed() {
    let mut proxy = Proxy::start().await;
    let mut before = 1;
    for (count, remark) in [(1, ""), (64, ""), (65, ""), (200, ""), (200, "anew"), (2_000, "anew"), (1, "")] {
        assert!(proxy.stop().unwrap().success());
        let entries = proxy.site.records().len();
        write_policies(&proxy, 0..count, remark);
        proxy.start_again();
        let changes = changes(&proxy, entries);
        let lines: usize = changes.iter().map(|change| change.removed.len() + change.added.len()).sum();
        let changed = match (before, count, remark) {
            // The harness's own policy goes, and then the one of the last round is as it was.
            (1, 1, _) => 2,
            (200, 200, _) => 400,
            (2_000, 1, _) => 2_001,
            _ => count - before,
        };
        assert_eq!((lines, changes.len()), (changed, changed.div_ceil(LINES_MAX)), "{before} to {count}");
        before = count;
    }
    let verified = proxy.site.run(&["log", "verify", "--dir", "ledger"]);
    assert!(verified.status.success(), "{}", shown(&verified));
    let asked = proxy.site.run(&["log", "changes", "--dir", "ledger", "--format", "csv"]);
    let table = String::from_utf8(asked.stdout).unwrap();
    let rows = |index: usize| table.lines().filter(|line| line.starts_with(&format!("{index},"))).count();
    let records = proxy.site.records();
    let of_part =
        |at: usize, part| matches!(&records[at].entry, Entry::PolicyChange(own) if own.part == part);
    let begun: Vec<usize> = (0..records.len()).filter(|at| of_part(*at, 1)).collect();
    // One row for each policy, under the index at which the change begins: also where it goes in one part and comes back in
    // another.
    let of_change: Vec<usize> = begun.into_iter().map(rows).collect();
    assert_eq!(of_change, [1, 2, 63, 1, 135, 200, 1_800, 2_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_killed_leaves_a_whole_change_of_policies_or_none() {
    let mut proxy = Proxy::start().await;
    assert!(proxy.stop().unwrap().success());
    let (mut none, mut whole) = (0, 0);
    for round in 0..12 {
        let entries = proxy.site.records().len();
        write_policies(&proxy, 0..200, &format!("round {round}"));
        let mut child = Command::new(SALINAN)
            .args(["serve", "--config", "salinan.toml"])
            .current_dir(proxy.site.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // As soon as something is written, or a little later: the transaction is then under way, or over.
        let wal = proxy.site.ledger().join("ledger.sqlite-wal");
        let length = || fs::metadata(&wal).map_or(0, |file| file.len());
        let (from, until) = (length(), Instant::now() + LIMIT);
        while length() == from && Instant::now() < until {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(300 * (round % 6)));
        signal(child.id(), "KILL");
        wait(&mut child, LIMIT);
        let changes = changes(&proxy, entries);
        match changes.last() {
            None => none += 1,
            Some(last) => {
                assert_eq!(changes.len(), usize::try_from(last.parts).unwrap(), "round {round}");
                whole += 1;
            }
        }
    }
    crate::support::aloud(&format!("killed starts: {none} without a change, {whole} with the whole of it"));
    proxy.start_again();
    let verified = proxy.site.run(&["log", "verify", "--dir", "ledger"]);
    assert!(verified.status.success(), "{}", shown(&verified));
}
