//! A small buffer in front of a large one: a header is made of some sixty short pieces, and each costs a store here
//! where it would cost a call there.
//!
//! Law: what was put comes out in that order, whatever the lengths; dropping a stage without [`Stage::flush`] loses
//! its last pieces, so encoders end with it.

use bytes::BytesMut;

use super::fields::Decimal;

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
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        match self.buffer.get_mut(self.at..end) {
            Some(place) => {
                copy_short(place, bytes);
                self.at = end;
            }
            None => self.long(bytes),
        }
    }

    /// A number in decimal digits; most are single ones.
    #[inline]
    pub(crate) fn decimal(&mut self, value: i64) {
        match u8::try_from(value) {
            Ok(digit @ 0..=9) => self.fixed(&[b'0'.saturating_add(digit)]),
            Ok(_) | Err(_) => self.put(Decimal::new(value).as_bytes()),
        }
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

/// Copies as two overlapping words where that is enough, which needs no call.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0 => {}
        1..=3 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        4..=8 => overlapping::<4>(to, from),
        9..=16 => overlapping::<8>(to, from),
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
}
