//! Topics and groups that belong to the brokers, and the marks a topic can have.
//!
//! Law: what is a broker's own keeps its name in every namespace, and is not for users to make or to delete.
//!
//! Sources: Java `TopicValidator#isSystemTopic`, `MixAll#isSysConsumerGroup`, `TopicSysFlag`; wire.md §12.5.

use super::rpc::send::TEMPLATE_TOPIC;
use super::trace;

/// Marks of a topic, in its `topicSysFlag`.
pub mod flags {
    /// It belongs to a unit, one of several deployments that share their users out.
    pub const UNIT: i32 = 1;
    /// Consumers of a unit read it.
    pub const UNIT_SUBSCRIBED: i32 = 2;
}

const SYSTEM_PREFIX: &str = "rmq_sys_";
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

/// Topics that nobody may send to (Java: `TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`).
const NOT_FOR_SENDING: [&str; 8] = [
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

/// The others of Java's list of 5.5.0; 4.9.4 does not have three of both.
const OTHERS: [&str; 4] = [TEMPLATE_TOPIC, trace::TOPIC, "BenchmarkTest", "CHECKPOINT_TOPIC"];

/// Whether a topic of this name belongs to the brokers.
#[must_use]
pub fn is_system(topic: &str) -> bool {
    is_not_for_sending(topic) || OTHERS.contains(&topic)
}

/// Whether sending to a topic of this name is refused by brokers, or does harm there: a stray message in
/// `rmq_sys_wheel_timer` halts a 5.5.0 broker's timers.
#[must_use]
pub fn is_not_for_sending(topic: &str) -> bool {
    topic.starts_with(SYSTEM_PREFIX) || NOT_FOR_SENDING.contains(&topic)
}

/// Whether a group of this name belongs to the brokers.
#[must_use]
pub fn is_system_group(group: &str) -> bool {
    group.starts_with(SYSTEM_GROUP_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_have_names_of_their_own() {
        for name in ["TBW102", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_wheel_timer", "OFFSET_MOVED_EVENT"] {
            assert!(is_system(name), "{name}");
        }
        for name in ["", "orders", "RMQ_SYS_", "%RETRY%TBW102", "tbw102"] {
            assert!(!is_system(name), "{name}");
        }
        assert!(is_not_for_sending("rmq_sys_wheel_timer") && is_not_for_sending("OFFSET_MOVED_EVENT"));
        assert!(!is_not_for_sending("TBW102") && !is_not_for_sending("RMQ_SYS_TRACE_TOPIC"));
        assert!(is_system_group("CID_RMQ_SYS_TRANS") && !is_system_group("CID_orders"));
    }
}
