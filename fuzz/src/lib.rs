//! The redactor and the words it needs, out of the program's own sources, and nothing else of the program.

#![allow(dead_code, reason = "the rest of the program, which uses the rest of these, is not here")]

#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/redact/mod.rs"]
pub mod redact;
