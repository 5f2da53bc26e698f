//! Codings whose decoders look ahead: deflate (RFC 1950), br (RFC 7932) and zstd (RFC 8878, RFC 9659).
//!
//! What such a decoder gives back, and what it still gave back before it found damage, depends on how much it
//! was handed at once. So it is always handed the same: slices of a fixed size, whatever the pieces were. What
//! is short of a slice waits for the next piece or for the body's end.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge;
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::coding::{Blocks, Stopped, Take};
use super::error::Problem;

/// Coded bytes that may wait: few enough that rows hardly come later than the source sends them.
const SLICE_BYTES: usize = 512;
/// Two to this are 8 MiB, the largest window that HTTP allows to zstd.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

pub(super) struct Slices {
    method: Method,
    /// The beginning of a slice.
    held: Vec<u8>,
    blocks: Blocks,
    /// Whether the body may end where the decoder stands.
    is_whole: bool,
}

enum Method {
    Deflate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(DCtx<'static>),
}

/// What one call of a decoder did.
struct Step {
    read: usize,
    made: usize,
    is_whole: bool,
}

impl Slices {
    pub fn deflate(ratio_max: u64) -> Self {
        Self::new(Method::Deflate(Decompress::new(true)), ratio_max)
    }

    /// A window has at most 16 MiB; larger ones are not of the coding `br`.
    pub fn brotli(ratio_max: u64) -> Self {
        let alloc = StandardAlloc::default();
        Self::new(Method::Brotli(Box::new(BrotliState::new_strict(alloc, alloc, alloc))), ratio_max)
    }

    pub fn zstd(ratio_max: u64) -> Self {
        let mut context = DCtx::create();
        // It refuses only what is out of its range, and 23 never is; its own default would be 27.
        let set = context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX));
        debug_assert!(set.is_ok());
        Self::new(Method::Zstd(context), ratio_max)
    }

    fn new(method: Method, ratio_max: u64) -> Self {
        Self {
            method,
            held: Vec::with_capacity(SLICE_BYTES),
            blocks: Blocks::new(ratio_max),
            is_whole: false,
        }
    }

    pub fn push(&mut self, mut chunk: &[u8], take: &mut Take<'_>) -> Result<(), Stopped> {
        while self.held.len() + chunk.len() >= SLICE_BYTES {
            let (head, tail) = chunk.split_at(SLICE_BYTES - self.held.len());
            self.held.extend_from_slice(head);
            chunk = tail;
            self.decode(take)?;
        }
        self.held.extend_from_slice(chunk);
        Ok(())
    }

    pub fn finish(&mut self, take: &mut Take<'_>) -> Result<(), Stopped> {
        self.decode(take)?;
        if self.is_whole { Ok(()) } else { Err(Stopped::Coding(Problem::Truncated)) }
    }

    /// Decodes all that is held, and all that follows from it.
    fn decode(&mut self, take: &mut Take<'_>) -> Result<(), Stopped> {
        let mut rest = &self.held[..];
        let mut is_full = false;
        while !rest.is_empty() || is_full {
            // One body holds one stream; only zstd has several frames, and takes the next by itself.
            if self.is_whole && !matches!(self.method, Method::Zstd(_)) {
                if rest.is_empty() {
                    break;
                }
                return Err(Stopped::Coding(Problem::BadCoding));
            }
            let step = self.method.step(rest, self.blocks.room()).map_err(Stopped::Coding)?;
            if step.read > 0 || step.made > 0 {
                self.is_whole = step.is_whole;
            } else if rest.is_empty() {
                self.is_whole |= step.is_whole;
            } else {
                return Err(Stopped::Coding(Problem::BadCoding));
            }
            rest = &rest[step.read..];
            is_full = self.blocks.hand_on(step.read, step.made, take)?;
        }
        self.held.clear();
        Ok(())
    }
}

impl Method {
    fn step(&mut self, coded: &[u8], room: &mut [u8]) -> Result<Step, Problem> {
        match self {
            Self::Deflate(inflate) => {
                let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(coded, room, FlushDecompress::None);
                let status = status.map_err(|_| Problem::BadCoding)?;
                Ok(Step {
                    read: usize::try_from(inflate.total_in() - in_before).unwrap_or_default(),
                    made: usize::try_from(inflate.total_out() - out_before).unwrap_or_default(),
                    is_whole: status == Status::StreamEnd,
                })
            }
            Self::Brotli(state) => {
                let (mut left, mut read, mut room_left, mut made, mut total) =
                    (coded.len(), 0, room.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut left,
                    &mut read,
                    coded,
                    &mut room_left,
                    &mut made,
                    room,
                    &mut total,
                    state,
                );
                match result {
                    BrotliResult::ResultFailure => Err(Problem::BadCoding),
                    BrotliResult::ResultSuccess => Ok(Step { read, made, is_whole: true }),
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
                        Ok(Step { read, made, is_whole: false })
                    }
                }
            }
            Self::Zstd(context) => {
                let (mut from, mut to) = (InBuffer::around(coded), OutBuffer::around(room));
                match context.decompress_stream(&mut to, &mut from) {
                    Ok(hint) => Ok(Step { read: from.pos(), made: to.pos(), is_whole: hint == 0 }),
                    Err(code) if code == WINDOW_TOO_LARGE => {
                        Err(Problem::WindowTooLarge { limit_bytes: 1 << ZSTD_WINDOW_LOG_MAX })
                    }
                    Err(_) => Err(Problem::BadCoding),
                }
            }
        }
    }
}

