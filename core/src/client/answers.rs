//! What frames mean: replies go to the part that asked, requests of brokers are answered here. And heartbeats, which
//! are also the probe that tells a slow connection from a dead one.
//!
//! Laws: a reply reaches only the purpose of the one request it answers; a request of a peer that this client does
//! not know is answered "not supported", with its opaque; a connection is given up as silent only when a probe went
//! unanswered and nothing else came either.

use alloc::vec::Vec;

use crate::client::Client;
use crate::config::StartFrom;
use crate::error::{CallError, LostWhy, RawError};
use crate::event::{Outcome, Output};
use crate::ids::{ConnId, Group, PeerId};
use crate::limits::client as limits;
use crate::link::{Heard, Purpose};
use crate::note::{Note, Unexpected};
use crate::timers::Alarm;
use crate::wire::rpc::heartbeat::{ConsumeFrom, ConsumeType, MessageModel};
use crate::wire::{
    Answer, ConsumerEntry, Frame, GetRoute, Heartbeat, Kind, Request, ResponseCode, Rpc, SubscriptionEntry,
    Text, Unregister, UpdateOffset,
};

impl Client {
    /// A frame came on a connection.
    pub(super) fn received(&mut self, conn: ConnId, frame: Frame) {
        let Some(peer) = self.cx.peers.of_conn(conn) else { return };
        let (now, of_broker) = (self.cx.now, self.cx.peers.is_broker(peer));
        let Some(link) = self.cx.peers.link_of(conn) else { return };
        let told_to_go = frame.header.code == ResponseCode::GO_AWAY.0;
        match link.hear(now, frame, of_broker) {
            Heard::Reply(mut call, frame) => {
                self.cx.timers.disarm(&mut call.timer);
                let cuts = if told_to_go { self.cx.go_away(conn) } else { Vec::new() };
                if !told_to_go {
                    self.cx.peer_works(peer);
                }
                self.cx.end_drain(conn);
                self.answered(call.purpose, peer, frame);
                self.cut(cuts);
            }
            Heard::Asked(frame) => self.asked(conn, peer, &frame),
            Heard::Late => {
                self.unexpected(peer, Unexpected::LateReply);
                // Nobody waits for this request any more, but what was said of the connection holds.
                let cuts = if told_to_go { self.cx.go_away(conn) } else { Vec::new() };
                self.cx.end_drain(conn);
                self.cut(cuts);
            }
            Heard::Stray => self.unexpected(peer, Unexpected::StrayReply),
        }
        // A reply may have made room for what waits behind the bound of requests in flight.
        if self.cx.conn_up(peer) == Some(conn) {
            self.cx.tell_ready(peer, conn);
        }
    }

    fn unexpected(&mut self, peer: PeerId, what: Unexpected) {
        let address = self.cx.peers.address(peer).clone();
        self.cx.out.push_back(Output::Note(Note::Unexpected(address, what)));
    }

