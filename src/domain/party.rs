//! A party, identified by (election, ballot number): numbers are reused from one election to the next.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `{"election": "pemilu-2024", "number": 7}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    pub election: String,
    pub number: u16,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.election, self.number)
    }
}
