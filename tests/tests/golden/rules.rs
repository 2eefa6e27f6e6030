//! Rules of the client that are pure functions: hashes, names, subscriptions, handles, tables of constants.

use fusee_core::assign::{Strategy, java_order, nearby, queue_order, ring_hash};
use fusee_core::ids::{BrokerName, Group, Queue, Topic};
use fusee_core::wire::Text;
use fusee_core::wire::order_counts::{Counted, OrderCounts};
use fusee_core::wire::rpc::heartbeat::SubscriptionEntry;
use fusee_core::wire::rpc::pop::{PopHandle, PopOffsets, RetryMark};
use fusee_core::wire::rpc::send::RecallHandle;
use fusee_core::wire::subscription::{java_hash, place_by_hash};
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, same, text};

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items = items.into_iter().collect::<Vec<_>>();
    items.sort();
    items
}

pub(crate) fn subscription(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let topic = Topic::new("T").map_err(|error| error.to_string())?;
    let expression = text(&input["expression"]).unwrap_or_default();
    let ours = match input["type"].as_str() {
        None | Some("TAG" | "") => {
            SubscriptionEntry::tags(topic, &expression, 1).map_err(|error| error.to_string())
        }
        Some("SQL92") if expression.is_empty() => Err("an empty SQL92 expression".to_owned()),
        Some("SQL92") => Ok(SubscriptionEntry::sql(topic, Text::from(expression), 1)),
        Some(other) => return Ok(Verdict::NotCovered(format!("expressions of the type {other}"))),
    };
    match ours {
        Err(_) if vector.java_refused() => Ok(Verdict::Checked),
        Err(error) => Err(format!("{error} where Java has a subscription")),
        Ok(_) if vector.java_refused() => Err("a subscription where Java refuses".to_owned()),
        Ok(entry) => {
            same("subString", Some(entry.expression.as_str()), out["subString"].as_str())?;
            let tags = out["tagsSet"].as_array().into_iter().flatten().filter_map(text);
            same("tags", sorted(entry.tags.iter().map(ToString::to_string)), sorted(tags))?;
            let codes = out["codeSet"].as_array().into_iter().flatten().filter_map(Value::as_i64);
            same("codes", sorted(entry.codes.into_iter().map(i64::from)), sorted(codes))?;
            Ok(Verdict::Checked)
        }
    }
}

pub(crate) fn tag_hash(vector: &Vector) -> Checked {
    let tag = text(&vector.input()["tag"]).ok_or("no tag")?;
    same("hash", Some(i64::from(java_hash(&tag))), vector.output().as_i64())?;
    Ok(Verdict::Checked)
}

pub(crate) fn string_hash(vector: &Vector) -> Checked {
    let string = text(&vector.input()["text"]).ok_or("no text")?;
    same("hash", Some(i64::from(java_hash(&string))), vector.output().as_i64())?;
    Ok(Verdict::Checked)
}

pub(crate) fn select_by_hash(vector: &Vector) -> Checked {
    let input = vector.input();
    let Some(argument) = input["arg"].as_str() else {
        return Ok(Verdict::NotCovered(
            "a sharding key is a text; who shards by numbers has a selector of his own".to_owned(),
        ));
    };
    let queues = input["queues"].as_u64().and_then(|count| usize::try_from(count).ok()).ok_or("no queues")?;
    let ours = place_by_hash(argument, queues).and_then(|place| u64::try_from(place).ok());
    same("place", ours, vector.output().as_u64())?;
    Ok(Verdict::Checked)
}

pub(crate) fn names(vector: &Vector) -> Checked {
    let out = vector.output();
    let name = text(&vector.input()["text"]).unwrap_or_default();
    let group = out["group"] == "ok";
    same("a group", Group::new(&name).is_ok(), group && name.chars().count() <= 120)?;
    let java = out["topic"] == "ok";
    let derived = name.starts_with("%RETRY%") || name.starts_with("%DLQ%");
    match Topic::new(&name) {
        Ok(_) if java => Ok(Verdict::Checked),
        // Java's client takes no longer names even of these, brokers do.
        Ok(_) if derived && name.len() > 127 => Ok(Verdict::Checked),
        Ok(_) => Err(format!("a topic where Java refuses: {name}")),
        Err(_) if !java => Ok(Verdict::Checked),
        Err(error) => Err(format!("{error} where Java has a topic")),
    }
}

