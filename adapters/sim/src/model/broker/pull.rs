//! Pulls and holds (Java: `PullMessageProcessor`, `PullRequestHoldService`).
//!
//! Laws: a hold is looked at when a message arrives and every five seconds, never in between, so answers come late as
//! they do in life; a pull that was held commits nothing and is not held again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Conn, Event, Line, either};
use crate::codec::Command;
use crate::codec::filter::Tags;
use crate::model::connections::{Asker, Reply};
use crate::model::log::Found;
use crate::model::topics::READ;

const COMMIT: i32 = 1;
const SUSPEND: i32 = 2;
const SUBSCRIPTION: i32 = 4;

/// Pulls that wait for messages, by topic and queue.
#[derive(Default)]
pub(super) struct Held(BTreeMap<(Arc<str>, i32), Vec<Pull>>);

impl Held {
    pub(super) fn forget(&mut self, conn: Conn) {
        self.0.retain(|_, pulls| {
            pulls.retain(|pull| pull.asker.conn != conn);
            !pulls.is_empty()
        });
    }
}

#[derive(Clone)]
struct Pull {
    asker: Asker,
    topic: Arc<str>,
    queue: i32,
    from: i64,
    most: i32,
    tags: Tags,
    until: Duration,
}

impl Broker {
    pub(super) fn pull(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Option<Reply> {
        let (pull, suspend) = match self.check_pull(now, asker, command) {
            Ok(checked) => checked,
            Err(refused) => return Some(refused.with_fields()),
        };
        let (reply, next) = self.read(&pull);
        if reply.code == 19 && suspend && self.hold != Some(Duration::ZERO) {
            self.held.0.entry((Arc::clone(&pull.topic), pull.queue)).or_default().push(pull);
            return None;
        }
        self.note_served(asker, &reply, next);
        Some(reply)
    }

    /// Java's checks, in Java's order, and what the request itself commits.
    fn check_pull(
        &mut self,
        now: Duration,
        asker: &Asker,
        command: &Command<'_>,
    ) -> Result<(Pull, bool), Reply> {
        let line = self.config.line;
        let group = Self::need(command, "consumerGroup")?;
        let topic = Self::need(command, "topic")?;
        let queue: i32 = Self::number(command, "queueId")?;
        let from: i64 = Self::number(command, "queueOffset")?;
        let most: i32 = Self::number(command, "maxMsgNums")?;
        let flags: i32 = Self::number(command, "sysFlag")?;
        if !self.group(group) {
            let remark = format!("subscription group [{group}] does not exist, {}", line.advice());
            return Err(Reply::refuse(26, remark));
        }
        let Some((topic, config)) = self.topic(topic) else {
            let remark = format!("topic[{topic}] not exist, apply first please! {}", line.advice());
            return Err(Reply::refuse(17, remark));
        };
        if config.perm & READ == 0 {
            let refused = Reply::refuse(16, format!("the topic[{topic}] pulling message is forbidden"));
            return Err(if line == Line::V5 { refused.with("forbiddenType", "3") } else { refused });
        }
        if queue < 0 || queue >= config.read_queues {
            let remark = format!(
                "queueId[{queue}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{}] consumer:[/{}]",
                config.read_queues, asker.peer
            );
            return Err(Reply::refuse(line.invalid_parameter(), remark));
        }
        let kind = command.field("expressionType").filter(|kind| !kind.is_empty()).unwrap_or("TAG");
        let tags = if flags & SUBSCRIPTION != 0 && kind == "TAG" {
            Tags::parse(command.field("subscription").unwrap_or_default())
                .map_err(|_| Reply::refuse(23, "parse the consumer's subscription failed"))?
        } else if flags & SUBSCRIPTION != 0 {
            return Err(unsupported(kind));
        } else {
            let version: i64 = Self::number(command, "subVersion")?;
            let known = self.members.subscription(group, &topic);
            let known = known.map_err(|why| Reply::refuse(24, self.advised(why)))?;
            if known.version < version {
                return Err(Reply::refuse(25, "the consumer's subscription not latest"));
            }
            if known.kind != "TAG" {
                return Err(unsupported(&known.kind));
            }
            known.tags.clone()
        };
        if most < 0 && line == Line::V4_9 {
            return Err(Reply::exception("maxMsgNums is negative"));
        }
        let (conn, opaque) = (asker.conn, asker.opaque());
        self.connections.observe(|| Event::Pull {
            conn,
            opaque,
            group: Arc::from(group),
            topic: Arc::clone(&topic),
            queue,
            from,
        });
        if flags & COMMIT != 0
            && let Ok(offset) = Self::number(command, "commitOffset")
        {
            self.commit(conn, group, &topic, queue, offset);
        }
        let asked =
            Self::number(command, "suspendTimeoutMillis").map_or(Duration::ZERO, Duration::from_millis);
        let hold = self.hold.unwrap_or(asked);
        let pull = Pull { asker: *asker, topic, queue, from, most, tags, until: now.saturating_add(hold) };
        Ok((pull, flags & SUSPEND != 0))
    }

    fn read(&self, pull: &Pull) -> (Reply, i64) {
        let read = self.store.log.read(&pull.topic, pull.queue, pull.from, pull.most, &pull.tags);
        let code = match read.found {
            Found::Messages => 0,
            Found::NoMatch => 20,
            Found::AtEnd => 19,
            Found::Empty if pull.from == 0 => 19,
            Found::Empty | Found::TooSmall | Found::Beyond => 21,
        };
        let reply = Reply { code, remark: Some(read.found.remark().into()), ..Reply::body(read.body) };
        let reply = reply
            .with("suggestWhichBrokerId", "0")
            .with("nextBeginOffset", read.next.to_string())
            .with("minOffset", read.min.to_string())
            .with("maxOffset", read.max.to_string());
        let reply = match self.config.line {
            Line::V4_9 => reply,
            Line::V5 => reply.with("topicSysFlag", "0").with("groupSysFlag", "0"),
        };
        (reply, read.next)
    }

    fn note_served(&mut self, asker: &Asker, reply: &Reply, next: i64) {
        let (conn, opaque, code) = (asker.conn, asker.opaque(), reply.code);
        self.connections.observe(|| Event::Serve { conn, opaque, code, next });
    }

    /// A message arrived in a queue: whoever waits for its tag is served.
    pub(super) fn wake(&mut self, now: Duration, topic: &Arc<str>, queue: i32) {
        if self.held.0.is_empty() {
            return;
        }
        let key = (Arc::clone(topic), queue);
        let Some(waiting) = self.held.0.remove(&key) else { return };
        let (ready, waiting): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|pull| self.store.log.newest_matches(&pull.topic, queue, pull.from, &pull.tags));
        if !waiting.is_empty() {
            self.held.0.insert(key, waiting);
        }
        self.resume(now, ready);
    }

