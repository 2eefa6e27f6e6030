//! A small buffer in front of a large one: a header is made of some sixty short pieces, and each costs a store here
//! where it would cost a call there.
//!
//! Law: what was put comes out in that order, whatever the lengths; dropping a stage without [`Stage::flush`] loses
//! its last pieces, so encoders end with it.
//!
//! Nothing here knows the protocol; what is put follows Java `RocketMQSerializable` and `RemotingSerializable`.

use bytes::BytesMut;

use super::decimal::Decimal;

const BYTES: usize = 512;

/// Collects pieces for `out`.
pub(crate) struct Stage<'a> {
    out: &'a mut BytesMut,
    buffer: [u8; BYTES],
    at: usize,
}

impl<'a> Stage<'a> {
    pub(crate) const fn new(out: &'a mut BytesMut) -> Self {
        Self { out, buffer: [0; BYTES], at: 0 }
    }

    /// A piece of a length that is known where it is put: one store.
    #[inline]
    pub(crate) fn fixed<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some(place) = self.buffer.get_mut(self.at..).and_then(|free| free.first_chunk_mut::<N>()) {
            *place = *bytes;
            self.at = self.at.saturating_add(N);
        } else {
            self.long(bytes);
        }
    }

    /// A piece of any length.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if bytes.len() < 8 {
            return self.prefix(word(bytes), bytes.len());
        }
        let end = self.at.saturating_add(bytes.len());
        match self.buffer.get_mut(self.at..end) {
            Some(place) => {
                copy(place, bytes);
                self.at = end;
            }
            None => self.long(bytes),
        }
    }

    /// The first `count` bytes of a word in memory order: one store of all eight, and what comes next is written over
    /// the rest.
    #[inline]
    pub(crate) fn prefix(&mut self, word: u64, count: usize) {
        let bytes = word.to_le_bytes();
        if let Some(place) = self.buffer.get_mut(self.at..).and_then(|free| free.first_chunk_mut::<8>()) {
            *place = bytes;
            self.at = self.at.saturating_add(count);
        } else {
            self.long(bytes.get(..count).unwrap_or_default());
        }
    }

    /// A number in decimal digits.
    #[inline]
    pub(crate) fn decimal(&mut self, value: i64) {
        match digit(value) {
            Some(digit) => self.fixed(&[digit]),
            None => self.number(&Decimal::new(value)),
        }
    }

    /// The same, already written out.
    #[inline]
    pub(crate) fn number(&mut self, number: &Decimal) {
        number.pieces(|word, count| self.prefix(word, count));
    }

    /// What is free; who writes there says how much with [`Stage::wrote`].
    #[inline]
    pub(crate) fn free(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.at..).unwrap_or_default()
    }

    /// So many bytes of what was free are pieces now.
    #[inline]
    pub(crate) fn wrote(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(BYTES);
    }

    #[cold]
    fn long(&mut self, bytes: &[u8]) {
        self.flush();
        self.out.extend_from_slice(bytes);
    }

    /// Bytes in the large buffer and in this one.
    pub(crate) fn len(&self) -> usize {
        self.out.len().saturating_add(self.at)
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) {
        self.out.extend_from_slice(self.buffer.get(..self.at).unwrap_or_default());
        self.at = 0;
    }
}

/// A number of one digit, written out; most numbers are.
#[inline]
pub(crate) const fn digit(value: i64) -> Option<u8> {
    if 0 <= value && value <= 9 { Some(b'0' | value.to_le_bytes()[0]) } else { None }
}

/// Up to seven bytes as a word in memory order, zeros behind them; of more, the first eight.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> u64 {
    if let Some(bytes) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*bytes);
    }
    // Two halves that overlap where there are fewer than eight.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return match bytes.len() {
            4 => first,
            5 => first | (last << 8),
            6 => first | (last << 16),
            _ => first | (last << 24),
        };
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(a) | (u64::from(b) << 8),
        [a, b, c, ..] => u64::from(a) | (u64::from(b) << 8) | (u64::from(c) << 16),
    }
}

/// Copies as two overlapping pieces where that is enough, which needs no call.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => overlapping::<8>(to, from),
        17..=32 => overlapping::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn overlapping<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<N>() {
            *to = *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn pieces_of_every_length_come_out_in_order() {
        let (mut out, mut expected) = (BytesMut::new(), Vec::new());
        let text = (0..1_200_u32).map(|at| at.to_be_bytes()[3]).collect::<Vec<_>>();
        let mut stage = Stage::new(&mut out);
        for length in (0..40).chain([100, 300, 511, 512, 513, 1_200, 1, 2]) {
            stage.put(&text[..length]);
            stage.fixed(b"ab");
            expected.extend_from_slice(&text[..length]);
            expected.extend_from_slice(b"ab");
            assert_eq!(stage.len(), expected.len());
        }
        stage.flush();
        assert_eq!(out, expected);
    }

    #[test]
    fn words_hold_their_bytes_in_order() {
        for length in 0..=9 {
            let bytes = &b"abcdefghi"[..length];
            let mut padded = [0; 8];
            padded[..length.min(8)].copy_from_slice(&bytes[..length.min(8)]);
            assert_eq!(word(bytes).to_le_bytes(), padded);
        }
        assert_eq!([-1, 0, 9, 10].map(digit), [None, Some(b'0'), Some(b'9'), None]);
    }
}
