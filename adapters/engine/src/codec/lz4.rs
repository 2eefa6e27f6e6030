//! LZ4 frames: the container around LZ4 blocks that RocketMQ sends.
//!
//! Laws: the output never grows past the bound, and room is made for what the blocks hold, which is known without
//! decoding them, not for what the frame's header allows. Checksums that are present must hold.
//!
//! Sources: the LZ4 frame format 1.6; Java `Lz4Compressor` over lz4-java's frame streams; wire.md §9.

use core::hash::Hasher as _;

use lz4_flex::block::{decompress_into, decompress_into_with_dict};
use twox_hash::XxHash32;

use super::inflated::InflateError;

const MAGIC: u32 = 0x184D_2204;
/// What a linked block may refer back to.
const WINDOW: usize = 64 * 1024;
/// The bit of a block's mark that says that it is not compressed.
const PLAIN: u32 = 0x8000_0000;

const DAMAGED: InflateError = InflateError::Damaged("an LZ4 frame");

/// What the frames hold, measured before room is made for it. Nothing at all is no frame.
pub(super) fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut measured = 0;
    frames(body, limit, &mut measured, None)?;
    let mut out = Vec::with_capacity(measured);
    frames(body, limit, &mut 0, Some(&mut out))?;
    Ok(out)
}

fn frames(
    mut body: &[u8],
    limit: usize,
    measured: &mut usize,
    mut out: Option<&mut Vec<u8>>,
) -> Result<(), InflateError> {
    loop {
        body = frame(body, limit, measured, out.as_deref_mut())?;
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

/// Walks one frame and adds up what its blocks hold; decodes them where there is an output.
fn frame<'a>(
    body: &'a [u8],
    limit: usize,
    measured: &mut usize,
    mut out: Option<&mut Vec<u8>>,
) -> Result<&'a [u8], InflateError> {
    let mut rest = body;
    if u32_of(&mut rest)? != MAGIC {
        return Err(DAMAGED);
    }
    let head = head(&mut rest)?;
    let begin = out.as_ref().map_or(0, |out| out.len());
    loop {
        let mark = u32_of(&mut rest)?;
        if mark == 0 {
            break;
        }
        let plain = mark & PLAIN != 0;
        let length = usize::try_from(mark & !PLAIN).map_err(|_| DAMAGED)?;
        if length > head.block_max {
            return Err(DAMAGED);
        }
        let (block, after) = rest.split_at_checked(length).ok_or(DAMAGED)?;
        rest = after;
        if head.block_checksum && u32_of(&mut rest)? != hash(block) {
            return Err(DAMAGED);
        }
        let size = if plain { block.len() } else { measure(block).ok_or(DAMAGED)? };
        if size > head.block_max {
            return Err(DAMAGED);
        }
        *measured = measured.saturating_add(size);
        if *measured > limit {
            return Err(InflateError::TooLarge { limit });
        }
        match out.as_deref_mut() {
            Some(out) if plain => out.extend_from_slice(block),
            Some(out) => inflate_block(block, size, head.linked, begin, out)?,
            None => {}
        }
    }
    let sum = if head.content_checksum { Some(u32_of(&mut rest)?) } else { None };
    if let Some(out) = out {
        let content = out.get(begin..).unwrap_or_default();
        if sum.is_some_and(|sum| sum != hash(content))
            || head.content_size.is_some_and(|size| u64::try_from(content.len()) != Ok(size))
        {
            return Err(DAMAGED);
        }
    }
    Ok(rest)
}

/// What a block holds, from the lengths of its literals and matches alone.
fn measure(block: &[u8]) -> Option<usize> {
    let mut rest = block.iter();
    let mut total = 0_usize;
    loop {
        let token = usize::from(*rest.next()?);
        let literals = length(token >> 4, &mut rest)?;
        total = total.checked_add(literals)?;
        rest = rest.as_slice().get(literals..)?.iter();
        if rest.as_slice().is_empty() {
            return Some(total);
        }
        rest = rest.as_slice().get(2..)?.iter();
        total = total.checked_add(length(token & 15, &mut rest)?)?.checked_add(4)?;
    }
}

/// A length whose first four bits are in the token.
fn length(nibble: usize, rest: &mut core::slice::Iter<'_, u8>) -> Option<usize> {
    let mut length = nibble;
    if nibble == 15 {
        loop {
            let more = *rest.next()?;
            length = length.checked_add(usize::from(more))?;
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
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

fn inflate_block(
    block: &[u8],
    size: usize,
    linked: bool,
    begin: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let start = out.len();
    out.resize(start + size, 0);
    let (done, free) = out.split_at_mut(start);
    let window = done.get(begin.max(done.len().saturating_sub(WINDOW))..).unwrap_or_default();
    let written = if linked && !window.is_empty() {
        decompress_into_with_dict(block, free, window)
    } else {
        decompress_into(block, free)
    };
    if written.is_ok_and(|written| written == size) { Ok(()) } else { Err(DAMAGED) }
}

/// One frame of independent blocks without checksums: what Java's stream writes.
#[cfg(feature = "lz4")]
pub(super) fn compress(body: &[u8]) -> Vec<u8> {
    const DESCRIPTOR: [u8; 2] = [0x60, 0x70];
    let mut out = Vec::with_capacity(body.len() / 2 + 64);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&DESCRIPTOR);
    out.push(hash(&DESCRIPTOR).to_le_bytes()[1]);
    for block in body.chunks(4 * 1024 * 1024) {
        let small = lz4_flex::block::compress(block);
        let (bytes, plain) = if small.len() < block.len() { (&small[..], 0) } else { (block, PLAIN) };
        // Blocks are far smaller than what their mark can say.
        let mark = u32::try_from(bytes.len()).unwrap_or(0) | plain;
        out.extend_from_slice(&mark.to_le_bytes());
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(&[0; 4]);
    out
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
