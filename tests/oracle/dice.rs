//! Choices made from one number, which a failure prints.

use salinan::domain::random::next_u64;

pub struct Dice {
    state: u64,
    /// Whether what makes a body be refused may be chosen.
    pub is_faulty: bool,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, is_faulty: true }
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(next_u64(&mut self.state) >> 33).unwrap() % limit
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// True once in so many times, unless all has to be sound.
    pub fn fault_in(&mut self, times: usize) -> bool {
        self.is_faulty && self.one_in(times)
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