    /// The five-second look: whoever has anything new in the queue, matching or not, and whose time is over, is served.
    pub(super) fn check_held(&mut self, now: Duration) {
        let mut ready = Vec::new();
        for (key, waiting) in std::mem::take(&mut self.held.0) {
            let (_, end) = self.store.log.range(&key.0, key.1);
            let (over, still): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|pull| end > pull.from || now >= pull.until);
            ready.extend(over);
            if !still.is_empty() {
                self.held.0.insert(key, still);
            }
        }
        self.resume(now, ready);
    }

    fn resume(&mut self, now: Duration, ready: Vec<Pull>) {
        for pull in ready {
            let (reply, next) = self.read(&pull);
            self.note_served(&pull.asker, &reply, next);
            self.connections.answer(now, &pull.asker, reply);
        }
    }
}

fn unsupported(kind: &str) -> Reply {
    Reply::refuse(1, format!("The broker does not support consumer to filter message by {kind}"))
}

impl Broker {
    pub(super) fn check_client(command: &Command<'_>) -> Reply {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            subscription_data: Option<Subscription>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Subscription {
            expression_type: Option<String>,
        }
        either(match serde_json::from_slice::<Asked>(&command.body) {
            Ok(Asked { subscription_data: Some(Subscription { expression_type: Some(kind) }) })
                if kind != "TAG" =>
            {
                Err(unsupported(&kind))
            }
            Ok(_) => Ok(Reply::ok()),
            Err(_) => Err(Reply::exception("the body does not parse")),
        })
    }
}
