//! JSON bodies: the dialect of Java's libraries made standard, with a bound on depth and on the number of values, and
//! then read by serde.
//!
//! Laws: what is standard JSON already is not copied. Bare keys (`{0:"a"}`) get quotes; objects as keys
//! (`{{"topic":"T"}:1}`) become the text they are; single quotes become double ones; one comma too many is dropped.
//! What comes out is at most twice as long as what went in. A body that is broken, too deep or too large is a typed
//! error before anything is built from it.
//!
//! Sources: fastjson 1.x and fastjson2 as brokers use them; wire.md §5.0.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::rpc::RpcError;
use super::words::find_either;
use crate::limits::wire as limits;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON in any dialect known.
    #[error("a JSON body is broken at byte {at}: {why}")]
    Broken {
        /// Where.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// It is nested deeper than any body.
    #[error("a JSON body is nested deeper than {max}")]
    Deep {
        /// The bound.
        max: usize,
    },
    /// It holds more values than allowed.
    #[error("a JSON body holds more than {max} values")]
    Large {
        /// The bound.
        max: usize,
    },
    /// It is JSON, but not what was asked for.
    #[error("a JSON body says something else than was asked for, at line {line}, column {column}")]
    Other {
        /// Line of the standard form.
        line: usize,
        /// Column of the standard form.
        column: usize,
    },
}

/// Reads a body of a request about one topic, group or client.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    parse_bounded(body, limits::JSON_NODES)
}

/// Reads an administrative body, which may list every topic or group of a cluster.
pub fn parse_admin<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    parse_bounded(body, limits::JSON_ADMIN_NODES)
}

fn parse_bounded<T: DeserializeOwned>(body: &[u8], nodes: usize) -> Result<T, BodyError> {
    let standard = standard(body, nodes)?;
    // Looked at once as a whole, so that no string in it is looked at again.
    let text = core::str::from_utf8(&standard)
        .map_err(|error| BodyError::Broken { at: error.valid_up_to(), why: "it is not UTF-8" })?;
    serde_json::from_str(text)
        .map_err(|error| BodyError::Other { line: error.line(), column: error.column() })
}

impl From<BodyError> for RpcError {
    fn from(_: BodyError) -> Self {
        Self::Malformed("body")
    }
}

/// Writes a body as Java does: compact, in the order of the type's members.
pub(crate) fn json(value: &impl Serialize) -> Bytes {
    // Serialising fails only for maps with keys that are no text and for writers that fail; there are neither.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

macro_rules! name {
    ($module:ident, $type:ty) => {
        /// How serde reads and writes such a name.
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub(crate) fn serialize<S: Serializer>(name: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(name.as_str())
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let name = super::Borrowed::deserialize(deserializer)?;
                <$type>::new(&name.0).map_err(D::Error::custom)
            }
        }
    };
}

name!(group, crate::ids::Group);
name!(topic, crate::ids::Topic);
name!(broker, crate::ids::BrokerName);
name!(client, crate::ids::ClientId);

/// A text that borrows from the body where nothing in it is escaped; for what is looked at and not kept.
pub(crate) struct Borrowed<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Borrowed<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Owned(text.into())))
            }
        }

        from.deserialize_str(Reader)
    }
}

/// Reads a null as the default: Java leaves out or nulls what it has not.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The body as standard JSON.
pub fn standard(body: &[u8], nodes_max: usize) -> Result<Cow<'_, [u8]>, BodyError> {
    let mut pass = Pass { body, at: 0, copied: 0, out: None, nodes: 0, nodes_max, in_key: false };
    pass.blank();
    pass.value(0)?;
    pass.blank();
    if pass.at < body.len() {
        return Err(pass.broken("text after the end"));
    }
    pass.keep();
    Ok(pass.out.map_or(Cow::Borrowed(body), Cow::Owned))
}

