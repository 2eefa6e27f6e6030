//! A driver for tests: it dials when it is told to, takes what is ready, and answers as the test says.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::error::LostWhy;
use crate::event::Output;
use crate::ids::{Address, ClientId, ConnId, ConsumerId, Group, ProducerId, Queue, Ticket, Topic};
use crate::wire::{Dialect, Fields, Frame, Header, Kind, Language, Request, Text};
use crate::{
    Choice, Client, Config, Input, Instant, Lost, Note, Outcome, Outgoing, Prepared, PullConfig, Report,
    StartFrom, UnixMillis, What,
};

pub(super) struct Bench {
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) done: BTreeMap<Ticket, Outcome>,
    pub(super) delivers: usize,
    pub(super) notes: Vec<Note>,
    /// Dials that nobody answered yet.
    pub(super) dials: Vec<(ConnId, Address)>,
    pub(super) conns: BTreeMap<ConnId, Address>,
    pub(super) hung_up: Vec<ConnId>,
    /// Taken and not yet looked at.
    pub(super) taken: VecDeque<(ConnId, Outgoing)>,
    ready: Vec<ConnId>,
    pub(super) wait: Instant,
    /// Dials succeed, and what is ready is taken, by itself.
    pub(super) auto_dial: bool,
    pub(super) auto_take: bool,
    /// Heartbeats are answered by themselves.
    pub(super) answers_heartbeats: bool,
    /// Look-ups of routes are answered by themselves with this.
    pub(super) answers_routes: Option<alloc::string::String>,
    heartbeats: Vec<(ConnId, i32)>,
    look_ups: Vec<(ConnId, i32)>,
    pub(super) heartbeat_conns: alloc::collections::BTreeSet<ConnId>,
    tickets: u64,
}

