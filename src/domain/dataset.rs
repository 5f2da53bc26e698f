//! Which list of voters, and which determination of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Datasets the source may hold. A policy speaks of exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dataset {
    /// Daftar pemilih: the list of voters, at the stage that [`Stage`] names.
    Dpt,
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpt => "dpt",
        })
    }
}

/// Stage of the list: provisional, corrected provisional, permanent, and the permanent one's corrections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    #[serde(rename = "dps")]
    Dps,
    #[serde(rename = "dpshp")]
    Dpshp,
    #[serde(rename = "dpt")]
    Dpt,
    #[serde(rename = "dpthp-1")]
    Dpthp1,
    #[serde(rename = "dpthp-2")]
    Dpthp2,
    #[serde(rename = "dpthp-3")]
    Dpthp3,
}

impl Stage {
    /// Every stage with its word in policy files and registers.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("dps", Self::Dps),
        ("dpshp", Self::Dpshp),
        ("dpt", Self::Dpt),
        ("dpthp-1", Self::Dpthp1),
        ("dpthp-2", Self::Dpthp2),
        ("dpthp-3", Self::Dpthp3),
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dps => "dps",
            Self::Dpshp => "dpshp",
            Self::Dpt => "dpt",
            Self::Dpthp1 => "dpthp-1",
            Self::Dpthp2 => "dpthp-2",
            Self::Dpthp3 => "dpthp-3",
        })
    }
}

/// The formal act that fixed the list: election, stage and version. A release is of exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Determination {
    pub dataset: Dataset,
    /// Such as `pemilu-2024`.
    pub election: String,
    pub stage: Stage,
    /// As the decision names it, such as `2` or `2023-06-21`.
    pub version: String,
}
