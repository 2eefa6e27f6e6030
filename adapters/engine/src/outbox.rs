//! What one connection still has to write: encoded frames, in order.
//!
//! Laws:
//! - Bytes leave in the order in which they were put in.
//! - `started` is exactly the number of requests of which at least one byte was written; answers are not counted.
//! - A large body is never copied: it stands between the pieces around it. Small ones share one buffer, so that many
//!   frames leave in one system call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// From here on copying a body costs more than another entry in a vectored write.
const COPY_BELOW: usize = 16 * 1024;

/// Pieces offered to one system call.
const PIECES: usize = 32;

/// The buffer that is kept when everything was written; a larger one is given back.
const KEEP: usize = 256 * 1024;

/// The write buffer of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// What leaves before `tail`.
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes of `tail` that were written.
    at: usize,
    /// Where the requests begin that were not started, counted in bytes of this connection.
    starts: VecDeque<u64>,
    encoded: u64,
    written: u64,
    started: u64,
}

impl Outbox {
    /// Appends a frame: `head` writes its first part and gives what follows. If it fails it wrote nothing; such a
    /// request counts as started with the next byte, so that the count stays that of the requests taken.
    pub(crate) fn frame<E>(
        &mut self,
        is_request: bool,
        head: impl FnOnce(&mut BytesMut) -> Result<Bytes, E>,
    ) -> Result<(), E> {
        let before = self.tail.len();
        let body = head(&mut self.tail);
        if is_request {
            self.starts.push_back(self.encoded);
        }
        let body = body?;
        self.encoded += body.len() as u64;
        let head_bytes = self.tail.len() - before;
        if body.len() < COPY_BELOW {
            self.tail.extend_from_slice(&body);
        } else {
            let mut piece = self.tail.split().freeze();
            piece.advance(std::mem::take(&mut self.at));
            self.pieces.push_back(piece);
            self.pieces.push_back(body);
        }
        self.encoded += head_bytes as u64;
        Ok(())
    }

    /// What to write next; how many of `into` were filled.
    fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; PIECES]) -> usize {
        let mut filled = 0;
        let tail = self.tail.get(self.at..).filter(|tail| !tail.is_empty());
        for (slice, bytes) in into.iter_mut().zip(self.pieces.iter().map(|piece| &piece[..]).chain(tail)) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// The first `bytes` of what is left were written.
    fn advance(&mut self, mut bytes: usize) {
        self.written += bytes as u64;
        while self.starts.front().is_some_and(|start| *start < self.written) {
            self.starts.pop_front();
            self.started += 1;
        }
        while let Some(piece) = self.pieces.front_mut() {
            if bytes < piece.len() {
                piece.advance(bytes);
                return;
            }
            bytes -= piece.len();
            self.pieces.pop_front();
        }
        self.at += bytes;
        if self.at == self.tail.len() {
            self.at = 0;
            if self.tail.capacity() > KEEP {
                self.tail = BytesMut::new();
            } else {
                self.tail.clear();
            }
        }
    }

    /// Writes once.
    pub(crate) fn write_to(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let filled = self.slices(&mut pieces);
        loop {
            match write(&pieces[..filled]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    self.advance(bytes);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything left goes through `transform` and into another outbox, where its requests count as started with the
    /// first byte of what it became.
    #[cfg(feature = "tls")]
    pub(crate) fn pour_into<E>(
        &mut self,
        into: &mut Self,
        transform: impl FnOnce(&mut dyn Iterator<Item = &[u8]>, &mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = into.tail.len();
        let tail = self.tail.get(self.at..).filter(|tail| !tail.is_empty());
        let mut left = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
        transform(&mut left, &mut into.tail)?;
        into.starts.extend(self.starts.drain(..).map(|_| into.encoded));
        into.encoded += (into.tail.len() - before) as u64;
        self.pieces.clear();
        self.tail.clear();
        self.at = 0;
        self.written = self.encoded;
        Ok(())
    }

    /// Whether everything was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.encoded
    }

    /// Bytes written so far.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Requests of which at least one byte was written.
    pub(crate) const fn started(&self) -> u64 {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn put(outbox: &mut Outbox, request: bool, head: &[u8], body: usize) {
        let Ok(()) = outbox.frame::<Infallible>(request, |out| {
            out.extend_from_slice(head);
            Ok(Bytes::from(vec![b'b'; body]))
        });
    }

    /// Writes once, at most `most` bytes.
    fn write(outbox: &mut Outbox, most: usize) -> Vec<u8> {
        let mut written = Vec::new();
        let wrote = outbox.write_to(|pieces| {
            for piece in pieces {
                let room = (most - written.len()).min(piece.len());
                written.extend(&piece[..room]);
            }
            Ok(written.len())
        });
        wrote.unwrap();
        written
    }

    #[test]
    fn bytes_leave_in_order_however_they_are_cut() {
        for step in [1, 2, 3, 5, 7, 1000, 16_383, 16_384, 16_385, 1 << 20] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for (round, size) in
                [3, 0, COPY_BELOW, 1, COPY_BELOW + 1, COPY_BELOW - 1, 2].into_iter().enumerate()
            {
                let head = [round as u8; 4];
                put(&mut outbox, true, &head, size);
                expected.extend(head);
                expected.extend(vec![b'b'; size]);
            }
            let mut written: Vec<u8> = Vec::new();
            while !outbox.is_empty() {
                written.extend(write(&mut outbox, step));
            }
            assert!(written == expected, "cut into {step}");
            assert_eq!(outbox.started(), 7);
        }
    }

    #[test]
    fn a_request_has_started_with_its_first_byte() {
        let mut outbox = Outbox::default();
        put(&mut outbox, true, b"12", 2);
        put(&mut outbox, false, b"answer", 0);
        put(&mut outbox, true, b"34", COPY_BELOW);
        let mut started = vec![outbox.started()];
        for step in [1, 3, 6, 1, COPY_BELOW] {
            write(&mut outbox, step);
            started.push(outbox.started());
        }
        assert_eq!(started, [0, 1, 1, 1, 2, 2]);
        put(&mut outbox, true, b"56", 0);
        assert_eq!(outbox.started(), 2);
        write(&mut outbox, 2 + 1);
        assert_eq!(outbox.started(), 3);
    }

    #[test]
    fn what_cannot_be_said_leaves_no_trace() {
        let mut outbox = Outbox::default();
        put(&mut outbox, true, b"1", 0);
        assert_eq!(outbox.frame(true, |_| Err("too large")), Err("too large"));
        put(&mut outbox, true, b"2", 0);
        assert_eq!(write(&mut outbox, 1), b"1");
        assert_eq!(outbox.started(), 1);
        assert_eq!(write(&mut outbox, 9), b"2");
    }
}