pub(crate) fn pop_handle(vector: &Vector) -> Checked {
    let input = vector.input();
    let long = |name: &str| input[name].as_i64().ok_or_else(|| format!("no {name}"));
    let int =
        |name: &str| long(name).and_then(|value| i32::try_from(value).map_err(|error| error.to_string()));
    let handle = PopHandle {
        start: long("ckOffset")?,
        pop_time: long("popTime")?,
        invisible_ms: long("invisibleTime")?,
        revive_queue: int("reviveQid")?,
        mark: RetryMark::of(input["topic"].as_str().unwrap_or_default()),
        broker: BrokerName::new(input["brokerName"].as_str().unwrap_or_default())
            .map_err(|error| error.to_string())?,
        queue: int("queueId")?,
        offset: long("msgQueueOffset")?,
    };
    let java = vector.output()["with_offset"].as_str();
    same("handle", Some(handle.to_string().as_str()), java)?;
    same("read back", PopHandle::parse(java.unwrap_or_default()), Some(handle))?;
    Ok(Verdict::Checked)
}

pub(crate) fn pop_handle_read(vector: &Vector) -> Checked {
    let out = vector.output();
    let string = text(&vector.input()["text"]).unwrap_or_default();
    let Some(handle) = PopHandle::parse(&string) else {
        return if out["getQueueOffset"].is_number() && out["split"].as_array().map(Vec::len) == Some(8) {
            Err("no handle where Java reads one".to_owned())
        } else {
            Ok(Verdict::Checked)
        };
    };
    same("start", Some(handle.start), out["getCkQueueOffset"].as_i64())?;
    same("time", Some(handle.pop_time), out["getPopTime"].as_i64())?;
    same("invisible", Some(handle.invisible_ms), out["getInvisibleTime"].as_i64())?;
    same("broker", Some(handle.broker.as_str()), out["getBrokerName"].as_str())?;
    same("offset", Some(handle.offset), out["getQueueOffset"].as_i64())?;
    let input = vector.input();
    if let (Some(topic), Some(group), Some(real)) =
        (input["topic"].as_str(), input["group"].as_str(), out["realTopic"].as_str())
    {
        let topic = Topic::new(topic).map_err(|error| error.to_string())?;
        let group = Group::new(group).map_err(|error| error.to_string())?;
        same("real topic", handle.mark.topic(&group, &topic).as_str(), real)?;
    }
    Ok(Verdict::Checked)
}

/// Java names what a number is said of by its mark, an at sign, and the queue or `qo`, the queue, a percent sign, the
/// offset.
pub(crate) fn pop_info(vector: &Vector) -> Checked {
    let (start, java) = (&vector.output()["start"], &vector.output()["offsets"]);
    let string = text(&vector.input()["text"]).unwrap_or_default();
    if let stricter @ Verdict::Stricter(_) = order_counts(&string, &vector.output()["order"])? {
        return Ok(stricter);
    }
    match PopOffsets::parse(&string) {
        // Only counts are said of single messages.
        Err(_) if string.contains("qo") || java.get("error").is_some() => {}
        Err(error) => return Err(error.to_string()),
        Ok(_) if java.get("error").is_some() => return Err("a list where Java refuses".to_owned()),
        Ok(offsets) => {
            same("entries", offsets.0.len(), java.as_object().map_or(0, serde_json::Map::len))?;
            for ((mark, queue), ours) in offsets.0 {
                let key = format!("{}@{queue}", mark as u8);
                let java = java[&key].as_array().into_iter().flatten();
                same("offsets", ours.clone(), java.filter_map(Value::as_i64).collect())?;
                if start.get("error").is_none() {
                    same("start", ours, start[&key].as_i64().into_iter().collect())?;
                }
            }
        }
    }
    Ok(Verdict::Checked)
}

