//! JSON bodies of requests and replies.

use bytes::Bytes;
use fusee_core::ids::{BrokerName, Queue, Topic};
use fusee_core::limits::wire as limits;
use fusee_core::wire::rpc::acl::{GetAcl, GetUser};
use fusee_core::wire::rpc::admin::{
    GetAllProducers, GetBrokerState, GetCluster, GetConsumeStats, GetConsumers, GetProducers, GetReplicas,
    GetTopicStats, GetTopics,
};
use fusee_core::wire::rpc::consume::{LockQueues, QueryAssignment};
use fusee_core::wire::rpc::groups::{GetGroupConfig, GetGroupConfigs, UpdateForbidden};
use fusee_core::wire::rpc::heartbeat::GetMembers;
use fusee_core::wire::rpc::inspect::{GetBrokerStats, GetGroupsOfTopic, GetTimeSpans};
use fusee_core::wire::rpc::light::{GetLightState, GetParentTopic};
use fusee_core::wire::rpc::offsets::StoredOffsets;
use fusee_core::wire::rpc::progress::{
    GetBrokerProgress, GetCorrections, GetDelayOffsets, GetQueueIndex, GetSubscription,
};
use fusee_core::wire::rpc::pushed::{consumer_status, reset_offsets};
use fusee_core::wire::rpc::running::{ConsumedDirectly, GetMemberOffsets, RunningInfo};
use fusee_core::wire::rpc::topics::{GetTopicConfig, GetTopicConfigs};
use fusee_core::wire::{
    Fields, Frame, Header, Kind, Language, Request, RequestCode, ResponseCode, Route, Rpc, RpcError, Text,
    body,
};
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, pairs, same};
use super::why;

fn frame(kind: Kind, code: i32, fields: Fields, remark: Option<Text>, text: &str) -> Frame {
    let header = Header { kind, code, language: Language::JAVA, version: 513, opaque: 1, remark, fields };
    Frame { header, body: Bytes::copy_from_slice(text.as_bytes()) }
}

/// A body's meaning: dialects made standard, sets in order, nothing said by what is null or empty.
fn meaning(text: &[u8]) -> Result<Value, String> {
    let standard = body::standard(text, limits::JSON_ADMIN_NODES).map_err(|error| error.to_string())?;
    let mut value = serde_json::from_slice(&standard).map_err(|error| error.to_string())?;
    normalise(&mut value);
    Ok(value)
}

fn normalise(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(normalise);
            items.sort_by_key(ToString::to_string);
        }
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(normalise);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every member that ours has must be Java's; Java's may have more.
fn within(ours: &Value, java: &Value, path: &str) -> Result<(), String> {
    match (ours, java) {
        (Value::Object(ours), Value::Object(java)) => {
            ours.iter().try_for_each(|(key, value)| match java.get(key) {
                // Brokers ask each other like that; a client never does.
                _ if key == "onlyThisBroker" => Ok(()),
                Some(java) => within(value, java, &format!("{path}.{key}")),
                // Java leaves out what is at its default.
                None if value == "0"
                    || matches!(value, Value::Bool(_) | Value::Number(_))
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(serde_json::Map::is_empty) =>
                {
                    Ok(())
                }
                None => Err(format!("{path}.{key} is not Java's")),
            })
        }
        (Value::Array(ours), Value::Array(java)) if ours.len() == java.len() => {
            ours.iter().zip(java).try_for_each(|(ours, java)| within(ours, java, path))
        }
        (ours, java) if ours == java => Ok(()),
        (ours, java) => Err(format!("{path}: ours {ours}, Java's {java}")),
    }
}

/// A request read from a body and written again means what Java's does.
fn request_again(code: i32, text: &str, java: &str) -> Option<Result<(), String>> {
    let request = match Request::read(&frame(Kind::Request, code, fields_with(code), None, text)) {
        Ok(Request::Raw(_)) => return None,
        Ok(request) => request,
        Err(error) => return Some(Err(error.to_string())),
    };
    Some(meaning(&request.body()).and_then(|ours| within(&ours, &meaning(java.as_bytes())?, "")))
}

