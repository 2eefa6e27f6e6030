//! The composition: what comes in goes to the part it concerns, what the parts want goes out.
//!
//! Laws:
//! - Every command with a ticket ends in exactly one `Output::Done` with that ticket, also when the client closes.
//! - A step either makes progress or returns a deadline; no alarm fires twice at one instant without progress.
//! - The parts never call each other: what one needs of another it pushes into the `Cx`, and this file carries it.

mod answers;
mod closing;
mod views;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, PullConfig};
use crate::connection::Connection;
use crate::consumer::Consumer;
use crate::cx::Cx;
use crate::error::{CallError, ConnectError, OpenError, RawError, RouteError};
use crate::event::{Input, Outcome, Output};
use crate::ids::{Address, ConnId, ConsumerId, Group, PeerId, ProducerId, Queue, Ticket, Topic};
use crate::link::{Fate, Link, Outgoing, Purpose};
use crate::peers::Cut;
use crate::producer::Producers;
use crate::router::Router;
use crate::time::{Instant, UnixMillis};
use crate::timers::{Alarm, Timer};
use crate::wire::Request;

use closing::Closing;
pub use views::{ConsumerMut, ProducerMut};

/// The machine.
#[derive(Clone, Debug)]
pub struct Client {
    cx: Cx,
    router: Router,
    producers: Producers,
    consumers: BTreeMap<ConsumerId, Consumer>,
    next_consumer: u32,
    heartbeat: Option<Timer>,
    /// Where a heartbeat or a probe is under way.
    probes: BTreeSet<PeerId>,
    closing: Closing,
}

impl Client {
    /// A client that does nothing until it is told to. All its random choices follow from `seed`; `unix` is the
    /// wall-clock time at `now`, only ever copied onto the wire.
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let mut cx = Cx::new(config, seed, now, unix);
        let router = Router::new(&mut cx);
        Self {
            cx,
            router,
            producers: Producers::default(),
            consumers: BTreeMap::new(),
            next_consumer: 0,
            heartbeat: None,
            probes: BTreeSet::new(),
            closing: Closing::default(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.advance_to(now);
        match input {
            Input::Time => {}
            Input::Connected(conn) => {
                if let Some(peer) = self.cx.connected(conn)
                    && self.cx.peers.is_member(peer)
                {
                    self.probes.remove(&peer); // a heartbeat that waited for the connection was withdrawn
                    self.beat(peer);
                }
            }
            Input::Lost(conn, lost) => {
                let cuts = self.cx.lost(conn, &lost);
                self.cut(cuts);
            }
            Input::Received(conn, frame) => self.received(conn, frame),
        }
        self.fire_alarms();
        self.settle();
    }

    /// What is to be done next; ask until [`Output::Wait`].
    pub fn poll(&mut self) -> Output {
        self.cx
            .out
            .pop_front()
            .unwrap_or_else(|| Output::Wait(self.cx.timers.next().unwrap_or(Instant::NEVER)))
    }

    /// Moves about `budget` bytes of what waits on a connection into `into`, to be written in this order; nothing if
    /// nothing waits. From now on these requests count as possibly executed.
    pub fn take(&mut self, conn: ConnId, budget: usize, into: &mut VecDeque<Outgoing>) {
        self.cx.peers.take(conn, budget, into);
    }

    /// Whether what waits on a connection is the only thing it has to do, so that its caller should write it itself.
    #[must_use]
    pub fn lone(&self, conn: ConnId) -> bool {
        self.cx.peers.link(conn).is_some_and(Link::is_lone)
    }

    /// Looks for one name server that answers; ends in [`Outcome::Connected`] within
    /// [`Config::connect_deadline`].
    pub fn connect(&mut self, now: Instant, ticket: Ticket) {
        self.advance_to(now);
        if self.closing.has_begun() || self.router.is_connecting() {
            let closed = Outcome::Connected(Err(ConnectError::Closed));
            return self.cx.out.push_back(Output::Done(ticket, closed));
        }
        self.router.connect(&mut self.cx, ticket);
        self.settle();
    }

    /// Asks for the readable queues of a topic; ends in [`Outcome::Queues`] within 3 s.
    pub fn queues(&mut self, now: Instant, topic: &Topic, ticket: Ticket) {
        self.advance_to(now);
        if self.closing.has_begun() {
            let closed = Outcome::Queues(Err(RouteError::Closed));
            return self.cx.out.push_back(Output::Done(ticket, closed));
        }
        let topic = self.cx.topic(topic);
        self.router.queues(&mut self.cx, topic, ticket);
        self.settle();
    }

    /// Makes this client a member of a producer group.
    ///
    /// # Errors
    /// [`OpenError`] when it is one already, or closed.
    pub fn open_producer(&mut self, now: Instant, group: Group) -> Result<ProducerId, OpenError> {
        self.advance_to(now);
        let id = self.producers.open(group)?;
        self.beat_all();
        self.settle();
        Ok(id)
    }

    /// The producer of that id.
    pub fn producer(&mut self, id: ProducerId) -> ProducerMut<'_> {
        ProducerMut { client: self, id }
    }