fn order_counts(string: &str, java: &Value) -> Checked {
    let counts = match OrderCounts::parse(string) {
        Err(_) if java.get("error").is_some() => return Ok(Verdict::Checked),
        Err(_) if java.as_object().is_some_and(|java| java.keys().any(|key| !is_said_of_a_queue(key))) => {
            return Ok(Verdict::Stricter("a number that is said of no queue"));
        }
        Err(error) => return Err(error.to_string()),
        Ok(_) if java.get("error").is_some() => return Err("counts where Java refuses".to_owned()),
        Ok(counts) => counts,
    };
    let key = |(mark, queue, offset): Counted| match offset {
        Some(offset) => format!("{}@qo{queue}%{offset}", mark as u8),
        None => format!("{}@{queue}", mark as u8),
    };
    let ours = counts.iter().map(|(of, count)| (key(of), Some(i64::from(count))));
    let java = java.as_object().into_iter().flatten();
    same("counts", sorted(ours), sorted(java.map(|(key, count)| (key.clone(), count.as_i64()))))?;
    Ok(Verdict::Checked)
}

/// Java joins any two texts to a key.
fn is_said_of_a_queue(key: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().is_ok();
    key.split_once('@').is_some_and(|(mark, place)| {
        let message = place.strip_prefix("qo").and_then(|place| place.split_once('%'));
        ["0", "1", "2"].contains(&mark)
            && message.map_or_else(|| number(place), |(queue, offset)| number(queue) && number(offset))
    })
}

pub(crate) fn recall(vector: &Vector) -> Checked {
    let (handle, plain) = if vector.kind() == "recall_build" {
        (vector.output().as_str(), vector.input())
    } else {
        (vector.input()["text"].as_str(), vector.output())
    };
    let ours = RecallHandle::parse(handle.unwrap_or_default());
    if vector.java_refused() {
        same("a handle", ours, None)?;
        return Ok(Verdict::Checked);
    }
    let ours = ours.ok_or("no handle where Java reads one")?;
    same("topic", Some(ours.topic.as_str()), plain["topic"].as_str())?;
    same("broker", Some(ours.broker.as_str()), plain["brokerName"].as_str())?;
    same("due", Some(ours.due.as_str()), plain["timestamp"].as_str())?;
    same("id", Some(ours.message_id.as_str()), plain["messageId"].as_str())?;
    if vector.kind() == "recall_build" {
        same("handle", Some(ours.to_string().as_str()), handle)?;
    }
    Ok(Verdict::Checked)
}

