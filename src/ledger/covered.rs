//! Polling stations (TPS) as a copy meets them, in any order, kept as runs of numbers for each desa: a list is made TPS by
//! TPS, so that one run is all that most desa need.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use crate::domain::Tps;

/// Most runs that are kept; the whole country has 84,000 desa. Beyond it the copy has no coverage.
const RUNS_MAX: usize = 131_072;
/// Numbers of TPS within one desa.
const NUMBERS: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Covered {
    /// First and last number of each run, ascending, by the desa's code as a number.
    desa: BTreeMap<u64, Vec<(u64, u64)>>,
    runs: usize,
    unread: u64,
}

impl Covered {
    /// Takes what was met since the last time: stations, and rows that name none.
    pub fn add(&mut self, stations: &[Tps], unread: u64) {
        self.unread += unread;
        for station in stations {
            let code: u64 = station.as_str().parse().unwrap_or_default();
            self.add_one(code / NUMBERS, code % NUMBERS);
        }
    }

    fn add_one(&mut self, desa: u64, number: u64) {
        if self.runs > RUNS_MAX {
            return;
        }
        let runs = self.desa.entry(desa).or_default();
        // The first run that does not end before this number.
        let at = runs.partition_point(|(_, last)| *last < number);
        if runs.get(at).is_some_and(|(first, _)| *first <= number) {
            return;
        }
        let joins_before = at > 0 && runs[at - 1].1 + 1 == number;
        let joins_after = runs.get(at).is_some_and(|(first, _)| *first == number + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                runs[at - 1].1 = runs[at].1;
                runs.remove(at);
                self.runs -= 1;
            }
            (true, false) => runs[at - 1].1 = number,
            (false, true) => runs[at].0 = number,
            (false, false) => {
                runs.insert(at, (number, number));
                self.runs += 1;
            }
        }
    }

    /// What the ledger says of them; `None` where they were too scattered to be kept.
    pub fn coverage(&self) -> Option<Coverage> {
        let codes = self.desa.iter().flat_map(|(desa, runs)| {
            runs.iter()
                .flat_map(move |(first, last)| (*first..=*last).map(move |number| desa * NUMBERS + number))
        });
        let codes = codes.filter_map(|code| format!("{code:013}").parse::<Tps>().ok());
        (self.runs <= RUNS_MAX).then(|| Coverage::of_sorted(codes, self.unread))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{Random as _, SeededRandom};

    #[test]
    fn stations_in_any_order_give_what_a_sorted_set_of_them_gives() {
        let random = SeededRandom::new(7);
        for round in 0..50 {
            let (mut covered, mut set) = (Covered::default(), BTreeSet::new());
            for _ in 0..round * 8 {
                let mut bytes = [0; 2];
                assert!(random.fill(&mut bytes));
                let text = format!("99010110{:02}{:03}", bytes[0] % 3, bytes[1] % 40);
                let station: Tps = text.parse().unwrap();
                covered.add(&[station], 0);
                set.insert(station);
            }
            covered.add(&[], round);
            assert_eq!(covered.coverage(), Some(Coverage::of(&set, round)), "round {round}");
            assert!(covered.coverage().unwrap().is_consistent());
        }
    }

    #[test]
    fn a_desa_in_order_is_one_run_and_what_is_too_scattered_has_no_coverage() {
        let mut covered = Covered::default();
        for number in 1..=999 {
            covered.add(&[format!("9901011001{number:03}").parse().unwrap()], 0);
        }
        assert_eq!(covered.runs, 1);
        for desa in 0..=RUNS_MAX {
            covered.add(&[format!("98{desa:08}001").parse().unwrap()], 0);
        }
        assert_eq!(covered.coverage(), None);
        assert_eq!(covered.runs, RUNS_MAX + 1, "nothing more is kept");
    }
}
