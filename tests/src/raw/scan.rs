//! The oracle: everything a topic's queues hold, read queue by queue from the first offset to the last.
//!
//! Laws: a queue is read whole or the scan fails; a message that does not decode fails the scan; nothing is skipped.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::{Caller, Connection, code, odd, quote_integer_keys};

/// A group every broker has from its start, so that the scan works with group auto-creation off.
const GROUP: &str = "TOOLS_CONSUMER";
const PATIENCE: Duration = Duration::from_secs(10);

/// One message as a broker stored it (Java: `MessageDecoder`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The broker it was read from.
    pub broker: String,
    /// Topic as stored.
    pub topic: String,
    /// Queue number.
    pub queue: i32,
    /// Offset in the queue.
    pub offset: i64,
    /// Offset in the broker's log.
    pub physical_offset: i64,
    /// The sender's flag word.
    pub flag: i32,
    /// Bits of the system flag, compression among them.
    pub sys_flag: i32,
    /// Sender's time, in milliseconds of Unix time.
    pub born: i64,
    /// How often it was consumed again.
    pub reconsume_times: i32,
    /// Body as stored, perhaps compressed.
    pub body: Vec<u8>,
    /// Properties, the broker's own included.
    pub properties: BTreeMap<String, String>,
}

impl Stored {
    /// The id the sender gave it.
    pub fn uniq_key(&self) -> Option<&str> {
        self.properties.get("UNIQ_KEY").map(String::as_str)
    }

    /// The body as text, damaged characters replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A broker of a topic and how many queues can be read there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    /// Broker name.
    pub name: String,
    /// Address of its master.
    pub address: String,
    /// Readable queues.
    pub queues: i32,
}

impl Caller {
    /// The masters of a topic, from a name server's route. `None`: the name server does not know the topic.
    pub fn masters(&self, name_server: &str, topic: &str) -> io::Result<Option<Vec<Master>>> {
        let reply = self.call(
            name_server,
            code::ROUTE,
            &[("topic", topic), ("acceptStandardJsonOnly", "true")],
            b"",
        )?;
        if reply.code == 17 {
            return Ok(None);
        }
        let reply = reply.success("route")?;
        let text = std::str::from_utf8(&reply.body).map_err(|error| odd(error.to_string()))?;
        let route: Value = serde_json::from_str(&quote_integer_keys(text))
            .map_err(|error| odd(format!("route: {error}")))?;
        let mut found = Vec::new();
        for queues in route["queueDatas"].as_array().into_iter().flatten() {
            let name = queues["brokerName"].as_str().unwrap_or_default();
            let brokers = route["brokerDatas"].as_array().into_iter().flatten();
            let broker = brokers.clone().find(|broker| broker["brokerName"] == name);
            let Some(address) = broker.and_then(|broker| broker["brokerAddrs"]["0"].as_str()) else {
                continue;
            };
            let count = queues["readQueueNums"].as_i64().and_then(|count| i32::try_from(count).ok());
            found.push(Master {
                name: name.to_owned(),
                address: address.to_owned(),
                queues: count.ok_or_else(|| odd("a route without readQueueNums".to_owned()))?,
            });
        }
        Ok(Some(found))
    }

    /// Everything readable of a topic, ordered by broker, queue and offset.
    pub fn scan(&self, name_server: &str, topic: &str) -> io::Result<Vec<Stored>> {
        let masters = self.masters(name_server, topic)?.ok_or_else(|| odd(format!("no route of {topic}")))?;
        let mut all = Vec::new();
        for master in masters {
            let mut broker = self.open(&master.address, PATIENCE)?;
            for queue in 0..master.queues {
                scan_queue(&mut broker, &master.name, topic, queue, &mut all)?;
            }
        }
        Ok(all)
    }
}

