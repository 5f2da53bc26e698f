//! The content coding of the source's body: none or gzip (RFC 1952), one layer.
//!
//! A gzip body may have several members, as the format allows. It is decoded in blocks of fixed size, each
//! handed on before the next is made, so a bomb meets its limit before it takes memory.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::Limits;
use super::error::{Problem, RedactError};

/// How the source coded its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// Reads a `Content-Encoding`. Codings on top of each other and unknown ones are refused.
    pub fn read(content_encoding: Option<&str>) -> Result<Self, RedactError> {
        let Some(word) = content_encoding.map(|header| header.trim_matches([' ', '\t'])) else {
            return Ok(Self::Identity);
        };
        if word.eq_ignore_ascii_case("identity") {
            Ok(Self::Identity)
        } else if word.eq_ignore_ascii_case("gzip") || word.eq_ignore_ascii_case("x-gzip") {
            Ok(Self::Gzip)
        } else {
            Err(RedactError::UnknownCoding)
        }
    }
}

/// Who stopped the decoding: the taker of the text, or the coding itself.
pub(super) enum Stopped {
    Text(RedactError),
    Coding(Problem),
}

pub(super) enum Decoder {
    Identity,
    Gzip(Box<Gzip>),
}

type Take<'a> = dyn FnMut(&[u8]) -> Result<(), RedactError> + 'a;

impl Decoder {
    pub fn new(coding: Coding, limits: Limits) -> Self {
        match coding {
            Coding::Identity => Self::Identity,
            Coding::Gzip => Self::Gzip(Box::new(Gzip::new(limits.ratio_max))),
        }
    }

    pub fn push(&mut self, chunk: &[u8], take: &mut Take<'_>) -> Result<(), Stopped> {
        match self {
            Self::Identity => take(chunk).map_err(Stopped::Text),
            Self::Gzip(gzip) => gzip.push(chunk, take),
        }
    }

    /// Whether the coded body may end here.
    pub fn finish(&self) -> Result<(), Problem> {
        match self {
            Self::Identity => Ok(()),
            Self::Gzip(gzip) => gzip.finish(),
        }
    }
}

const BLOCK_BYTES: usize = 64 * 1024;
/// Decoded bytes before the ratio is looked at: short bodies of equal rows have high ones.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

/// Where in a member the decoder is.
#[derive(Clone, Copy)]
enum Part {
    /// The ten bytes every member begins with; `at` were read.
    Head {
        at: u8,
        flags: u8,
    },
    /// Low then high byte of the extra field's length.
    ExtraLength {
        at: u8,
        length: u16,
        flags: u8,
    },
    Extra {
        left: u16,
        flags: u8,
    },
    /// The file's name, up to a NUL.
    Name {
        flags: u8,
    },
    Comment {
        flags: u8,
    },
    HeadCrc {
        left: u8,
    },
    Deflate,
    /// CRC-32 and length of the member, eight bytes in little-endian order.
    Tail {
        at: u8,
        tail: u64,
    },
}

const FLAG_HEAD_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
const FLAGS_RESERVED: u8 = 0xE0;

pub(super) struct Gzip {
    part: Part,
    members: u64,
    inflate: Decompress,
    crc: Crc,
    block: Box<[u8]>,
    coded: u64,
    decoded: u64,
    ratio_max: u64,
}

impl Gzip {
    fn new(ratio_max: u64) -> Self {
        Self {
            part: Part::Head { at: 0, flags: 0 },
            members: 0,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            block: vec![0; BLOCK_BYTES].into_boxed_slice(),
            coded: 0,
            decoded: 0,
            ratio_max,
        }
    }

    fn finish(&self) -> Result<(), Problem> {
        match self.part {
            Part::Head { at: 0, .. } if self.members > 0 => Ok(()),
            _ => Err(Problem::Truncated),
        }
    }

    fn push(&mut self, mut chunk: &[u8], take: &mut Take<'_>) -> Result<(), Stopped> {
        while let Some((&byte, rest)) = chunk.split_first() {
            if let Part::Deflate = self.part {
                let used = self.inflate(chunk, take)?;
                chunk = &chunk[used..];
            } else {
                self.part = self.frame(byte).map_err(Stopped::Coding)?;
                self.coded += 1;
                chunk = rest;
            }
        }
        Ok(())
    }

