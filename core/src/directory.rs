//! The names this client has met, and what they stand for: topics with their queues, brokers with their addresses.
//! Everybody reads it; the router alone writes routes into it.
//!
//! Laws: an interned id stands for the same name for as long as anybody may hold it; a route here is the last one a
//! name server gave, however long ago: a stale route is better than none. Of topics that nobody uses any more only so
//! many are kept; the names of brokers, which are a cluster's and few, for as long as the client lives.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::error::RouteError;
use crate::ids::{BrokerId, BrokerName, PeerId, Queue, QueueId, Topic, TopicId};
use crate::limits::client as limits;
use crate::time::Instant;
use crate::wire::Text;

/// The queues of a topic, as they can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicRoute {
    /// Queues with write permission whose broker has a master, by broker name and number.
    pub(crate) writable: Vec<QueueId>,
    /// Queues with read permission.
    pub(crate) readable: Vec<QueueId>,
    /// It is the template's: the topic itself does not exist yet.
    pub(crate) of_template: bool,
}

/// What is known of a topic's route.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Nobody asked yet.
    Nothing,
    /// The last look-up found none, and none was found before.
    Missing(RouteError),
    /// The last route given.
    Route(TopicRoute),
}

#[derive(Clone, Debug)]
struct TopicEntry {
    name: Topic,
    known: Known,
    /// Where the round robin stands.
    turn: u32,
    /// When somebody last needed its route.
    used: Instant,
    /// Its route is asked for again and again.
    followed: bool,
}

#[derive(Clone, Debug)]
struct BrokerEntry {
    name: BrokerName,
    /// Replica number to address; 0 is the master.
    addresses: BTreeMap<i64, PeerId>,
    /// What it calls its region in its replies.
    region: Option<Text>,
}

impl Known {
    /// The brokers that the route names, each as often as it has queues.
    fn brokers(&self) -> impl Iterator<Item = BrokerId> + '_ {
        let route = if let Self::Route(route) = self { Some(route) } else { None };
        route
            .into_iter()
            .flat_map(|route| route.writable.iter().chain(&route.readable))
            .map(|queue| queue.broker)
    }
}

/// The number of a master among its replicas (Java: `MixAll.MASTER_ID`).
pub(crate) const MASTER: i64 = 0;

/// Names to ids and back, and the routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    /// By id; the places of those that were let go are given away again.
    topics: Vec<Option<TopicEntry>>,
    free: Vec<TopicId>,
    topic_ids: BTreeMap<Topic, TopicId>,
    /// Those that are not kept fresh, the one that was let alone first in front.
    idle: VecDeque<TopicId>,
    brokers: Vec<BrokerEntry>,
    broker_ids: BTreeMap<BrokerName, BrokerId>,
}

