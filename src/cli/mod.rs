//! The commands, one file each. Data goes to stdout, talk to stderr.
//!
//! Exit codes: 0 yes; 1 the answer is no (a check failed, a proof is wrong); 2 could not run.

mod demo;
mod log;
mod policy;
mod print;
mod problem;
mod progress;
mod receipt;
mod register;
mod serve;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use print::{Answer, Failure, OutputFormat};

/// A TLS reverse proxy that masks voter data by policy and records every copy it hands over
#[derive(Debug, Parser)]
#[command(name = "salinan", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy in front of the voter-data API
    Serve(serve::Args),
    /// Run everything on this machine with made-up voters, and print what to try
    Demo(demo::Args),
    /// Check policy files
    Policy(policy::Args),
    /// Check the register of what is owed to whom
    Register(register::Args),
    /// Make signing keys and tokens for small installations and tests
    Token(token::Args),
    /// Create, verify and read the ledger
    Log(Box<log::Args>),
    /// Fetch, check and acknowledge receipts
    Receipt(receipt::Args),
}

/// Reads the arguments, runs the command and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // rustls needs the process to have chosen one provider before anything else.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Register(args) => register::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Receipt(args) => receipt::run(&args),
    };
    print::exit(outcome)
}
