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

/// Fields that only proxies and brokers among themselves send.
const OF_SERVERS: [&str; 5] = ["bname", "ns", "nsd", "oway", "lo"];

/// What Java says in a request of that code and this client does not, with the reason.
const NOT_SAID: [(i32, &str, &str); 15] = [
    (11, "liteTopic", "light topics, new in 5.5, are not offered"),
    (11, "proxyFrowardClientId", "only proxies say it"),
    (11, "requestSource", "only proxies say it"),
    (29, "liteTopic", "light topics, new in 5.5, are not offered"),
    (30, "committed", "false asks for what is not committed yet, which nobody may read"),
    (208, "topicList", "one topic or all of them are asked for"),
    (309, "groupSysFlag", "brokers pass it on, and members do not look"),
    (309, "topicSysFlag", "brokers pass it on, and members do not look"),
    (361, "liteTopic", "light topics, new in 5.5, are not offered"),
    (361, "proxyFrowardClientId", "only proxies say it"),
    (361, "requestSource", "only proxies say it"),
    (200_051, "liteTopic", "light topics, new in 5.5, are not offered"),
    (200_053, "liteTopic", "light topics, new in 5.5, are not offered"),
    (200_054, "exp", "a notification is asked for whatever the message says"),
    (200_054, "expType", "a notification is asked for whatever the message says"),
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

/// Whether two values mean the same to Java: numbers as numbers, and all but `true` is false.
fn alike(ours: &str, java: &str) -> bool {
    let truth = |value: &str| value.eq_ignore_ascii_case("true");
    let number = |value: &str| value.parse::<i64>().ok();
    ours == java
        || (truth(ours) || ours == "false") && truth(ours) == truth(java)
        || number(ours).is_some() && number(ours) == number(java)
}

/// Whether a value is none of its type, or a required one is missing: what makes a vector odd.
fn is_odd(vector: &Vector, key: &str, fields: &Fields) -> bool {
    let end = ["0", "4", "8", "12"];
    let missing = fields.get(key).is_none_or(str::is_empty);
    let no_end = key == "commitOrRollback" && !fields.get(key).is_some_and(|value| end.contains(&value));
    missing || no_end || vector.id().contains("odd")
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
                // Answers in the older form are never wanted, whoever asks.
                let always = key == "acceptStandardJsonOnly" && ours == "true";
                if !always && !alike(ours, java) && ours != "LOWER" {
                    return Err(format!("{key}: ours {ours:?}, Java's {java:?}"));
                }
            }
            None if java.is_empty() || OF_SERVERS.contains(&key) => {}
            None if NOT_SAID
                .iter()
                .any(|(code, not_said, _)| (*code, *not_said) == (request.code(), key)) => {}
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
        Err(RpcError::Malformed(key)) if is_odd(vector, key, &read.header.fields) => {
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

/// What a typed reply holds, under Java's names; `None` for a class that this client does not read.
fn read_reply(class: &str, frame: &Frame) -> Option<Result<Vec<(&'static str, String)>, RpcError>> {
    fn one<T: ToString>(key: &'static str, read: Result<T, RpcError>) -> Result<Said, RpcError> {
        Ok(vec![(key, read?.to_string())])
    }
    fn if_any<T: ToString>(key: &'static str, read: Result<Option<T>, RpcError>) -> Result<Said, RpcError> {
        Ok(read?.map(|value| (key, value.to_string())).into_iter().collect())
    }
    type Said = Vec<(&'static str, String)>;
    Some(match class {
        "SendMessageResponseHeader" => SendMessage::reply(frame).map(|sent| {
            let id = match &sent.offset_id {
                MessageId::Place(id) => id.to_string(),
                MessageId::Text(id) => id.to_string(),
            };
            let mut said = vec![
                ("msgId", id),
                ("queueId", sent.queue.to_string()),
                ("queueOffset", sent.queue_offset.to_string()),
            ];
            let texts = [
                ("transactionId", &sent.transaction_id),
                ("batchUniqId", &sent.batch_id),
                ("recallHandle", &sent.recall_handle),
            ];
            said.extend(texts.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.to_string()))));
            said
        }),
        "PullMessageResponseHeader" => PullMessage::reply(frame).map(|pulled| {
            vec![
                ("suggestWhichBrokerId", pulled.suggest_broker.to_string()),
                ("nextBeginOffset", pulled.next.to_string()),
                ("minOffset", pulled.min.to_string()),
                ("maxOffset", pulled.max.to_string()),
                ("offsetDelta", pulled.offset_delta.to_string()),
                ("topicSysFlag", pulled.topic_sys_flag.to_string()),
                ("groupSysFlag", pulled.group_sys_flag.to_string()),
            ]
        }),
        "PopMessageResponseHeader" => PopMessage::reply(frame).map(|popped| {
            let mut said = vec![
                ("popTime", popped.pop_time.to_string()),
                ("invisibleTime", popped.invisible_ms.to_string()),
                ("reviveQid", popped.revive_queue.to_string()),
            ];
            said.extend(popped.rest.map(|rest| ("restNum", rest.to_string())));
            let texts = [
                ("startOffsetInfo", &popped.start_offsets),
                ("msgOffsetInfo", &popped.message_offsets),
                ("orderCountInfo", &popped.order_counts),
            ];
            said.extend(texts.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.to_string()))));
            said
        }),
        "ChangeInvisibleTimeResponseHeader" => ChangeInvisibleTime::reply(frame).map(|changed| {
            vec![
                ("popTime", changed.pop_time.to_string()),
                ("invisibleTime", changed.invisible_ms.to_string()),
                ("reviveQid", changed.revive_queue.to_string()),
            ]
        }),
        "NotificationResponseHeader" => one("hasMsg", Notification::reply(frame)),
        "GetMaxOffsetResponseHeader" => one("offset", MaxOffset::reply(frame)),
        "GetMinOffsetResponseHeader" => one("offset", MinOffset::reply(frame)),
        "SearchOffsetResponseHeader" => one("offset", SearchOffset::reply(frame)),
        "QueryConsumerOffsetResponseHeader" => if_any("offset", QueryOffset::reply(frame)),
        "GetEarliestMsgStoretimeResponseHeader" => {
            // A queue without messages has no time.
            one("timestamp", EarliestStoreTime::reply(frame).map(|time| time.map_or(-1, |time| time.0)))
        }
        "QueryMessageResponseHeader" => {
            if_any("indexLastUpdateTimestamp", QueryMessage::reply(frame).map(|time| time.map(|time| time.0)))
        }
        "RecallMessageResponseHeader" => one("msgId", Recall::reply(frame)),
        "GetKVConfigResponseHeader" => if_any("value", GetKeyValue::reply(frame)),
        "PollingInfoResponseHeader" => one("pollingNum", GetPolling::reply(frame)),
        "WipeWritePermOfBrokerResponseHeader" => one("wipeTopicCount", WipeWritePermission::reply(frame)),
        "AddWritePermOfBrokerResponseHeader" => one("addTopicCount", AddWritePermission::reply(frame)),
        "GetBrokerConfigResponseHeader" => {
            one("version", GetBrokerConfig::reply(frame).map(|config| config.version))
        }
        "GetAllTopicConfigResponseHeader" => {
            if_any("totalTopicNum", GetTopicConfigs::reply(&with_table(frame)).map(|topics| topics.total))
        }
        "GetAllSubscriptionGroupResponseHeader" => {
            if_any("totalGroupNum", GetGroupConfigs::reply(&with_table(frame)).map(|groups| groups.total))
        }
        _ => return None,
    })
}

