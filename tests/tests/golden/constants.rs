//! Numbers, flags and names that both sides have to have alike.

use fusee_core::wire::message::{Compression, flags};
use fusee_core::wire::properties::names;
use fusee_core::wire::rpc::consume::RequestMode;
use fusee_core::wire::rpc::heartbeat::{ConsumeFrom, ConsumeType, MessageModel};
use fusee_core::wire::rpc::pull;
use fusee_core::wire::rpc::running::ConsumeResult;
use fusee_core::wire::rpc::send::TEMPLATE_TOPIC;
use fusee_core::wire::rpc::topics::TagsPerMessage;
use fusee_core::wire::rpc::transaction::Verdict as Decided;
use fusee_core::wire::{Language, RequestCode, ResponseCode, VERSION};
use serde_json::{Map, Value, json};

use super::trace::KINDS;
use super::vector::{Checked, Vector, Verdict, same};

fn number(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

pub(crate) fn table(vector: &Vector) -> Checked {
    let java = vector.output().as_object().ok_or("no table")?;
    match vector.id().rsplit('/').next().unwrap_or_default() {
        "request-codes" | "request-code" => codes(vector, java, |code| RequestCode(code).name())?,
        "response-codes" | "response-code" => codes(vector, java, |code| ResponseCode(code).name())?,
        "languages" => languages(java)?,
        "message-sysflags" => message_flags(java)?,
        "message-properties" => properties(java, vector.java().starts_with('4'))?,
        "versions" => {
            // 4.9.4 has the numbers of versions to come.
            same("what this client says it speaks", java.get("V5_3_3").and_then(number), Some(VERSION))?;
        }
        "system-topics" => {
            let template = java.get("AUTO_CREATE_TOPIC_KEY_TOPIC").and_then(Value::as_str);
            same("template topic", template, Some(TEMPLATE_TOPIC))?;
        }
        "perm" => return Ok(Verdict::NotCovered("permissions are handed on as numbers".to_owned())),
        "pop-ack" => return Ok(Verdict::NotCovered("brokers keep these among themselves".to_owned())),
        other => return Err(format!("the table {other} has never been heard of")),
    }
    Ok(Verdict::Checked)
}

/// A code without a name here is kept as a number; one with a name must have Java's, one of them at least.
fn codes(
    vector: &Vector,
    java: &Map<String, Value>,
    name: fn(i32) -> Option<&'static str>,
) -> Result<(), String> {
    let requests = vector.id().contains("request-code");
    for code in java.values().filter_map(number) {
        let names =
            java.iter().filter(|(_, other)| number(other) == Some(code)).map(|(name, _)| name.as_str());
        // Three codes of the pop consumer were failures of access control before 5.0.
        let moved = vector.java().starts_with('4') && !requests && (209..=211).contains(&code);
        if let Some(ours) = name(code)
            && !moved
            && !names.clone().any(|java| java == ours)
        {
            return Err(format!("{code} is {ours} here and {:?} in Java", names.collect::<Vec<_>>()));
        }
    }
    Ok(())
}

fn languages(java: &Map<String, Value>) -> Result<(), String> {
    for (name, ordinal) in java {
        let ours = ordinal.as_i64().and_then(Language::ordinal);
        same(name, ours.and_then(Language::name), Some(name.as_str()))?;
        same("by name", Some(Language::named(name)), ours)?;
    }
    Ok(())
}

fn message_flags(java: &Map<String, Value>) -> Result<(), String> {
    let ours = [
        ("COMPRESSED_FLAG", flags::COMPRESSED),
        ("TRANSACTION_PREPARED_TYPE", flags::PREPARED),
        ("TRANSACTION_COMMIT_TYPE", flags::COMMIT),
        ("TRANSACTION_ROLLBACK_TYPE", flags::ROLLBACK),
        ("BORNHOST_V6_FLAG", flags::BORN_HOST_V6),
        ("STOREHOSTADDRESS_V6_FLAG", flags::STORE_HOST_V6),
        ("NEED_UNWRAP_FLAG", flags::NEED_UNWRAP),
        ("INNER_BATCH_FLAG", flags::INNER_BATCH),
        ("COMPRESSION_LZ4_TYPE", Compression::Lz4.flag() & flags::COMPRESSION),
        ("COMPRESSION_ZSTD_TYPE", Compression::Zstd.flag() & flags::COMPRESSION),
        ("COMPRESSION_ZLIB_TYPE", Compression::Zlib.flag() & flags::COMPRESSION),
        ("COMPRESSION_TYPE_COMPARATOR", flags::COMPRESSION),
    ];
    ours.into_iter().try_for_each(|(name, flag)| same(name, Some(flag), java.get(name).and_then(number)))
}

/// Names that 4.9.4 does not list.
const NEW_IN_5: [&str; 12] = [
    names::POP_CHECKPOINT,
    names::FIRST_POP_TIME,
    names::TIMER_DELIVER_MS,
    names::TIMER_DELAY_SEC,
    names::TIMER_DELAY_MS,
    names::DLQ_ORIGIN_TOPIC,
    names::DLQ_ORIGIN_MESSAGE_ID,
    names::CRC,
    names::TRANSACTION_ID,
    names::SHARDING_KEY,
    names::INNER_NUM,
    names::INNER_BASE,
];

fn properties(java: &Map<String, Value>, old: bool) -> Result<(), String> {
    let ours = [
        names::KEYS,
        names::TAGS,
        names::WAIT,
        names::DELAY,
        names::UNIQ_KEY,
        names::RETRY_TOPIC,
        names::REAL_TOPIC,
        names::REAL_QUEUE,
        names::TRANSACTION,
        names::PRODUCER_GROUP,
        names::TRANSACTION_CHECK_TIMES,
        names::CHECK_IMMUNITY,
        names::MIN_OFFSET,
        names::MAX_OFFSET,
        names::ORIGIN_MESSAGE_ID,
        names::RECONSUME_TIME,
        names::MAX_RECONSUME_TIMES,
        names::CONSUME_START_TIME,
        names::REGION,
        names::TRACE_ON,
        names::CLUSTER,
        names::CORRELATION_ID,
        names::REPLY_TO,
        names::TTL,
        names::MESSAGE_TYPE,
        names::INNER_MULTI_DISPATCH,
        names::INNER_MULTI_QUEUE_OFFSET,
        names::INSTANCE_ID,
        names::BUYER_ID,
    ];
    let ours = ours.iter().chain(if old { &[][..] } else { &NEW_IN_5 });
    let missing = ours.filter(|&&ours| !java.values().any(|java| java.as_str() == Some(ours)));
    same("properties that Java does not know", missing.collect(), Vec::new())
}

/// What our values are called on the wire is among Java's names.
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
fn among(java: &Value, ours: Value) -> Checked {
    for ours in ours.as_array().into_iter().flatten() {
        // 4.9.4 has no pop.
        if ours != "CONSUME_POP" && !java.as_array().is_some_and(|java| java.contains(ours)) {
            return Err(format!("{ours} is none of Java's"));
        }
    }
    Ok(Verdict::Checked)
}

pub(crate) fn enumeration(vector: &Vector) -> Checked {
    let java = vector.output();
    match vector.id().rsplit('/').next().unwrap_or_default() {
        "ConsumeType" => among(java, json!([ConsumeType::Pull, ConsumeType::Push, ConsumeType::Pop])),
        "MessageModel" => among(java, json!([MessageModel::Broadcasting, MessageModel::Clustering])),
        "ConsumeFromWhere" => {
            among(java, json!([ConsumeFrom::Last, ConsumeFrom::First, ConsumeFrom::Timestamp]))
        }
        "MessageRequestMode" => among(java, json!([RequestMode::Pull, RequestMode::Pop])),
        "CMResult" => same("names, by place", &json!(ConsumeResult::ALL), java).map(|()| Verdict::Checked),
        "LocalTransactionState" => among(java, json!(Decided::ALL.map(Decided::name))),
        "MessageType" => {
            // Their places travel, in records of the trace; 4.9.4 has one less.
            for (place, java) in java.as_array().into_iter().flatten().enumerate() {
                let known = KINDS.iter().find(|(name, _)| java == *name).map(|(_, kind)| kind.0);
                same("place", known, i32::try_from(place).ok())?;
            }
            Ok(Verdict::Checked)
        }
        "BoundaryType" => among(java, json!(["LOWER", "UPPER"])),
        "TopicFilterType" => {
            let ours = json!([TagsPerMessage::One, TagsPerMessage::Many]);
            same("names", &ours, java).map(|()| Verdict::Checked)
        }
        other => Ok(Verdict::NotCovered(format!("{other}: its names do not travel"))),
    }
}

pub(crate) fn pull_flag(vector: &Vector) -> Checked {
    let input = vector.input();
    let bit = |name: &str, flag: i32| if input[name] == true { flag } else { 0 };
    if input["classFilter"] == true {
        return Ok(Verdict::NotCovered("class filters, which brokers dropped".to_owned()));
    }
    let ours = bit("commitOffset", pull::flags::COMMIT)
        | bit("suspend", pull::flags::SUSPEND)
        | bit("subscription", pull::flags::SUBSCRIPTION)
        | bit("litePull", pull::flags::LITE);
    same("flag", Some(ours), number(vector.output()))?;
    Ok(Verdict::Checked)
}

pub(crate) fn message_flag(vector: &Vector) -> Checked {
    let flag = number(&vector.input()["flag"]).ok_or("no flag")?;
    let java = vector.output();
    same("transaction", Some(flag & flags::TRANSACTION), number(&java["transaction"]))?;
    let committed = flag & !flags::TRANSACTION | flags::COMMIT;
    same("committed", Some(committed), number(&java["reset_to_commit"]))?;
    same("plain", Some(flag & !flags::COMPRESSED), number(&java["clear_compressed"]))?;
    let name = match Compression::of(flag | flags::COMPRESSED) {
        Ok(Some(Compression::Zlib)) => "ZLIB",
        Ok(Some(Compression::Lz4)) => "LZ4",
        Ok(Some(Compression::Zstd)) => "ZSTD",
        other => return Err(format!("{other:?}")),
    };
    same("compression", Some(name), java["compression"].as_str())?;
    Ok(Verdict::Checked)
}
