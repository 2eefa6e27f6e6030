//! Big-endian reading from a slice that may end anywhere.
//!
//! Law: every step either yields a whole value and moves past it, or yields `None` and moves nowhere.
//!
//! Numbers are as Java `ByteBuffer` writes them, big end first and in two's complement.

use bytes::Bytes;

/// A cursor over received bytes; what it hands out are slices of them.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    /// Where the rest ends in the whole.
    end: usize,
}

macro_rules! number {
    ($($name:ident: $type:ty = $size:literal;)*) => {$(
        #[inline]
        pub(crate) fn $name(&mut self) -> Option<$type> {
            let (head, rest) = self.rest.split_first_chunk::<$size>()?;
            self.rest = rest;
            Some(<$type>::from_be_bytes(*head))
        }
    )*};
}

impl<'a> Reader<'a> {
    pub(crate) fn new(whole: &'a Bytes) -> Self {
        Self { whole, rest: whole, end: whole.len() }
    }

    /// A reader of `count` bytes of the whole, if it has them; what it hands out shares the whole.
    #[inline]
    pub(crate) fn of(whole: &'a Bytes, start: usize, count: usize) -> Option<Self> {
        let end = start.checked_add(count)?;
        Some(Self { whole, rest: whole.get(start..end)?, end })
    }

    number! {
        u8: u8 = 1;
        i16: i16 = 2;
        u16: u16 = 2;
        i32: i32 = 4;
        u32: u32 = 4;
        i64: i64 = 8;
    }

    /// Bytes from the start of the whole to here.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes as a slice that borrows.
    #[inline]
    pub(crate) fn slice(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `count` bytes as a slice that shares; shares nothing when it is empty.
    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Option<Bytes> {
        let start = self.at();
        let head = self.slice(count)?;
        Some(if head.is_empty() {
            Bytes::new()
        } else {
            self.whole.slice(start..start.saturating_add(count))
        })
    }
}
