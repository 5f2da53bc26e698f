//! Reads the entries of which there are many without making a value of each part: intents, accounts, acknowledgements.
//!
//! It takes only what [`Entry::read`] takes, and finds the same in it; whatever is unusual (an escape in a text, a
//! number written as one) is left to that. So it can be wrong in one way only, which is to be slow.
//!
//! [`Entry::read`]: crate::ledger::entry::Entry::read

#[cfg(test)]
mod tests;

use crate::domain::{Digest, Level, ReleaseId, Role, Stage, Wilayah};
use crate::ledger::entry::Outcome;
use crate::store::PageCard;

/// Integers above are written as text.
const EXACT_MAX: u64 = 1 << 53;

/// What an entry says, as far as others have to fit to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quick<'a> {
    pub(super) ts_ms: u64,
    pub(super) boot: &'a str,
    pub(super) release: ReleaseId,
    pub(super) what: What<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    Intent {
        party: Option<(&'a str, u64)>,
        wilayah: &'a str,
        election: &'a str,
        ceiling: Option<u64>,
    },
    Complete {
        intent: u64,
        outcome: Outcome,
        cause: Option<&'a str>,
        rows: u64,
        bytes: u64,
        body_sha256: Digest,
    },
    Ack {
        intent: u64,
        rows: u64,
        bytes: u64,
        body_sha256: Digest,
        is_match: bool,
    },
}

impl Quick<'_> {
    /// Whether the card is the one that the entry gives.
    pub(super) fn has_card(&self, card: &PageCard<'_>) -> bool {
        if card.ts_ms != self.ts_ms || card.release != Some(self.release.as_bytes()) {
            return false;
        }
        let outcome = card.outcome;
        match &self.what {
            What::Intent { party, wilayah, .. } => {
                card.kind == "release.intent"
                    && match (card.party, party) {
                        (None, None) => true,
                        (Some(card), Some((election, number))) => card
                            .strip_prefix(election)
                            .and_then(|rest| rest.strip_prefix('/'))
                            .is_some_and(|rest| is_number(rest, *number)),
                        _ => false,
                    }
                    && card.wilayah == Some(wilayah)
                    && outcome.is_none()
                    && card.code.is_none()
            }
            What::Complete { outcome: own, cause, .. } => {
                card.kind == "release.complete"
                    && outcome == Some(own.as_str())
                    && card.code == *cause
                    && card.party.is_none()
                    && card.wilayah.is_none()
            }
            What::Ack { is_match, .. } => {
                card.kind == "release.ack"
                    && outcome == Some(if *is_match { "match" } else { "mismatch" })
                    && card.code.is_none()
                    && card.party.is_none()
                    && card.wilayah.is_none()
            }
        }
    }
}

fn is_number(text: &str, number: u64) -> bool {
    let mut line = Line { rest: text };
    line.number() == Some(number) && line.rest.is_empty()
}