pub(super) const NS: &str = "ns:9876";

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(
            alloc::vec![Address::new(NS).expect("an address")],
            ClientId::new("tester").expect("an id"),
        );
        set(&mut config);
        let now = Instant::from_micros(1_000_000);
        let client = Client::new(config, 42, now, UnixMillis(1_700_000_000_000));
        Self {
            client,
            now,
            done: BTreeMap::new(),
            delivers: 0,
            notes: Vec::new(),
            dials: Vec::new(),
            conns: BTreeMap::new(),
            hung_up: Vec::new(),
            taken: VecDeque::new(),
            ready: Vec::new(),
            wait: Instant::ZERO,
            auto_dial: true,
            auto_take: true,
            answers_heartbeats: true,
            answers_routes: None,
            heartbeats: Vec::new(),
            look_ups: Vec::new(),
            heartbeat_conns: alloc::collections::BTreeSet::new(),
            tickets: 0,
        }
    }

    /// A bench with a producer that has sent one message to broker a, on that connection.
    pub(super) fn sending() -> (Self, ProducerId, ConnId) {
        let mut bench = Self::new();
        let producer = bench.producer();
        bench.send(producer);
        bench.answer_route(&["a"]);
        let (conn, opaque) = bench.next_send().expect("the send");
        bench.store(conn, opaque, 0);
        (bench, producer, conn)
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Drains the outputs, checks every law, and does what it does by itself.
    pub(super) fn drain(&mut self) {
        loop {
            self.client.check();
            match self.client.poll() {
                Output::Dial(conn, address) => {
                    if self.auto_dial {
                        self.conns.insert(conn, address);
                        self.client.handle(self.now, Input::Connected(conn));
                    } else {
                        self.dials.push((conn, address));
                    }
                }
                Output::Hangup(conn) => {
                    self.conns.remove(&conn);
                    self.dials.retain(|(dial, _)| *dial != conn);
                    self.hung_up.push(conn);
                }
                Output::Ready(conn) => {
                    if self.auto_take {
                        self.take(conn);
                    } else {
                        self.ready.push(conn);
                    }
                }
                Output::Done(ticket, outcome) => {
                    assert!(self.done.insert(ticket, outcome).is_none(), "S4: {ticket:?} ended twice");
                }
                Output::Deliver(_) => self.delivers += 1,
                Output::Note(note) => self.notes.push(note),
                Output::Wait(at) => {
                    self.wait = at;
                    if let Some((conn, opaque)) = self.heartbeats.pop() {
                        return self.reply(conn, opaque, 0, &[], "");
                    }
                    if let Some((conn, opaque)) = self.look_ups.pop() {
                        let route = self.answers_routes.clone().unwrap_or_default();
                        return self.reply(conn, opaque, 0, &[], &route);
                    }
                    return;
                }
            }
        }
    }

    pub(super) fn take(&mut self, conn: ConnId) {
        let mut out = VecDeque::new();
        self.client.take(conn, usize::MAX, &mut out);
        for outgoing in out {
            match &outgoing.what {
                What::Call(Request::Heartbeat(_)) if self.answers_heartbeats => {
                    self.heartbeats.push((conn, outgoing.opaque));
                    self.heartbeat_conns.insert(conn);
                }
                What::Call(Request::Route(_)) if self.answers_routes.is_some() => {
                    self.look_ups.push((conn, outgoing.opaque));
                }
                What::Call(_) | What::Answer(_) => self.taken.push_back((conn, outgoing)),
            }
        }
    }

    pub(super) fn take_ready(&mut self) {
        for conn in core::mem::take(&mut self.ready) {
            self.take(conn);
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.client.handle(self.now, input);
        self.drain();
    }

    /// Lets time pass, stopping at every alarm on the way.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            if self.wait > until {
                self.now = until;
                return self.handle(Input::Time);
            }
            self.now = self.now.max(self.wait);
            self.handle(Input::Time);
        }
        panic!("R11: alarms without end before {until:?}");
    }

    pub(super) fn lose(&mut self, conn: ConnId, why: LostWhy, started: u64) {
        self.conns.remove(&conn);
        self.dials.retain(|(dial, _)| *dial != conn);
        self.handle(Input::Lost(conn, Lost { why, started }));
    }

    /// The next request taken that is no heartbeat.
    pub(super) fn request(&mut self) -> Option<(ConnId, i32, Request)> {
        while let Some((conn, outgoing)) = self.taken.pop_front() {
            match outgoing.what {
                What::Call(Request::Heartbeat(_)) => {}
                What::Call(request) => return Some((conn, outgoing.opaque, request)),
                What::Answer(_) => {}
            }
        }
        None
    }

    /// The next request of a kind; others stay.
    pub(super) fn request_of(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<(ConnId, i32, Request)> {
        let mut others = Vec::new();
        let mut found = None;
        while let Some((conn, opaque, request)) = self.request() {
            if wanted(&request) {
                found = Some((conn, opaque, request));
                break;
            }
            others.push((conn, Outgoing { opaque, dialect: Dialect::Json, what: What::Call(request) }));
        }
        for other in others.into_iter().rev() {
            self.taken.push_front(other);
        }
        found
    }

    /// The next attempt of a send.
    pub(super) fn next_send(&mut self) -> Option<(ConnId, i32)> {
        self.request_of(|r| matches!(r, Request::Send(_))).map(|(conn, opaque, _)| (conn, opaque))
    }

    pub(super) fn reply(
        &mut self,
        conn: ConnId,
        opaque: i32,
        code: i32,
        fields: &[(&str, &str)],
        body: &str,
    ) {
        self.reply_of(401, conn, opaque, code, fields, Bytes::copy_from_slice(body.as_bytes()));
    }

    pub(super) fn reply_of(
        &mut self,
        version: i32,
        conn: ConnId,
        opaque: i32,
        code: i32,
        fields: &[(&str, &str)],
        body: Bytes,
    ) {
        let header = Header {
            kind: Kind::Response,
            code,
            language: Language::JAVA,
            version,
            opaque,
            remark: Some(Text::from("said the broker")),
            fields: Fields::from_pairs(fields.iter().copied()),
        };
        self.handle(Input::Received(conn, Frame { header, body }));
    }

    /// Answers the route request that is next with these brokers, four queues each.
    pub(super) fn answer_route(&mut self, brokers: &[&str]) {
        let (conn, opaque, request) = self.request().expect("a route request");
        assert!(matches!(request, Request::Route(_)), "{request:?}");
        self.reply(conn, opaque, 0, &[], &route(brokers, 6));
    }

    /// The connections that were used no more, and why, in that order.
    pub(super) fn retired(&self) -> Vec<(&str, &LostWhy)> {
        let mut retired = Vec::new();
        for note in &self.notes {
            if let Note::Retired(peer, why) = note {
                retired.push((peer.as_str(), why));
            }
        }
        retired
    }

    pub(super) fn address(&self, conn: ConnId) -> &str {
        self.conns.get(&conn).expect("a connection").as_str()
    }

    pub(super) fn conn_to(&self, address: &str) -> ConnId {
        *self.conns.iter().find(|(_, a)| a.as_str() == address).expect("a connection to it").0
    }

    pub(super) fn producer(&mut self) -> ProducerId {
        let id = self.client.open_producer(self.now, Group::new("g").expect("a group")).expect("opens");
        self.drain();
        id
    }

    pub(super) fn send(&mut self, producer: ProducerId) -> Ticket {
        self.send_to(producer, Choice::Any)
    }

    pub(super) fn send_to(&mut self, producer: ProducerId, to: Choice) -> Ticket {
        let ticket = self.ticket();
        self.client.producer(producer).send(self.now, message(10), to, ticket).expect("admitted");
        self.drain();
        ticket
    }

    /// Closes the client.
    pub(super) fn close(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.client.close(self.now, ticket);
        self.drain();
        ticket
    }

    /// How closing ended, if it has.
    pub(super) fn closed(&self, ticket: Ticket) -> Option<Report> {
        let outcome = self.done.get(&ticket)?;
        let Outcome::Closed(report) = outcome else { panic!("{ticket:?} is no close: {outcome:?}") };
        Some(*report)
    }

    pub(super) fn pull(&mut self, from: StartFrom, auto_commit: bool, queues: &[Queue]) -> ConsumerId {
        let mut config = PullConfig::new(Group::new("readers").expect("a group"));
        (config.from, config.auto_commit) = (from, auto_commit);
        let id = self.client.open_pull(self.now, config, queues).expect("opens");
        self.drain();
        id
    }

    pub(super) fn sent(&self, ticket: Ticket) -> &Result<crate::Receipt, crate::error::SendError> {
        match self.done.get(&ticket) {
            Some(Outcome::Sent(result)) => result,
            other => panic!("{ticket:?} has not ended as a send: {other:?}"),
        }
    }
}

