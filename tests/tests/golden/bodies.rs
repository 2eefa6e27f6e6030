//! JSON bodies of requests and replies.

use bytes::Bytes;
use fusee_core::ids::{BrokerName, Queue, Topic};
use fusee_core::limits::wire as limits;
use fusee_core::wire::pushed::{ConsumeResult, ConsumedDirectly, consumer_status, reset_offsets};
use fusee_core::wire::rpc::admin::{
    GetBrokerState, GetCluster, GetConsumeStats, GetConsumers, GetProducers, GetTopicStats, GetTopics,
};
use fusee_core::wire::rpc::consume::{LockQueues, QueryAssignment};
use fusee_core::wire::rpc::heartbeat::GetMembers;
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
                    || value.as_array().is_some_and(Vec::is_empty) =>
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
    let request = match Request::read(&frame(Kind::Request, code, Fields::default(), None, text)) {
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
        "GetConsumerListByGroupResponseBody" => GetMembers::reply(reply).map(drop),
        "QueryAssignmentResponseBody" => QueryAssignment::reply(reply).map(drop),
        "LockBatchResponseBody" => LockQueues::reply(reply).map(drop),
        "ResetOffsetBody" | "ResetOffsetBodyForC" => reset_offsets(&reply.body).map(drop),
        _ => return None,
    })
}

/// Bodies that this client writes and nobody sends to it.
const REQUESTS: [&str; 8] = [
    "HeartbeatData",
    "LockBatchRequestBody",
    "UnlockBatchRequestBody",
    "QueryAssignmentRequestBody",
    "SetMessageRequestModeRequestBody",
    "BatchAckMessageRequestBody",
    "CheckClientRequestBody",
    "SubscriptionGroupConfig",
];

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
        "ConsumeMessageDirectlyResult" => consumed(&input["fields"], text),
        "GetConsumerStatusBody" => status(&input["fields"], text),
        _ => settle(class, text, false),
    }
}

/// How a message that an administrator had consumed ended, as this client tells it.
fn consumed(fields: &Value, java: &str) -> Checked {
    let result = match fields["consumeResult"].as_str() {
        Some("CR_SUCCESS") => ConsumeResult::Success,
        Some("CR_LATER") => ConsumeResult::Later,
        Some("CR_THROW_EXCEPTION") => ConsumeResult::Failed,
        other => return Ok(Verdict::NotCovered(format!("{other:?}, a result that no handler here has"))),
    };
    let ours = ConsumedDirectly {
        auto_commit: fields["autoCommit"] == true,
        result,
        order: fields["order"] == true,
        remark: fields["remark"].as_str().map(|remark| Text::from(remark.to_owned())),
        spent_ms: fields["spentTimeMills"].as_i64().ok_or("no spentTimeMills")?,
    };
    same("body", meaning(&ours.body())?, meaning(java.as_bytes())?)?;
    Ok(Verdict::Checked)
}

/// The offsets of a member, as this client tells them.
fn status(fields: &Value, java: &str) -> Checked {
    let Some(entries) = fields["messageQueueTable"].as_array() else {
        return Ok(Verdict::NotCovered("what brokers tell administrators about members' offsets".to_owned()));
    };
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
    same("body", meaning(&consumer_status(&offsets))?, meaning(java.as_bytes())?)?;
    Ok(Verdict::Checked)
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
        return Ok(Verdict::NotCovered(format!(
            "answers to {}: only administration needs them",
            RequestCode(code)
        )));
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
