//! How much, how fast: a rate for each address before the token is looked at, and one for each party after.
//!
//! Keys are folded into a fixed number of buckets, so that a flood of addresses can fill the limiter but not
//! make it grow. Two keys in one bucket share its rate; which ones do changes with every start.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use thiserror::Error;

use crate::domain::Party;

/// Buckets of one limiter: 65,536 of them hold about 4 MiB when all are full.
const BUCKETS: u64 = 1 << 16;

/// A steady rate and how far above it a short burst may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionOptions {
    pub address: Rate,
    pub party: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AdmissionError {
    #[error("too many requests from one address")]
    Address { retry_after: Duration },
    #[error("too many requests for one party")]
    Party { retry_after: Duration },
}

impl AdmissionError {
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Address { retry_after } | Self::Party { retry_after } => *retry_after,
        }
    }
}

/// The two limiters.
pub struct Admission {
    address: Limiter,
    party: Limiter,
}

impl Admission {
    pub fn new(options: &AdmissionOptions) -> Self {
        Self { address: Limiter::new(options.address), party: Limiter::new(options.party) }
    }

    /// Counts one request from this address; an IPv6 address counts as its /64.
    pub fn admit_address(&self, address: IpAddr) -> Result<(), AdmissionError> {
        let counted = match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        };
        self.address.check(&counted).map_err(|retry_after| AdmissionError::Address { retry_after })
    }

    /// Counts one request for this party, or, for those of no party, for this client.
    pub fn admit_party(&self, party: Option<&Party>, client_id: &str) -> Result<(), AdmissionError> {
        let checked = match party {
            Some(party) => self.party.check(party),
            None => self.party.check(client_id),
        };
        checked.map_err(|retry_after| AdmissionError::Party { retry_after })
    }
}

struct Limiter {
    buckets: DefaultKeyedRateLimiter<u64>,
    clock: DefaultClock,
    hasher: RandomState,
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            buckets: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
        }
    }

    fn check<K: std::hash::Hash + ?Sized>(&self, key: &K) -> Result<(), Duration> {
        let bucket = self.hasher.hash_one(key) % BUCKETS;
        self.buckets.check_key(&bucket).map_err(|early| early.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(burst: u32) -> Admission {
        let one = NonZeroU32::MIN;
        let rate = Rate { per_second: one, burst: NonZeroU32::new(burst).unwrap() };
        Admission::new(&AdmissionOptions { address: rate, party: rate })
    }

    #[test]
    fn an_address_past_its_burst_waits_and_another_does_not() {
        let admission = admission(2);
        let first: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(admission.admit_address(first), Ok(()));
        assert_eq!(admission.admit_address(first), Ok(()));
        let refused = admission.admit_address(first).unwrap_err();
        assert!(refused.retry_after() > Duration::ZERO && refused.retry_after() <= Duration::from_secs(1));
        assert_eq!(admission.admit_address("192.0.2.2".parse().unwrap()), Ok(()));
    }

    #[test]
    fn addresses_of_one_v6_network_and_mapped_v4_count_together() {
        let admission = admission(1);
        for (first, second) in [("2001:db8::1", "2001:db8::ffff:2"), ("192.0.2.9", "::ffff:192.0.2.9")] {
            assert!(admission.admit_address(first.parse().unwrap()).is_ok(), "{first}");
            assert!(admission.admit_address(second.parse().unwrap()).is_err(), "{second}");
        }
    }

    #[test]
    fn a_party_has_one_rate_for_all_its_clients() {
        let admission = admission(1);
        let party = Party { election: "pemilu-2024".to_owned(), number: 1 };
        assert!(admission.admit_party(Some(&party), "a").is_ok());
        assert!(admission.admit_party(Some(&party), "b").is_err());
        assert!(admission.admit_party(None, "c").is_ok());
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_limiter_past_its_buckets() {
        let admission = admission(1);
        for n in 0..200_000_u32 {
            let _ = admission.admit_address(IpAddr::V4(n.into()));
        }
        assert!(admission.address.buckets.len() <= usize::try_from(BUCKETS).unwrap());
    }
}
