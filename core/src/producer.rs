//! Sends: from admission to exactly one outcome.
//!
//! Laws:
//! - Sends are admitted in call order up to a bound; past it whoever waits for room gets it in the order of asking.
//! - A send ends once: stored (with the broker's receipt), not stored (provably), or unknown.
//! - At most one attempt is under way; at most `attempts` ever reach the wire; none follows the end.
//! - A retry goes to another broker if there is one, at once; to the same one only after a pause. A broker that refused
//!   is better than one that cannot be reached.
//! - An attempt is given up early only while its connection shows no life at all and another broker exists; if that
//!   connection is up, one that can be reached.
//!
//! Sources: Java `DefaultMQProducerImpl#sendDefaultImpl` (retry codes, avoidance of the last broker); what Java does
//! with the deadline is not followed: there one dead broker eats it all.

pub(crate) mod admission;
pub(crate) mod message;
mod select;
mod verdict;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::cx::Cx;
use crate::directory::Known;
use crate::error::{CallError, OpenError, Rejected, RejectedWhy, RouteError, SendError, Stored};
use crate::event::{Outcome, Output};
use crate::handles::{CallId, SendId};
use crate::ids::{BrokerId, Group, PeerId, ProducerId, Queue, QueueId, Ticket, TopicId};
use crate::limits::client as limits;
use crate::link::{Fate, Purpose};
use crate::slab::Slab;
use crate::time::Instant;
use crate::timers::{Alarm, Timer};
use crate::wire::rpc::send::TEMPLATE_TOPIC;
use crate::wire::{Frame, Request, ResponseCode, Rpc, SendMessage, SendReply, Text};

use admission::Admission;
pub use message::{Choice, Prepared, Receipt};
use verdict::{is_retried, refused_for_sure};

#[derive(Clone, Debug)]
enum Step {
    /// Waits for a route of its topic.
    Routing,
    /// An attempt is with a broker, or on the way to it.
    Flying { call: CallId, broker: BrokerId, since: Instant, patience: Option<Instant> },
    /// Waits before it tries the same broker again.
    Pausing { until: Instant },
}

#[derive(Clone, Debug)]
struct Sending {
    ticket: Ticket,
    group: Group,
    topic: TopicId,
    message: Prepared,
    to: Choice,
    deadline: Instant,
    step: Step,
    timer: Option<Timer>,
    /// Attempts of which a byte reached the wire.
    attempts: u32,
    /// One of them may be stored.
    doubt: bool,
    /// The broker that failed last.
    avoid: Option<BrokerId>,
    last: Option<CallError>,
}

/// All producers of a client and their sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers {
    members: BTreeMap<ProducerId, Group>,
    next: u32,
    sends: Slab<Sending>,
    pub(crate) admission: Admission,
    /// Sends that wait for a route, in the order they were admitted.
    parked: BTreeMap<TopicId, VecDeque<SendId>>,
    closed: bool,
    /// How many ended stored, and how many otherwise, since closing began.
    pub(crate) ended: (usize, usize),
}

impl Producers {
    pub(crate) fn open(&mut self, group: Group) -> Result<ProducerId, OpenError> {
        if self.closed {
            return Err(OpenError::Closed);
        }
        if self.members.values().any(|member| *member == group) {
            return Err(OpenError::GroupTaken);
        }
        let id = ProducerId(self.next);
        self.next += 1;
        self.members.insert(id, group);
        Ok(id)
    }

