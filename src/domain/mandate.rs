//! Mandate letters whose last day is known.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Party;

/// By party and the letter's number. A letter that is not named here has no end of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mandates {
    election: String,
    last_days: BTreeMap<(u16, String), Date>,
}

impl Mandates {
    pub fn new(election: String, last_days: BTreeMap<(u16, String), Date>) -> Self {
        Self { election, last_days }
    }

    /// The last day on which a letter is good, in Western Indonesian Time.
    pub fn last_day(&self, party: &Party, number: &str) -> Option<Date> {
        let is_ours = party.election == self.election;
        let key = (party.number, number.to_owned());
        is_ours.then(|| self.last_days.get(&key).copied()).flatten()
    }

    /// All of them: party, letter, last day.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &str, Date)> {
        self.last_days.iter().map(|((party, number), day)| (*party, number.as_str(), *day))
    }

    pub fn len(&self) -> usize {
        self.last_days.len()
    }

    pub fn is_empty(&self) -> bool {
        self.last_days.is_empty()
    }
}