/// The decoder's errors are the negatives of its numbered reasons.
const WINDOW_TOO_LARGE: usize = (ZSTD_error_frameParameter_windowTooLarge as usize).wrapping_neg();

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use zstd_safe::{CCtx, CParameter};

    use super::super::harness::{NIK, array, run, run_all_cuts, standard};
    use super::super::{Coding, Limits};
    use super::*;
    use crate::domain::Format;
    use crate::domain::random::next_u64;

    const CODINGS: [Coding; 3] = [Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn encode(coding: Coding, text: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => text.to_vec(),
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
                encoder.write_all(text).unwrap();
                encoder.into_inner()
            }
            Coding::Zstd => {
                let mut context = CCtx::create();
                context.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
                let mut coded = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
                context.compress2(&mut coded, text).unwrap();
                coded
            }
        }
    }

    /// Records, short or of several slices when coded, and their copy.
    fn sample(rows: usize) -> (String, String) {
        let mut seed = 7;
        let (mut text, mut copy) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let name =
                format!("{:x}g{:x}", next_u64(&mut seed), next_u64(&mut seed)).replace(char::is_numeric, "z");
            text.push(format!(r#"{{"kode":"9901","nama":"{name}","nik":"{NIK}"}}"#));
            copy.push(format!(r#"{{"kode":"9901","nama":"{name}","nik":"990101**********"}}"#));
        }
        (format!("[{}]", text.join(", ")), format!("[{}]", copy.join(", ")))
    }

    /// A frame of one block as it is, by the window's descriptor.
    fn raw_frame(window: u8, text: &[u8]) -> Vec<u8> {
        let head = u32::try_from(text.len() << 3 | 1).unwrap().to_le_bytes();
        [&[0x28, 0xB5, 0x2F, 0xFD, 0, window], &head[..3], text].concat()
    }

    #[test]
    fn every_coding_is_decoded_the_same_under_every_cut() {
        for coding in CODINGS {
            for rows in [1, 300] {
                let (text, copy) = sample(rows);
                let coded = encode(coding, text.as_bytes());
                assert_eq!(coded.len() > 3 * SLICE_BYTES, rows == 300, "{coding:?}: {} bytes", coded.len());
                let outcome = run_all_cuts(&standard(array()), coding, Limits::default(), &coded);
                assert_eq!((outcome.verdict, outcome.output), (Ok(()), copy), "{coding:?}");
            }
        }
    }

    #[test]
    fn what_is_not_one_body_of_its_coding_ends_the_pass() {
        let (text, copy) = sample(2);
        let text = text.as_bytes();
        let [deflate, brotli, zstd] = CODINGS.map(|coding| encode(coding, text));
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(text).unwrap();
        let raw = raw.finish().unwrap();
        let mut wrong_sum = deflate.clone();
        *wrong_sum.last_mut().unwrap() ^= 1;
        let with_dictionary = [&[0x78, 0x20 | 0x1D, 0, 0, 0, 1][..], &deflate[2..]].concat();
        let mut wrong_zstd_sum = zstd.clone();
        *wrong_zstd_sum.last_mut().unwrap() ^= 1;
        let half = text.len() / 2;
        let two_frames = [encode(Coding::Zstd, &text[..half]), encode(Coding::Zstd, &text[half..])].concat();
        let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd].concat();
        let slice = vec![b' '; SLICE_BYTES];
        let cases = [
            ("deflate", Coding::Deflate, deflate.clone(), "whole"),
            ("deflate without its frame", Coding::Deflate, raw, "bad_coding"),
            ("gzip as deflate", Coding::Deflate, encode(Coding::Gzip, text), "bad_coding"),
            ("deflate with a wrong sum", Coding::Deflate, wrong_sum, "bad_coding"),
            ("deflate with a dictionary", Coding::Deflate, with_dictionary, "bad_coding"),
            ("deflate and a byte", Coding::Deflate, [&deflate[..], b"x"].concat(), "bad_coding"),
            ("deflate twice", Coding::Deflate, [&deflate[..], &deflate].concat(), "bad_coding"),
            ("br and a byte", Coding::Brotli, [&brotli[..], b"x"].concat(), "bad_coding"),
            ("br and a slice", Coding::Brotli, [&brotli[..], &slice].concat(), "bad_coding"),
            ("br twice", Coding::Brotli, [&brotli[..], &brotli].concat(), "bad_coding"),
            ("br with a large window", Coding::Brotli, vec![0x11, 0x1E, 3], "bad_coding"),
            ("two frames", Coding::Zstd, two_frames, "whole"),
            ("a frame to skip", Coding::Zstd, skipped, "whole"),
            ("an empty frame more", Coding::Zstd, [&zstd[..], &encode(Coding::Zstd, b"")].concat(), "whole"),
            ("zstd and a byte", Coding::Zstd, [&zstd[..], b"x"].concat(), "bad_coding"),
            ("zstd and five", Coding::Zstd, [&zstd[..], b"xxxxx"].concat(), "bad_coding"),
            ("zstd and zeros", Coding::Zstd, [&zstd[..], &[0; 8]].concat(), "bad_coding"),
            ("zstd and half a frame", Coding::Zstd, [&zstd[..], &zstd[..9]].concat(), "truncated"),
            ("zstd with a wrong sum", Coding::Zstd, wrong_zstd_sum, "bad_coding"),
            ("a window of 8 MiB", Coding::Zstd, raw_frame(0x68, text), "whole"),
            ("a window of 9 MiB", Coding::Zstd, raw_frame(0x69, text), "window_too_large"),
            ("a window of 2 GiB", Coding::Zstd, raw_frame(0xA8, text), "window_too_large"),
            ("gzip as zstd", Coding::Zstd, encode(Coding::Gzip, text), "bad_coding"),
        ];
        for (name, coding, body, expected) in cases {
            let outcome = run_all_cuts(&standard(array()), coding, Limits::default(), &body);
            let found = outcome.verdict.map_or_else(|error| error.code(), |()| "whole");
            assert_eq!(found, expected, "{name}");
            assert!(copy.starts_with(&outcome.output), "{name}");
            assert!(expected != "whole" || outcome.output == copy, "{name}");
        }
        for coding in CODINGS {
            for body in [&b"nik,nama\n"[..], b"[{}]", text, &[0; 700], &[0xFF; 700]] {
                let outcome = run_all_cuts(&standard(array()), coding, Limits::default(), body);
                assert!(outcome.verdict.is_err() && outcome.output.is_empty(), "{coding:?}");
            }
            // No rows are a copy in this format; no stream is not a body in this coding.
            let nothing = run(&standard(Format::Ndjson), coding, Limits::default(), []);
            assert_eq!(nothing.verdict.map_err(|error| error.code()), Err("truncated"), "{coding:?}");
            let empty = encode(coding, b"");
            let empty = run_all_cuts(&standard(Format::Ndjson), coding, Limits::default(), &empty);
            assert_eq!(empty.verdict, Ok(()), "{coding:?}");
        }
    }

    #[test]
    fn a_truncated_or_damaged_body_ends_the_same_under_every_cut() {
        let (text, copy) = sample(40);
        for coding in CODINGS {
            let whole = encode(coding, text.as_bytes());
            let outcome =
                |body: &[u8], size| run(&standard(array()), coding, Limits::default(), body.chunks(size));
            for end in (0..whole.len()).rev().step_by(3) {
                let found = outcome(&whole[..end], whole.len());
                assert_eq!(
                    found.verdict.map_err(|error| error.code()),
                    Err("truncated"),
                    "{coding:?} after {end}"
                );
                assert!(copy.starts_with(&found.output), "{coding:?} after {end}");
            }
            for at in (0..whole.len()).step_by(5) {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x10;
                let found = outcome(&damaged, whole.len());
                // Brotli has no check sum: what is damaged may be another text.
                let is_known = found.verdict.is_err() || found.output == copy || coding == Coding::Brotli;
                assert!(is_known, "{coding:?} byte {at}");
                for size in [1, 700] {
                    assert_eq!(outcome(&damaged, size), found, "{coding:?} byte {at} in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn a_bomb_of_any_coding_meets_its_limit() {
        let blanks = vec![b' '; 40 * 1024 * 1024];
        for coding in CODINGS {
            let bomb = encode(coding, &blanks);
            let outcome = |limits, size| run(&standard(array()), coding, limits, bomb.chunks(size));
            let whole = outcome(Limits::default(), bomb.len());
            assert_eq!(whole.verdict.map_err(|error| error.code()), Err("ratio_too_high"), "{coding:?}");
            assert!(whole.output.len() <= 2 * 1024 * 1024, "{coding:?}");
            for size in [1, 7, 4096] {
                assert!(outcome(Limits::default(), size) == whole, "{coding:?} in pieces of {size}");
            }
            let limits = Limits { ratio_max: u64::MAX, decoded_bytes_max: 10_000_000, ..Limits::default() };
            let long = outcome(limits, bomb.len());
            assert_eq!(long.verdict.map_err(|error| error.code()), Err("body_too_long"), "{coding:?}");
            assert_eq!(long.output.len(), 10_000_000, "{coding:?}");
        }
    }
}