/// Reads the body of a reply; `None` for a class that this client does not read.
fn read_reply(class: &str, reply: &Frame) -> Option<Result<(), RpcError>> {
    Some(match class {
        "TopicRouteData" => Route::parse(&reply.body).map(drop),
        "ClusterInfo" => GetCluster::reply(reply).map(drop),
        "TopicList" => GetTopics::reply(reply).map(drop),
        "KVTable" => GetBrokerState::reply(reply).map(drop),
        "TopicStatsTable" => GetTopicStats::reply(reply).map(drop),
        "ConsumeStats" => GetConsumeStats::reply(reply).map(drop),
        "ConsumerConnection" => GetConsumers::reply(reply).map(drop),
        "ProducerConnection" => GetProducers::reply(reply).map(drop),
        "ProducerTableInfo" => GetAllProducers::reply(reply).map(drop),
        "GetBrokerMemberGroupResponseBody" => GetReplicas::reply(reply).map(drop),
        "SubscriptionGroupWrapper" => GetGroupConfigs::reply(reply).map(drop),
        "SubscriptionGroupConfig" => GetGroupConfig::reply(reply).map(drop),
        "GroupForbidden" => UpdateForbidden::reply(reply).map(drop),
        "TopicConfig" => GetTopicConfig::reply(reply).map(drop),
        "TopicConfigSerializeWrapper" | "TopicConfigAndMappingSerializeWrapper" => {
            GetTopicConfigs::reply(reply).map(drop)
        }
        "BrokerStatsData" => GetBrokerStats::reply(reply).map(drop),
        "GroupList" => GetGroupsOfTopic::reply(reply).map(drop),
        "QueryConsumeTimeSpanBody" => GetTimeSpans::reply(reply).map(drop),
        "GetBrokerLiteInfoResponseBody" => GetLightState::reply(reply).map(drop),
        "GetParentTopicInfoResponseBody" => GetParentTopic::reply(reply).map(drop),
        "ConsumerOffsetSerializeWrapper" => StoredOffsets::reply(reply).map(drop),
        "ConsumeStatsList" => GetBrokerProgress::reply(reply).map(drop),
        "QueryCorrectionOffsetBody" => GetCorrections::reply(reply).map(drop),
        "DelayOffsetSerializeWrapper" => GetDelayOffsets::reply(reply).map(drop),
        "QueryConsumeQueueResponseBody" => GetQueueIndex::reply(reply).map(drop),
        "QuerySubscriptionResponseBody" => GetSubscription::reply(reply).map(drop),
        "UserInfo" => GetUser::reply(reply).map(drop),
        "AclInfo" => GetAcl::reply(reply).map(drop),
        "GetConsumerListByGroupResponseBody" => GetMembers::reply(reply).map(drop),
        "QueryAssignmentResponseBody" => QueryAssignment::reply(reply).map(drop),
        "LockBatchResponseBody" => LockQueues::reply(reply).map(drop),
        "ResetOffsetBody" | "ResetOffsetBodyForC" => reset_offsets(&reply.body).map(drop),
        _ => return None,
    })
}

/// Bodies that this client writes and nobody sends to it.
const REQUESTS: [&str; 11] = [
    "HeartbeatData",
    "LockBatchRequestBody",
    "UnlockBatchRequestBody",
    "QueryAssignmentRequestBody",
    "SetMessageRequestModeRequestBody",
    "BatchAckMessageRequestBody",
    "CheckClientRequestBody",
    "SubscriptionGroupConfig",
    "SubscriptionGroupList",
    "CreateTopicListRequestBody",
    "TopicQueueMappingDetail",
];

