//! Which member of a group reads which queues, as Java's strategies say: every member computes it for itself from the
//! same sorted lists, so all must agree to the bit.
//!
//! Laws: whatever the counts, every queue goes to exactly one member ([`Strategy::MachineRoom`] leaves out queues of
//! rooms that nobody named). Lists are sorted by [`java_order`] before; a member that is not in the list gets nothing.
//!
//! Sources: Java `AllocateMessageQueueAveragely`, `…AveragelyByCircle`, `…ConsistentHash`, `…ByMachineRoom`,
//! `AllocateMachineRoomNearby`, `ConsistentHashRouter`; behaviour.md §5.7.

mod md5;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::ids::Queue;

/// How queues are shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy<'a> {
    /// Each member gets neighbours, the first ones one more.
    Average,
    /// Each member gets every so-manieth.
    Circle,
    /// Queues and members on a ring of hashes; few queues move when a member comes or goes.
    ConsistentHash {
        /// Places of each member on the ring. Java takes 10.
        virtual_nodes: u32,
    },
    /// Queues of brokers named `room@name`, of these rooms only, by average.
    MachineRoom {
        /// The rooms.
        rooms: &'a [&'a str],
    },
}

/// Java's order of texts: by UTF-16 units, which differs from the order of characters beyond the first plane.
#[must_use]
pub fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// Java's order of queues: topic, broker, number.
#[must_use]
pub fn queue_order(a: &Queue, b: &Queue) -> Ordering {
    java_order(a.topic.as_str(), b.topic.as_str())
        .then_with(|| java_order(a.broker.as_str(), b.broker.as_str()))
        .then_with(|| a.queue.cmp(&b.queue))
}

impl Strategy<'_> {
    /// The queues of member `me`, of these queues and these members, both in Java's order.
    #[must_use]
    pub fn assign(&self, queues: &[Queue], members: &[&str], me: &str) -> Vec<Queue> {
        let Some(index) = members.iter().position(|member| *member == me) else { return Vec::new() };
        match self {
            Self::Average => average(queues, members.len(), index).to_vec(),
            Self::Circle => queues.iter().skip(index).step_by(members.len()).cloned().collect(),
            Self::ConsistentHash { virtual_nodes } => consistent_hash(queues, members, me, *virtual_nodes),
            Self::MachineRoom { rooms } => machine_room(queues, members.len(), index, rooms),
        }
    }
}

fn average(queues: &[Queue], members: usize, index: usize) -> &[Queue] {
    let (each, more) = (queues.len() / members, queues.len() % members);
    let start = index * each + index.min(more);
    let size = each + usize::from(index < more);
    queues.get(start..start + size).unwrap_or_default()
}

fn machine_room(queues: &[Queue], members: usize, index: usize, rooms: &[&str]) -> Vec<Queue> {
    let in_rooms = |queue: &&Queue| {
        let mut parts = queue.broker.as_str().split('@');
        let (room, name, end) = (parts.next(), parts.next(), parts.next());
        name.is_some_and(|name| !name.is_empty())
            && end.is_none()
            && room.is_some_and(|room| rooms.contains(&room))
    };
    let queues = queues.iter().filter(in_rooms).cloned().collect::<Vec<_>>();
    let (each, more) = (queues.len() / members, queues.len() % members);
    let own = queues.iter().skip(index * each).take(each);
    let rest = queues.iter().skip(index + each * members).take(usize::from(index < more));
    own.chain(rest).cloned().collect()
}

fn consistent_hash(queues: &[Queue], members: &[&str], me: &str, virtual_nodes: u32) -> Vec<Queue> {
    let mut ring = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        // A member that is listed again takes further places, as in Java.
        let before = members.iter().take(at).filter(|earlier| *earlier == member).count();
        for node in (0_u64..).skip(before * virtual_nodes as usize).take(virtual_nodes as usize) {
            ring.insert(ring_hash(&format!("{member}-{node}")), *member);
        }
    }
    let owner = |queue: &Queue| {
        let Queue { topic, broker, queue } = queue;
        let hash = ring_hash(&format!("MessageQueue [topic={topic}, brokerName={broker}, queueId={queue}]"));
        ring.range(hash..).chain(&ring).next().map(|(_, member)| *member)
    };
    queues.iter().filter(|queue| owner(queue) == Some(me)).cloned().collect()
}

