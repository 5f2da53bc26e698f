//! The register of what is owed: which parties are entitled to a copy of which list, for which areas, and by when.
//!
//! It is a TOML file that the operator writes, with the areas in it or in a CSV file beside it. The law starts the
//! clock of each kabupaten/kota with its own determination of the list; so each area has a date, or none yet. From the
//! register and from what the ledger says was handed over, [`due`] tells what is still owed.
//!
//! The file is trusted to be the operator's, not to be right: all problems of it are reported at once. `docs/register.md`
//! shows every key.

mod areas;
mod count;
pub mod due;
mod file;

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::{Determination, Wilayah};

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
