//! The `salinan` command: arguments in, exit code out. See `salinan --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    salinan::cli::main()
}
