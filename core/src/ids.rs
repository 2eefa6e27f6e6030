//! Names and numbers that identify things. Names are validated when they are made and cheap to clone; numbers are
//! handed out by one owner and never reused while anything may still refer to them.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use thiserror::Error;

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    )*};
}

number! {
    /// A peer this client talks to, that is an interned address.
    PeerId(u32);
    /// One connection attempt and the connection it became; never reused.
    ConnId(u64);
    /// Chosen by whoever starts an operation; handed back in the one event that ends it.
    Ticket(u64);
    /// A producer of this client.
    ProducerId(u32);
    /// A consumer of this client.
    ConsumerId(u32);
    /// An interned topic name of this client.
    TopicId(u32);
    /// An interned broker name of this client.
    BrokerId(u32);
}

/// A queue of a topic, by this client's interned names: small enough to be a key everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId {
    /// The topic.
    pub topic: TopicId,
    /// The broker that holds the queue.
    pub broker: BrokerId,
    /// The queue's number on that broker.
    pub queue: i32,
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

name! {
    /// The name of a topic: 1 to 127 characters (255 with the prefix of a retry or dead-letter topic) of
    /// `[%|a-zA-Z0-9_-]`.
    Topic;
    /// The name of a producer or consumer group: 1 to 120 characters of `[%|a-zA-Z0-9_-]`.
    Group;
    /// The name of a broker, as name servers give it.
    BrokerName;
    /// `host:port`, unresolved: resolving names belongs to the adapter.
    Address;
    /// What brokers know this client by.
    ClientId;
}

/// Why a text cannot be the name of a topic, a group, a broker, or an address. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A character that brokers refuse.
    #[error("the character {0:?} is not allowed")]
    Character(char),
    /// More characters than brokers take.
    #[error("it has {chars} characters, {max} are allowed")]
    Long {
        /// Characters given.
        chars: usize,
        /// Characters allowed.
        max: usize,
    },
    /// An address without a host, or with a host that is none.
    #[error("the host is missing or malformed (expected host:port)")]
    Host,
    /// An address without a port from 1 to 65535.
    #[error("the port is missing or not a number from 1 to 65535 (expected host:port)")]
    Port,
    /// A name that the brokers use themselves.
    #[error("it belongs to the brokers")]
    Reserved,
}

/// The longest topic name, in characters (Java: `TopicValidator`).
pub const TOPIC_CHARS_MAX: usize = 127;
/// The longest name of a retry or dead-letter topic (Java: `TopicValidator`).
pub const RETRY_TOPIC_CHARS_MAX: usize = 255;
/// The longest group name, in characters (Java: `Validators`).
pub const GROUP_CHARS_MAX: usize = 120;
/// What the name of a retry topic begins with (Java: `MixAll`).
pub const RETRY_PREFIX: &str = "%RETRY%";
/// What the name of a dead-letter topic begins with (Java: `MixAll`).
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// The longest broker name, address or client id that is taken from anybody, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

fn check_chars(name: &str, max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(bad) =
        name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '_' | '-')))
    {
        return Err(NameError::Character(bad));
    }
    if name.len() > max { Err(NameError::Long { chars: name.len(), max }) } else { Ok(()) }
}

fn check_text(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    // Nearly every text is printing ASCII, which is quicker to see than that it holds no control character.
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && let Some(bad) = text.chars().find(|c| c.is_control())
    {
        return Err(NameError::Character(bad));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(NameError::Long { chars: text.len(), max: TEXT_BYTES_MAX });
    }
    Ok(())
}

impl Topic {
    /// Checks and makes a topic name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or holds a character brokers refuse.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let derived = name.starts_with(RETRY_PREFIX) || name.starts_with(DEAD_LETTER_PREFIX);
        check_chars(name, if derived { RETRY_TOPIC_CHARS_MAX } else { TOPIC_CHARS_MAX })?;
        Ok(Self(name.into()))
    }

    /// The topic of a cluster to which answers to requests are sent (Java: `MixAll#getReplyTopic`).
    ///
    /// # Errors
    /// [`NameError`] when the cluster's name cannot be part of a topic's.
    pub fn of_replies(cluster: &str) -> Result<Self, NameError> {
        Self::new(&format!("{cluster}_REPLY_TOPIC"))
    }
}

impl Group {
    /// Checks and makes a group name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or holds a character brokers refuse.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_chars(name, GROUP_CHARS_MAX)?;
        Ok(Self(name.into()))
    }

    /// The topic from which the group gets again what it asked to get again (Java: `MixAll#getRetryTopic`).
    #[must_use]
    pub fn retry_topic(&self) -> Topic {
        Topic(format!("{RETRY_PREFIX}{self}").into())
    }

    /// The topic where the group finds what it did not manage to consume (Java: `MixAll#getDLQTopic`).
    #[must_use]
    pub fn dead_letter_topic(&self) -> Topic {
        Topic(format!("{DEAD_LETTER_PREFIX}{self}").into())
    }
}

impl BrokerName {
    /// Takes a broker's name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, longer than 1 KiB, or holds a control character.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_text(name)?;
        Ok(Self(name.into()))
    }
}

impl ClientId {
    /// Takes a client id.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, longer than 1 KiB, or holds a control character.
    pub fn new(id: &str) -> Result<Self, NameError> {
        check_text(id)?;
        Ok(Self(id.into()))
    }

