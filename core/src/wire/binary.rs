//! The binary encoding of a header.
//!
//! Laws: a header that this encoding would change is not written but reported as unfit; a header with bytes left over
//! is refused, because Java would read the body from there on.
//!
//! Sources: Java `RocketMQSerializable`; wire.md §2.3.

use bytes::{Bytes, BytesMut};

use super::codes::Language;
use super::decimal::Decimal;
use super::fields::{FieldSink, FieldSource, FieldsBuilder, Span};
use super::header::{Dialect, Fixed, Head, Header, HeaderError, Kind};
use super::reader::Reader;
use super::stage::{Stage, digit};
use super::text::Text;
use crate::limits::wire as limits;

/// Appends the header and says whether it means the same there as in JSON; if not, what was appended is void.
pub(crate) fn encode(head: &Head<'_>, fields: &impl FieldSource, out: &mut BytesMut) -> bool {
    let (Ok(code), Ok(version)) = (i16::try_from(head.code), i16::try_from(head.version)) else {
        return false;
    };
    // An empty remark arrives as null, like any empty value.
    if head.remark.is_some_and(str::is_empty) {
        return false;
    }
    let remark = head.remark.unwrap_or_default();
    let Ok(remark_len) = u32::try_from(remark.len()) else { return false };
    let mut stage = Stage::new(out);
    stage.fixed(&code.to_be_bytes());
    stage.fixed(&[head.language.0]);
    stage.fixed(&version.to_be_bytes());
    stage.fixed(&head.opaque.to_be_bytes());
    stage.fixed(&head.kind.flag().to_be_bytes());
    stage.fixed(&remark_len.to_be_bytes());
    stage.put(remark.as_bytes());
    let place = stage.len();
    stage.fixed(&[0; 4]);
    let begin = stage.len();
    let mut sink = BinarySink { stage: &mut stage, fit: true };
    fields.write_fields(&mut sink);
    let fit = sink.fit;
    stage.flush();
    let Ok(block) = u32::try_from(out.len().saturating_sub(begin)) else { return false };
    if let Some(place) = out.get_mut(place..begin) {
        place.copy_from_slice(&block.to_be_bytes());
    }
    fit
}

struct BinarySink<'a, 'out> {
    stage: &'a mut Stage<'out>,
    fit: bool,
}

impl BinarySink<'_, '_> {
    #[inline(never)]
    fn number(&mut self, key: &[u8], value: i64) {
        let value = Decimal::new(value);
        self.key(key, value.len());
        self.stage.number(&value);
    }

    #[inline(never)]
    fn pair(&mut self, key: &[u8], value: &[u8]) {
        self.key(key, value.len());
        self.stage.put(value);
    }

    /// The key of a pair and the length of the value that follows.
    #[inline(always)]
    fn key(&mut self, key: &[u8], value_len: usize) {
        let (Ok(key_len), Ok(value_len)) = (i16::try_from(key.len()), u32::try_from(value_len)) else {
            self.fit = false;
            return;
        };
        // A key or value of no length arrives as null.
        self.fit &= key_len != 0 && value_len != 0;
        if let [letter] = *key {
            self.stage.prefix(letter_key(letter, value_len), 7);
        } else {
            self.stage.fixed(&key_len.to_be_bytes());
            self.stage.put(key);
            self.stage.fixed(&value_len.to_be_bytes());
        }
    }
}

impl FieldSink for BinarySink<'_, '_> {
    fn text(&mut self, key: &str, value: &str) {
        self.pair(key.as_bytes(), value.as_bytes());
    }

    fn shared(&mut self, key: &str, value: &Text) {
        self.pair(key.as_bytes(), value.as_bytes());
    }

    #[inline(always)]
    fn int(&mut self, key: &str, value: i64) {
        match (key.as_bytes(), digit(value)) {
            // Most fields of a send: eight bytes in all.
            (&[letter], Some(digit)) => {
                self.stage.prefix(letter_key(letter, 1) | (u64::from(digit) << 56), 8);
            }
            (key, _) => self.number(key, value),
        }
    }
}

/// A key of one letter with its length before it and the length of its value behind it, as a word in memory order:
/// made in a register, because what is stored in pieces cannot be loaded at once without waiting.
#[inline]
fn letter_key(letter: u8, value_len: u32) -> u64 {
    (1 << 8) | (u64::from(letter) << 16) | (u64::from(value_len.swap_bytes()) << 24)
}

pub(crate) fn decode(header: Bytes) -> Result<Header, HeaderError> {
    let mut fields = FieldsBuilder::default();
    let mut reader = Reader::new(&header);
    match read(&mut reader, &mut fields) {
        Ok(fixed) => Ok(fixed.with(fields.build(header))),
        Err(why) => Err(HeaderError { dialect: Dialect::Binary, at: reader.at(), why }),
    }
}

