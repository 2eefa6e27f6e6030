//! Batch bodies: several messages of one topic in one send, and batches that a broker stored as one message.
//!
//! Laws: entries come out in the order they went in; an entry that cannot be read is reported like a damaged message,
//! and its size says where the next begins. A batch inside a batch is not opened.
//!
//! Sources: Java `MessageDecoder#encodeMessage`, `decodeMessages`, `MessageBatch`; wire.md §6.6, §6.7.

use bytes::{Bytes, BytesMut};

use super::message::{Damaged, StoredMessage, flags};
use super::properties::Properties;
use super::reader::Reader;
use super::text::Text;
use crate::limits::wire as limits;

/// The bytes of an entry without body and properties.
pub const ENTRY_BYTES: usize = 22;

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// The sender's own number.
    pub flag: i32,
    /// The body; never compressed alone, since one flag stands for all entries.
    pub body: Bytes,
    /// The properties, encoded.
    pub properties: Properties,
}

/// A batch body grew beyond what its format can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {bytes} bytes does not fit a batch")]
pub struct EntryTooLarge {
    /// The entry.
    pub bytes: usize,
}

/// Appends an entry; nothing is appended when it does not fit.
pub fn put_entry(flag: i32, body: &[u8], properties: &str, out: &mut BytesMut) -> Result<(), EntryTooLarge> {
    let bytes = ENTRY_BYTES.saturating_add(body.len()).saturating_add(properties.len());
    let too_large = EntryTooLarge { bytes };
    let total = u32::try_from(bytes).ok().filter(|_| bytes <= limits::FRAME_BYTES).ok_or(too_large)?;
    let body_length = u32::try_from(body.len()).map_err(|_| too_large)?;
    let properties_length = i16::try_from(properties.len()).map_err(|_| too_large)?;
    out.reserve(bytes);
    out.extend_from_slice(&total.to_be_bytes());
    // Magic and checksum: Java writes zeros and brokers do not look.
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&flag.to_be_bytes());
    out.extend_from_slice(&body_length.to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&properties_length.to_be_bytes());
    out.extend_from_slice(properties.as_bytes());
    Ok(())
}

/// The entries of a batch body, one after the other.
#[must_use]
pub const fn entries(body: Bytes) -> Entries {
    Entries { rest: body, at: 0, left: limits::BATCH_ENTRIES }
}

/// The iterator behind [`entries`].
#[derive(Clone, Debug)]
pub struct Entries {
    rest: Bytes,
    at: usize,
    left: usize,
}

impl Iterator for Entries {
    type Item = Result<BatchEntry, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let size = self
            .rest
            .split_first_chunk::<4>()
            .and_then(|(size, _)| usize::try_from(i32::from_be_bytes(*size)).ok());
        let Some(size) = size.filter(|&size| size >= ENTRY_BYTES && size <= self.rest.len()) else {
            let bytes = core::mem::take(&mut self.rest);
            return Some(Err(damaged(self.at, bytes, "its size is impossible", true)));
        };
        let Some(left) = self.left.checked_sub(1) else {
            let bytes = core::mem::take(&mut self.rest);
            return Some(Err(damaged(
                self.at,
                bytes,
                "it has more entries before it than any batch holds",
                true,
            )));
        };
        self.left = left;
        let bytes = self.rest.split_to(size);
        let at = self.at;
        self.at = at.saturating_add(size);
        Some(decode(&bytes).map_err(|why| damaged(at, bytes, why, false)))
    }
}

const fn damaged(at: usize, bytes: Bytes, why: &'static str, rest_lost: bool) -> Damaged {
    Damaged { at, bytes, why, queue_offset: None, physical_offset: None, rest_lost }
}

fn decode(bytes: &Bytes) -> Result<BatchEntry, &'static str> {
    const CUT: &str = "it ends inside its fixed part";
    let mut reader = Reader::new(bytes);
    reader.slice(12).ok_or(CUT)?;
    let flag = reader.i32().ok_or(CUT)?;
    let body = usize::try_from(reader.i32().ok_or(CUT)?).map_err(|_| "its body has a negative length")?;
    let body = reader.bytes(body).ok_or("its body runs past its end")?;
    let properties = usize::try_from(reader.i16().ok_or("it ends before its properties")?).unwrap_or(0);
    let properties = reader.bytes(properties).ok_or("its properties run past its end")?;
    if !reader.rest().is_empty() {
        return Err("its size is larger than its parts");
    }
    Ok(BatchEntry { flag, body, properties: Properties::new(Text::from_utf8_lossy(properties)) })
}

/// Opens a message that holds a batch, given its body after decompression. What is no inner batch is an empty iterator.
pub fn unwrap(outer: &StoredMessage, body: Bytes) -> impl Iterator<Item = Result<StoredMessage, Damaged>> {
    let body = if outer.is_inner_batch() { body } else { Bytes::new() };
    entries(body).zip(0_i64..).map(|(entry, index)| {
        entry.map(|entry| StoredMessage {
            queue_offset: outer.queue_offset.saturating_add(index),
            flag: entry.flag,
            sys_flag: outer.sys_flag & !flags::COMPRESSED,
            crc: 0,
            body: entry.body,
            properties: entry.properties,
            ..outer.clone()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const JAVA: &[u8] =
        b"\0\0\0\x2e\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\x05hello\0\x13TAGS\x01A\x02UNIQ_KEY\x01U1\x02\
        \0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02hi\0\0";

    #[test]
    fn a_batch_is_written_and_read_as_java_does() {
        let mut out = BytesMut::new();
        put_entry(7, b"hello", "TAGS\u{1}A\u{2}UNIQ_KEY\u{1}U1\u{2}", &mut out).expect("a small entry");
        put_entry(0, b"hi", "", &mut out).expect("a small entry");
        assert_eq!(out, JAVA);
        let read = entries(out.freeze()).collect::<Result<Vec<_>, _>>().expect("whole entries");
        assert_eq!((read.len(), read[0].flag, &read[1].body[..]), (2, 7, &b"hi"[..]));
        assert_eq!(read[0].properties.get("UNIQ_KEY"), Some("U1"));
    }

    #[test]
    fn a_broken_entry_costs_no_other_unless_its_size_is_broken() {
        let mut bytes = BytesMut::from(JAVA);
        bytes[19] = 0xff;
        let read = entries(bytes.freeze()).collect::<Vec<_>>();
        assert!(matches!(&read[..], [Err(damaged), Ok(_)] if damaged.at == 0));
        let read = entries(Bytes::copy_from_slice(&JAVA[..JAVA.len() - 1])).collect::<Vec<_>>();
        assert!(matches!(&read[..], [Ok(_), Err(damaged)] if damaged.rest_lost && damaged.at == 46));
        assert!(put_entry(0, b"x", &"p".repeat(40_000), &mut BytesMut::new()).is_err());
    }

    #[test]
    fn entries_are_bounded() {
        let mut out = BytesMut::new();
        for _ in 0..=limits::BATCH_ENTRIES {
            put_entry(0, b"", "", &mut out).expect("a small entry");
        }
        let (mut whole, mut damaged) = (0, Vec::new());
        for entry in entries(out.freeze()) {
            entry.map_or_else(|damage| damaged.push(damage), |_| whole += 1);
        }
        assert_eq!(whole, limits::BATCH_ENTRIES);
        assert!(matches!(&damaged[..], [one] if one.rest_lost && one.bytes.len() == ENTRY_BYTES));
    }
}
