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
    /// How much of the block was handed on.
    filled: usize,
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
            filled: 0,
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

    /// Decodes up to the end of the chunk or of the member; returns how much of the chunk was used.
    ///
    /// Blocks end at whole multiples of their size, and the ratio is looked at there only, so that the cuts
    /// have no say in it.
    fn inflate(&mut self, chunk: &[u8], take: &mut Take<'_>) -> Result<usize, Stopped> {
        let mut used = 0;
        loop {
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let room = &mut self.block[self.filled..];
            let result = self.inflate.decompress(&chunk[used..], room, FlushDecompress::None);
            let read = self.inflate.total_in() - in_before;
            let made = self.inflate.total_out() - out_before;
            self.coded += read;
            self.decoded += made;
            used += usize::try_from(read).unwrap_or_default();
            let from = self.filled;
            self.filled += usize::try_from(made).unwrap_or_default();
            let made = &self.block[from..self.filled];
            self.crc.update(made);
            let is_full = self.filled == self.block.len();
            if is_full {
                self.filled = 0;
            }
            if !made.is_empty() {
                take(made).map_err(Stopped::Text)?;
            }
            let is_judged = is_full && self.decoded > RATIO_FREE_BYTES;
            if is_judged && self.decoded / self.ratio_max.max(1) > self.coded {
                return Err(Stopped::Coding(Problem::RatioTooHigh { limit: self.ratio_max }));
            }
            // What was decoded before the damage has been handed on, as it would have been in smaller pieces.
            match result.map_err(|_| Stopped::Coding(Problem::BadGzip))? {
                Status::StreamEnd => {
                    self.part = Part::Tail { at: 0, tail: 0 };
                    return Ok(used);
                }
                // A full block may have left more behind, with or without input.
                Status::Ok | Status::BufError if is_full => {}
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use crate::domain::Format;

    use super::super::harness::{array, run, run_all_cuts, standard};
    use super::*;

    const TEXT: &str =
        r#"[{"kode":"9901","nama":"SITI"}, {"kode":"9901","nama":"CONTOH","nik":"9901014512900003"}]"#;
    const OUT: &str =
        r#"[{"kode":"9901","nama":"SITI"}, {"kode":"9901","nama":"CONTOH","nik":"990101**********"}]"#;

    fn member(text: &[u8], builder: GzBuilder) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        member(text, GzBuilder::new())
    }

    fn code(body: &[u8]) -> &'static str {
        let outcome = run_all_cuts(&standard(array()), Coding::Gzip, Limits::default(), body);
        assert!(OUT.starts_with(&outcome.output));
        outcome
            .verdict
            .map_or_else(|error| error.code(), |()| if outcome.output == OUT { "whole" } else { "short" })
    }

    #[test]
    fn only_one_known_coding_is_read() {
        let cases = [
            (None, Some(Coding::Identity)),
            (Some("identity"), Some(Coding::Identity)),
            (Some("gzip"), Some(Coding::Gzip)),
            (Some(" X-GZIP\t"), Some(Coding::Gzip)),
            (Some(""), None),
            (Some("br"), None),
            (Some("deflate"), None),
            (Some("zstd"), None),
            (Some("gzip, gzip"), None),
            (Some("identity, gzip"), None),
            (Some("gzip;q=1"), None),
        ];
        for (header, coding) in cases {
            assert_eq!(Coding::read(header).ok(), coding, "{header:?}");
        }
    }

    #[test]
    fn members_with_any_header_are_decoded_and_anything_else_ends_the_pass() {
        let text = TEXT.as_bytes();
        let full = GzBuilder::new().filename("a").comment("b").extra(vec![1, 2, 3]);
        let two = [member(&text[..40], full), gzip(&text[40..])].concat();
        let whole = gzip(text);
        let mut damaged_sum = whole.clone();
        let sum = whole.len() - 8;
        damaged_sum[sum] ^= 1;
        let mut with_head_crc = whole.clone();
        with_head_crc[3] |= FLAG_HEAD_CRC;
        with_head_crc.splice(10..10, [0, 0]);
        let mut no_extra = whole.clone();
        no_extra[3] |= FLAG_EXTRA;
        no_extra.splice(10..10, [0, 0]);
        let cases = [
            ("one member", whole.clone(), "whole"),
            ("two members, all of a header", two, "whole"),
            ("an empty member at the end", [whole.clone(), gzip(b"")].concat(), "whole"),
            ("check sum of the header", with_head_crc, "whole"),
            ("an extra field of no length", no_extra, "whole"),
            ("wrong sum", damaged_sum, "bad_gzip"),
            ("rest", [&whole[..], b"x"].concat(), "bad_gzip"),
            ("padding", [&whole[..], &[0; 8]].concat(), "bad_gzip"),
            ("half a member more", [&whole[..], &whole[..5]].concat(), "truncated"),
            ("plain text", text.to_vec(), "bad_gzip"),
            ("nothing", Vec::new(), "truncated"),
        ];
        for (name, body, expected) in cases {
            assert_eq!(code(&body), expected, "{name}");
        }
    }

    #[test]
    fn a_truncated_or_damaged_body_is_never_whole() {
        let whole = gzip(TEXT.as_bytes());
        for end in 0..whole.len() {
            let outcome = run(&standard(array()), Coding::Gzip, Limits::default(), [&whole[..end]]);
            assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("truncated"), "after {end} bytes");
        }
        // No rows are a copy in this format; no member is not a body in this coding.
        let outcome = run(&standard(Format::Ndjson), Coding::Gzip, Limits::default(), []);
        assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("truncated"));
        // The bytes 4 to 9 of the header are a time, a level and a system, which say nothing about the text.
        for at in (0..4).chain(10..whole.len()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            let limits = Limits::default();
            let one_piece = run(&standard(array()), Coding::Gzip, limits, [&damaged[..]]);
            // The bits that fill up the last byte of a member's text say nothing either.
            assert!(one_piece.verdict.is_err() || one_piece.output == OUT, "byte {at}");
            assert_eq!(
                run(&standard(array()), Coding::Gzip, limits, damaged.chunks(1)),
                one_piece,
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_bomb_meets_its_limit_under_every_cut() {
        let bomb = gzip(&vec![b' '; 40 * 1024 * 1024]);
        let outcome = |pieces: usize| {
            let limits = Limits::default();
            run(&standard(array()), Coding::Gzip, limits, bomb.chunks(pieces))
        };
        let whole = outcome(bomb.len());
        assert_eq!(whole.verdict.map_err(|error| error.code()), Err("ratio_too_high"));
        assert!(whole.output.len() <= 2 * 1024 * 1024);
        for pieces in [1, 7, 4096] {
            assert!(outcome(pieces) == whole, "pieces of {pieces}");
        }
        let limits = Limits { ratio_max: u64::MAX, decoded_bytes_max: 10_000_000, ..Limits::default() };
        let outcome = run(&standard(array()), Coding::Gzip, limits, [&bomb[..]]);
        assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("body_too_long"));
        assert_eq!(outcome.output.len(), 10_000_000);
    }
}
