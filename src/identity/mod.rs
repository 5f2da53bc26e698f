//! (being built)

pub mod requester;
pub use requester::Requester;
