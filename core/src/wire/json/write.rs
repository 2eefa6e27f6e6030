//! Headers written as JSON.
//!
//! Law: written as Java writes it: members in alphabetical order, no blanks, absent members left out, strings escaped
//! as fastjson2 does.
//!
//! Sources: Java `RemotingSerializable` with fastjson2; wire.md §2.2.

use bytes::BytesMut;

use crate::wire::decimal::Decimal;
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::header::Head;
use crate::wire::stage::{Stage, digit, word};
use crate::wire::text::Text;
use crate::wire::words::{HIGH, first};

pub(crate) fn encode(head: &Head<'_>, fields: &impl FieldSource, out: &mut BytesMut) {
    let mut stage = Stage::new(out);
    stage.fixed(b"{\"code\":");
    stage.decimal(i64::from(head.code));
    let mut sink = JsonSink { stage: &mut stage, state: MapState::Absent };
    if head.map {
        sink.open();
    }
    fields.write_fields(&mut sink);
    sink.close();
    stage.fixed(b",\"flag\":");
    stage.decimal(i64::from(head.kind.flag()));
    if let Some(language) = head.language.name() {
        stage.fixed(b",\"language\":\"");
        stage.put(language.as_bytes());
        stage.fixed(b"\"");
    }
    stage.fixed(b",\"opaque\":");
    stage.decimal(i64::from(head.opaque));
    if let Some(remark) = head.remark {
        stage.fixed(b",\"remark\":\"");
        escape(remark.as_bytes(), &mut stage);
        stage.fixed(b"\"");
    }
    stage.fixed(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    stage.decimal(i64::from(head.version));
    stage.fixed(b"}");
    stage.flush();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MapState {
    Absent,
    Empty,
    Filled,
}

struct JsonSink<'a, 'out> {
    stage: &'a mut Stage<'out>,
    state: MapState,
}

impl JsonSink<'_, '_> {
    fn open(&mut self) {
        self.stage.fixed(b",\"extFields\":{");
        self.state = MapState::Empty;
    }

    fn close(&mut self) {
        if self.state != MapState::Absent {
            self.stage.fixed(b"}");
        }
    }

    #[inline]
    fn key(&mut self, key: &str) {
        match self.letter(key) {
            Some(word) => self.stage.prefix(word, 6),
            None => self.any_key(key),
        }
    }

    /// What a key of one letter looks like behind another entry, as a word in memory order; the keys of a send are
    /// such.
    #[inline]
    fn letter(&self, key: &str) -> Option<u64> {
        const KEY: u64 = u64::from_le_bytes(*b",\"\0\":\"\0\"");
        match (key.as_bytes(), self.state) {
            (&[letter @ b'a'..=b'z'], MapState::Filled) => Some(KEY | (u64::from(letter) << 16)),
            _ => None,
        }
    }

    #[inline(never)]
    fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        self.stage.number(&Decimal::new(value));
        self.stage.fixed(b"\"");
    }

    #[inline(never)]
    fn any_key(&mut self, key: &str) {
        match self.state {
            MapState::Filled => self.stage.fixed(b",\""),
            MapState::Empty => self.stage.fixed(b"\""),
            MapState::Absent => {
                self.open();
                self.stage.fixed(b"\"");
            }
        }
        self.state = MapState::Filled;
        escape(key.as_bytes(), self.stage);
        self.stage.fixed(b"\":\"");
    }
}

impl FieldSink for JsonSink<'_, '_> {
    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        escape(value.as_bytes(), self.stage);
        self.stage.fixed(b"\"");
    }

    fn shared(&mut self, key: &str, value: &Text) {
        self.key(key);
        escape(value.as_bytes(), self.stage);
        self.stage.fixed(b"\"");
    }

    #[inline(always)]
    fn int(&mut self, key: &str, value: i64) {
        match (self.letter(key), digit(value)) {
            (Some(word), Some(digit)) => self.stage.prefix(word | (u64::from(digit) << 48), 8),
            (Some(_) | None, _) => self.number(key, value),
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        if value { self.stage.fixed(b"true\"") } else { self.stage.fixed(b"false\"") }
    }
}

/// Puts the inside of a JSON string, escaped as fastjson2 does: control characters, quote and backslash.
fn escape(text: &[u8], stage: &mut Stage<'_>) {
    let mut rest = text;
    loop {
        let (read, written) = escape_some(rest, stage.free());
        stage.wrote(written);
        rest = rest.get(read..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        stage.flush();
    }
}

/// Escapes as much as there is room for, eight bytes at a time, and says how much it read and wrote. Each piece is
/// stored as a whole word, and the next one over what of it does not count; so no load waits for what came before.
fn escape_some(text: &[u8], to: &mut [u8]) -> (usize, usize) {
    let (mut read, mut written) = (0_usize, 0_usize);
    // A word that is all special grows by six, and its last piece is stored as eight.
    while let Some(free) = to.get_mut(written..).and_then(|free| free.first_chunk_mut::<56>()) {
        let rest = text.get(read..).unwrap_or_default();
        let count = rest.len().min(8);
        let mut bytes = word(rest);
        let mut found = special(bytes) & (u64::MAX >> (64_usize.wrapping_sub(count.wrapping_mul(8)) & 63));
        let (mut at, mut begin) = (0_usize, 0_usize);
        while found != 0 && count > 0 {
            let special = first(found);
            let plain = special.wrapping_sub(begin);
            store(free, at, bytes);
            bytes >>= plain.wrapping_mul(8) & 63;
            let (escape, length) = escaped(bytes.to_le_bytes()[0]);
            at = at.wrapping_add(plain);
            store(free, at, escape);
            at = at.wrapping_add(length);
            bytes >>= 8;
            begin = special.wrapping_add(1);
            found &= found.wrapping_sub(1);
        }
        store(free, at, bytes);
        written = written.wrapping_add(at).wrapping_add(count.wrapping_sub(begin));
        read = read.wrapping_add(count);
        if read >= text.len() {
            break;
        }
    }
    (read, written)
}

/// Stores a word where there is room for it.
#[inline]
fn store(to: &mut [u8; 56], at: usize, word: u64) {
    if let Some(place) = to.get_mut(at..).and_then(|to| to.first_chunk_mut::<8>()) {
        *place = word.to_le_bytes();
    }
}

/// What stands for a special byte, in memory order, and its length.
#[inline]
fn escaped(byte: u8) -> (u64, usize) {
    /// The length stands in the last byte.
    const TABLE: [u64; 128] = {
        let mut table = [0; 128];
        let mut byte = 0_u8;
        let mut places: &mut [u64] = &mut table;
        while let Some((place, rest)) = places.split_first_mut() {
            *place = escape_of(byte);
            byte = byte.saturating_add(1);
            places = rest;
        }
        table
    };
    let escape = TABLE.get(usize::from(byte)).copied().unwrap_or_default();
    (escape, usize::from(escape.to_le_bytes()[7]))
}

const fn escape_of(byte: u8) -> u64 {
    let letter = match byte {
        b'"' | b'\\' => byte,
        8 => b'b',
        9 => b't',
        10 => b'n',
        12 => b'f',
        13 => b'r',
        _ => return u64::from_le_bytes([b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15), 0, 6]),
    };
    u64::from_le_bytes([b'\\', letter, 0, 0, 0, 0, 0, 2])
}

const fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0'.saturating_add(digit) } else { b'a'.saturating_add(digit.saturating_sub(10)) }
}

/// The top bits of exactly those bytes of a word that are a control character, a quote or a backslash. Nothing carries
/// from one byte to the next, because the top bits are out of the sums.
#[inline]
const fn special(word: u64) -> u64 {
    const LOW: u64 = !HIGH;
    let low = word & LOW;
    let quote = (low ^ u64::from_ne_bytes([b'"'; 8])).wrapping_add(LOW);
    let backslash = (low ^ u64::from_ne_bytes([b'\\'; 8])).wrapping_add(LOW);
    // A top bit that is missing in one of the sums is a byte found, unless its own top bit says that it is no ASCII.
    let printing = low.wrapping_add(u64::from_ne_bytes([0x60; 8]));
    !((quote & backslash & printing) | word) & HIGH
}
