//! One proxied connection: for each direction a thread that reads frames and one that writes them when they are due.
//!
//! All look up every few milliseconds whether the connection shall end, so that a reset needs no third party: when all
//! are done the sockets close, with a zero linger time when the end is a reset. What was read before an orderly end is
//! still delivered; a reset loses it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use serde_json::json;

use super::{Fault, Shared, Way, Weather};
use crate::raw::{Packet, frame};

const LOOK_UP_EVERY: Duration = Duration::from_millis(5);
const ROUTE: i32 = 105;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// What the threads of a connection share.
pub(super) struct Line<'a> {
    client: TcpStream,
    server: TcpStream,
    end: AtomicU8,
    generation: u64,
    /// What shall happen to replies, by opaque.
    awaited: Mutex<BTreeMap<i32, Awaited>>,
    shared: &'a Shared,
}

/// Bytes and the time to write them.
struct Due(Instant, Vec<u8>);

enum Awaited {
    Route,
    Drop,
    Reset,
}

/// A socket that gives up reading when the connection shall end.
struct Patient<'a, 'b>(&'a TcpStream, &'a Line<'b>);

impl Read for Patient<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.1.is_over() {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
                outcome => return outcome,
            }
        }
    }
}

impl<'a> Line<'a> {
    /// Dials the server and carries frames until one side ends. A server that cannot be reached is a closed connection.
    pub(super) fn run(client: TcpStream, shared: &'a Shared) {
        let Ok(server) = TcpStream::connect(&shared.upstream) else {
            return;
        };
        for stream in [&client, &server] {
            let ready = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(LOOK_UP_EVERY)));
            if ready.is_err() {
                return;
            }
        }
        let generation = shared.state().generation;
        let line =
            Self { client, server, end: AtomicU8::new(OPEN), generation, awaited: Mutex::default(), shared };
        thread::scope(|scope| {
            let (to_server, for_server) = channel();
            let (to_client, for_client) = channel();
            let answers = to_client.clone();
            let line = &line;
            scope.spawn(move || line.write(Way::There, &for_server));
            scope.spawn(move || line.write(Way::Back, &for_client));
            scope.spawn(move || line.read(&line.client, |packet| line.there(packet, &to_server, &answers)));
            line.read(&line.server, |packet| line.back(packet, &to_client));
        });
        if line.end.load(Ordering::SeqCst) == RESET {
            let linger = no_linger();
            for stream in [&line.client, &line.server] {
                // It fails when the peer closed the connection already, and then there is nothing to reset.
                let _ = setsockopt(stream, sockopt::Linger, &linger);
            }
        } else {
            // Closing with unread bytes would be a reset; the peer shall see an orderly end.
            let _ = line.client.shutdown(Shutdown::Write);
        }
    }

    fn is_over(&self) -> bool {
        if self.shared.state().generation != self.generation {
            self.finish(RESET);
        }
        self.end.load(Ordering::SeqCst) != OPEN
    }

    fn finish(&self, how: u8) {
        // The first reason wins.
        let _ = self.end.compare_exchange(OPEN, how, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn read(&self, from: &TcpStream, pass: impl Fn(&Packet)) {
        let mut from = Patient(from, self);
        while let Ok(Some(packet)) = Packet::read(&mut from) {
            pass(&packet);
            if self.is_over() {
                break;
            }
        }
        self.finish(CLOSED);
    }

    fn there(&self, packet: &Packet, to_server: &Sender<Due>, to_client: &Sender<Due>) {
        if packet.is_response() {
            return self.queue(Way::There, packet.bytes.clone(), to_server);
        }
        let await_reply = |what| {
            self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(packet.opaque, what);
        };
        match self.ordered(packet.code) {
            None if packet.code == ROUTE => await_reply(Awaited::Route),
            None => {}
            Some(Fault::DropReply) => await_reply(Awaited::Drop),
            Some(Fault::ResetBeforeReply) => await_reply(Awaited::Reset),
            Some(Fault::DropRequest) => return,
            Some(Fault::ResetBefore) => return self.finish(RESET),
            Some(Fault::Answer(code, remark)) => {
                let header = json!({
                    "code": code, "flag": 1, "language": "JAVA", "opaque": packet.opaque, "remark": remark,
                    "serializeTypeCurrentRPC": "JSON", "version": 513,
                });
                return self.queue(Way::Back, frame(&header, b""), to_client);
            }
        }
        self.queue(Way::There, packet.bytes.clone(), to_server);
    }

    fn back(&self, packet: &Packet, to_client: &Sender<Due>) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let what = packet.is_response().then(|| awaited.remove(&packet.opaque)).flatten();
        drop(awaited);
        match what {
            None => self.queue(Way::Back, packet.bytes.clone(), to_client),
            Some(Awaited::Drop) => {}
            Some(Awaited::Reset) => self.finish(RESET),
            Some(Awaited::Route) => {
                let map = self.shared.state().map.clone();
                let text = String::from_utf8_lossy(packet.body()).into_owned();
                // With the closing quote, so that one port is not the beginning of another.
                let text = map
                    .iter()
                    .fold(text, |text, (from, to)| text.replace(&format!("{from}\""), &format!("{to}\"")));
                self.queue(Way::Back, packet.with_body(text.as_bytes()), to_client);
            }
        }
    }

    fn ordered(&self, code: i32) -> Option<Fault> {
        let mut state = self.shared.state();
        *state.seen.entry(code).or_default() += 1;
        let at = state.faults.iter().position(|order| order.code == code)?;
        let order = &mut state.faults[at];
        if order.pass > 0 {
            order.pass -= 1;
            return None;
        }
        order.times -= 1;
        let fault = order.fault.clone();
        if order.times == 0 {
            state.faults.remove(at);
        }
        *state.hits.entry(code).or_default() += 1;
        Some(fault)
    }

    fn queue(&self, way: Way, bytes: Vec<u8>, to: &Sender<Due>) {
        let weather = self.weather(way);
        if !weather.black_hole {
            // The writer is gone only when the connection is over.
            let _ = to.send(Due(Instant::now() + weather.latency, bytes));
        }
    }

    fn write(&self, way: Way, from: &Receiver<Due>) {
        let mut to = match way {
            Way::There => &self.server,
            Way::Back => &self.client,
        };
        while let Ok(Due(at, bytes)) = from.recv() {
            let Weather { bandwidth, slice, .. } = self.weather(way);
            let piece = match (slice, bandwidth) {
                (0, 0) => bytes.len(),
                (0, bandwidth) => bandwidth.div_ceil(100),
                (slice, _) => slice,
            };
            let mut at = at;
            for piece in bytes.chunks(piece.max(1)) {
                if !self.wait_until(at) || to.write_all(piece).is_err() {
                    return self.finish(CLOSED);
                }
                if bandwidth > 0 {
                    at = Instant::now() + Duration::from_secs_f64(piece.len() as f64 / bandwidth as f64);
                }
            }
        }
    }

    fn weather(&self, way: Way) -> Weather {
        let state = self.shared.state();
        match way {
            Way::There => state.there.clone(),
            Way::Back => state.back.clone(),
        }
    }

    /// Sleeps in naps, for the connection may be reset meanwhile; `false` when it was.
    fn wait_until(&self, at: Instant) -> bool {
        loop {
            // Looks whether the generation changed, too.
            if self.is_over() && self.end.load(Ordering::SeqCst) == RESET {
                return false;
            }
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// Linger for no time: a close becomes a reset.
fn no_linger() -> nix::libc::linger {
    nix::libc::linger { l_onoff: 1, l_linger: 0 }
}
