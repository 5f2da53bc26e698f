//! What is still owed: each party's copy of each area, from what the register says and what was handed over.
//!
//! A kabupaten/kota is owed to the party at that level, a kecamatan to its representative there; so a release counts
//! only for the level it was asked at. A kabupaten/kota that was taken in parts is handed over when the party has, at that
//! level, the whole of every kecamatan that the register lists in it.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use serde::Serialize;

use super::{Area, EntitledParty, Register};
use crate::domain::{Level, Wilayah};

/// How far one release came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It was opened and did not come to its end.
    Opened,
    /// The whole copy was handed over, on this day.
    Complete(Date),
    /// And the party said that it holds the same.
    Acknowledged(Date),
}

/// What the ledger says of one release of the register's list.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The party's ballot number.
    pub party: u16,
    pub level: Level,
    pub wilayah: Wilayah,
    /// Whether the copy was narrowed to less than the area.
    pub is_narrowed: bool,
    pub stage: Stage,
}

/// Where one obligation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The list of the area is not determined, so nothing is owed yet.
    NotDetermined,
    /// Nothing was asked for yet.
    Owed,
    /// A copy was opened for the party and did not come to its end.
    Offered,
    /// The whole copy was handed over.
    Fetched,
    /// And the party said that it holds the same.
    Acknowledged,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotDetermined => "not_determined",
            Self::Owed => "owed",
            Self::Offered => "offered",
            Self::Fetched => "fetched",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// One party's copy of one area.
#[derive(Debug)]
pub struct Obligation<'r> {
    pub party: &'r EntitledParty,
    pub wilayah: Wilayah,
    pub area: &'r Area,
    pub state: State,
    /// The day on which the whole copy was first handed over.
    pub handed_over: Option<Date>,
    /// Days from the day of the question to the deadline, negative behind it; none once handed over, and before the
    /// list is determined.
    pub days_left: Option<i32>,
}

impl Obligation<'_> {
    pub fn is_overdue(&self) -> bool {
        self.days_left.is_some_and(|days| days < 0)
    }

    /// Whether the copy was handed over behind its deadline.
    pub fn was_late(&self) -> bool {
        self.handed_over.zip(self.area.deadline).is_some_and(|(day, deadline)| day > deadline)
    }
}

/// How many obligations stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    pub obligations: u64,
    pub not_determined: u64,
    pub owed: u64,
    pub offered: u64,
    pub fetched: u64,
    pub acknowledged: u64,
    /// Of those owed and offered.
    pub overdue: u64,
    /// Of those fetched and acknowledged: behind their deadline.
    pub late: u64,
}

impl Totals {
    pub fn add(&mut self, obligation: &Obligation<'_>) {
        self.obligations += 1;
        let count = match obligation.state {
            State::NotDetermined => &mut self.not_determined,
            State::Owed => &mut self.owed,
            State::Offered => &mut self.offered,
            State::Fetched => &mut self.fetched,
            State::Acknowledged => &mut self.acknowledged,
        };
        *count += 1;
        self.overdue += u64::from(obligation.is_overdue());
        self.late += u64::from(obligation.was_late());
    }
}

/// Every obligation of the register as it stands at the end of a day, by party and area. `handovers` are those up to
/// then.
pub fn due(
    register: &Register,
    handovers: impl IntoIterator<Item = Handover>,
    at: Date,
) -> Vec<Obligation<'_>> {
    let mut handed = Handed::default();
    for handover in handovers {
        handed.take(&handover);
    }
    handed.join_parts(register);
    let copies = register.copies();
    copies
        .map(|(party, wilayah, area)| {
            let best = handed.whole.get(&(party.number, wilayah)).copied();
            let state = match (best, area.determined) {
                (Some(Stage::Acknowledged(_)), _) => State::Acknowledged,
                (Some(Stage::Complete(_)), _) => State::Fetched,
                (_, None) => State::NotDetermined,
                (Some(Stage::Opened), Some(_)) => State::Offered,
                (None, Some(_)) => State::Owed,
            };
            let handed_over = best.and_then(Stage::day);
            let left = |deadline: Date| deadline.since(at).map_or(0, |span| span.get_days());
            let days_left = area.deadline.filter(|_| handed_over.is_none()).map(left);
            Obligation { party, wilayah, area, state, handed_over, days_left }
        })
        .collect()
}

impl Stage {
    fn day(self) -> Option<Date> {
        match self {
            Self::Opened => None,
            Self::Complete(day) | Self::Acknowledged(day) => Some(day),
        }
    }

