//! Consumer offsets and queue positions (Java: `ConsumerManageProcessor`, `AdminBrokerProcessor`).
//!
//! Law: the broker takes every offset it is given, lower, higher or negative; what is safe is the client's to know.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Broker, Conn, Event, Line, either};
use crate::codec::Command;
use crate::model::connections::{Asker, Reply};

impl Broker {
    pub(super) fn commit(&mut self, conn: Conn, group: &str, topic: &str, queue: i32, offset: i64) {
        let group =
            self.store.offsets.get_key_value(group).map_or_else(|| Arc::from(group), |(g, _)| Arc::clone(g));
        let topic = self.topic(topic).map_or_else(|| Arc::from(topic), |(topic, _)| topic);
        let topics = self.store.offsets.entry(Arc::clone(&group)).or_default();
        topics.entry(Arc::clone(&topic)).or_default().insert(queue, offset);
        self.connections.observe(|| Event::Commit { conn, group, topic, queue, offset });
    }

    pub(super) fn query_offset(&self, command: &Command<'_>) -> Reply {
        let found = || {
            let group = Self::need(command, "consumerGroup")?;
            let topic = Self::need(command, "topic")?;
            let queue: i32 = Self::number(command, "queueId")?;
            if let Some(offset) = self.store.offset(group, topic, queue) {
                return Ok(offset);
            }
            let (min, max) = self.store.log.range(topic, queue);
            match (self.config.line, command.field("setZeroIfNotFound")) {
                (Line::V5, Some("false")) => {
                    Err(Reply::refuse(22, "Not found, do not set to zero, maybe this group boot first"))
                }
                (Line::V5, _) if min == 0 && max > 0 => Ok(0),
                (Line::V4_9, _) if min == 0 => Ok(0),
                _ => {
                    Err(Reply::refuse(22, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"))
                }
            }
        };
        either(found().map(|offset: i64| Reply::ok().with("offset", offset.to_string()))).with_fields()
    }

    /// 43: every stored offset, in fastjson's dialect with bare numbers as keys.
    pub(super) fn all_offsets(&self) -> Reply {
        let tables = self.store.offsets.iter().flat_map(|(group, topics)| {
            topics.iter().map(move |(topic, queues)| {
                let queues: Vec<String> =
                    queues.iter().map(|(queue, offset)| format!("{queue}:{offset}")).collect();
                format!("{}:{{{}}}", serde_json::Value::from(format!("{topic}@{group}")), queues.join(","))
            })
        });
        let tables = tables.collect::<Vec<_>>().join(",");
        let version = "{\"counter\":1,\"timestamp\":0}";
        Reply::body(format!("{{\"dataVersion\":{version},\"offsetTable\":{{{tables}}}}}"))
    }

    pub(super) fn update_offset(&mut self, asker: &Asker, command: &Command<'_>) -> Reply {
        either(self.try_update_offset(asker, command)).with_fields()
    }

    fn try_update_offset(&mut self, asker: &Asker, command: &Command<'_>) -> Result<Reply, Reply> {
        let group = Self::need(command, "consumerGroup")?;
        let topic = Self::need(command, "topic")?;
        let queue = Self::number(command, "queueId")?;
        let offset = Self::number(command, "commitOffset")?;
        if self.config.line == Line::V5 {
            if !self.store.groups.contains(group) {
                return Err(Reply::refuse(26, format!("Group {group} not exist!")));
            }
            if !self.store.topics.contains_key(topic) {
                return Err(Reply::refuse(17, format!("Topic {topic} not exist!")));
            }
        }
        self.commit(asker.conn, group, topic, queue, offset);
        Ok(Reply::ok())
    }

    /// 30 and 31: one end of a queue; zero for what does not exist.
    pub(super) fn edge(
        &self,
        command: &Command<'_>,
        which: fn((i64, i64)) -> i64,
        remark: Option<&'static str>,
    ) -> Reply {
        let edge = || {
            let topic = Self::need(command, "topic")?;
            let queue = Self::number(command, "queueId")?;
            let offset = which(self.store.log.range(topic, queue));
            Ok(Reply { remark: remark.map(Into::into), ..Reply::ok().with("offset", offset.to_string()) })
        };
        either(edge())
    }

    pub(super) fn search_offset(&self, command: &Command<'_>) -> Reply {
        let search = || {
            let topic = Self::need(command, "topic")?;
            let queue = Self::number(command, "queueId")?;
            let at: i64 = Self::number(command, "timestamp")?;
            let upper = command.field("boundaryType").is_some_and(|kind| kind.eq_ignore_ascii_case("upper"));
            let (min, max) = self.store.log.range(topic, queue);
            let mut times = self.store.log.times(topic, queue);
            let offset = match self.config.line {
                Line::V4_9 => nearest(&times.collect::<Vec<_>>(), at).unwrap_or(min),
                Line::V5 if upper => {
                    times.rfind(|(_, stored)| *stored <= at).map_or(min, |(offset, _)| offset)
                }
                Line::V5 => times.find(|(_, stored)| *stored >= at).map_or(max, |(offset, _)| offset),
            };
            Ok(Reply::ok().with("offset", offset.to_string()))
        };
        either(search())
    }

    pub(super) fn earliest(&self, command: &Command<'_>) -> Reply {
        let earliest = || {
            let topic = Self::need(command, "topic")?;
            let queue = Self::number(command, "queueId")?;
            let stored = self.store.log.times(topic, queue).next().map_or(-1, |(_, stored)| stored);
            Ok(Reply::ok().with("timestamp", stored.to_string()))
        };
        either(earliest())
    }
}

/// The offset that 4.9 finds for a time (Java: `ConsumeQueue.getOffsetInQueueByTime`): by bisection, the first message
/// it meets of that very time, otherwise the nearer of its neighbours, the earlier one when both are as near.
fn nearest(times: &[(i64, i64)], at: i64) -> Option<i64> {
    let (mut low, mut end) = (0, times.len());
    let (mut before, mut after) = (None, None);
    while low < end {
        let middle = (low + end - 1) / 2;
        let &(offset, stored) = times.get(middle)?;
        match stored.cmp(&at) {
            Ordering::Equal => return Some(offset),
            Ordering::Less => (low, before) = (middle + 1, Some((offset, stored))),
            Ordering::Greater => (end, after) = (middle, Some((offset, stored))),
        }
    }
    match (before, after) {
        (Some((_, earlier)), Some((offset, later))) if later.abs_diff(at) < earlier.abs_diff(at) => {
            Some(offset)
        }
        (Some((offset, _)), _) | (None, Some((offset, _))) => Some(offset),
        (None, None) => None,
    }
}
