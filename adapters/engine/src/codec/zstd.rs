//! Zstandard frames, decoded block by block so that the bound is seen in time.
//!
//! Law: beside the output there is one window, at most as large as the bound or as the format's recommended minimum.
//!
//! Sources: RFC 8878; Java `ZstdCompressor`; wire.md §9.

use std::io::{self, Write};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::inflated::{InflateError, Output};

/// What RFC 8878 asks every decoder to take.
const WINDOW: usize = 8 * 1024 * 1024;

const DAMAGED: InflateError = InflateError::Damaged("Zstandard frame");

pub(super) fn inflate(decoder: &mut FrameDecoder, body: &[u8], out: &mut Output) -> Result<(), InflateError> {
    let limit = out.limit();
    decoder.set_max_window_size(u64::try_from(limit.max(WINDOW)).unwrap_or(u64::MAX));
    let mut rest = body;
    while !rest.is_empty() {
        match decoder.init(&mut rest) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = usize::try_from(length).map_err(|_| DAMAGED)?;
                rest = rest.get(length..).ok_or(DAMAGED)?;
                continue;
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)))
                if !out.is_empty() =>
            {
                return Ok(());
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(InflateError::TooLarge { limit }),
            Err(_) => return Err(DAMAGED),
        }
        while !decoder.is_finished() {
            decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1)).map_err(|_| DAMAGED)?;
            decoder.collect_to_writer(&mut Bounded { out }).map_err(|_| InflateError::TooLarge { limit })?;
        }
        if decoder.get_checksum_from_data().is_some_and(|sum| Some(sum) != decoder.get_calculated_checksum())
        {
            return Err(DAMAGED);
        }
    }
    Ok(())
}

/// Takes up to a bound and then refuses.
struct Bounded<'a> {
    out: &'a mut Output,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One frame that holds the body.
#[cfg(feature = "zstd")]
pub(super) fn compress(body: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
}
