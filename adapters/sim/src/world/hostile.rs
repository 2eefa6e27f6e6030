//! What hostile or broken servers send: frames that are nonsense, answers that were tampered with, and frames that
//! never end.
//!
//! Law: a client can tell that something is wrong from whatever is changed here. What it cannot tell, such as another
//! offset in a receipt, is left alone, so that every other check goes on.
#![expect(clippy::wildcard_enum_match_arm, reason = "only the kinds of hostile input come here")]

use std::borrow::Cow;

use bytes::Bytes;

use super::link::Payload;
use super::plan::Kind;
use super::{Event, World};
use crate::codec::{self, Command, Dialect, Fields, encode};

/// The share of answers that are tampered with while such a fault is on.
const SHARE: f64 = 0.3;
/// Where a stored message with hosts of four bytes has what is damaged in it.
mod place {
    pub(super) const MAGIC: usize = 4;
    pub(super) const QUEUE: usize = 12;
    pub(super) const QUEUE_OFFSET: usize = 20;
    pub(super) const BODY_LENGTH: usize = 84;
    pub(super) const BODY: usize = 88;
}

impl World {
    /// Frames that are no answer to anything: each is survived, or ends its connection and nothing else.
    pub(super) fn nonsense(&mut self, link: usize, kind: Kind) {
        self.links[link].tampered = true;
        for _ in 0..3 {
            let frame = match kind {
                Kind::M2 => self.odd_lengths(),
                Kind::M3 => self.odd_marks(),
                Kind::M4 => self.odd_json(),
                Kind::M5 => self.odd_binary(),
                _ => self.odd_text(),
            };
            self.send_down(link, Bytes::from(frame));
        }
    }

    fn one_of<const N: usize, T: Copy>(&mut self, from: [T; N]) -> T {
        *self.random.pick(&from).expect("something to choose from")
    }

