//! How much, how fast: a rate for each address before the token is looked at; after it, one for each requester and one
//! for each party, and so many copies of a party at one time. Connections of an address are counted alike.

mod places;
mod rate;

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

pub use places::{Place, Places};
use rate::Limiter;
pub use rate::{Early, Rate};

use crate::domain::Party;

/// When a copy under way may have ended, nobody knows.
const COPY_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionOptions {
    pub address: Rate,
    pub requester: Rate,
    pub party: Rate,
    /// Copies under way of one party at one time.
    pub party_copies_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AdmissionError {
    #[error("too many requests from one address")]
    Address(Early),
    #[error("too many requests of one requester")]
    Requester(Early),
    #[error("too many requests for one party")]
    Party(Early),
    #[error("{max} copies for one party are under way")]
    Copies { max: usize },
}

impl AdmissionError {
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Address(early) | Self::Requester(early) | Self::Party(early) => early.wait,
            Self::Copies { .. } => COPY_WAIT,
        }
    }
}

/// Whose requests and copies are counted together: a party's, or, for those of no party, a client's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    Party(Party),
    /// A client means something with its issuer alone.
    Client {
        issuer: String,
        client_id: String,
    },
}

impl Holder {
    pub fn new(party: Option<&Party>, issuer: &str, client_id: &str) -> Self {
        match party {
            Some(party) => Self::Party(party.clone()),
            None => Self::Client { issuer: issuer.to_owned(), client_id: client_id.to_owned() },
        }
    }
}

/// The limiters of requests, and the count of copies.
pub struct Admission {
    address: Limiter,
    requester: Limiter,
    party: Limiter,
    copies: Places<Holder>,
    copies_max: usize,
}

impl Admission {
    pub fn new(options: &AdmissionOptions) -> Self {
        Self {
            address: Limiter::new(options.address),
            requester: Limiter::new(options.requester),
            party: Limiter::new(options.party),
            copies: Places::new(options.party_copies_max),
            copies_max: options.party_copies_max,
        }
    }

    /// Counts one request from this address.
    pub fn admit_address(&self, address: IpAddr) -> Result<(), AdmissionError> {
        self.address.check(&counted(address)).map_err(AdmissionError::Address)
    }

    /// Counts one request of this requester, whatever token it bears.
    pub fn admit_requester(
        &self,
        issuer: &str,
        client_id: &str,
        subject: &str,
    ) -> Result<(), AdmissionError> {
        self.requester.check(&(issuer, client_id, subject)).map_err(AdmissionError::Requester)
    }

    /// Counts one request for this party or client.
    pub fn admit_party(&self, holder: &Holder) -> Result<(), AdmissionError> {
        self.party.check(holder).map_err(AdmissionError::Party)
    }

    /// A copy for this party or client is under way until the returned value is dropped.
    pub fn begin_copy(&self, holder: &Holder) -> Result<Place<Holder>, AdmissionError> {
        self.copies.take(holder.clone()).ok_or(AdmissionError::Copies { max: self.copies_max })
    }
}

/// The address as it is counted: of IPv6 the network of 64 bits, which is what one subscriber has, and IPv4 written as
/// IPv6 as what it is.
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn admission(burst: u32) -> Admission {
        let one = NonZeroU32::MIN;
        let rate = Rate { per_second: one, burst: NonZeroU32::new(burst).unwrap() };
        Admission::new(&AdmissionOptions { address: rate, requester: rate, party: rate, party_copies_max: 1 })
    }

    fn party(number: u16) -> Holder {
        let party = Party { election: "pemilu-2024".to_owned(), number };
        Holder::new(Some(&party), "issuer", "client")
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
        assert!(admission.admit_party(&party(1)).is_ok());
        assert!(admission.admit_party(&party(1)).is_err());
        for issuer in ["a", "b"] {
            let client = Holder::new(None, issuer, "c");
            assert!(admission.admit_party(&client).is_ok());
            assert!(admission.admit_party(&client).is_err());
        }
    }

    #[test]
    fn a_requester_is_a_subject_of_one_client_of_one_issuer() {
        let admission = admission(1);
        for (issuer, client_id, subject) in
            [("a", "b", "c"), ("a", "b", "d"), ("a", "e", "c"), ("f", "b", "c")]
        {
            assert!(admission.admit_requester(issuer, client_id, subject).is_ok());
            assert!(admission.admit_requester(issuer, client_id, subject).is_err());
        }
    }

    #[test]
    fn a_party_has_its_copies_under_way_and_another_its_own() {
        let admission = admission(1);
        let copy = admission.begin_copy(&party(1)).unwrap();
        let refused = admission.begin_copy(&party(1)).unwrap_err();
        assert_eq!(refused, AdmissionError::Copies { max: 1 });
        assert!(refused.retry_after() > Duration::ZERO);
        assert!(admission.begin_copy(&party(2)).is_ok());
        drop(copy);
        assert!(admission.begin_copy(&party(1)).is_ok());
    }
}
