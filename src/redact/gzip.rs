//! Gzip (RFC 1952), of one member or several, whose frames are read here and whose texts `flate2` decodes.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::coding::{Blocks, Stopped, Take};
use super::error::Problem;

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
    blocks: Blocks,
}

impl Gzip {
    pub fn new(ratio_max: u64) -> Self {
        Self {
            part: Part::Head { at: 0, flags: 0 },
            members: 0,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            blocks: Blocks::new(ratio_max),
        }
    }

    /// Whether the coded body may end here.
    pub fn finish(&self) -> Result<(), Problem> {
        match self.part {
            Part::Head { at: 0, .. } if self.members > 0 => Ok(()),
            _ => Err(Problem::Truncated),
        }
    }

    pub fn push(&mut self, mut chunk: &[u8], take: &mut Take<'_>) -> Result<(), Stopped> {
        while let Some((&byte, rest)) = chunk.split_first() {
            if let Part::Deflate = self.part {
                let used = self.inflate(chunk, take)?;
                chunk = &chunk[used..];
            } else {
                self.part = self.frame(byte).map_err(Stopped::Coding)?;
                self.blocks.coded += 1;
                chunk = rest;
            }
        }
        Ok(())
    }

    /// Decodes up to the end of the chunk or of the member; returns how much of the chunk was used.
    fn inflate(&mut self, chunk: &[u8], take: &mut Take<'_>) -> Result<usize, Stopped> {
        let mut used = 0;
        loop {
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let room = self.blocks.room();
            let result = self.inflate.decompress(&chunk[used..], room, FlushDecompress::None);
            let read = usize::try_from(self.inflate.total_in() - in_before).unwrap_or_default();
            let made = usize::try_from(self.inflate.total_out() - out_before).unwrap_or_default();
            used += read;
            self.crc.update(&self.blocks.room()[..made]);
            let is_full = self.blocks.hand_on(read, made, take)?;
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
    use super::super::{Coding, Limits};
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
