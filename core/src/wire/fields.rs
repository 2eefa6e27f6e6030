//! `extFields`: the map of texts in which a request carries its parameters and a reply its results.
//!
//! Laws: keys and values are slices of the received header, or of one side buffer that holds what had to be unescaped;
//! both are UTF-8 and cut between characters, which who builds a map sees to. Reading a map allocates its index and
//! nothing else. An absent value and a null are the same thing. The last of two
//! equal keys wins, as in Java's map.
//!
//! Sources: Java `RemotingCommand#extFields`, `makeCustomHeaderToNet`; wire.md §2.8 for what numbers may look like.

use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::ops::Range;

use super::decimal::Decimal;
use super::text::Text;

/// A field that is missing, or no value of its type: the peer's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reply makes no sense at {0}")]
pub struct Malformed(pub &'static str);

/// Where a typed request or answer writes its fields; the header encoders and the signer are such.
pub trait FieldSink {
    /// Adds a text.
    fn text(&mut self, key: &str, value: &str);

    /// Adds a text that was checked when it was made; who writes bytes need not check it again.
    fn shared(&mut self, key: &str, value: &Text) {
        self.text(key, value);
    }

    /// Adds a whole number.
    fn int(&mut self, key: &str, value: i64) {
        self.text(key, Decimal::new(value).write(&mut [0; Decimal::BYTES]));
    }

    /// Adds a truth value.
    fn flag(&mut self, key: &str, value: bool) {
        self.text(key, if value { "true" } else { "false" });
    }

    /// Adds a text if there is one.
    fn option(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }
}

/// What has fields to write.
pub trait FieldSource {
    /// Writes every field once, in the order in which they shall travel.
    fn write_fields(&self, out: &mut impl FieldSink);
}

/// A slice of the header (or, by the top bit, of the side buffer).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    at: u32,
    len: u32,
}

const SIDE: u32 = 1 << 31;

impl Span {
    /// A span of the header. Headers are bounded far below the top bit; one that is not is no span.
    pub(crate) fn header(at: usize, len: usize) -> Option<Self> {
        let at = u32::try_from(at).ok().filter(|at| at & SIDE == 0)?;
        Some(Self { at, len: u32::try_from(len).ok()? })
    }

    pub(crate) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    fn side(at: usize, len: usize) -> Option<Self> {
        let span = Self::header(at, len)?;
        Some(Self { at: span.at | SIDE, len: span.len })
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Span,
    value: Span,
}

/// The fields of a received header, or fields made to be sent.
#[derive(Clone, Default)]
pub struct Fields {
    header: Bytes,
    side: Bytes,
    entries: Vec<Entry>,
    present: bool,
}

impl Fields {
    /// Fields with these entries.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut builder = FieldsBuilder::new(true);
        for (key, value) in pairs {
            builder.text(key, value);
        }
        builder.build(Bytes::new())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        core::str::from_utf8(self.value(key)?).ok()
    }

    /// The value of a key, sharing the header's buffer.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Text> {
        let span = self.entry(key)?.value;
        let (buffer, range) = self.place(span)?;
        Some(Text::known(if range.is_empty() { Bytes::new() } else { buffer.slice(range) }))
    }

    /// The value of a key that the reply makes no sense without.
    pub fn required(&self, key: &'static str) -> Result<&str, Malformed> {
        self.get(key).ok_or(Malformed(key))
    }

    /// The value of a key that the reply makes no sense without, sharing the header's buffer.
    pub fn required_text(&self, key: &'static str) -> Result<Text, Malformed> {
        self.text(key).ok_or(Malformed(key))
    }

    /// The number under a key, if there is one; what is no number of that size is the peer's mistake.
    pub fn int<T: TryFrom<i64>>(&self, key: &'static str) -> Result<Option<T>, Malformed> {
        let Some(value) = self.value(key) else { return Ok(None) };
        if value.is_empty() {
            return Ok(None);
        }
        match decimal(value).map(T::try_from) {
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) | None => Err(Malformed(key)),
        }
    }

    /// The number under a key that the reply makes no sense without.
    pub fn required_int<T: TryFrom<i64>>(&self, key: &'static str) -> Result<T, Malformed> {
        self.int(key)?.ok_or(Malformed(key))
    }

    /// Whether the value of a key reads as true: Java takes `true` in any case for it and all else for false.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.value(key).is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
    }

    /// Every key with its value, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| {
            let key = self.slice(entry.key)?;
            let shadowed = self
                .entries
                .iter()
                .skip(at.saturating_add(1))
                .any(|later| self.slice(later.key) == Some(key));
            if shadowed {
                return None;
            }
            Some((core::str::from_utf8(key).ok()?, core::str::from_utf8(self.slice(entry.value)?).ok()?))
        })
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the header had a map at all, be it empty.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.present
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let same =
            |entry: &&Entry| entry.key.len() == key.len() && self.slice(entry.key) == Some(key.as_bytes());
        self.entries.iter().rev().find(same)
    }

    fn value(&self, key: &str) -> Option<&[u8]> {
        self.slice(self.entry(key)?.value)
    }

    fn slice(&self, span: Span) -> Option<&[u8]> {
        let (buffer, range) = self.place(span)?;
        buffer.get(range)
    }

    /// Which buffer a span is of, and where in it; `None` if it ends beyond.
    #[inline]
    fn place(&self, span: Span) -> Option<(&Bytes, Range<usize>)> {
        let buffer = if span.at & SIDE == 0 { &self.header } else { &self.side };
        let at = usize::try_from(span.at & !SIDE).ok()?;
        let end = at.checked_add(span.len())?;
        (end <= buffer.len()).then_some((buffer, at..end))
    }
}

