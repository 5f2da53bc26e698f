//! A problem of a file, as the `check` commands put it into their JSON.

use serde::Serialize;

use crate::document::Diagnostic;

#[derive(Debug, Serialize)]
pub struct ProblemReport {
    path: String,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    notes: Vec<String>,
    remedy: Option<String>,
}

impl ProblemReport {
    pub fn of(problem: &Diagnostic) -> Self {
        let place = problem.line_column();
        Self {
            path: problem.path().to_string_lossy().into_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            message: problem.message().to_owned(),
            notes: problem.notes().to_vec(),
            remedy: problem.remedy().map(str::to_owned),
        }
    }
}
