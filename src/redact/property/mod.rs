//! What has to hold for every body, whatever it is: one property for each fuzz target in `fuzz/`, which hands in what
//! libFuzzer makes up, and for each folder of `fuzz/corpus/`, which every test run replays.
//!
//! A property panics where it does not hold, and tells whether the body was accepted. Its input is four characters
//! that choose (see [`orders`]) and a body in which signs stand for what must stay hidden (see [`people`]). So a fuzzer
//! can put a hidden number anywhere by one byte.
//!
//! None of this is in the program.

mod bodies;
mod codings;
mod orders;
mod people;
mod reading;
mod sweep;

pub use bodies::{csv, json, ndjson};
pub use codings::codings;
pub use sweep::sweep;

/// Choices that follow from one byte of the input.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(crate::domain::random::next_u64(&mut self.0) >> 33).unwrap_or_default() % limit.max(1)
    }

    /// The body in pieces, of the same length or of many.
    fn cut<'a>(&mut self, body: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = 1 + self.below(body.len());
        let are_equal = self.below(2) == 0;
        let mut pieces = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let length = if are_equal { longest } else { self.below(longest + 1) };
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A folder of `fuzz/`, from the program's crate and from that of the targets.
    fn folder(name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let beside = root.join("fuzz").join(name);
        if beside.is_dir() { beside } else { root.join(name) }
    }

    #[test]
    fn the_corpus_and_all_that_was_ever_found_hold() {
        let targets: [(&str, fn(&[u8]) -> bool); 5] = [
            ("json", super::json),
            ("ndjson", super::ndjson),
            ("csv", super::csv),
            ("codings", super::codings),
            ("sweep", super::sweep),
        ];
        for (target, property) in targets {
            let (mut accepted, mut refused) = (0, 0);
            for kind in ["corpus", "regressions"] {
                for entry in fs::read_dir(folder(kind).join(target)).into_iter().flatten() {
                    let path = entry.unwrap().path();
                    let body = fs::read(&path).unwrap();
                    let held = std::panic::catch_unwind(|| property(&body));
                    if held.unwrap_or_else(|_| panic!("{} does not hold", path.display())) {
                        accepted += 1;
                    } else {
                        refused += 1;
                    }
                }
            }
            // Properties of refused bodies alone would show little.
            assert!(accepted >= 5, "{target}: only {accepted} bodies are accepted, {refused} refused");
            assert!(refused >= 3 || target == "sweep", "{target}: only {refused} bodies are refused");
        }
    }
}
