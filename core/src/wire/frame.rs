//! Frames: four bytes of length, one of serialize type, three of header length, the header, the body.
//!
//! Laws: the same bytes give the same frames however they are cut; a frame's body and header are slices of the read
//! buffer; room is made for what was received and a little more, never for what a length field claims. After an error
//! the connection is of no use: the framer repeats the error.
//!
//! Sources: Java `NettyDecoder`, `RemotingCommand#decode`; wire.md §1.

use bytes::{Buf, Bytes, BytesMut};

use super::encoding;
use super::fields::FieldSource;
use super::header::{Dialect, EncodeError, Head, Header, HeaderError};
use crate::limits::wire as limits;

/// One remoting command: its header parsed, its body as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is, which request it belongs to, and its fields.
    pub header: Header,
    /// What follows the header; empty means that there is none.
    pub body: Bytes,
}

/// The peer sent something that is not a remoting command. The connection cannot be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is below what a frame needs, or negative.
    #[error("the peer sent a frame of length {length}, which is no frame")]
    Length {
        /// The length field.
        length: i32,
    },
    /// The frame is larger than this side accepts.
    #[error("the peer sent a frame of {bytes} bytes, more than the {max} accepted")]
    TooLarge {
        /// The frame, with its length field.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The header does not fit its frame, or is larger than this side accepts.
    #[error("the peer sent a header of {header} bytes in a frame of {frame}")]
    HeaderLength {
        /// The claimed header length.
        header: usize,
        /// The bytes after the length field.
        frame: usize,
    },
    /// The serialize type is neither JSON nor binary.
    #[error("the peer sent a frame of the unknown serialize type {0}")]
    SerializeType(u8),
    /// The header's bytes make no sense.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// What the first eight bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Encoding of the header.
    pub dialect: Dialect,
    /// Length of the header.
    pub header: usize,
    /// Length of the body.
    pub body: usize,
}

impl FrameHead {
    /// Bytes of the length field and the header mark.
    pub const BYTES: usize = 8;