    /// Decodes a block at most, or up to the end of the chunk; returns how much of the chunk was used.
    fn inflate(&mut self, chunk: &[u8], take: &mut Take<'_>) -> Result<usize, Stopped> {
        let mut used = 0;
        loop {
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&chunk[used..], &mut self.block, FlushDecompress::None)
                .map_err(|_| Stopped::Coding(Problem::BadGzip))?;
            let read = self.inflate.total_in() - in_before;
            let made = self.inflate.total_out() - out_before;
            self.coded += read;
            self.decoded += made;
            used += usize::try_from(read).unwrap_or_default();
            let made = &self.block[..usize::try_from(made).unwrap_or_default()];
            self.crc.update(made);
            if self.decoded > RATIO_FREE_BYTES && self.decoded / self.ratio_max.max(1) > self.coded {
                return Err(Stopped::Coding(Problem::RatioTooHigh { limit: self.ratio_max }));
            }
            if !made.is_empty() {
                take(made).map_err(Stopped::Text)?;
            }
            match status {
                Status::StreamEnd => {
                    self.part = Part::Tail { at: 0, tail: 0 };
                    return Ok(used);
                }
                // A full block may have left more behind, with or without input.
                Status::Ok | Status::BufError if made.len() == self.block.len() => {}
                Status::Ok if used < chunk.len() => {}
                Status::BufError if used < chunk.len() => return Err(Stopped::Coding(Problem::BadGzip)),
                Status::Ok | Status::BufError => return Ok(used),
            }
        }
    }

    /// Takes one byte of a member's frame.
    fn frame(&mut self, byte: u8) -> Result<Part, Problem> {
        Ok(match self.part {
            Part::Head { at, flags } => match (at, byte) {
                (0, 0x1F) | (1, 0x8B) | (2, 8) | (4..=8, _) => Part::Head { at: at + 1, flags },
                (3, flags) if flags & FLAGS_RESERVED == 0 => Part::Head { at: at + 1, flags },
                (9, _) if flags & FLAG_EXTRA != 0 => Part::ExtraLength { at: 0, length: 0, flags },
                (9, _) => self.behind_extra(flags),
                _ => return Err(Problem::BadGzip),
            },
            Part::ExtraLength { at: 0, flags, .. } => {
                Part::ExtraLength { at: 1, length: u16::from(byte), flags }
            }
            Part::ExtraLength { length, flags, .. } => match length | u16::from(byte) << 8 {
                0 => self.behind_extra(flags),
                left => Part::Extra { left, flags },
            },
            Part::Extra { left: 1, flags } => self.behind_extra(flags),
            Part::Extra { left, flags } => Part::Extra { left: left - 1, flags },
            Part::Name { flags } if byte == 0 => self.behind_name(flags),
            Part::Comment { flags } if byte == 0 => self.behind_comment(flags),
            Part::HeadCrc { left: 1 } => self.begin(),
            Part::HeadCrc { left } => Part::HeadCrc { left: left - 1 },
            part @ (Part::Name { .. } | Part::Comment { .. } | Part::Deflate) => part,
            Part::Tail { at, tail } => {
                let tail = tail | u64::from(byte) << (8 * at);
                if at < 7 {
                    return Ok(Part::Tail { at: at + 1, tail });
                }
                if tail != u64::from(self.crc.amount()) << 32 | u64::from(self.crc.sum()) {
                    return Err(Problem::BadGzip);
                }
                self.members += 1;
                Part::Head { at: 0, flags: 0 }
            }
        })
    }

    fn behind_extra(&mut self, flags: u8) -> Part {
        if flags & FLAG_NAME != 0 { Part::Name { flags } } else { self.behind_name(flags) }
    }

    fn behind_name(&mut self, flags: u8) -> Part {
        if flags & FLAG_COMMENT != 0 { Part::Comment { flags } } else { self.behind_comment(flags) }
    }

    fn behind_comment(&mut self, flags: u8) -> Part {
        if flags & FLAG_HEAD_CRC != 0 { Part::HeadCrc { left: 2 } } else { self.begin() }
    }

    fn begin(&mut self) -> Part {
        self.inflate.reset(false);
        self.crc.reset();
        Part::Deflate
    }
}