    /// The groups that heartbeats list.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.members.values()
    }

    /// Takes a group out of the heartbeats; sends under way go on.
    pub(crate) fn close_member(&mut self, id: ProducerId) -> Option<Group> {
        self.members.remove(&id)
    }

    /// Takes all groups out of the heartbeats.
    pub(crate) fn close_members(&mut self) -> Vec<Group> {
        core::mem::take(&mut self.members).into_values().collect()
    }

    /// Admits a message, or gives it back.
    pub(crate) fn send(
        &mut self,
        cx: &mut Cx,
        producer: ProducerId,
        message: Prepared,
        to: Choice,
        ticket: Ticket,
    ) -> Result<(), Rejected<Prepared>> {
        let Some(group) = self.members.get(&producer).filter(|_| !self.closed).cloned() else {
            self.admission.give_up(cx, ticket);
            return Err(Rejected { value: message, why: RejectedWhy::Closed });
        };
        if !self.admission.admit(cx, ticket, message.bytes()) {
            return Err(Rejected { value: message, why: RejectedWhy::Full });
        }
        let topic = cx.topic(&message.topic);
        let deadline = cx.now + cx.config.send.deadline;
        let step = Step::Routing;
        let sending = Sending {
            ticket,
            group,
            topic,
            message,
            to,
            deadline,
            step,
            timer: None,
            attempts: 0,
            doubt: false,
            avoid: None,
            last: None,
        };
        let id = SendId(self.sends.insert(sending));
        self.arm(cx, id);
        self.attempt(cx, id);
        Ok(())
    }

    /// Starts the next attempt, or waits for a route.
    fn attempt(&mut self, cx: &mut Cx, id: SendId) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        if !cx.directory.touch(sending.topic, cx.now) {
            cx.wanted.push((sending.topic, true));
        }
        let Some(route) = cx.directory.route(sending.topic) else {
            sending.step = Step::Routing;
            let topic = sending.topic;
            self.parked.entry(topic).or_default().push_back(id);
            cx.wanted.push((topic, true));
            self.arm(cx, id);
            return;
        };
        if route.writable.is_empty() {
            let topic = cx.directory.topic_name(sending.topic).clone();
            let error = SendError::NoRoute(RouteError::NoQueue(topic, "writable"));
            return self.unroutable(cx, id, error);
        }
        let Some(queue) = select::queue(cx, sending.topic, &sending.to, sending.avoid) else {
            let Choice::Queue(queue) = &sending.to else { return };
            let error = SendError::NoSuchQueue(queue.clone());
            return self.unroutable(cx, id, error);
        };
        let Some(peer) = cx.directory.master(queue.broker) else {
            let topic = cx.directory.topic_name(sending.topic).clone();
            return self.unroutable(cx, id, SendError::NoRoute(RouteError::NoQueue(topic, "writable")));
        };
        let has_other = select::has_other(cx, sending.topic, &sending.to, queue.broker);
        let request = request(cx, sending, queue);
        let peer = cx.lane(peer, queue.queue);
        let call = cx.call(peer, Purpose::Send(id), request, None, false);
        let attempts_left = cx.config.send.attempts.saturating_sub(sending.attempts).max(1);
        let share = sending.deadline.since(cx.now) / attempts_left;
        let patience = has_other.then(|| cx.now + share.max(limits::SEND_PATIENCE_MIN));
        sending.step = Step::Flying { call, broker: queue.broker, since: cx.now, patience };
        self.arm(cx, id);
    }

    /// Ends a send for which there is no queue. What earlier attempts left in doubt stays so.
    fn unroutable(&mut self, cx: &mut Cx, id: SendId, error: SendError) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        if cx.directory.route(sending.topic).is_some() {
            cx.wanted.push((sending.topic, true)); // it may have changed
        }
        if sending.attempts == 0 {
            return self.end(cx, id, Err(error));
        }
        let refused = sending.last.as_ref().is_some_and(|last| last.code().is_some());
        self.give_up(cx, id, refused);
    }

    fn arm(&mut self, cx: &mut Cx, id: SendId) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        let at = match sending.step {
            Step::Routing => sending.deadline,
            Step::Flying { patience, .. } => patience.unwrap_or(sending.deadline).min(sending.deadline),
            Step::Pausing { until } => until.min(sending.deadline),
        };
        cx.timers.rearm(&mut sending.timer, at, Alarm::Send(id));
    }

    /// The topic's route is there, or provably is not: everything that waited for it goes on.
    pub(crate) fn handle_route(&mut self, cx: &mut Cx, topic: TopicId) {
        match cx.directory.known(topic) {
            // Nobody answered: what waits goes on waiting, until its deadline, for the next look-up.
            Known::Missing(RouteError::Unreachable { .. }) | Known::Nothing => {}
            Known::Missing(error) => {
                let error = SendError::NoRoute(error.clone());
                for id in self.parked.remove(&topic).unwrap_or_default() {
                    self.unroutable(cx, id, error.clone());
                }
            }
            Known::Route(_) => {
                for id in self.parked.remove(&topic).unwrap_or_default() {
                    self.attempt(cx, id);
                }
            }
        }
    }

    /// A broker answered an attempt.
    pub(crate) fn handle_reply(&mut self, cx: &mut Cx, id: SendId, from: PeerId, frame: &Frame) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        let Step::Flying { broker, .. } = sending.step else { return };
        match SendMessage::reply(frame) {
            Ok(reply) => {
                let receipt = receipt(cx, sending, broker, reply);
                if cx.directory.route(sending.topic).is_some_and(|route| route.of_template) {
                    cx.wanted.push((sending.topic, true)); // the topic exists from now on
                }
                self.end(cx, id, Ok(receipt));
            }
            Err(error) => {
                let refused = refused_for_sure(&error);
                let error = CallError::from_rpc(cx.peers.address(from), error);
                self.failed(cx, id, error, true, refused);
            }
        }
    }

    /// An attempt's connection broke, or never came up.
    pub(crate) fn handle_cut(&mut self, cx: &mut Cx, id: SendId, error: CallError, sent: bool) {
        self.failed(cx, id, error, sent, false);
    }

    /// The deadline, the end of patience with a silent broker, or the end of a pause.
    pub(crate) fn alarm(&mut self, cx: &mut Cx, id: SendId) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        sending.timer = None;
        if cx.now >= sending.deadline {
            return self.time_out(cx, id);
        }
        match sending.step {
            Step::Routing => self.arm(cx, id),
            Step::Pausing { .. } => self.attempt(cx, id),
            Step::Flying { call, broker, since, ref mut patience } => {
                if cx.peers.is_same_link(call) && cx.peers.heard_at(call.peer) > since {
                    *patience = None; // it is alive, only slow
                    return self.arm(cx, id);
                }
                let up = cx.conn_up(call.peer).is_some();
                if up && !select::has_reachable_other(cx, sending.topic, &sending.to, broker) {
                    *patience = Some(cx.now + limits::SEND_PATIENCE_MIN); // nobody is better at the moment
                    return self.arm(cx, id);
                }
                let fate = cx.forget(call);
                let peer = cx.peers.address(call.peer).clone();
                cx.suspect(call.peer);
                self.failed(cx, id, CallError::TimedOut { peer }, fate == Fate::Sent, false);
            }
        }
    }

    /// An attempt ended without a receipt: another one, or the end.
    fn failed(&mut self, cx: &mut Cx, id: SendId, error: CallError, sent: bool, refused: bool) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        let Step::Flying { broker, .. } = sending.step else { return };
        sending.attempts += u32::from(sent);
        sending.doubt |= sent && !refused;
        let worth_it = match &error {
            CallError::Lost { .. } | CallError::TimedOut { .. } => true,
            CallError::Refused { code, .. } => is_retried(*code),
            CallError::Malformed { .. } | CallError::UnknownBroker(_) | CallError::Closed => false,
        };
        if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) {
            cx.wanted.push((sending.topic, true));
        }
        let spent = sending.attempts >= cx.config.send.attempts;
        sending.avoid = Some(broker);
        let by_refusal = error.code().is_some();
        sending.last = Some(error);
        if !worth_it || spent {
            return self.give_up(cx, id, by_refusal || !worth_it);
        }
        // Who refuses is there at least: only another one that can be reached is better.
        let better = if by_refusal { select::has_reachable_other } else { select::has_other };
        if better(cx, sending.topic, &sending.to, broker) || !sent {
            // Not sent: the connection's own back-off is the pause.
            return self.attempt(cx, id);
        }
        let doublings = sending.attempts.saturating_sub(1).min(8);
        let pause = limits::SEND_PAUSE.saturating_mul(1 << doublings).min(limits::SEND_PAUSE_MAX);
        if cx.now + pause >= sending.deadline {
            return self.give_up(cx, id, by_refusal);
        }
        sending.step = Step::Pausing { until: cx.now + pause };
        self.arm(cx, id);
    }

    /// Ends a send after its last attempt failed.
    fn give_up(&mut self, cx: &mut Cx, id: SendId, refused: bool) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        let (attempts, stored) = (sending.attempts, stored(sending.doubt));
        let error = match sending.last.take() {
            Some(cause) if refused => SendError::Refused { cause: Box::new(cause), attempts, stored },
            last => SendError::TimedOut { attempts, last: last.map(Box::new), stored },
        };
        self.end(cx, id, Err(error));
    }

    fn time_out(&mut self, cx: &mut Cx, id: SendId) {
        let Some(sending) = self.sends.get_mut(id.0) else { return };
        if let Step::Flying { call, since, .. } = sending.step {
            let silent = cx.peers.is_same_link(call) && cx.peers.heard_at(call.peer) <= since;
            if cx.forget(call) == Fate::Sent {
                sending.attempts += 1;
                sending.doubt = true;
                if silent {
                    cx.suspect(call.peer);
                }
            } else if sending.last.is_none() {
                sending.last = cx.peers.last_lost(call.peer);
            }
        } else if let (Step::Routing, Known::Missing(error)) =
            (&sending.step, cx.directory.known(sending.topic))
        {
            let error = SendError::NoRoute(error.clone());
            if sending.attempts == 0 {
                return self.end(cx, id, Err(error));
            }
        }
        self.give_up(cx, id, false);
    }

    fn end(&mut self, cx: &mut Cx, id: SendId, result: Result<Receipt, SendError>) {
        let Some(mut sending) = self.sends.remove(id.0) else { return };
        cx.timers.disarm(&mut sending.timer);
        match &result {
            Ok(_) => self.ended.0 += 1,
            Err(_) => self.ended.1 += 1,
        }
        if matches!(sending.step, Step::Routing)
            && let Some(parked) = self.parked.get_mut(&sending.topic)
            // Whoever came first ends first: found at the front.
            && let Some(place) = parked.iter().position(|parked| *parked == id)
        {
            parked.remove(place);
            if parked.is_empty() {
                self.parked.remove(&sending.topic);
            }
        }
        cx.out.push_back(Output::Done(sending.ticket, Outcome::Sent(result)));
        self.admission.release(cx, sending.message.bytes());
    }

    /// No more sends are admitted; those under way go on.
    pub(crate) fn close(&mut self, cx: &mut Cx) {
        if !self.closed {
            self.closed = true;
            self.ended = (0, 0);
            self.admission.close(cx);
        }
    }

    /// Every send under way ends now.
    pub(crate) fn abandon(&mut self, cx: &mut Cx) {
        self.parked.clear();
        for key in self.sends.keys() {
            let Some(sending) = self.sends.get(key) else { continue };
            let mut doubt = sending.doubt;
            if let Step::Flying { call, .. } = sending.step {
                doubt |= cx.forget(call) == Fate::Sent;
            }
            self.end(cx, SendId(key), Err(SendError::Closed(stored(doubt))));
        }
        self.admission.close(cx);
    }

    /// Sends under way.
    pub(crate) fn pending(&self) -> usize {
        self.sends.len()
    }

    pub(crate) fn check(&self, cx: &Cx) {
        let (mut bytes, mut parked) = (0, 0);
        for (key, sending) in self.sends.iter() {
            bytes += sending.message.bytes();
            assert!(sending.timer.is_some(), "L4: every send ends by its deadline");
            assert!(sending.attempts <= cx.config.send.attempts, "S3: attempts are bounded");
            match sending.step {
                Step::Routing => {
                    parked += 1;
                    let waits = self.parked.get(&sending.topic).is_some_and(|ids| ids.contains(&SendId(key)));
                    assert!(waits, "L7: a send without a route is woken by it");
                }
                Step::Flying { call, .. } => {
                    assert!(cx.peers.has_call(call), "L7: a send under way is with a connection");
                }
                Step::Pausing { .. } => {}
            }
        }
        assert_eq!(
            parked,
            self.parked.values().map(VecDeque::len).sum::<usize>(),
            "only what waits is parked"
        );
        self.admission.check(&cx.config.send, self.sends.len(), bytes);
    }
}

