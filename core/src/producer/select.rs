//! Which queue a message goes to.
//!
//! Laws: any window of n choices among n healthy queues covers each once; a broker that cannot be reached, or that
//! failed this message last, is chosen only when there is nothing else.
//!
//! Source: Java `MQFaultStrategy`, `TopicPublishInfo`; one counter per topic instead of one per thread.

use crate::cx::Cx;
use crate::ids::{BrokerId, QueueId, TopicId};
use crate::producer::Choice;

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
            let start = turn.checked_rem(queues.len())?;
            let (before, from) = queues.split_at_checked(start)?;
            let in_turn = || from.iter().chain(before).copied();
            let reachable = |queue: &QueueId| {
                cx.directory.master(queue.broker).is_some_and(|peer| !cx.peers.is_down(peer))
            };
            let other = |queue: &QueueId| Some(queue.broker) != avoid;
            in_turn()
                .find(|queue| other(queue) && reachable(queue))
                .or_else(|| in_turn().find(other))
                .or_else(|| in_turn().next())
        }
    }
}

/// Whether a message of this topic could go to another broker than this.
pub(super) fn has_other(cx: &Cx, topic: TopicId, broker: BrokerId) -> bool {
    cx.directory.route(topic).is_some_and(|route| route.writable.iter().any(|queue| queue.broker != broker))
}