/// What Java says in a reply of that class and this client has no use for.
const NOT_READ: [(&str, &str); 3] = [
    ("PullMessageResponseHeader", "forbiddenType"),
    ("NotificationResponseHeader", "pollingFull"),
    ("QueryMessageResponseHeader", "indexLastUpdatePhyoffset"),
];

/// Everything that Java says is said by our reading too, and nothing else than Java's defaults besides.
fn same_reply(class: &str, ours: &[(&'static str, String)], java: &Fields) -> Result<(), String> {
    for (key, java) in java.iter().filter(|(_, java)| !java.is_empty()) {
        let known = OF_SERVERS.contains(&key) || NOT_READ.contains(&(class, key));
        match ours.iter().find(|(ours, _)| *ours == key) {
            Some((_, ours)) if alike(ours, java) => {}
            Some((_, ours)) => return Err(format!("{key}: ours {ours:?}, Java's {java:?}")),
            None if known => {}
            None => return Err(format!("{key} = {java:?} is lost")),
        }
    }
    let made_up = |(key, value): &&(&str, String)| {
        java.get(key).is_none_or(str::is_empty) && !matches!(value.as_str(), "" | "0" | "false")
    };
    ours.iter().find(made_up).map_or(Ok(()), |(key, value)| Err(format!("{key} = {value:?} is made up")))
}

pub(crate) fn response(vector: &Vector) -> Checked {
    let java = pairs(&vector.output()["ext"]);
    let class = vector.input()["class"].as_str().unwrap_or("?");
    let read = java_frame(vector, Kind::Response, &java)?;
    same("fields", &read.header.fields, &fields_of(&java))?;
    match read_reply(class, &read) {
        None => Ok(Verdict::NotCovered(format!("replies of {class}: {}", why(class)))),
        Some(Ok(ours)) => same_reply(class, &ours, &read.header.fields).map(|()| Verdict::Checked),
        Some(Err(RpcError::Malformed(key))) if is_odd(vector, key, &read.header.fields) => {
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
    let java = out.as_object().ok_or("no fields")?.iter().filter(|(_, value)| !value.is_null());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let java = java.map(|(key, value)| (key.clone(), text(value))).collect::<Vec<_>>();
    same_reply(class, &read.unwrap_or_default(), &fields_of(&java))?;
    Ok(Verdict::Checked)
}
