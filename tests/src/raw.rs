//! A second, independent speaker of the remoting protocol: one blocking connection, JSON headers by `serde_json`.
//!
//! It prepares brokers (topics, settings) and reads what they stored. It shares nothing with the client under test, so
//! that a fault in the client's codec cannot hide in the check of its results. Whatever is odd is an error here: an
//! oracle must not be tolerant.

mod ask;
mod json;
mod packet;
mod scan;
mod sign;
mod tls;

pub use json::quote_integer_keys;
pub use packet::Packet;
pub use scan::{Master, Stored, decode_messages};
pub use sign::Keys;
pub use tls::accept_any;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

/// Requests the test bench sends (Java: `RequestCode`).
pub mod code {
    /// Pull messages of one queue.
    pub const PULL: i32 = 11;
    /// The offset a group has committed.
    pub const QUERY_OFFSET: i32 = 14;
    /// Commit an offset of a group.
    pub const UPDATE_OFFSET: i32 = 15;
    /// Make a topic, or change it.
    pub const CREATE_TOPIC: i32 = 17;
    /// Change the configuration of a running broker.
    pub const UPDATE_BROKER_CONFIG: i32 = 25;
    /// The configuration a broker really uses.
    pub const BROKER_CONFIG: i32 = 26;
    /// How a broker is.
    pub const BROKER_RUNTIME: i32 = 28;
    /// The next offset of a queue.
    pub const MAX_OFFSET: i32 = 30;
    /// The first offset of a queue.
    pub const MIN_OFFSET: i32 = 31;
    /// Where the queues of a topic are.
    pub const ROUTE: i32 = 105;
    /// The brokers a name server knows.
    pub const CLUSTER_INFO: i32 = 106;
    /// Delete a topic on a broker.
    pub const DELETE_TOPIC: i32 = 215;
    /// Make an account (5.x).
    pub const CREATE_USER: i32 = 3001;
    /// Change an account (5.x).
    pub const UPDATE_USER: i32 = 3002;
    /// An account, if it is there (5.x).
    pub const GET_USER: i32 = 3004;
    /// Give an account rights (5.x).
    pub const CREATE_ACL: i32 = 3006;
    /// Make a consumer group, or change it.
    pub const CREATE_GROUP: i32 = 200;
    /// Send one message, short field names.
    pub const SEND_V2: i32 = 310;
}

/// What came back for one request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Response code; 0 is success.
    pub code: i32,
    /// Text of the peer.
    pub remark: Option<String>,
    /// The reply's `extFields`.
    pub fields: BTreeMap<String, String>,
    /// The reply's body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Itself when the code is 0, an error that names `what` otherwise.
    pub fn success(self, what: &str) -> io::Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        Err(odd(format!("{what}: code {} {}", self.code, self.remark.unwrap_or_default())))
    }

    /// A field that must be there and be a number.
    pub fn number(&self, key: &str) -> io::Result<i64> {
        let text = self.fields.get(key).ok_or_else(|| odd(format!("reply without {key}")))?;
        text.parse().map_err(|_| odd(format!("{key} is no number: {text}")))
    }
}

/// How requests are made: signed or not.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Signs every request.
    pub keys: Option<Keys>,
    /// Speaks TLS.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Caller {
    /// Connects; `patience` bounds the connect, and later every read and write.
    pub fn open(&self, address: &str, patience: Duration) -> io::Result<Connection> {
        let mut last = odd(format!("{address} is no address"));
        for target in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&target, patience) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(patience))?;
                    stream.set_write_timeout(Some(patience))?;
                    let stream: Box<dyn Stream> = match &self.tls {
                        None => Box::new(stream),
                        Some(config) => Box::new(tls::secure(stream, target.ip(), config)?),
                    };
                    return Ok(Connection { stream, opaque: 0, keys: self.keys.clone() });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// One request on a connection of its own.
    pub fn call(&self, address: &str, code: i32, fields: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        self.open(address, Duration::from_secs(10))?.call(code, fields, body)
    }

    /// Stores one message.
    pub fn send(
        &self,
        broker: &str,
        topic: &str,
        queue: i32,
        properties: &str,
        body: &[u8],
    ) -> io::Result<Reply> {
        self.open(broker, Duration::from_secs(10))?.send(topic, queue, properties, body)?.success("send")
    }
}