fn read(reader: &mut Reader<'_>, fields: &mut FieldsBuilder) -> Result<Fixed, &'static str> {
    const CUT: &str = "it ends inside its fixed part";
    let code = i32::from(reader.i16().ok_or(CUT)?);
    let language = reader.u8().ok_or(CUT)?;
    let version = i32::from(reader.i16().ok_or(CUT)?);
    let opaque = reader.i32().ok_or(CUT)?;
    let flag = reader.i32().ok_or(CUT)?;
    let remark = usize::try_from(reader.i32().ok_or(CUT)?).map_err(|_| "a negative remark length")?;
    let remark = match remark {
        0 => None,
        length => {
            let bytes = reader.bytes(length).ok_or("the remark runs past the end")?;
            Some(Text::from_utf8(bytes).map_err(|_| "the remark is not UTF-8")?)
        }
    };
    let block = usize::try_from(reader.i32().ok_or(CUT)?).map_err(|_| "a negative length of the fields")?;
    if block != reader.rest().len() {
        return Err("the fields do not end where the header does");
    }
    fields.present = block > 0;
    // The keys and values are UTF-8 if nothing there is beyond ASCII, as nearly always.
    let ascii = reader.rest().is_ascii();
    while !reader.rest().is_empty() {
        let key_length =
            usize::try_from(reader.i16().ok_or("a field is cut")?).map_err(|_| "a negative key length")?;
        let key = span(reader, key_length, limits::FIELD_KEY_BYTES, ascii)?;
        let value_length =
            usize::try_from(reader.i32().ok_or("a field is cut")?).map_err(|_| "a negative value length")?;
        let value = span(reader, value_length, limits::FIELD_VALUE_BYTES, ascii)?;
        // Java reads what has no length as null, and a null is no field.
        if key_length > 0 && value_length > 0 {
            fields.push(key, value);
        }
        if fields.len() > limits::FIELDS {
            return Err("more fields than any command has");
        }
    }
    let language = Language(language);
    let language = if language.name().is_some() { language } else { Language::UNKNOWN };
    Ok(Fixed { kind: Kind::of(flag), code, language, version, opaque, remark })
}

#[inline]
fn span(reader: &mut Reader<'_>, length: usize, max: usize, ascii: bool) -> Result<Span, &'static str> {
    if length > max {
        return Err("a key or value longer than any has");
    }
    let at = reader.at();
    let bytes = reader.slice(length).ok_or("a field runs past the end")?;
    if !ascii && core::str::from_utf8(bytes).is_err() {
        return Err("a field is not UTF-8");
    }
    Span::header(at, length).ok_or("a field lies beyond any header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fields::Fields;
    use alloc::vec::Vec;

    fn request(fields: Fields) -> Header {
        let (kind, language) = (Kind::Request, Language::RUST);
        Header { kind, code: 14, language, version: 479, opaque: 2, remark: None, fields }
    }

    const REQUEST: &[u8] = b"\x00\x0e\x0c\x01\xdf\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x2e\
        \0\x0dconsumerGroup\0\0\0\x01g\0\x05topic\0\0\0\x01t\0\x07queueId\0\0\0\x013";

    #[test]
    fn a_request_is_written_and_read_as_java_does() {
        let header = request(Fields::from_pairs([("consumerGroup", "g"), ("topic", "t"), ("queueId", "3")]));
        let mut out = BytesMut::new();
        assert_eq!(header.encode(Dialect::Binary, 0, &mut out), Ok(Dialect::Binary));
        assert_eq!(out.get(..8), Some(&b"\0\0\0\x47\x01\0\0\x43"[..]));
        assert_eq!(out.get(8..), Some(REQUEST));
        assert_eq!(decode(Bytes::from_static(REQUEST)), Ok(header));
    }

    #[test]
    fn what_it_cannot_express_goes_as_json() {
        let unfit = [
            request(Fields::from_pairs([("topic", "")])),
            Header { code: 200_050, ..request(Fields::default()) },
            Header { code: -40_000, ..request(Fields::default()) },
        ];
        for header in unfit {
            let mut out = BytesMut::new();
            assert_eq!(header.encode(Dialect::Binary, 0, &mut out), Ok(Dialect::Json), "{header:?}");
            assert_eq!(Header::decode(Dialect::Json, out.split_off(8).freeze()), Ok(header));
        }
        let negative = Header { code: -1006, ..request(Fields::default()) };
        let mut out = BytesMut::new();
        assert_eq!(negative.encode(Dialect::Binary, 0, &mut out), Ok(Dialect::Binary));
        assert_eq!(decode(out.split_off(8).freeze()).map(|header| header.code), Ok(-1006));
    }

    #[test]
    fn every_cut_and_every_wrong_length_is_refused() {
        for length in 0..REQUEST.len() {
            assert!(decode(Bytes::copy_from_slice(&REQUEST[..length])).is_err(), "cut at {length}");
        }
        for at in [13, 17, 21, 36] {
            for wrong in [[0xff; 2], [0x7f, 0xff], [0, 0xff]] {
                let mut bytes = Vec::from(REQUEST);
                bytes[at..at + 2].copy_from_slice(&wrong);
                assert!(decode(Bytes::from(bytes)).is_err(), "{wrong:?} at {at}");
            }
        }
    }

    #[test]
    fn an_empty_value_is_absent() {
        let bytes = b"\0\x0e\x0c\x01\xdf\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x0b\0\x05topic\0\0\0\0";
        assert_eq!(decode(Bytes::from_static(bytes)), Ok(request(Fields::default())));
    }
}
