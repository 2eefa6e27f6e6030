//! The JSON encoding of a header, read by a scanner of its own: headers are small, flat and hot, and Java's library
//! speaks a dialect.
//!
//! Laws: read in any order, with unknown members, numbers as text and values of any type; what is neither standard JSON
//! nor known from a real server is refused. A header without `code` or `opaque` is refused: zero would read as success
//! of somebody's request. Unescaped strings stay slices; unescaping goes to one buffer, never longer than the header.
//!
//! Sources: Java `RemotingSerializable` with fastjson 1.x and fastjson2; wire.md §2.2.

mod unescape;
mod write;

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::codes::Language;
use super::fields::{FieldsBuilder, Span};
use super::header::{Dialect, Fixed, Header, HeaderError, Kind};
use super::text::Text;
use super::words::find_either;
use crate::limits::wire as limits;
use unescape::unescape;

pub(crate) use write::encode;

pub(crate) fn decode(header: Bytes) -> Result<Header, HeaderError> {
    let broken = |at, why| HeaderError { dialect: Dialect::Json, at, why };
    if let Err(error) = core::str::from_utf8(&header) {
        return Err(broken(error.valid_up_to(), "it is not UTF-8"));
    }
    let mut fields = FieldsBuilder::default();
    let mut scanner = Scanner { bytes: &header, at: 0 };
    match read(&mut scanner, &header, &mut fields) {
        Ok(fixed) => Ok(fixed.with(fields.build(header))),
        Err(why) => Err(broken(scanner.at, why)),
    }
}

fn read(scanner: &mut Scanner<'_>, header: &Bytes, fields: &mut FieldsBuilder) -> Scanned<Fixed> {
    let (mut code, mut opaque, mut flag, mut version) = (None, None, None, None);
    let mut language = Language::JAVA;
    let mut remark = None;
    scanner.object(|scanner, key| {
        match key.text {
            b"code" => code = scanner.int()?,
            b"opaque" => opaque = scanner.int()?,
            b"flag" => flag = scanner.int()?,
            b"version" => version = scanner.int()?,
            b"language" => language = scanner.language()?,
            b"remark" => remark = scanner.text(header)?,
            b"extFields" => scanner.fields(fields)?,
            _ => {
                scanner.value(0)?;
            }
        }
        Ok(())
    })?;
    scanner.blank();
    if scanner.peek().is_some() {
        return Err("text after the header");
    }
    Ok(Fixed {
        kind: Kind::of(flag.unwrap_or(0)),
        code: code.ok_or("it has no code")?,
        language,
        version: version.unwrap_or(0),
        opaque: opaque.ok_or("it has no opaque")?,
        remark,
    })
}

/// A position in text that is known to be UTF-8. Everything it cuts begins and ends at an ASCII byte, so every cut is
/// UTF-8 too.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A value as written: the inside of a string, quotes excluded, or the text of anything else.
#[derive(Clone, Copy)]
struct Raw<'a> {
    at: usize,
    text: &'a [u8],
    quoted: bool,
    escaped: bool,
}

impl Raw<'_> {
    fn is_null(&self) -> bool {
        !self.quoted && self.text == b"null"
    }
}

type Scanned<T> = Result<T, &'static str>;

