//! Sends (Java: `SendMessageProcessor`): checks in Java's order, what the broker adds to a message, the receipt.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Broker, Event, Line, TopicConfig, either};
use crate::codec::Command;
use crate::codec::message::{Stored, batch, offset_id};
use crate::codec::properties::{entries, join, property};
use crate::model::connections::{Asker, Reply};
use crate::model::topics::{self, INHERIT, RETRY_PREFIX};

pub(super) const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. msg body \
                                  length limit 4194304B, msg properties length limit 32KB.";
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A signed 16-bit length.
const PROPERTY_BYTES_MAX: usize = 32_767;
const REGION: &str = "DefaultRegion";

/// The header of a send, whichever names it came under.
struct Sending<'a> {
    topic: &'a str,
    template: &'a str,
    template_queues: i32,
    queue: i32,
    sys_flag: i32,
    born: i64,
    flag: i32,
    properties: &'a str,
    reconsume_times: i32,
    batch: bool,
}

impl<'a> Sending<'a> {
    fn read(command: &'a Command<'_>) -> Result<Self, Reply> {
        let v2 = command.code != 10;
        let name = |long: &'static str, short: &'static str| if v2 { short } else { long };
        let optional = |name: &str| command.field(name).map(str::parse::<i32>).transpose();
        let bad = |_| Reply::exception("a number that is none");
        Ok(Self {
            topic: Broker::need(command, name("topic", "b"))?,
            template: command.field(name("defaultTopic", "c")).unwrap_or_default(),
            template_queues: optional(name("defaultTopicQueueNums", "d")).map_err(bad)?.unwrap_or(0),
            queue: Broker::number(command, name("queueId", "e"))?,
            sys_flag: Broker::number(command, name("sysFlag", "f"))?,
            born: Broker::number(command, name("bornTimestamp", "g"))?,
            flag: Broker::number(command, name("flag", "h"))?,
            properties: command.field(name("properties", "i")).unwrap_or_default(),
            reconsume_times: optional(name("reconsumeTimes", "j")).map_err(bad)?.unwrap_or(0),
            batch: command.field(name("batch", "m")).is_some_and(|text| text.eq_ignore_ascii_case("true")),
        })
    }
}

