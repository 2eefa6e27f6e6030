//! Topics, groups and single messages, as administrators ask for them (Java: `AdminBrokerProcessor`,
//! `QueryMessageProcessor`).

use std::time::Duration;

use super::{Broker, Line, either};
use crate::codec::Command;
use crate::model::connections::Reply;
use crate::model::topics::{self, TopicConfig};

impl Broker {
    pub(super) fn update_topic(&mut self, command: &Command<'_>) -> Reply {
        either(self.try_update_topic(command))
    }

    fn try_update_topic(&mut self, command: &Command<'_>) -> Result<Reply, Reply> {
        let topic = Self::need(command, "topic")?;
        if let Some(why) = topics::refuse_name(topic) {
            return Err(Reply::refuse(self.config.line.invalid_parameter(), why));
        }
        let config = TopicConfig {
            read_queues: Self::number(command, "readQueueNums")?,
            write_queues: Self::number(command, "writeQueueNums")?,
            perm: Self::number(command, "perm")?,
            sys_flag: command.field("topicSysFlag").and_then(|flag| flag.parse().ok()).unwrap_or(0),
        };
        self.create_topic(topic, config);
        Ok(Reply { remark: Some("not set any response code".into()), ..Reply::ok() })
    }

    pub(super) fn delete(&mut self, command: &Command<'_>) -> Reply {
        either(self.try_delete(command))
    }

    fn try_delete(&mut self, command: &Command<'_>) -> Result<Reply, Reply> {
        let topic = Self::need(command, "topic")?;
        if topic.trim().is_empty() {
            return Err(Reply::refuse(self.config.line.invalid_parameter(), "The specified topic is blank."));
        }
        self.delete_topic(topic);
        Ok(Reply::ok())
    }

    pub(super) fn topic_config(&self, command: &Command<'_>) -> Reply {
        let found = || {
            let name = Self::need(command, "topic")?;
            let (name, config) = self
                .topic(name)
                .ok_or_else(|| Reply::refuse(17, format!("No topic in this broker. topic: {name}")))?;
            let TopicConfig { read_queues, write_queues, perm, sys_flag } = config;
            Ok(Reply::body(
                serde_json::json!({
                    "attributes": {},
                    "order": false,
                    "perm": perm,
                    "readQueueNums": read_queues,
                    "topicFilterType": "SINGLE_TAG",
                    "topicName": &*name,
                    "topicSysFlag": sys_flag,
                    "writeQueueNums": write_queues,
                })
                .to_string(),
            ))
        };
        either(found())
    }

    pub(super) fn update_group(&mut self, command: &Command<'_>) -> Reply {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Group {
            group_name: String,
        }
        let Ok(group) = serde_json::from_slice::<Group>(&command.body) else {
            return Reply::exception("the body does not parse");
        };
        self.store.groups.insert(group.group_name);
        Reply::ok()
    }

    pub(super) fn runtime_info(&self, now: Duration) -> Reply {
        let (version, number) = match self.config.line {
            Line::V4_9 => ("V4_9_4", "401"),
            Line::V5 => ("V5_5_0", "513"),
        };
        let info = serde_json::json!({ "table": {
            "bootTimestamp": self.config.unix_at_zero.to_string(),
            "brokerVersion": number,
            "brokerVersionDesc": version,
            "runtime": format!("[ 0 days, 0 hours, 0 minutes, {} seconds ]", now.as_secs()),
        }});
        Reply::body(info.to_string())
    }

    pub(super) fn view(&self, command: &Command<'_>) -> Reply {
        let found = || {
            let offset: i64 = Self::number(command, "offset")?;
            let message = self.store.log.at(offset);
            message
                .map(Reply::body)
                .ok_or_else(|| Reply::refuse(1, format!("can not find message by the offset, {offset}")))
        };
        either(found())
    }

    pub(super) fn query(&self, command: &Command<'_>) -> Reply {
        let found = || {
            let topic = Self::need(command, "topic")?;
            let key = Self::need(command, "key")?;
            let unique = command.field("_UNIQUE_KEY_QUERY") == Some("true");
            let most = if unique { 32 } else { Self::number(command, "maxNum")? };
            let body = self.store.log.by_key(topic, key, unique, most);
            if body.is_empty() {
                return Err(Reply::refuse(22, "can not find message, maybe time range not correct"));
            }
            Ok(Reply::body(body))
        };
        either(found()).with("indexLastUpdatePhyoffset", "0").with("indexLastUpdateTimestamp", "0")
    }
}