    /// The bytes of the whole frame.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        Self::BYTES.saturating_add(self.header).saturating_add(self.body)
    }

    /// Reads the head of a frame without its rest; `None` while it has not come whole. A length that is refused is
    /// refused as soon as its four bytes are there.
    pub fn peek(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Self>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let Some(after) = usize::try_from(length).ok().filter(|&after| after >= 4) else {
            return Err(FrameError::Length { length });
        };
        let bytes = after.saturating_add(4);
        if bytes > frame_bytes_max {
            return Err(FrameError::TooLarge { bytes, max: frame_bytes_max });
        }
        let Some((&[kind, a, b, c], _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let dialect = Dialect::of(kind).ok_or(FrameError::SerializeType(kind))?;
        let header = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        match after.saturating_sub(4).checked_sub(header) {
            Some(body) if header <= limits::HEADER_BYTES => Ok(Some(Self { dialect, header, body })),
            Some(_) | None => Err(FrameError::HeaderLength { header, frame: after }),
        }
    }
}

impl Header {
    /// Appends length field, header mark and header of a frame whose body has `body_bytes`. Returns the encoding that
    /// was used, which is JSON where the binary one cannot express the header.
    pub fn encode(
        &self,
        dialect: Dialect,
        body_bytes: usize,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let head = Head {
            kind: self.kind,
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            remark: self.remark.as_deref(),
            map: self.fields.is_present(),
        };
        head.encode(&self.fields, dialect, body_bytes, out)
    }
}

impl Head<'_> {
    pub(crate) fn encode(
        &self,
        fields: &impl FieldSource,
        dialect: Dialect,
        body_bytes: usize,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let start = out.len();
        // One reservation for what nearly every header needs; more grows as it is written.
        out.reserve(768);
        out.extend_from_slice(&[0; FrameHead::BYTES]);
        let begin = out.len();
        let used = encoding::encode(self, fields, dialect, out);
        let header = out.len().saturating_sub(begin);
        match frame_head(used, header, body_bytes) {
            Ok(head) => {
                if let Some(place) = out.get_mut(start..begin) {
                    place.copy_from_slice(&head);
                }
                Ok(used)
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

fn frame_head(dialect: Dialect, header: usize, body: usize) -> Result<[u8; FrameHead::BYTES], EncodeError> {
    let too_long = EncodeError::Header { bytes: header, max: limits::HEADER_BYTES };
    let mark = u32::try_from(header).ok().filter(|_| header <= limits::HEADER_BYTES).ok_or(too_long)?;
    let bytes = header.saturating_add(body).saturating_add(FrameHead::BYTES);
    let too_large = EncodeError::Frame { bytes, max: limits::FRAME_BYTES };
    let length = u32::try_from(bytes.saturating_sub(4))
        .ok()
        .filter(|_| bytes <= limits::FRAME_BYTES)
        .ok_or(too_large)?;
    let [a, b, c, d] = length.to_be_bytes();
    let [_, x, y, z] = mark.to_be_bytes();
    Ok([a, b, c, d, dialect.serialize_type(), x, y, z])
}

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    frame_bytes_max: usize,
    failed: Option<FrameError>,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(limits::FRAME_BYTES)
    }
}

impl Framer {
    /// A framer that refuses frames larger than `frame_bytes_max`, length field included.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), frame_bytes_max, failed: None }
    }

    /// The buffer to append received bytes to, with room for at least `min_free` of them.
    ///
    /// Room for a large frame grows with what has come of it, so that a claimed length costs its sender as many bytes
    /// as it costs us: the buffer holds at most twice what was received of it, and `min_free`. Growing copies what has
    /// come, once for each time that it doubles.
    pub fn spare(&mut self, min_free: usize) -> &mut BytesMut {
        let received = self.buffer.len();
        if self.buffer.capacity().saturating_sub(received) < min_free {
            let missing = self.head().map_or(0, |head| head.frame_bytes().saturating_sub(received));
            let free = min_free.saturating_add(missing.min(received));
            if !self.buffer.try_reclaim(free) {
                // Not by `reserve`, which doubles what there is, be it twice as much as came already.
                let mut room = BytesMut::with_capacity(received.saturating_add(free));
                room.extend_from_slice(&self.buffer);
                self.buffer = room;
            }
        }
        &mut self.buffer
    }

    /// The next whole frame, `None` while there is none. Call it until then after every read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let frame = self.cut();
        if let Err(error) = &frame {
            self.failed = Some(error.clone());
        }
        frame
    }

    /// Bytes that were received and are not part of a frame yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    fn head(&self) -> Option<FrameHead> {
        FrameHead::peek(&self.buffer, self.frame_bytes_max).ok().flatten()
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = FrameHead::peek(&self.buffer, self.frame_bytes_max)? else { return Ok(None) };
        if self.buffer.len() < head.frame_bytes() {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(head.frame_bytes()).freeze();
        frame.advance(FrameHead::BYTES);
        let header = frame.split_to(head.header);
        // An empty tail would keep the whole buffer alive for nothing.
        let body = if frame.is_empty() { Bytes::new() } else { frame };
        Ok(Some(Frame { header: Header::decode(head.dialect, header)?, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Topic;
    use crate::wire::header::Kind;
    use crate::wire::request::{Answer, Request};
    use crate::wire::{GetRoute, ResponseCode};
    use alloc::vec::Vec;

    fn session() -> Bytes {
        let mut out = BytesMut::new();
        let request = Request::from(GetRoute { topic: Topic::new("TopicTest").expect("a topic") });
        for (opaque, dialect) in [(1, Dialect::Json), (2, Dialect::Binary)] {
            request.encode(dialect, opaque, opaque == 2, &mut out).expect("a small request");
            let answer = Answer { body: Bytes::from_static(b"hello"), ..Answer::of(ResponseCode::SUCCESS) };
            answer.encode(dialect, opaque, &mut out).expect("a small answer");
        }
        out.freeze()
    }

    fn read(framer: &mut Framer, into: &mut Vec<Frame>) {
        while let Some(frame) = framer.next_frame().expect("whole frames") {
            into.push(frame);
        }
    }

    #[test]
    fn frames_do_not_depend_on_how_the_bytes_are_cut() {
        let session = session();
        let mut whole = Vec::new();
        let mut framer = Framer::default();
        framer.spare(session.len()).extend_from_slice(&session);
        read(&mut framer, &mut whole);
        assert_eq!((whole.len(), framer.pending()), (4, 0));
        assert_eq!((whole[1].body.as_ref(), whole[2].header.kind), (&b"hello"[..], Kind::Oneway));
        for first in 0..=session.len() {
            for second in [first, session.len().midpoint(first)] {
                let mut framer = Framer::default();
                let mut frames = Vec::new();
                for piece in [&session[..first], &session[first..second], &session[second..]] {
                    framer.spare(1).extend_from_slice(piece);
                    read(&mut framer, &mut frames);
                }
                assert_eq!(frames, whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn room_follows_what_came_not_what_is_claimed() {
        let mut framer = Framer::default();
        framer.spare(16).extend_from_slice(&[0, 0xff, 0xff, 0xfc, 0, 0, 0, 2]);
        assert!(framer.spare(4096).capacity() < 16 * 1024);
        assert_eq!(framer.next_frame(), Ok(None));
    }

    #[test]
    fn room_for_a_large_frame_is_at_most_twice_what_came() {
        const FREE: usize = 4096;
        let session = session();
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        // Some small frames, the head of a large one right behind them, and pieces of it of any size.
        framer.spare(session.len() + 8).extend_from_slice(&session);
        framer.spare(8).extend_from_slice(&[0, 0xff, 0xff, 0xfc, 0, 0, 0, 2]);
        read(&mut framer, &mut frames);
        let (mut seed, mut copied) = (1_usize, 0);
        while framer.pending() < 2_000_000 {
            seed = seed.wrapping_mul(48_271) % 0x7fff_ffff;
            let (before, piece) = (framer.pending(), [1, 700, 4096, 9_000, 302_257][seed % 5]);
            let place = framer.spare(0).as_ptr();
            let buffer = framer.spare(piece.max(FREE));
            copied += if buffer.as_ptr() == place { 0 } else { before };
            assert!(buffer.capacity() <= 2 * before + piece.max(FREE), "{} for {before}", buffer.capacity());
            buffer.extend_from_slice(&alloc::vec![0; piece]);
            read(&mut framer, &mut frames);
        }
        assert_eq!(frames.len(), 4);
        assert!(copied <= 2 * framer.pending(), "{copied} bytes copied for {}", framer.pending());
    }

    #[test]
    fn what_is_no_frame_is_refused_for_good() {
        let table: [(&[u8], FrameError); 7] = [
            (&[0, 0, 0, 3], FrameError::Length { length: 3 }),
            (&[0xff; 4], FrameError::Length { length: -1 }),
            (&[1, 0, 0, 0], FrameError::TooLarge { bytes: 0x100_0004, max: 0x100_0000 }),
            (b"GET / HTTP", FrameError::TooLarge { bytes: 0x4745_5424, max: 0x100_0000 }),
            (&[0, 0, 0, 8, 2, 0, 0, 0], FrameError::SerializeType(2)),
            (&[0, 0, 0, 8, 0, 0, 0, 5], FrameError::HeaderLength { header: 5, frame: 8 }),
            (&[0, 0xf0, 0, 0, 0, 4, 0, 1], FrameError::HeaderLength { header: 0x4_0001, frame: 0xf0_0000 }),
        ];
        for (bytes, error) in table {
            let mut framer = Framer::default();
            framer.spare(16).extend_from_slice(bytes);
            assert_eq!(framer.next_frame(), Err(error.clone()));
            framer.spare(1024).extend_from_slice(&session());
            assert_eq!(framer.next_frame(), Err(error), "for good");
        }
    }
}
