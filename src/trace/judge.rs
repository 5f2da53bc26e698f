//! Holds every release against the file, and ranks those that it can have come from.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::codes::{CODES_MAX, KeyedColumns, Keys, Made};
use super::fragment::{Table, is_name};
use super::given::Given;
use super::rows::{Fitting, Misfit, homes};
use crate::domain::Digest;
use crate::ledger::{Account, Intent};

/// What is to be traced.
pub struct Case<'a> {
    /// SHA-256 of the whole file.
    pub digest: Digest,
    /// Its rows, where it can be read as rows.
    pub table: Option<&'a Table>,
    /// Rows of the source, in clear.
    pub source: Option<&'a Table>,
    /// The keys of copies, where the master key is at hand.
    pub keys: Option<&'a Keys<'a>>,
}

/// All releases, each as little as it takes to hold it against a file.
#[derive(Default)]
pub struct Trace {
    kinds: HashMap<Vec<(String, String)>, usize>,
    fields: Vec<Vec<Given>>,
    releases: Vec<Brief>,
}

struct Brief {
    index: u64,
    kind: usize,
    place: String,
}

/// How strongly the file points to a release; the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Proof: the file is that copy, byte for byte.
    Whole,
    /// Proof: so many of so many keyed values of the file are made by this copy's key and no other.
    Codes { made: u64, of: u64 },
    /// Every row can have come from it.
    Consistent,
    /// Some rows can.
    Partial,
}

impl Strength {
    pub fn is_proof(self) -> bool {
        matches!(self, Self::Whole | Self::Codes { .. })
    }
}

#[derive(Debug)]
pub struct Finding {
    /// 1 is the best; releases that nothing tells apart share one.
    pub rank: u64,
    pub account: Account,
    pub strength: Strength,
    /// Rows that can have come from it.
    pub rows: u64,
    /// Whether the file has all fields of the copy, and not only some.
    pub has_all_fields: bool,
}

/// Why a release is none that the file can have come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Excluded {
    /// No row fits its fields, mostly because of this column of the file.
    Column(usize, Misfit),
    /// No row lies in its area.
    Area,
    /// Its record lists the polling stations it held, and none of the rows is of one.
    Stations,
    /// Nothing left.
    Nothing,
    /// The keyed values are those of another copy.
    OtherCopy,
    /// The file could not be read as rows, and is not this copy byte for byte.
    NotWhole,
}

#[derive(Debug)]
pub struct Report {
    /// Rows of the file; none where it could not be read as rows.
    pub rows: Option<u64>,
    /// Names of its columns, as far as they are names; and those that no release gave, which were set aside.
    pub columns: Vec<String>,
    pub strangers: Vec<String>,
    /// Columns by which rows were found to lie in an area.
    pub area_columns: Vec<String>,
    /// By rank.
    pub findings: Vec<Finding>,
    /// Index of each intent, and why.
    pub excluded: Vec<(u64, Excluded)>,
    /// Whether keyed values were left untried, since there were too many to make.
    pub is_cut_short: bool,
    /// Whether the file has keyed columns of a release that it can have come from, and nothing to make them from.
    pub lacks_keys: bool,
}

impl Report {
    /// The releases of the first rank.
    pub fn first(&self) -> &[Finding] {
        let end = self.findings.partition_point(|finding| finding.rank == 1);
        &self.findings[..end]
    }

    /// Why releases were excluded, and how many.
    pub fn reasons(&self) -> BTreeMap<Excluded, u64> {
        self.excluded.iter().fold(BTreeMap::new(), |mut reasons, (_, why)| {
            *reasons.entry(*why).or_default() += 1;
            reasons
        })
    }
}

impl Trace {
    pub fn add(&mut self, index: u64, intent: &Intent) {
        let kind = match self.kinds.get(&intent.fields) {
            Some(kind) => *kind,
            None => {
                let given = intent.fields.iter().map(|(name, word)| Given::read(name, word)).collect();
                self.fields.push(given);
                self.kinds.insert(intent.fields.clone(), self.fields.len() - 1);
                self.fields.len() - 1
            }
        };
        // Rows are held against the area and not against a parameter that narrowed it: that was left to the source.
        self.releases.push(Brief { index, kind, place: intent.wilayah.to_string() });
    }

