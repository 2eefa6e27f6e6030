//! A client for [Apache RocketMQ](https://rocketmq.apache.org), brokers 4.9 and 5.x, over the remoting protocol.
//!
//! # Sending
//!
//! On tokio (feature `tokio`, on by default):
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use fusee::{Message, Result};
//!
//! # async fn example() -> Result<()> {
//! let client = fusee::connect("127.0.0.1:9876").await?;
//! let producer = client.producer("orders-api").start().await?;
//! let receipt = producer.send(Message::new("orders", "hello").tag("paid").key("o-1")).await?;
//! println!("{receipt}"); // msgId=… broker-a/3@1042
//! client.close().await?;
//! # Ok(()) }
//! ```
//!
//! On threads, without any async runtime in the program (feature `blocking`):
//!
#![cfg_attr(feature = "blocking", doc = "```no_run")]
#![cfg_attr(not(feature = "blocking"), doc = "```ignore")]
//! use fusee::{Message, Result};
//!
//! fn main() -> Result<()> {
//!     let client = fusee::blocking::connect("127.0.0.1:9876").wait()?;
//!     let producer = client.producer("orders-cron").start().wait()?; // share clones across threads
//!     let sends: Vec<_> = (0..1000)
//!         .map(|n| producer.send(Message::new("orders", format!("#{n}")))) // started, in this order
//!         .collect();
//!     for send in sends {
//!         send.wait()?;
//!     }
//!     client.close().wait()?;
//!     Ok(())
//! }
//! ```
//!
//! Both are the same client: what takes time returns a [`Pending`], which is awaited or waited for. A library can take
//! a `&Producer` and never ask what it runs on.
//!
//! # Reading
//!
//! ```no_run
//! # async fn example(client: fusee::Client) -> fusee::Result<()> {
//! use std::time::Duration;
//! use fusee::StartFrom;
//!
//! let queues = client.queues("orders").await?;
//! let mut pull = client.lite_pull("audit").assign(queues).from(StartFrom::First).start().await?;
//! while let Some(batch) = pull.poll_until_end(Duration::from_secs(5)).await? {
//!     for message in batch {
//!         println!("{} {}", message.id(), message.text()?);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # When something fails
//!
//! A send ends in one of three ways: stored (a [`Receipt`]), provably not stored, or unknown, because a byte of an
//! attempt reached the network and its fate was not learned. Every error says which ([`SendError::stored`]), whether
//! trying again makes sense ([`SendError::retry`]), and what to look at ([`SendError::hint`]).
//!
//! ```no_run
//! # async fn example(producer: fusee::Producer) {
//! use fusee::{Message, Retry, Stored};
//!
//! match producer.send(Message::new("orders", "x")).await {
//!     Ok(receipt) => println!("{receipt}"),
//!     Err(error) if error.stored() == Stored::Unknown => eprintln!("sending again may store it twice: {error}"),
//!     Err(error) => match error.retry() { // the built-in retries are already spent
//!         Retry::After(pause) => eprintln!("{error}; again in {pause:?}"),
//!         Retry::Never => eprintln!("{error}\n{}", error.hint().unwrap_or_default()),
//!         _ => {}
//!     },
//! }
//! # }
//! ```
//!
//! # Settings
//!
//! [`ClientBuilder`] has a method for each option, which tells its default, its range and the reason. [`Preset`] sets
//! those that go together by name, [`ClientBuilder::from_env`] reads all of them from the environment, and
//! [`ClientBuilder::origin`] says who set one.
//!
//! ```no_run
//! # async fn example() -> fusee::Result<()> {
//! use fusee::{ClientBuilder, Setting};
//!
//! let builder = ClientBuilder::from_env()?.preset("production".parse()?).connections_per_broker(2);
//! println!("send_deadline: {}", builder.origin(Setting::SendDeadline)); // preset production
//! let client = builder.acl("access key", "secret key").connect().await?;
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - Every operation ends, in bounded time, also when brokers die, a name server disappears, the client is closed, or
//!   the runtime under it is dropped.
//! - What is said to be stored was acknowledged by a broker; what is said not to be stored never will be.
//! - Reading is at least once: with automatic commits, a message counts as read when the next poll begins.
//! - Memory is bounded: unfinished sends and messages pulled ahead have limits in number and bytes.
//!
//! # What is not
//!
//! - No message is exactly once. An unknown outcome that is sent again may be stored twice, and consumers may see a
//!   message again; make handling idempotent by [`Received::id`] or a key of your own.
//! - "Stored" is as durable as the broker is set up: by default brokers flush to disk and replicate after answering.
//! - Messages under way at the same time may be stored in another order than they were sent.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `tokio` | yes | `connect` |
//! | `blocking` | no | `blocking::connect`; with default features off no async runtime is built |
//! | `smol` | no | `smol::connect` |
//! | `async-std` | no | `async_std::connect`; async-std is not maintained any more, this is for programs that are on it |
//! | `async-io` | no | any executor: [`ClientBuilder::into_driver`] |
//! | `rustls-ring` | no | `ClientBuilder::tls`, with the cryptography of ring |
//! | `rustls-aws-lc-rs` | no | the same with aws-lc-rs |
//! | `tls` | no | the same with whatever provider the program installs for rustls 0.23 |