pub(super) fn route(brokers: &[&str], perm: i32) -> alloc::string::String {
    let datas: Vec<_> = brokers
        .iter()
        .map(|b| alloc::format!(r#"{{"brokerAddrs":{{"0":"{b}:1"}},"brokerName":"{b}","cluster":"c"}}"#))
        .collect();
    let queues: Vec<_> = brokers
        .iter()
        .map(|b| {
            alloc::format!(
                r#"{{"brokerName":"{b}","perm":{perm},"readQueueNums":4,"writeQueueNums":4,"topicSysFlag":0}}"#
            )
        })
        .collect();
    alloc::format!(r#"{{"brokerDatas":[{}],"queueDatas":[{}]}}"#, datas.join(","), queues.join(","))
}

pub(super) fn message(bytes: usize) -> Prepared {
    Prepared {
        topic: Topic::new("orders").expect("a topic"),
        id: Text::from("7F0000010000"),
        properties: Text::EMPTY,
        body: Bytes::from(alloc::vec![b'x'; bytes]),
        sys_flag: 0,
        flag: 0,
        born: UnixMillis(0),
    }
}

pub(super) fn queue(broker: &str, queue: i32) -> Queue {
    Queue {
        topic: Topic::new("orders").expect("a topic"),
        broker: crate::ids::BrokerName::new(broker).expect("a broker"),
        queue,
    }
}

pub(super) fn stored(offset: i64) -> [(&'static str, alloc::string::String); 3] {
    [
        ("msgId", "0A01020300002A9F00000000075BCD15".to_string()),
        ("queueId", "0".to_string()),
        ("queueOffset", offset.to_string()),
    ]
}

impl Bench {
    pub(super) fn store(&mut self, conn: ConnId, opaque: i32, offset: i64) {
        let fields = stored(offset);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.reply(conn, opaque, 0, &fields, "");
    }
}
