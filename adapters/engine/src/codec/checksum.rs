//! The checksum of a stored body.
//!
//! Law: it covers the body as stored, compressed if it is, and its top bit is always clear.
//!
//! Sources: Java `UtilAll#crc32`; wire.md §6.1.

use fusee_core::wire::StoredMessage;

/// The checksum that a broker stores with a body.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

/// Whether a message's body is what its broker stored. Neither Java's nor Go's client looks.
#[must_use]
pub fn crc_holds(message: &StoredMessage) -> bool {
    body_crc(&message.body) == message.crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_bit_is_clear() {
        assert_eq!(body_crc(b"hello"), 0x3610_A686);
        assert_eq!(crc32fast::hash(b"a"), 0xE8B7_BE43);
        assert_eq!(body_crc(b"a"), 0x68B7_BE43);
    }
}
