//! The client: a handle on one machine and its connections, from which everything else is made.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fusee_core::error::RouteError as NoRoute;
use fusee_core::ids::Queue;
use fusee_core::{Outcome, Report};
use fusee_engine::{Dead, Engine, Handle};

use crate::builder::ClientBuilder;
use crate::connection::Connection;
use crate::error::{CloseError, RouteError};
use crate::lite_pull::LitePullBuilder;
use crate::message::IntoTopic;
use crate::pending::{Pending, Steps};
use crate::producer::ProducerBuilder;
use crate::remoting::RemotingRequest;

/// A client of a RocketMQ cluster: its name servers, routes and connections.
///
/// Cheap to clone and shared freely between threads and tasks; all clones are one client. One is enough for a program
/// in most cases; more clients are the way to use more cores and to be several members of one group.
///
/// When the last handle (clone, producer or consumer) is dropped the client closes without waiting, and what was
/// pending ends in an error. [`close`](Client::close) waits for it.
#[derive(Clone)]
pub struct Client {
    handle: Handle,
    id: Arc<str>,
}

impl Client {
    /// A client with other than the default settings, on any of the runtimes.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn new(handle: Handle, id: Arc<str>) -> Self {
        Self { handle, id }
    }

    /// A producer of this group: [`start`](ProducerBuilder::start) it, then send.
    ///
    /// A client has at most one producer of a group; clone it to share it.
    pub fn producer(&self, group: impl AsRef<str>) -> ProducerBuilder {
        ProducerBuilder::new(self.handle.clone(), group.as_ref())
    }

    /// A consumer of this group that reads the queues it is given, when it is polled: see
    /// [`LitePull`](crate::LitePull).
    pub fn lite_pull(&self, group: impl AsRef<str>) -> LitePullBuilder {
        LitePullBuilder::new(self.handle.clone(), group.as_ref())
    }

    /// The readable queues of a topic, as the name servers know them now.
    ///
    /// # Errors
    /// [`RouteError`] when the topic's name is illegal, when nobody knows the topic, or when no name server answers in
    /// time (3 s).
    pub fn queues(&self, topic: impl IntoTopic) -> Pending<Vec<Queue>, RouteError> {
        match topic.into_topic() {
            Ok(topic) => {
                let asking = self.handle.operate(|client, now, ticket| client.queues(now, &topic, ticket));
                Pending::running(asking, queues)
            }
            Err(illegal) => Pending::ready(Err(illegal.into())),
        }
    }

    /// A request by its code, to any name server or broker: for what has no method of its own. It travels on this
    /// client's own connection to that address.
    ///
    /// ```no_run
    /// # async fn example(client: fusee::Client) -> fusee::Result<()> {
    /// let reply = client.request("127.0.0.1:10911", 28).send().await?; // GET_BROKER_RUNTIME_INFO
    /// println!("{} {}", reply.code(), String::from_utf8_lossy(reply.body()));
    /// # Ok(()) }
    /// ```
    pub fn request(&self, to: impl AsRef<str>, code: i32) -> RemotingRequest {
        RemotingRequest::new(self.handle.clone(), to.as_ref(), code)
    }

    /// Every connection of the client as it is now: to whom, in which state and since when, what is in flight, what it
    /// carried, how often it came up, and why it ended last. Empty once the client is dead. To hear of changes as they
    /// come, see [`ClientBuilder::watch`].
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        let Ok((now, seen)) = self.handle.connections() else { return Vec::new() };
        seen.into_iter().map(|(state, carried)| Connection::new(state, carried, now)).collect()
    }

    /// Closes the client: refuses new work, waits up to 10 s for the sends under way, commits what consumers with
    /// automatic commits have read (again, if a connection breaks meanwhile), leaves all groups and hangs up. The
    /// [`Report`] says what of that could not be done.
    ///
    /// Starts on the call. Dropping the `Pending` loses the report; if it was the last that held the client, what is
    /// still under way ends at once. Closing again, or on another clone, waits for the same end.
    ///
    /// # Errors
    /// [`CloseError::RuntimeGone`] when the runtime ended before.
    pub fn close(&self) -> Pending<Report, CloseError> {
        let closing = self.handle.operate(|client, now, ticket| client.close(now, ticket));
        // The client stays open until the report is there, even if this was its last handle.
        Pending::steps(Closing { handle: self.handle.clone(), closing })
    }

    /// What brokers know this client by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

fn queues(end: Result<Outcome, Dead>) -> Result<Vec<Queue>, RouteError> {
    match end {
        Ok(Outcome::Queues(result)) => result.map_err(RouteError::Failed),
        // The machine answers with nothing else.
        Ok(_) | Err(_) => Err(NoRoute::Closed.into()),
    }
}

struct Closing {
    handle: Handle,
    closing: fusee_engine::Operation,
}

impl Steps<Report, CloseError> for Closing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Report, CloseError>> {
        Pin::new(&mut self.closing).poll(cx).map(|end| match end {
            Ok(Outcome::Closed(report)) => Ok(report),
            // The machine answers with nothing else.
            Ok(_) | Err(_) => Err(CloseError::RuntimeGone),
        })
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        Some(&self.handle)
    }
}
