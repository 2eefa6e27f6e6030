//! One connection between a client and a server: two pipes of bytes in order, the client's wire at one end.
//!
//! Laws: bytes arrive in the order they were written or not at all; a request whose first byte entered the pipe
//! counts as started, and no other does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use fusee_core::ids::ConnId;
use fusee_core::wire::Framer;

/// Bytes a system takes from a wire before the peer has read them.
const SEND_BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) enum Payload {
    Bytes(Bytes),
    Fin,
    Reset,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) at: u64,
    pub(super) payload: Payload,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) segments: VecDeque<Segment>,
    pub(super) bytes: usize,
    /// Nothing that is sent later arrives earlier.
    pub(super) last: u64,
    /// An arrival is in the world's queue.
    pub(super) scheduled: bool,
    /// What is due cannot pass at the moment.
    pub(super) stalled: bool,
}

impl Pipe {
    pub(super) fn push(&mut self, at: u64, payload: Payload) {
        self.last = self.last.max(at);
        if let Payload::Bytes(bytes) = &payload {
            self.bytes += bytes.len();
        }
        self.segments.push_back(Segment { at: self.last, payload });
    }

    pub(super) fn pop(&mut self, now: u64) -> Option<Payload> {
        if self.segments.front()?.at > now {
            return None;
        }
        let segment = self.segments.pop_front()?;
        if let Payload::Bytes(bytes) = &segment.payload {
            self.bytes -= bytes.len();
        }
        Some(segment.payload)
    }

    pub(super) fn clear(&mut self) {
        self.segments.clear();
        self.bytes = 0;
    }

    /// Keeps about `count` segments.
    pub(super) fn cut(&mut self, count: usize) {
        self.segments.truncate(count);
        self.bytes = self
            .segments
            .iter()
            .map(|segment| if let Payload::Bytes(bytes) = &segment.payload { bytes.len() } else { 0 })
            .sum();
    }
}

/// A frame the client's wire has taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    /// Its number among the requests taken on this connection; answers have none.
    pub(super) number: Option<u64>,
    /// The send it carries.
    pub(super) key: Option<usize>,
}

/// A request on its way, as the wire knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) code: i32,
    pub(super) at: u64,
    pub(super) key: Option<usize>,
    /// The queue a pull is for.
    pub(super) queue: Option<(usize, i32)>,
    /// From where on.
    pub(super) from: Option<i64>,
}

/// One connection.
pub(super) struct Link {
    pub(super) client: usize,
    /// Which life of the client's process.
    pub(super) life: u64,
    pub(super) conn: ConnId,
    pub(super) server: usize,
    pub(super) up: Pipe,
    pub(super) down: Pipe,
    /// The client's end is open.
    pub(super) client_open: bool,
    /// The port of the server that was dialled; it may move to another.
    pub(super) port: u16,
    /// The server answered a request on it with GO_AWAY.
    pub(super) told_to_go: bool,
    /// It came up.
    pub(super) connected: bool,
    /// The server's end is open.
    pub(super) server_open: bool,
    pub(super) framer: Framer,
    /// Bytes that reached the client.
    pub(super) received: usize,
    pub(super) queue: VecDeque<Taken>,
    pub(super) taken: u64,
    pub(super) started: u64,
    /// Requests that were taken and not answered, by their number on the wire.
    pub(super) live: BTreeMap<i32, Asked>,
    /// Requests of the server that want an answer and have none, by their number.
    pub(super) asked: BTreeSet<i32>,
    /// When the last pulls left.
    pub(super) pulls: VecDeque<u64>,
    /// What a fault did to its bytes, so that odd frames are nobody's fault.
    pub(super) tampered: bool,
    /// The server sends nothing but the bytes of one frame that never ends.
    pub(super) starved: bool,
    /// The client's end is gone, and the server does not hear of it.
    pub(super) ghost: bool,
    pub(super) up_since: u64,
    pub(super) heartbeat_at: Option<u64>,
}

impl Link {
    pub(super) fn new(client: usize, life: u64, conn: ConnId, server: usize) -> Self {
        Self {
            client,
            life,
            conn,
            server,
            up: Pipe::default(),
            down: Pipe::default(),
            client_open: true,
            port: 0,
            told_to_go: false,
            connected: false,
            server_open: false,
            framer: Framer::new(fusee_core::limits::wire::FRAME_BYTES),
            received: 0,
            queue: VecDeque::new(),
            taken: 0,
            started: 0,
            live: BTreeMap::new(),
            asked: BTreeSet::new(),
            pulls: VecDeque::new(),
            tampered: false,
            starved: false,
            ghost: false,
            up_since: 0,
            heartbeat_at: None,
        }
    }

    pub(super) const fn pipe(&mut self, up: bool) -> &mut Pipe {
        if up { &mut self.up } else { &mut self.down }
    }

    /// Bytes the system would take now, at most `piece` of them; with the send whose first byte is among them.
    pub(super) fn write(&mut self, piece: usize) -> Option<(Bytes, Vec<usize>)> {
        let mut room = SEND_BUFFER.saturating_sub(self.up.bytes).min(piece);
        let mut out = BytesMut::new();
        let mut begun = Vec::new();
        while room > 0 {
            let alone = self.queue.len() == 1;
            let Some(first) = self.queue.front_mut() else { break };
            if let Some(number) = first.number.take() {
                self.started = number + 1;
                begun.extend(first.key);
            }
            let count = first.bytes.len().min(room);
            if out.is_empty() && count == first.bytes.len() && (count == room || alone) {
                let whole = self.queue.pop_front()?;
                return Some((whole.bytes, begun));
            }
            out.extend_from_slice(&first.bytes.split_to(count));
            room -= count;
            if first.bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        (!out.is_empty()).then(|| (out.freeze(), begun))
    }
}
