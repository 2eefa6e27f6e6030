//! What the test bench asks of one server beside the scan.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use super::{Caller, Connection, code, frame, read_frame};

impl Caller {
    /// Makes a consumer group on a broker.
    pub fn create_group(&self, broker: &str, group: &str) -> io::Result<()> {
        let body = format!(r#"{{"groupName":"{group}"}}"#);
        self.call(broker, code::CREATE_GROUP, &[], body.as_bytes())?.success("create group").map(drop)
    }

    /// Stores an offset for a group with a broker (request 15).
    pub fn commit(&self, broker: &str, group: &str, topic: &str, queue: i32, offset: i64) -> io::Result<()> {
        let (queue, offset) = (queue.to_string(), offset.to_string());
        let fields = [
            ("consumerGroup", group),
            ("topic", topic),
            ("queueId", queue.as_str()),
            ("commitOffset", &offset),
        ];
        self.call(broker, code::UPDATE_OFFSET, &fields, b"")?.success("commit").map(drop)
    }

    /// The offset a broker has for a group (request 14), if it has one.
    pub fn committed(&self, broker: &str, group: &str, topic: &str, queue: i32) -> io::Result<Option<i64>> {
        let queue = queue.to_string();
        let fields = [("consumerGroup", group), ("topic", topic), ("queueId", queue.as_str())];
        let reply = self.call(broker, code::QUERY_OFFSET, &fields, b"")?;
        if reply.code == 22 {
            return Ok(None);
        }
        reply.success("committed offset")?.number("offset").map(Some)
    }

    /// Stores a message with the property `MARK` in a queue of every broker of a topic; returns how many.
    pub fn mark(&self, name_server: &str, topic: &str, body: &str) -> io::Result<usize> {
        let masters = self.masters(name_server, topic)?.unwrap_or_default();
        for master in &masters {
            self.send(&master.address, topic, 0, "MARK\u{1}yes\u{2}", body.as_bytes())?;
        }
        Ok(masters.len())
    }
}

impl Connection {
    /// Answers a broker's requests of these codes, each with this body, until each was asked once; what is asked one-way
    /// is passed over.
    pub fn answer(mut self, mut answers: BTreeMap<i32, Vec<u8>>) -> io::Result<()> {
        while !answers.is_empty() {
            let (header, _) = read_frame(&mut self.stream)?;
            let asked = header["code"].as_i64().and_then(|code| i32::try_from(code).ok());
            let answer = asked.filter(|_| header["flag"] == 0).and_then(|code| answers.remove(&code));
            if let Some(body) = answer {
                let header = json!({
                    "code": 0, "language": "OTHER", "version": 479, "opaque": header["opaque"], "flag": 1,
                    "serializeTypeCurrentRPC": "JSON",
                });
                self.stream.write_all(&frame(&header, &body))?;
            }
        }
        Ok(())
    }
}
