//! A message on its way out: what the application gives, checked and encoded on the application's own thread.
//!
//! Laws: what a broker would refuse, lose or misread is refused here, before anything is sent (Java: `Validators`,
//! `Message`, `MessageConst`); building is infallible, the first thing found wrong is kept and reported by the send; a
//! message that is refused comes back whole.

use std::{fmt, mem};

use bytes::Bytes;
use fusee_core::Prepared;
use fusee_core::error::NameError;
use fusee_core::ids::Topic;
use fusee_core::wire::Text;
use fusee_core::wire::properties::names::UNIQ_KEY;
use fusee_core::wire::topic::is_not_for_sending;

use crate::id;
use crate::limits;

mod body;
mod delay;
mod illegal;

pub use body::Body;
pub use delay::DelayLevel;
pub use illegal::IllegalMessage;

pub(crate) const SEPARATOR: char = '\u{1}';
pub(crate) const END: char = '\u{2}';

/// A message to send: a topic and a body, and what else the application wants to say.
///
/// Building one never fails. What is wrong with it (an illegal topic, a reserved property, a body past 4 MiB) is
/// reported by the send, as [`IllegalMessage`]; nothing has left the process then.
///
/// ```
/// use fusee::Message;
///
/// let message = Message::new("orders", "hello").tag("paid").key("o-1").property("region", "eu");
/// assert_eq!(message.topic(), Some("orders"));
/// assert_eq!(message.tag_text(), Some("paid"));
/// assert_eq!(message.keys().collect::<Vec<_>>(), ["o-1"]);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a message does nothing until it is sent"]
pub struct Message {
    topic: Option<Topic>,
    body: Bytes,
    /// Everything set so far in wire form: name 0x01 value 0x02, each name once.
    properties: String,
    flag: i32,
    wait_for_store: bool,
    fault: Option<Box<IllegalMessage>>,
}

impl Message {
    /// A message for `topic`. Text and slices that are borrowed are copied; `Bytes`, `Vec<u8>` and `String` are not.
    ///
    /// A [`Topic`] that is used again and again saves the check and the copy of its name.
    pub fn new(topic: impl IntoTopic, body: impl Into<Body>) -> Self {
        let (topic, fault) = match topic.into_topic() {
            Ok(topic) => (Some(topic), None),
            Err(illegal) => (None, Some(Box::new(illegal))),
        };
        Self {
            topic,
            body: body.into().into_bytes(),
            properties: String::new(),
            flag: 0,
            wait_for_store: true,
            fault,
        }
    }

    /// The tag, by which consumers filter. One a message; setting it again replaces it.
    pub fn tag(self, tag: impl AsRef<str>) -> Self {
        self.set("TAGS", tag.as_ref())
    }

