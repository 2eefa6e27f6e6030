//! The codecs that run at the edge, on the task of whoever sends or consumes: compression, checksums, signatures.
//!
//! Laws: what comes from a peer is decoded within a bound that is checked while decoding; bad input is a typed error.
//! Decoders for all three formats are in every build, in pure Rust; zlib is also written in every build, LZ4 and
//! Zstandard where the features `lz4` and `zstd` ask for it.

mod checksum;
mod compression;
mod inflated;
mod lz4;
mod signature;
mod zstd;

pub use checksum::{body_crc, crc_holds};
pub use compression::{Algorithm, Codecs, Compressed};
pub use inflated::InflateError;
pub use signature::{sign, signature};
