//! The binary encoding of a header.
//!
//! Laws: a header that this encoding would change is not written but reported as unfit; a header with bytes left over
//! is refused, because Java would read the body from there on.
//!
//! Sources: Java `RocketMQSerializable`; wire.md §2.3.

use bytes::{Bytes, BytesMut};

use super::codes::Language;
use super::fields::{Decimal, FieldSink, FieldSource, Fields, FieldsBuilder, Span};
use super::frame::FrameError;
use super::header::{Dialect, Head, Header, Kind};
use super::reader::Reader;
use super::text::Text;
use crate::limits::wire as limits;

/// Appends the header and says whether it means the same there as in JSON; if not, what was appended is void.
pub(crate) fn encode(head: &Head<'_>, fields: &impl FieldSource, out: &mut BytesMut) -> bool {
    let (Ok(code), Ok(version)) = (i16::try_from(head.code), i16::try_from(head.version)) else {
        return false;
    };
    let [c0, c1] = code.to_be_bytes();
    let [v0, v1] = version.to_be_bytes();
    let [o0, o1, o2, o3] = head.opaque.to_be_bytes();
    let [f0, f1, f2, f3] = head.kind.flag().to_be_bytes();
    out.extend_from_slice(&[c0, c1, head.language.0, v0, v1, o0, o1, o2, o3, f0, f1, f2, f3]);
    let remark = head.remark.unwrap_or_default();
    let Ok(remark_len) = u32::try_from(remark.len()) else { return false };
    out.extend_from_slice(&remark_len.to_be_bytes());
    out.extend_from_slice(remark.as_bytes());
    let place = out.len();
    out.extend_from_slice(&[0; 4]);
    let begin = out.len();
    let mut sink = BinarySink { out, fit: true };
    fields.write_fields(&mut sink);
    let fit = sink.fit;
    let Ok(block) = u32::try_from(out.len().saturating_sub(begin)) else { return false };
    if let Some(place) = out.get_mut(place..begin) {
        place.copy_from_slice(&block.to_be_bytes());
    }
    fit
}

struct BinarySink<'a> {
    out: &'a mut BytesMut,
    fit: bool,
}

impl BinarySink<'_> {
    fn pair(&mut self, key: &[u8], value: &[u8]) {
        let (Ok(key_len), Ok(value_len)) = (i16::try_from(key.len()), u32::try_from(value.len())) else {
            self.fit = false;
            return;
        };
        // A key or value of no length arrives as null.
        self.fit &= key_len != 0 && value_len != 0;
        self.out.extend_from_slice(&key_len.to_be_bytes());
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(&value_len.to_be_bytes());
        self.out.extend_from_slice(value);
    }
}

impl FieldSink for BinarySink<'_> {
    fn text(&mut self, key: &str, value: &str) {
        self.pair(key.as_bytes(), value.as_bytes());
    }

    fn int(&mut self, key: &str, value: i64) {
        self.pair(key.as_bytes(), Decimal::new(value).as_bytes());
    }
}

pub(crate) fn decode(header: Bytes) -> Result<Header, FrameError> {
    let mut reader = Reader::new(&header);
    let read = read(&mut reader);
    let at = reader.at();
    match read {
        Ok(mut decoded) => {
            let fields = core::mem::take(&mut decoded.1);
            decoded.0.fields = fields.build(header);
            Ok(decoded.0)
        }
        Err(why) => Err(FrameError::Header { dialect: Dialect::Binary, at, why }),
    }
}

fn read(reader: &mut Reader<'_>) -> Result<(Header, FieldsBuilder), &'static str> {
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
    let mut fields = FieldsBuilder::default();
    fields.present = block > 0;
    while !reader.rest().is_empty() {
        let key_length =
            usize::try_from(reader.i16().ok_or("a field is cut")?).map_err(|_| "a negative key length")?;
        let key = span(reader, key_length, limits::FIELD_KEY_BYTES)?;
        let value_length =
            usize::try_from(reader.i32().ok_or("a field is cut")?).map_err(|_| "a negative value length")?;
        let value = span(reader, value_length, limits::FIELD_VALUE_BYTES)?;
        // Java reads what has no length as null, and a null is no field.
        if key_length > 0 && value_length > 0 {
            fields.push(key, value);
        }
        if fields.len() > limits::FIELDS {
            return Err("more fields than any command has");
        }
    }
    let language =
        Some(Language(language)).filter(|language| language.name().is_some()).unwrap_or(Language::UNKNOWN);
    let header =
        Header { kind: Kind::of(flag), code, language, version, opaque, remark, fields: Fields::default() };
    Ok((header, fields))
}

fn span(reader: &mut Reader<'_>, length: usize, max: usize) -> Result<Span, &'static str> {
    if length > max {
        return Err("a key or value longer than any has");
    }
    let at = reader.at();
    let bytes = reader.slice(length).ok_or("a field runs past the end")?;
    core::str::from_utf8(bytes).map_err(|_| "a field is not UTF-8")?;
    Span::header(at, length).ok_or("a field lies beyond any header")
}
