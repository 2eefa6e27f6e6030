//! What a producer sends and what it refuses, by the rule of the client's own messages.

use fusee::{IllegalMessage, Message};
use fusee_core::ids::{DEAD_LETTER_PREFIX, RETRY_PREFIX, TOPIC_CHARS_MAX};
use fusee_core::wire::topic;
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, same};

/// The longest body that this client sends, Java's default; what a vector sets instead is moved there.
const BODY_BYTES: i64 = 4 * 1024 * 1024;

pub(crate) fn validated(vector: &Vector) -> Checked {
    let input = vector.input();
    if input.get("topic").is_none() {
        return Ok(Verdict::NotCovered("a message that is none".to_owned()));
    }
    // A topic or a body that is none is an empty one here.
    let topic = input["topic"].as_str().unwrap_or_default();
    let body = match (input["bodyLength"].as_i64().unwrap_or(0), input["maxMessageSize"].as_i64()) {
        (length, Some(max)) if length > 0 => length - max + BODY_BYTES,
        (length, _) => length,
    };
    let body = usize::try_from(body).map_err(|error| error.to_string())?;
    let plain = Message::new(topic, vec![b'x'; body]);
    let dispatched = input["INNER_MULTI_DISPATCH"].as_str();
    if dispatched.is_some() && plain.check().is_ok() {
        // Queues that a message is also in are for brokers to set, whatever they are called.
        let marked = plain.property("INNER_MULTI_DISPATCH", dispatched.unwrap_or_default());
        return match marked.check() {
            Err(IllegalMessage::ReservedProperty(_)) if vector.java_refused() => Ok(Verdict::Checked),
            Err(IllegalMessage::ReservedProperty(_)) => {
                Ok(Verdict::Stricter("a property that only brokers set"))
            }
            other => Err(format!("{other:?}")),
        };
    }
    // Java's client takes no longer names of these topics either, brokers do.
    let derived = [RETRY_PREFIX, DEAD_LETTER_PREFIX].iter().any(|prefix| topic.starts_with(prefix));
    match plain.check() {
        Ok(()) if vector.java_refused() && !(derived && topic.len() > TOPIC_CHARS_MAX) => {
            Err("a message where Java refuses".to_owned())
        }
        Err(IllegalMessage::ReservedTopic(_)) if !vector.java_refused() => {
            Ok(Verdict::Stricter("a topic that is the brokers' own"))
        }
        Err(error) if !vector.java_refused() => Err(format!("{error} where Java sends")),
        Ok(()) | Err(_) => Ok(Verdict::Checked),
    }
}

/// Lists of names: topics that are not for sending, topics that are the brokers', properties that are Java's own.
pub(crate) fn names(vector: &Vector) -> Checked {
    let java = vector.output().as_array().ok_or("no list")?.iter().filter_map(Value::as_str);
    let taken = |message: Message| message.check().is_ok();
    let missing = match vector.id().rsplit('/').next().unwrap_or_default() {
        "not-allowed-send-topics" => java.filter(|name| taken(Message::new(*name, "x"))).collect(),
        "system-topic-set" => java.filter(|name| !topic::is_system(name)).collect(),
        "message-system-keys" => {
            java.filter(|name| taken(Message::new("T", "x").property(name, "x"))).collect()
        }
        other => return Err(format!("the list {other} has never been heard of")),
    };
    same("not known here", missing, Vec::<&str>::new())?;
    Ok(Verdict::Checked)
}

/// A message that Java cannot write: here there is no topic of such a name, so that none is made.
pub(crate) fn never_made(vector: &Vector) -> Checked {
    let topic = vector.input()["topic"].as_str().unwrap_or_default();
    let body = vector.input()["body"].as_str().unwrap_or_default().to_owned();
    match Message::new(topic, body).check() {
        Err(_) if vector.java_refused() => Ok(Verdict::Checked),
        Err(_) | Ok(()) => {
            Ok(Verdict::NotCovered("a message that is stored and read as any other here".to_owned()))
        }
    }
}