    fn stray_command(&mut self) -> Command<'static> {
        let [a, b, c, d, ..] = self.random.bits().to_le_bytes();
        let opaque = Some(i32::from_le_bytes([a, b, c, d]));
        Command { opaque, flag: 1, version: 513, language: Some(0), ..Command::default() }
    }

    /// M2: header lengths that do not fit.
    fn odd_lengths(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(&self.stray_command(), Dialect::Json, &mut frame);
        let length = self.one_of([0, 1, 0x00FF_FFFF, frame.len() - 7]);
        let [.., a, b, c] = u32::try_from(length).unwrap_or(0).to_be_bytes();
        frame[5..8].copy_from_slice(&[a, b, c]);
        frame
    }

    /// M3: types, languages, flags, codes and versions nobody knows.
    fn odd_marks(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut command = self.stray_command();
        command.code = self.one_of([-5, i32::MIN, i32::MAX, 0x7FFF]);
        command.version = self.one_of([-1, i32::MAX, 0]);
        command.flag = 1 | self.one_of([0, 4, 1 << 20, i32::MIN]);
        let dialect = self.one_of([Dialect::Json, Dialect::Binary]);
        command.language = Some(if dialect == Dialect::Binary { 200 } else { 0 });
        encode(&command, dialect, &mut frame);
        if self.random.chance(0.3) {
            frame[4] = self.one_of([2, 7, 0x7F, 0xFF]);
        }
        frame
    }

    /// M4: JSON headers that are broken, deep, huge, doubled, or of a looser dialect.
    fn odd_json(&mut self) -> Vec<u8> {
        let plain = "\"code\":0,\"flag\":1,\"opaque\":-7,\"version\":1";
        let header = match self.random.below(7) {
            0 => "{".to_owned(),
            1 => format!("{{{plain},\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500)),
            2 => format!("{{{plain},\"x\":{}", "{\"x\":".repeat(2_000)),
            3 => format!("{{{plain},\"remark\":\"{}\"}}", "y".repeat(300_000)),
            4 => format!("{{{plain},{plain},\"opaque\":99999999999}}"),
            5 => "{code:0,flag:1,opaque:-7,version:1,extFields:{1:2}}".to_owned(),
            _ => format!("{{{plain}}} and more"),
        };
        framed(0, header.as_bytes())
    }

    /// M5: binary headers with lengths inside them that are negative, zero or beyond the end.
    fn odd_binary(&mut self) -> Vec<u8> {
        let mut command = self.stray_command();
        command.remark = Some(Cow::Borrowed("why"));
        command.fields = Some(Fields(vec![(Cow::Borrowed("key"), Cow::Borrowed("value"))]));
        let mut frame = Vec::new();
        encode(&command, Dialect::Binary, &mut frame);
        // Behind the mark: code, language, version, opaque, flag, remark, the block's length, key, value.
        let at = self.one_of([21, 28, 32, 37]);
        if at == 32 {
            let length = self.one_of([-1_i16, 0, i16::MAX]);
            frame[at..at + 2].copy_from_slice(&length.to_be_bytes());
        } else {
            let length = self.one_of([-1_i32, i32::MIN, i32::MAX, 1_000]);
            frame[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        frame
    }

    /// M6: text that is no UTF-8, or that a log or a terminal should not be given as it is.
    fn odd_text(&mut self) -> Vec<u8> {
        let mut command = self.stray_command();
        command.code = 1;
        if self.random.chance(0.5) {
            command.remark = Some(Cow::Borrowed("a\0b\r\nINFO c\u{1b}[2J\u{1}d\u{2}\u{202e}"));
            let mut frame = Vec::new();
            encode(&command, Dialect::Json, &mut frame);
            return frame;
        }
        command.remark = Some(Cow::Borrowed("~~~~"));
        let dialect = self.one_of([Dialect::Json, Dialect::Binary]);
        let mut frame = Vec::new();
        encode(&command, dialect, &mut frame);
        if let Some(at) = frame.windows(4).position(|four| four == b"~~~~") {
            frame[at..at + 4].copy_from_slice(&[0xFF, 0xC0, 0x80, 0]);
        }
        frame
    }

    /// B20, B21, B22: requests that this client does not serve.
    pub(super) fn asks_client(&mut self, link: usize, kind: Kind) {
        let mut command = self.stray_command();
        let (code, flag) = match kind {
            Kind::B20 => (40, 2),
            Kind::B21 => (220, 0),
            _ => (39, self.one_of([0, 2])),
        };
        (command.code, command.flag) = (code, flag);
        let fields = [("consumerGroup", "readers"), ("group", "readers"), ("topic", super::TOPIC)];
        command.fields =
            Some(Fields(fields.map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))).to_vec()));
        let mut frame = Vec::new();
        encode(&command, Dialect::Json, &mut frame);
        self.send_down(link, Bytes::from(frame));
    }

    /// M12: a frame that claims to be as large as one may be, and comes a byte a second; nothing else comes.
    pub(super) fn starves(&mut self, link: usize) {
        self.links[link].tampered = true;
        let claim = (codec::FRAME_BYTES_MAX - 4).to_be_bytes();
        self.send_down(link, Bytes::from([&claim[..], &[0, 0, 1, 0]].concat()));
        self.links[link].starved = true;
        self.schedule(self.now + 1_000_000, Event::Trickles { link });
    }

    pub(super) fn trickles(&mut self, link: usize) {
        if self.links[link].starved && self.links[link].server_open && self.links[link].client_open {
            self.travel(link, false, Payload::Bytes(Bytes::from_static(b"{")));
            self.schedule(self.now + 1_000_000, Event::Trickles { link });
        }
    }

    /// An answer as it leaves a server that is not itself.
    pub(super) fn tamper(&mut self, link: usize, asked: i32, frame: Vec<u8>) -> Vec<u8> {
        let (client, server) = (self.links[link].client, self.links[link].server);
        let kinds: &[Kind] = match asked {
            11 | 361 => &[Kind::B14, Kind::M7, Kind::M8],
            105 => &[Kind::M10],
            _ => &[Kind::M7],
        };
        let on = kinds.iter().copied().find(|kind| self.faults.amount(*kind, client, server).is_some());
        let Some(kind) = on.filter(|_| self.random.chance(SHARE)) else { return frame };
        let whole = Bytes::from(frame.clone()).slice(4..);
        let Ok((dialect, mut command)) = codec::decode(&whole) else { return frame };
        let changed = match kind {
            Kind::B14 => self.returns_nothing(link, &mut command),
            Kind::M8 => self.damages(server, &mut command),
            Kind::M10 => self.inflates(&mut command),
            _ => self.mangles(&mut command),
        };
        if !changed {
            return frame;
        }
        self.faults.fire(kind);
        let mut frame = Vec::with_capacity(frame.len() + 64);
        encode(&command, dialect, &mut frame);
        frame
    }

    /// B14: "try again at once", or messages that are none, and no step further.
    fn returns_nothing(&mut self, link: usize, command: &mut Command<'_>) -> bool {
        let opaque = command.opaque.unwrap_or(0);
        let from = self.links[link].live.get(&opaque).and_then(|asked| asked.from);
        let (Some(from), true) = (from, matches!(command.code, 0 | 19)) else { return false };
        command.code = self.one_of([0, 20]);
        command.body = Bytes::new();
        for (name, value) in command.fields.iter_mut().flat_map(|fields| &mut fields.0) {
            if name == "nextBeginOffset" {
                *value = Cow::Owned(from.to_string());
            }
        }
        true
    }

    /// M7: a field is gone, or is no number, or one that is too large, or there twice.
    fn mangles(&mut self, command: &mut Command<'_>) -> bool {
        let Some(Fields(fields)) = &mut command.fields else { return false };
        // Texts are whatever they are; of the numbers a client can tell.
        let numbers: Vec<usize> =
            (0..fields.len()).filter(|at| fields[*at].1.parse::<i64>().is_ok()).collect();
        let Some(at) = self.random.pick(&numbers).copied() else { return false };
        let name = fields[at].0.clone();
        let odd =
            Cow::Borrowed(*self.random.pick(&["", "x", "1e3", "99999999999999999999", " 7"]).unwrap_or(&""));
        match self.random.below(3) {
            0 => drop(fields.remove(at)),
            1 => fields[at].1 = odd,
            _ => fields.push((name, odd)),
        }
        true
    }

    /// M8: one stored message is damaged; or its size, and with it all that follow.
    fn damages(&mut self, server: usize, command: &mut Command<'_>) -> bool {
        if command.code != 0 {
            return false;
        }
        let mut body = command.body.to_vec();
        let (mut starts, mut at) = (Vec::new(), 0);
        while let Some(size) = body.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            starts.push(at);
            at += usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        }
        let Some(start) = self.random.pick(&starts).copied() else { return false };
        let number = |at: usize| body[at..].first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        let (queue, offset) = (number(start + place::QUEUE) >> 32, number(start + place::QUEUE_OFFSET));
        let (at, odd) = match self.random.below(6) {
            0 => (place::MAGIC, self.one_of([0, 0xCBD4_3194, 0xDAA3_20A9])),
            1 => (place::BODY_LENGTH, self.one_of([u32::MAX, 0x8000_0000])),
            2 => (place::BODY_LENGTH, self.one_of([0x7FFF_FFFF, 0x00FF_FFFF])),
            3 => {
                let length = body[start + place::BODY_LENGTH..].first_chunk::<4>();
                let length = length.map_or(0, |bytes| u32::from_be_bytes(*bytes));
                (place::BODY + usize::try_from(length).unwrap_or(0), 0xFFFF_FFFF)
            }
            _ => (0, self.one_of([0, 1, 90, u32::MAX, 0x7FFF_FFFF])),
        };
        body[start + at..start + at + 4].copy_from_slice(&odd.to_be_bytes());
        self.checks.damage((server, i32::try_from(queue).unwrap_or(0)), offset, at == 0);
        command.body = Bytes::from(body);
        true
    }

    /// M10: a route with more of something than there can be.
    fn inflates(&mut self, command: &mut Command<'_>) -> bool {
        let Ok(text) = std::str::from_utf8(&command.body) else { return false };
        let (mark, more) = match self.random.below(3) {
            0 => (
                "\"readQueueNums\":",
                self.one_of(["2147483647,\"x\":", "40000,\"x\":", "1e9,\"x\":"]).to_owned(),
            ),
            1 => {
                let ghosts = (0..2_000).map(|at| {
                    format!("{{\"brokerAddrs\":{{0:\"10.9.9.9:1\"}},\"brokerName\":\"ghost-{at}\",\"cluster\":\"c\"}},")
                });
                ("\"brokerDatas\":[", ghosts.collect())
            }
            _ => {
                let queue = "{\"brokerName\":\"broker-0\",\"perm\":6,\"readQueueNums\":30000,\"topicSysFlag\":0,\
                             \"writeQueueNums\":30000},";
                ("\"queueDatas\":[", queue.repeat(20))
            }
        };
        let Some((before, after)) = text.split_once(mark) else { return false };
        command.body = Bytes::from(format!("{before}{mark}{more}{after}"));
        true
    }
}

/// A frame of a header alone.
fn framed(kind: u8, header: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.len()).unwrap_or(0);
    let [.., a, b, c] = length.to_be_bytes();
    [&(length + 4).to_be_bytes()[..], &[kind, a, b, c], header].concat()
}