/// One walk over a body. `out` exists from the first difference on and then holds the standard form of
/// `body[..copied]`.
struct Pass<'a> {
    body: &'a [u8],
    at: usize,
    copied: usize,
    out: Option<Vec<u8>>,
    nodes: usize,
    nodes_max: usize,
    in_key: bool,
}

impl Pass<'_> {
    fn broken(&self, why: &'static str) -> BodyError {
        BodyError::Broken { at: self.at, why }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.step();
        }
    }

    /// Brings the standard form up to here, if there is a difference yet.
    fn keep(&mut self) {
        if let Some(out) = &mut self.out {
            out.extend_from_slice(self.body.get(self.copied..self.at).unwrap_or_default());
            self.copied = self.at;
        }
    }

    /// The standard form of everything before `at`, to be continued by hand.
    fn differ(&mut self) -> &mut Vec<u8> {
        if self.out.is_none() {
            self.out = Some(Vec::with_capacity(self.body.len().saturating_add(64)));
        }
        self.keep();
        self.out.get_or_insert_default()
    }

    /// Leaves out what lies between the standard form and here.
    fn skip(&mut self) {
        self.copied = self.at;
    }

    fn value(&mut self, depth: usize) -> Result<(), BodyError> {
        if depth > limits::JSON_DEPTH {
            return Err(BodyError::Deep { max: limits::JSON_DEPTH });
        }
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.nodes_max {
            return Err(BodyError::Large { max: self.nodes_max });
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string(),
            Some(b'\'') => self.single(),
            Some(_) | None => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), BodyError> {
        self.step();
        let mut comma = None;
        loop {
            self.blank();
            if self.peek() == Some(b'}') {
                self.close(comma);
                return Ok(());
            }
            self.key(depth)?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.broken("a colon was expected"));
            }
            self.step();
            self.blank();
            self.value(depth.saturating_add(1))?;
            comma = self.comma(b'}')?;
            if comma.is_none() {
                return Ok(());
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), BodyError> {
        self.step();
        let mut comma = None;
        loop {
            self.blank();
            if self.peek() == Some(b']') {
                self.close(comma);
                return Ok(());
            }
            self.value(depth.saturating_add(1))?;
            comma = self.comma(b']')?;
            if comma.is_none() {
                return Ok(());
            }
        }
    }

    /// After a value: the place of a comma, or `None` past the end of the object or list.
    fn comma(&mut self, end: u8) -> Result<Option<usize>, BodyError> {
        self.blank();
        match self.peek() {
            Some(b',') => {
                // What comes before the comma is brought over, so that the comma itself can still be left out.
                self.keep();
                let at = self.at;
                self.step();
                Ok(Some(at))
            }
            Some(byte) if byte == end => {
                self.step();
                Ok(None)
            }
            Some(_) | None => Err(self.broken("a comma or the end was expected")),
        }
    }

    /// At the end of an object or list, behind a comma if there was one, which is dropped.
    fn close(&mut self, comma: Option<usize>) {
        if let Some(comma) = comma {
            let end = self.at;
            self.at = comma;
            self.differ();
            self.at = end;
            self.skip();
        }
        self.step();
    }

    fn string(&mut self) -> Result<(), BodyError> {
        self.step();
        loop {
            let rest = self.body.get(self.at..).unwrap_or_default();
            let Some(found) = find_either(rest, b'"', b'\\') else {
                return Err(self.broken("a string without an end"));
            };
            let escape = rest.get(found) == Some(&b'\\');
            self.at = self.at.saturating_add(found).saturating_add(1);
            if !escape {
                return Ok(());
            }
            self.step();
        }
    }

    /// A string in single quotes gets double ones.
    fn single(&mut self) -> Result<(), BodyError> {
        self.differ().push(b'"');
        self.step();
        self.skip();
        loop {
            match self.peek() {
                None => return Err(self.broken("a string without an end")),
                Some(b'\'') => break,
                Some(b'"') => {
                    self.differ().push(b'\\');
                    self.step();
                }
                Some(b'\\') => {
                    let escape = self.at;
                    self.step();
                    if self.peek() == Some(b'\'') {
                        let quote = self.at;
                        self.at = escape;
                        self.differ();
                        self.at = quote;
                        self.skip();
                    }
                    self.step();
                }
                Some(_) => self.step(),
            }
        }
        self.differ().push(b'"');
        self.step();
        self.skip();
        Ok(())
    }

    /// A number, or one of the three words.
    fn word(&mut self) -> Result<(), BodyError> {
        let start = self.at;
        while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') = self.peek() {
            self.step();
        }
        if self.at == start { Err(self.broken("a value was expected")) } else { Ok(()) }
    }

    fn key(&mut self, depth: usize) -> Result<(), BodyError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'\'') => self.single(),
            Some(b'{') => self.object_key(depth),
            Some(_) | None => self.bare_key(),
        }
    }

    /// A key without quotes gets them.
    fn bare_key(&mut self) -> Result<(), BodyError> {
        self.differ().push(b'"');
        let start = self.at;
        while let Some(b'-' | b'_' | b'$' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') = self.peek() {
            self.step();
        }
        if self.at == start {
            return Err(self.broken("a key was expected"));
        }
        self.differ().push(b'"');
        Ok(())
    }

    /// An object as a key becomes a string of its own standard form. Such a key within such a key is refused, so that
    /// escaping happens once.
    fn object_key(&mut self, depth: usize) -> Result<(), BodyError> {
        if self.in_key {
            return Err(self.broken("an object as a key inside a key"));
        }
        self.in_key = true;
        let start = self.differ().len();
        self.value(depth.saturating_add(1))?;
        let out = self.differ();
        let key = out.split_off(start);
        out.push(b'"');
        for byte in key {
            if byte == b'"' || byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        self.in_key = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(dialect: &str, expected: &str) {
        let standard = standard(dialect.as_bytes(), 100).expect(dialect);
        assert_eq!(core::str::from_utf8(&standard), Ok(expected));
        serde_json::from_slice::<serde::de::IgnoredAny>(&standard).expect(expected);
        assert_eq!(matches!(standard, Cow::Borrowed(_)), dialect == expected, "copied only where it differs");
    }

    #[test]
    fn the_dialect_of_java_becomes_standard() {
        becomes(r#"{"a":[1,{"b":"x\"y"}],"c":null}"#, r#"{"a":[1,{"b":"x\"y"}],"c":null}"#);
        becomes(r#" { "a" : [ ] } "#, r#" { "a" : [ ] } "#);
        becomes(r#"{"t":{0:"a",-1:"b"}}"#, r#"{"t":{"0":"a","-1":"b"}}"#);
        becomes(r#"{"a":1,}"#, r#"{"a":1}"#);
        becomes(r#"[1,2,]"#, "[1,2]");
        becomes(r#"{0:{1:[2,],},}"#, r#"{"0":{"1":[2]}}"#);
        becomes(r#"{'a':'it\'s "q"'}"#, r#"{"a":"it's \"q\""}"#);
        becomes(
            r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:10,{0:"x\"y"}:1}}"#,
            r#"{"offsetTable":{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":10,"{\"0\":\"x\\\"y\"}":1}}"#,
        );
    }

    #[test]
    fn what_is_broken_deep_or_large_is_refused() {
        for broken in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":}",
            "[1 2]",
            "{\"a\":1}x",
            "\"",
            "'",
            "'\\",
            "{{{}:1}:2}",
            "{,}",
            "[,]",
        ] {
            assert!(matches!(standard(broken.as_bytes(), 100), Err(BodyError::Broken { .. })), "{broken}");
        }
        let deep = "[".repeat(100);
        assert_eq!(standard(deep.as_bytes(), 1000), Err(BodyError::Deep { max: limits::JSON_DEPTH }));
        assert_eq!(standard(b"[1,2,3]", 3), Err(BodyError::Large { max: 3 }));
    }
}
