//! Bytes looked at eight at a time, as words in memory order.
//!
//! Law: a byte is found exactly where a loop over single bytes would find it first; tests hold each search against one.
//!
//! Nothing here knows the protocol.

/// One in every byte.
pub(crate) const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
/// The top bit of every byte.
pub(crate) const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many bytes come before the first one found; eight if none was.
#[inline]
pub(crate) fn first(found: u64) -> usize {
    usize::try_from(found.trailing_zeros() / 8).unwrap_or(8)
}

/// The top bits of the bytes of a word that are this byte. One is found by what subtracting one from each byte
/// borrows; so the bits behind the first one mean nothing.
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    let zeros = word ^ u64::from_ne_bytes([byte; 8]);
    zeros.wrapping_sub(ONES) & !zeros & HIGH
}

/// Where the first of two bytes is.
#[inline]
pub(crate) fn find_either(text: &[u8], one: u8, other: u8) -> Option<usize> {
    let (words, tail) = text.as_chunks::<8>();
    for (index, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let found = equal(word, one) | equal(word, other);
        if found != 0 {
            return Some(index.saturating_mul(8).saturating_add(first(found)));
        }
    }
    let found = tail.iter().position(|&byte| byte == one || byte == other)?;
    Some(text.len().saturating_sub(tail.len()).saturating_add(found))
}

/// Where the first such byte is.
#[inline]
pub(crate) fn find(text: &[u8], byte: u8) -> Option<usize> {
    find_either(text, byte, byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use alloc::vec::Vec;

    #[test]
    fn what_a_loop_finds_first_is_found() {
        let mut rng = Rng::new(7);
        for length in 0..200 {
            // Few values, so that there are neighbours of what is looked for, one above and one below.
            let plain = draw(&mut rng, 40);
            let text = (0..length).map(|_| [0, 1, 2, 3, 0x80, 0x81, 0x82, 0xff][draw(&mut rng, 8)]);
            let text = core::iter::repeat_n(4, plain).chain(text).collect::<Vec<u8>>();
            for (one, other) in [(1, 2), (2, 0x81), (0, 0xff), (9, 0x80), (9, 9)] {
                let expected = text.iter().position(|&byte| byte == one || byte == other);
                assert_eq!(find_either(&text, one, other), expected, "{one} {other} in {text:?}");
                assert_eq!(find(&text, one), text.iter().position(|&byte| byte == one));
            }
        }
    }

    fn draw(rng: &mut Rng, below: u32) -> usize {
        usize::try_from(rng.below(below)).expect("small")
    }
}