    /// Makes this client a member of a consumer group that reads the queues it is given.
    ///
    /// # Errors
    /// [`OpenError`] when it is one already, or closed.
    pub fn open_pull(
        &mut self,
        now: Instant,
        config: PullConfig,
        queues: &[Queue],
    ) -> Result<ConsumerId, OpenError> {
        self.advance_to(now);
        if self.closing.has_begun() {
            return Err(OpenError::Closed);
        }
        if self
            .consumers
            .values()
            .any(|consumer| consumer.config.group == config.group && !consumer.is_closing())
        {
            return Err(OpenError::GroupTaken);
        }
        let id = ConsumerId(self.next_consumer);
        self.next_consumer += 1;
        let consumer = Consumer::new(&mut self.cx, id, config, queues);
        self.consumers.insert(id, consumer);
        self.beat_all();
        self.settle();
        Ok(id)
    }

    /// The consumer of that id.
    pub fn consumer(&mut self, id: ConsumerId) -> ConsumerMut<'_> {
        ConsumerMut { client: self, id }
    }

    /// How many sends are admitted and unfinished.
    #[must_use]
    pub fn pending_sends(&self) -> usize {
        self.producers.pending()
    }

    /// The connections of this client, as they are now.
    pub fn connections(&self) -> impl Iterator<Item = Connection> + '_ {
        self.cx.peers.connections()
    }

    /// Makes any request of any address, on this client's own connection to it; ends in [`Outcome::Answered`] with
    /// whatever the peer answered, within `patience`.
    pub fn call(&mut self, now: Instant, to: &Address, request: Request, patience: Duration, ticket: Ticket) {
        self.advance_to(now);
        if self.closing.has_begun() {
            let closed = Outcome::Answered(Err(RawError { cause: CallError::Closed, sent: false }));
            return self.cx.out.push_back(Output::Done(ticket, closed));
        }
        // Nobody said that it is a broker: it hears of no groups until a route says so.
        let known = self.cx.peers.find(to);
        let peer = known.unwrap_or_else(|| {
            self.let_addresses_go();
            self.cx.peers.intern(to, false)
        });
        if known.is_none() {
            self.cx.peers.may_leave(peer);
        }
        self.cx.call(peer, Purpose::Raw(ticket), request, Some(now + patience), false);
        self.settle();
    }

    /// The addresses of the name servers, in the order they were given.
    pub fn name_servers(&self) -> impl Iterator<Item = &Address> {
        self.cx.config.name_servers.iter()
    }

    /// Checks the laws of every part. For tests and simulation, after every step.
    ///
    /// # Panics
    /// When one is broken, saying which.
    pub fn check(&self) {
        self.cx.timers.check();
        self.cx.peers.check();
        self.cx.directory.check();
        self.router.check();
        let held = self.cx.directory.addresses().chain(self.router.name_servers());
        for peer in held.chain(self.probes.iter().copied()) {
            assert!(self.cx.peers.is_known(peer), "R3: nobody holds the id of an address that was let go");
        }
        self.producers.check(&self.cx);
        for consumer in self.consumers.values() {
            consumer.check(&self.cx);
        }
        assert!(self.cx.wanted.is_empty() && self.cx.suspects.is_empty(), "a step carries every wish");
    }

    fn advance_to(&mut self, now: Instant) {
        debug_assert!(now >= self.cx.now, "the driver's clock went backwards");
        self.cx.now = self.cx.now.max(now);
    }

    /// Everything that can happen by itself.
    fn fire_alarms(&mut self) {
        while let Some(alarm) = self.cx.timers.pop_due(self.cx.now) {
            match alarm {
                Alarm::Call(call) => {
                    if let Some((purpose, fate)) = self.cx.expire(call) {
                        let peer = self.cx.peers.address(call.peer).clone();
                        let lost =
                            if fate == Fate::Unsent { self.cx.peers.last_lost(call.peer) } else { None };
                        let error = lost.unwrap_or(CallError::TimedOut { peer });
                        self.ended(purpose, call.peer, error, fate == Fate::Sent);
                    }
                }
                Alarm::Peer(peer) => {
                    let cuts = self.cx.peer_alarm(peer);
                    self.cut(cuts);
                }
                Alarm::Connect => self.router.connect_alarm(&mut self.cx),
                Alarm::Route(topic) => {
                    let is_read = self.consumers.values().any(|consumer| consumer.reads(topic));
                    self.router.route_alarm(&mut self.cx, topic, is_read);
                    self.let_topics_go();
                }
                Alarm::Heartbeat => {
                    self.heartbeat = None;
                    self.let_addresses_go();
                    self.beat_all();
                }
                Alarm::Send(send) => self.producers.alarm(&mut self.cx, send),
                Alarm::Pull(consumer, queue) => {
                    if let Some(consumer) = self.consumers.get_mut(&consumer) {
                        consumer.pull_alarm(&mut self.cx, queue);
                    }
                }
                Alarm::Commit(consumer) => {
                    if let Some(consumer) = self.consumers.get_mut(&consumer) {
                        consumer.commit_alarm(&mut self.cx);
                    }
                }
                Alarm::Poll(consumer) => {
                    if let Some(consumer) = self.consumers.get_mut(&consumer) {
                        consumer.poll_alarm(&mut self.cx);
                    }
                }
                Alarm::Close => self.close_alarm(),
            }
            self.settle();
        }
    }

    /// Lets go of a topic that nobody has used for long, if there are too many of them.
    fn let_topics_go(&mut self) {
        // At most one was added since the last time; the second makes up for one that was spared then.
        for _ in 0..2 {
            let Some(topic) = self.cx.directory.surplus() else { return };
            if self.consumers.values_mut().all(|consumer| consumer.forget(topic)) {
                for left in self.cx.directory.let_go() {
                    self.cx.peers.may_leave(left);
                }
            } else {
                self.cx.directory.spare();
            }
        }
    }

    /// Lets go of addresses that nobody names any more, once they are at rest.
    fn let_addresses_go(&mut self) {
        for peer in self.cx.peers.leaving() {
            let directory = &self.cx.directory;
            let held = |broker| self.consumers.values().any(|consumer| consumer.holds(broker));
            let is_server = self.router.name_servers().any(|server| server == peer);
            if is_server || directory.brokers_at(peer).any(|id| directory.is_named(id)) {
                self.cx.peers.stays(peer);
            } else if !directory.brokers_at(peer).any(held) {
                for gone in self.cx.let_go(peer) {
                    self.cx.directory.forget_address(gone);
                    self.probes.remove(&gone);
                }
            }
        }
    }

    /// Carries what the parts want of each other, until nothing is left.
    fn settle(&mut self) {
        loop {
            if let Some((topic, publish)) = self.cx.wanted.pop() {
                if !self.closing.is_leaving() {
                    self.router.want(&mut self.cx, topic, publish);
                }
            } else if let Some(peer) = self.cx.suspects.pop() {
                self.probe(peer);
            } else {
                break;
            }
        }
        self.retire_consumers();
        self.close_on();
    }

    fn cut(&mut self, cuts: Vec<Cut>) {
        for Cut { purpose, peer, why, sent } in cuts {
            let error = CallError::Lost { peer: self.cx.peers.address(peer).clone(), why };
            self.ended(purpose, peer, error, sent);
        }
    }
}
