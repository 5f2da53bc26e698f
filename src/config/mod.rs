//! The configuration file: read, checked and turned into what the rooms use, all problems in one run.
//!
//! Secrets are paths, never values. Relative paths are meant from the folder of the file, so that a service
//! started elsewhere reads the same ones. `docs/config.md` shows every key; a test compares it with the code.

mod checked;
mod file;
mod pem;
#[cfg(test)]
mod tests;

pub use checked::{Config, load};
pub use file::KEYS;
