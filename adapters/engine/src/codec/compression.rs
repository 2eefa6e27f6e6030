//! Compression of bodies: zlib both ways, LZ4 frames and Zstandard to read, each bounded while it inflates.
//!
//! Laws: inflating never yields more than the bound and never holds much more than it yields; nothing a body claims
//! about itself makes room beforehand. State that is expensive to build is kept and used again.
//!
//! Sources: Java `CompressorFactory`, `ZlibCompressor`, `Lz4Compressor`, `ZstdCompressor`; wire.md §9.

use bytes::Bytes;
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use fusee_core::wire::message::Compression;
use ruzstd::decoding::FrameDecoder;

use super::{lz4, zstd};

/// A compressed body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It is cut, damaged, or something else.
    #[error("the body is no {0}, or is damaged")]
    Damaged(&'static str),
    /// It holds more than allowed.
    #[error("the body inflates to more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
}

/// What inflates and compresses bodies; one for each thread or task that does so often.
pub struct Codecs {
    inflate: Decompress,
    deflate: Option<(u32, Compress)>,
    zstd: Option<FrameDecoder>,
}

impl Default for Codecs {
    fn default() -> Self {
        Self { inflate: Decompress::new(true), deflate: None, zstd: None }
    }
}

impl core::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codecs").finish_non_exhaustive()
    }
}

impl Codecs {
    /// Inflates a body to at most `limit` bytes.
    pub fn inflate(&mut self, kind: Compression, body: &[u8], limit: usize) -> Result<Bytes, InflateError> {
        let mut out = Vec::new();
        match kind {
            Compression::Zlib => self.inflate_zlib(body, limit, &mut out)?,
            Compression::Lz4 => lz4::inflate(body, limit, &mut out)?,
            Compression::Zstd => self.inflate_zstd(body, limit, &mut out)?,
        }
        Ok(Bytes::from(out))
    }

    /// Compresses a body as zlib, which every client reads. Levels are 1 to 9; Java takes 5.
    pub fn deflate(&mut self, body: &[u8], level: u32) -> Bytes {
        let deflate = match &mut self.deflate {
            Some((known, deflate)) if *known == level => {
                deflate.reset();
                deflate
            }
            other => &mut other.insert((level, Compress::new(flate2::Compression::new(level), true))).1,
        };
        // Enough for what does not compress: five bytes a block of 16 KiB, and head and tail.
        let mut out = Vec::with_capacity(body.len() + body.len() / 1_000 + 64);
        loop {
            let read = usize::try_from(deflate.total_in()).unwrap_or(body.len());
            let rest = body.get(read..).unwrap_or_default();
            match deflate.compress_vec(rest, &mut out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return Bytes::from(out),
                // Room ran out; errors other than that do not exist for input that is complete.
                Ok(Status::Ok | Status::BufError) | Err(_) => out.reserve(body.len() / 8 + 64),
            }
        }
    }

    /// Reads the first stream and ignores what follows, as Java does.
    fn inflate_zlib(&mut self, body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
        const DAMAGED: InflateError = InflateError::Damaged("zlib stream");
        if body.is_empty() {
            return Ok(());
        }
        self.inflate.reset(true);
        // One byte more than allowed is room enough to see that there is more.
        let most = limit.saturating_add(1);
        out.reserve_exact(most.min(body.len().saturating_mul(4)));
        loop {
            let read = usize::try_from(self.inflate.total_in()).unwrap_or(body.len());
            let rest = body.get(read..).unwrap_or_default();
            let length = out.len();
            let status =
                self.inflate.decompress_vec(rest, out, FlushDecompress::None).map_err(|_| DAMAGED)?;
            if out.len() > limit {
                return Err(InflateError::TooLarge { limit });
            }
            if status == Status::StreamEnd {
                return Ok(());
            }
            if out.len() == out.capacity() {
                out.reserve_exact(most.saturating_sub(out.len()).min(out.len()).max(1));
            } else if out.len() == length {
                // Room was left and nothing came: the rest is missing.
                return Err(DAMAGED);
            }
        }
    }

    /// Reads frame after frame; what follows the last is ignored, as Java does.
    fn inflate_zstd(&mut self, body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
        let decoder = self.zstd.get_or_insert_with(FrameDecoder::new);
        let result = zstd::inflate(decoder, body, limit, out);
        if result.is_err() {
            // What a damaged body made it hold is not kept.
            self.zstd = None;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"hello hello hello hello hello hello";
    /// What Java's compressors make of it.
    const ZLIB: &[u8] = b"\x78\x5e\xcb\x48\xcd\xc9\xc9\x57\xc8\xc0\x47\x02\x00\xeb\x55\x0d\x19";
    const LZ4: &[u8] = b"\x04\x22\x4d\x18\x60\x70\x73\x10\0\0\0\x6fhello \x06\0\x05\x50hello\0\0\0\0";
    /// One raw block.
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\0\x58\x19\x01\0hello hello hello hello hello hello";

    #[test]
    fn all_three_formats_inflate_within_their_bound() {
        let mut codecs = Codecs::default();
        for (kind, body) in [(Compression::Zlib, ZLIB), (Compression::Lz4, LZ4), (Compression::Zstd, ZSTD)] {
            for _ in 0..2 {
                assert_eq!(codecs.inflate(kind, body, PLAIN.len()).as_deref(), Ok(PLAIN), "{kind:?}");
                let limit = PLAIN.len() - 1;
                assert_eq!(
                    codecs.inflate(kind, body, limit),
                    Err(InflateError::TooLarge { limit }),
                    "{kind:?}"
                );
                for cut in 1..body.len() - 4 {
                    let cut = codecs.inflate(kind, &body[..cut], 1 << 20);
                    assert!(matches!(cut, Err(InflateError::Damaged(_))), "{kind:?} {cut:?}");
                }
            }
        }
    }

    #[test]
    fn what_follows_a_body_is_treated_as_java_does() {
        let mut codecs = Codecs::default();
        for (kind, body, times, foreign) in [
            (Compression::Zlib, ZLIB, 1, true),
            (Compression::Lz4, LZ4, 2, false),
            (Compression::Zstd, ZSTD, 2, true),
        ] {
            let twice = codecs.inflate(kind, &body.repeat(2), 1 << 20);
            assert_eq!(twice.as_deref(), Ok(PLAIN.repeat(times).as_slice()), "{kind:?}");
            let trailing = codecs.inflate(kind, &[body, b"junk"].concat(), 1 << 20);
            assert_eq!(trailing.is_ok(), foreign, "{kind:?}");
            assert_eq!(codecs.inflate(kind, b"", 1).is_ok(), kind != Compression::Lz4, "{kind:?}");
        }
    }

    #[test]
    fn zlib_reads_back_at_every_level() {
        let mut codecs = Codecs::default();
        let mut plain = Vec::new();
        for seed in 0_u32..20_000 {
            plain.extend_from_slice(
                &seed.wrapping_mul(2_654_435_761).to_le_bytes()[..usize::from(seed % 3 == 0) + 1],
            );
        }
        for level in 1..=9 {
            let small = codecs.deflate(&plain, level);
            assert_eq!(
                codecs.inflate(Compression::Zlib, &small, plain.len()).as_deref(),
                Ok(plain.as_slice())
            );
        }
        let empty = codecs.deflate(b"", 5);
        assert_eq!(codecs.inflate(Compression::Zlib, &empty, 0).as_deref(), Ok(&b""[..]));
    }
}
