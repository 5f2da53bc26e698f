//! Watches the token of a copy under way: what the policy does not let finish ends with its token.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::{Clock, OnTokenEnd, TokenEnd};
use crate::identity::TokenWatch;

/// Between two looks at the token. A revocation is seen so much later than it is read.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Ending {
    pub watch: TokenWatch,
    pub rule: OnTokenEnd,
    pub clock: Arc<dyn Clock>,
}

impl Ending {
    /// Resolves when the token has ended and the copy may not go on.
    pub async fn comes(&self) -> TokenEnd {
        loop {
            match self.outlived() {
                Some(end) if !self.rule.lets_finish(end) => return end,
                Some(_) | None => sleep(LOOK).await,
            }
        }
    }

    /// How the token has ended, if it has: the ledger says so of a copy that was let finish.
    pub fn outlived(&self) -> Option<TokenEnd> {
        self.watch.ended(self.clock.unix_seconds())
    }
}