const fn stored(doubt: bool) -> Stored {
    if doubt { Stored::Unknown } else { Stored::No }
}

fn request(cx: &Cx, sending: &Sending, queue: QueueId) -> Request {
    let message = &sending.message;
    Request::from(SendMessage {
        group: sending.group.clone(),
        topic: message.topic.clone(),
        broker: cx.directory.broker_name(queue.broker).clone(),
        queue: queue.queue,
        sys_flag: message.sys_flag,
        born: message.born,
        flag: message.flag,
        properties: message.properties.clone(),
        reconsume_times: 0,
        max_reconsume: None,
        unit_mode: false,
        batch: false,
        default_topic: Text::from(TEMPLATE_TOPIC),
        default_queues: limits::DEFAULT_QUEUES,
        body: message.body.clone(),
    })
}

/// What the broker said, in a form that may be kept for long: nothing of it lies in the read buffer.
fn receipt(cx: &mut Cx, sending: &Sending, broker: BrokerId, reply: SendReply) -> Receipt {
    let id = &sending.message.id;
    let transaction = |said: Text| if said == *id { id.clone() } else { said.detached() };
    Receipt {
        id: id.clone(),
        offset_id: reply.offset_id,
        queue: Queue {
            topic: sending.message.topic.clone(),
            broker: cx.directory.broker_name(broker).clone(),
            queue: reply.queue,
        },
        offset: reply.queue_offset,
        durability: reply.status,
        transaction_id: reply.transaction_id.map(transaction),
        recall_handle: reply.recall_handle.as_ref().map(Text::detached),
        region: reply.region.map(|said| cx.directory.region(broker, &said)),
        trace: reply.trace_on,
    }
}