mod builder;
mod client;
mod connect;
mod connection;
mod environment;
pub mod error;
mod group;
mod id;
pub mod limits;
mod lite_pull;
mod message;
mod pending;
mod preset;
mod producer;
mod received;
mod remoting;
mod runtime;
mod setting;
#[cfg(feature = "tls")]
mod tls;

pub use builder::ClientBuilder;
pub use client::Client;
pub use connection::Connection;
pub use environment::Origin;
pub use error::{
    CloseError, CommitError, ConfigError, ConnectError, Error, NotText, OpenError, PollError, RequestError,
    ResponseCode, Result, Retry, RouteError, SeekError, SendError, StartError, Stored, TrySendError,
    Undecodable, WouldBlock,
};
pub use fusee_core::ids::{Address, BrokerName, Group, Queue, Topic};
pub use fusee_core::wire::ids::{Host, OffsetId};
pub use fusee_core::wire::{Durability, MessageId, Text};
pub use fusee_core::{ConnState, Note, Receipt, Report, Unexpected};
pub use fusee_engine::{Credential, Credentials};
#[cfg(feature = "tls")]
pub use fusee_engine::{Tls, TlsBuilder, TlsError};
pub use lite_pull::{LitePull, LitePullBuilder, Polling, Position, StartFrom};
pub use message::{Body, DelayLevel, IllegalMessage, IntoTopic, Message};
pub use pending::Pending;
pub use preset::Preset;
pub use producer::{Producer, ProducerBuilder};
pub use received::Received;
pub use remoting::{RemotingReply, RemotingRequest};
pub use runtime::{Driver, Runtime};
pub use setting::Setting;
#[cfg(feature = "tls")]
pub use tls::IntoTls;

/// The runtimes, for `ClientBuilder::runtime`: `rt::Tokio`, `rt::Blocking` and so on.
pub mod rt {
    pub use crate::runtime::Runtime::*;
}

/// Connects to a cluster through these name servers, on the tokio runtime of whoever looks at it first.
///
/// `name_servers` is `host:port`, or several separated by semicolons. Done as soon as one of them has answered. For
/// other settings see [`Client::builder`]; for the name servers of the environment, [`ClientBuilder::from_env`].
///
/// # Errors
/// [`ConnectError::NoRuntime`] when it is first polled outside of a tokio runtime; [`ConnectError::Failed`], with what
/// each name server said, when none answered within 5 s; [`ConnectError::Config`] for a malformed address.
///
/// ```no_run
/// #[tokio::main]
/// async fn main() -> fusee::Result<()> {
///     let client = fusee::connect("ns-1:9876;ns-2:9876").await?;
///     println!("{:?}", client.queues("orders").await?);
///     client.close().await?;
///     Ok(())
/// }
/// ```
#[cfg(feature = "tokio")]
pub fn connect(name_servers: impl AsRef<str>) -> Pending<Client, ConnectError> {
    Client::builder().name_servers([name_servers]).runtime(Runtime::Tokio).connect()
}

/// Clients on threads of their own: nothing async is beneath them.
#[cfg(feature = "blocking")]
pub mod blocking {
    use crate::error::ConnectError;
    use crate::{Client, Pending, Runtime};

    /// Connects to a cluster through these name servers, on threads of the client's own: two for each connection and
    /// one for the clock. Otherwise as the other runtimes; the result may be awaited as well as waited for.
    ///
    /// # Errors
    /// [`ConnectError::Failed`], with what each name server said, when none answered within 5 s;
    /// [`ConnectError::Config`] for a malformed address.
    ///
    /// ```no_run
    /// fn main() -> fusee::Result<()> {
    ///     let client = fusee::blocking::connect("127.0.0.1:9876").wait()?;
    ///     println!("{:?}", client.queues("orders").wait()?);
    ///     client.close().wait()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn connect(name_servers: impl AsRef<str>) -> Pending<Client, ConnectError> {
        Client::builder().name_servers([name_servers]).runtime(Runtime::Blocking).connect()
    }
}

/// Clients on smol's executor.
#[cfg(feature = "smol")]
pub mod smol {
    use crate::error::ConnectError;
    use crate::{Client, Pending, Runtime};

    /// Connects to a cluster through these name servers, on smol's global executor, which starts by itself; the result
    /// may be awaited anywhere.
    ///
    /// # Errors
    /// [`ConnectError::Failed`], with what each name server said, when none answered within 5 s;
    /// [`ConnectError::Config`] for a malformed address.
    pub fn connect(name_servers: impl AsRef<str>) -> Pending<Client, ConnectError> {
        Client::builder().name_servers([name_servers]).runtime(Runtime::Smol).connect()
    }
}

/// Clients on async-std's executor. async-std is not maintained any more: for programs that are on it already.
#[cfg(feature = "async-std")]
pub mod async_std {
    use crate::error::ConnectError;
    use crate::{Client, Pending, Runtime};

    /// Connects to a cluster through these name servers, on async-std's global executor, which starts by itself; the
    /// result may be awaited anywhere.
    ///
    /// # Errors
    /// [`ConnectError::Failed`], with what each name server said, when none answered within 5 s;
    /// [`ConnectError::Config`] for a malformed address.
    pub fn connect(name_servers: impl AsRef<str>) -> Pending<Client, ConnectError> {
        Client::builder().name_servers([name_servers]).runtime(Runtime::AsyncStd).connect()
    }
}

// The programs in the README compile.
#[cfg(all(doctest, feature = "blocking", feature = "smol", feature = "tokio"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
