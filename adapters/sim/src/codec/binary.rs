//! The binary header (Java: `RocketMQSerializable`): fixed 21 bytes around the remark, then the ext block.
//!
//! Java's own laxness is kept where a peer can see it: a zero length is null, codes are cut to 16 bits.

use std::borrow::Cow;

use super::{Broken, Command, Fields, LANGUAGES};

pub(super) fn decode(header: &[u8]) -> Result<Command<'_>, Broken> {
    let mut rest = header;
    let code = i32::from(i16::from_be_bytes(take(&mut rest)?));
    let [language] = take(&mut rest)?;
    let version = i32::from(i16::from_be_bytes(take(&mut rest)?));
    let opaque = i32::from_be_bytes(take(&mut rest)?);
    let flag = i32::from_be_bytes(take(&mut rest)?);
    let remark = {
        let length = i32::from_be_bytes(take(&mut rest)?);
        text(&mut rest, length)?
    };
    let length = i32::from_be_bytes(take(&mut rest)?);
    let fields = match usize::try_from(length) {
        Err(_) | Ok(0) => None,
        Ok(length) => {
            let Some((mut block, after)) = rest.split_at_checked(length) else {
                return Err(Broken::Binary("ext block beyond the header"));
            };
            rest = after;
            let mut fields = Vec::with_capacity(16);
            while !block.is_empty() {
                let key = i32::from(i16::from_be_bytes(take(&mut block)?));
                let key = text(&mut block, key)?;
                let value = i32::from_be_bytes(take(&mut block)?);
                let value = text(&mut block, value)?;
                if let (Some(key), Some(value)) = (key, value) {
                    fields.push((key, value));
                }
            }
            Some(Fields(fields))
        }
    };
    if !rest.is_empty() {
        return Err(Broken::Binary("bytes after the ext block"));
    }
    Ok(Command {
        code,
        language: (usize::from(language) < LANGUAGES.len()).then_some(language),
        version,
        opaque: Some(opaque),
        flag,
        remark,
        fields,
        body: bytes::Bytes::new(),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Broken> {
    let (head, tail) = rest.split_first_chunk().ok_or(Broken::Binary("cut short"))?;
    *rest = tail;
    Ok(*head)
}

fn text<'a>(rest: &mut &'a [u8], length: i32) -> Result<Option<Cow<'a, str>>, Broken> {
    let length = usize::try_from(length).map_err(|_| Broken::Binary("negative length"))?;
    if length == 0 {
        return Ok(None);
    }
    let (head, tail) = rest.split_at_checked(length).ok_or(Broken::Binary("length beyond the header"))?;
    *rest = tail;
    Ok(Some(String::from_utf8_lossy(head)))
}

pub(super) fn encode(command: &Command<'_>, out: &mut Vec<u8>) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Java cuts the code and the version to 16 bits as well"
    )]
    fn short(value: i32) -> [u8; 2] {
        (value as i16).to_be_bytes()
    }
    out.extend_from_slice(&short(command.code));
    out.push(command.language.unwrap_or(0));
    out.extend_from_slice(&short(command.version));
    out.extend_from_slice(&command.opaque.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&command.flag.to_be_bytes());
    let remark = command.remark.as_deref().unwrap_or_default();
    out.extend_from_slice(&length32(remark));
    out.extend_from_slice(remark.as_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    for (key, value) in command.fields.iter().flat_map(|fields| &fields.0) {
        let [.., a, b] = length32(key);
        out.extend_from_slice(&[a, b]);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&length32(value));
        out.extend_from_slice(value.as_bytes());
    }
    let block = u32::try_from(out.len() - at - 4).expect("far below 4 GiB");
    out[at..at + 4].copy_from_slice(&block.to_be_bytes());
}

fn length32(text: &str) -> [u8; 4] {
    u32::try_from(text.len()).expect("text is far below 4 GiB").to_be_bytes()
}
