//! A rate for each key, in a fixed number of buckets, so that a flood of keys can fill the limiter but not make it grow.
//! Two keys in one bucket share its rate; which ones do changes with every start.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Buckets of one limiter: 65,536 of them hold about 4 MiB when all are full.
const BUCKETS: u64 = 1 << 16;

/// A steady rate and how far above it a short burst may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Rate {
    /// The time after which a burst may come again.
    pub fn window(self) -> Duration {
        Duration::from_secs(u64::from(self.burst.get().div_ceil(self.per_second.get())))
    }
}

pub(super) struct Limiter {
    buckets: DefaultKeyedRateLimiter<u64>,
    rate: Rate,
    clock: DefaultClock,
    hasher: RandomState,
}

impl Limiter {
    pub fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            buckets: RateLimiter::keyed(quota),
            rate,
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
        }
    }

    /// Counts one for this key, or says how long to wait.
    pub fn check<K: Hash + ?Sized>(&self, key: &K) -> Result<(), Early> {
        let bucket = self.hasher.hash_one(key) % BUCKETS;
        let checked = self.buckets.check_key(&bucket);
        checked.map_err(|early| Early { rate: self.rate, wait: early.wait_time_from(self.clock.now()) })
    }
}

/// Asked before the rate allows it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    pub rate: Rate,
    pub wait: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_does_not_grow_the_limiter_past_its_buckets() {
        let limiter = Limiter::new(Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
        for key in 0..200_000_u32 {
            let _ = limiter.check(&key);
        }
        assert!(limiter.buckets.len() <= usize::try_from(BUCKETS).unwrap());
    }

    #[test]
    fn a_window_is_as_long_as_a_burst_takes_at_the_steady_rate() {
        for (per_second, burst, seconds) in [(20, 100, 5), (3, 10, 4), (10, 1, 1)] {
            let [per_second, burst] = [per_second, burst].map(|number| NonZeroU32::new(number).unwrap());
            assert_eq!(Rate { per_second, burst }.window(), Duration::from_secs(seconds));
        }
    }
}
