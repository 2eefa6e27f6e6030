//! How much may be under way: messages and bytes admitted, and who waits for room.
//!
//! Laws: what is admitted never exceeds the bounds, except that one message is always admitted; room is granted in
//! the order it was asked for; nobody overtakes who waits; a grant is used or given back.

use alloc::collections::{BTreeMap, VecDeque};

use crate::config::SendConfig;
use crate::cx::Cx;
use crate::error::SendError;
use crate::event::{Outcome, Output};
use crate::ids::Ticket;

use crate::error::Stored;

/// Bounds, and the queue of those who wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    messages: usize,
    bytes: usize,
    waiting: VecDeque<(Ticket, usize)>,
    granted: BTreeMap<Ticket, usize>,
    closed: bool,
}

impl Admission {
    fn fits(&self, config: &SendConfig, bytes: usize) -> bool {
        let fits = self.messages < config.admitted_messages
            && self.bytes.saturating_add(bytes) <= config.admitted_bytes;
        fits || self.messages == 0
    }

    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// Takes room for a message, which may have been granted to its ticket before.
    pub(crate) fn admit(&mut self, cx: &mut Cx, ticket: Ticket, bytes: usize) -> bool {
        if let Some(granted) = self.granted.get(&ticket).copied() {
            let bytes_then = (self.bytes - granted).saturating_add(bytes);
            if bytes > granted && bytes_then > cx.config.send.admitted_bytes && self.messages > 1 {
                // More than was reserved, and there is no room for more.
                self.give_up(cx, ticket);
                return false;
            }
            self.granted.remove(&ticket);
            self.bytes = bytes_then;
            self.grant(cx); // it may need less than was reserved
            return true;
        }
        if !self.waiting.is_empty() || !self.fits(&cx.config.send, bytes) {
            return false;
        }
        self.add(bytes);
        true
    }

    /// Waits for room; ends in `Outcome::Room`.
    pub(crate) fn wait(&mut self, cx: &mut Cx, ticket: Ticket, bytes: usize) {
        if self.closed {
            let closed = Err(SendError::Closed(Stored::No));
            cx.out.push_back(Output::Done(ticket, Outcome::Room(closed)));
            return;
        }
        self.waiting.push_back((ticket, bytes));
        self.grant(cx);
    }

    /// Room that was granted to one ticket belongs to another from now on.
    pub(crate) fn hand_on(&mut self, from: Ticket, to: Ticket) {
        if let Some(bytes) = self.granted.remove(&from) {
            self.granted.insert(to, bytes);
        }
    }

    /// Nobody wants that room any more. A wait for it ends.
    pub(crate) fn give_up(&mut self, cx: &mut Cx, ticket: Ticket) {
        let waiting = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        if self.waiting.len() < waiting {
            let closed = Err(SendError::Closed(Stored::No));
            cx.out.push_back(Output::Done(ticket, Outcome::Room(closed)));
        }
        if let Some(bytes) = self.granted.remove(&ticket) {
            self.release(cx, bytes);
        } else {
            self.grant(cx);
        }
    }

    /// A message is no longer under way.
    pub(crate) fn release(&mut self, cx: &mut Cx, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.grant(cx);
    }

    fn grant(&mut self, cx: &mut Cx) {
        while let Some((ticket, bytes)) = self.waiting.front().copied()
            && self.fits(&cx.config.send, bytes)
        {
            self.waiting.pop_front();
            self.add(bytes);
            self.granted.insert(ticket, bytes);
            cx.out.push_back(Output::Done(ticket, Outcome::Room(Ok(()))));
        }
    }

    /// Whoever waits hears that it is over.
    pub(crate) fn close(&mut self, cx: &mut Cx) {
        self.closed = true;
        for (ticket, _) in self.waiting.drain(..) {
            let closed = Err(SendError::Closed(Stored::No));
            cx.out.push_back(Output::Done(ticket, Outcome::Room(closed)));
        }
    }

    pub(crate) fn check(&self, config: &SendConfig, sends: usize, bytes: usize) {
        assert_eq!(self.messages, sends + self.granted.len(), "S4: what is admitted is under way or granted");
        assert_eq!(self.bytes, bytes + self.granted.values().sum::<usize>(), "bytes admitted are counted");
        assert!(self.messages <= config.admitted_messages.max(1), "R1: admission is bounded");
        assert!(self.bytes <= config.admitted_bytes || self.messages <= 1, "R1: so are its bytes");
        let first = self.waiting.front();
        assert!(first.is_none_or(|(_, bytes)| !self.fits(config, *bytes)), "L7: who waits has no room");
    }
}
