//! Base64, both alphabets, padded: bit sets of acknowledgements and recall handles.
//!
//! Sources: RFC 4648; wire.md §5.10, §8.7.

use alloc::string::String;
use alloc::vec::Vec;

/// The standard alphabet.
pub const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The alphabet for addresses.
pub const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes with padding.
#[must_use]
pub fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [chunk.first(), chunk.get(1), chunk.get(2)].map(|byte| byte.copied().unwrap_or(0));
        let digits = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        for (at, digit) in digits.into_iter().enumerate() {
            let digit = if at > chunk.len() {
                b'='
            } else {
                alphabet.get(usize::from(digit)).copied().unwrap_or(b'=')
            };
            text.push(char::from(digit));
        }
    }
    text
}

/// Reads with or without padding; `None` for anything else.
#[must_use]
pub fn decode(text: &str, alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if text.len().checked_sub(digits.len())? > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len());
    for chunk in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in chunk {
            let value = alphabet.iter().position(|known| known == digit)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        let missing = 4_usize.checked_sub(chunk.len())?;
        let [_, all @ ..] = (bits << (6_u32.checked_mul(u32::try_from(missing).ok()?)?)).to_be_bytes();
        let count = 3_usize.checked_sub(missing).filter(|&count| count > 0)?;
        bytes.extend_from_slice(all.get(..count)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_rfc_both_ways() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes(), STANDARD), text);
            assert_eq!(decode(text, STANDARD).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decode(text.trim_end_matches('='), STANDARD).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(encode(&[0xfb, 0xff], URL), "-_8=");
        for bad in ["Z", "Zg===", "Z*==", "====", "Zg=a"] {
            assert_eq!(decode(bad, STANDARD), None, "{bad}");
        }
    }
}