/// The fields that go with a body in a request.
fn fields_with(code: i32) -> Fields {
    match RequestCode(code) {
        RequestCode::AUTH_CREATE_USER | RequestCode::AUTH_UPDATE_USER => {
            Fields::from_pairs([("username", "alice")])
        }
        RequestCode::AUTH_CREATE_ACL | RequestCode::AUTH_UPDATE_ACL => {
            Fields::from_pairs([("subject", "User:alice")])
        }
        RequestCode::UPDATE_AND_CREATE_STATIC_TOPIC => Fields::from_pairs([
            ("topic", "T"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "1"),
            ("writeQueueNums", "1"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("order", "false"),
        ]),
        _ => Fields::default(),
    }
}

pub(crate) fn body(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let class = input["class"].as_str().unwrap_or("?");
    let Some(text) = out["text"].as_str() else {
        return Ok(Verdict::NotCovered(format!("bodies of {class} that Java does not write")));
    };
    meaning(text.as_bytes())?;
    if REQUESTS.contains(&class) {
        let code = input["code"].as_i64().and_then(|code| i32::try_from(code).ok()).ok_or("no code")?;
        return match request_again(code, text, text) {
            Some(result) => result.map(|()| Verdict::Checked),
            None => Err("a request of no type".to_owned()),
        };
    }
    match class {
        "ConsumeMessageDirectlyResult" | "ConsumerRunningInfo" | "ProcessQueueInfo" => {
            told(class, text, text)
        }
        "UserInfo" | "AclInfo" => named(class, text),
        "GetConsumerStatusBody" => status(&input["fields"], text),
        _ => settle(class, text, false),
    }
}

/// What a member tells, read and written again.
fn told(class: &str, text: &str, java: &str) -> Checked {
    const QUEUE: &str = r#"{"brokerName":"b","queueId":0,"topic":"T"}"#;
    let of_queue = |text: &str| format!("{{\"mqTable\":{{{QUEUE}:{text}}}}}");
    let (ours, java) = match class {
        "ConsumeMessageDirectlyResult" => {
            (ConsumedDirectly::parse(text.as_bytes()).map(|told| told.body()), java.to_owned())
        }
        "ProcessQueueInfo" => {
            (RunningInfo::parse(of_queue(text).as_bytes()).map(|told| told.body()), of_queue(java))
        }
        _ => (RunningInfo::parse(text.as_bytes()).map(|told| told.body()), java.to_owned()),
    };
    let ours = meaning(&ours.map_err(|error| error.to_string())?)?;
    let java = meaning(java.as_bytes())?;
    within(&ours, &java, "")?;
    within(&java, &ours, "")?;
    Ok(Verdict::Checked)
}

/// A user or rules: both a request's body, named by a field, and a reply's.
fn named(class: &str, text: &str) -> Checked {
    let (code, key, member) = if class == "UserInfo" {
        (RequestCode::AUTH_CREATE_USER.0, "username", "username")
    } else {
        (RequestCode::AUTH_CREATE_ACL.0, "subject", "subject")
    };
    let java = meaning(text.as_bytes())?;
    let fields = Fields::from_pairs([(key, java[member].as_str().unwrap_or("alice"))]);
    let request =
        Request::read(&frame(Kind::Request, code, fields, None, text)).map_err(|error| error.to_string())?;
    let ours = meaning(&request.body())?;
    within(&ours, &java, "")?;
    within(&java, &ours, "")?;
    let password = java["password"].as_str().filter(|password| password.len() > 4);
    if password.is_some_and(|password| format!("{request:?}").contains(password)) {
        return Err("a password is shown".to_owned());
    }
    settle(class, text, false)
}

/// The offsets of a member, as this client tells them.
fn status(fields: &Value, java: &str) -> Checked {
    if let Some(members) = fields["consumerTable"].as_object() {
        let reply = frame(Kind::Response, ResponseCode::SUCCESS.0, Fields::default(), None, java);
        let mut read = GetMemberOffsets::reply(&reply).map_err(|error| error.to_string())?;
        for (member, entries) in members {
            let mut java = queue_offsets(entries)?;
            let mut ours = read.remove(member).ok_or_else(|| format!("{member} is lost"))?;
            java.sort();
            ours.sort();
            same(member, ours, java)?;
        }
        same("further members", read.len(), 0)?;
        return Ok(Verdict::Checked);
    }
    let offsets = queue_offsets(&fields["messageQueueTable"])?;
    same("body", meaning(&consumer_status(&offsets))?, meaning(java.as_bytes())?)?;
    Ok(Verdict::Checked)
}

/// Java's lists of queues and offsets.
fn queue_offsets(entries: &Value) -> Result<Vec<(Queue, i64)>, String> {
    let entries = entries.as_array().ok_or("no offsets")?;
    let mut offsets = Vec::new();
    for entry in entries {
        let (queue, offset) = (&entry[0], entry[1].as_i64().ok_or("no offset")?);
        let number = queue["queueId"].as_i64().and_then(|number| i32::try_from(number).ok());
        let queue = Queue {
            topic: Topic::new(queue["topic"].as_str().unwrap_or_default())
                .map_err(|error| error.to_string())?,
            broker: BrokerName::new(queue["brokerName"].as_str().unwrap_or_default())
                .map_err(|error| error.to_string())?,
            queue: number.ok_or("no queueId")?,
        };
        offsets.push((queue, offset));
    }
    Ok(offsets)
}

fn settle(class: &str, text: &str, java_refused: bool) -> Checked {
    let reply = frame(Kind::Response, ResponseCode::SUCCESS.0, Fields::default(), None, text);
    match read_reply(class, &reply) {
        None => Ok(Verdict::NotCovered(format!("bodies of {class}: {}", why(class)))),
        Some(Ok(())) if !java_refused => Ok(Verdict::Checked),
        Some(Err(_)) if java_refused => Ok(Verdict::Checked),
        Some(Ok(())) => {
            Ok(Verdict::NotCovered(format!("{class}: read here, refused by Java's stricter generation")))
        }
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// Bodies that break a law of this client, each named by what Java makes of it.
pub(crate) fn parse(vector: &Vector) -> Checked {
    let input = vector.input();
    let class = input["class"].as_str().unwrap_or("?");
    let text = input["text"].as_str().ok_or("no text")?;
    let code = match class {
        "HeartbeatData" => Some(RequestCode::HEART_BEAT.0),
        "BatchAckMessageRequestBody" => Some(RequestCode::BATCH_ACK_MESSAGE.0),
        _ => None,
    };
    let java_refused = vector.java_refused();
    let java = vector.output()["text"].as_str().unwrap_or(text);
    if matches!(class, "ConsumeMessageDirectlyResult" | "ConsumerRunningInfo" | "ProcessQueueInfo") {
        return match told(class, text, java) {
            Err(_) if java_refused => Ok(Verdict::Checked),
            Err(_) if LAX.iter().any(|lax| text.contains(lax)) => {
                Ok(Verdict::Stricter("a body that no server writes"))
            }
            other => other,
        };
    }
    let settled = match code.and_then(|code| request_again(code, text, java)) {
        Some(Ok(())) => Ok(Verdict::Checked),
        Some(Err(_)) if java_refused => Ok(Verdict::Checked),
        Some(Err(error)) => Err(error),
        None => settle(class, text, java_refused),
    };
    match settled {
        Err(_) if LAX.iter().any(|lax| text.contains(lax)) => {
            Ok(Verdict::Stricter("a body that no server writes"))
        }
        other => other,
    }
}

/// What marks a body that Java reads and no server writes: nulls in place of lists, members of other types.
const LAX: [&str; 3] = ["$ref", ":null", "\"language\":9"];

pub(crate) fn captured(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let code = input["code"].as_i64().and_then(|code| i32::try_from(code).ok()).ok_or("no code")?;
    if vector.java_refused() {
        return Ok(Verdict::NotCovered("requests that are not answered".to_owned()));
    }
    let status =
        out["code"].as_i64().and_then(|code| i32::try_from(code).ok()).ok_or("no code of the answer")?;
    let pairs = pairs(&out["ext"]);
    let fields = Fields::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let remark = out["remark"].as_str().map(|remark| Text::from(remark.to_owned()));
    let text = out["text"].as_str().unwrap_or_default();
    let reply = frame(Kind::Response, status, fields, remark, text);
    if !text.is_empty() && text.starts_with(['{', '[']) {
        meaning(text.as_bytes())?;
    }
    let Some(read) = Request::check_reply(code, &reply) else {
        if RequestCode(code).name().is_none() && status != 0 {
            // What nobody knows is asked by its parts, and what the peer says to it is handed on as it is.
            let RpcError::Refused { code, remark } = RpcError::refused(&reply) else {
                return Err("a refusal is none".to_owned());
            };
            same("refusal", (code.0, Some(&*remark)), (status, out["remark"].as_str()))?;
            return Ok(Verdict::Checked);
        }
        return Ok(Verdict::NotCovered(format!("answers to {}", RequestCode(code))));
    };
    match read {
        Ok(()) if status == 0 || NOTHING_THERE.contains(&ResponseCode(status)) => Ok(Verdict::Checked),
        Err(RpcError::Refused { code, .. }) if code.0 == status && status != 0 => Ok(Verdict::Checked),
        Ok(()) => Err(format!("read as good although its code is {status}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Codes by which a broker says that there is nothing, which is an answer.
const NOTHING_THERE: [ResponseCode; 6] = [
    ResponseCode::PULL_NOT_FOUND,
    ResponseCode::PULL_RETRY_IMMEDIATELY,
    ResponseCode::PULL_OFFSET_MOVED,
    ResponseCode::QUERY_NOT_FOUND,
    ResponseCode::POLLING_FULL,
    ResponseCode::POLLING_TIMEOUT,
];
