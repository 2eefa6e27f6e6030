//! The JSON header (Java: `RemotingSerializable`, fastjson), read strictly as fastjson2 does and written as
//! `toJSONString` does: members in alphabetical order, nulls left out.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{Broken, Command, Fields, LANGUAGES};

pub(super) fn decode(header: &[u8]) -> Result<Command<'_>, Broken> {
    if header.trim_ascii_start().first() != Some(&b'{') {
        return Err(Broken::Json);
    }
    let read: Read<'_> = serde_json::from_slice(header).map_err(|_| Broken::Json)?;
    let language = match read.language {
        None => Some(0),
        Some(Language(known)) => known,
    };
    Ok(Command {
        code: read.code.0.unwrap_or(0),
        language,
        version: read.version.0.unwrap_or(0),
        opaque: read.opaque.map(|number| number.0.unwrap_or(0)),
        flag: read.flag.0.unwrap_or(0),
        remark: read.remark.0,
        fields: read.fields,
        body: bytes::Bytes::new(),
    })
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(default)]
    code: Int,
    #[serde(default)]
    language: Option<Language>,
    #[serde(default)]
    version: Int,
    #[serde(default)]
    opaque: Option<Int>,
    #[serde(default)]
    flag: Int,
    #[serde(default, borrow)]
    remark: Text<'a>,
    #[serde(default, borrow, rename = "extFields")]
    fields: Option<Fields<'a>>,
}

/// An int32 the way fastjson takes one: a number, or its text; null is absent.
#[derive(Default)]
pub(crate) struct Int(pub(crate) Option<i32>);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Int;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 32-bit integer")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Int, E> {
                i32::try_from(value).map(|n| Int(Some(n))).map_err(E::custom)
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Int, E> {
                i32::try_from(value).map(|n| Int(Some(n))).map_err(E::custom)
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Int, E> {
                value.parse().map(|n| Int(Some(n))).map_err(E::custom)
            }
            fn visit_unit<E: Error>(self) -> Result<Int, E> {
                Ok(Int(None))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// A language: its name (unknown ones are tolerated), or its number (unknown ones are not).
struct Language(Option<u8>);

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Language;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a language")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Language, E> {
                match u8::try_from(value) {
                    Ok(number) if usize::from(number) < LANGUAGES.len() => Ok(Language(Some(number))),
                    _ => Err(E::custom("no such language")),
                }
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Language, E> {
                Ok(Language(
                    LANGUAGES.iter().position(|name| *name == value).and_then(|at| u8::try_from(at).ok()),
                ))
            }
            fn visit_unit<E: Error>(self) -> Result<Language, E> {
                Ok(Language(None))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// Text, or a scalar whose text is meant; null is absent. Borrows where nothing is escaped.
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(value))))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(value.to_owned()))))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(if value { "true" } else { "false" }))))
            }
            fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }
        }
        from.deserialize_any(Seen)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("extFields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Text(key), Text(value))) = map.next_entry()? {
                    if let (Some(key), Some(value)) = (key, value) {
                        fields.push((key, value));
                    }
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Seen)
    }
}

pub(super) fn encode(command: &Command<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"code\":");
    number(command.code, out);
    if let Some(Fields(fields)) = &command.fields {
        out.extend_from_slice(b",\"extFields\":{");
        for (at, (key, value)) in fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            string(key, out);
            out.push(b':');
            string(value, out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b",\"flag\":");
    number(command.flag, out);
    if let Some(name) = command.language.and_then(|number| LANGUAGES.get(usize::from(number))) {
        out.extend_from_slice(b",\"language\":");
        string(name, out);
    }
    out.extend_from_slice(b",\"opaque\":");
    number(command.opaque.unwrap_or(0), out);
    if let Some(remark) = &command.remark {
        out.extend_from_slice(b",\"remark\":");
        string(remark, out);
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    number(command.version, out);
    out.push(b'}');
}

fn number(value: i32, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to memory");
}

fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is always JSON");
}
