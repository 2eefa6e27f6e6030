//! Compression of bodies: all three formats to read, each bounded while it inflates; zlib to write, and LZ4 and
//! Zstandard behind the features of their names.
//!
//! Law: state that is expensive to build is kept and used again.
//!
//! Sources: Java `CompressorFactory`, `ZlibCompressor`, `Lz4Compressor`, `ZstdCompressor`; wire.md §9.

use bytes::Bytes;
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use fusee_core::wire::message::Compression;
use ruzstd::decoding::FrameDecoder;

use super::inflated::{InflateError, Output, measured};
use super::{lz4, zstd};

/// How much of a zlib body is inflated at a time.
const PIECE: usize = 32 * 1024;

/// What inflates and compresses bodies; one for each thread or task that does so often.
pub struct Codecs {
    inflate: Decompress,
    /// What inflates in pieces, from the first zlib body on.
    piece: Vec<u8>,
    deflate: Option<(u32, Compress)>,
    zstd: Option<FrameDecoder>,
}

impl Default for Codecs {
    fn default() -> Self {
        Self { inflate: Decompress::new(true), piece: Vec::new(), deflate: None, zstd: None }
    }
}

impl core::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codecs").finish_non_exhaustive()
    }
}

impl Codecs {
    /// Inflates a body to at most `limit` bytes. Beside the result, nothing as large is held.
    pub fn inflate(&mut self, kind: Compression, body: &[u8], limit: usize) -> Result<Bytes, InflateError> {
        let inflated = match kind {
            Compression::Zlib => measured(body, limit, |out| self.inflate_zlib(body, out)),
            Compression::Zstd => measured(body, limit, |out| self.inflate_zstd(body, out)),
            Compression::Lz4 => lz4::inflate(body, limit),
        };
        inflated.map(Bytes::from)
    }

    /// Compresses a body as zlib, which every client reads. Levels are 1 to 9; Java takes 5.
    pub fn deflate(&mut self, body: &[u8], level: u32) -> Bytes {
        let level = level.clamp(1, 9);
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

    /// Compresses a body, which may be a whole batch, and gives the bits of its `sysFlag`. Brokers before 4.9.4 know zlib
    /// alone, and so do the clients that may read it. Zstandard here has one level, the fastest; LZ4 has none.
    pub fn compress(&mut self, body: &[u8], with: Algorithm, level: u32) -> Compressed {
        let body = match with {
            Algorithm::Zlib => self.deflate(body, level),
            #[cfg(feature = "lz4")]
            Algorithm::Lz4 => Bytes::from(lz4::compress(body)),
            #[cfg(feature = "zstd")]
            Algorithm::Zstd => Bytes::from(zstd::compress(body)),
        };
        Compressed { body, sys_flag: with.format().flag() }
    }

    /// Reads the first stream and ignores what follows, as Java does.
    fn inflate_zlib(&mut self, body: &[u8], out: &mut Output) -> Result<(), InflateError> {
        const DAMAGED: InflateError = InflateError::Damaged("zlib stream");
        if body.is_empty() {
            return Ok(());
        }
        self.inflate.reset(true);
        self.piece.resize(PIECE, 0);
        loop {
            let read = usize::try_from(self.inflate.total_in()).unwrap_or(body.len());
            let rest = body.get(read..).unwrap_or_default();
            let before = self.inflate.total_out();
            let status = self.inflate.decompress(rest, &mut self.piece, FlushDecompress::None);
            let status = status.map_err(|_| DAMAGED)?;
            let came = usize::try_from(self.inflate.total_out() - before).map_err(|_| DAMAGED)?;
            out.write(self.piece.get(..came).ok_or(DAMAGED)?)?;
            if status == Status::StreamEnd {
                return Ok(());
            }
            if came == 0 {
                // Room was left and nothing came: the rest is missing.
                return Err(DAMAGED);
            }
        }
    }

    /// Reads frame after frame; what follows the last is ignored, as Java does.
    fn inflate_zstd(&mut self, body: &[u8], out: &mut Output) -> Result<(), InflateError> {
        let decoder = self.zstd.get_or_insert_with(FrameDecoder::new);
        let result = zstd::inflate(decoder, body, out);
        if result.is_err() {
            // What a damaged body made it hold is not kept.
            self.zstd = None;
        }
        result
    }
}

/// What can be written, in this build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Read by every broker and client.
    #[default]
    Zlib,
    /// LZ4 frames: fast, little smaller.
    #[cfg(feature = "lz4")]
    Lz4,
    /// Zstandard frames.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Algorithm {
    /// The format that it writes.
    #[must_use]
    pub const fn format(self) -> Compression {
        match self {
            Self::Zlib => Compression::Zlib,
            #[cfg(feature = "lz4")]
            Self::Lz4 => Compression::Lz4,
            #[cfg(feature = "zstd")]
            Self::Zstd => Compression::Zstd,
        }
    }
}

/// A body compressed, and what its message has to say about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The body.
    pub body: Bytes,
    /// The bits of the `sysFlag`, to be added to others.
    pub sys_flag: i32,
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

    /// Something that compresses a little.
    fn plain(words: u32) -> Vec<u8> {
        let mut plain = Vec::new();
        for seed in 0_u32..words {
            plain.extend_from_slice(
                &seed.wrapping_mul(2_654_435_761).to_le_bytes()[..usize::from(seed % 3 == 0) + 1],
            );
        }
        plain
    }

    #[test]
    fn what_is_written_is_read_and_says_how() {
        let mut codecs = Codecs::default();
        let every = [
            Algorithm::Zlib,
            #[cfg(feature = "lz4")]
            Algorithm::Lz4,
            #[cfg(feature = "zstd")]
            Algorithm::Zstd,
        ];
        // The last is larger than an LZ4 block and than what is inflated at once.
        for plain in [Vec::new(), vec![7], plain(100), plain(20_000), vec![0; 5_000_000], plain(4_000_000)] {
            for algorithm in every {
                let Compressed { body, sys_flag } = codecs.compress(&plain, algorithm, 5);
                assert_eq!(Compression::of(sys_flag), Ok(Some(algorithm.format())));
                let again = codecs.inflate(algorithm.format(), &body, plain.len());
                assert!(again.as_deref() == Ok(&plain[..]), "{algorithm:?} of {} bytes", plain.len());
            }
        }
    }

    #[test]
    fn zlib_reads_back_at_every_level() {
        let mut codecs = Codecs::default();
        let plain = plain(20_000);
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
