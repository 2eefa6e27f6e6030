//! Messages as brokers store them: what the bodies of pull, pop, view and query replies are made of.
//!
//! Laws: a message that cannot be read is reported and costs no other message: its total size says where the next one
//! begins. Only when that size is itself impossible, the rest of the body is one damaged piece. Topic, body and
//! properties are slices of the body; nothing is allocated for a message.
//!
//! Sources: Java `MessageDecoder`, `MessageExtEncoder`, `MessageSysFlag`; wire.md §6.1, §6.3.

use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ids::{Host, OffsetId};
use super::properties::{Properties, names};
use super::reader::Reader;
use super::text::Text;
use crate::limits::wire as limits;
use crate::time::UnixMillis;

/// The magic of messages whose topic has a length of one byte.
const MAGIC_V1: u32 = 0xDAA3_20A7;
/// The magic of messages whose topic has a length of two bytes, since 5.1.0.
const MAGIC_V2: u32 = 0xDAA3_20AB;
/// The bytes of a V1 message with IPv4 hosts and no topic, body or properties.
const SMALLEST: usize = 91;

/// Bits of a message's `sysFlag`.
pub mod flags {
    /// The body is compressed.
    pub const COMPRESSED: i32 = 1;
    /// The bits that say what a message is to a transaction.
    pub const TRANSACTION: i32 = 0xC;
    /// A half message.
    pub const PREPARED: i32 = 4;
    /// A committed message.
    pub const COMMIT: i32 = 8;
    /// A message that was rolled back.
    pub const ROLLBACK: i32 = 0xC;
    /// The host that made it has an IPv6 address. Never to be sent.
    pub const BORN_HOST_V6: i32 = 0x10;
    /// The host that stores it has an IPv6 address. Never to be sent.
    pub const STORE_HOST_V6: i32 = 0x20;
    /// It has to be unwrapped; with [`INNER_BATCH`] it holds a batch.
    pub const NEED_UNWRAP: i32 = 0x40;
    /// It holds a batch, with [`NEED_UNWRAP`].
    pub const INNER_BATCH: i32 = 0x80;
    /// The bits that say how a body is compressed.
    pub const COMPRESSION: i32 = 0x700;
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// An RFC 1950 stream.
    Zlib,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

impl Compression {
    /// What a `sysFlag` says: `None` for a plain body, the three bits as the error where they name nothing.
    pub const fn of(sys_flag: i32) -> Result<Option<Self>, i32> {
        if sys_flag & flags::COMPRESSED == 0 {
            return Ok(None);
        }
        match (sys_flag & flags::COMPRESSION) >> 8 {
            // Clients before 4.9.4 and Go's leave the bits empty.
            0 | 3 => Ok(Some(Self::Zlib)),
            1 => Ok(Some(Self::Lz4)),
            2 => Ok(Some(Self::Zstd)),
            unknown => Err(unknown),
        }
    }

    /// The bits of a `sysFlag` for a body compressed like this, [`flags::COMPRESSED`] included.
    #[must_use]
    pub const fn flag(self) -> i32 {
        flags::COMPRESSED
            | match self {
                Self::Lz4 => 0x100,
                Self::Zstd => 0x200,
                Self::Zlib => 0x300,
            }
    }
}

/// A message as a broker stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The topic.
    pub topic: Text,
    /// The queue on its broker.
    pub queue: i32,
    /// Its place in the queue.
    pub queue_offset: i64,
    /// Its place in the broker's log.
    pub physical_offset: i64,
    /// The sender's own number.
    pub flag: i32,
    /// [`flags`].
    pub sys_flag: i32,
    /// When it was made.
    pub born: UnixMillis,
    /// Who sent it.
    pub born_host: Host,
    /// When it was stored.
    pub stored: UnixMillis,
    /// Who stores it.
    pub store_host: Host,
    /// How often it was consumed in vain.
    pub reconsume_times: i32,
    /// The queue offset of the half message it came from.
    pub prepared_offset: i64,
    /// The body as stored, perhaps compressed.
    pub body: Bytes,
    /// Properties, of the sender and of brokers.
    pub properties: Properties,
    /// The CRC-32 of `body` with its top bit cleared.
    pub crc: u32,
}

impl StoredMessage {
    /// The broker's id.
    #[must_use]
    pub const fn offset_id(&self) -> OffsetId {
        OffsetId { host: self.store_host, offset: self.physical_offset }
    }