/// `None`: to be read the long way.
pub(super) fn read(leaf: &[u8]) -> Option<Quick<'_>> {
    let mut line = Line { rest: std::str::from_utf8(leaf).ok()? };
    line.skip(r#"{"v":1,"type":""#)?;
    let kind = line.until_quote()?;
    line.skip(r#","ts":""#)?;
    let ts_ms = line.time()?;
    line.skip(r#","replica":"#)?;
    line.text()?;
    line.skip(r#","boot":"#)?;
    let boot = line.text()?;
    line.skip(r#","nonce":""#)?;
    line.hex(32)?;
    line.skip(r#"","release":""#)?;
    let release = line.release()?;
    let what = match kind {
        "release.intent" => line.intent()?,
        "release.complete" => line.complete()?,
        "release.ack" => line.ack()?,
        _ => return None,
    };
    line.rest.is_empty().then_some(Quick { ts_ms, boot, release, what })
}

/// What is left of an entry's line.
struct Line<'a> {
    rest: &'a str,
}

impl<'a> Line<'a> {
    fn intent(&mut self) -> Option<What<'a>> {
        self.skip(r#","requester":"#)?;
        self.text()?;
        self.skip(r#","client_id":"#)?;
        self.text()?;
        self.skip(r#","token_id":"#)?;
        self.text()?;
        self.skip(r#","role":"#)?;
        self.text()?.parse::<Role>().ok()?;
        self.skip(r#","level":"#)?;
        let level = self.text()?;
        Level::ALL.iter().find(|known| known.as_str() == level)?;
        self.skip(r#","party":"#)?;
        let party = self.or_null(|line| {
            line.skip(r#"{"election":"#)?;
            let election = line.text()?;
            line.skip(r#","number":"#)?;
            let number = line.number().filter(|number| u16::try_from(*number).is_ok())?;
            line.skip("}")?;
            Some((election, number))
        })?;
        self.skip(r#","mandate":"#)?;
        self.or_null(Self::text)?;
        self.skip(r#","wilayah":"#)?;
        let wilayah = self.text()?;
        wilayah.parse::<Wilayah>().ok().filter(|area| area.as_str() == wilayah)?;
        self.skip(r#","route":"#)?;
        self.text()?;
        self.skip(r#","parameters":"#)?;
        self.list(Self::pair)?;
        self.skip(r#","determination":{"dataset":"dpt","election":"#)?;
        let election = self.text()?;
        self.skip(r#","stage":"#)?;
        let stage = self.text()?;
        Stage::WORDS.iter().find(|(word, _)| *word == stage)?;
        self.skip(r#","version":"#)?;
        self.text()?;
        self.skip(r#"},"fields":"#)?;
        self.list(Self::pair)?;
        self.skip(r#","legal_basis":"#)?;
        self.text()?;
        self.skip(r#","policy":"#)?;
        self.text()?;
        self.skip(r#","policy_digest":""#)?;
        self.hex(64)?;
        self.skip(r#"","ask_digest":""#)?;
        self.hex(64)?;
        self.skip(r#"","media_type":"#)?;
        self.or_null(Self::text)?;
        self.skip(r#","ceiling_bytes":"#)?;
        let ceiling = self.or_null(Self::number)?;
        self.skip("}")?;
        Some(What::Intent { party, wilayah, election, ceiling })
    }

    fn complete(&mut self) -> Option<What<'a>> {
        self.skip(r#","intent":"#)?;
        let intent = self.number()?;
        self.skip(r#","outcome":"#)?;
        let outcome = match self.text()? {
            "complete" => Outcome::Complete,
            "aborted" => Outcome::Aborted,
            "failed" => Outcome::Failed,
            _ => return None,
        };
        self.skip(r#","cause":"#)?;
        let cause = self.or_null(Self::text)?;
        self.skip(r#","status":"#)?;
        self.number().filter(|status| u16::try_from(*status).is_ok())?;
        self.skip(r#","rows_in":"#)?;
        self.number()?;
        self.skip(r#","rows_out":"#)?;
        let rows = self.number()?;
        self.skip(r#","rows_withheld":"#)?;
        self.number()?;
        self.skip(r#","swept":"#)?;
        self.number()?;
        self.skip(r#","bytes":"#)?;
        let bytes = self.number()?;
        self.skip(r#","body_sha256":""#)?;
        let body_sha256 = self.hex(64)?.parse().ok()?;
        self.skip(r#"","first_byte_ms":"#)?;
        self.or_null(Self::number)?;
        self.skip(r#","last_byte_ms":"#)?;
        self.or_null(Self::number)?;
        self.skip(r#","unreadable":"#)?;
        self.number()?;
        self.skip(r#","near_misses":"#)?;
        self.number()?;
        self.skip(r#","fields":"#)?;
        self.list(|line| {
            line.skip("[")?;
            line.text()?;
            line.skip(r#",{"changed":"#)?;
            line.number()?;
            line.skip(r#","swept":"#)?;
            line.number()?;
            line.skip(r#","unreadable":"#)?;
            line.number()?;
            line.skip("}]")
        })?;
        self.skip(r#","media_type":"#)?;
        self.or_null(Self::text)?;
        self.skip(r#","coding":"#)?;
        self.or_null(Self::text)?;
        self.skip(r#","coded_bytes":"#)?;
        self.or_null(Self::number)?;
        // Lists of polling stations are counted the long way.
        self.skip(r#","tps":null}"#)?;
        Some(What::Complete { intent, outcome, cause, rows, bytes, body_sha256 })
    }

    fn ack(&mut self) -> Option<What<'a>> {
        self.skip(r#","intent":"#)?;
        let intent = self.number()?;
        self.skip(r#","requester":"#)?;
        self.text()?;
        self.skip(r#","client_id":"#)?;
        self.text()?;
        self.skip(r#","rows":"#)?;
        let rows = self.number()?;
        self.skip(r#","bytes":"#)?;
        let bytes = self.number()?;
        self.skip(r#","body_sha256":""#)?;
        let body_sha256 = self.hex(64)?.parse().ok()?;
        let is_match = if self.skip(r#"","match":true}"#).is_some() {
            true
        } else {
            self.skip(r#"","match":false}"#)?;
            false
        };
        Some(What::Ack { intent, rows, bytes, body_sha256, is_match })
    }

    fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Up to the next quote, which is passed over: text that is written without an escape.
    fn until_quote(&mut self) -> Option<&'a str> {
        let end = self.rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        let text = self.take(end)?;
        self.skip("\"")?;
        Some(text)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.skip("\"")?;
        self.until_quote()
    }

    fn pair(&mut self) -> Option<()> {
        self.skip("[")?;
        self.text()?;
        self.skip(",")?;
        self.text()?;
        self.skip("]")
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip("[")?;
        if self.skip("]").is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.skip("]").is_some() {
                return Some(());
            }
            self.skip(",")?;
        }
    }

    #[expect(clippy::option_option, reason = "null is a value, and none of it is none")]
    fn or_null<T>(&mut self, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.skip("null").is_some() { Some(None) } else { value(self).map(Some) }
    }

    /// Digits without zeros before them.
    fn number(&mut self) -> Option<u64> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.take(length)?.as_bytes();
        if !(1..=16).contains(&length) || (length > 1 && digits[0] == b'0') {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        (number <= EXACT_MAX).then_some(number)
    }

    /// Lower-case hexadecimal digits, without the quote behind them.
    fn hex(&mut self, length: usize) -> Option<&'a str> {
        let digits = self.take(length)?;
        // All are looked at, which goes for many of them at once.
        let are_hex = digits.bytes().fold(true, |are, byte| are & matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        are_hex.then_some(digits)
    }

    /// A release's name with the quote behind it, in the one form in which it is written.
    fn release(&mut self) -> Option<ReleaseId> {
        let name = self.take(36)?;
        let is_plain = name.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
        self.skip("\"")?;
        is_plain.then(|| name.parse().ok()).flatten()
    }

    /// `2024-06-21T02:00:00.000Z` with the quote behind it.
    fn time(&mut self) -> Option<u64> {
        let text = self.take(24)?.as_bytes();
        let shape = text.iter().zip(b"0000-00-00T00:00:00.000Z");
        let mut fits =
            shape.map(|(byte, like)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like });
        if !fits.all(|fits| fits) {
            return None;
        }
        self.skip("\"")?;
        let part = |from: usize, to: usize| {
            text[from..to].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
        };
        let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
        let (hour, minute, second, ms) = (part(11, 13), part(14, 16), part(17, 19), part(20, 23));
        let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days_max = match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // The last days of 9999 are beyond what the long way knows.
        if !(1970..9999).contains(&year)
            || !(1..=days_max).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return None;
        }
        // Years from March on, so that the odd day comes last.
        let (years, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
        let days = 365 * years + years / 4 - years / 100 + years / 400 + (153 * month + 2) / 5 + day - 1;
        let seconds = ((days - 719_468) * 24 + hour) * 3_600 + minute * 60 + second;
        Some(seconds * 1_000 + ms)
    }
}
