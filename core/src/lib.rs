//! The Apache RocketMQ client as one pure state machine: what a client of the remoting protocol does, without sockets,
//! clocks, threads or randomness of its own. It is `no_std`: what has no standard library cannot do any of these.
//!
//! # How to read it
//!
//! [`Client`] is the composition of small machines. What happens goes in by [`Client::handle`], what is to be done
//! comes out by [`Client::poll`], and commands ([`Client::connect`], [`ProducerMut::send`], …) are methods. Inside,
//!
//! * `link` owns the requests of one connection until the wire takes them, and matches replies to them;
//! * `peers` owns the addresses and the life of the connections: dial, back-off, loss, farewell;
//! * `router` asks name servers and is the one writer of routes, which `directory` holds for everybody to read;
//! * `producer` carries each send from admission to exactly one outcome;
//! * `consumer` reads the queues it is given, and commits what was read;
//! * `client` carries what one of them needs of another, answers what brokers ask, and closes.
//!
//! A part is handed a `Cx` (now, randomness, timers, connections, names, outputs) and pushes into it; only the client
//! is polled, so the cost of a step depends on what happened and not on what exists. [`wire`] is the protocol's format,
//! pure functions over bytes, which run at the edge: on the connection's task or the caller's, outside any lock.
//!
//! # The contract of a driver
//!
//! 1. Call [`Client::poll`] until it returns [`Output::Wait`], and do what it says, after every input and command.
//! 2. [`Output::Dial`] is answered by [`Input::Connected`] and later, or instead, by exactly one [`Input::Lost`].
//! 3. [`Output::Ready`] says that [`Client::take`] has something for a connection; encode it and write it in order.
//!    From then on these requests count as possibly executed, unless `Lost` says that no byte of them was written.
//! 4. Call [`Client::handle`] with [`Input::Time`] when the instant of `Wait` has passed. `now` never goes backwards.
//! 5. Every [`Ticket`](ids::Ticket) handed in comes back in exactly one [`Output::Done`].
//!
//! ```
//! use std::collections::VecDeque;
//! use fusee_core::ids::{Address, ClientId, ConnId, Ticket};
//! use fusee_core::wire::{Frame, Framer};
//! use fusee_core::{Client, Config, Input, Instant, Lost, Outcome, Output, Outgoing, UnixMillis, What, error::LostWhy};
//! use bytes::BytesMut;
//!
//! // A driver has sockets and a clock. This one has a name server in its pocket that knows no topic.
//! let mut now = Instant::ZERO;
//! let config = Config::new(vec![Address::new("ns:9876")?], ClientId::new("me")?);
//! let mut client = Client::new(config, 7, now, UnixMillis(1_700_000_000_000));
//! client.connect(now, Ticket(1));
//!
//! let mut inputs: VecDeque<Input> = VecDeque::new();
//! let outcome = loop {
//!     let mut done = None;
//!     let deadline = loop {
//!         match client.poll() {
//!             Output::Wait(at) => break at,
//!             Output::Dial(conn, _address) => inputs.push_back(Input::Connected(conn)),
//!             Output::Hangup(conn) => {
//!                 inputs.push_back(Input::Lost(conn, Lost { why: LostWhy::Closed, started: 0 }));
//!             }
//!             Output::Ready(conn) => {
//!                 let mut taken = VecDeque::new();
//!                 client.take(conn, 64 * 1024, &mut taken);
//!                 for Outgoing { opaque, dialect, what } in taken {
//!                     let mut bytes = BytesMut::new(); // what a socket would carry
//!                     if let What::Call(request) = what {
//!                         request.encode(dialect, opaque, false, &mut bytes)?;
//!                     }
//!                     inputs.push_back(Input::Received(conn, no_route(opaque)));
//!                 }
//!             }
//!             Output::Done(Ticket(1), outcome) => done = Some(outcome),
//!             Output::Done(..) | Output::Deliver(_) | Output::Note(_) => {}
//!         }
//!     };
//!     if let Some(outcome) = done {
//!         break outcome;
//!     }
//!     let input = inputs.pop_front().unwrap_or_else(|| {
//!         now = deadline; // nothing came until then
//!         Input::Time
//!     });
//!     client.handle(now, input);
//! };
//! assert_eq!(outcome, Outcome::Connected(Ok(())));
//!
//! /// "No such topic" is an answer that only a name server gives.
//! fn no_route(opaque: i32) -> Frame {
//!     let header = format!(r#"{{"code":17,"flag":1,"language":"JAVA","opaque":{opaque},"version":401}}"#);
//!     let mut framer = Framer::new(1024);
//!     let length = 4 + header.len() as u32;
//!     framer.spare(1024).extend_from_slice(&length.to_be_bytes());
//!     framer.spare(1024).extend_from_slice(&(header.len() as u32).to_be_bytes());
//!     framer.spare(1024).extend_from_slice(header.as_bytes());
//!     framer.next_frame().expect("well formed").expect("whole")
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! * A send ends in one of three ways: stored, with the broker's receipt; not stored, provably; unknown, when a byte
//!   of an attempt reached the wire and its fate was not learned ([`error::Stored`]).
//! * An offset is known or it is not: a query that failed never becomes a number, and only known offsets are committed.
//! * Nothing that a peer sends makes it panic or allocate more than [`limits`] allow; nothing is dropped to save
//!   memory: what cannot be admitted comes back.
//! * Two clients with equal seeds and equal inputs give equal outputs.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod assign;
mod client;
mod config;
mod connection;
mod consumer;
mod cx;
mod directory;
pub mod error;
mod event;
mod handles;
pub mod ids;
pub mod limits;
mod link;
mod note;
mod peers;
mod producer;
pub mod rng;
mod router;
mod slab;
#[cfg(test)]
mod tests;
pub mod time;
mod timers;
pub mod wire;

pub use client::{Client, ConsumerMut, ProducerMut};
pub use config::{Config, ConnectionConfig, Position, PullConfig, SendConfig, StartFrom};
pub use connection::{ConnState, Connection, Lost};
pub use consumer::Pulled;
pub use event::{Input, Outcome, Output, Report};
pub use link::{Outgoing, What};
pub use note::{Note, Unexpected};
pub use producer::{Choice, Prepared, Receipt};
pub use time::{Instant, UnixMillis};
