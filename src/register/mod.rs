//! The register of what is owed: which parties are entitled to a copy of which list, for which areas, and by when.
//!
//! It is a TOML file that the operator writes, with the areas and the parties in it or in CSV files beside it. The law starts the
//! clock of each kabupaten/kota with its own determination of the list; so each area has a date, or none yet. From the
//! register and from what the ledger says was handed over, [`due`] tells what is still owed.
//!
//! The file is trusted to be the operator's, not to be right: all problems of it are reported at once. `docs/register.md`
//! shows every key.

mod areas;
mod count;
pub mod due;
mod file;
mod mandates;
mod parties;
mod table;

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::digest::Hasher;
use crate::domain::{Determination, Digest, Mandates, Wilayah};

pub use count::Counting;
pub use file::load;

/// What one determination of the list obliges the operator to.
#[derive(Debug)]
pub struct Register {
    /// The list and its version, which releases have to be of.
    pub determination: Determination,
    pub legal_basis: String,
    /// Days after the determination within which a copy has to be handed over.
    pub days: u16,
    pub counting: Counting,
    /// In the order of the file.
    pub parties: Vec<EntitledParty>,
    pub areas: BTreeMap<Wilayah, Area>,
    /// Mandate letters whose last day is known.
    pub mandates: Mandates,
}

impl Register {
    /// Each copy that is or will be owed: one party's of one area, by party and area.
    pub fn copies(&self) -> impl Iterator<Item = (&EntitledParty, Wilayah, &Area)> {
        self.parties.iter().flat_map(move |party| {
            let areas = self.areas.iter().filter(|(wilayah, _)| party.takes_part(wilayah));
            areas.map(move |(wilayah, area)| (party, *wilayah, area))
        })
    }

    /// SHA-256 of what the register says, wherever it is written: `salinan-register-1`, then each part after its length
    /// as eight bytes, the highest first. A remark in the file changes nothing.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        hasher.update(b"salinan-register-1");
        let mut add = |part: &str| {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        };
        let list = &self.determination;
        let days_off = match &self.counting {
            Counting::Calendar => String::new(),
            Counting::Working { days_off } => join(days_off),
        };
        let days = self.days.to_string();
        for part in [
            &list.dataset.to_string(),
            &list.election,
            &list.stage.to_string(),
            &list.version,
            &self.legal_basis,
            &days,
            self.counting.as_str(),
            &days_off,
            &self.parties.len().to_string(),
        ] {
            add(part);
        }
        for party in &self.parties {
            add(&party.number.to_string());
            add(&party.name);
            add(&join(&party.within));
        }
        for (code, area) in &self.areas {
            add(code.as_str());
            add(&area.name);
            add(&area.determined.map_or(String::new(), |day| day.to_string()));
        }
        if !self.mandates.is_empty() {
            add("mandates");
            add(&self.mandates.len().to_string());
        }
        for (party, number, until) in self.mandates.iter() {
            add(&party.to_string());
            add(number);
            add(&until.to_string());
        }
        hasher.digest()
    }
}

fn join<T: ToString>(parts: impl IntoIterator<Item = T>) -> String {
    parts.into_iter().map(|part| part.to_string()).collect::<Vec<_>>().join(",")
}

#[derive(Debug)]
pub struct EntitledParty {
    /// The ballot number in the register's election.
    pub number: u16,
    pub name: String,
    /// Where the party takes part; empty: everywhere.
    pub within: Vec<Wilayah>,
}

impl EntitledParty {
    /// Whether the party takes part in the election of an area.
    pub fn takes_part(&self, area: &Wilayah) -> bool {
        self.within.is_empty() || self.within.iter().any(|own| own.contains(area))
    }
}

#[derive(Debug)]
pub struct Area {
    pub name: String,
    /// The day on which the list of this area was determined; none: it was not yet.
    pub determined: Option<Date>,
    /// The last day for the copies of this area, by the register's way of counting.
    pub deadline: Option<Date>,
}