impl FieldSource for Fields {
    fn write_fields(&self, out: &mut impl FieldSink) {
        for (key, value) in self.iter() {
            out.text(key, value);
        }
    }
}

impl PartialEq for Fields {
    /// Equal as maps: order and the difference between no map and an empty one do not count.
    fn eq(&self, other: &Self) -> bool {
        self.iter().count() == other.iter().count()
            && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Collects the index of a header's fields while it is read.
#[derive(Debug, Default)]
pub(crate) struct FieldsBuilder {
    side: Vec<u8>,
    entries: Vec<Entry>,
    pub(crate) present: bool,
}

impl FieldsBuilder {
    pub(crate) const fn new(present: bool) -> Self {
        Self { side: Vec::new(), entries: Vec::new(), present }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry. The first one makes room for what a send or pull reply carries.
    #[inline]
    pub(crate) fn push(&mut self, key: Span, value: Span) {
        if self.entries.capacity() == 0 {
            self.entries = Vec::with_capacity(8);
        }
        self.entries.push(Entry { key, value });
    }

    /// Lets `write` add unescaped bytes to the side buffer and gives the span of what it added.
    pub(crate) fn aside<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Option<Span>, E> {
        let start = self.side.len();
        write(&mut self.side)?;
        Ok(Span::side(start, self.side.len().saturating_sub(start)))
    }

    pub(crate) fn build(self, header: Bytes) -> Fields {
        let side = if self.side.is_empty() { Bytes::new() } else { Bytes::from(self.side) };
        Fields { header, side, entries: self.entries, present: self.present }
    }

    fn append(&mut self, text: &str) -> Option<Span> {
        let start = self.side.len();
        self.side.extend_from_slice(text.as_bytes());
        Span::side(start, text.len())
    }
}

impl FieldSink for FieldsBuilder {
    fn text(&mut self, key: &str, value: &str) {
        if let (Some(key), Some(value)) = (self.append(key), self.append(value)) {
            self.push(key, value);
        }
    }
}

/// A number as Java's `parseLong` reads it: a sign, then ASCII digits.
fn decimal(text: &[u8]) -> Option<i64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_reads_follow_java() {
        let fields = Fields::from_pairs([
            ("a", "+7"),
            ("b", " 7"),
            ("c", ""),
            ("d", "TRUE"),
            ("e", "300"),
            ("a", "8"),
        ]);
        assert_eq!(fields.int::<i32>("a"), Ok(Some(8)), "the last of two equal keys wins");
        assert_eq!(fields.int::<i32>("b"), Err(Malformed("b")));
        assert_eq!(fields.int::<i32>("c"), Ok(None));
        assert_eq!(fields.int::<u8>("e"), Err(Malformed("e")));
        assert_eq!(fields.required_int::<i32>("x"), Err(Malformed("x")));
        assert!(fields.flag("d") && !fields.flag("a") && !fields.flag("x"));
        assert_eq!(fields.iter().count(), 5);
        assert_eq!(fields.text("e").unwrap(), "300");
    }
}