impl Directory {
    /// The id of a topic; `first_turn` is where its round robin starts if it is new.
    pub(crate) fn topic(&mut self, name: &Topic, first_turn: impl FnOnce() -> u32) -> TopicId {
        if let Some(id) = self.topic_ids.get(name) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.topics.push(None);
            TopicId(u32::try_from(self.topics.len() - 1).unwrap_or(u32::MAX))
        });
        self.topics[id.0 as usize] = Some(TopicEntry {
            name: name.clone(),
            known: Known::Nothing,
            turn: first_turn(),
            used: Instant::ZERO,
            followed: false,
        });
        self.topic_ids.insert(name.clone(), id);
        self.idle.push_back(id);
        id
    }

    /// The topic that nobody used for longest, if more of that kind are known than are kept: it is to be let go, unless
    /// somebody still holds it.
    pub(crate) fn surplus(&self) -> Option<TopicId> {
        self.idle.front().copied().filter(|_| self.idle.len() > limits::IDLE_TOPICS)
    }

    /// Lets go of the topic that nobody used for longest. Returns the addresses of its brokers, which perhaps no other
    /// route names.
    pub(crate) fn let_go(&mut self) -> Vec<PeerId> {
        let Some(id) = self.idle.pop_front() else { return Vec::new() };
        let Some(entry) = self.topics[id.0 as usize].take() else { return Vec::new() };
        self.topic_ids.remove(&entry.name);
        self.free.push(id);
        self.addresses_left(&entry.known, &Known::Nothing)
    }

    /// Somebody still holds the topic that nobody used for longest: it is no longer the next to go.
    pub(crate) fn spare(&mut self) {
        self.idle.rotate_left(1.min(self.idle.len()));
    }

    fn entry(&self, id: TopicId) -> &TopicEntry {
        self.topics[id.0 as usize].as_ref().expect("a topic that somebody holds is not let go")
    }

    fn entry_mut(&mut self, id: TopicId) -> &mut TopicEntry {
        self.topics[id.0 as usize].as_mut().expect("a topic that somebody holds is not let go")
    }

    pub(crate) fn broker(&mut self, name: &BrokerName) -> BrokerId {
        if let Some(id) = self.broker_ids.get(name) {
            return *id;
        }
        let id = BrokerId(u32::try_from(self.brokers.len()).unwrap_or(u32::MAX));
        self.brokers.push(BrokerEntry { name: name.clone(), addresses: BTreeMap::new(), region: None });
        self.broker_ids.insert(name.clone(), id);
        id
    }

    pub(crate) fn find_broker(&self, name: &BrokerName) -> Option<BrokerId> {
        self.broker_ids.get(name).copied()
    }

    pub(crate) fn topic_name(&self, id: TopicId) -> &Topic {
        &self.entry(id).name
    }

    pub(crate) fn broker_name(&self, id: BrokerId) -> &BrokerName {
        &self.brokers[id.0 as usize].name
    }

    /// The broker's region, as it said it now: kept once, since every reply says it again.
    pub(crate) fn region(&mut self, id: BrokerId, said: &Text) -> Text {
        let known = &mut self.brokers[id.0 as usize].region;
        match known {
            Some(region) if region == said => region.clone(),
            _ => known.insert(said.detached()).clone(),
        }
    }

    pub(crate) fn known(&self, id: TopicId) -> &Known {
        &self.entry(id).known
    }

    pub(crate) fn route(&self, id: TopicId) -> Option<&TopicRoute> {
        if let Known::Route(route) = self.known(id) { Some(route) } else { None }
    }

    /// Returns the addresses of the brokers that the route named before and does not now, which perhaps no other one
    /// names.
    pub(crate) fn set_known(&mut self, id: TopicId, known: Known) -> Vec<PeerId> {
        let was = core::mem::replace(&mut self.entry_mut(id).known, known);
        self.addresses_left(&was, self.known(id))
    }

    /// Somebody needs this topic's route. Returns whether it is kept fresh.
    pub(crate) fn touch(&mut self, id: TopicId, now: Instant) -> bool {
        let entry = self.entry_mut(id);
        entry.used = now;
        entry.followed
    }

    /// When somebody last needed this topic's route.
    pub(crate) fn used_at(&self, id: TopicId) -> Instant {
        self.entry(id).used
    }

    /// Its route is kept fresh from now on, or no more.
    pub(crate) fn set_followed(&mut self, id: TopicId, followed: bool) {
        let was = core::mem::replace(&mut self.entry_mut(id).followed, followed);
        match (was, followed) {
            (false, true) => self.idle.retain(|idle| *idle != id),
            (true, false) => self.idle.push_back(id),
            (true, true) | (false, false) => {}
        }
    }

    /// Advances the topic's round robin and says where it stood.
    pub(crate) fn next_turn(&mut self, id: TopicId) -> u32 {
        let entry = self.entry_mut(id);
        let turn = entry.turn;
        entry.turn = turn.wrapping_add(1);
        turn
    }

    /// Where a broker's replicas are. Returns where there are none any more.
    pub(crate) fn set_addresses(&mut self, id: BrokerId, addresses: BTreeMap<i64, PeerId>) -> Vec<PeerId> {
        let known = &mut self.brokers[id.0 as usize].addresses;
        let mut was: Vec<PeerId> = core::mem::replace(known, addresses).into_values().collect();
        was.retain(|peer| !known.values().any(|is| is == peer));
        was
    }

    /// Where the replicas of all brokers are.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.brokers.iter().flat_map(|broker| broker.addresses.values().copied())
    }

    /// The brokers that have a replica at this address.
    pub(crate) fn brokers_at(&self, peer: PeerId) -> impl Iterator<Item = BrokerId> + '_ {
        let brokers = (0..).map(BrokerId).zip(&self.brokers);
        let of = brokers.filter(move |(_, broker)| broker.addresses.values().any(|known| *known == peer));
        of.map(|(id, _)| id)
    }

    /// Whether some route names this broker.
    pub(crate) fn is_named(&self, id: BrokerId) -> bool {
        self.topics.iter().flatten().any(|topic| topic.known.brokers().any(|named| named == id))
    }

    /// This address is nobody's any more.
    pub(crate) fn forget_address(&mut self, peer: PeerId) {
        for broker in &mut self.brokers {
            broker.addresses.retain(|_, known| *known != peer);
        }
    }

    /// The addresses of the brokers that one route names and another does not.
    fn addresses_left(&self, was: &Known, is: &Known) -> Vec<PeerId> {
        let is: BTreeSet<BrokerId> = is.brokers().collect();
        let left: BTreeSet<BrokerId> = was.brokers().filter(|id| !is.contains(id)).collect();
        left.iter().flat_map(|id| self.brokers[id.0 as usize].addresses.values().copied()).collect()
    }

    /// The address of a broker's master.
    pub(crate) fn master(&self, id: BrokerId) -> Option<PeerId> {
        self.brokers[id.0 as usize].addresses.get(&MASTER).copied()
    }

    /// Where to read from this broker: its master, else its replica of the smallest number.
    pub(crate) fn readable_at(&self, id: BrokerId) -> Option<PeerId> {
        self.brokers[id.0 as usize].addresses.first_key_value().map(|(_, peer)| *peer)
    }

    /// Every address of every broker in the routes that are kept fresh, masters only if asked so.
    pub(crate) fn broker_peers(&self, masters_only: bool) -> Vec<PeerId> {
        let followed = self.topics.iter().flatten().filter(|topic| topic.followed);
        let routes = followed.filter_map(|topic| match &topic.known {
            Known::Route(route) => Some(route),
            Known::Nothing | Known::Missing(_) => None,
        });
        let mut brokers: Vec<BrokerId> =
            routes.flat_map(|route| route.writable.iter().chain(&route.readable)).map(|q| q.broker).collect();
        brokers.sort_unstable();
        brokers.dedup();
        let mut peers: Vec<PeerId> = brokers
            .iter()
            .flat_map(|broker| &self.brokers[broker.0 as usize].addresses)
            .filter(|(number, _)| !masters_only || **number == MASTER)
            .map(|(_, peer)| *peer)
            .collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// A queue whose names were met before.
    pub(crate) fn find(&self, queue: &Queue) -> Option<QueueId> {
        let (topic, broker) = (*self.topic_ids.get(&queue.topic)?, self.find_broker(&queue.broker)?);
        Some(QueueId { topic, broker, queue: queue.queue })
    }

    pub(crate) fn check(&self) {
        assert_eq!(
            self.topics.len(),
            self.topic_ids.len() + self.free.len(),
            "R3: no topic is forgotten about"
        );
        let idle = self.topics.iter().flatten().filter(|topic| !topic.followed).count();
        assert_eq!(idle, self.idle.len(), "R3: a topic is kept fresh, or may be let go");
    }

    /// A queue by its names.
    pub(crate) fn named(&self, id: QueueId) -> Queue {
        Queue {
            topic: self.topic_name(id.topic).clone(),
            broker: self.broker_name(id.broker).clone(),
            queue: id.queue,
        }
    }
}
