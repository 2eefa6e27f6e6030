//! How a client is set up: by the program, by the environment, or not at all.
//!
//! Laws: the environment is read only by [`ClientBuilder::from_env`]; nothing is opened or started before the
//! connecting is looked at; every option has a default that suits production, a range, and a reason. What is out of
//! range or makes no sense is reported by the connecting.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fusee_core::ids::{Address, ClientId};
use fusee_core::limits::client as limits;
use fusee_core::{Config, ConnectionConfig, SendConfig};
use fusee_engine::{Credential, Credentials, Settings};

use crate::client::Client;
use crate::connect::Connecting;
use crate::environment::{self, Origin};
use crate::error::{ConfigError, ConnectError};
use crate::id;
use crate::pending::Pending;
use crate::runtime::{Driver, Runtime};

/// The settings of a client that is about to connect.
///
/// ```no_run
/// # async fn example() -> fusee::Result<()> {
/// use std::time::Duration;
///
/// let client = fusee::Client::builder()
///     .name_servers(["ns-1:9876", "ns-2:9876"])
///     .send_deadline(Duration::from_secs(10)) // brokers flush synchronously here
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct ClientBuilder {
    name_servers: Result<Vec<Address>, ConfigError>,
    origin: Origin,
    client_id: Option<String>,
    send: SendConfig,
    connect_deadline: Duration,
    close_deadline: Duration,
    heartbeat: Duration,
    route_refresh: Duration,
    connections: ConnectionConfig,
    settings: Settings,
    runtime: Runtime,
    /// Found while the settings were made, to be reported by the connecting.
    fault: Option<ConfigError>,
}

impl ClientBuilder {
    /// The defaults, and the name server 127.0.0.1:9876.
    pub fn new() -> Self {
        let (name_servers, origin) = split(environment::name_servers(|_| None));
        Self::with(name_servers, origin)
    }

    /// The defaults, and the name servers of the environment: the first of `FUSEE_NAMESRV`, `NAMESRV_ADDR`,
    /// `ROCKETMQ_NAMESRV_ADDR` and `PYROCKETMQ_NAMESRV_ADDR` that is set, otherwise 127.0.0.1:9876. Each takes
    /// `host:port`, or several separated by semicolons or commas.
    ///
    /// # Errors
    /// [`ConfigError`] when that variable holds something that is no address.
    pub fn from_env() -> Result<Self, ConfigError> {
        let (name_servers, origin) = environment::name_servers(|name| std::env::var(name).ok())?;
        Ok(Self::with(Ok(name_servers), origin))
    }

    fn with(name_servers: Result<Vec<Address>, ConfigError>, origin: Origin) -> Self {
        Self {
            name_servers,
            origin,
            client_id: None,
            send: SendConfig::default(),
            connect_deadline: limits::CONNECT_DEADLINE,
            close_deadline: limits::CLOSE_DEADLINE,
            heartbeat: limits::HEARTBEAT,
            route_refresh: limits::ROUTE_REFRESH,
            connections: ConnectionConfig::default(),
            settings: Settings::default(),
            runtime: Runtime::default(),
            fault: None,
        }
    }