impl Broker {
    pub(super) fn send(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Reply {
        let reply = either(self.try_send(now, asker, command));
        reply.with("MSG_REGION", REGION).with("TRACE_ON", "true")
    }

    fn try_send(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Result<Reply, Reply> {
        let line = self.config.line;
        let sending = Sending::read(command)?;
        if let Some(why) = topics::refuse_name(sending.topic) {
            return Err(Reply::refuse(line.invalid_parameter(), why));
        }
        if topics::refuses_sends(sending.topic) {
            return Err(Reply::refuse(
                16,
                format!("Sending message to topic[{}] is forbidden.", sending.topic),
            ));
        }
        let (topic, config) = self.topic_for_send(&sending)?;
        if sending.queue >= config.read_queues.max(config.write_queues) {
            let printed = config.printed(&topic, line);
            let remark =
                format!("request queueId[{}] is illegal, {printed} Producer: {}", sending.queue, asker.peer);
            return Err(Reply::refuse(line.invalid_parameter(), remark));
        }
        let queue = if sending.queue < 0 {
            let queues = u64::try_from(config.write_queues).unwrap_or(0);
            i32::try_from(self.random.below(queues)).unwrap_or(0)
        } else {
            sending.queue
        };
        if let Some(group) = topic.strip_prefix(RETRY_PREFIX)
            && !self.group(group)
        {
            return Err(Reply::refuse(26, self.advised(&format!("subscription group not exist, {group} "))));
        }
        if sending.batch {
            self.store_batch(now, asker, &sending, &topic, queue, &command.body)
        } else {
            self.store_one(now, asker, &sending, &topic, queue, &command.body)
        }
    }

    fn topic_for_send(&mut self, sending: &Sending<'_>) -> Result<(Arc<str>, TopicConfig), Reply> {
        if let Some(known) = self.topic(sending.topic) {
            return Ok(known);
        }
        let template =
            self.store.topics.get(sending.template).copied().filter(|template| template.perm & INHERIT != 0);
        let made = if let Some(template) = template {
            let queues = sending.template_queues.min(template.write_queues).max(0);
            TopicConfig { perm: template.perm & !INHERIT, ..TopicConfig::new(queues) }
        } else if sending.topic.starts_with(RETRY_PREFIX) {
            TopicConfig::new(1)
        } else {
            let remark = format!("topic[{}] not exist, apply first please!", sending.topic);
            return Err(Reply::refuse(17, self.advised(&remark)));
        };
        self.create_topic(sending.topic, made);
        self.topic(sending.topic).ok_or_else(Reply::default)
    }

    fn store_one(
        &mut self,
        now: Duration,
        asker: &Asker,
        sending: &Sending<'_>,
        topic: &Arc<str>,
        queue: i32,
        body: &Bytes,
    ) -> Result<Reply, Reply> {
        if body.is_empty() && self.config.line == Line::V5 {
            return Err(Reply::exception("the body is null"));
        }
        let properties = self.dress(now, asker, sending.properties);
        if body.len() > BODY_BYTES_MAX || properties.len() > PROPERTY_BYTES_MAX {
            return Err(Reply::refuse(13, ILLEGAL));
        }
        let unique = property(&properties, "UNIQ_KEY").map(str::to_owned);
        let message = self.message(now, asker, sending, topic, queue);
        let mut message = Stored { flag: sending.flag, body: body.clone(), properties, ..message };
        let offset = self.append(now, asker, topic, &mut message);
        self.wake(now, topic, queue);
        let id = offset_id(self.config.address, message.physical_offset);
        Ok(self.receipt(queue, offset, id, unique))
    }

    fn store_batch(
        &mut self,
        now: Duration,
        asker: &Asker,
        sending: &Sending<'_>,
        topic: &Arc<str>,
        queue: i32,
        body: &Bytes,
    ) -> Result<Reply, Reply> {
        let line = self.config.line;
        if topic.len() > 127 {
            return Err(Reply::refuse(13, format!("message topic length too long {}", topic.len())));
        }
        if line == Line::V5 && topic.starts_with(RETRY_PREFIX) {
            return Err(Reply::refuse(13, format!("batch request does not support retry group {topic}")));
        }
        if property(sending.properties, "DELAY").is_some() {
            return Err(Reply::refuse(13, ILLEGAL));
        }
        if body.len() > BODY_BYTES_MAX {
            let code = if line == Line::V5 { 1 } else { 13 };
            return Err(Reply::refuse(code, ILLEGAL));
        }
        let Some(all) = batch(body.clone()) else {
            return Err(Reply::exception("the batch does not decode"));
        };
        // 4.9.4 appends the header's properties to those of each message, 5.5.0 does not.
        let common = if line == Line::V4_9 {
            let own = entries(sending.properties).filter(|(name, _)| *name != "CLUSTER");
            join(own.chain([("CLUSTER", &*self.config.cluster)]), false)
        } else {
            String::new()
        };
        let (mut first, mut ids) = (None, Vec::new());
        let messages: Vec<Stored> = all
            .into_iter()
            .map(|entry| {
                let mut properties = entry.properties;
                if !common.is_empty() {
                    if !properties.is_empty() && !properties.ends_with('\u{2}') {
                        properties.push('\u{2}');
                    }
                    properties.push_str(&common);
                }
                let message = self.message(now, asker, sending, topic, queue);
                Stored { flag: entry.flag, body: entry.body, properties, ..message }
            })
            .collect();
        if messages.iter().any(|message| message.properties.len() > PROPERTY_BYTES_MAX) {
            return Err(Reply::refuse(13, ILLEGAL));
        }
        for mut message in messages {
            let offset = self.append(now, asker, topic, &mut message);
            first.get_or_insert(offset);
            ids.push(offset_id(self.config.address, message.physical_offset));
        }
        self.wake(now, topic, queue);
        let unique = property(sending.properties, "UNIQ_KEY").map(str::to_owned);
        Ok(self.receipt(queue, first.unwrap_or(0), ids.join(","), unique))
    }

    fn message(
        &self,
        now: Duration,
        asker: &Asker,
        sending: &Sending<'_>,
        topic: &str,
        queue: i32,
    ) -> Stored {
        Stored {
            topic: topic.to_owned(),
            queue,
            queue_offset: 0,
            physical_offset: 0,
            flag: 0,
            sys_flag: sending.sys_flag,
            born: sending.born,
            born_host: asker.peer,
            stored: self.unix(now),
            store_host: self.config.address,
            reconsume_times: sending.reconsume_times,
            prepared_offset: 0,
            body: Bytes::new(),
            properties: String::new(),
        }
    }

    fn append(&mut self, now: Duration, asker: &Asker, topic: &Arc<str>, message: &mut Stored) -> i64 {
        let (offset, physical) = self.store.log.append(now, topic, message);
        self.connections.observe(|| Event::Append {
            conn: asker.conn,
            opaque: asker.opaque(),
            key: Arc::from(property(&message.properties, "UNIQ_KEY").unwrap_or_default()),
            topic: Arc::clone(topic),
            queue: message.queue,
            offset,
            physical,
        });
        offset
    }

    fn receipt(&self, queue: i32, offset: i64, id: String, unique: Option<String>) -> Reply {
        let reply = Reply::ok()
            .with("msgId", id)
            .with("queueId", queue.to_string())
            .with("queueOffset", offset.to_string());
        match unique {
            Some(unique) if self.config.line == Line::V5 => reply.with("transactionId", unique),
            _ => reply,
        }
    }

    /// The properties as they are stored, with what the broker adds and takes away.
    fn dress(&mut self, now: Duration, asker: &Asker, sent: &str) -> String {
        let line = self.config.line;
        let made;
        let mut all: Vec<(&str, &str)> = Vec::with_capacity(12);
        for (name, value) in entries(sent) {
            let removed = match line {
                Line::V4_9 => matches!(name, "WAIT" | "POP_CK" | "CLUSTER"),
                Line::V5 => matches!(name, "POP_CK" | "CLUSTER" | "MSG_REGION" | "TRACE_ON"),
            };
            if removed {
                continue;
            }
            // A map is what Java reads them into: the last of equal names counts.
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        if line == Line::V5 {
            all.push(("MSG_REGION", REGION));
            all.push(("TRACE_ON", "true"));
            if all.iter().all(|(name, _)| *name != "UNIQ_KEY") {
                let stamp = u64::try_from(now.as_micros()).unwrap_or(0);
                made = Cow::from(format!("{:016X}{stamp:016X}", self.random.bits() ^ asker.conn.0));
                all.push(("UNIQ_KEY", &made));
            }
        }
        all.push(("CLUSTER", &self.config.cluster));
        join(all, line == Line::V5)
    }
}
