//! Figures of several kinds of work, each done once a round.

use std::fmt::Write as _;

/// One kind of work on one body.
pub struct Row<'a> {
    name: &'static str,
    bytes: usize,
    /// Does it once and gives the seconds it took; `None` where it cannot be done here.
    work: Box<dyn FnMut() -> Option<f64> + 'a>,
    /// The row whose work this is too.
    beside: Option<&'static str>,
    seconds: Vec<f64>,
}

impl<'a> Row<'a> {
    pub fn new(name: &'static str, bytes: usize, work: impl FnMut() -> Option<f64> + 'a) -> Self {
        Self { name, bytes, work: Box::new(work), beside: None, seconds: Vec::new() }
    }

    pub fn beside(self, name: &'static str) -> Self {
        Self { beside: Some(name), ..self }
    }

    /// The median, in seconds for 10^9 bytes of the body.
    fn seconds_per_gb(&self) -> Option<f64> {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let median = seconds.get(seconds.len() / 2)?;
        Some(median * 1e9 / self.bytes as f64)
    }
}

#[derive(Default)]
pub struct Table<'a>(Vec<Row<'a>>);

impl<'a> Table<'a> {
    pub fn push(&mut self, row: Row<'a>) {
        self.0.push(row);
    }

    pub fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for row in &mut self.0 {
                row.seconds.extend((row.work)());
            }
        }
    }

    /// How many times as long as the row of that name the work beside it takes.
    fn ratio(&self, row: &Row<'_>) -> Option<f64> {
        let other = self.0.iter().find(|other| Some(other.name) == row.beside)?;
        Some(row.seconds_per_gb()? / other.seconds_per_gb()?)
    }

    /// Every row's time, and how it stands to the one it is beside.
    pub fn text(&self) -> String {
        let mut text = "\n| | CPU-s/GB | GB/s | |\n| --- | --- | --- | --- |\n".to_owned();
        for row in &self.0 {
            let Some(seconds) = row.seconds_per_gb() else {
                let _ = writeln!(text, "| {} | SKIPPED: not installed | | |", row.name);
                continue;
            };
            let ratio = self.ratio(row).map_or_else(String::new, |ratio| {
                format!("{ratio:.1} times {}", row.beside.unwrap_or_default())
            });
            let _ = writeln!(text, "| {} | {seconds:.3} | {:.2} | {ratio} |", row.name, 1.0 / seconds);
        }
        text
    }

    /// Every row's time, and what it takes more than the one it is beside.
    pub fn text_of_features(&self) -> String {
        let mut text = "\n| | CPU-s/GB | more |\n| --- | --- | --- |\n".to_owned();
        for row in &self.0 {
            let Some(seconds) = row.seconds_per_gb() else { continue };
            let other = self.0.iter().find(|other| Some(other.name) == row.beside);
            let more = other
                .and_then(Row::seconds_per_gb)
                .map_or_else(String::new, |other| format!("{:+.3}", seconds - other));
            let _ = writeln!(text, "| {} | {seconds:.3} | {more} |", row.name);
        }
        text
    }

    /// Panics where a rival whose name begins so is not at least that many times slower.
    pub fn check(&self, rival: &str, least: f64) {
        for row in self.0.iter().filter(|row| row.name.starts_with(rival)) {
            if let Some(ratio) = self.ratio(row) {
                assert!(
                    ratio >= least,
                    "{}: {ratio:.1} times our time, where {least} is the least",
                    row.name
                );
            }
        }
    }
}
