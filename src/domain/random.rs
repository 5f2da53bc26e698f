//! Randomness is handed in, so that a test can repeat it.

use std::sync::Mutex;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

pub trait Random: Send + Sync {
    /// Fills `bytes`; `false` when the machine could not, and then nothing in `bytes` may be used.
    #[must_use]
    fn fill(&self, bytes: &mut [u8]) -> bool;
}

/// The operating system's generator.
impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> bool {
        SecureRandom::fill(self, bytes).is_ok()
    }
}

/// The same sequence for the same seed: for tests and made-up data, never for a secret.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

/// `SplitMix64`: a full-period walk whose steps are well mixed.
pub fn next_u64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> bool {
        let Ok(mut state) = self.0.lock() else { return false };
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&next_u64(&mut state).to_le_bytes()[..part.len()]);
        }
        true
    }
}
