//! Escapes of JSON strings, resolved.
//!
//! Law: what comes out is UTF-8 and never longer than what went in.
//!
//! Sources: RFC 8259 §7, and `\'` of Java's fastjson; wire.md §2.2.

use alloc::vec::Vec;

use super::Scanned;

/// Resolves the escapes of a string. Half a surrogate pair, which no text in Java's UTF-8 can hold, becomes U+FFFD.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Scanned<()> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let [_, letter, after @ ..] = special else { return Err("a cut escape") };
        rest = after;
        let byte = match letter {
            b'"' | b'\\' | b'/' | b'\'' => *letter,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'f' => 12,
            b'r' => 13,
            b'u' => {
                let first = unit(&mut rest)?;
                let mut units = [first, 0];
                let mut pair = rest;
                if (0xd800..0xdc00).contains(&first)
                    && let Some(mut low) = pair.strip_prefix(b"\\u")
                    && let Ok(second @ 0xdc00..0xe000) = unit(&mut low)
                {
                    units = [first, second];
                    pair = low;
                }
                rest = pair;
                let count = if units == [first, 0] { 1 } else { 2 };
                let mut utf8 = [0; 4];
                for character in char::decode_utf16(units.into_iter().take(count)) {
                    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                }
                continue;
            }
            _ => return Err("an unknown escape"),
        };
        out.push(byte);
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// Four hexadecimal digits.
fn unit(rest: &mut &[u8]) -> Scanned<u16> {
    let (digits, after) = rest.split_first_chunk::<4>().ok_or("a cut escape")?;
    *rest = after;
    let mut unit = 0_u16;
    for &digit in digits {
        let digit = char::from(digit).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        unit = (unit << 4) | digit.ok_or("an escape without hexadecimal digits")?;
    }
    Ok(unit)
}
