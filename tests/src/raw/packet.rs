//! Whole frames as a bystander sees them: who asks what, in either header encoding, without touching the bytes.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::Value;

use super::odd;

/// One frame: its bytes as they travelled, and what its header says.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The frame, length word included.
    pub bytes: Vec<u8>,
    /// Request or response code.
    pub code: i32,
    /// The id that ties a reply to its request.
    pub opaque: i32,
    /// Bit 0: a response; bit 1: no answer wanted.
    pub flag: i32,
    /// Text of the sender.
    pub remark: Option<String>,
    /// The `extFields`.
    pub fields: BTreeMap<String, String>,
    body_at: usize,
}

impl Packet {
    /// Reads the next frame; `None` when the stream ends between two frames.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; 4];
        if let Err(error) = from.read_exact(&mut bytes) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if !(4..=64 << 20).contains(&length) {
            return Err(odd(format!("a frame of {length} bytes")));
        }
        bytes.resize(4 + length, 0);
        from.read_exact(&mut bytes[4..])?;
        Self::parse(bytes).map(Some)
    }

    /// From the bytes of exactly one frame.
    pub fn parse(bytes: Vec<u8>) -> io::Result<Self> {
        let mark = bytes.get(4..8).map(|mark| u32::from_be_bytes([mark[0], mark[1], mark[2], mark[3]]));
        let mark = mark.ok_or_else(|| odd("a frame without header mark".to_owned()))?;
        let body_at = 8 + (mark & 0xFF_FFFF) as usize;
        let header = bytes.get(8..body_at).ok_or_else(|| odd(format!("header mark {mark:#x}")))?;
        let mut packet = match mark >> 24 {
            0 => json(header)?,
            1 => binary(header)?,
            other => return Err(odd(format!("header encoding {other}"))),
        };
        packet.body_at = body_at;
        packet.bytes = bytes;
        Ok(packet)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// Whether it answers something.
    pub fn is_response(&self) -> bool {
        self.flag & 1 == 1
    }

    /// Whether nobody waits for an answer.
    pub fn is_oneway(&self) -> bool {
        self.flag & 2 == 2
    }

    /// The same header around another body.
    pub fn with_body(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes[..self.body_at].to_vec();
        bytes.extend(body);
        let length = u32::try_from(bytes.len() - 4).expect("a test frame is small");
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

fn json(header: &[u8]) -> io::Result<Packet> {
    let header: Value = serde_json::from_slice(header).map_err(|error| odd(error.to_string()))?;
    let int = |key: &str| header[key].as_i64().and_then(|value| i32::try_from(value).ok());
    let fields = header["extFields"].as_object().into_iter().flatten();
    Ok(Packet {
        bytes: Vec::new(),
        code: int("code").ok_or_else(|| odd("a header without code".to_owned()))?,
        opaque: int("opaque").ok_or_else(|| odd("a header without opaque".to_owned()))?,
        flag: int("flag").unwrap_or(0),
        remark: header["remark"].as_str().map(str::to_owned),
        fields: fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        body_at: 0,
    })
}

/// Java: `RocketMQSerializable`.
fn binary(header: &[u8]) -> io::Result<Packet> {
    let mut rest = header;
    let code = i32::from(i16::from_be_bytes(take(&mut rest)?));
    let [_language, _version_high, _version_low] = take(&mut rest)?;
    let opaque = i32::from_be_bytes(take(&mut rest)?);
    let flag = i32::from_be_bytes(take(&mut rest)?);
    let length = u32::from_be_bytes(take(&mut rest)?);
    let remark = text(&mut rest, length as usize)?;
    let length = u32::from_be_bytes(take(&mut rest)?) as usize;
    if length != rest.len() {
        return Err(odd(format!("{length} bytes of fields in {}", rest.len())));
    }
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let length = u16::from_be_bytes(take(&mut rest)?);
        let key = text(&mut rest, length.into())?;
        let length = u32::from_be_bytes(take(&mut rest)?);
        let value = text(&mut rest, length as usize)?;
        fields.insert(key, value);
    }
    let remark = Some(remark).filter(|remark| !remark.is_empty());
    Ok(Packet { bytes: Vec::new(), code, opaque, flag, remark, fields, body_at: 0 })
}

fn take<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let (taken, after) = rest.split_first_chunk().ok_or_else(|| odd("a header cut short".to_owned()))?;
    *rest = after;
    Ok(*taken)
}

fn text(rest: &mut &[u8], length: usize) -> io::Result<String> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(|| odd("a header cut short".to_owned()))?;
    *rest = after;
    String::from_utf8(taken.to_vec()).map_err(|error| odd(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Packet;
    use crate::raw::request;

    #[test]
    fn both_encodings_say_the_same() {
        let fields = BTreeMap::from([("topic", "t"), ("queueId", "3")]);
        let json = Packet::parse(request(11, 7, 2, &fields, b"body")).expect("json");
        let mut header = Vec::new();
        header.extend(11i16.to_be_bytes());
        header.extend([12, 1, 223]);
        header.extend(7i32.to_be_bytes());
        header.extend(2i32.to_be_bytes());
        header.extend(0i32.to_be_bytes());
        let mut block = Vec::new();
        for (key, value) in &fields {
            block.extend((key.len() as u16).to_be_bytes());
            block.extend(key.as_bytes());
            block.extend((value.len() as u32).to_be_bytes());
            block.extend(value.as_bytes());
        }
        header.extend((block.len() as u32).to_be_bytes());
        header.extend(block);
        let mut frame = ((4 + header.len() + 4) as u32).to_be_bytes().to_vec();
        frame.extend((1 << 24 | header.len() as u32).to_be_bytes());
        frame.extend(header);
        frame.extend(b"body");
        let binary = Packet::read(&mut frame.as_slice()).expect("binary").expect("a frame");
        for packet in [json, binary] {
            assert_eq!((packet.code, packet.opaque, packet.flag), (11, 7, 2));
            assert_eq!(packet.fields["queueId"], "3");
            assert_eq!(packet.body(), b"body");
            let again = Packet::parse(packet.with_body(b"longer body")).expect("still a frame");
            assert_eq!(again.body(), b"longer body");
        }
    }
}