    /// Judges all releases. `account` gives what became of the one whose intent has an index.
    pub fn judge<E>(
        &self,
        case: &Case<'_>,
        mut account: impl FnMut(u64) -> Result<Account, E>,
    ) -> Result<Report, E> {
        let Some(table) = case.table else { return self.judge_whole(case, account) };
        let is_given = |name: &String| self.fields.iter().flatten().any(|field| field.holds(name));
        let strangers: Vec<bool> = table.columns.iter().map(|name| !is_given(name)).collect();
        let (homes, area_columns) = homes(table, &self.fields);
        let fittings: Vec<Fitting> =
            self.fields.iter().map(|fields| Fitting::of(table, fields, &homes, &strangers)).collect();
        let distinct = distinct_rows(table);
        let total = table.rows() as u64;
        let name = |column: usize| shown_name(table, column);
        let mut report = Report {
            rows: Some(total),
            columns: (0..table.columns.len()).map(name).collect(),
            strangers: (0..table.columns.len()).filter(|column| strangers[*column]).map(name).collect(),
            area_columns: area_columns.into_iter().map(name).collect(),
            findings: Vec::new(),
            excluded: Vec::new(),
            is_cut_short: false,
            lacks_keys: false,
        };
        let mut codes = Codes::new(table, &self.fields, case);
        let mut made = Vec::new();
        // A file without a single column that was ever given says nothing by its rows.
        let says_nothing = strangers.iter().all(|is_stranger| *is_stranger);
        for brief in &self.releases {
            let fitting = &fittings[brief.kind];
            if fitting.rows == 0 || fitting.within(&brief.place) == 0 {
                report.excluded.push((brief.index, why_not(fitting)));
                continue;
            }
            let account = account(brief.index)?;
            let is_whole = is_whole(&account, case.digest);
            let mut rows = held_rows(&account, fitting, &brief.place);
            if rows == 0 && !is_whole {
                report.excluded.push((brief.index, Excluded::Stations));
                continue;
            }
            if account.is_empty() {
                report.excluded.push((brief.index, Excluded::Nothing));
                continue;
            }
            if says_nothing && !is_whole {
                report.excluded.push((brief.index, Excluded::NotWhole));
                continue;
            }
            if let Some(completion) = account.completion()
                && distinct > completion.rows_out
                && !is_whole
            {
                rows = rows.min(completion.rows_out);
            }
            let own = codes.made_by(brief.kind, &account);
            let of = codes.testable[brief.kind].len() as u64;
            let strength = match (is_whole, own.len() as u64) {
                (true, _) => Strength::Whole,
                (false, made @ 1..) => Strength::Codes { made, of },
                (false, 0) if rows == total => Strength::Consistent,
                (false, 0) => Strength::Partial,
            };
            let has_all_fields = self.fields[brief.kind]
                .iter()
                .all(|field| table.columns.iter().any(|name| field.holds(name)));
            report.findings.push(Finding { rank: 0, account, strength, rows, has_all_fields });
            made.push((brief.kind, own));
        }
        report.is_cut_short = codes.left == 0;
        report.lacks_keys = codes.lacks(made.iter().map(|(kind, _)| *kind));
        exclude_others(&mut report, &codes, &made);
        rank(&mut report.findings);
        Ok(report)
    }

    /// A file that is no rows can still be a copy byte for byte.
    fn judge_whole<E>(
        &self,
        case: &Case<'_>,
        mut account: impl FnMut(u64) -> Result<Account, E>,
    ) -> Result<Report, E> {
        let mut report = Report {
            rows: None,
            columns: Vec::new(),
            strangers: Vec::new(),
            area_columns: Vec::new(),
            findings: Vec::new(),
            excluded: Vec::new(),
            is_cut_short: false,
            lacks_keys: false,
        };
        for brief in &self.releases {
            let account = account(brief.index)?;
            if is_whole(&account, case.digest) {
                let rows = account.completion().map_or(0, |completion| completion.rows_out);
                let strength = Strength::Whole;
                report.findings.push(Finding { rank: 0, account, strength, rows, has_all_fields: true });
            } else {
                report.excluded.push((brief.index, Excluded::NotWhole));
            }
        }
        rank(&mut report.findings);
        Ok(report)
    }
}

/// The keyed values of the file by each kind of copy.
struct Codes<'a> {
    table: &'a Table,
    source: Option<&'a Table>,
    keys: Option<&'a Keys<'a>>,
    columns: Vec<KeyedColumns>,
    /// Of each kind, the different values that can be made.
    testable: Vec<Made>,
    left: u64,
}

