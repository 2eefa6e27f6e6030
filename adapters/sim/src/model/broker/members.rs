//! Who belongs to which group (Java: `ClientManageProcessor`, `ConsumerManager`, `ProducerManager`).
//!
//! Laws: registrations are keyed by connection, so a second client id on one connection replaces the first; the last
//! heartbeat's subscription holds for the whole group; whoever is silent for 120 seconds is put out, with its
//! connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Broker, Conn, Event, Line, TopicConfig, either};
use crate::codec::filter::Tags;
use crate::codec::{Command, Int};
use crate::model::connections::{Asker, Reply};
use crate::model::topics::RETRY_PREFIX;

#[derive(Default)]
pub(super) struct Members {
    consumers: BTreeMap<String, Group>,
    producers: BTreeMap<String, BTreeMap<Conn, Member>>,
    /// The heartbeat last seen on a connection, for clients that leave out what did not change.
    fingerprints: BTreeMap<Conn, i32>,
}

#[derive(Default)]
struct Group {
    members: BTreeMap<Conn, Member>,
    subscriptions: BTreeMap<String, Subscription>,
    broadcast: bool,
}

struct Member {
    client: Arc<str>,
    seen: Duration,
}

/// What a group wants of a topic.
pub(super) struct Subscription {
    pub(super) tags: Tags,
    pub(super) version: i64,
    pub(super) kind: String,
}

