//! The program as a process: run to its end, waited for with a limit, told to stop by its own number.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// The program under test.
pub const SALINAN: &str = env!("CARGO_BIN_EXE_salinan");
/// Longest a command may run.
const LIMIT: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(5);

/// Runs a command of the program to its end.
pub fn run(arguments: &[&str], folder: &Path) -> Output {
    let child = Command::new(SALINAN)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    output(child)
}

/// Waits for a process with a limit; one that takes longer is ended.
pub fn output(child: Child) -> Output {
    let id = child.id();
    let (ended, end) = sync_channel::<()>(1);
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(LIMIT * 3).is_err_and(|error| error == RecvTimeoutError::Timeout) {
            signal(id, "KILL");
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    output
}

pub fn shown(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Sends a signal to a process that the tests started.
pub fn signal(id: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).stderr(Stdio::null()).status();
    assert!(sent.is_ok());
}

/// Says something in the run's output that a reader must not miss.
pub fn aloud(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Waits for a process, and kills it when it takes too long.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(STEP);
    }
}
