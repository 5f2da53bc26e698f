//! Codes a copy on its way to the requester. [`Redacted`] bytes come in and [`Redacted`] bytes go out, so that what the
//! client's body accepts is still made in this module alone.
//!
//! Each call gives all that its bytes became: who has that can decode every row so far, also while the source pauses.
//! Only [`Encoder::finish`] writes the end of the coding, so a copy that breaks off cannot be taken for a whole one. Levels
//! and windows are small, since coding costs more than all else that is done for a copy.

use std::io::Write;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use thiserror::Error;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

use super::Redacted;
use crate::domain::ContentCoding;

const GZIP_LEVEL: u32 = 1;
const BROTLI_QUALITY: u32 = 1;
/// Powers of two, in bytes.
const BROTLI_WINDOW_LOG: u32 = 18;
const ZSTD_WINDOW_LOG: u32 = 18;
const ZSTD_LEVEL: i32 = 1;
/// Bytes that the brotli encoder hands on at a time.
const BROTLI_PIECE_BYTES: usize = 4 * 1_024;
/// Room for what zstd writes beside the coded bytes: the heads of its blocks and frame.
const ZSTD_ROOM_BYTES: usize = 256;

/// An encoder failed, which it does for want of memory alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the copy could not be coded")]
pub struct EncodeError;

/// The coding of one copy.
pub struct Encoder(Method);

enum Method {
    /// The copy leaves as it is.
    Identity,
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(CCtx<'static>),
}

impl Encoder {
    pub fn new(coding: Option<ContentCoding>) -> Result<Self, EncodeError> {
        Ok(Self(match coding {
            None => Method::Identity,
            Some(ContentCoding::Gzip) => {
                Method::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))))
            }
            Some(ContentCoding::Br) => Method::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                BROTLI_PIECE_BYTES,
                BROTLI_QUALITY,
                BROTLI_WINDOW_LOG,
            ))),
            Some(ContentCoding::Zstd) => {
                let mut context = CCtx::try_create().ok_or(EncodeError)?;
                for parameter in [
                    CParameter::CompressionLevel(ZSTD_LEVEL),
                    CParameter::WindowLog(ZSTD_WINDOW_LOG),
                    CParameter::ChecksumFlag(true),
                ] {
                    context.set_parameter(parameter).map_err(|_| EncodeError)?;
                }
                Method::Zstd(context)
            }
        }))
    }

    /// The coded form of the next bytes, in which all of them can be read; none where the copy leaves as it is.
    pub fn code(&mut self, plain: &Redacted) -> Result<Option<Redacted>, EncodeError> {
        let bytes = match &mut self.0 {
            Method::Identity => return Ok(None),
            Method::Gzip(encoder) => {
                written(encoder.write_all(plain.as_slice()).and_then(|()| encoder.flush()))?;
                std::mem::take(encoder.get_mut())
            }
            Method::Brotli(encoder) => {
                written(encoder.write_all(plain.as_slice()).and_then(|()| encoder.flush()))?;
                std::mem::take(encoder.get_mut())
            }
            Method::Zstd(context) => zstd(context, plain.as_slice(), ZSTD_EndDirective::ZSTD_e_flush)?,
        };
        Ok(Some(Redacted { bytes }))
    }

    /// The end of the coding, for a copy that is whole.
    pub fn finish(self) -> Result<Redacted, EncodeError> {
        let bytes = match self.0 {
            Method::Identity => Vec::new(),
            Method::Gzip(encoder) => written(encoder.finish())?,
            Method::Brotli(encoder) => encoder.into_inner(),
            Method::Zstd(mut context) => zstd(&mut context, &[], ZSTD_EndDirective::ZSTD_e_end)?,
        };
        Ok(Redacted { bytes })
    }
}

/// What is written to memory cannot fail for want of a place to write to.
fn written<T>(result: std::io::Result<T>) -> Result<T, EncodeError> {
    result.map_err(|_| EncodeError)
}

