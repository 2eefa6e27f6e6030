//! Stored messages, batches, properties and ids.

use bytes::{Bytes, BytesMut};
use fusee_core::time::UnixMillis;
use fusee_core::wire::message::messages;
use fusee_core::wire::{Damaged, OffsetId, Properties, PropertyText, StoredMessage, Text, UniqueIds, batch};
use fusee_engine::codec::{Codecs, body_crc};
use serde_json::Value;

use super::sending;
use super::vector::{Checked, Vector, Verdict, pairs, same, text, unhex};

const LIMIT: usize = 16 * 1024 * 1024;

/// A host as Java prints it: address, vertical bar, port.
fn same_host(what: &str, ours: fusee_core::wire::ids::Host, java: &Value) -> Result<(), String> {
    let java = java.as_str().unwrap_or_default();
    let (ip, port) = java.rsplit_once('|').ok_or_else(|| format!("{what}: {java}"))?;
    same(what, (Ok(ours.ip), Ok(ours.port)), (ip.parse(), port.parse()))
}

fn same_body(ours: &[u8], java: &Value) -> Result<(), String> {
    match java {
        Value::String(hex) => same("body", ours, &unhex(hex)?),
        Value::Null => same("body", ours, &[]),
        Value::Object(digest) => {
            same("body length", u64::try_from(ours.len()).ok(), digest["length"].as_u64())?;
            let crc = digest["crc32"].as_u64().and_then(|crc| u32::try_from(crc).ok()).ok_or("no crc32")?;
            same("body checksum", body_crc(ours), crc & 0x7FFF_FFFF)
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err("a body of another kind".to_owned()),
    }
}

fn same_properties(ours: &Properties, java: &Value, local: &[&str]) -> Result<(), String> {
    let mut ours = ours.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    let mut java = pairs(java);
    ours.retain(|(name, _)| !local.contains(&name.as_str()));
    java.retain(|(name, _)| !local.contains(&name.as_str()));
    ours.sort();
    java.sort();
    same("properties", ours, java)
}

/// A message against Java's reading of it, which clears the flag's lowest bit when it has inflated a body.
fn same_message(ours: &StoredMessage, java: &Value, codecs: &mut Codecs) -> Result<(), String> {
    let long = |name: &str| java[name].as_i64();
    same("topic", Some(ours.topic.as_str()), java["topic"].as_str())?;
    same("queue", Some(i64::from(ours.queue)), long("queueId"))?;
    same("flag", Some(i64::from(ours.flag)), long("flag"))?;
    same("queue offset", Some(ours.queue_offset), long("queueOffset"))?;
    same("log offset", Some(ours.physical_offset), long("commitLogOffset"))?;
    same("born", Some(ours.born.0), long("bornTimestamp"))?;
    same("stored", Some(ours.stored.0), long("storeTimestamp"))?;
    same_host("born host", ours.born_host, &java["bornHost"])?;
    same_host("store host", ours.store_host, &java["storeHost"])?;
    same("reconsumed", Some(i64::from(ours.reconsume_times)), long("reconsumeTimes"))?;
    same("prepared", Some(ours.prepared_offset), long("preparedTransactionOffset"))?;
    same("checksum", Some(i64::from(ours.crc)), long("bodyCRC"))?;
    let (body, flag) = inflated(ours, codecs)?;
    // 4.9.4 leaves the flag as it was stored.
    if long("sysFlag") != Some(i64::from(ours.sys_flag)) {
        same("sysFlag", Some(i64::from(flag)), long("sysFlag"))?;
    }
    same_body(&body, &java["body"])?;
    same_properties(&ours.properties, &java["properties"], &["WAIT", "MIN_OFFSET", "MAX_OFFSET"])?;
    if let Some(id) = java["offsetMsgId"].as_str() {
        same("offset id", ours.offset_id().to_string().as_str(), id)?;
    }
    if let (Some(ours), Some(java)) = (ours.unique_id(), java["msgId"].as_str()) {
        same("unique id", ours, java)?;
    }
    Ok(())
}

fn inflated(message: &StoredMessage, codecs: &mut Codecs) -> Result<(Bytes, i32), String> {
    match message.compression() {
        Ok(None) => Ok((message.body.clone(), message.sys_flag)),
        Ok(Some(kind)) => {
            let body = codecs.inflate(kind, &message.body, LIMIT).map_err(|error| error.to_string())?;
            Ok((body, message.sys_flag & !1))
        }
        Err(unknown) => Err(format!("compression {unknown}")),
    }
}

fn read(bytes: Bytes) -> Vec<Result<StoredMessage, Damaged>> {
    messages(bytes).collect()
}

/// Encoding what was decoded gives the same bytes, but for properties that ended without their mark.
fn same_again(bytes: &Bytes, read: &[Result<StoredMessage, Damaged>]) -> Result<(), String> {
    let mut again = BytesMut::new();
    for message in read.iter().flatten() {
        message.encode(&mut again);
    }
    same("encoded again", again.freeze(), bytes.clone())
}

pub(crate) fn message(vector: &Vector) -> Checked {
    if !vector.has("hex") {
        return sending::never_made(vector);
    }
    let bytes = vector.hex()?;
    let read = read(bytes.clone());
    let java = vector.output().as_array().ok_or("no messages")?;
    same_prefix(&read, java)?;
    if read.iter().all(Result::is_ok) {
        same_again(&bytes, &read)?;
    }
    Ok(Verdict::Checked)
}

/// Java's messages must be ours, in order. Java stops at the first it cannot read; this client goes on behind it.
fn same_prefix(ours: &[Result<StoredMessage, Damaged>], java: &[Value]) -> Checked {
    let mut codecs = Codecs::default();
    for (at, java) in java.iter().enumerate() {
        match ours.get(at) {
            Some(Ok(ours)) => {
                same_message(ours, java, &mut codecs).map_err(|error| format!("message {at}: {error}"))?
            }
            Some(Err(damaged)) => return Ok(Verdict::Stricter(damaged.why)),
            None => return Err(format!("{} messages, Java has {}", ours.len(), java)),
        }
    }
    match ours.get(java.len()) {
        None | Some(Err(_)) => Ok(Verdict::Checked),
        // Java's reason to stop was in the body.
        Some(Ok(message)) if inflated(message, &mut codecs).is_err() => Ok(Verdict::Checked),
        Some(Ok(_)) => Err(format!("{} messages, Java has {}", ours.len(), java.len())),
    }
}

pub(crate) fn decode(vector: &Vector) -> Checked {
    let java = vector.output().as_array().ok_or("no messages")?;
    same_prefix(&read(vector.hex()?), java)
}

pub(crate) fn stored(vector: &Vector) -> Checked {
    let bytes = vector.hex()?;
    let read = read(bytes.clone());
    let java = vector.output()["messages"].as_array().ok_or("no messages")?;
    same("messages", read.len(), java.len())?;
    same_again(&bytes, &read)?;
    same_prefix(&read, java)
}

pub(crate) fn offset_id(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let string =
        text(&input["text"]).or_else(|| vector.text().ok().map(ToOwned::to_owned)).ok_or("no text")?;
    let Some(id) = OffsetId::parse(&string) else {
        return if vector.java_refused() {
            Ok(Verdict::Checked)
        } else {
            Err("no id where Java reads one".to_owned())
        };
    };
    same_host("host", id.host, &out["host"])?;
    same("offset", Some(id.offset), out["offset"].as_i64())?;
    same("written", id.to_string(), string.to_uppercase())?;
    Ok(Verdict::Checked)
}

pub(crate) fn unique_id(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let java = text(&input["text"]).ok_or("no text")?;
    let digits = |from: usize, to: usize| {
        let part = java.get(java.len().checked_sub(from)?..java.len().checked_sub(to)?)?;
        u32::from_str_radix(part, 16).ok()
    };
    let (Some(ip), Some(process)) = (out["ip"].as_str().and_then(|ip| ip.parse().ok()), out["pid"].as_u64())
    else {
        return Ok(Verdict::NotCovered(
            "ids that are none: they are made here and never taken apart".to_owned(),
        ));
    };
    let (Some(salt), Some(counter), Some(time)) = (digits(20, 12), digits(4, 0), out["time"].as_i64()) else {
        return Ok(Verdict::NotCovered(
            "ids that are none: they are made here and never taken apart".to_owned(),
        ));
    };
    let process = u32::try_from(process).map_err(|error| error.to_string())?;
    let counter = u16::try_from(counter).map_err(|error| error.to_string())?;
    let ours = UniqueIds::new(ip, process, salt).id(UnixMillis(time), counter).to_string();
    // The time counts from the first of the month; Java takes last month's for one that would lie ahead.
    let without_time = |id: &str| (id[..id.len() - 12].to_owned(), id[id.len() - 4..].to_owned());
    same("id", without_time(&ours), without_time(&java.to_uppercase()))?;
    same("time", ours.get(ours.len() - 12..), java.to_uppercase().get(java.len() - 12..)).or_else(
        |error| {
            let ahead = digits(12, 4).is_some_and(|ms| i64::from(ms) > 31 * 86_400_000);
            if ahead { Ok(()) } else { Err(error) }
        },
    )?;
    Ok(Verdict::Checked)
}

pub(crate) fn properties_encode(vector: &Vector) -> Checked {
    let java = vector.text()?;
    let mut ours = PropertyText::new();
    let mut refused = None;
    for (name, value) in pairs(&vector.input()["properties"]) {
        if let Err(error) = ours.put(&name, &value) {
            refused = Some(error);
        }
    }
    same_properties(&Properties::new(Text::from(java.to_owned())), vector.output(), &[])?;
    match refused {
        Some(_) => Ok(Verdict::Stricter("a property that would not survive")),
        None => {
            let ours = ours.finish();
            let (ours, java) = (ours.trim_end_matches('\u{2}'), java.trim_end_matches('\u{2}'));
            same("length", ours.len(), java.len())?;
            if !vector.free() {
                same("text", ours, java)?;
            }
            same_properties(&Properties::new(Text::from(ours.to_owned())), vector.output(), &[])?;
            Ok(Verdict::Checked)
        }
    }
}

pub(crate) fn properties_decode(vector: &Vector) -> Checked {
    let string = text(&vector.input()["text"]).unwrap_or_default();
    same_properties(&Properties::new(Text::from(string)), vector.output(), &[])?;
    Ok(Verdict::Checked)
}

pub(crate) fn batch(vector: &Vector) -> Checked {
    let bytes = vector.hex()?;
    let entries =
        batch::entries(bytes.clone()).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let java = vector.output().as_array().ok_or("no entries")?;
    same("entries", entries.len(), java.len())?;
    let mut again = BytesMut::new();
    for (ours, java) in entries.iter().zip(java) {
        same("flag", Some(i64::from(ours.flag)), java["flag"].as_i64())?;
        same_body(&ours.body, &java["body"])?;
        same_properties(&ours.properties, &java["properties"], &[])?;
        batch::put_entry(ours.flag, &ours.body, ours.properties.encoded(), &mut again)
            .map_err(|error| error.to_string())?;
    }
    same("encoded again", again.freeze(), bytes)?;
    Ok(Verdict::Checked)
}

pub(crate) fn batch_decode(vector: &Vector) -> Checked {
    let ours = batch::entries(vector.hex()?).collect::<Result<Vec<_>, _>>();
    match ours {
        Err(_) if vector.java_refused() => Ok(Verdict::Checked),
        Err(damaged) => Err(format!("{damaged} where Java reads")),
        Ok(_) if vector.java_refused() => Err("entries where Java refuses".to_owned()),
        Ok(ours) => {
            same("entries", Some(ours.len()), vector.output().as_array().map(Vec::len))?;
            Ok(Verdict::Checked)
        }
    }
}

pub(crate) fn inner_batch(vector: &Vector) -> Checked {
    let java = vector.output().as_array().ok_or("no messages")?;
    let mut codecs = Codecs::default();
    let mut ours = Vec::new();
    for outer in messages(vector.hex()?) {
        let outer = outer.map_err(|error| error.to_string())?;
        if outer.is_inner_batch() {
            let (body, _) = inflated(&outer, &mut codecs)?;
            let inner = batch::unwrap(&outer, body).collect::<Result<Vec<_>, _>>();
            ours.extend(inner.map_err(|error| error.to_string())?);
        } else {
            ours.push(outer);
        }
    }
    same("messages", ours.len(), java.len())?;
    for (ours, java) in ours.iter().zip(java) {
        same_message(ours, java, &mut codecs)?;
    }
    Ok(Verdict::Checked)
}

/// The body that Java makes of messages that may travel together. Whether they may is the producer's rule.
pub(crate) fn batch_build(vector: &Vector) -> Checked {
    if vector.java_refused() {
        return Ok(Verdict::NotCovered("what may be in one batch is the producer's rule".to_owned()));
    }
    // 4.9.4 leaves out the mark behind the last property.
    let unended = vector.java().starts_with('4');
    let mut ours = BytesMut::new();
    for message in vector.input()["messages"].as_array().into_iter().flatten() {
        let mut properties = PropertyText::new();
        for (name, value) in pairs(&message["properties"]) {
            properties.put(&name, &value).map_err(|error| error.to_string())?;
        }
        let properties = properties.finish();
        let properties = if unended { properties.trim_end_matches('\u{2}') } else { &properties };
        let flag = message["flag"].as_i64().and_then(|flag| i32::try_from(flag).ok()).ok_or("no flag")?;
        let body = unhex(message["body"].as_str().ok_or("no body")?)?;
        batch::put_entry(flag, &body, properties, &mut ours).map_err(|error| error.to_string())?;
    }
    same("body", ours.freeze(), unhex(vector.output()["body"].as_str().ok_or("no body of Java's")?)?)?;
    Ok(Verdict::Checked)
}
