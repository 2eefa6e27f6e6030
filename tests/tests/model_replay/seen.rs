//! What of a server's frames is compared: all but what cannot be the same twice.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use fusee_sim::codec::{self, Command, Dialect};
use fusee_tests::raw::{decode_messages, quote_integer_keys};
use serde_json::Value;

/// A request by its connection and number there.
pub(crate) type Asked = (String, i32);

/// What of an answer is compared, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen(pub(crate) BTreeMap<String, String>);

pub(crate) fn decoded(bytes: &[u8]) -> (Dialect, Command<'static>) {
    let mut buffer = BytesMut::from(bytes);
    let frame = codec::split(&mut buffer).expect("a frame").expect("a whole one");
    let (dialect, command) = codec::decode(&frame).expect("a header");
    (dialect, command.into_owned())
}

/// Puts a frame of a server where it belongs: an answer to its request, or one more push of its kind.
pub(crate) fn note(
    conn: &str,
    bytes: &[u8],
    asked: &BTreeMap<Asked, Command<'_>>,
    answers: &mut BTreeMap<Asked, Seen>,
    pushed: &mut BTreeMap<(String, i32, String), usize>,
) {
    let (dialect, command) = decoded(bytes);
    if !command.is_response() {
        let group = command.field("consumerGroup").unwrap_or_default().to_owned();
        *pushed.entry((conn.to_owned(), command.code, group)).or_default() += 1;
        return;
    }
    let place = (conn.to_owned(), command.opaque.unwrap_or(0));
    if let Some(request) = asked.get(&place) {
        answers.insert(place, Seen::of(request, dialect, &command));
    }
}

impl Seen {
    /// All of an answer but times, ids and places in the commit log, which depend on what was stored before.
    pub(crate) fn of(request: &Command<'_>, dialect: Dialect, answer: &Command<'_>) -> Self {
        let mut seen = BTreeMap::new();
        let mut put = |name: &str, value: String| drop(seen.insert(name.to_owned(), value));
        put("code", answer.code.to_string());
        put("dialect", format!("{dialect:?} {:?} {} {}", answer.language, answer.version, answer.flag));
        put("remark", without_ports(answer.remark.as_deref().unwrap_or("none")));
        put("has fields", answer.fields.as_ref().is_some_and(|fields| !fields.0.is_empty()).to_string());
        for (name, value) in answer.fields.iter().flat_map(|fields| &fields.0) {
            let value = match &**name {
                "indexLastUpdatePhyoffset" | "indexLastUpdateTimestamp" | "timestamp" => "some".to_owned(),
                // Ids of stored messages: where they were stored, then the place in the log.
                "msgId" => {
                    value.split(',').map(|id| id.get(..16).unwrap_or(id)).collect::<Vec<_>>().join(",")
                }
                _ => value.to_string(),
            };
            put(name, value);
        }
        match request.code {
            105 if answer.code == 0 => {
                let route = json(&answer.body);
                put("queues", route["queueDatas"][0].to_string());
                put(
                    "broker",
                    route["brokerDatas"][0]["brokerAddrs"]["0"].as_str().unwrap_or_default().to_owned(),
                );
                put("body", route.to_string());
            }
            11 | 12 | 33 | 361 => put("body", messages(&answer.body)),
            _ if answer.body.is_empty() => put("body", String::new()),
            _ => put("body", json(&answer.body).to_string()),
        }
        Self(seen)
    }
}

fn json(body: &Bytes) -> Value {
    let text = quote_integer_keys(&String::from_utf8_lossy(body));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn messages(body: &Bytes) -> String {
    let all = decode_messages("", body).unwrap_or_else(|error| panic!("{error}"));
    let shown = all.into_iter().map(|message| {
        format!(
            "{}/{}@{} flag {} sys {} born {} again {} body {:08x} {:?}",
            message.topic,
            message.queue,
            message.offset,
            message.flag,
            message.sys_flag,
            message.born,
            message.reconsume_times,
            codec::message::crc32(&message.body),
            message.properties
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "ADDRESS";
        out += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}
