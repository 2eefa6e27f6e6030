//! LZ4 frames: the container around LZ4 blocks that RocketMQ sends.
//!
//! Laws: the output never grows past the bound, and room is made for a block by what it can hold, not by what the
//! frame's header allows. Checksums that are present must hold.
//!
//! Sources: the LZ4 frame format 1.6; Java `Lz4Compressor` over lz4-java's frame streams; wire.md §9.

use core::hash::Hasher as _;

use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};
use twox_hash::XxHash32;

use super::InflateError;

const MAGIC: u32 = 0x184D_2204;
/// What a linked block may refer back to.
const WINDOW: usize = 64 * 1024;
/// An LZ4 block holds at most this many times its own size: a match of 255 more bytes costs one byte.
const RATIO: usize = 255;

const DAMAGED: InflateError = InflateError::Damaged("an LZ4 frame");

/// Appends what the frames hold. Nothing at all is no frame.
pub(super) fn inflate(mut body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    loop {
        body = frame(body, limit, out)?;
        if body.is_empty() {
            return Ok(());
        }
    }
}

struct Head {
    linked: bool,
    block_checksum: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_max: usize,
}

fn frame<'a>(body: &'a [u8], limit: usize, out: &mut Vec<u8>) -> Result<&'a [u8], InflateError> {
    let mut rest = body;
    if u32_of(&mut rest)? != MAGIC {
        return Err(DAMAGED);
    }
    let head = head(&mut rest)?;
    let begin = out.len();
    loop {
        let size = u32_of(&mut rest)?;
        if size == 0 {
            break;
        }
        let plain = size & 0x8000_0000 != 0;
        let length = usize::try_from(size & 0x7FFF_FFFF).map_err(|_| DAMAGED)?;
        if length > head.block_max {
            return Err(DAMAGED);
        }
        let (block, after) = rest.split_at_checked(length).ok_or(DAMAGED)?;
        rest = after;
        if head.block_checksum && u32_of(&mut rest)? != hash(block) {
            return Err(DAMAGED);
        }
        if plain {
            if out.len() + block.len() > limit {
                return Err(InflateError::TooLarge { limit });
            }
            out.extend_from_slice(block);
        } else {
            inflate_block(block, &head, begin, limit, out)?;
        }
    }
    let content = out.get(begin..).unwrap_or_default();
    if head.content_checksum && u32_of(&mut rest)? != hash(content) {
        return Err(DAMAGED);
    }
    if head.content_size.is_some_and(|size| u64::try_from(content.len()) != Ok(size)) {
        return Err(DAMAGED);
    }
    Ok(rest)
}

fn head(rest: &mut &[u8]) -> Result<Head, InflateError> {
    let descriptor = *rest;
    let [flag, block] = take::<2>(rest)?;
    if flag >> 6 != 1 || flag & 2 != 0 {
        return Err(DAMAGED);
    }
    let content_size = if flag & 8 != 0 { Some(u64::from_le_bytes(take(rest)?)) } else { None };
    if flag & 1 != 0 {
        // A dictionary that nobody has.
        return Err(DAMAGED);
    }
    let length = descriptor.len() - rest.len();
    let [checksum] = take::<1>(rest)?;
    if hash(descriptor.get(..length).unwrap_or_default()).to_le_bytes()[1] != checksum {
        return Err(DAMAGED);
    }
    let block_max = match (block >> 4) & 7 {
        4 => 64 * 1024,
        5 => 256 * 1024,
        6 => 1024 * 1024,
        7 => 4 * 1024 * 1024,
        _ => return Err(DAMAGED),
    };
    Ok(Head {
        linked: flag & 0x20 == 0,
        block_checksum: flag & 0x10 != 0,
        content_checksum: flag & 4 != 0,
        content_size,
        block_max,
    })
}

/// Decodes one block, into little room first and into more as long as that was too little.
fn inflate_block(
    block: &[u8],
    head: &Head,
    begin: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let most = head.block_max.min(block.len().saturating_mul(RATIO));
    let start = out.len();
    let mut room = most.min(block.len().saturating_mul(8).max(1024));
    loop {
        let bounded = room.min(limit.saturating_sub(start));
        out.resize(start + bounded, 0);
        let (done, free) = out.split_at_mut(start);
        let window = done.get(begin.max(done.len().saturating_sub(WINDOW))..).unwrap_or_default();
        let result = if head.linked && !window.is_empty() {
            decompress_into_with_dict(block, free, window)
        } else {
            decompress_into(block, free)
        };
        match result {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(DecompressError::OutputTooSmall { .. }) if bounded < room => {
                return Err(InflateError::TooLarge { limit });
            }
            Err(DecompressError::OutputTooSmall { .. }) if room < most => {
                room = most.min(room.saturating_mul(8))
            }
            Err(_) => return Err(DAMAGED),
        }
    }
}

fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = XxHash32::with_seed(0);
    hasher.write(bytes);
    // A 32-bit hash, widened by the trait.
    u32::try_from(hasher.finish()).unwrap_or(0)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InflateError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(DAMAGED)?;
    *rest = after;
    Ok(*head)
}

fn u32_of(rest: &mut &[u8]) -> Result<u32, InflateError> {
    take(rest).map(u32::from_le_bytes)
}