    /// The sender's id, if the sender or the broker gave one.
    #[must_use]
    pub fn unique_id(&self) -> Option<&str> {
        self.properties.get(names::UNIQ_KEY)
    }

    /// How the body is compressed: `None` for a plain one, the type bits as the error where they name nothing.
    pub const fn compression(&self) -> Result<Option<Compression>, i32> {
        Compression::of(self.sys_flag)
    }

    /// Whether the body holds a batch that was stored as one message.
    #[must_use]
    pub const fn is_inner_batch(&self) -> bool {
        let both = flags::NEED_UNWRAP | flags::INNER_BATCH;
        self.sys_flag & both == both
    }

    /// Appends the message as a broker would store it. The layout follows the topic's length, and the two address bits
    /// of the flag follow the hosts.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        let v2 = self.topic.len() > 127;
        let mut sys_flag = self.sys_flag & !(flags::BORN_HOST_V6 | flags::STORE_HOST_V6);
        sys_flag |= if self.born_host.ip.is_ipv6() { flags::BORN_HOST_V6 } else { 0 };
        sys_flag |= if self.store_host.ip.is_ipv6() { flags::STORE_HOST_V6 } else { 0 };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&if v2 { MAGIC_V2 } else { MAGIC_V1 }.to_be_bytes());
        out.extend_from_slice(&self.crc.to_be_bytes());
        out.extend_from_slice(&self.queue.to_be_bytes());
        out.extend_from_slice(&self.flag.to_be_bytes());
        out.extend_from_slice(&self.queue_offset.to_be_bytes());
        out.extend_from_slice(&self.physical_offset.to_be_bytes());
        out.extend_from_slice(&sys_flag.to_be_bytes());
        out.extend_from_slice(&self.born.0.to_be_bytes());
        put_host(out, self.born_host);
        out.extend_from_slice(&self.stored.0.to_be_bytes());
        put_host(out, self.store_host);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_offset.to_be_bytes());
        put_len(out, self.body.len(), 4);
        out.extend_from_slice(&self.body);
        put_len(out, self.topic.len(), if v2 { 2 } else { 1 });
        out.extend_from_slice(self.topic.as_bytes());
        let properties = self.properties.encoded();
        put_len(out, properties.len(), 2);
        out.extend_from_slice(properties.as_bytes());
        let total = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(start..start.saturating_add(4)) {
            place.copy_from_slice(&total.to_be_bytes());
        }
    }
}

fn put_host(out: &mut BytesMut, host: Host) {
    match host.ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&host.port.to_be_bytes());
}

/// Appends the low `bytes` bytes of a length.
fn put_len(out: &mut BytesMut, length: usize, bytes: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(length.get(length.len().saturating_sub(bytes)..).unwrap_or_default());
}

/// A message, or the rest of a body, that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored message at byte {at} of a body cannot be read: {why}")]
pub struct Damaged {
    /// Where it begins in the body.
    pub at: usize,
    /// Its bytes.
    pub bytes: Bytes,
    /// What is wrong.
    pub why: &'static str,
    /// The queue offset it claims, if its size is possible and its magic known.
    pub queue_offset: Option<i64>,
    /// The log offset it claims, likewise.
    pub physical_offset: Option<i64>,
    /// Whether the messages behind it could not be found.
    pub rest_lost: bool,
}

/// The messages in a body, one after the other.
#[must_use]
pub const fn messages(body: Bytes) -> Messages {
    Messages { body, at: 0, left: limits::MESSAGES_PER_BODY }
}

/// The iterator behind [`messages`].
#[derive(Clone, Debug)]
pub struct Messages {
    body: Bytes,
    at: usize,
    left: usize,
}

impl Iterator for Messages {
    type Item = Result<StoredMessage, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some((size, _)) = rest.split_first_chunk::<4>() else {
            return Some(Err(self.rest_damaged("it is shorter than a size")));
        };
        let size = usize::try_from(i32::from_be_bytes(*size)).ok();
        let Some(left) = self.left.checked_sub(1) else {
            return Some(Err(self.rest_damaged("it has more messages before it than any body holds")));
        };
        self.left = left;
        let at = self.at;
        let message = size.filter(|&size| size >= SMALLEST).and_then(|size| Reader::of(&self.body, at, size));
        let Some(message) = message else {
            return Some(Err(self.rest_damaged("its size is impossible")));
        };
        self.at = at.saturating_add(message.rest().len());
        Some(match decode(message) {
            Ok(message) => Ok(message),
            Err(why) => Err(damaged(at, self.body.slice(at..self.at), why)),
        })
    }
}

