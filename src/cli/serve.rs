//! `salinan serve`

use super::print::{Failure, Outcome};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: &Args) -> Outcome {
    Err(Failure::new("not built yet"))
}
