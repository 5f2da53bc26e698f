//! Processor time, which other work on the machine changes less than the time on the wall.

use rustix::time::{ClockId, clock_gettime};

/// Seconds that this thread has spent, user and system.
pub fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    seconds(time.tv_sec) + seconds(time.tv_nsec) / 1e9
}

/// Seconds spent by programs that were started here and have ended, to a hundredth.
pub fn programs_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets; `cutime` and `cstime` are the 14th and 15th from there.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "a bench runs for less than 2^53 ns")]
fn seconds(count: i64) -> f64 {
    count as f64
}