impl Messages {
    #[cold]
    fn rest_damaged(&mut self, why: &'static str) -> Damaged {
        let at = self.at;
        self.at = self.body.len();
        let bytes = self.body.slice(at..);
        Damaged { at, bytes, why, queue_offset: None, physical_offset: None, rest_lost: true }
    }
}

#[cold]
fn damaged(at: usize, bytes: Bytes, why: &'static str) -> Damaged {
    let mut reader = Reader::new(&bytes);
    let known = reader.slice(4).is_some() && matches!(reader.u32(), Some(MAGIC_V1 | MAGIC_V2));
    let offsets =
        known.then(|| reader.slice(12).and_then(|_| Some((reader.i64()?, reader.i64()?)))).flatten();
    let (queue_offset, physical_offset) = offsets.unzip();
    Damaged { at, bytes, why, queue_offset, physical_offset, rest_lost: false }
}

/// Reads one message; the reader sees nothing beyond it.
#[inline(always)]
fn decode(mut reader: Reader<'_>) -> Result<StoredMessage, &'static str> {
    const CUT: &str = "it ends inside its fixed part";
    let _size = reader.u32().ok_or(CUT)?;
    let wide_topic = match reader.u32().ok_or(CUT)? {
        MAGIC_V1 => false,
        MAGIC_V2 => true,
        _ => return Err("its magic is unknown"),
    };
    let crc = reader.u32().ok_or(CUT)?;
    let queue = reader.i32().ok_or(CUT)?;
    let flag = reader.i32().ok_or(CUT)?;
    let queue_offset = reader.i64().ok_or(CUT)?;
    let physical_offset = reader.i64().ok_or(CUT)?;
    let sys_flag = reader.i32().ok_or(CUT)?;
    let born = UnixMillis(reader.i64().ok_or(CUT)?);
    let born_host = host(&mut reader, sys_flag & flags::BORN_HOST_V6 != 0).ok_or(CUT)?;
    let stored = UnixMillis(reader.i64().ok_or(CUT)?);
    let store_host = host(&mut reader, sys_flag & flags::STORE_HOST_V6 != 0).ok_or(CUT)?;
    let reconsume_times = reader.i32().ok_or(CUT)?;
    let prepared_offset = reader.i64().ok_or(CUT)?;
    let body = usize::try_from(reader.i32().ok_or(CUT)?).map_err(|_| "its body has a negative length")?;
    let body = reader.bytes(body).ok_or("its body runs past its end")?;
    let topic = if wide_topic { reader.u16().map(usize::from) } else { reader.u8().map(usize::from) };
    let topic = topic.and_then(|length| reader.bytes(length)).ok_or("its topic runs past its end")?;
    // Java reads a negative length as no properties.
    let properties = usize::try_from(reader.i16().ok_or("it ends before its properties")?).unwrap_or(0);
    let properties = reader.bytes(properties).ok_or("its properties run past its end")?;
    if !reader.rest().is_empty() {
        return Err("its size is larger than its parts");
    }
    Ok(StoredMessage {
        topic: Text::from_utf8_lossy(topic),
        queue,
        queue_offset,
        physical_offset,
        flag,
        sys_flag,
        born,
        born_host,
        stored,
        store_host,
        reconsume_times,
        prepared_offset,
        body,
        properties: Properties::new(Text::from_utf8_lossy(properties)),
        crc,
    })
}

#[inline]
fn host(reader: &mut Reader<'_>, v6: bool) -> Option<Host> {
    let ip = if v6 {
        let (octets, _) = reader.slice(16)?.split_first_chunk::<16>()?;
        IpAddr::V6(Ipv6Addr::from(*octets))
    } else {
        let (octets, _) = reader.slice(4)?.split_first_chunk::<4>()?;
        IpAddr::V4(Ipv4Addr::from(*octets))
    };
    Some(Host { ip, port: reader.i32()? })
}

const _: () = assert!(limits::PROPERTIES_BYTES == 0x7FFF, "the length of properties is a signed short");

#[cfg(test)]
#[path = "message/tests.rs"]
mod tests;
