//! The property of the codings: whatever comes in, decoding is bounded, never panics, and has the same text and end
//! however the coded body was cut; and what was encoded decodes to itself, by other encoders and by the one for copies.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use zstd_safe::{CCtx, CParameter};

use crate::domain::ContentCoding;

use super::super::coding::{Decoder, Stopped};
use super::super::encode::Encoder;
use super::super::{Coding, Limits, Problem, RedactError, Redacted};
use super::Dice;

/// Text taken at most of one body.
const TAKEN_MAX: usize = 3 * 1024 * 1024;

/// The first character chooses the coding, by its digits 0 to 3; the second whether the body is coded text (0, 1),
/// is to be coded (2), is coded here and then damaged (3); the third how it is cut. Tells whether it was decoded
/// to its end.
pub fn codings(data: &[u8]) -> bool {
    let Some((&[coding, how, cuts], body)) = data.split_first_chunk::<3>() else { return false };
    let coding = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd][usize::from(coding % 4)];
    let mut dice = Dice(u64::from(cuts) << 8 | body.len() as u64);
    match how % 4 {
        0 | 1 => check(coding, body, &mut dice).1.is_ok(),
        2 => {
            // Twice, so that there is something to be referred to.
            let text = [body, body].concat();
            let coded = encode(coding, &text, usize::from(cuts));
            assert_eq!(check(coding, &coded, &mut dice), (text.clone(), Ok(())));
            let (begun, verdict) = check(coding, &coded[..dice.below(coded.len())], &mut dice);
            // Where the first of two parts ends the body may end too.
            assert!(
                verdict == Err(Problem::Truncated) || (verdict.is_ok() && begun == body),
                "half a body is whole"
            );
            assert!(text.starts_with(&begun));
            check_copy(coding, &text, &mut dice);
            true
        }
        _ => {
            let mut coded = encode(coding, body, usize::from(cuts));
            let at = dice.below(coded.len());
            coded[at] ^= 1 << (cuts % 8);
            let (text, verdict) = check(coding, &coded, &mut dice);
            // Brotli has no check sum; a gzip frame holds a time and a name, which say nothing of the text.
            assert!(verdict.is_err() || text == body || coding == Coding::Brotli, "damage went unnoticed");
            verdict.is_ok()
        }
    }
}

/// A copy coded for the client decodes to itself, and each piece of it can be read when it has come.
fn check_copy(coding: Coding, text: &[u8], dice: &mut Dice) {
    let to_client = match coding {
        Coding::Gzip => ContentCoding::Gzip,
        Coding::Brotli => ContentCoding::Br,
        Coding::Zstd => ContentCoding::Zstd,
        Coding::Identity | Coding::Deflate => return,
    };
    let mut encoder = Encoder::new(Some(to_client)).unwrap();
    let (mut coded, mut length) = (Vec::new(), 0);
    for piece in dice.cut(text) {
        let piece = Redacted { bytes: piece.to_vec() };
        length += piece.len();
        coded.extend_from_slice(encoder.code(&piece).unwrap().expect("this one is coded").as_slice());
        assert!(decode(coding, &[&coded]) == (text[..length].to_vec(), Err(Problem::Truncated)));
    }
    coded.extend_from_slice(encoder.finish().unwrap().as_slice());
    assert!(decode(coding, &[&coded]) == (text.to_vec(), Ok(())));
}

/// The text and the end of the body in one piece, after others gave the same.
fn check(coding: Coding, coded: &[u8], dice: &mut Dice) -> (Vec<u8>, Result<(), Problem>) {
    let whole = decode(coding, &[coded]);
    let limits = Limits::default();
    let most = 1024 * 1024 + 64 * 1024 + coded.len() as u64 * limits.ratio_max;
    assert!(whole.0.len() as u64 <= most, "more text than the ratio allows");
    let pieces = dice.cut(coded);
    assert!(decode(coding, &pieces) == whole, "in pieces");
    if coded.len() <= 300 {
        let bytes: Vec<&[u8]> = coded.chunks(1).collect();
        assert!(decode(coding, &bytes) == whole, "byte by byte");
    }
    whole
}

fn decode(coding: Coding, pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Problem>) {
    let mut decoder = Decoder::new(coding, Limits::default());
    let mut text = Vec::new();
    let mut take = |block: &[u8]| {
        let room = TAKEN_MAX - text.len();
        text.extend_from_slice(&block[..block.len().min(room)]);
        if block.len() > room { Err(RedactError::Ended) } else { Ok(()) }
    };
    let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut take));
    let verdict = pushed.and_then(|()| decoder.finish(&mut take)).map_err(|stopped| match stopped {
        Stopped::Coding(problem) => problem,
        // Only the taker above stops for the text's sake.
        Stopped::Text(_) => Problem::BodyTooLong { limit_bytes: TAKEN_MAX as u64 },
    });
    (text, verdict)
}

/// A text in its coding, by settings that `how` chooses; gzip and zstd also in two parts.
fn encode(coding: Coding, text: &[u8], how: usize) -> Vec<u8> {
    let level = u32::try_from(how % 10).unwrap_or_default();
    let (head, tail) = text.split_at(if how.is_multiple_of(3) { text.len() / 2 } else { 0 });
    let parts = [head, tail].into_iter().filter(|part| !part.is_empty() || text.is_empty());
    match coding {
        Coding::Identity => text.to_vec(),
        Coding::Gzip => parts
            .flat_map(|part| {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(part).unwrap();
                encoder.finish().unwrap()
            })
            .collect(),
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, level, 10 + level);
            encoder.write_all(text).unwrap();
            encoder.into_inner()
        }
        Coding::Zstd => parts
            .flat_map(|part| {
                let mut context = CCtx::create();
                context.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
                let level = i32::try_from(level).unwrap_or_default();
                context.set_parameter(CParameter::CompressionLevel(level)).unwrap();
                let mut coded = Vec::with_capacity(zstd_safe::compress_bound(part.len()));
                context.compress2(&mut coded, part).unwrap();
                coded
            })
            .collect(),
    }
}
