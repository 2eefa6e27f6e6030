//! Which queue a message goes to.
//!
//! Laws: any window of n choices among n healthy queues covers each once; a broker that failed this message last is
//! chosen only when there is no other that can be reached, one that cannot be reached only when there is nothing else.
//!
//! Source: Java `MQFaultStrategy`, `TopicPublishInfo`; one counter per topic instead of one per thread.

use crate::cx::Cx;
use crate::ids::{BrokerId, QueueId, TopicId};
use crate::producer::message::Choice;

/// The queue for the next attempt; none if the one asked for is not writable.
pub(super) fn queue(cx: &mut Cx, topic: TopicId, to: &Choice, avoid: Option<BrokerId>) -> Option<QueueId> {
    match to {
        Choice::Queue(queue) => {
            let broker = cx.directory.find_broker(&queue.broker)?;
            let wanted = QueueId { topic, broker, queue: queue.queue };
            cx.directory.route(topic)?.writable.contains(&wanted).then_some(wanted)
        }
        Choice::Any => {
            let turn = cx.directory.next_turn(topic) as usize;
            let queues = &cx.directory.route(topic)?.writable;
            let reachable = |queue: &QueueId| is_reachable(cx, queue.broker);
            let other = |queue: &QueueId| Some(queue.broker) != avoid;
            if avoid.is_none() && !cx.peers.any_down() {
                return queues.get(turn.checked_rem(queues.len())?).copied();
            }
            in_turn(queues, turn, |queue| other(queue) && reachable(queue))
                .or_else(|| in_turn(queues, turn, reachable))
                .or_else(|| in_turn(queues, turn, other))
                .or_else(|| in_turn(queues, turn, |_| true))
        }
    }
}

/// The queue whose turn it is among those that are good: the neighbour of a bad one must not get its share too.
fn in_turn(queues: &[QueueId], turn: usize, good: impl Fn(&QueueId) -> bool) -> Option<QueueId> {
    let nth = turn.checked_rem(queues.iter().filter(|queue| good(queue)).count())?;
    queues.iter().filter(|queue| good(queue)).nth(nth).copied()
}

fn is_reachable(cx: &Cx, broker: BrokerId) -> bool {
    cx.directory.master(broker).is_some_and(|peer| !cx.peers.is_down(peer))
}

/// Whether a message could go to another broker than this, as far as its route says.
pub(super) fn has_other(cx: &Cx, topic: TopicId, to: &Choice, broker: BrokerId) -> bool {
    others(cx, topic, to, broker).next().is_some()
}

/// Whether there is one that can be reached, as far as anybody tried.
pub(super) fn has_reachable_other(cx: &Cx, topic: TopicId, to: &Choice, broker: BrokerId) -> bool {
    others(cx, topic, to, broker).any(|other| is_reachable(cx, other))
}

fn others(cx: &Cx, topic: TopicId, to: &Choice, broker: BrokerId) -> impl Iterator<Item = BrokerId> {
    let route = cx.directory.route(topic).filter(|_| matches!(to, Choice::Any));
    let queues = route.into_iter().flat_map(|route| &route.writable);
    queues.map(|queue| queue.broker).filter(move |other| *other != broker)
}
