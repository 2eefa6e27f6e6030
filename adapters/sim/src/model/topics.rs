//! Topics: their settings, and the rules for names (Java: `TopicConfig`, `TopicValidator`).

use std::fmt;

/// A topic as one broker has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Queues to consume from.
    pub read_queues: i32,
    /// Queues to send to.
    pub write_queues: i32,
    /// Permission bits: 4 read, 2 write, 1 may be inherited by topics made from this one.
    pub perm: i32,
    /// System bits.
    pub sys_flag: i32,
}

/// May be read.
pub const READ: i32 = 4;
/// May be written.
pub const WRITE: i32 = 2;
/// May serve as a template.
pub const INHERIT: i32 = 1;
/// The template of topics that are made by sending to them.
pub const TEMPLATE: &str = "TBW102";
/// Before a group's name: its retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Before a group's name: its dead letters.
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";

impl TopicConfig {
    /// A readable and writable topic of so many queues.
    #[must_use]
    pub const fn new(queues: i32) -> Self {
        Self { read_queues: queues, write_queues: queues, perm: READ | WRITE, sys_flag: 0 }
    }

    /// As Java prints it in remarks.
    pub(super) const fn printed<'a>(&'a self, name: &'a str, line: super::Line) -> impl fmt::Display + 'a {
        Printed { config: self, name, line }
    }
}

struct Printed<'a> {
    config: &'a TopicConfig,
    name: &'a str,
    line: super::Line,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicConfig { read_queues, write_queues, perm, sys_flag } = self.config;
        let bit = |mask: i32, letter| if perm & mask == 0 { '-' } else { letter };
        write!(
            f,
            "TopicConfig [topicName={}, readQueueNums={read_queues}, writeQueueNums={write_queues}, perm={}{}{}, \
             topicFilterType=SINGLE_TAG, topicSysFlag={sys_flag}, order=false",
            self.name,
            bit(READ, 'R'),
            bit(WRITE, 'W'),
            bit(INHERIT, 'X'),
        )?;
        match self.line {
            super::Line::V4_9 => f.write_str("]"),
            super::Line::V5 => f.write_str(", attributes={}]"),
        }
    }
}

/// Why a broker refuses a topic's name.
pub(super) fn refuse_name(topic: &str) -> Option<&'static str> {
    if topic.trim().is_empty() {
        return Some("The specified topic is blank.");
    }
    if !topic
        .bytes()
        .all(|byte| matches!(byte, b'%' | b'|' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'))
    {
        return Some("The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$");
    }
    let most =
        if topic.starts_with(RETRY_PREFIX) || topic.starts_with(DEAD_LETTER_PREFIX) { 255 } else { 127 };
    (topic.len() > most).then_some("The specified topic is longer than topic max length.")
}

/// Topics of the broker's own that take no messages from clients.
pub(super) fn refuses_sends(topic: &str) -> bool {
    matches!(
        topic,
        "SCHEDULE_TOPIC_XXXX"
            | "RMQ_SYS_TRANS_HALF_TOPIC"
            | "RMQ_SYS_TRANS_OP_HALF_TOPIC"
            | "TRANS_CHECK_MAX_TIME_TOPIC"
            | "SELF_TEST_TOPIC"
            | "OFFSET_MOVED_EVENT"
    )
}

/// What every broker has from its start.
pub(super) fn system_topics(broker: &str, cluster: &str, template: bool) -> Vec<(String, TopicConfig)> {
    let mut topics = vec![
        ("SELF_TEST_TOPIC".to_owned(), TopicConfig::new(1)),
        ("BenchmarkTest".to_owned(), TopicConfig::new(1024)),
        (cluster.to_owned(), TopicConfig { perm: READ | WRITE | INHERIT, ..TopicConfig::new(16) }),
        (broker.to_owned(), TopicConfig { perm: READ | WRITE | INHERIT, ..TopicConfig::new(1) }),
        ("OFFSET_MOVED_EVENT".to_owned(), TopicConfig::new(1)),
        ("SCHEDULE_TOPIC_XXXX".to_owned(), TopicConfig::new(18)),
        (format!("{cluster}_REPLY_TOPIC"), TopicConfig::new(1)),
    ];
    if template {
        topics
            .push((TEMPLATE.to_owned(), TopicConfig { perm: READ | WRITE | INHERIT, ..TopicConfig::new(8) }));
    }
    topics
}
