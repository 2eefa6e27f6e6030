//! Recorded conversations of the Java client with real servers, read frame by frame.
//!
//! Laws: every frame of every conversation is decoded; every request is recognised and, written again by this client,
//! says the same; every reply is read by the type of its request; every body is decoded by its type. What this client
//! has no type for is counted by name. `FUSEE_CAPTURES` names another directory of the same form.

#[path = "../golden/value.rs"]
mod value;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use fusee_core::wire::message::messages;
use fusee_core::wire::rpc::pop::{PopMessage, PopOffsets};
use fusee_core::wire::{
    Dialect, Fields, Frame, Framer, Header, Kind, Pushed, Request, RequestCode, ResponseCode, Rpc, RpcError,
    SendMessage, batch,
};
use fusee_engine::codec::{Codecs, crc_holds};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use value::unhex;

const LIMIT: usize = 16 * 1024 * 1024;

fn directory() -> PathBuf {
    std::env::var_os("FUSEE_CAPTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"), PathBuf::from)
}

/// The recordings in a directory and in those below it.
fn recordings(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            recordings(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            found.push(path);
        }
    }
}

fn main() -> ExitCode {
    let directory = directory();
    let mut found = Vec::new();
    recordings(&directory, &mut found);
    found.sort();
    assert!(!found.is_empty(), "there are recordings in {}", directory.display());
    let trials = found.into_iter().map(|path| {
        let name = path.strip_prefix(&directory).unwrap_or(&path).with_extension("");
        Trial::test(format!("captures::{}", name.display()), move || run(&path))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// What one conversation held.
#[derive(Default)]
struct Conversation {
    /// Requests that wait for their reply, by connection, asking side and opaque.
    open: HashMap<(String, String, i32), i32>,
    tally: BTreeMap<String, usize>,
    not_covered: BTreeMap<String, usize>,
    codecs: Codecs,
}

fn run(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let mut conversation = Conversation::default();
    let mut failures = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = serde_json::from_str::<Value>(line)?;
        if line["event"].is_string() {
            continue;
        }
        if let Err(error) = conversation.frame(&line) {
            failures.push(format!("line {}: {error}", at + 1));
        }
    }
    let name = path.iter().rev().take(2).collect::<Vec<_>>();
    let counted = |counts: &BTreeMap<String, usize>| {
        counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    };
    println!(
        "{}/{}: {}{}{}",
        name[1].to_string_lossy(),
        name[0].to_string_lossy(),
        counted(&conversation.tally),
        if conversation.not_covered.is_empty() { "" } else { "; NOT COVERED: " },
        counted(&conversation.not_covered),
    );
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

impl Conversation {
    fn count(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    fn miss(&mut self, what: impl Into<String>) {
        *self.not_covered.entry(what.into()).or_default() += 1;
    }

    fn frame(&mut self, line: &Value) -> Result<(), String> {
        let bytes = unhex(line["hex"].as_str().ok_or("no hex")?)?;
        let mut framer = Framer::default();
        framer.spare(bytes.len()).extend_from_slice(&bytes);
        let frame = framer.next_frame().map_err(|error| error.to_string())?.ok_or("half a frame")?;
        same_header(&frame, line)?;
        again(&frame)?;
        let (conn, dir) = (line["conn"].to_string(), line["dir"].as_str().unwrap_or_default().to_owned());
        let asked = if dir == "c2s" { "s2c" } else { "c2s" };
        match frame.header.kind {
            Kind::Response => match self.open.remove(&(conn, asked.to_owned(), frame.header.opaque)) {
                Some(code) => self.reply(code, &frame, dir == "c2s"),
                None => {
                    self.miss("replies to requests that were not recorded");
                    Ok(())
                }
            },
            Kind::Request | Kind::Oneway => {
                if frame.header.kind == Kind::Request {
                    self.open.insert((conn, dir.clone(), frame.header.opaque), frame.header.code);
                }
                if dir == "c2s" { self.request(&frame) } else { self.pushed(&frame) }
            }
        }
    }

    fn request(&mut self, frame: &Frame) -> Result<(), String> {
        let code = RequestCode(frame.header.code);
        if code.name().is_none() {
            return Err(format!("a request of the unknown code {}", code.0));
        }
        let request = Request::read(&with_broker(frame)).map_err(|error| format!("{code}: {error}"))?;
        if let Request::Raw(_) = request {
            self.miss(format!("requests {code}"));
        } else {
            written_again(&request, frame).map_err(|error| format!("{code}: {error}"))?;
            self.count("requests");
        }
        match code {
            RequestCode::SEND_BATCH_MESSAGE => {
                for entry in batch::entries(frame.body.clone()) {
                    entry.map_err(|error| error.to_string())?;
                    self.count("batch entries sent");
                }
            }
            RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_REPLY_MESSAGE_V2 => {
                let sent = SendMessage::read(&with_broker(frame)).map_err(|error| error.to_string())?;
                if let Some(kind) = fusee_core::wire::message::Compression::of(sent.sys_flag)
                    .map_err(|bits| bits.to_string())?
                {
                    self.codecs.inflate(kind, &sent.body, LIMIT).map_err(|error| error.to_string())?;
                    self.count("compressed bodies sent");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn pushed(&mut self, frame: &Frame) -> Result<(), String> {
        match Pushed::read(frame).map_err(|error| error.to_string())? {
            Pushed::Unknown(code) => Err(format!("the broker's request {code} is not known")),
            Pushed::CheckTransaction(_) | Pushed::ConsumeDirectly(_) => {
                self.count("requests of brokers");
                self.messages(&frame.body)
            }
            Pushed::MembersChanged(_)
            | Pushed::ResetOffset(_)
            | Pushed::ConsumerStatus(_)
            | Pushed::RunningInfo(_)
            | Pushed::Reply(_) => {
                self.count("requests of brokers");
                Ok(())
            }
        }
    }

    fn reply(&mut self, code: i32, frame: &Frame, ours: bool) -> Result<(), String> {
        let code = RequestCode(code);
        if ResponseCode(frame.header.code).name().is_none() {
            return Err(format!("a reply of the unknown code {}", frame.header.code));
        }
        if ours {
            // What a Java client answered to its broker: this client writes such answers and never reads them.
            if !frame.body.is_empty() {
                meaning(&frame.body)?;
            }
            self.count("answers of the client");
            return Ok(());
        }
        let Some(read) = Request::check_reply(code.0, frame) else {
            self.miss(format!("replies to {code}"));
            return Ok(());
        };
        match read {
            Ok(()) => self.count("replies"),
            Err(RpcError::Refused { code, .. }) if code.0 == frame.header.code && code.0 != 0 => {
                self.count("refusals")
            }
            Err(error) => return Err(format!("the reply to {code}: {error}")),
        }
        if code == RequestCode::POP_MESSAGE && frame.header.code == 0 {
            let popped = PopMessage::reply(frame).map_err(|error| error.to_string())?;
            for offsets in [&popped.start_offsets, &popped.message_offsets].into_iter().flatten() {
                PopOffsets::parse(offsets).map_err(|error| error.to_string())?;
            }
        }
        let holds_messages = matches!(
            code,
            RequestCode::PULL_MESSAGE
                | RequestCode::LITE_PULL_MESSAGE
                | RequestCode::POP_MESSAGE
                | RequestCode::QUERY_MESSAGE
                | RequestCode::VIEW_MESSAGE_BY_ID
        );
        if holds_messages && frame.header.code == 0 {
            self.messages(&frame.body)?;
        } else if frame.body.first() == Some(&b'{') {
            meaning(&frame.body)?;
        }
        Ok(())
    }

    fn messages(&mut self, body: &Bytes) -> Result<(), String> {
        let mut again = BytesMut::new();
        for message in messages(body.clone()) {
            let message = message.map_err(|error| error.to_string())?;
            // What a broker hands to a transaction check has no checksum.
            if message.crc != 0 && !crc_holds(&message) {
                return Err("a body that is not what its checksum says".to_owned());
            }
            if let Some(kind) = message.compression().map_err(|bits| format!("compression {bits}"))? {
                self.codecs.inflate(kind, &message.body, LIMIT).map_err(|error| error.to_string())?;
                self.count("compressed messages");
            }
            message.encode(&mut again);
            self.count("messages");
        }
        same_body(&again.freeze(), body)
    }
}

/// A request written by this client says what Java's frame says.
fn written_again(request: &Request, frame: &Frame) -> Result<(), String> {
    let mut out = BytesMut::new();
    request.encode(Dialect::Json, 1, false, &mut out).map_err(|error| error.to_string())?;
    let mut framer = Framer::default();
    framer.spare(out.len()).extend_from_slice(&out);
    let ours = framer.next_frame().map_err(|error| error.to_string())?.ok_or("half a frame")?;
    if ours.header.code != frame.header.code {
        return Err(format!("written as {}", ours.header.code));
    }
    for (key, java) in frame.header.fields.iter() {
        match ours.header.fields.get(key) {
            Some(ours) if ours == java => {}
            Some(ours) => return Err(format!("{key}: ours {ours:?}, Java's {java:?}")),
            None if java.is_empty() || NOT_OURS.contains(&key) => {}
            None => return Err(format!("{key} = {java:?} is lost")),
        }
    }
    let json = frame.body.first() == Some(&b'{');
    if json {
        within(&meaning(&ours.body)?, &meaning(&frame.body)?)
    } else {
        same_body(&ours.body, &frame.body)
    }
}

/// Fields that the Java client sends and this one does not.
const NOT_OURS: [&str; 7] = ["ReqT", "lo", "ns", "nsd", "oway", "force", "committed"];

/// The frame with a broker's name, which this client always sends and Java sends from 5.0 on.
fn with_broker(frame: &Frame) -> Frame {
    let key = if matches!(frame.header.code, 310 | 320 | 325) { "n" } else { "bname" };
    let mut pairs = frame.header.fields.iter().collect::<Vec<_>>();
    if frame.header.fields.get(key).is_none() {
        pairs.push((key, "broker-a"));
    }
    Frame {
        header: Header { fields: Fields::from_pairs(pairs), ..frame.header.clone() },
        body: frame.body.clone(),
    }
}

/// The header as the recording's own decoder has it.
fn same_header(frame: &Frame, line: &Value) -> Result<(), String> {
    let (ours, theirs) = (&frame.header, &line["header"]);
    let int = |name: &str| theirs[name].as_i64();
    let ours_ints = [("code", ours.code), ("opaque", ours.opaque), ("version", ours.version)];
    for (name, ours) in ours_ints {
        if int(name) != Some(i64::from(ours)) {
            return Err(format!("{name}: ours {ours}, recorded {:?}", int(name)));
        }
    }
    if ours.language.name() != theirs["language"].as_str()
        || ours.remark.as_deref() != theirs["remark"].as_str()
    {
        return Err("another language or remark than recorded".to_owned());
    }
    let mut pairs = value::pairs(&theirs["extFields"]);
    // The recording abbreviates very long values and says so.
    for (key, value) in &mut pairs {
        if value.ends_with("characters, see hex)") {
            value.clear();
            value.push_str(ours.fields.get(key).filter(|ours| ours.len() > 1_000).unwrap_or_default());
        }
    }
    let theirs = Fields::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    if ours.fields != theirs {
        return Err(format!("fields: ours {:?}, recorded {theirs:?}", ours.fields));
    }
    if line["body_len"].as_u64() != u64::try_from(frame.body.len()).ok() {
        return Err("a body of another length than recorded".to_owned());
    }
    Ok(())
}

/// Encoding what was decoded means the same, in both encodings.
fn again(frame: &Frame) -> Result<(), String> {
    for dialect in [Dialect::Json, Dialect::Binary] {
        let mut out = BytesMut::new();
        frame.header.encode(dialect, frame.body.len(), &mut out).map_err(|error| error.to_string())?;
        out.extend_from_slice(&frame.body);
        let mut framer = Framer::default();
        framer.spare(out.len()).extend_from_slice(&out);
        let ours = framer.next_frame().map_err(|error| error.to_string())?.ok_or("half a frame")?;
        if ours != *frame {
            return Err(format!("{dialect:?}: {ours:?} for {frame:?}"));
        }
    }
    Ok(())
}

fn same_body(ours: &Bytes, recorded: &Bytes) -> Result<(), String> {
    if ours == recorded { Ok(()) } else { Err(format!("another body: {ours:?} for {recorded:?}")) }
}

/// A body's meaning: dialects made standard, lists in order.
fn meaning(text: &[u8]) -> Result<Value, String> {
    let standard = fusee_core::wire::body::standard(text, 1 << 20).map_err(|error| error.to_string())?;
    let mut value = serde_json::from_slice(&standard).map_err(|error| error.to_string())?;
    sort(&mut value);
    Ok(value)
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(ToString::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every member of ours is Java's; what only Java has is for newer servers' settings, which this client leaves alone.
fn within(ours: &Value, java: &Value) -> Result<(), String> {
    match (ours, java) {
        (Value::Object(ours), Value::Object(java)) => {
            ours.iter().try_for_each(|(key, value)| match java.get(key) {
                Some(java) => within(value, java).map_err(|error| format!("{key}.{error}")),
                None if matches!(value, Value::Bool(false) | Value::Number(_)) => Ok(()),
                None => Err(format!("{key} is not Java's")),
            })
        }
        (Value::Array(ours), Value::Array(java)) if ours.len() == java.len() => {
            ours.iter().zip(java).try_for_each(|(ours, java)| within(ours, java))
        }
        (ours, java) if ours == java => Ok(()),
        (ours, java) => Err(format!("ours {ours}, Java's {java}")),
    }
}