trait Stream: Read + Write + Send + std::fmt::Debug {}

impl<T: Read + Write + Send + std::fmt::Debug> Stream for T {}

/// One connection, one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Stream>,
    opaque: i32,
    keys: Option<Keys>,
}

impl Connection {
    /// Connects, to make requests that are not signed.
    pub fn open(address: &str, patience: Duration) -> io::Result<Self> {
        Caller::default().open(address, patience)
    }

    /// Asks a broker to store one message.
    pub fn send(&mut self, topic: &str, queue: i32, properties: &str, body: &[u8]) -> io::Result<Reply> {
        self.call(code::SEND_V2, &send_fields(topic, &queue.to_string(), properties), body)
    }

    /// Sends one request and waits for its reply; requests of the broker that arrive in between are ignored.
    pub fn call(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        self.opaque += 1;
        let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut fields: BTreeMap<String, String> = fields.collect();
        if let Some(keys) = &self.keys {
            keys.sign(&mut fields, body);
        }
        let ext = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.stream.write_all(&request(code, self.opaque, 0, &ext, body))?;
        loop {
            let (header, body) = read_frame(&mut self.stream)?;
            let answers = header["flag"].as_i64().is_some_and(|flag| flag & 1 == 1);
            if answers && header["opaque"].as_i64() == Some(i64::from(self.opaque)) {
                return reply(&header, body);
            }
        }
    }
}

/// The fields of a [`code::SEND_V2`] request for one message.
pub fn send_fields<'a>(topic: &'a str, queue: &'a str, properties: &'a str) -> [(&'a str, &'a str); 12] {
    [
        ("a", "bench"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", queue),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", properties),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ]
}

/// A whole request frame with a JSON header. `flag` 2 makes it one-way.
pub fn request(code: i32, opaque: i32, flag: i32, ext: &BTreeMap<&str, &str>, body: &[u8]) -> Vec<u8> {
    frame(
        &json!({
            "code": code, "language": "OTHER", "version": 479, "opaque": opaque, "flag": flag, "extFields": ext,
            "serializeTypeCurrentRPC": "JSON",
        }),
        body,
    )
}

/// A whole frame around a JSON header.
pub fn frame(header: &Value, body: &[u8]) -> Vec<u8> {
    let header = header.to_string().into_bytes();
    let length = u32::try_from(4 + header.len() + body.len()).expect("a test frame is small");
    let mut out = Vec::with_capacity(4 + length as usize);
    out.extend(length.to_be_bytes());
    out.extend((header.len() as u32).to_be_bytes());
    out.extend(header);
    out.extend(body);
    out
}

/// Reads one frame with a JSON header.
pub fn read_frame(from: &mut impl Read) -> io::Result<(Value, Vec<u8>)> {
    let mut word = [0; 4];
    from.read_exact(&mut word)?;
    let length = u32::from_be_bytes(word) as usize;
    if !(4..=64 << 20).contains(&length) {
        return Err(odd(format!("a frame of {length} bytes")));
    }
    let mut data = vec![0; length];
    from.read_exact(&mut data)?;
    let mark = u32::from_be_bytes([data[0], data[1], data[2], data[3]]) as usize;
    if mark >> 24 != 0 || mark > length - 4 {
        return Err(odd(format!("header mark {mark:#x} in a frame of {length} bytes")));
    }
    let body = data.split_off(4 + mark);
    let header = serde_json::from_slice(&data[4..]).map_err(|error| odd(error.to_string()))?;
    Ok((header, body))
}

fn reply(header: &Value, body: Vec<u8>) -> io::Result<Reply> {
    let code = header["code"].as_i64().and_then(|code| i32::try_from(code).ok());
    let fields = header["extFields"].as_object().into_iter().flatten();
    Ok(Reply {
        code: code.ok_or_else(|| odd("a reply without code".to_owned()))?,
        remark: header["remark"].as_str().map(str::to_owned),
        fields: fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        body,
    })
}

fn odd(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
