//! The fields of requests and replies: Java's header classes against typed requests.

use bytes::Bytes;
use fusee_core::wire::rpc::groups::GetGroupConfigs;
use fusee_core::wire::rpc::inspect::{
    AddWritePermission, GetBrokerConfig, GetKeyValue, GetPolling, WipeWritePermission,
};
use fusee_core::wire::rpc::offsets::{EarliestStoreTime, MaxOffset, MinOffset, QueryOffset, SearchOffset};
use fusee_core::wire::rpc::pop::{ChangeInvisibleTime, Notification, PopMessage};
use fusee_core::wire::rpc::pull::PullMessage;
use fusee_core::wire::rpc::query::QueryMessage;
use fusee_core::wire::rpc::send::{MessageId, Recall, SendMessage};
use fusee_core::wire::rpc::topics::GetTopicConfigs;
use fusee_core::wire::{
    Dialect, Fields, Frame, Header, Kind, Language, Pushed, Request, RequestCode, ResponseCode, Rpc, RpcError,
};
use serde_json::Value;

use super::frames::frame;
use super::vector::{Checked, Vector, Verdict, pairs, same};
use super::why;

/// Fields that only proxies, brokers among themselves, and features send that this client does not have.
const NOT_OURS: [&str; 20] = [
    "bname",
    "ns",
    "nsd",
    "oway",
    "lo",
    "proxyFrowardClientId",
    "requestSource",
    "liteTopic",
    "force",
    "committed",
    "offset",
    "queueId",
    "topicSysFlag",
    "groupSysFlag",
    "defaultTopicQueueNums",
    "defaultTopic",
    "topicList",
    "removeOffset",
    "expType",
    "exp",
];

