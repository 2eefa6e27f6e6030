//! The stored message and the batch entry (Java: `MessageDecoder`, `MessageExtEncoder`), read and written.
//!
//! Law: [`Stored::decode`] of what [`Stored::encode`] wrote gives the same message, and the encoded length is the
//! distance between physical offsets.

use std::net::SocketAddr;

use bytes::Bytes;

/// A message as a broker keeps it and as pulls return it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Topic.
    pub topic: String,
    /// Queue number.
    pub queue: i32,
    /// Place in the queue.
    pub queue_offset: i64,
    /// Place in the commit log.
    pub physical_offset: i64,
    /// The user's flag.
    pub flag: i32,
    /// Compression, transaction and address bits.
    pub sys_flag: i32,
    /// When the client says it made the message, Unix milliseconds.
    pub born: i64,
    /// The producer's end of its connection.
    pub born_host: SocketAddr,
    /// When the broker stored it, Unix milliseconds.
    pub stored: i64,
    /// The broker's advertised address.
    pub store_host: SocketAddr,
    /// How often it was tried before.
    pub reconsume_times: i32,
    /// For transactions.
    pub prepared_offset: i64,
    /// Body, as stored.
    pub body: Bytes,
    /// Property string.
    pub properties: String,
}

const MAGIC_V1: u32 = 0xDAA3_20A7;
const MAGIC_V2: u32 = 0xDAA3_20AB;
const BORN_V6: i32 = 0x10;
const STORE_V6: i32 = 0x20;

impl Stored {
    /// Appends the message as a broker lays it out. Topics over 127 bytes take the second layout.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let long = self.topic.len() > 127;
        let sys_flag = self.sys_flag
            | if self.born_host.is_ipv6() { BORN_V6 } else { 0 }
            | if self.store_host.is_ipv6() { STORE_V6 } else { 0 };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&if long { MAGIC_V2 } else { MAGIC_V1 }.to_be_bytes());
        out.extend_from_slice(&(crc32(&self.body) & 0x7FFF_FFFF).to_be_bytes());
        out.extend_from_slice(&self.queue.to_be_bytes());
        out.extend_from_slice(&self.flag.to_be_bytes());
        out.extend_from_slice(&self.queue_offset.to_be_bytes());
        out.extend_from_slice(&self.physical_offset.to_be_bytes());
        out.extend_from_slice(&sys_flag.to_be_bytes());
        out.extend_from_slice(&self.born.to_be_bytes());
        host(self.born_host, out);
        out.extend_from_slice(&self.stored.to_be_bytes());
        host(self.store_host, out);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_offset.to_be_bytes());
        out.extend_from_slice(&size(self.body.len()).to_be_bytes());
        out.extend_from_slice(&self.body);
        let [.., a, b] = size(self.topic.len()).to_be_bytes();
        if long {
            out.push(a);
        }
        out.push(b);
        out.extend_from_slice(self.topic.as_bytes());
        let [.., a, b] = size(self.properties.len()).to_be_bytes();
        out.extend_from_slice(&[a, b]);
        out.extend_from_slice(self.properties.as_bytes());
        let total = size(out.len() - start);
        out[start..start + 4].copy_from_slice(&total.to_be_bytes());
    }

    /// Reads the message at the front of `bytes` and moves past it. `None`: it is not one.
    pub fn decode(bytes: &mut Bytes) -> Option<Self> {
        let total = usize::try_from(i32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
        if total < 4 || total > bytes.len() {
            return None;
        }
        let mut rest = bytes.split_to(total).slice(4..);
        let magic = u32::from_be_bytes(take(&mut rest)?);
        let crc = u32::from_be_bytes(take(&mut rest)?);
        let queue = i32::from_be_bytes(take(&mut rest)?);
        let flag = i32::from_be_bytes(take(&mut rest)?);
        let queue_offset = i64::from_be_bytes(take(&mut rest)?);
        let physical_offset = i64::from_be_bytes(take(&mut rest)?);
        let sys_flag = i32::from_be_bytes(take(&mut rest)?);
        let born = i64::from_be_bytes(take(&mut rest)?);
        let born_host = read_host(&mut rest, sys_flag & BORN_V6 != 0)?;
        let stored = i64::from_be_bytes(take(&mut rest)?);
        let store_host = read_host(&mut rest, sys_flag & STORE_V6 != 0)?;
        let reconsume_times = i32::from_be_bytes(take(&mut rest)?);
        let prepared_offset = i64::from_be_bytes(take(&mut rest)?);
        let body = i32::from_be_bytes(take(&mut rest)?);
        let body = part(&mut rest, usize::try_from(body).ok()?)?;
        let topic = match magic {
            MAGIC_V1 => usize::from(u8::from_be_bytes(take(&mut rest)?)),
            MAGIC_V2 => usize::from(u16::from_be_bytes(take(&mut rest)?)),
            _ => return None,
        };
        let topic = String::from_utf8(part(&mut rest, topic)?.to_vec()).ok()?;
        let properties = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let properties = String::from_utf8(part(&mut rest, properties)?.to_vec()).ok()?;
        (rest.is_empty() && crc32(&body) & 0x7FFF_FFFF == crc).then_some(Self {
            topic,
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
            properties,
        })
    }
}

