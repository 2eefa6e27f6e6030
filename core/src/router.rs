//! Which name server to ask, and what it said: the one writer of routes.
//!
//! Laws:
//! - One look-up per topic at a time, however many wait for it.
//! - Within one look-up every name server is asked at most once, and the one that answered last is asked first.
//! - A look-up that fails never takes a route away that was known before: a stale route outlives its name server.
//! - A topic that somebody uses is asked for again every 30 s, and soon after while somebody waits for it in vain; one
//!   that nobody used for minutes is left alone.
//!
//! Sources: Java `MQClientInstance#updateTopicRouteInfoFromNameServer`, `NettyRemotingClient` (choice of server).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::cx::Cx;
use crate::directory::{Known, MASTER, TopicRoute};
use crate::error::{CallError, ConnectError, LostWhy, RouteError};
use crate::event::{Outcome, Output};
use crate::ids::{PeerId, QueueId, Ticket, Topic, TopicId};
use crate::limits::client as limits;
use crate::link::Purpose;
use crate::note::Note;
use crate::time::Instant;
use crate::timers::{Alarm, Timer};
use crate::wire::rpc::send::TEMPLATE_TOPIC;
use crate::wire::{GetRoute, Request, ResponseCode, Route, RouteQueue};

/// One look-up under way.
#[derive(Clone, Debug)]
struct Ask {
    deadline: Instant,
    /// The servers not asked yet, next one last.
    left: Vec<usize>,
    /// The topic itself is unknown: its template is asked for.
    template: bool,
    last: Option<CallError>,
}

/// A topic somebody uses.
#[derive(Clone, Debug, Default)]
struct Entry {
    ask: Option<Ask>,
    /// Somebody wants to write to it, so its template will do.
    publish: bool,
    /// When it is asked for again.
    timer: Option<Timer>,
    /// Look-ups in a row that no server answered.
    failures: u32,
    /// Whoever asked for its queues.
    tickets: Vec<Ticket>,
}

/// The search for the first name server that answers.
#[derive(Clone, Debug)]
struct Connecting {
    ticket: Ticket,
    ask: Ask,
    said: BTreeMap<usize, CallError>,
    timer: Option<Timer>,
}

/// The name servers and the look-ups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    servers: Vec<PeerId>,
    current: usize,
    topics: BTreeMap<TopicId, Entry>,
    connecting: Option<Connecting>,
}

/// The topic whose route stands in for that of a topic to be created, and which every name server can be asked for.
pub(crate) fn template() -> Topic {
    Topic::new(TEMPLATE_TOPIC).expect("a constant that is a topic name")
}

impl Router {
    pub(crate) fn new(cx: &mut Cx) -> Self {
        let servers: Vec<PeerId> = {
            let addresses = cx.config.name_servers.clone();
            addresses.iter().map(|address| cx.peers.intern(address, false)).collect()
        };
        let current = cx.rng.below(u32::try_from(servers.len()).unwrap_or(u32::MAX)) as usize;
        Self { servers, current, ..Self::default() }
    }

    /// Looks for one name server that answers; ends in `Outcome::Connected`.
    pub(crate) fn connect(&mut self, cx: &mut Cx, ticket: Ticket) {
        let ask = self.new_ask(cx.now + cx.config.connect_deadline);
        let timer = Some(cx.timers.arm(ask.deadline, Alarm::Connect));
        self.connecting = Some(Connecting { ticket, ask, said: BTreeMap::new(), timer });
        self.ask_for_connection(cx);
    }

    /// Whether `connect` is under way.
    pub(crate) const fn is_connecting(&self) -> bool {
        self.connecting.is_some()
    }

    /// Somebody needs this topic's route now, to write to it or to read from it.
    pub(crate) fn want(&mut self, cx: &mut Cx, topic: TopicId, publish: bool) {
        cx.directory.touch(topic, cx.now);
        cx.directory.set_followed(topic, true);
        let entry = self.topics.entry(topic).or_default();
        entry.publish |= publish;
        if entry.ask.is_none() {
            self.start(cx, topic);
        }
    }