    /// A request of a peer.
    fn asked(&mut self, conn: ConnId, peer: PeerId, frame: &Frame) {
        self.unexpected(peer, Unexpected::Request(frame.header.code));
        if frame.header.kind == Kind::Request && self.cx.conn_up(peer) == Some(conn) {
            let remark = alloc::format!("request type {} is not supported by this client", frame.header.code);
            let mut answer = Answer::of(ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
            answer.remark = Some(Text::from(remark));
            self.cx.link_mut(peer).answer(frame.header.opaque, answer);
        }
    }

    /// A request of ours was answered.
    fn answered(&mut self, purpose: Purpose, peer: PeerId, frame: Frame) {
        let cx = &mut self.cx;
        let failed = |cx: &crate::cx::Cx, error| CallError::from_rpc(cx.peers.address(peer), error);
        match purpose {
            Purpose::Connect => {
                let route = GetRoute::reply(&frame).map_err(|error| failed(cx, error));
                self.router.handle_connect(cx, peer, route);
            }
            Purpose::Route(topic) => {
                let route = GetRoute::reply(&frame).map_err(|error| failed(cx, error));
                if self.router.handle_route(cx, topic, peer, route) {
                    self.route_ended(topic);
                }
            }
            Purpose::Send(send) => self.producers.handle_reply(cx, send, peer, &frame),
            Purpose::Locate(consumer, queue, generation) => {
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_located(cx, queue, generation, peer, Ok(&frame));
                }
            }
            Purpose::Pull(consumer, queue, generation) => {
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_pulled(cx, queue, generation, peer, Ok(frame));
                }
            }
            Purpose::Commit(consumer, queue, _) => {
                let result = UpdateOffset::reply(&frame).map_err(|error| failed(cx, error));
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_committed(cx, queue, result);
                }
            }
            Purpose::Heartbeat => {
                self.probes.remove(&peer);
                if let Err(error) = Heartbeat::reply(&frame) {
                    let note = Note::Heartbeat(failed(&self.cx, error));
                    self.cx.out.push_back(Output::Note(note));
                }
            }
            Purpose::Unregister => self.closing.told(true),
            Purpose::Probe => {
                self.probes.remove(&peer);
            }
            Purpose::Raw(ticket) => {
                self.cx.out.push_back(Output::Done(ticket, Outcome::Answered(Ok(frame))));
            }
        }
    }

    /// A request of ours ended without an answer.
    pub(super) fn ended(&mut self, purpose: Purpose, peer: PeerId, error: CallError, sent: bool) {
        let cx = &mut self.cx;
        match purpose {
            Purpose::Connect => self.router.handle_connect(cx, peer, Err(error)),
            Purpose::Route(topic) => {
                let timed_out = matches!(error, CallError::TimedOut { .. });
                if self.router.handle_route(cx, topic, peer, Err(error)) {
                    self.route_ended(topic);
                }
                if timed_out {
                    self.give_up_if_silent(peer);
                }
            }
            Purpose::Send(send) => self.producers.handle_cut(cx, send, error, sent),
            Purpose::Locate(consumer, queue, generation) => {
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_located(cx, queue, generation, peer, Err(error));
                }
            }
            Purpose::Pull(consumer, queue, generation) => {
                let timed_out = matches!(error, CallError::TimedOut { .. });
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_pulled(cx, queue, generation, peer, Err(error));
                }
                if timed_out {
                    self.cx.suspect(peer);
                }
            }
            Purpose::Commit(consumer, queue, _) => {
                let timed_out = matches!(error, CallError::TimedOut { .. });
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_committed(cx, queue, Err(error));
                    // The last commit is made again, and no heartbeat may come that finds out whether that helps.
                    if timed_out && consumer.is_closing() {
                        self.give_up_if_silent(peer);
                    }
                }
            }
            Purpose::Raw(ticket) => {
                let outcome = Outcome::Answered(Err(RawError { cause: error, sent }));
                self.cx.out.push_back(Output::Done(ticket, outcome));
            }
            Purpose::Heartbeat | Purpose::Probe => {
                let timed_out = matches!(error, CallError::TimedOut { .. });
                self.cx.out.push_back(Output::Note(Note::Heartbeat(error)));
                if timed_out {
                    self.give_up_if_silent(peer);
                } else {
                    self.probes.remove(&peer);
                }
            }
            Purpose::Unregister => self.closing.told(false),
        }
    }

    fn route_ended(&mut self, topic: crate::ids::TopicId) {
        self.producers.handle_route(&mut self.cx, topic);
        for consumer in self.consumers.values_mut() {
            consumer.handle_route(&mut self.cx, topic);
        }
        if self.heartbeat.is_none() {
            self.beat_all();
        }
    }

    /// Hangs up when nothing came for as long as a probe is waited for.
    fn give_up_if_silent(&mut self, peer: PeerId) {
        self.probes.remove(&peer);
        let silence = self.cx.now.since(self.cx.peers.quiet_since(peer));
        if silence >= limits::CALL_DEADLINE && self.cx.conn_up(peer).is_some() {
            let cuts = self.cx.hang_up(peer, LostWhy::Silent);
            self.cut(cuts);
        }
    }

    /// Tells every broker of our groups, and arms the next time.
    pub(super) fn beat_all(&mut self) {
        if self.closing.is_leaving() {
            return;
        }
        let has_consumers = self.consumers.values().any(|consumer| !consumer.is_closing());
        if !has_consumers && self.producers.groups().next().is_none() {
            return;
        }
        for peer in self.cx.directory.broker_peers(!has_consumers) {
            self.beat(peer);
        }
        let at = self.cx.now + self.cx.config.heartbeat.max(limits::PERIOD_MIN);
        self.cx.timers.rearm(&mut self.heartbeat, at, Alarm::Heartbeat);
    }

    /// Tells one broker of our groups.
    pub(super) fn beat(&mut self, peer: PeerId) {
        let heartbeat = self.heartbeat_data();
        if self.closing.is_leaving() || (heartbeat.producers.is_empty() && heartbeat.consumers.is_empty()) {
            return;
        }
        self.probes.insert(peer);
        let deadline = self.cx.now + limits::CALL_DEADLINE;
        self.cx.call(peer, Purpose::Heartbeat, Request::from(heartbeat), Some(deadline), false);
    }

    /// A peer let a request time out in silence: is it there?
    pub(super) fn probe(&mut self, peer: PeerId) {
        if self.cx.peers.is_worn(peer) {
            let cuts = self.cx.hang_up(peer, LostWhy::Silent);
            return self.cut(cuts);
        }
        if !self.cx.peers.is_broker(peer) || self.cx.conn_up(peer).is_none() || self.probes.contains(&peer) {
            return;
        }
        if self.cx.peers.is_member(peer) {
            return self.beat(peer);
        }
        // A broker answers a name server's request with "not supported", which is life. A heartbeat here would make
        // it list us twice.
        self.probes.insert(peer);
        let deadline = self.cx.now + limits::CALL_DEADLINE;
        let request = Request::from(GetRoute { topic: crate::router::template() });
        self.cx.call(peer, Purpose::Probe, request, Some(deadline), false);
    }

    fn heartbeat_data(&self) -> Heartbeat {
        let consumers = self.consumers.values().filter(|consumer| !consumer.is_closing());
        Heartbeat {
            client: self.cx.config.client_id.clone(),
            producers: self.producers.groups().cloned().collect(),
            consumers: consumers.map(|consumer| self.consumer_entry(consumer)).collect(),
            fingerprint: 0,
            without_subscriptions: false,
        }
    }

    fn consumer_entry(&self, consumer: &crate::consumer::Consumer) -> ConsumerEntry {
        let subscription = |topic| SubscriptionEntry {
            class_filter_mode: false,
            codes: Vec::new(),
            expression_type: Text::from("TAG"),
            expression: Text::from("*"),
            version: consumer.version().0,
            tags: Vec::new(),
            topic: self.cx.directory.topic_name(topic).clone(),
        };
        ConsumerEntry {
            consume_from_where: match consumer.config.from {
                StartFrom::First => ConsumeFrom::First,
                StartFrom::Last => ConsumeFrom::Last,
                StartFrom::Time(_) => ConsumeFrom::Timestamp,
            },
            consume_type: ConsumeType::Pull,
            group: consumer.config.group.clone(),
            message_model: MessageModel::Clustering,
            subscriptions: consumer.topics().into_iter().map(subscription).collect(),
            unit_mode: false,
        }
    }

    /// Tells every broker we are connected to that a group has no member here any more.
    pub(super) fn unregister(&mut self, producer: Option<&Group>, consumer: Option<&Group>) {
        let brokers: Vec<PeerId> = self.cx.peers.up().filter(|peer| self.cx.peers.is_member(*peer)).collect();
        for peer in &brokers {
            let request = Unregister {
                client: self.cx.config.client_id.clone(),
                producer: producer.cloned(),
                consumer: consumer.cloned(),
            };
            let deadline = self.cx.now + limits::CALL_DEADLINE;
            self.cx.call(*peer, Purpose::Unregister, Request::from(request), Some(deadline), false);
        }
        self.closing.expect(brokers.len());
    }
}
