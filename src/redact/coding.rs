//! The content coding of the source's body: none, or one of gzip, deflate, br and zstd.
//!
//! A body is decoded in blocks of fixed size, each handed on before the next is made, so a bomb meets its
//! limit before it takes memory. Where the coded body was cut into pieces changes neither the text nor the
//! verdict.

use super::Limits;
use super::error::{Problem, RedactError};
use super::gzip::Gzip;
use super::slices::Slices;

/// How the source coded its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
    /// The zlib format (RFC 1950), which HTTP calls `deflate`. Without its frame (RFC 1951 alone) it has no
    /// check sum, and is refused.
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// Reads a `Content-Encoding`. Codings on top of each other and unknown ones are refused.
    pub fn read(content_encoding: Option<&str>) -> Result<Self, RedactError> {
        let Some(word) = content_encoding.map(|header| header.trim_matches([' ', '\t'])) else {
            return Ok(Self::Identity);
        };
        let known = [
            ("identity", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        let found = known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        found.map(|(_, coding)| coding).ok_or(RedactError::UnknownCoding)
    }
}

/// Who stopped the decoding: the taker of the text, or the coding itself.
#[derive(Clone, Copy)]
pub(super) enum Stopped {
    Text(RedactError),
    Coding(Problem),
}

pub(super) type Take<'a> = dyn FnMut(&[u8]) -> Result<(), RedactError> + 'a;

pub(super) enum Decoder {
    Identity,
    Gzip(Box<Gzip>),
    Slices(Box<Slices>),
}

impl Decoder {
    pub fn new(coding: Coding, limits: Limits) -> Self {
        match coding {
            Coding::Identity => Self::Identity,
            Coding::Gzip => Self::Gzip(Box::new(Gzip::new(limits.ratio_max))),
            Coding::Deflate => Self::Slices(Box::new(Slices::deflate(limits.ratio_max))),
            Coding::Brotli => Self::Slices(Box::new(Slices::brotli(limits.ratio_max))),
            Coding::Zstd => Self::Slices(Box::new(Slices::zstd(limits.ratio_max))),
        }
    }

    pub fn push(&mut self, chunk: &[u8], take: &mut Take<'_>) -> Result<(), Stopped> {
        match self {
            Self::Identity => take(chunk).map_err(Stopped::Text),
            Self::Gzip(gzip) => gzip.push(chunk, take),
            Self::Slices(slices) => slices.push(chunk, take),
        }
    }

    /// Says that the coded body ends here, and decodes what is left of it.
    pub fn finish(&mut self, take: &mut Take<'_>) -> Result<(), Stopped> {
        match self {
            Self::Identity => Ok(()),
            Self::Gzip(gzip) => gzip.finish().map_err(Stopped::Coding),
            Self::Slices(slices) => slices.finish(take),
        }
    }
}

const BLOCK_BYTES: usize = 64 * 1024;
/// Decoded bytes before the ratio is looked at: short bodies of equal rows have high ones.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

/// Where decoded text is made before it is handed on, and the cap on its ratio to what was read.
///
/// Blocks end at whole multiples of their size, and the ratio is looked at there only, so that the cuts have
/// no say in it.
pub(super) struct Blocks {
    block: Box<[u8]>,
    /// How much of the block was handed on.
    filled: usize,
    pub coded: u64,
    decoded: u64,
    ratio_max: u64,
}

impl Blocks {
    pub fn new(ratio_max: u64) -> Self {
        Self {
            block: vec![0; BLOCK_BYTES].into_boxed_slice(),
            filled: 0,
            coded: 0,
            decoded: 0,
            ratio_max: ratio_max.max(1),
        }
    }

    /// Where the next text is made; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.block[self.filled..]
    }

    /// Hands on what was made at the beginning of the room, of so many coded bytes. Gives whether the block
    /// was full, and the decoder may have more without reading on.
    pub fn hand_on(&mut self, read: usize, made: usize, take: &mut Take<'_>) -> Result<bool, Stopped> {
        self.coded += read as u64;
        self.decoded += made as u64;
        let from = self.filled;
        self.filled += made;
        let made = &self.block[from..self.filled];
        let is_full = self.filled == self.block.len();
        if is_full {
            self.filled = 0;
        }
        if !made.is_empty() {
            take(made).map_err(Stopped::Text)?;
        }
        let is_judged = is_full && self.decoded > RATIO_FREE_BYTES;
        if is_judged && self.decoded / self.ratio_max > self.coded {
            return Err(Stopped::Coding(Problem::RatioTooHigh { limit: self.ratio_max }));
        }
        Ok(is_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_known_coding_is_read() {
        let cases = [
            (None, Some(Coding::Identity)),
            (Some("identity"), Some(Coding::Identity)),
            (Some("gzip"), Some(Coding::Gzip)),
            (Some(" X-GZIP\t"), Some(Coding::Gzip)),
            (Some(""), None),
            (Some("br"), Some(Coding::Brotli)),
            (Some("Deflate"), Some(Coding::Deflate)),
            (Some("zstd"), Some(Coding::Zstd)),
            (Some("compress"), None),
            (Some("brotli"), None),
            (Some("dcb"), None),
            (Some("br, gzip"), None),
            (Some("gzip, gzip"), None),
            (Some("identity, gzip"), None),
            (Some("gzip;q=1"), None),
        ];
        for (header, coding) in cases {
            assert_eq!(Coding::read(header).ok(), coding, "{header:?}");
        }
    }
}
