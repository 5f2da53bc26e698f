//! The `salinan` command: arguments in, exit code out. See `salinan --help`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use salinan::processor;

fn main() -> ExitCode {
    if let Some(missing) = processor::missing() {
        return refuse(missing);
    }
    salinan::cli::main()
}

/// Says what is missing, in as few steps as can be.
#[cold]
#[inline(never)]
fn refuse(missing: &str) -> ExitCode {
    let mut stderr = io::stderr();
    for part in
        ["error: this program was built for processors with ", missing, ", and this one has none\n", HELP]
    {
        if stderr.write_all(part.as_bytes()).is_err() {
            break;
        }
    }
    ExitCode::from(2)
}

const HELP: &str = "help: build it for any processor: RUSTFLAGS=\"-C target-cpu=x86-64\" cargo build --release (docs/operate.md, Processors)\n";