    /// Two releases of the same copy: the further of the two, from the day of the first that was whole.
    fn join(self, other: Self) -> Self {
        let first = self.day().into_iter().chain(other.day()).min();
        match (self.max_kind(other), first) {
            (Self::Acknowledged(_), Some(day)) => Self::Acknowledged(day),
            (Self::Complete(_), Some(day)) => Self::Complete(day),
            (_, _) => Self::Opened,
        }
    }

    fn max_kind(self, other: Self) -> Self {
        let rank = |stage: Self| match stage {
            Self::Opened => 0,
            Self::Complete(_) => 1,
            Self::Acknowledged(_) => 2,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// What was handed over, by ballot number and area.
#[derive(Default)]
struct Handed {
    whole: HashMap<(u16, Wilayah), Stage>,
    /// Kecamatan that a party took at the level of the kabupaten/kota.
    parts: HashMap<(u16, Wilayah), Stage>,
}

impl Handed {
    fn take(&mut self, handover: &Handover) {
        let stage = if handover.is_narrowed { Stage::Opened } else { handover.stage };
        let note = |map: &mut HashMap<(u16, Wilayah), Stage>, area| {
            map.entry((handover.party, area)).and_modify(|known| *known = known.join(stage)).or_insert(stage);
        };
        if handover.level == handover.wilayah.level() {
            note(&mut self.whole, handover.wilayah);
        } else if handover.level == Level::Kabkota {
            if handover.wilayah.level() == Level::Kecamatan {
                note(&mut self.parts, handover.wilayah);
            }
            // A part of it is on its way.
            if let Some(above) = Wilayah::of_code(handover.wilayah.as_str().as_bytes(), Level::Kabkota) {
                self.whole.entry((handover.party, above)).or_insert(Stage::Opened);
            }
        }
    }

    /// A kabupaten/kota of which every kecamatan was taken was handed over with the last of them.
    fn join_parts(&mut self, register: &Register) {
        let started: BTreeSet<(u16, Wilayah)> = self
            .parts
            .keys()
            .filter_map(|(party, part)| {
                Some((*party, Wilayah::of_code(part.as_str().as_bytes(), Level::Kabkota)?))
            })
            .collect();
        for (party, whole) in started {
            let parts = register
                .areas
                .range(whole..)
                .take_while(|(area, _)| whole.contains(area))
                .filter(|(area, _)| area.level() == Level::Kecamatan);
            let stages: Option<Vec<Stage>> =
                parts.map(|(part, _)| self.parts.get(&(party, *part)).copied()).collect();
            let Some(stages) = stages else { continue };
            let last: Option<Vec<Date>> = stages.iter().map(|stage| stage.day()).collect();
            let Some(last) = last.and_then(|days| days.into_iter().max()) else { continue };
            let is_acknowledged = stages.iter().all(|stage| matches!(stage, Stage::Acknowledged(_)));
            let stage = if is_acknowledged { Stage::Acknowledged(last) } else { Stage::Complete(last) };
            self.whole.entry((party, whole)).and_modify(|known| *known = known.join(stage)).or_insert(stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counting;
    use super::*;
    use crate::domain::{Dataset, Determination, Mandates};

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn register() -> Register {
        let area = |code: &str, determined: Option<&str>| {
            let determined = determined.map(day);
            let deadline = determined.and_then(|date| Counting::Calendar.deadline(date, 7));
            (code.parse().unwrap(), Area { name: code.to_owned(), determined, deadline })
        };
        let party = |number, within: &[&str]| EntitledParty {
            number,
            name: format!("Partai Contoh {number}"),
            within: within.iter().map(|code| code.parse().unwrap()).collect(),
        };
        Register {
            determination: Determination {
                dataset: Dataset::Dpt,
                election: "pemilu-2024".to_owned(),
                stage: crate::domain::Stage::Dpt,
                version: "1".to_owned(),
            },
            legal_basis: "UU 7/2017 Pasal 208 ayat (5)".to_owned(),
            days: 7,
            counting: Counting::Calendar,
            parties: vec![party(1, &[]), party(2, &["9902"])],
            areas: [
                area("9901", Some("2023-06-21")),
                area("990101", Some("2023-06-21")),
                area("990102", Some("2023-06-21")),
                area("9902", None),
            ]
            .into(),
            mandates: Mandates::default(),
        }
    }

    fn handover(party: u16, level: Level, wilayah: &str, stage: Stage) -> Handover {
        Handover { party, level, wilayah: wilayah.parse().unwrap(), is_narrowed: false, stage }
    }

    fn states(handovers: Vec<Handover>, at: &str) -> Vec<String> {
        let register = register();
        let due = due(&register, handovers, day(at));
        let shown = due.iter().map(|one| {
            let late = if one.was_late() { " late" } else { "" };
            let left = one.days_left.map_or(String::new(), |days| format!(" {days}"));
            format!("{} {} {}{left}{late}", one.party.number, one.wilayah, one.state.as_str())
        });
        shown.collect()
    }

    #[test]
    fn each_party_is_owed_each_area_it_takes_part_in() {
        let before = states(Vec::new(), "2023-06-21");
        assert_eq!(
            before,
            [
                "1 9901 owed 7",
                "1 990101 owed 7",
                "1 990102 owed 7",
                "1 9902 not_determined",
                "2 9902 not_determined"
            ]
        );
        let behind = states(Vec::new(), "2023-06-29");
        assert_eq!(behind[0], "1 9901 owed -1");
        assert_eq!(states(Vec::new(), "2023-06-28")[0], "1 9901 owed 0");
    }

    #[test]
    fn a_release_counts_for_its_own_level_and_area_alone() {
        let complete = Stage::Complete(day("2023-06-22"));
        let cases = [
            (
                "its own",
                vec![handover(1, Level::Kabkota, "9901", complete)],
                "1 9901 fetched",
                "1 990101 owed -9",
            ),
            (
                "below",
                vec![handover(1, Level::Kecamatan, "990101", complete)],
                "1 9901 owed -9",
                "1 990101 fetched",
            ),
            (
                "above",
                vec![handover(1, Level::Nasional, "9901", complete)],
                "1 9901 owed -9",
                "1 990101 owed -9",
            ),
            (
                "another party",
                vec![handover(3, Level::Kabkota, "9901", complete)],
                "1 9901 owed -9",
                "1 990101 owed -9",
            ),
            (
                "a part",
                vec![handover(1, Level::Kabkota, "990101", complete)],
                "1 9901 offered -9",
                "1 990101 owed -9",
            ),
            (
                "a village",
                vec![handover(1, Level::Kabkota, "9901011001", complete)],
                "1 9901 offered -9",
                "1 990101 owed -9",
            ),
            (
                "all parts",
                vec![
                    handover(1, Level::Kabkota, "990101", complete),
                    handover(1, Level::Kabkota, "990102", Stage::Complete(day("2023-06-30"))),
                ],
                "1 9901 fetched late",
                "1 990101 owed -9",
            ),
            (
                "broken off",
                vec![handover(1, Level::Kabkota, "9901", Stage::Opened)],
                "1 9901 offered -9",
                "1 990101 owed -9",
            ),
            (
                "narrowed",
                vec![Handover { is_narrowed: true, ..handover(1, Level::Kabkota, "9901", complete) }],
                "1 9901 offered -9",
                "1 990101 owed -9",
            ),
            (
                "late and early, in any order",
                vec![
                    handover(1, Level::Kabkota, "9901", Stage::Acknowledged(day("2023-07-01"))),
                    handover(1, Level::Kabkota, "9901", Stage::Opened),
                    handover(1, Level::Kabkota, "9901", complete),
                ],
                "1 9901 acknowledged",
                "1 990101 owed -9",
            ),
            (
                "late",
                vec![handover(1, Level::Kabkota, "9901", Stage::Complete(day("2023-06-29")))],
                "1 9901 fetched late",
                "1 990101 owed -9",
            ),
        ];
        for (name, handovers, whole, part) in cases {
            assert_eq!(states(handovers, "2023-07-07")[..2], [whole, part], "{name}");
        }
    }

    #[test]
    fn totals_count_each_obligation_once() {
        let register = register();
        let handovers = [
            handover(1, Level::Kabkota, "9901", Stage::Complete(day("2023-07-01"))),
            handover(1, Level::Kecamatan, "990101", Stage::Opened),
        ];
        let mut totals = Totals::default();
        for one in due(&register, handovers, day("2023-07-07")) {
            totals.add(&one);
        }
        let expected = Totals {
            obligations: 5,
            not_determined: 2,
            owed: 1,
            offered: 1,
            fetched: 1,
            acknowledged: 0,
            overdue: 2,
            late: 1,
        };
        assert_eq!(totals, expected);
    }
}
