//! One connection's requests: what waits to be written, what was taken by the wire and awaits its reply.
//!
//! Laws:
//! - A request belongs to the link until the wire takes it; what was never taken is provably not executed.
//! - Requests are taken in the order they were made, except that sends let everything else pass.
//! - An opaque is not used again while its reply may still come: a forgotten request keeps its place until then.
//! - A reply ends the one request that was taken on this connection with that opaque, or nothing at all.
//! - Every request ends once: by its reply, by being forgotten, or when the link is taken apart.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::handles::SendId;
use crate::ids::{ConsumerId, QueueId, Ticket, TopicId};
use crate::slab::{Key, SHORT_MAX, Slab};
use crate::time::Instant;
use crate::timers::Timer;
use crate::wire::{Answer, Dialect, Frame, Kind, Request};

/// Why a request was made: where its end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Is a name server there?
    Connect,
    /// A topic's route.
    Route(TopicId),
    /// A request by its parts, for whoever holds the ticket.
    Raw(Ticket),
    /// Is a connection that carries no heartbeats alive?
    Probe,
    /// An attempt of a send.
    Send(SendId),
    /// Where to begin reading a queue; of this generation of it.
    Locate(ConsumerId, QueueId, u32),
    /// Messages of a queue; of this generation of it.
    Pull(ConsumerId, QueueId, u32),
    /// The queue was read up to this offset.
    Commit(ConsumerId, QueueId, i64),
    /// We are here, and these are our groups. Also the probe of a connection that went silent.
    Heartbeat,
    /// A group has no member here any more.
    Unregister,
}

/// What became of a request that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nobody took it: it was not and will not be executed.
    Unsent,
    /// The wire took it: it may be executed.
    Sent,
    /// It had already ended.
    Gone,
}

/// A request in the link's care.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) purpose: Purpose,
    /// Fires `Alarm::Call`; sends have their own alarm in the producer.
    pub(crate) timer: Option<Timer>,
    /// Until it is taken.
    request: Option<Request>,
    /// The how-manieth request taken on this connection, and as which opaque.
    taken: Option<(u64, Key)>,
    /// A pull that the broker may hold does not count as work in flight.
    held: bool,
}

/// What waits to be written.
#[derive(Clone, Debug)]
enum Waiting {
    Call(Key),
    Answer(i32, Answer),
}

impl Waiting {
    fn call(self) -> Option<Key> {
        match self {
            Self::Call(key) => Some(key),
            Self::Answer(..) => None,
        }
    }
}

/// One taken request, by its opaque.
#[derive(Clone, Copy, Debug)]
enum Flying {
    Call(Key),
    /// Given up; its reply will be counted and dropped.
    Forgotten,
}

/// What leaves through the wire, to be encoded there.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The request's number on this connection, or that of the request answered.
    pub opaque: i32,
    /// The header encoding this peer reads.
    pub dialect: Dialect,
    /// What to encode.
    pub what: What,
}

/// A request or an answer.
#[derive(Clone, Debug)]
pub enum What {
    /// A request that is answered.
    Call(Request),
    /// Our answer to a request of the peer.
    Answer(Answer),
}

/// What a frame turned out to be.
pub(crate) enum Heard {
    /// The end of a request.
    Reply(Call, Frame),
    /// A request of the peer.
    Asked(Frame),
    /// A reply to a request that was given up.
    Late,
    /// A reply to nothing.
    Stray,
}

/// The requests of one connection, from before it is up until it is lost.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    calls: Slab<Call>,
    flying: Slab<Flying>,
    /// What goes first.
    waiting: VecDeque<Waiting>,
    /// Sends, which wait while too much is in flight: a heartbeat or a commit must not wait with them.
    sends: VecDeque<Key>,
    taken: u64,
    held: usize,
    forgotten: usize,
    heard_at: Instant,
    dialect: Option<Dialect>,
    version: Option<i32>,
    told_ready: bool,
    /// Requests in flight before no more sends are taken.
    bound: usize,
}

/// Of the brokers that answer with at least this version, binary headers are read (MQVersion V4_9_0).
const BINARY_SINCE: i32 = 393;