impl<'a> Codes<'a> {
    fn new(table: &'a Table, fields: &[Vec<Given>], case: &Case<'a>) -> Self {
        let columns: Vec<KeyedColumns> =
            fields.iter().map(|fields| KeyedColumns::of(table, fields, case.source)).collect();
        let testable = columns.iter().map(KeyedColumns::testable).collect();
        Self { table, source: case.source, keys: case.keys, columns, testable, left: CODES_MAX }
    }

    fn made_by(&mut self, kind: usize, account: &Account) -> Made {
        let Some(keys) = self.keys.filter(|_| !self.testable[kind].is_empty()) else { return Made::new() };
        let key = keys(&account.intent.release);
        self.columns[kind].made(self.table, self.source, &key, &mut self.left)
    }

    fn lacks(&self, kinds: impl IntoIterator<Item = usize>) -> bool {
        let is_untried = |kind: usize| {
            !self.columns[kind].is_empty() && (self.keys.is_none() || self.testable[kind].is_empty())
        };
        kinds.into_iter().any(is_untried)
    }
}

/// Where all keyed values are proven to be of some copies, no other copy can have given them.
fn exclude_others(report: &mut Report, codes: &Codes<'_>, made: &[(usize, Made)]) {
    let proven: HashSet<&(usize, [u8; 16])> = made.iter().flat_map(|(_, own)| own).collect();
    if proven.is_empty() {
        return;
    }
    let mut is_taken: HashMap<usize, bool> = HashMap::new();
    let mut is_other = made.iter().map(|(kind, own)| {
        let all = &codes.testable[*kind];
        let all_taken = *is_taken
            .entry(*kind)
            .or_insert_with(|| !all.is_empty() && all.iter().all(|code| proven.contains(code)));
        own.is_empty() && all_taken
    });
    let findings = std::mem::take(&mut report.findings);
    for finding in findings {
        if is_other.next() == Some(true) && finding.strength != Strength::Whole {
            report.excluded.push((finding.account.index, Excluded::OtherCopy));
        } else {
            report.findings.push(finding);
        }
    }
}

fn rank(findings: &mut [Finding]) {
    let strength = |finding: &Finding| match finding.strength {
        Strength::Whole => (0, 0),
        Strength::Codes { made, .. } => (1, u64::MAX - made),
        Strength::Consistent => (2, 0),
        Strength::Partial => (3, u64::MAX - finding.rows),
    };
    findings.sort_by_key(|finding| (strength(finding), !finding.has_all_fields, finding.account.index));
    let mut before = None;
    let mut rank = 0;
    for (at, finding) in (1..).zip(findings.iter_mut()) {
        if before != Some(strength(finding)) {
            (rank, before) = (at, Some(strength(finding)));
        }
        finding.rank = rank;
    }
}

/// Why no row can have come from a copy with such fields in its area.
fn why_not(fitting: &Fitting) -> Excluded {
    if fitting.rows > 0 {
        return Excluded::Area;
    }
    let worst = fitting.misfits.iter().max_by_key(|((_, misfit), rows)| (**rows, std::cmp::Reverse(*misfit)));
    worst.map_or(Excluded::Area, |((column, misfit), _)| Excluded::Column(*column, *misfit))
}

fn is_whole(account: &Account, digest: Digest) -> bool {
    account.completion().is_some_and(|completion| completion.bytes > 0 && completion.body_sha256 == digest)
}

/// Fitting rows that lie in the copy's place, but for those of polling stations that its record says it did not hold.
fn held_rows(account: &Account, fitting: &Fitting, place: &str) -> u64 {
    let listed = account.completion().filter(|_| account.outcome() == "complete");
    let listed = listed.and_then(|completion| completion.tps.as_ref());
    let inside = fitting.within(place);
    let Some(listed) = listed else { return inside };
    let is_out = |code: &str| code.starts_with(place) && listed.holds(code) == Some(false);
    inside - fitting.stations().filter(|(code, _)| is_out(code)).map(|(_, rows)| rows).sum::<u64>()
}

/// Rows that differ; where lists were taken apart, records that can be told to be there at least.
fn distinct_rows(table: &Table) -> u64 {
    if table.records != table.rows() as u64 {
        return 0;
    }
    let row = |row| (0..table.columns.len()).map(|column| table.cell(row, column)).collect::<Vec<_>>();
    (0..table.rows()).map(row).collect::<HashSet<_>>().len() as u64
}

/// The name of a column, unless it may be something about a person.
fn shown_name(table: &Table, column: usize) -> String {
    let name = &table.columns[column];
    if is_name(name) && name.is_ascii() && !name.contains(' ') {
        name.clone()
    } else {
        format!("column {}", column + 1)
    }
}