    /// The name servers, as `host:port`; an item may also be a list separated by semicolons. They replace the ones set
    /// before. They are tried in turn, starting at a random one.
    pub fn name_servers<S: AsRef<str>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        let list = servers.into_iter().fold(String::new(), |list, server| list + server.as_ref() + ";");
        self.name_servers = environment::addresses(&list, Origin::Program);
        self.origin = Origin::Program;
        self
    }

    /// Who said which name servers to use.
    #[must_use]
    pub const fn name_servers_origin(&self) -> Origin {
        self.origin
    }

    /// What brokers know this client by. Must be unique among the members of its groups.
    ///
    /// Default: `address@pid#random`, which is also unique for containers, whose processes all have number 1.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// How long a send may take, over all its attempts, from its admission on. Default 3 s, from 1 ms to 1 h. Brokers
    /// with synchronous flush or replication may answer after 3 to 5 s: give them more.
    pub const fn send_deadline(mut self, deadline: Duration) -> Self {
        self.send.deadline = deadline;
        self
    }

    /// How many attempts of a send may reach a broker. Default 3, from 1 to 100. A further attempt goes to another
    /// broker if there is one. With 1, a failed send is reported as it is.
    pub const fn send_attempts(mut self, attempts: u32) -> Self {
        self.send.attempts = attempts;
        self
    }

    /// How many unfinished sends are held before further ones wait. Default 65,536, from 1 to 1,000,000.
    pub const fn send_messages_max(mut self, messages: usize) -> Self {
        self.send.admitted_messages = messages;
        self
    }

    /// How many bytes of unfinished sends, bodies and properties, are held before further ones wait. Default 64 MiB,
    /// from 1 byte to 16 GiB; a single message is always taken.
    pub const fn send_bytes_max(mut self, bytes: usize) -> Self {
        self.send.admitted_bytes = bytes;
        self
    }

    /// How long connecting looks for a name server that answers. Default 5 s, from 1 ms to 1 h.
    pub const fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline;
        self
    }

    /// How long closing waits for what is under way. Default 10 s, up to 1 h.
    pub const fn close_deadline(mut self, deadline: Duration) -> Self {
        self.close_deadline = deadline;
        self
    }

    /// How often brokers hear of this client's groups. Default 30 s, from 1 s to 60 s: brokers forget a silent client
    /// after 120 s.
    pub const fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// How often the routes in use are asked for again. Default 30 s, from 1 s to 1 h.
    pub const fn route_refresh_interval(mut self, interval: Duration) -> Self {
        self.route_refresh = interval;
        self
    }

    /// Signs every request with this access key and its secret (ACL 1.0 and 2.0 alike). The signed text holds no time
    /// and no nonce: without TLS whoever can read the line can repeat a request.
    pub fn acl(self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        self.credentials(Credential::new(access_key, secret_key))
    }

    /// Signs every request with what `credentials` says at that moment, so that a secret can be rotated while the
    /// client runs. It is asked on the thread that writes a request, for each one: answer from memory. A closure will
    /// do.
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.settings.credentials = Some(Arc::new(credentials));
        self
    }

    /// Secures all connections, to name servers and brokers, by TLS. Certificates are verified. Default: plain TCP.
    ///
    #[cfg_attr(feature = "rustls-ring", doc = "```no_run")]
    #[cfg_attr(not(feature = "rustls-ring"), doc = "```ignore")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use fusee::{Client, Tls};
    ///
    /// let client = Client::builder().tls(Tls::platform()).connect().await?; // whom the system trusts
    /// let ours = Tls::authorities(std::fs::read("ca.pem")?).server_name("rocketmq.internal");
    /// let client = Client::builder().tls(ours).connect().await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: impl crate::tls::IntoTls) -> Self {
        match tls.into_tls() {
            Ok(tls) => self.settings.tls = Some(tls),
            Err(error) => self.fault = Some(ConfigError::Tls(error)),
        }
        self
    }

    /// Connections to each broker. A queue's requests always use the same one. Default 1, from 1 to 64.
    pub const fn connections_per_broker(mut self, connections: u32) -> Self {
        self.connections.per_broker = connections;
        self
    }

    /// How long a connection may take to come up, name look-up included. Default 3 s, from 1 ms to 1 h.
    pub const fn dial_deadline(mut self, deadline: Duration) -> Self {
        self.connections.dial_deadline = deadline;
        self
    }

    /// The first and the longest pause between attempts to connect that fail; it doubles, with full jitter.
    /// Default 50 ms and 2 s, from 1 ms to 1 h.
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.connections.backoff_min = first;
        self.connections.backoff_max = longest;
        self
    }

    /// Requests unanswered on one connection before it takes no more sends. Default 4,096, from 1 to 32,768.
    pub const fn in_flight_max(mut self, requests: usize) -> Self {
        self.connections.in_flight = requests;
        self
    }

    /// Closes a connection on which nothing came and nothing is waited for during so long. Default: never. From 1 s
    /// to 1 h; heartbeats, every 30 s, keep connections to brokers from idling.
    pub const fn idle_close(mut self, after: Duration) -> Self {
        self.connections.idle_close = Some(after);
        self
    }

    /// Replaces a connection of that age; what is in flight on it is waited for. Default: never. From 1 s to 24 h.
    pub const fn connection_life_max(mut self, age: Duration) -> Self {
        self.connections.life_max = Some(age);
        self
    }

    /// What the client runs on. Default: the first of tokio, threads, smol, async-std whose feature is on.
    pub const fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = runtime;
        self
    }

    /// Connects when it is first polled or waited for: done as soon as one name server has answered.
    ///
    /// On the tokio runtime that first look has to happen inside of one, and it is the one that carries the client.
    /// Dropping the `Pending` closes what was opened.
    ///
    /// # Errors
    /// [`ConnectError`] when a setting is out of range, when there is no tokio runtime, or when no name server answered
    /// within the deadline, with what each of them said.
    pub fn connect(self) -> Pending<Client, ConnectError> {
        let (runtime, settings) = (self.runtime, self.settings.clone());
        match self.finish() {
            Ok(config) => Pending::steps(Connecting::new(config, settings, runtime)),
            Err(error) => Pending::ready(Err(error.into())),
        }
    }

    /// As [`connect`](ClientBuilder::connect), for executors nobody has heard of: everything that runs for the client is
    /// one future, the [`Driver`], which the caller spawns or polls. The client connects as the driver is polled.
    ///
    /// The runtime still says whose sockets and timers are used: those of the tokio runtime this is called in, or the
    /// async-io reactor, which needs no executor. On `rt::Blocking` threads drive the client and the driver has
    /// nothing to do.
    ///
    /// # Errors
    /// As [`connect`](ClientBuilder::connect).
    ///
    #[cfg_attr(feature = "async-io", doc = "```no_run")]
    #[cfg_attr(not(feature = "async-io"), doc = "```ignore")]
    /// # fn my_executor_spawns(_: impl std::future::Future<Output = ()> + Send + 'static) {}
    /// # async fn example() -> fusee::Result<()> {
    /// use fusee::{Client, rt};
    ///
    /// let (connecting, driver) = Client::builder().runtime(rt::AsyncIo).into_driver();
    /// my_executor_spawns(driver);
    /// let client = connecting.await?;
    /// # Ok(()) }
    /// ```
    pub fn into_driver(self) -> (Pending<Client, ConnectError>, Driver) {
        let (runtime, settings) = (self.runtime, self.settings.clone());
        let driven = self
            .finish()
            .map_err(ConnectError::from)
            .and_then(|config| Connecting::driven(config, settings, runtime));
        match driven {
            Ok((connecting, driver)) => (Pending::steps(connecting), driver),
            Err(error) => (Pending::ready(Err(error)), Driver::of_nothing()),
        }
    }

    fn finish(self) -> Result<Config, ConfigError> {
        const MILLI: Duration = Duration::from_millis(1);
        const SECOND: Duration = Duration::from_secs(1);
        const HOUR: Duration = Duration::from_secs(3600);
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        in_range("send_deadline", &self.send.deadline, MILLI..=HOUR, "1 ms to 1 h")?;
        in_range("send_attempts", &self.send.attempts, 1..=100, "1 to 100")?;
        in_range("send_messages_max", &self.send.admitted_messages, 1..=1_000_000, "1 to 1,000,000")?;
        in_range("send_bytes_max", &(self.send.admitted_bytes as u64), 1..=16 << 30, "1 byte to 16 GiB")?;
        in_range("connect_deadline", &self.connect_deadline, MILLI..=HOUR, "1 ms to 1 h")?;
        in_range("close_deadline", &self.close_deadline, Duration::ZERO..=HOUR, "0 to 1 h")?;
        in_range("heartbeat_interval", &self.heartbeat, SECOND..=60 * SECOND, "1 s to 60 s")?;
        in_range("route_refresh_interval", &self.route_refresh, SECOND..=HOUR, "1 s to 1 h")?;
        let ConnectionConfig { per_broker, dial_deadline, backoff_min, backoff_max, in_flight, .. } =
            self.connections;
        in_range("connections_per_broker", &per_broker, 1..=64, "1 to 64")?;
        in_range("dial_deadline", &dial_deadline, MILLI..=HOUR, "1 ms to 1 h")?;
        in_range("backoff", &backoff_min, MILLI..=backoff_max, "1 ms to the longest")?;
        in_range("backoff", &backoff_max, MILLI..=HOUR, "1 ms to 1 h")?;
        in_range("in_flight_max", &in_flight, 1..=32_768, "1 to 32,768")?;
        if let Some(after) = &self.connections.idle_close {
            in_range("idle_close", after, SECOND..=HOUR, "1 s to 1 h")?;
        }
        if let Some(age) = &self.connections.life_max {
            in_range("connection_life_max", age, SECOND..=24 * HOUR, "1 s to 24 h")?;
        }
        let id = self.client_id.unwrap_or_else(id::client_id);
        Ok(Config {
            send: self.send,
            connect_deadline: self.connect_deadline,
            close_deadline: self.close_deadline,
            heartbeat: self.heartbeat,
            route_refresh: self.route_refresh,
            connections: self.connections,
            ..Config::new(self.name_servers?, ClientId::new(&id).map_err(ConfigError::ClientId)?)
        })
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

fn split(found: Result<(Vec<Address>, Origin), ConfigError>) -> (Result<Vec<Address>, ConfigError>, Origin) {
    match found {
        Ok((servers, origin)) => (Ok(servers), origin),
        Err(error) => (Err(error), Origin::Default),
    }
}

pub(crate) fn in_range<T: PartialOrd + std::fmt::Debug>(
    option: &'static str,
    given: &T,
    range: RangeInclusive<T>,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    if range.contains(given) {
        return Ok(());
    }
    Err(ConfigError::Range { option, given: format!("{given:?}").into(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_name_this_machine() {
        let config = ClientBuilder::new().finish().expect("legal defaults");
        assert_eq!(config.name_servers, [Address::new("127.0.0.1:9876").expect("an address")]);
        assert_eq!(config.send, SendConfig::default());
        assert!(
            config.client_id.as_str().contains(&format!("@{}#", std::process::id())),
            "{}",
            config.client_id
        );
    }

    #[test]
    fn name_servers_may_be_items_and_lists() {
        let builder = ClientBuilder::new().name_servers(["a:1;b:2".to_owned(), "c:3".to_owned()]);
        assert_eq!(builder.name_servers_origin(), Origin::Program);
        let servers = builder.finish().expect("legal").name_servers;
        assert_eq!(servers.iter().map(Address::as_str).collect::<Vec<_>>(), ["a:1", "b:2", "c:3"]);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let range = |builder: ClientBuilder| match builder.finish() {
            Err(ConfigError::Range { option, .. }) => option,
            other => panic!("{other:?}"),
        };
        let new = ClientBuilder::new;
        assert_eq!(range(new().send_deadline(Duration::ZERO)), "send_deadline");
        assert_eq!(range(new().send_attempts(0)), "send_attempts");
        assert_eq!(range(new().send_messages_max(0)), "send_messages_max");
        assert_eq!(range(new().send_bytes_max(0)), "send_bytes_max");
        assert_eq!(range(new().connect_deadline(Duration::MAX)), "connect_deadline");
        assert_eq!(range(new().close_deadline(Duration::MAX)), "close_deadline");
        assert_eq!(range(new().heartbeat_interval(Duration::from_secs(61))), "heartbeat_interval");
        assert_eq!(range(new().route_refresh_interval(Duration::ZERO)), "route_refresh_interval");
        assert_eq!(range(new().connections_per_broker(0)), "connections_per_broker");
        assert_eq!(range(new().backoff(Duration::from_secs(3), Duration::from_secs(2))), "backoff");
        assert_eq!(range(new().in_flight_max(0)), "in_flight_max");
        assert_eq!(range(new().idle_close(Duration::ZERO)), "idle_close");
        assert_eq!(range(new().connection_life_max(Duration::ZERO)), "connection_life_max");
        assert_eq!(new().name_servers([""]).finish(), Err(ConfigError::NoNameServer));
        assert!(matches!(new().client_id("a\n").finish(), Err(ConfigError::ClientId(_))));
    }
}