fn fields_of(pairs: &[(String, String)]) -> Fields {
    Fields::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// The frame with a broker's name, which this client always sends and Java sends from 5.0 on.
fn with_broker(frame: &Frame) -> Frame {
    let key = if matches!(frame.header.code, 310 | 320 | 325) { "n" } else { "bname" };
    let mut pairs =
        frame.header.fields.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>();
    if frame.header.fields.get(key).is_none_or(str::is_empty) {
        pairs.push((key.to_owned(), "broker".to_owned()));
    }
    Frame { header: Header { fields: fields_of(&pairs), ..frame.header.clone() }, body: frame.body.clone() }
}

/// The frame with a body where Java's header goes with one, and the vector holds the header alone.
fn with_body(frame: Frame) -> Frame {
    let body = match RequestCode(frame.header.code) {
        RequestCode::UPDATE_AND_CREATE_TOPIC_LIST => r#"{"topicConfigList":[]}"#,
        RequestCode::REGISTER_TOPIC_IN_NAMESRV => r#"{"queueDatas":[]}"#,
        RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST => r#"{"groupConfigList":[]}"#,
        RequestCode::UPDATE_AND_CREATE_STATIC_TOPIC
        | RequestCode::AUTH_CREATE_USER
        | RequestCode::AUTH_UPDATE_USER
        | RequestCode::AUTH_CREATE_ACL
        | RequestCode::AUTH_UPDATE_ACL => "{}",
        _ => return frame,
    };
    if frame.body.is_empty() { Frame { body: Bytes::from_static(body.as_bytes()), ..frame } } else { frame }
}

/// What our request writes must be what Java wrote, where Java wrote it.
pub(crate) fn same_fields(request: &Request, java: &Fields) -> Result<(), String> {
    let mut out = bytes::BytesMut::new();
    request.encode(Dialect::Json, 1, false, &mut out).map_err(|error| error.to_string())?;
    let ours = frame(&out.freeze())?;
    same("code", ours.header.code, request.code())?;
    for (key, java) in java.iter() {
        match ours.header.fields.get(key) {
            Some(ours) => {
                let truth = ["true", "false"].iter().any(|truth| truth.eq_ignore_ascii_case(ours));
                let equal = ours == java
                    || truth && ours.eq_ignore_ascii_case(java)
                    || ours.parse::<i64>().is_ok() && ours.parse::<i64>() == java.parse();
                if !equal && (java.eq_ignore_ascii_case("true") || ours != "false") && ours != "LOWER" {
                    return Err(format!("{key}: ours {ours:?}, Java's {java:?}"));
                }
            }
            None if java.is_empty() || NOT_OURS.contains(&key) => {}
            None => return Err(format!("{key} = {java:?} is lost")),
        }
    }
    Ok(())
}

/// The frame that Java wrote, or one with the fields that Java would write.
fn java_frame(vector: &Vector, kind: Kind, java: &[(String, String)]) -> Result<Frame, String> {
    if vector.has("hex") {
        return frame(&vector.hex()?);
    }
    let code = vector.input()["code"].as_i64().and_then(|code| i32::try_from(code).ok()).ok_or("no code")?;
    let frame = reply_of(code, fields_of(java));
    Ok(Frame { header: Header { kind, ..frame.header }, ..frame })
}

pub(crate) fn request(vector: &Vector) -> Checked {
    let java = pairs(&vector.output()["ext"]);
    let class = vector.input()["class"].as_str().unwrap_or("?");
    let read = java_frame(vector, Kind::Request, &java)?;
    same("fields", &read.header.fields, &fields_of(&java))?;
    if vector.has("hex_binary") {
        let binary = frame(&vector.bytes("hex_binary")?)?;
        let filled = java.iter().filter(|(_, value)| !value.is_empty()).cloned().collect::<Vec<_>>();
        same("fields of the binary frame", &binary.header.fields, &fields_of(&filled))?;
    }
    let pushed = matches!(
        RequestCode(read.header.code),
        RequestCode::CHECK_TRANSACTION_STATE
            | RequestCode::NOTIFY_CONSUMER_IDS_CHANGED
            | RequestCode::RESET_CONSUMER_CLIENT_OFFSET
            | RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT
            | RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT
    );
    if pushed {
        return match Pushed::read(&read) {
            Ok(_) => Ok(Verdict::Checked),
            Err(_) if vector.id().contains("odd") => {
                Ok(Verdict::Stricter("a required field is missing or no value of its type"))
            }
            Err(error) => Err(error.to_string()),
        };
    }
    if matches!(
        RequestCode(read.header.code),
        RequestCode::HEART_BEAT | RequestCode::LOCK_BATCH_MQ | RequestCode::UNLOCK_BATCH_MQ
    ) {
        // Their headers hold nothing of their own; the bodies are checked as bodies.
        return Ok(Verdict::Checked);
    }
    match Request::read(&with_body(with_broker(&read))) {
        Ok(Request::Raw(_)) => Ok(Verdict::NotCovered(format!("requests of {class}: {}", why(class)))),
        Ok(typed) => {
            same_fields(&typed, &read.header.fields)?;
            Ok(Verdict::Checked)
        }
        Err(RpcError::Malformed(_)) if vector.id().contains("odd") || vector.id().contains("required") => {
            Ok(Verdict::Stricter("a required field is missing or no value of its type"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn reply_of(code: i32, fields: Fields) -> Frame {
    let (kind, language) = (Kind::Response, Language::JAVA);
    Frame {
        header: Header { kind, code, language, version: 513, opaque: 1, remark: None, fields },
        body: Bytes::new(),
    }
}

/// A good reply with an empty table for a body.
fn with_table(frame: &Frame) -> Frame {
    let header = Header { code: ResponseCode::SUCCESS.0, ..frame.header.clone() };
    Frame { header, body: Bytes::from_static(b"{}") }
}

/// The total that a page of a list came with must be Java's.
fn total(fields: &Fields, key: &'static str, ours: Result<Option<i32>, RpcError>) -> Result<(), RpcError> {
    if ours? == fields.int(key)? { Ok(()) } else { Err(RpcError::Malformed(key)) }
}

/// Reads a reply as its class says; `None` for a class that this client does not read.
fn read_reply(class: &str, frame: &Frame) -> Option<Result<(), RpcError>> {
    Some(match class {
        "SendMessageResponseHeader" => SendMessage::reply(frame).map(drop),
        "PullMessageResponseHeader" => PullMessage::reply(frame).map(drop),
        "PopMessageResponseHeader" => PopMessage::reply(frame).map(drop),
        "ChangeInvisibleTimeResponseHeader" => ChangeInvisibleTime::reply(frame).map(drop),
        "NotificationResponseHeader" => Notification::reply(frame).map(drop),
        "GetMaxOffsetResponseHeader" => MaxOffset::reply(frame).map(drop),
        "GetMinOffsetResponseHeader" => MinOffset::reply(frame).map(drop),
        "SearchOffsetResponseHeader" => SearchOffset::reply(frame).map(drop),
        "QueryConsumerOffsetResponseHeader" => QueryOffset::reply(frame).map(drop),
        "GetEarliestMsgStoretimeResponseHeader" => EarliestStoreTime::reply(frame).map(drop),
        "QueryMessageResponseHeader" => QueryMessage::reply(frame).map(drop),
        "RecallMessageResponseHeader" => Recall::reply(frame).map(drop),
        "GetKVConfigResponseHeader" => GetKeyValue::reply(frame).map(drop),
        "PollingInfoResponseHeader" => GetPolling::reply(frame).map(drop),
        "WipeWritePermOfBrokerResponseHeader" => WipeWritePermission::reply(frame).map(drop),
        "AddWritePermOfBrokerResponseHeader" => AddWritePermission::reply(frame).map(drop),
        "GetBrokerConfigResponseHeader" => GetBrokerConfig::reply(frame).map(drop),
        "GetAllTopicConfigResponseHeader" => {
            let read = GetTopicConfigs::reply(&with_table(frame)).map(|topics| topics.total);
            total(&frame.header.fields, "totalTopicNum", read)
        }
        "GetAllSubscriptionGroupResponseHeader" => {
            let read = GetGroupConfigs::reply(&with_table(frame)).map(|groups| groups.total);
            total(&frame.header.fields, "totalGroupNum", read)
        }
        _ => return None,
    })
}

pub(crate) fn response(vector: &Vector) -> Checked {
    let java = pairs(&vector.output()["ext"]);
    let class = vector.input()["class"].as_str().unwrap_or("?");
    let read = java_frame(vector, Kind::Response, &java)?;
    same("fields", &read.header.fields, &fields_of(&java))?;
    match read_reply(class, &read) {
        None => Ok(Verdict::NotCovered(format!("replies of {class}: {}", why(class)))),
        Some(Ok(())) => Ok(Verdict::Checked),
        Some(Err(_)) if vector.id().contains("odd") || vector.id().contains("required") => {
            Ok(Verdict::Stricter("a required field is missing or no value of its type"))
        }
        Some(Err(error)) => Err(error.to_string()),
    }
}

fn same_long(what: &str, ours: i64, java: &Value) -> Result<(), String> {
    if java.is_null() { Ok(()) } else { same(what, Some(ours), java.as_i64()) }
}

/// The code of a request whose header class it is.
fn code_of(class: &str) -> Option<RequestCode> {
    Some(match class {
        "SendMessageRequestHeaderV2" => RequestCode::SEND_MESSAGE_V2,
        "SendMessageRequestHeader" => RequestCode::SEND_MESSAGE,
        "PullMessageRequestHeader" => RequestCode::PULL_MESSAGE,
        "QueryConsumerOffsetRequestHeader" => RequestCode::QUERY_CONSUMER_OFFSET,
        "UpdateConsumerOffsetRequestHeader" => RequestCode::UPDATE_CONSUMER_OFFSET,
        "CreateTopicRequestHeader" => RequestCode::UPDATE_AND_CREATE_TOPIC,
        "EndTransactionRequestHeader" => RequestCode::END_TRANSACTION,
        "SearchOffsetRequestHeader" => RequestCode::SEARCH_OFFSET_BY_TIMESTAMP,
        "CheckTransactionStateRequestHeader" => RequestCode::CHECK_TRANSACTION_STATE,
        _ => return None,
    })
}

/// Fields read as the request they belong to and written again: what Java made of them.
fn decode_request(vector: &Vector, code: RequestCode) -> Checked {
    let fields = fields_of(&pairs(&vector.input()["ext"]));
    let frame = reply_of(code.0, fields);
    let frame = Frame { header: Header { kind: Kind::Request, ..frame.header }, ..frame };
    if code == RequestCode::CHECK_TRANSACTION_STATE {
        return match (Pushed::read(&frame), vector.java_refused()) {
            (Ok(Pushed::CheckTransaction(check)), false) => {
                same_long(
                    "tranStateTableOffset",
                    check.queue_offset,
                    &vector.output()["tranStateTableOffset"],
                )?;
                same_long("commitLogOffset", check.physical_offset, &vector.output()["commitLogOffset"])?;
                Ok(Verdict::Checked)
            }
            (Err(_), true) => Ok(Verdict::Checked),
            (read, _) => Err(format!("read as {read:?}")),
        };
    }
    match (Request::read(&with_broker(&frame)), vector.java_refused()) {
        (Ok(request), false) => {
            // What was not given is Java's default, which does not travel.
            let given = &vector.input()["ext"];
            let java = vector.output().as_object().ok_or("no fields")?.iter();
            let java = java.filter(|(key, value)| given.get(key.as_str()).is_some() && !value.is_null());
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let java = java.map(|(key, value)| (key.clone(), text(value))).collect::<Vec<_>>();
            same_fields(&request, &fields_of(&java))?;
            Ok(Verdict::Checked)
        }
        (Err(_), true) => Ok(Verdict::Checked),
        (Err(_), false) => Ok(Verdict::Stricter("a required field is missing or no value of its type")),
        (Ok(_), true) => Err("a request where Java refuses".to_owned()),
    }
}

pub(crate) fn decode(vector: &Vector) -> Checked {
    let class = vector.input()["class"].as_str().unwrap_or("?");
    if let Some(code) = code_of(class) {
        return decode_request(vector, code);
    }
    let reply = reply_of(ResponseCode::SUCCESS.0, fields_of(&pairs(&vector.input()["ext"])));
    let out = vector.output();
    let Some(read) = read_reply(class, &reply) else {
        return Ok(Verdict::NotCovered(format!("fields of {class}: {}", why(class))));
    };
    if read.is_err() {
        return if vector.java_refused() {
            Ok(Verdict::Checked)
        } else {
            Ok(Verdict::Stricter("a required field is missing or no value of its type"))
        };
    }
    if vector.java_refused() {
        return Err("a reply where Java refuses".to_owned());
    }
    if let ("SendMessageResponseHeader", Ok(sent)) = (class, SendMessage::reply(&reply)) {
        let id = match sent.offset_id {
            MessageId::Place(id) => id.to_string(),
            MessageId::Text(id) => id.to_string(),
        };
        same("msgId", Some(id.as_str()), out["msgId"].as_str())?;
        same_long("queueId", i64::from(sent.queue), &out["queueId"])?;
        same_long("queueOffset", sent.queue_offset, &out["queueOffset"])?;
    }
    if let ("PullMessageResponseHeader", Ok(pulled)) = (class, PullMessage::reply(&reply)) {
        same_long("nextBeginOffset", pulled.next, &out["nextBeginOffset"])?;
        same_long("minOffset", pulled.min, &out["minOffset"])?;
        same_long("maxOffset", pulled.max, &out["maxOffset"])?;
        same_long("suggestWhichBrokerId", pulled.suggest_broker, &out["suggestWhichBrokerId"])?;
    }
    Ok(Verdict::Checked)
}