    /// Adds a key under which the broker indexes the message, so that it can be found later. A key never chooses the
    /// queue. A key with a space in it is refused, for it would be read as two.
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        let key = key.as_ref();
        if key.contains(' ') {
            self.refuse(IllegalMessage::KeyWithSpace(key.into()));
            return self;
        }
        match self.property_text("KEYS").map(|keys| format!("{keys} {key}")) {
            Some(keys) if !key.is_empty() => self.set("KEYS", &keys),
            _ => self.set("KEYS", key),
        }
    }

    /// Sets a property of the application's own; setting it again replaces it.
    ///
    /// Refused are names that RocketMQ uses itself, blank names and values (readers drop those) and the two
    /// characters U+0001 and U+0002, which nothing escapes.
    pub fn property(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        if illegal::is_reserved_property(name) {
            self.refuse(IllegalMessage::ReservedProperty(name.into()));
            return self;
        }
        self.set(name, value.as_ref())
    }

    /// Delivers the message later, after one of the broker's fixed delays.
    pub fn delay_level(self, level: DelayLevel) -> Self {
        self.set("DELAY", &level.number().to_string())
    }

    /// Whether the broker answers only when its flush and replication settings are met. On by default; off trades
    /// that for latency.
    pub fn wait_for_store(mut self, wait: bool) -> Self {
        self.wait_for_store = wait;
        self
    }

    /// The buyer's id, a property that some deployments route or account by.
    pub fn buyer_id(self, id: impl AsRef<str>) -> Self {
        self.set("BUYER_ID", id.as_ref())
    }

    /// The instance (namespace) the message belongs to.
    pub fn instance_id(self, id: impl AsRef<str>) -> Self {
        self.set("INSTANCE_ID", id.as_ref())
    }

    /// A number of the application's own that travels with the message; 0 by default.
    pub const fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// The topic's name; `None` if what was given cannot be one.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_ref().map(Topic::as_str)
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The tag.
    #[must_use]
    pub fn tag_text(&self) -> Option<&str> {
        self.property_text("TAGS")
    }

    /// The keys, in the order they were added.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.property_text("KEYS").into_iter().flat_map(|keys| keys.split(' '))
    }

    /// A property by its name.
    #[must_use]
    pub fn property_text(&self, name: &str) -> Option<&str> {
        self.properties().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// All properties set so far, the tag and the keys among them, in no particular order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.split_terminator(END).filter_map(|pair| pair.split_once(SEPARATOR))
    }

    /// The bytes that count towards the limits: the encoded properties and the body.
    #[must_use]
    pub fn encoded_size(&self) -> usize {
        self.properties_size() + self.body.len()
    }

    /// Checks everything that can be checked without a broker; a send does the same.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), IllegalMessage> {
        if let Some(fault) = &self.fault {
            return Err((**fault).clone());
        }
        if let Some(topic) = &self.topic
            && is_not_for_sending(topic.as_str())
        {
            return Err(IllegalMessage::ReservedTopic(topic.clone()));
        }
        if self.body.is_empty() {
            return Err(IllegalMessage::EmptyBody);
        }
        if self.body.len() > limits::BODY_BYTES {
            return Err(IllegalMessage::LongBody { bytes: self.body.len() });
        }
        let bytes = self.properties_size();
        if bytes > limits::PROPERTIES_BYTES {
            return Err(IllegalMessage::LongProperties { bytes });
        }
        Ok(())
    }

    /// Checks the message and encodes it, under a new id.
    pub(crate) fn into_prepared(mut self) -> Result<Prepared, IllegalMessage> {
        self.check()?;
        let body = mem::take(&mut self.body);
        self.encode(body)
    }

    /// As [`into_prepared`](Message::into_prepared), for a message that may be given back; the body is shared.
    pub(crate) fn prepared(&self) -> Result<Prepared, IllegalMessage> {
        self.check()?;
        self.encode(self.body.clone())
    }

    fn encode(&self, body: Bytes) -> Result<Prepared, IllegalMessage> {
        // A message without a topic has a fault and was refused by `check`.
        let topic = self.topic.clone().ok_or(IllegalMessage::EmptyBody)?;
        let (id, born) = id::next();
        let mut properties = String::with_capacity(self.properties_size());
        push_pair(&mut properties, UNIQ_KEY, id.hex().as_str());
        push_pair(&mut properties, "WAIT", if self.wait_for_store { "true" } else { "false" });
        properties.push_str(&self.properties);
        debug_assert_eq!(properties.len(), self.properties_size());
        let properties = Text::from(properties);
        // The id is the first value, so it is shared too.
        let start = UNIQ_KEY.len() + 1;
        let id = Text::from_utf8_lossy(properties.as_bytes().slice(start..start + id::CHARS));
        Ok(Prepared { topic, id, properties, body, sys_flag: 0, flag: self.flag, born })
    }

    fn properties_size(&self) -> usize {
        let wait = if self.wait_for_store { "WAIT\u{1}true\u{2}".len() } else { "WAIT\u{1}false\u{2}".len() };
        UNIQ_KEY.len() + id::CHARS + 2 + wait + self.properties.len()
    }

    fn refuse(&mut self, illegal: IllegalMessage) {
        self.fault.get_or_insert_with(|| Box::new(illegal));
    }

    /// Sets any property, also a reserved one.
    fn set(mut self, name: &str, value: &str) -> Self {
        if let Err(illegal) = illegal::check_pair(name, value) {
            self.refuse(illegal);
            return self;
        }
        self.remove(name);
        push_pair(&mut self.properties, name, value);
        self
    }

    fn remove(&mut self, name: &str) {
        let mut start = 0;
        let found = self.properties.split_inclusive(END).find_map(|pair| {
            let range = start..start + pair.len();
            start = range.end;
            pair.strip_prefix(name).is_some_and(|rest| rest.starts_with(SEPARATOR)).then_some(range)
        });
        if let Some(range) = found {
            self.properties.replace_range(range, "");
        }
    }
}

fn push_pair(properties: &mut String, name: &str, value: &str) {
    properties.push_str(name);
    properties.push(SEPARATOR);
    properties.push_str(value);
    properties.push(END);
}

impl fmt::Debug for Message {
    /// The body is left out, only its size is shown: messages end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Message");
        debug.field("topic", &self.topic()).field("body_bytes", &self.body.len());
        for (name, value) in self.properties() {
            debug.field(name, &value);
        }
        if let Some(fault) = &self.fault {
            debug.field("fault", fault);
        }
        debug.finish()
    }
}

/// What can name a topic: text, which is checked, or a [`Topic`], which was.
pub trait IntoTopic: sealed::Sealed {
    #[doc(hidden)]
    fn into_topic(self) -> Result<Topic, IllegalMessage>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for fusee_core::ids::Topic {}
    impl Sealed for &fusee_core::ids::Topic {}
}

impl IntoTopic for &str {
    fn into_topic(self) -> Result<Topic, IllegalMessage> {
        Topic::new(self).map_err(|why: NameError| IllegalMessage::Topic { name: illegal::excerpt(self), why })
    }
}

impl IntoTopic for String {
    fn into_topic(self) -> Result<Topic, IllegalMessage> {
        self.as_str().into_topic()
    }
}

impl IntoTopic for &String {
    fn into_topic(self) -> Result<Topic, IllegalMessage> {
        self.as_str().into_topic()
    }
}

impl IntoTopic for Topic {
    fn into_topic(self) -> Result<Topic, IllegalMessage> {
        Ok(self)
    }
}

impl IntoTopic for &Topic {
    fn into_topic(self) -> Result<Topic, IllegalMessage> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests;