impl Link {
    /// A link on which nothing was asked yet.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            calls: Slab::default(),
            flying: Slab::default(),
            waiting: VecDeque::new(),
            sends: VecDeque::new(),
            taken: 0,
            held: 0,
            forgotten: 0,
            heard_at: Instant::ZERO,
            dialect: None,
            version: None,
            told_ready: false,
            bound: bound.max(1),
        }
    }

    /// Puts a request behind what waits already.
    pub(crate) fn call(&mut self, purpose: Purpose, request: Request, held: bool) -> Key {
        let call = Call { purpose, timer: None, request: Some(request), taken: None, held };
        let key = self.calls.insert(call);
        if matches!(purpose, Purpose::Send(_)) {
            self.sends.push_back(key);
        } else {
            self.waiting.push_back(Waiting::Call(key));
        }
        key
    }

    /// Puts an answer to a request of the peer behind what waits already.
    pub(crate) fn answer(&mut self, opaque: i32, answer: Answer) {
        self.waiting.push_back(Waiting::Answer(opaque, answer));
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.calls.get(key).is_some()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Call> {
        self.calls.get_mut(key)
    }

    /// Whether the wire should be told now that something waits; says so once until something is taken.
    pub(crate) fn should_tell(&mut self) -> bool {
        let tell = !self.told_ready && self.may_take();
        self.told_ready |= tell;
        tell
    }

    fn may_take(&self) -> bool {
        !self.waiting.is_empty() || (!self.sends.is_empty() && self.in_flight() < self.bound)
    }

    /// Hands over what waits, about `budget` bytes of it, to be written in this order.
    pub(crate) fn take(&mut self, mut budget: usize, into: &mut VecDeque<Outgoing>) {
        self.told_ready = false;
        while budget > 0 && self.may_take() && self.flying.len() < SHORT_MAX {
            let dialect = self.dialect.unwrap_or(Dialect::Json);
            let next = self.waiting.pop_front().or_else(|| self.sends.pop_front().map(Waiting::Call));
            let outgoing = match next {
                None => return,
                Some(Waiting::Answer(opaque, answer)) => {
                    Outgoing { opaque, dialect, what: What::Answer(answer) }
                }
                Some(Waiting::Call(key)) => {
                    let Some(call) = self.calls.get_mut(key) else { continue }; // withdrawn
                    let Some(request) = call.request.take() else { continue };
                    let flying = self.flying.insert(Flying::Call(key));
                    let Some(opaque) = flying.short() else { return };
                    call.taken = Some((self.taken, flying));
                    self.taken += 1;
                    self.held += usize::from(call.held);
                    Outgoing { opaque, dialect, what: What::Call(request) }
                }
            };
            budget = budget.saturating_sub(outgoing.bytes_about());
            into.push_back(outgoing);
        }
        // What stays behind is taken when this is asked again, or told anew when a reply makes room.
    }

    /// Finds out what a frame is. What it says of the peer's version decides the encoding from now on.
    pub(crate) fn hear(&mut self, now: Instant, frame: Frame, of_broker: bool) -> Heard {
        self.heard_at = now;
        if frame.header.kind != Kind::Response {
            return Heard::Asked(frame);
        }
        let Some(flying) = self.flying.find_short(frame.header.opaque) else { return Heard::Stray };
        if self.version.is_none() {
            self.version = Some(frame.header.version);
            let binary = of_broker && frame.header.version >= BINARY_SINCE;
            self.dialect = Some(if binary { Dialect::Binary } else { Dialect::Json });
        }
        match self.flying.remove(flying) {
            Some(Flying::Call(key)) => {
                let Some(call) = self.calls.remove(key) else { return Heard::Stray };
                self.held -= usize::from(call.held);
                Heard::Reply(call, frame)
            }
            Some(Flying::Forgotten) => {
                self.forgotten -= 1;
                Heard::Late
            }
            None => Heard::Stray,
        }
    }

    /// Gives a request up: withdraws it if it can be, else forgets whom its reply would be for.
    pub(crate) fn forget(&mut self, key: Key) -> (Fate, Option<Call>) {
        let Some(call) = self.calls.remove(key) else { return (Fate::Gone, None) };
        let fate = match call.taken {
            None => {
                // Nobody may take for a long time; what was given up must not pile up meanwhile.
                while matches!(self.waiting.front(), Some(Waiting::Call(key)) if self.calls.get(*key).is_none())
                {
                    self.waiting.pop_front();
                }
                while self.sends.front().is_some_and(|key| self.calls.get(*key).is_none()) {
                    self.sends.pop_front();
                }
                Fate::Unsent
            }
            Some((_, flying)) => {
                if let Some(entry) = self.flying.get_mut(flying) {
                    *entry = Flying::Forgotten;
                    self.forgotten += 1;
                    self.held -= usize::from(call.held);
                }
                Fate::Sent
            }
        };
        (fate, Some(call))
    }

    /// Splits off what was taken, which is waited for on the connection that took it. What nobody took stays and goes
    /// over the next connection. Answers that were not taken are dropped: whoever asked is going away.
    pub(crate) fn renew(&mut self) -> Self {
        let mut old = core::mem::replace(self, Self::new(self.bound));
        let taken = old.calls.split_off(|call| call.taken.is_some());
        self.calls = core::mem::replace(&mut old.calls, taken);
        self.waiting = core::mem::take(&mut old.waiting);
        self.waiting.retain(|waiting| matches!(waiting, Waiting::Call(_)));
        self.sends = core::mem::take(&mut old.sends);
        old
    }

    /// Gives back the sends that nobody took, in the order they were made: another broker may have them.
    pub(crate) fn withdraw_sends(&mut self) -> Vec<Call> {
        let sends = core::mem::take(&mut self.sends);
        sends.into_iter().filter_map(|key| self.calls.remove(key)).collect()
    }

    /// Gives back the heartbeats that nobody took: what they say may be out of date.
    pub(crate) fn withdraw_heartbeats(&mut self) -> Vec<Call> {
        let calls = &self.calls;
        let heartbeat = |key: &Key| calls.get(*key).is_some_and(|call| call.purpose == Purpose::Heartbeat);
        let mut keys = Vec::new();
        self.waiting.retain(|waiting| match waiting {
            Waiting::Call(key) if heartbeat(key) => {
                keys.push(*key);
                false
            }
            Waiting::Call(_) | Waiting::Answer(..) => true,
        });
        keys.into_iter().filter_map(|key| self.calls.remove(key)).collect()
    }

    /// Takes the link apart: every request left, in the order they were made, and whether a byte of it was written.
    pub(crate) fn into_calls(self, started: u64) -> Vec<(Call, bool)> {
        let mut taken: Vec<(u64, Key)> =
            self.calls.iter().filter_map(|(key, call)| Some((call.taken?.0, key))).collect();
        taken.sort_unstable();
        let waiting = self.waiting.into_iter().filter_map(Waiting::call).chain(self.sends);
        let mut calls = self.calls;
        taken
            .into_iter()
            .chain(waiting.map(|key| (u64::MAX, key)))
            .filter_map(|(sequence, key)| Some((calls.remove(key)?, sequence < started)))
            .collect()
    }

    /// Taken and waited for, pulls that may be held not counted.
    pub(crate) fn in_flight(&self) -> usize {
        self.flying.len() - self.held - self.forgotten
    }

    /// Taken and unanswered, those given up included.
    pub(crate) fn unanswered(&self) -> usize {
        self.flying.len()
    }

    /// Whether what waits is the only thing this connection has to do.
    pub(crate) fn is_lone(&self) -> bool {
        self.in_flight() == 0 && self.waiting() == 1
    }

    /// When a frame last came.
    pub(crate) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Requests that wait to be taken, about.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len() + self.sends.len()
    }

    /// Nothing is left to do or to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.len() == 0 && self.waiting() == 0
    }

    pub(crate) fn check(&self) {
        let flying_calls = self.flying.iter().filter(|(_, f)| matches!(f, Flying::Call(_))).count();
        let (mut taken, mut waiting, mut held) = (0_usize, 0, 0);
        for (key, call) in self.calls.iter() {
            match call.taken {
                Some((_, flying)) => {
                    assert!(call.request.is_none(), "a taken request is the wire's");
                    assert!(
                        matches!(self.flying.get(flying), Some(Flying::Call(owner)) if *owner == key),
                        "P1: a taken request and its opaque belong to each other"
                    );
                    taken += 1;
                    held += usize::from(call.held);
                }
                None => {
                    assert!(call.request.is_some(), "a waiting request can still be written");
                    waiting += 1;
                }
            }
        }
        assert_eq!(taken, flying_calls, "every opaque of a request finds it");
        assert!(self.waiting() >= waiting, "what is not taken waits");
        assert_eq!(self.held, held, "held pulls are counted");
        assert_eq!(self.flying.len(), taken + self.forgotten, "requests given up are counted");
    }
}

impl Outgoing {
    fn bytes_about(&self) -> usize {
        const HEAD: usize = 400;
        HEAD + match &self.what {
            What::Call(request) => request.body().len(),
            What::Answer(answer) => answer.body.len(),
        }
    }
}
