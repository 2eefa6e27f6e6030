//! Records of the message trace: what producers and consumers tell of each message, as text in the bodies of messages
//! to a topic of the brokers' own. Dashboards and `trace` commands read them.
//!
//! Laws:
//! - What is written reads back the same, so a text that holds one of the two separators is refused. A text that may be
//!   missing is missing where it says nothing or `null`, as Java's and Go's writers have it.
//! - A record that cannot be read costs no other one; it is handed out as it came.
//! - Reading copies nothing: the texts of a record share the body they were cut from.
//! - What later writers append to a record is passed over, as Java does.
//!
//! Sources: Java `TraceDataEncoder`, `TraceBean`, `TraceContext`, `TraceType`, `MessageType`, `ConsumeReturnType`;
//! wire.md §11.

use alloc::string::String;
use core::iter;

use super::decimal::Decimal;
use super::rpc::transaction::Verdict;
use super::text::Text;
use crate::time::UnixMillis;

/// The topic that records go to, unless another one is configured.
pub const TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";

const FIELD_END: char = '\u{1}';
const RECORD_END: char = '\u{2}';

/// What a message was, by the number that Java's enum gives it. Later numbers stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKind(pub i32);

impl MessageKind {
    /// A plain message.
    pub const NORMAL: Self = Self(0);
    /// A half message of a transaction.
    pub const HALF: Self = Self(1);
    /// A half message that is decided.
    pub const COMMIT: Self = Self(2);
    /// One that is delivered later.
    pub const DELAY: Self = Self(3);
    /// One of an order; since 5.0.
    pub const ORDER: Self = Self(4);
}

/// How a handler's call ended, by the number that Java's enum gives it. Later numbers stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumeCode(pub i32);

impl ConsumeCode {
    /// Well.
    pub const SUCCESS: Self = Self(0);
    /// Too late.
    pub const TIME_OUT: Self = Self(1);
    /// By a failure that the handler did not catch.
    pub const EXCEPTION: Self = Self(2);
    /// Without an answer.
    pub const RETURNED_NULL: Self = Self(3);
    /// With the wish to get the message again.
    pub const FAILED: Self = Self(4);
}

/// One record. Names of groups and topics are without their namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A producer sent a message (`Pub`).
    Sent {
        /// When the send began.
        time: UnixMillis,
        /// The broker's region.
        region: Text,
        /// The producer's group.
        group: Text,
        /// The message's topic.
        topic: Text,
        /// The message's id, made by its producer.
        message: Text,
        /// Its tag.
        tags: Option<Text>,
        /// Its keys, separated by blanks.
        keys: Option<Text>,
        /// The broker's address.
        store_host: Text,
        /// The length of its body before it was compressed.
        body_bytes: i32,
        /// How long the send took, in milliseconds.
        cost_ms: i32,
        /// What kind of message it is.
        kind: MessageKind,
        /// The broker's id of it; nothing where it was not stored.
        offset_id: Option<Text>,
        /// Whether it was stored.
        success: bool,
        /// The producer's address; Go's client says it, Java's does not.
        client_host: Option<Text>,
    },
    /// A message was handed to a consumer's handler (`SubBefore`).
    Consuming {
        /// When.
        time: UnixMillis,
        /// The broker's region.
        region: Text,
        /// The consumer's group.
        group: Text,
        /// What the record of the end of this call has too.
        request: Text,
        /// The message's id.
        message: Text,
        /// How often it was handed out in vain.
        retries: i32,
        /// Its keys, separated by blanks.
        keys: Option<Text>,
        /// The consumer's address; Go's client says it, Java's does not.
        client_host: Option<Text>,
    },
    /// The handler was done with it (`SubAfter`).
    Consumed {
        /// What the record of the beginning of this call has too.
        request: Text,
        /// The message's id.
        message: Text,
        /// How long the call took, in milliseconds, shared out over its messages.
        cost_ms: i32,
        /// Whether it was consumed.
        success: bool,
        /// Its keys, separated by blanks.
        keys: Option<Text>,
        /// How the call ended; old writers do not say it, which reads as [`ConsumeCode::SUCCESS`].
        code: ConsumeCode,
        /// When; old writers and those of one cloud do not say it.
        time: Option<UnixMillis>,
        /// The consumer's group; only said where the time is.
        group: Option<Text>,
    },
    /// A producer decided about a transaction (`EndTransaction`).
    Decided {
        /// When.
        time: UnixMillis,
        /// The broker's region.
        region: Text,
        /// The producer's group.
        group: Text,
        /// The message's topic.
        topic: Text,
        /// The message's id.
        message: Text,
        /// Its tag.
        tags: Option<Text>,
        /// Its keys, separated by blanks.
        keys: Option<Text>,
        /// The broker's address.
        store_host: Text,
        /// What kind of message it is.
        kind: MessageKind,
        /// The transaction's id.
        transaction: Text,
        /// What was decided.
        verdict: Verdict,
        /// Whether the broker had asked.
        checked: bool,
    },
    /// A producer called a timed message back (`Recall`); since 5.3.2.
    Recalled {
        /// When.
        time: UnixMillis,
        /// The broker's region.
        region: Text,
        /// The producer's group.
        group: Text,
        /// The message's topic.
        topic: Text,
        /// The message's id.
        message: Text,
        /// Whether it was called back.
        success: bool,
    },
}

