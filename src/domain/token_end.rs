//! A token that ends while its copy is on the way, and what the policy says of that.

/// Why a token that was good no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEnd {
    Expired,
    Revoked,
    /// The last day of the mandate it speaks for is over.
    MandateOver,
}

impl TokenEnd {
    /// The stable word for the ledger.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::MandateOver => "mandate_over",
        }
    }
}

/// What becomes of a copy under way when its token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTokenEnd {
    /// It is aborted.
    #[default]
    Abort,
    /// It may go on past the token's expiry and the mandate's last day; a revocation aborts it.
    FinishExpired,
    /// It may go on.
    Finish,
}

impl OnTokenEnd {
    /// Each with its word in a policy.
    pub const WORDS: [(&'static str, Self); 3] =
        [("abort", Self::Abort), ("finish_expired", Self::FinishExpired), ("finish", Self::Finish)];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::FinishExpired => "finish_expired",
            Self::Finish => "finish",
        }
    }

    pub fn lets_finish(self, end: TokenEnd) -> bool {
        match (self, end) {
            (Self::Finish, _) | (Self::FinishExpired, TokenEnd::Expired | TokenEnd::MandateOver) => true,
            (Self::Abort, _) | (Self::FinishExpired, TokenEnd::Revoked) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_word_names_lets_a_copy_finish() {
        let ends = [TokenEnd::Expired, TokenEnd::MandateOver, TokenEnd::Revoked];
        let lets = OnTokenEnd::WORDS.map(|(_, rule)| ends.map(|end| rule.lets_finish(end)));
        assert_eq!(lets, [[false; 3], [true, true, false], [true; 3]]);
        assert!(OnTokenEnd::WORDS.iter().all(|(word, rule)| rule.as_str() == *word));
        assert_eq!(OnTokenEnd::default(), OnTokenEnd::Abort);
    }
}
