//! How far a long command has come, for people who wait: on standard error, where that is a terminal, and gone at the end.

use std::io::{self, IsTerminal as _};

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// Gone when it is dropped, so that what is printed next stands alone.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// Entries done, of how many, how many a second, and the time left. None where nobody looks, or where the command
    /// talks to a machine.
    pub fn of_entries(is_for_people: bool) -> Self {
        let is_seen = is_for_people && io::stderr().is_terminal();
        Self(is_seen.then(|| {
            let shape = "{bar:30} {human_pos} of {human_len} entries, {rate}, {eta} left";
            let style = ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar());
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is shown")]
                let rate = HumanCount(state.per_sec() as u64);
                let _ = write!(out, "{rate}/s");
            };
            ProgressBar::new(0).with_style(style.with_key("rate", rate))
        }))
    }

    pub fn set(&mut self, done: u64, all: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(all);
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