impl<'a> Scanner<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    #[inline]
    fn blank(&mut self) {
        // Servers write none.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.blanks();
        }
    }

    #[cold]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.step();
        }
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.step();
        }
        there
    }

    /// Walks an object; `member` is called at each value with the raw key. One comma too many at the end is forgiven,
    /// as every version of Java's reader does.
    #[inline(always)]
    fn object(&mut self, mut member: impl FnMut(&mut Self, Raw<'a>) -> Scanned<()>) -> Scanned<()> {
        self.blank();
        if !self.eat(b'{') {
            return Err("an object was expected");
        }
        loop {
            self.blank();
            if self.eat(b'}') {
                return Ok(());
            }
            let key = self.string()?;
            self.blank();
            if !self.eat(b':') {
                return Err("a colon was expected");
            }
            self.blank();
            member(self, key)?;
            self.blank();
            if !self.eat(b',') {
                return if self.eat(b'}') {
                    Ok(())
                } else {
                    Err("a comma or the end of the object was expected")
                };
            }
        }
    }

    #[inline(always)]
    fn string(&mut self) -> Scanned<Raw<'a>> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else { return Err("a string was expected") };
        self.step();
        let at = self.at;
        let whole = self.bytes.get(at..).unwrap_or_default();
        let mut length = 0_usize;
        let mut escaped = false;
        loop {
            let rest = whole.get(length..).unwrap_or_default();
            let Some(found) = find_either(rest, quote, b'\\') else {
                return Err("a string without an end");
            };
            length = length.saturating_add(found);
            if rest.get(found) == Some(&quote) {
                break;
            }
            escaped = true;
            length = length.saturating_add(2);
        }
        self.at = at.saturating_add(length).saturating_add(1);
        Ok(Raw { at, text: whole.get(..length).ok_or("a string without an end")?, quoted: true, escaped })
    }

    /// A whole number: Java takes it as text too, and cuts a fraction off. Null is no number.
    #[inline]
    fn int(&mut self) -> Scanned<Option<i32>> {
        let begin = self.at;
        let mut number = 0_i32;
        // Up to nine digits cannot be too many.
        while let Some(digit @ b'0'..=b'9') = self.peek()
            && self.at.wrapping_sub(begin) < 9
        {
            number = number.wrapping_mul(10).wrapping_add(i32::from(digit & 15));
            self.step();
        }
        if self.at > begin && matches!(self.peek(), Some(b',' | b'}')) {
            return Ok(Some(number));
        }
        self.at = begin;
        self.any_int()
    }

    fn any_int(&mut self) -> Scanned<Option<i32>> {
        let raw = self.value(0)?;
        if raw.is_null() {
            return Ok(None);
        }
        let (sign, digits) = match raw.text.split_first() {
            Some((b'-', digits)) => (-1_i64, digits),
            Some(_) => (1, raw.text),
            None => return Err("a number was expected"),
        };
        let whole = digits
            .iter()
            .position(|&byte| byte == b'.')
            .map_or(digits, |dot| digits.get(..dot).unwrap_or_default());
        if whole.is_empty() || whole.len() > 10 {
            return Err("a number of 32 bits was expected");
        }
        let mut number = 0_i64;
        for &digit in whole {
            if !digit.is_ascii_digit() {
                return Err("a number was expected");
            }
            number = number.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')));
        }
        i32::try_from(number.saturating_mul(sign)).map(Some).map_err(|_| "a number of 32 bits was expected")
    }

    fn language(&mut self) -> Scanned<Language> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            let text = self.string()?.text;
            if text == b"JAVA" {
                return Ok(Language::JAVA);
            }
            let name = core::str::from_utf8(text).unwrap_or_default();
            // An ordinal as text is what 5.4 and later read it as; before, and with any other name, it means nothing.
            let ordinal = name.parse().ok().and_then(Language::ordinal);
            return Ok(ordinal.unwrap_or_else(|| Language::named(name)));
        }
        match self.int()? {
            None => Ok(Language::UNKNOWN),
            Some(ordinal) => {
                Language::ordinal(i64::from(ordinal)).ok_or("a language beyond those that exist")
            }
        }
    }

    fn text(&mut self, header: &Bytes) -> Scanned<Option<Text>> {
        let raw = self.value(0)?;
        if raw.is_null() {
            return Ok(None);
        }
        if raw.escaped {
            let mut side = Vec::with_capacity(raw.text.len());
            unescape(raw.text, &mut side)?;
            return Ok(String::from_utf8(side).ok().map(Text::from));
        }
        Ok(Some(Text::known(if raw.text.is_empty() { Bytes::new() } else { header.slice_ref(raw.text) })))
    }

    fn fields(&mut self, fields: &mut FieldsBuilder) -> Scanned<()> {
        if self.peek() != Some(b'{') {
            return if self.value(0)?.is_null() { Ok(()) } else { Err("extFields are no object") };
        }
        fields.present = true;
        self.object(|scanner, key| {
            let value = match scanner.peek() {
                Some(b'"') => scanner.string()?,
                Some(_) | None => scanner.value(0)?,
            };
            if value.is_null() {
                return Ok(());
            }
            if fields.len() >= limits::FIELDS {
                return Err("more fields than any command has");
            }
            let key = span(key, limits::FIELD_KEY_BYTES, fields)?;
            let value = span(value, limits::FIELD_VALUE_BYTES, fields)?;
            fields.push(key, value);
            Ok(())
        })
    }

    /// Any value, as written: the inside of a string, or the text of anything else.
    fn value(&mut self, depth: usize) -> Scanned<Raw<'a>> {
        if depth > limits::HEADER_DEPTH {
            return Err("nested deeper than any header");
        }
        let at = self.at;
        match self.peek() {
            Some(b'"' | b'\'') => return self.string(),
            Some(b'{') => self.object(|scanner, _| scanner.value(depth.saturating_add(1)).map(drop))?,
            Some(b'[') => self.array(depth)?,
            Some(_) | None => {
                while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') = self.peek() {
                    self.step();
                }
            }
        }
        let text =
            self.bytes.get(at..self.at).filter(|text| !text.is_empty()).ok_or("a value was expected")?;
        Ok(Raw { at, text, quoted: false, escaped: false })
    }

    fn array(&mut self, depth: usize) -> Scanned<()> {
        self.step();
        loop {
            self.blank();
            if self.eat(b']') {
                return Ok(());
            }
            self.value(depth.saturating_add(1))?;
            self.blank();
            if !self.eat(b',') {
                return if self.eat(b']') {
                    Ok(())
                } else {
                    Err("a comma or the end of the list was expected")
                };
            }
        }
    }
}

/// Where the text of a string is: in the header, or unescaped in the side buffer.
#[inline]
fn span(raw: Raw<'_>, max: usize, fields: &mut FieldsBuilder) -> Scanned<Span> {
    let span = if raw.escaped {
        fields.aside(|side| unescape(raw.text, side))?
    } else {
        Span::header(raw.at, raw.text.len())
    };
    span.filter(|span| span.len() <= max).ok_or("a key or value longer than any has")
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