fn queue_of(value: &Value) -> Result<Queue, String> {
    let number = value[2].as_i64().and_then(|number| i32::try_from(number).ok()).ok_or("no number")?;
    let topic = Topic::new(value[0].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    let broker = BrokerName::new(value[1].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(Queue { topic, broker, queue: number })
}

fn queues_of(value: &Value) -> Result<Vec<Queue>, String> {
    value.as_array().into_iter().flatten().map(queue_of).collect()
}

pub(crate) fn allocate(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let texts = |name: &str| {
        input[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let (members, rooms) = (texts("consumers"), texts("consumerRooms"));
    let queues = queues_of(&input["queues"])?;
    let nodes = input["virtualNodes"].as_u64().and_then(|nodes| u32::try_from(nodes).ok()).unwrap_or(10);
    let strategy = match input["strategy"].as_str() {
        Some("AVG") => Some(Strategy::Average),
        Some("AVG_BY_CIRCLE") => Some(Strategy::Circle),
        Some("CONSISTENT_HASH") => Some(Strategy::ConsistentHash { virtual_nodes: nodes }),
        Some("MACHINE_ROOM") => Some(Strategy::MachineRoom { rooms: &rooms }),
        Some("MACHINE_ROOM_NEARBY-AVG") => None,
        other => return Ok(Verdict::NotCovered(format!("the strategy {other:?}"))),
    };
    if vector.java_refused() {
        return Ok(Verdict::NotCovered("lists that Java refuses to share out".to_owned()));
    }
    for (member, java) in out.as_object().ok_or("no members")? {
        let ours = match &strategy {
            Some(strategy) => strategy.assign(&queues, &members, member),
            None => {
                let near = nearby(
                    &queues,
                    &members,
                    member,
                    |queue| queue.broker.as_str().split('-').next(),
                    |member| member.split('-').next(),
                );
                near.ok_or("a room is not known")?
            }
        };
        // For a member without a name Java throws; here it is one that is not in the list.
        let mut java = if java.get("error").is_some() { Vec::new() } else { queues_of(java)? };
        let mut ours = ours;
        if strategy.is_none() {
            // Java walks its rooms in hash order.
            java.sort();
            ours.sort();
        }
        same(member, ours, java)?;
    }
    Ok(Verdict::Checked)
}

pub(crate) fn ring(vector: &Vector) -> Checked {
    let string = text(&vector.input()["text"]).ok_or("no text")?;
    same("hash", Some(u64::from(ring_hash(&string))), vector.output().as_u64())?;
    Ok(Verdict::Checked)
}

pub(crate) fn sorted_ids(vector: &Vector) -> Checked {
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(text).collect::<Vec<_>>();
    let mut ours = list(vector.input());
    ours.sort_by(|a, b| java_order(a, b));
    same("order", ours, list(vector.output()))?;
    Ok(Verdict::Checked)
}

pub(crate) fn sorted_queues(vector: &Vector) -> Checked {
    // Java also orders names that no broker takes.
    let legal = |list: &Value| {
        list.as_array().into_iter().flatten().filter_map(|queue| queue_of(queue).ok()).collect::<Vec<_>>()
    };
    let mut ours = legal(vector.input());
    ours.sort_by(queue_order);
    same("order", ours, legal(vector.output()))?;
    Ok(Verdict::Checked)
}

/// The names of the topics from which a group gets a message again.
pub(crate) fn pop_names(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let name = input["topic"].as_str().unwrap_or_default();
    same("is of the second kind", Some(RetryMark::of(name) == RetryMark::V2), out["is_v2"].as_bool())?;
    let Ok(topic) = Topic::new(name) else {
        // A topic of the second kind has a character that no name of a user has, and none is made of it again.
        return Ok(Verdict::Checked);
    };
    let group = Group::new(input["group"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    same("plain", RetryMark::Normal.topic(&group, &topic).as_str(), name)?;
    same("first kind", Some(RetryMark::V1.topic(&group, &topic).as_str()), out["v1"].as_str())?;
    same("second kind", Some(RetryMark::V2.topic(&group, &topic).as_str()), out["v2"].as_str())?;
    Ok(Verdict::Checked)
}

pub(crate) fn pop_map_key(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let queue = input["queueId"].as_i64().ok_or("no queueId")?;
    let key = |mark: RetryMark| format!("{}@{queue}", mark as u8);
    let topic = RetryMark::of(input["topic"].as_str().unwrap_or_default());
    same("by topic", Some(key(topic).as_str()), out["by_topic"].as_str())?;
    let handle = PopHandle::parse(input["popCk"].as_str().unwrap_or_default()).ok_or("no handle")?;
    same("by handle", Some(key(handle.mark).as_str()), out["by_handle"].as_str())?;
    Ok(Verdict::Checked)
}

/// The lists of a pop's reply as a broker writes them.
pub(crate) fn pop_infos(vector: &Vector) -> Checked {
    let out = vector.output();
    let mark = RetryMark::of(vector.input()["topic"].as_str().unwrap_or_default());
    let list = |name: &str| {
        let text = out[name].as_str().ok_or_else(|| format!("no {name}"))?;
        PopOffsets::parse(text).map(|list| list.0).map_err(|error| error.to_string())
    };
    let starts = [((mark, 0), vec![100]), ((mark, 1), vec![101])];
    same("starts", list("startOffsetInfo")?, starts.into())?;
    let offsets = [0, 1].map(|queue| ((mark, queue), vec![100, 101, 105]));
    same("offsets", list("msgOffsetInfo")?, offsets.into())?;
    Ok(Verdict::Checked)
}