/// A text of a record holds a character that separates fields or records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the trace must not hold the characters 1 and 2")]
pub struct Separator;

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the trace is damaged: {why}")]
pub struct BadRecord {
    /// What is wrong with it.
    pub why: &'static str,
    /// The record as it came, without its end mark.
    pub text: Text,
}

/// The records of one body, in their order.
pub fn records(body: &Text) -> impl Iterator<Item = Result<Record, BadRecord>> {
    let lines = body.split(RECORD_END).filter(|line| !line.is_empty());
    lines.map(|line| Fields::record(body, line).map_err(|why| BadRecord { why, text: part(body, line) }))
}

impl Record {
    /// Writes the record with its end mark.
    ///
    /// # Errors
    /// [`Separator`], with nothing written.
    pub fn put(&self, out: &mut String) -> Result<(), Separator> {
        let start = out.len();
        let mut line = Line { out, broken: false };
        self.fields(&mut line);
        if line.broken {
            out.truncate(start);
            return Err(Separator);
        }
        out.push(RECORD_END);
        Ok(())
    }

    /// What the record is found by: the message's id and each of its keys. A message of records has those of all.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (message, keys) = match self {
            Self::Sent { message, keys, .. }
            | Self::Consuming { message, keys, .. }
            | Self::Consumed { message, keys, .. }
            | Self::Decided { message, keys, .. } => (message, keys.as_ref()),
            Self::Recalled { message, .. } => (message, None),
        };
        let keys = keys.into_iter().flat_map(|keys| keys.split(' '));
        iter::once(message.as_str()).chain(keys).filter(|key| !key.is_empty())
    }

    fn fields(&self, line: &mut Line<'_>) {
        match self {
            Self::Sent {
                time,
                region,
                group,
                topic,
                message,
                tags,
                keys,
                store_host,
                body_bytes,
                cost_ms,
                kind,
                offset_id,
                success,
                client_host,
            } => {
                line.name("Pub").number(time.0).text(region).text(group).text(topic).text(message);
                line.or_null(tags).or_null(keys).text(store_host);
                line.number(*body_bytes).number(*cost_ms).number(kind.0);
                line.text(offset_id.as_deref().unwrap_or_default()).flag(*success);
                if let Some(host) = client_host {
                    line.text(host);
                }
            }
            Self::Consuming { time, region, group, request, message, retries, keys, client_host } => {
                line.name("SubBefore").number(time.0).text(region).text(group).text(request).text(message);
                line.number(*retries).or_null(keys);
                if let Some(host) = client_host {
                    line.text(host);
                }
            }
            Self::Consumed { request, message, cost_ms, success, keys, code, time, group } => {
                line.name("SubAfter").text(request).text(message).number(*cost_ms).flag(*success);
                line.or_null(keys).number(code.0);
                match (time, group) {
                    (Some(time), Some(group)) => line.number(time.0).text(group),
                    (Some(time), None) => line.number(time.0),
                    // Java ends it so where it says neither.
                    (None, _) => line.text(""),
                };
            }
            Self::Decided {
                time,
                region,
                group,
                topic,
                message,
                tags,
                keys,
                store_host,
                kind,
                transaction,
                verdict,
                checked,
            } => {
                line.name("EndTransaction").number(time.0).text(region).text(group).text(topic).text(message);
                line.or_null(tags).or_null(keys).text(store_host).number(kind.0);
                line.text(transaction).text(verdict.name()).flag(*checked);
            }
            Self::Recalled { time, region, group, topic, message, success } => {
                line.name("Recall").number(time.0).text(region).text(group).text(topic).text(message);
                line.flag(*success);
            }
        }
    }
}

/// A record being written.
struct Line<'a> {
    out: &'a mut String,
    broken: bool,
}