    /// The topic's readable queues, as the name servers have them now; ends in `Outcome::Queues`.
    pub(crate) fn queues(&mut self, cx: &mut Cx, topic: TopicId, ticket: Ticket) {
        self.topics.entry(topic).or_default().tickets.push(ticket);
        self.want(cx, topic, false);
    }

    /// A route is due for a refresh, if the topic is read or was needed lately.
    pub(crate) fn route_alarm(&mut self, cx: &mut Cx, topic: TopicId, is_read: bool) {
        // A send needs its topic until its deadline.
        let idle = limits::ROUTE_IDLE.max(cx.config.send.deadline);
        if !is_read && cx.now.since(cx.directory.used_at(topic)) > idle {
            // Its last route stays known: whoever needs the topic goes on with it, and has it asked for again.
            cx.directory.set_followed(topic, false);
            self.topics.remove(&topic);
            return;
        }
        if self.topics.get(&topic).is_some_and(|entry| entry.ask.is_none()) {
            self.start(cx, topic);
        }
    }

    /// `connect` took too long, or the servers are asked once more.
    pub(crate) fn connect_alarm(&mut self, cx: &mut Cx) {
        let Some(connecting) = &mut self.connecting else { return };
        if cx.now >= connecting.ask.deadline {
            return self.connected(cx, false);
        }
        let deadline = connecting.ask.deadline;
        let ask = self.new_ask(deadline);
        if let Some(connecting) = &mut self.connecting {
            connecting.ask = ask;
        }
        self.ask_for_connection(cx);
    }

    fn new_ask(&self, deadline: Instant) -> Ask {
        let count = self.servers.len();
        let left = (0..count).rev().map(|step| (self.current + step) % count).collect();
        Ask { deadline, left, template: false, last: None }
    }

    fn start(&mut self, cx: &mut Cx, topic: TopicId) {
        let ask = self.new_ask(cx.now + limits::ROUTE_DEADLINE);
        if let Some(entry) = self.topics.get_mut(&topic) {
            cx.timers.disarm(&mut entry.timer);
            entry.ask = Some(ask);
        }
        self.ask_next(cx, topic);
    }

    /// Asks the next server for a topic's route, or ends the look-up.
    fn ask_next(&mut self, cx: &mut Cx, topic: TopicId) {
        let Some(ask) = self.topics.get_mut(&topic).and_then(|entry| entry.ask.as_mut()) else { return };
        match next_server(cx, ask) {
            Some((server, deadline)) => {
                let name = if ask.template { template() } else { cx.directory.topic_name(topic).clone() };
                let request = Request::from(GetRoute { topic: name });
                cx.call(self.servers[server], Purpose::Route(topic), request, Some(deadline), false);
            }
            None => {
                let last = ask.last.take().unwrap_or(CallError::Closed);
                let topic_name = cx.directory.topic_name(topic).clone();
                self.end(cx, topic, Err(RouteError::Unreachable { topic: topic_name, last: Box::new(last) }));
            }
        }
    }

    fn ask_for_connection(&mut self, cx: &mut Cx) {
        let Some(connecting) = &mut self.connecting else { return };
        if let Some((server, deadline)) = next_server(cx, &mut connecting.ask) {
            let request = Request::from(GetRoute { topic: template() });
            cx.call(self.servers[server], Purpose::Connect, request, Some(deadline), false);
            return;
        }
        // Everybody was asked. Who refuses or cannot be reached may be starting; who speaks another protocol
        // or is not trusted is not.
        let hopeless = connecting.said.values().all(|said| match said {
            CallError::Refused { code, .. } => *code != ResponseCode::SYSTEM_ERROR,
            CallError::Malformed { .. } => true,
            CallError::Lost { why, .. } => matches!(why, LostWhy::Protocol(_) | LostWhy::Untrusted(_)),
            CallError::TimedOut { .. } | CallError::UnknownBroker(_) | CallError::Closed => false,
        });
        if hopeless {
            return self.connected(cx, false);
        }
        let again = (cx.now + limits::ROUTE_RETRY).min(connecting.ask.deadline);
        cx.timers.rearm(&mut connecting.timer, again, Alarm::Connect);
    }