/// One message of a batch body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The user's flag.
    pub flag: i32,
    /// Body, never compressed.
    pub body: Bytes,
    /// Property string.
    pub properties: String,
}

/// The messages of a batch body; total size, magic and checksum of an entry are not looked at, as in Java.
#[must_use]
pub fn batch(mut rest: Bytes) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let _: [u8; 12] = take(&mut rest)?;
        let flag = i32::from_be_bytes(take(&mut rest)?);
        let body = i32::from_be_bytes(take(&mut rest)?);
        let body = part(&mut rest, usize::try_from(body).ok()?)?;
        let properties = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let properties = String::from_utf8(part(&mut rest, properties)?.to_vec()).ok()?;
        entries.push(Entry { flag, body, properties });
    }
    Some(entries)
}

/// The offset message id: upper-case hex of store host and physical offset.
#[must_use]
pub fn offset_id(store_host: SocketAddr, physical_offset: i64) -> String {
    let mut raw = Vec::with_capacity(28);
    host(store_host, &mut raw);
    raw.extend_from_slice(&physical_offset.to_be_bytes());
    let mut text = String::with_capacity(2 * raw.len());
    for digit in raw.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    }
    text
}

fn host(address: SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(v4) => out.extend_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => out.extend_from_slice(&v6.ip().octets()),
    }
    out.extend_from_slice(&u32::from(address.port()).to_be_bytes());
}

fn read_host(rest: &mut Bytes, v6: bool) -> Option<SocketAddr> {
    let ip: std::net::IpAddr = if v6 { take::<16>(rest)?.into() } else { take::<4>(rest)?.into() };
    let port = u16::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    Some(SocketAddr::new(ip, port))
}

fn take<const N: usize>(rest: &mut Bytes) -> Option<[u8; N]> {
    let head = *rest.first_chunk()?;
    drop(rest.split_to(N));
    Some(head)
}

fn part(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}

fn size(length: usize) -> i32 {
    i32::try_from(length).expect("messages are far below 2 GiB")
}

/// CRC-32 with the zlib polynomial, eight bytes at a step.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(u32::MAX, |crc, eight| {
        let mixed = u64::from_le_bytes(*eight) ^ u64::from(crc);
        mixed
            .to_le_bytes()
            .iter()
            .zip(CRC_TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)])
    });
    !rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC_TABLES[0][usize::from(low ^ byte)]
    })
}

/// What a byte adds to the checksum when it is followed by none, one, … seven others.
const CRC_TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0_u32; 256]; 8];
    let mut at = 0_u32;
    while at < 256 {
        let (mut value, mut bit) = (at, 0);
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        tables[0][at as usize] = value;
        at += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut at = 0;
        while at < 256 {
            let before = tables[behind - 1][at];
            tables[behind][at] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            at += 1;
        }
        behind += 1;
    }
    tables
};