impl Line<'_> {
    fn name(&mut self, name: &str) -> &mut Self {
        self.out.push_str(name);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.broken |= text.contains([FIELD_END, RECORD_END]);
        self.out.push(FIELD_END);
        self.out.push_str(text);
        self
    }

    fn or_null(&mut self, text: &Option<Text>) -> &mut Self {
        self.text(text.as_deref().unwrap_or("null"))
    }

    fn number(&mut self, number: impl Into<i64>) -> &mut Self {
        self.text(Decimal::new(number.into()).write(&mut [0; Decimal::BYTES]))
    }

    fn flag(&mut self, flag: bool) -> &mut Self {
        self.text(if flag { "true" } else { "false" })
    }
}

/// A record being read: the fields that are left.
struct Fields<'a> {
    body: &'a Text,
    rest: core::str::Split<'a, char>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Fields<'a> {
    fn record(body: &'a Text, line: &'a str) -> Read<Record> {
        let count = line.split(FIELD_END).count();
        let mut fields = Self { body, rest: line.split(FIELD_END) };
        match fields.next()? {
            "Pub" => fields.sent(count),
            "SubBefore" => fields.consuming(),
            "SubAfter" => fields.consumed(),
            "EndTransaction" => fields.decided(),
            "Recall" => fields.recalled(),
            _ => Err("its type is not known"),
        }
    }

    fn sent(mut self, count: usize) -> Read<Record> {
        Ok(Record::Sent {
            time: self.time()?,
            region: self.text()?,
            group: self.text()?,
            topic: self.text()?,
            message: self.text()?,
            tags: self.optional(),
            keys: self.optional(),
            store_host: self.text()?,
            body_bytes: self.number()?,
            cost_ms: self.number()?,
            kind: MessageKind(self.number()?),
            // The first writers had none: thirteen fields are one that is whole.
            offset_id: if count > 13 { self.optional() } else { None },
            success: self.flag()?,
            client_host: self.optional(),
        })
    }

    fn consuming(mut self) -> Read<Record> {
        Ok(Record::Consuming {
            time: self.time()?,
            region: self.text()?,
            group: self.text()?,
            request: self.text()?,
            message: self.text()?,
            retries: self.number()?,
            keys: self.optional(),
            client_host: self.optional(),
        })
    }

    fn consumed(mut self) -> Read<Record> {
        let (request, message) = (self.text()?, self.text()?);
        let (cost_ms, success, keys) = (self.number()?, self.flag()?, self.optional());
        let code = match self.said() {
            Some(code) => ConsumeCode(parse(code)?),
            None => ConsumeCode::SUCCESS,
        };
        let time = self.said().map(parse).transpose()?.map(UnixMillis);
        let group = self.optional().filter(|_| time.is_some());
        Ok(Record::Consumed { request, message, cost_ms, success, keys, code, time, group })
    }

    fn decided(mut self) -> Read<Record> {
        Ok(Record::Decided {
            time: self.time()?,
            region: self.text()?,
            group: self.text()?,
            topic: self.text()?,
            message: self.text()?,
            tags: self.optional(),
            keys: self.optional(),
            store_host: self.text()?,
            kind: MessageKind(self.number()?),
            transaction: self.text()?,
            verdict: {
                let name = self.next()?;
                let known = Verdict::ALL.into_iter().find(|verdict| verdict.name() == name);
                known.ok_or("its verdict is not known")?
            },
            checked: self.flag()?,
        })
    }

    fn recalled(mut self) -> Read<Record> {
        Ok(Record::Recalled {
            time: self.time()?,
            region: self.text()?,
            group: self.text()?,
            topic: self.text()?,
            message: self.text()?,
            success: self.flag()?,
        })
    }

    fn next(&mut self) -> Read<&'a str> {
        self.rest.next().ok_or("a field is missing")
    }

    fn text(&mut self) -> Read<Text> {
        Ok(part(self.body, self.next()?))
    }

    /// The next field, unless there is none or it is empty.
    fn said(&mut self) -> Option<&'a str> {
        self.rest.next().filter(|field| !field.is_empty())
    }

    /// The next field as a text that may be missing.
    fn optional(&mut self) -> Option<Text> {
        Some(part(self.body, self.said().filter(|field| *field != "null")?))
    }

    fn time(&mut self) -> Read<UnixMillis> {
        Ok(UnixMillis(parse(self.next()?)?))
    }

    fn number(&mut self) -> Read<i32> {
        parse(self.next()?)
    }

    fn flag(&mut self) -> Read<bool> {
        parse(self.next()?)
    }
}

fn parse<T: core::str::FromStr>(field: &str) -> Read<T> {
    field.parse().map_err(|_| "a field is not of its type")
}

/// A piece of the body that shares its bytes.
fn part(body: &Text, piece: &str) -> Text {
    Text::known(body.as_bytes().slice_ref(piece.as_bytes()))
}

#[cfg(test)]
mod tests;
