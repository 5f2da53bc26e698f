//! What keeps a set of policies from being loaded.

use thiserror::Error;

use crate::document::Diagnostic;

/// All problems of all files of one run, file by file in the order read, each in the file's own order.
#[derive(Debug, Error)]
#[error("{} in the policy files, the first: {}", count(diagnostics), first(diagnostics))]
pub struct PolicyError {
    diagnostics: Vec<Diagnostic>,
}

fn count(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.len() {
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    }
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}

impl PolicyError {
    pub(super) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }

    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All problems for people, with an empty line between two; `styled` adds terminal colours.
    pub fn render(&self, styled: bool) -> String {
        let rendered: Vec<String> = self.diagnostics.iter().map(|one| one.render(styled)).collect();
        rendered.join("\n\n")
    }
}