/// Java's `CHANNEL_EXPIRED_TIMEOUT`.
const EXPIRY: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heartbeat {
    #[serde(rename = "clientID")]
    client_id: String,
    #[serde(default)]
    producer_data_set: Vec<ProducerData>,
    #[serde(default)]
    consumer_data_set: Vec<ConsumerData>,
    #[serde(default)]
    heartbeat_fingerprint: i32,
    #[serde(default)]
    without_sub: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProducerData {
    group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerData {
    group_name: String,
    #[serde(default)]
    message_model: Option<String>,
    #[serde(default)]
    subscription_data_set: Vec<SubscriptionData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionData {
    topic: String,
    #[serde(default)]
    sub_string: String,
    /// Numbers; the Go client writes them as text, and Java takes both.
    #[serde(default)]
    code_set: Vec<Int>,
    #[serde(default)]
    sub_version: i64,
    #[serde(default)]
    expression_type: Option<String>,
}

impl Members {
    /// Returns whether the group's members or topics changed.
    fn join(
        &mut self,
        now: Duration,
        conn: Conn,
        client: &Arc<str>,
        data: &ConsumerData,
        keep: bool,
    ) -> bool {
        let group = self.consumers.entry(data.group_name.clone()).or_default();
        group.broadcast = data.message_model.as_deref() == Some("BROADCASTING");
        let member = Member { client: Arc::clone(client), seen: now };
        let mut changed = group.members.insert(conn, member).is_none();
        if keep {
            return changed;
        }
        for wanted in &data.subscription_data_set {
            let old = group.subscriptions.get(&wanted.topic);
            changed |= old.is_none();
            if old.is_none_or(|old| wanted.sub_version > old.version) {
                let subscription = Subscription {
                    tags: Tags::from_codes(
                        &wanted.sub_string,
                        wanted.code_set.iter().filter_map(|code| code.0),
                    ),
                    version: wanted.sub_version,
                    kind: wanted.expression_type.clone().unwrap_or_else(|| "TAG".to_owned()),
                };
                group.subscriptions.insert(wanted.topic.clone(), subscription);
            }
        }
        let topics: BTreeSet<&str> = data.subscription_data_set.iter().map(|wanted| &*wanted.topic).collect();
        let before = group.subscriptions.len();
        group.subscriptions.retain(|topic, _| topics.contains(&**topic));
        changed || before != group.subscriptions.len()
    }

    /// A connection is gone: the consumer groups that lost a member by it and still have others.
    pub(super) fn leave(&mut self, conn: Conn) -> Vec<String> {
        self.fingerprints.remove(&conn);
        self.producers.retain(|_, members| {
            members.remove(&conn);
            !members.is_empty()
        });
        let groups: Vec<String> = self
            .consumers
            .iter()
            .filter(|(_, group)| group.members.contains_key(&conn))
            .map(|(n, _)| n.clone())
            .collect();
        groups.into_iter().filter(|name| self.leave_group(name, conn)).collect()
    }

    fn leave_group(&mut self, name: &str, conn: Conn) -> bool {
        let Some(group) = self.consumers.get_mut(name) else { return false };
        let was = group.members.remove(&conn).is_some();
        if group.members.is_empty() {
            self.consumers.remove(name);
        }
        was
    }

    /// Puts out who was silent for too long, and names the connections to close. The others are not told, as in Java,
    /// where the registration is gone before the close is noticed.
    pub(super) fn expire(&mut self, now: Duration) -> BTreeSet<Conn> {
        let mut out = BTreeSet::new();
        let mut sweep = |members: &mut BTreeMap<Conn, Member>| {
            members.retain(|conn, member| {
                let stays = now.saturating_sub(member.seen) <= EXPIRY;
                if !stays {
                    out.insert(*conn);
                }
                stays
            });
            !members.is_empty()
        };
        self.consumers.retain(|_, group| sweep(&mut group.members));
        self.producers.retain(|_, members| sweep(members));
        out
    }

    pub(super) fn subscription(&self, group: &str, topic: &str) -> Result<&Subscription, &'static str> {
        let group = self.consumers.get(group).ok_or("the consumer's group info not exist")?;
        group.subscriptions.get(topic).ok_or("the consumer's subscription not exist")
    }
}

impl Broker {
    pub(super) fn heartbeat(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Reply {
        let line = self.config.line;
        let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(&command.body) else {
            return Reply::exception("the heartbeat does not parse");
        };
        let client: Arc<str> = Arc::from(heartbeat.client_id);
        let (conn, fingerprint) = (asker.conn, heartbeat.heartbeat_fingerprint);
        let told_apart = line == Line::V5 && fingerprint != 0;
        let same = told_apart && self.members.fingerprints.insert(conn, fingerprint) == Some(fingerprint);
        for data in &heartbeat.consumer_data_set {
            let exists = self.group(&data.group_name);
            if exists {
                let retry = format!("{RETRY_PREFIX}{}", data.group_name);
                if !self.store.topics.contains_key(&*retry) {
                    self.create_topic(&retry, TopicConfig::new(1));
                }
            } else if line == Line::V5 {
                continue;
            }
            if self.members.join(now, conn, &client, data, told_apart && heartbeat.without_sub) {
                self.notify(now, &data.group_name);
            }
        }
        for data in &heartbeat.producer_data_set {
            let member = Member { client: Arc::clone(&client), seen: now };
            self.members.producers.entry(data.group_name.clone()).or_default().insert(conn, member);
        }
        self.connections.observe(|| Event::Heartbeat {
            conn,
            client,
            producers: heartbeat.producer_data_set.into_iter().map(|data| data.group_name).collect(),
            consumers: heartbeat.consumer_data_set.into_iter().map(|data| data.group_name).collect(),
        });
        match line {
            Line::V4_9 => Reply::ok(),
            Line::V5 => Reply::ok()
                .with("IS_SUPPORT_HEART_BEAT_V2", "true")
                .with("IS_SUB_CHANGE", if same { "false" } else { "true" }),
        }
    }

    /// Tells every member that the group changed, the one that joined too. 5.x leaves broadcast groups alone.
    pub(super) fn notify(&mut self, now: Duration, name: &str) {
        let Some(group) = self.members.consumers.get(name) else { return };
        if group.broadcast && self.config.line == Line::V5 {
            return;
        }
        for conn in group.members.keys() {
            self.connections.tell(now, *conn, 40, &[("consumerGroup", name)]);
        }
    }

    pub(super) fn unregister(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Reply {
        if let Some(name) = command.field("producerGroup")
            && let Some(members) = self.members.producers.get_mut(name)
        {
            members.remove(&asker.conn);
            if members.is_empty() {
                self.members.producers.remove(name);
            }
        }
        if let Some(name) = command.field("consumerGroup")
            && self.members.leave_group(name, asker.conn)
        {
            self.notify(now, name);
        }
        Reply::ok().with_fields()
    }

    pub(super) fn members_of(&self, command: &Command<'_>) -> Reply {
        let list = || {
            let name = Self::need(command, "consumerGroup")?;
            let group = self
                .members
                .consumers
                .get(name)
                .ok_or_else(|| Reply::refuse(1, format!("no consumer for this group, {name}")))?;
            let ids: Vec<&str> = group.members.values().map(|member| &*member.client).collect();
            Ok(Reply::body(serde_json::json!({ "consumerIdList": ids }).to_string()))
        };
        either(list()).with_fields()
    }
}
