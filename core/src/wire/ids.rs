//! Ids of messages: the broker's (where it is stored) and the client's (who made it, when).
//!
//! Law: an id is a small value; text is made of it where text is needed.
//!
//! Sources: Java `MessageDecoder#createMessageId`, `MessageClientIDSetter`; wire.md §8.1, §8.2.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::time::UnixMillis;

/// An address as brokers store it: binary, with a port of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: i32,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// The place of a stored message: which broker, and where in its log. Java's `offsetMsgId`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetId {
    /// The broker.
    pub host: Host,
    /// The offset in its commit log.
    pub offset: i64,
}

impl OffsetId {
    /// Reads the 32 (IPv4) or 56 (IPv6) hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, rest) = match text.len() {
            32 => {
                let (ip, rest) = text.as_bytes().split_at_checked(8)?;
                (IpAddr::V4(Ipv4Addr::from(unhex::<4>(ip)?)), rest)
            }
            56 => {
                let (ip, rest) = text.as_bytes().split_at_checked(32)?;
                (IpAddr::V6(Ipv6Addr::from(unhex::<16>(ip)?)), rest)
            }
            _ => return None,
        };
        let (port, offset) = rest.split_at_checked(8)?;
        let host = Host { ip, port: i32::from_be_bytes(unhex(port)?) };
        Some(Self { host, offset: i64::from_be_bytes(unhex(offset)?) })
    }
}

impl fmt::Display for OffsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.ip {
            IpAddr::V4(ip) => write_hex(f, &ip.octets())?,
            IpAddr::V6(ip) => write_hex(f, &ip.octets())?,
        }
        write_hex(f, &self.host.port.to_be_bytes())?;
        write_hex(f, &self.offset.to_be_bytes())
    }
}

impl fmt::Debug for OffsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What makes ids of messages for one client: its address, its process, and a draw of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueIds {
    ip: IpAddr,
    process: u16,
    salt: u32,
}

impl UniqueIds {
    /// Ids of the client at this address, in this process. The salt tells clients of one process apart, and processes
    /// that share a number, as containers' do.
    #[must_use]
    pub const fn new(ip: IpAddr, process: u32, salt: u32) -> Self {
        let [_, _, a, b] = process.to_be_bytes();
        Self { ip, process: u16::from_be_bytes([a, b]), salt }
    }

    /// The id of a message made at this time. Counted up from message to message, ids repeat only after 65,536 in one
    /// millisecond.
    #[must_use]
    pub fn id(&self, now: UnixMillis, counter: u16) -> UniqueId {
        UniqueId { ids: *self, since_month: since_month(now), counter }
    }
}

/// The client's id of a message, Java's `UNIQ_KEY`: 32 hexadecimal digits, or 56 with an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UniqueId {
    ids: UniqueIds,
    since_month: u32,
    counter: u16,
}

impl UniqueId {
    /// The digits and how many of them count; for building properties without allocating.
    #[must_use]
    pub fn hex(&self) -> Hex {
        let mut hex = Hex { digits: [0; 56], length: 0 };
        match self.ids.ip {
            IpAddr::V4(ip) => hex.push(&ip.octets()),
            IpAddr::V6(ip) => hex.push(&ip.octets()),
        }
        hex.push(&self.ids.process.to_be_bytes());
        hex.push(&self.ids.salt.to_be_bytes());
        hex.push(&self.since_month.to_be_bytes());
        hex.push(&self.counter.to_be_bytes());
        hex
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_str())
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An id as text, inline.
#[derive(Clone, Copy, Debug)]
pub struct Hex {
    digits: [u8; 56],
    length: usize,
}

impl Hex {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let digits = self.digits.get(..self.length).unwrap_or_default();
        // Hexadecimal digits are ASCII.
        core::str::from_utf8(digits).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            for digit in digits(byte) {
                if let Some(place) = self.digits.get_mut(self.length) {
                    *place = digit;
                    self.length = self.length.saturating_add(1);
                }
            }
        }
    }
}

/// Milliseconds since the first of the month, in UTC; Java takes local time, and nobody compares.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "days of a 64-bit count of milliseconds are far from any bound"
)]
fn since_month(now: UnixMillis) -> u32 {
    const DAY: i64 = 86_400_000;
    let days = now.0.div_euclid(DAY);
    // The civil calendar, counted from 1 March 0000 so that the leap day comes last (Hinnant's days_from_civil).
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5;
    u32::try_from(day_of_month * DAY + now.0.rem_euclid(DAY)).unwrap_or(0)
}

const fn digits(byte: u8) -> [u8; 2] {
    const fn digit(value: u8) -> u8 {
        if value < 10 { b'0'.saturating_add(value) } else { b'A'.saturating_add(value.saturating_sub(10)) }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for &byte in bytes {
        for digit in digits(byte) {
            fmt::Write::write_char(f, char::from(digit))?;
        }
    }
    Ok(())
}

fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    // What is no digit shows in the upper half of some value; one look at the end is enough.
    let mut all = 0;
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit_value(high), digit_value(low));
        all |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    (all < 16).then_some(bytes)
}

/// The value of a hexadecimal digit in either case; more than 15 for anything else.
#[inline]
const fn digit_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit & 15,
        b'A'..=b'F' | b'a'..=b'f' => (digit & 7).saturating_add(9),
        _ => 0xff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn offset_ids_read_back() {
        for text in
            ["0A01020300002A9F00000000075BCD15", "20010DB800000000000000000000000200002A9F00000000075BCD15"]
        {
            let id = OffsetId::parse(text).expect(text);
            assert_eq!((id.host.port, id.offset, id.to_string().as_str()), (10_911, 123_456_789, text));
        }
        for bad in ["", "0", "0A01020300002A9F00000000075BCD1", "0A01020300002A9F00000000075BCD1G"] {
            assert_eq!(OffsetId::parse(bad), None, "{bad}");
        }
        for byte in 0..=u8::MAX {
            let value = char::from(byte).to_digit(16);
            assert_eq!(u32::from(digit_value(byte)), value.unwrap_or(255), "{byte}");
        }
    }

    #[test]
    fn a_unique_id_is_address_process_salt_time_and_counter() {
        let ids = UniqueIds::new(IpAddr::from([192, 168, 1, 10]), 12_345, 0x1B6D_3586);
        // 14 November 2023, 22:13:20 UTC.
        let id = ids.id(UnixMillis(1_700_000_000_000), 1);
        assert_eq!(id.since_month, 13 * 86_400_000 + 80_000_000);
        assert_eq!(id.to_string(), "C0A8010A30391B6D358647B760000001");
        assert_eq!(
            since_month(UnixMillis(1_709_251_199_999)),
            29 * 86_400_000 - 1,
            "the end of a leap February"
        );
        assert_eq!(since_month(UnixMillis(1_709_251_200_000)), 0, "1 March 2024");
        assert_eq!(since_month(UnixMillis(0)), 0);
    }
}