fn zstd(context: &mut CCtx<'_>, plain: &[u8], end: ZSTD_EndDirective) -> Result<Vec<u8>, EncodeError> {
    let mut coded = Vec::with_capacity(plain.len() / 2 + ZSTD_ROOM_BYTES);
    let mut input = InBuffer::around(plain);
    loop {
        let from = coded.len();
        let mut output = OutBuffer::around_pos(&mut coded, from);
        let left = context.compress_stream2(&mut output, &mut input, end).map_err(|_| EncodeError)?;
        if left == 0 {
            return Ok(coded);
        }
        coded.reserve(left.max(ZSTD_ROOM_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::GzDecoder;

    use super::*;

    fn redacted(text: &[u8]) -> Redacted {
        Redacted { bytes: text.to_vec() }
    }

    /// What can be read of the coded bytes, and whether they end as a whole body does.
    fn decoded(coding: ContentCoding, coded: &[u8]) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let is_whole = match coding {
            ContentCoding::Gzip => GzDecoder::new(coded).read_to_end(&mut text).is_ok(),
            ContentCoding::Br => brotli::Decompressor::new(coded, 4_096).read_to_end(&mut text).is_ok(),
            ContentCoding::Zstd => {
                let mut context = zstd_safe::DCtx::create();
                let (mut input, mut left) = (InBuffer::around(coded), 1);
                let mut room = vec![0; 1 << 20];
                while input.pos() < coded.len() {
                    let mut output = OutBuffer::around(&mut room[..]);
                    left = context.decompress_stream(&mut output, &mut input).unwrap();
                    text.extend_from_slice(output.as_slice());
                }
                left == 0
            }
        };
        (text, is_whole)
    }

    #[test]
    fn each_piece_can_be_read_at_once_and_only_the_end_makes_it_whole() {
        let pieces: [&[u8]; 4] =
            [b"nik,nama\n", b"990101**********,SITI CONTOH\n", b"", &b"x,y\n".repeat(50_000)];
        for coding in ContentCoding::ALL {
            let mut encoder = Encoder::new(Some(coding)).unwrap();
            let (mut plain, mut coded) = (Vec::new(), Vec::new());
            for piece in pieces {
                plain.extend_from_slice(piece);
                coded.extend_from_slice(encoder.code(&redacted(piece)).unwrap().unwrap().as_slice());
                assert_eq!(decoded(coding, &coded), (plain.clone(), false), "{coding:?}");
            }
            let end = encoder.finish().unwrap();
            assert!(!end.is_empty(), "{coding:?}");
            coded.extend_from_slice(end.as_slice());
            assert_eq!(decoded(coding, &coded), (plain, true), "{coding:?}");
            for cut in 1..=end.len() {
                let (text, is_whole) = decoded(coding, &coded[..coded.len() - cut]);
                assert!(!is_whole && text.len() == 200_000 + 38, "{coding:?} without its last {cut} bytes");
            }
        }
    }

    #[test]
    fn nothing_is_a_body_too_and_a_copy_without_a_coding_leaves_as_it_is() {
        for coding in ContentCoding::ALL {
            let end = Encoder::new(Some(coding)).unwrap().finish().unwrap();
            assert_eq!(decoded(coding, end.as_slice()), (Vec::new(), true), "{coding:?}");
        }
        let mut identity = Encoder::new(None).unwrap();
        assert!(identity.code(&redacted(b"x")).unwrap().is_none());
        assert!(identity.finish().unwrap().is_empty());
    }

    #[test]
    fn the_window_of_zstd_and_its_memory_stay_small() {
        let Method::Zstd(mut context) = Encoder::new(Some(ContentCoding::Zstd)).unwrap().0 else {
            panic!("another method")
        };
        let coded = zstd(&mut context, &b"x".repeat(100_000), ZSTD_EndDirective::ZSTD_e_flush).unwrap();
        // Behind the magic number and the head's first byte stands the window: five bits of its logarithm above 10.
        assert_eq!(u32::from(coded[5] >> 3) + 10, ZSTD_WINDOW_LOG);
        assert!(context.sizeof() < 1_536 * 1_024, "{} bytes", context.sizeof());
    }
}