    /// Makes an id of where the client runs, what tells it apart there, and the unit it belongs to, if any (Java:
    /// `ClientConfig#buildMQClientId`).
    ///
    /// # Errors
    /// As [`ClientId::new`].
    pub fn compose(host: &str, instance: &str, unit: Option<&str>) -> Result<Self, NameError> {
        match unit.filter(|unit| !unit.trim().is_empty()) {
            Some(unit) => Self::new(&format!("{host}@{instance}@{unit}")),
            None => Self::new(&format!("{host}@{instance}")),
        }
    }
}

impl Address {
    /// Checks and makes an address: a host name, IPv4 address or IPv6 address in brackets, a colon, a port.
    ///
    /// # Errors
    /// [`NameError`] when the host is missing or the port is not a number from 1 to 65535.
    pub fn new(address: &str) -> Result<Self, NameError> {
        check_text(address)?;
        let (host, port) = address.rsplit_once(':').ok_or(NameError::Port)?;
        if host.is_empty() {
            return Err(NameError::Host);
        }
        let plain =
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !plain && (host.contains(char::is_whitespace) || host.contains(['/', '@'])) {
            return Err(NameError::Host);
        }
        if !plain && host.contains([':', '[', ']']) {
            let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
            let ip = inner.map(|inner| inner.split_once('%').map_or(inner, |(ip, _zone)| ip));
            if ip.is_none_or(|ip| Ipv6Addr::from_str(ip).is_err()) {
                return Err(NameError::Host);
            }
        }
        if !port.bytes().all(|b| b.is_ascii_digit()) || u16::from_str(port).map_or(true, |port| port == 0) {
            return Err(NameError::Port);
        }
        Ok(Self(address.into()))
    }

    /// The part before the port; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(&*self.0, |(host, _)| host);
        host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
    }

    /// Where the same broker takes everything but reads, two ports below (Java: `MixAll#brokerVIPChannel`); none where
    /// there is no such port.
    #[must_use]
    pub fn vip(&self) -> Option<Self> {
        let (host, _) = self.0.rsplit_once(':')?;
        let port = self.port().checked_sub(2).filter(|port| *port > 0)?;
        Some(Self(format!("{host}:{port}").into()))
    }
}

/// A queue by its names: what users see and what receipts and positions refer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    /// The topic.
    pub topic: Topic,
    /// The broker that holds the queue.
    pub broker: BrokerName,
    /// The queue's number on that broker.
    pub queue: i32,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.topic, self.broker, self.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_groups_take_what_brokers_take() {
        assert!(Topic::new("orders-1_%|").is_ok());
        assert_eq!(Topic::new(""), Err(NameError::Empty));
        assert_eq!(Topic::new("a b"), Err(NameError::Character(' ')));
        assert_eq!(Topic::new(&"x".repeat(128)), Err(NameError::Long { chars: 128, max: 127 }));
        assert!(Topic::new(&alloc::format!("%RETRY%{}", "x".repeat(200))).is_ok());
        assert_eq!(Group::new(&"g".repeat(121)), Err(NameError::Long { chars: 121, max: 120 }));
    }

    #[test]
    fn names_made_of_names_are_names() {
        let group = Group::new(&"g".repeat(120)).expect("a group");
        for topic in [group.retry_topic(), group.dead_letter_topic()] {
            assert_eq!(Topic::new(topic.as_str()), Ok(topic));
        }
        let group = Group::new("orders").expect("a group");
        assert_eq!(group.retry_topic().as_str(), "%RETRY%orders");
        assert_eq!(group.dead_letter_topic().as_str(), "%DLQ%orders");
        assert_eq!(Topic::of_replies("c").as_ref().map(Topic::as_str), Ok("c_REPLY_TOPIC"));
        assert_eq!(Topic::of_replies("c d"), Err(NameError::Character(' ')));
        for (unit, id) in [(None, "10.0.0.1@7#a"), (Some(" "), "10.0.0.1@7#a"), (Some("u"), "10.0.0.1@7#a@u")]
        {
            assert_eq!(ClientId::compose("10.0.0.1", "7#a", unit), ClientId::new(id));
        }
    }

    #[test]
    fn a_second_port_is_two_below_where_there_is_one() {
        let vip = |address| Address::new(address).expect(address).vip();
        for (address, below) in [("b:10911", "b:10909"), ("[::1]:3", "[::1]:1"), ("b:65535", "b:65533")] {
            assert_eq!(vip(address), Address::new(below).ok());
        }
        assert_eq!((vip("b:2"), vip("b:1")), (None, None));
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        let six = Address::new("[::1]:9876").expect("a bracketed IPv6 address");
        assert_eq!((six.host(), six.port()), ("::1", 9876));
        assert_eq!(Address::new("[fe80::1%eth0]:1").expect("with its zone").host(), "fe80::1%eth0");
        let name = Address::new("ns.example:1").expect("a host name");
        assert_eq!((name.host(), name.port()), ("ns.example", 1));
        for (bad, why) in [
            ("", NameError::Empty),
            ("host", NameError::Port),
            ("host:", NameError::Port),
            ("host:0", NameError::Port),
            ("host:65536", NameError::Port),
            ("host:+1", NameError::Port),
            (":9876", NameError::Host),
            ("::1:9876", NameError::Host),
            ("[]:1", NameError::Host),
            ("[name]:1", NameError::Host),
            ("[::1:1", NameError::Host),
            ("a[::1]:1", NameError::Host),
            ("http://a:1", NameError::Host),
        ] {
            assert_eq!(Address::new(bad), Err(why), "{bad}");
        }
    }
}
