//! The names this client has met, and what they stand for: topics with their queues, brokers with their addresses.
//! Everybody reads it; the router alone writes routes into it.
//!
//! Laws: an interned id stands for the same name for as long as the client lives; a route here is the last one a name
//! server gave, however long ago: a stale route is better than none.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::error::RouteError;
use crate::ids::{BrokerId, BrokerName, PeerId, Queue, QueueId, Topic, TopicId};
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

/// The number of a master among its replicas (Java: `MixAll.MASTER_ID`).
pub(crate) const MASTER: i64 = 0;

/// Names to ids and back, and the routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    topics: Vec<TopicEntry>,
    topic_ids: BTreeMap<Topic, TopicId>,
    brokers: Vec<BrokerEntry>,
    broker_ids: BTreeMap<BrokerName, BrokerId>,
}

impl Directory {
    /// The id of a topic; `first_turn` is where its round robin starts if it is new.
    pub(crate) fn topic(&mut self, name: &Topic, first_turn: impl FnOnce() -> u32) -> TopicId {
        if let Some(id) = self.topic_ids.get(name) {
            return *id;
        }
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(TopicEntry {
            name: name.clone(),
            known: Known::Nothing,
            turn: first_turn(),
            used: Instant::ZERO,
            followed: false,
        });
        self.topic_ids.insert(name.clone(), id);
        id
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
        &self.topics[id.0 as usize].name
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
        &self.topics[id.0 as usize].known
    }

    pub(crate) fn route(&self, id: TopicId) -> Option<&TopicRoute> {
        if let Known::Route(route) = self.known(id) { Some(route) } else { None }
    }

    pub(crate) fn set_known(&mut self, id: TopicId, known: Known) {
        self.topics[id.0 as usize].known = known;
    }

    /// Somebody needs this topic's route. Returns whether it is kept fresh.
    pub(crate) fn touch(&mut self, id: TopicId, now: Instant) -> bool {
        let entry = &mut self.topics[id.0 as usize];
        entry.used = now;
        entry.followed
    }

    /// When somebody last needed this topic's route.
    pub(crate) fn used_at(&self, id: TopicId) -> Instant {
        self.topics[id.0 as usize].used
    }

    /// Its route is kept fresh from now on, or no more.
    pub(crate) fn set_followed(&mut self, id: TopicId, followed: bool) {
        self.topics[id.0 as usize].followed = followed;
    }

    /// Advances the topic's round robin and says where it stood.
    pub(crate) fn next_turn(&mut self, id: TopicId) -> u32 {
        let entry = &mut self.topics[id.0 as usize];
        let turn = entry.turn;
        entry.turn = turn.wrapping_add(1);
        turn
    }

    pub(crate) fn set_addresses(&mut self, id: BrokerId, addresses: BTreeMap<i64, PeerId>) {
        self.brokers[id.0 as usize].addresses = addresses;
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
        let routes =
            self.topics.iter().filter(|topic| topic.followed).filter_map(|topic| match &topic.known {
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

    /// A queue by its names.
    pub(crate) fn named(&self, id: QueueId) -> Queue {
        Queue {
            topic: self.topic_name(id.topic).clone(),
            broker: self.broker_name(id.broker).clone(),
            queue: id.queue,
        }
    }
}