    fn connected(&mut self, cx: &mut Cx, found: bool) {
        let Some(mut connecting) = self.connecting.take() else { return };
        cx.timers.disarm(&mut connecting.timer);
        let result = if found {
            Ok(())
        } else {
            for (index, server) in self.servers.iter().enumerate() {
                let address = cx.peers.address(*server).clone();
                connecting.said.entry(index).or_insert(CallError::TimedOut { peer: address });
            }
            Err(ConnectError::NoNameServer(connecting.said.into_values().collect()))
        };
        cx.out.push_back(Output::Done(connecting.ticket, Outcome::Connected(result)));
    }

    /// The end of a look-up for `connect`.
    pub(crate) fn handle_connect(&mut self, cx: &mut Cx, from: PeerId, result: Result<Route, CallError>) {
        let Some(server) = self.servers.iter().position(|peer| *peer == from) else { return };
        let Some(connecting) = &mut self.connecting else { return };
        match result {
            Ok(_) => {
                self.current = server;
                self.connected(cx, true);
            }
            Err(error) if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) => {
                self.current = server;
                self.connected(cx, true);
            }
            Err(error) => {
                connecting.said.insert(server, error);
                self.ask_for_connection(cx);
            }
        }
    }

    /// What a name server said about a topic. Returns whether whoever waits for the route can go on.
    pub(crate) fn handle_route(
        &mut self,
        cx: &mut Cx,
        topic: TopicId,
        from: PeerId,
        result: Result<Route, CallError>,
    ) -> bool {
        let Some(entry) = self.topics.get_mut(&topic) else { return false };
        let Some(ask) = entry.ask.as_mut() else { return false };
        match result {
            Ok(route) => {
                self.current = self.servers.iter().position(|peer| *peer == from).unwrap_or(self.current);
                let of_template = ask.template;
                let route = self.adopt(cx, topic, &route, of_template);
                self.end(cx, topic, Ok(route));
            }
            Err(error) if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) => {
                self.current = self.servers.iter().position(|peer| *peer == from).unwrap_or(self.current);
                // The route of a topic that exists outlives a name server that has not heard of it yet.
                let unknown = cx.directory.route(topic).is_none_or(|route| route.of_template);
                if entry.publish && !ask.template && unknown {
                    let deadline = ask.deadline;
                    let mut ask = self.new_ask(deadline);
                    ask.template = true;
                    if let Some(entry) = self.topics.get_mut(&topic) {
                        entry.ask = Some(ask);
                    }
                    self.ask_next(cx, topic);
                    return false;
                }
                let name = cx.directory.topic_name(topic).clone();
                self.end(cx, topic, Err(RouteError::NoSuchTopic(name)));
            }
            Err(error) => {
                ask.last = Some(error);
                self.ask_next(cx, topic);
            }
        }
        self.topics.get(&topic).is_some_and(|entry| entry.ask.is_none())
    }

    /// The addresses of the name servers.
    pub(crate) fn name_servers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.servers.iter().copied()
    }

    /// Everything pending ends, because the client does.
    pub(crate) fn close(&mut self, cx: &mut Cx) {
        if let Some(mut connecting) = self.connecting.take() {
            cx.timers.disarm(&mut connecting.timer);
            cx.out.push_back(Output::Done(connecting.ticket, Outcome::Connected(Err(ConnectError::Closed))));
        }
        for entry in self.topics.values_mut() {
            cx.timers.disarm(&mut entry.timer);
            entry.ask = None;
            for ticket in entry.tickets.drain(..) {
                cx.out.push_back(Output::Done(ticket, Outcome::Queues(Err(RouteError::Closed))));
            }
        }
        self.topics.clear();
    }

    fn end(&mut self, cx: &mut Cx, topic: TopicId, result: Result<TopicRoute, RouteError>) {
        let Some(entry) = self.topics.get_mut(&topic) else { return };
        entry.ask = None;
        let answer = match &result {
            Ok(route) if route.of_template => {
                Err(RouteError::NoSuchTopic(cx.directory.topic_name(topic).clone()))
            }
            Ok(route) => Ok(route.readable.iter().map(|queue| cx.directory.named(*queue)).collect()),
            Err(error) => Err(error.clone()),
        };
        for ticket in entry.tickets.drain(..) {
            cx.out.push_back(Output::Done(ticket, Outcome::Queues(answer.clone())));
        }
        let mut again = cx.config.route_refresh.max(limits::PERIOD_MIN);
        match result {
            Ok(route) => {
                entry.failures = 0;
                if route.of_template {
                    again = limits::ROUTE_DEADLINE;
                }
                if cx.directory.route(topic) != Some(&route) {
                    let name = cx.directory.topic_name(topic).clone();
                    let note = Note::Route(name, route.writable.len(), route.readable.len());
                    cx.out.push_back(Output::Note(note));
                    for left in cx.directory.set_known(topic, Known::Route(route)) {
                        cx.peers.may_leave(left);
                    }
                }
            }
            Err(error) => {
                if matches!(error, RouteError::Unreachable { .. }) {
                    again = limits::ROUTE_RETRY.saturating_mul(1 << entry.failures.min(16)).min(again);
                    entry.failures += 1;
                }
                cx.out.push_back(Output::Note(Note::NoRoute(
                    cx.directory.topic_name(topic).clone(),
                    error.clone(),
                )));
                if cx.directory.route(topic).is_none() {
                    cx.directory.set_known(topic, Known::Missing(error));
                }
            }
        }
        // A tenth earlier or later, so that the topics of many clients do not come in step.
        let spread = cx.rng.jitter(again / 5);
        let at = cx.now + (again - again / 10) + spread;
        cx.timers.rearm(&mut entry.timer, at, Alarm::Route(topic));
    }

    /// Makes a route from what a name server sent (Java: `topicRouteData2TopicPublishInfo`, `…SubscribeInfo`).
    fn adopt(&self, cx: &mut Cx, topic: TopicId, route: &Route, of_template: bool) -> TopicRoute {
        for broker in &route.brokers {
            let id = cx.directory.broker(&broker.name);
            let addresses = &broker.addresses;
            let peers =
                addresses.iter().map(|(number, address)| (*number, cx.peers.intern(address, true))).collect();
            for was in cx.directory.set_addresses(id, peers) {
                cx.peers.may_leave(was);
            }
        }
        let mut rows: Vec<&RouteQueue> = route.queues.iter().collect();
        rows.sort_by(|a, b| a.broker.cmp(&b.broker));
        let clamp = |count: i32| if of_template { count.min(limits::DEFAULT_QUEUES) } else { count };
        let mut out = TopicRoute { of_template, ..TopicRoute::default() };
        for row in rows {
            let Some(broker) = route.brokers.iter().find(|broker| broker.name == row.broker) else {
                continue;
            };
            let id = cx.directory.broker(&row.broker);
            if row.writable() && broker.addresses.contains_key(&MASTER) {
                out.writable.extend((0..clamp(row.write)).map(|queue| QueueId { topic, broker: id, queue }));
            }
            if row.readable() && !broker.addresses.is_empty() {
                out.readable.extend((0..clamp(row.read)).map(|queue| QueueId { topic, broker: id, queue }));
            }
        }
        out
    }

    pub(crate) fn check(&self) {
        for entry in self.topics.values() {
            assert!(entry.ask.is_some() || entry.timer.is_some(), "L7: a topic in use is asked for again");
            assert!(
                entry.tickets.is_empty() || entry.ask.is_some(),
                "S4: whoever waits for queues hears of them"
            );
        }
    }
}

/// The next server of a look-up and how long it has; none when all were asked or the time is over.
fn next_server(cx: &Cx, ask: &mut Ask) -> Option<(usize, Instant)> {
    let time_left = ask.deadline.since(cx.now);
    if time_left.is_zero() {
        return None;
    }
    let share = time_left / u32::try_from(ask.left.len().max(1)).unwrap_or(u32::MAX);
    let server = ask.left.pop()?;
    let deadline =
        if ask.left.is_empty() { ask.deadline } else { cx.now + share.max(limits::ROUTE_SHARE_MIN) };
    Some((server, deadline.min(ask.deadline)))
}