/// The place of a text on the ring: the first four bytes of its MD5.
#[must_use]
pub fn ring_hash(text: &str) -> u32 {
    let [a, b, c, d, ..] = md5::digest(text.as_bytes());
    u32::from_be_bytes([a, b, c, d])
}

/// Shares out by average within rooms: a member reads queues of its own room, and all members share those of rooms
/// that have none. `None` where a room is not known.
#[must_use]
pub fn nearby(
    queues: &[Queue],
    members: &[&str],
    me: &str,
    room_of_queue: impl Fn(&Queue) -> Option<&str>,
    room_of_member: impl Fn(&str) -> Option<&str>,
) -> Option<Vec<Queue>> {
    let mine = room_of_member(me)?;
    let rooms = members.iter().map(|member| room_of_member(member)).collect::<Option<BTreeSet<_>>>()?;
    let mut by_room = BTreeMap::<_, Vec<Queue>>::new();
    for queue in queues {
        by_room.entry(room_of_queue(queue)?).or_default().push(queue.clone());
    }
    let neighbours =
        members.iter().filter(|member| room_of_member(member) == Some(mine)).copied().collect::<Vec<_>>();
    let mut assigned = Vec::new();
    for (room, queues) in &by_room {
        if *room == mine {
            assigned.extend(Strategy::Average.assign(queues, &neighbours, me));
        } else if !rooms.contains(room) {
            assigned.extend(Strategy::Average.assign(queues, members, me));
        }
    }
    Some(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BrokerName, Topic};

    fn queues(count: i32) -> Vec<Queue> {
        let topic = Topic::new("TopicTest").expect("a topic");
        let broker = BrokerName::new("broker-a").expect("a name");
        (0..count).map(|queue| Queue { topic: topic.clone(), broker: broker.clone(), queue }).collect()
    }

    fn numbers(strategy: &Strategy<'_>, count: i32, members: &[&str], me: &str) -> Vec<i32> {
        strategy.assign(&queues(count), members, me).into_iter().map(|queue| queue.queue).collect()
    }

    #[test]
    fn examples_are_java_s() {
        let members = ["c1", "c2", "c3"];
        let all = |strategy: &Strategy<'_>| members.map(|me| numbers(strategy, 8, &members, me));
        assert_eq!(all(&Strategy::Average), [alloc::vec![0, 1, 2], alloc::vec![3, 4, 5], alloc::vec![6, 7]]);
        assert_eq!(all(&Strategy::Circle), [alloc::vec![0, 3, 6], alloc::vec![1, 4, 7], alloc::vec![2, 5]]);
        let ring = Strategy::ConsistentHash { virtual_nodes: 10 };
        assert_eq!(all(&ring), [alloc::vec![0, 4, 5, 7], alloc::vec![1, 6], alloc::vec![2, 3]]);
        assert_eq!(ring_hash("c1-0"), 3_886_541_579);
        assert!(numbers(&Strategy::Average, 8, &members, "c4").is_empty());
    }

    #[test]
    fn every_queue_goes_to_exactly_one_member() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        for count in 0..30 {
            for members in (1..=names.len()).filter_map(|members| names.get(..members)) {
                for strategy in
                    [Strategy::Average, Strategy::Circle, Strategy::ConsistentHash { virtual_nodes: 10 }]
                {
                    let mut all = members
                        .iter()
                        .flat_map(|me| numbers(&strategy, count, members, me))
                        .collect::<Vec<_>>();
                    all.sort_unstable();
                    assert_eq!(
                        all,
                        (0..count).collect::<Vec<_>>(),
                        "{strategy:?}, {} members",
                        members.len()
                    );
                }
            }
        }
    }
}