fn scan_queue(
    broker: &mut Connection,
    name: &str,
    topic: &str,
    queue: i32,
    all: &mut Vec<Stored>,
) -> io::Result<()> {
    let number = queue.to_string();
    let place = [("topic", topic), ("queueId", number.as_str())];
    let mut next = broker.call(code::MIN_OFFSET, &place, b"")?.success("min offset")?.number("offset")?;
    let end = broker.call(code::MAX_OFFSET, &place, b"")?.success("max offset")?.number("offset")?;
    while next < end {
        let offset = next.to_string();
        let fields = [
            ("consumerGroup", GROUP),
            ("topic", topic),
            ("queueId", &number),
            ("queueOffset", &offset),
            ("maxMsgNums", "32"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", "*"),
            ("subVersion", "0"),
            ("expressionType", "TAG"),
        ];
        let reply = broker.call(code::PULL, &fields, b"")?;
        match reply.code {
            0 => {
                for message in decode_messages(name, &reply.body)? {
                    if message.queue != queue || message.offset != next {
                        return Err(odd(format!(
                            "asked {topic}/{queue}@{next}, got {}@{}",
                            message.queue, message.offset
                        )));
                    }
                    next += 1;
                    all.push(message);
                }
            }
            // The first messages were deleted meanwhile, or the index is behind the log for a moment.
            19..=21 => next = next.max(reply.number("nextBeginOffset")?),
            _ => return Err(reply.success("pull").expect_err("the code is not 0")),
        }
    }
    Ok(())
}

/// Splits and decodes the body of a pull reply.
pub fn decode_messages(broker: &str, mut bytes: &[u8]) -> io::Result<Vec<Stored>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let size = Cursor(bytes).int()?;
        let size = usize::try_from(size).ok().filter(|size| (4..=bytes.len()).contains(size));
        let size = size.ok_or_else(|| odd("a message with a wrong TOTALSIZE".to_owned()))?;
        let (message, rest) = bytes.split_at(size);
        out.push(decode(broker, message)?);
        bytes = rest;
    }
    Ok(out)
}

fn decode(broker: &str, bytes: &[u8]) -> io::Result<Stored> {
    const MAGIC_V1: i32 = 0xDAA3_20A7_u32 as i32;
    const MAGIC_V2: i32 = 0xDAA3_20AB_u32 as i32;
    const BORN_HOST_V6: i32 = 1 << 4;
    const STORE_HOST_V6: i32 = 1 << 5;
    let mut at = Cursor(bytes);
    at.int()?;
    let magic = at.int()?;
    let crc = at.int()?;
    let queue = at.int()?;
    let flag = at.int()?;
    let offset = at.long()?;
    let physical_offset = at.long()?;
    let sys_flag = at.int()?;
    let born = at.long()?;
    at.take(if sys_flag & BORN_HOST_V6 == 0 { 8 } else { 20 })?;
    at.long()?;
    at.take(if sys_flag & STORE_HOST_V6 == 0 { 8 } else { 20 })?;
    let reconsume_times = at.int()?;
    at.long()?;
    let length = at.int()?;
    let body = at.sized(length)?.to_vec();
    let topic_length = match magic {
        MAGIC_V1 => i32::from(at.take(1)?[0]),
        MAGIC_V2 => i32::from(at.short()?),
        other => return Err(odd(format!("magic {other:#x}"))),
    };
    let topic = text(at.sized(topic_length)?)?;
    let length = i32::from(at.short()?);
    let properties = text(at.sized(length)?)?;
    if !at.0.is_empty() {
        return Err(odd(format!("{} bytes after the properties", at.0.len())));
    }
    if crc32(&body) & 0x7FFF_FFFF != crc as u32 {
        return Err(odd(format!("{topic}/{queue}@{offset}: the body's CRC is wrong")));
    }
    let pairs = properties.split('\u{2}').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('\u{1}').ok_or_else(|| odd(format!("property {pair:?}")))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    Ok(Stored {
        broker: broker.to_owned(),
        topic,
        queue,
        offset,
        physical_offset,
        flag,
        sys_flag,
        born,
        reconsume_times,
        body,
        properties: pairs.collect::<io::Result<_>>()?,
    })
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| odd(error.to_string()))
}

/// CRC-32 of zlib, bit by bit: slow and obviously right.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| odd("a message cut short".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn sized(&mut self, length: i32) -> io::Result<&'a [u8]> {
        let count = usize::try_from(length).map_err(|_| odd(format!("a length of {length}")))?;
        self.take(count)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("exactly N bytes were taken"))
    }

    fn short(&mut self) -> io::Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    fn int(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    fn long(&mut self) -> io::Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32, decode_messages};

    #[test]
    fn crc_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [&b"\0\0"[..], b"\0\0\0\x03", b"\xff\xff\xff\xff", b"\0\0\0\x08\0\0\0\0"] {
            assert!(decode_messages("b", bytes).is_err(), "{bytes:?}");
        }
    }
}
