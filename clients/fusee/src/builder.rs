//! How a client is set up: by the program, by the environment, or not at all.
//!
//! Laws: the environment is read only by [`ClientBuilder::from_env`]; nothing is opened or started before the
//! connecting is looked at; every option has a default that suits production, a range, and a reason. What is out of
//! range or makes no sense is reported by the connecting.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fusee_core::ids::{Address, ClientId};
use fusee_core::{Config, ConnectionConfig, Note, SendConfig};
use fusee_engine::{Credential, Credentials, Settings};

use crate::client::Client;
use crate::connect::Connecting;
use crate::environment::{self, Origin};
use crate::error::{ConfigError, ConnectError};
use crate::id;
use crate::pending::Pending;
use crate::preset::Preset;
use crate::runtime::{Driver, Runtime};
use crate::setting::{Setting, Value, Values};

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
    values: Values,
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

    /// The defaults, with what the environment says:
    ///
    /// | variables, the first that is set counts | set | units, and what is allowed |
    /// |---|---|---|
    /// | `FUSEE_NAMESRV`, `NAMESRV_ADDR`, `ROCKETMQ_NAMESRV_ADDR`, `PYROCKETMQ_NAMESRV_ADDR`, `PYROCKETMQ_SERVER_ADDRESS` | [`name_servers`](Self::name_servers) | `host:port`, or several separated by semicolons or commas |
    /// | `FUSEE_PRESET`, `PYROCKETMQ_ENVIRONMENT` | [`preset`](Self::preset) | a name: `default`, `development`, `production`, `testing`, `high-performance`, `debug` |
    /// | `FUSEE_SEND_DEADLINE`, `PYROCKETMQ_RPC_TIMEOUT` | [`send_deadline`](Self::send_deadline) | time, 1 ms to 1 h |
    /// | `FUSEE_SEND_ATTEMPTS` | [`send_attempts`](Self::send_attempts) | 1 to 100 |
    /// | `FUSEE_SEND_MESSAGES_MAX`, `PYROCKETMQ_MAX_WAITERS` | [`send_messages_max`](Self::send_messages_max) | messages, 1 to 1,000,000 |
    /// | `FUSEE_SEND_BYTES_MAX` | [`send_bytes_max`](Self::send_bytes_max) | bytes, or with `KiB`, `MiB`, `GiB`; 1 byte to 16 GiB |
    /// | `FUSEE_CONNECT_DEADLINE` | [`connect_deadline`](Self::connect_deadline) | time, 1 ms to 1 h |
    /// | `FUSEE_CLOSE_DEADLINE` | [`close_deadline`](Self::close_deadline) | time, 0 to 1 h |
    /// | `FUSEE_HEARTBEAT_INTERVAL` | [`heartbeat_interval`](Self::heartbeat_interval) | time, 1 s to 60 s |
    /// | `FUSEE_ROUTE_REFRESH_INTERVAL` | [`route_refresh_interval`](Self::route_refresh_interval) | time, 1 s to 1 h |
    /// | `FUSEE_CONNECTIONS_PER_BROKER`, `PYROCKETMQ_CONNECTION_POOL_SIZE` | [`connections_per_broker`](Self::connections_per_broker) | 1 to 64 |
    /// | `FUSEE_DIAL_DEADLINE`, `PYROCKETMQ_CONNECTION_POOL_TIMEOUT` | [`dial_deadline`](Self::dial_deadline) | time, 1 ms to 1 h |
    /// | `FUSEE_BACKOFF_FIRST`, `FUSEE_BACKOFF_LONGEST` | [`backoff`](Self::backoff) | times, 1 ms to 1 h |
    /// | `FUSEE_IN_FLIGHT_MAX` | [`in_flight_max`](Self::in_flight_max) | requests, 1 to 32,768 |
    /// | `FUSEE_IDLE_CLOSE` | [`idle_close`](Self::idle_close) | time, 1 s to 1 h, or `never` |
    /// | `FUSEE_CONNECTION_LIFE_MAX`, `PYROCKETMQ_CONNECTION_MAX_LIFETIME` | [`connection_life_max`](Self::connection_life_max) | time, 1 s to 24 h, or `never` |
    /// | `FUSEE_TCP_KEEP_ALIVE` | [`tcp_keep_alive`](Self::tcp_keep_alive) | time, 1 s to 2 h, or `never` |
    ///
    /// Times are `250ms`, `5s`, `1.5m`, `1h`, or plain seconds. A variable that is empty counts as not set. A single
    /// option overrides the preset, whichever variable says it; what the program sets afterwards overrides both.
    /// Secrets are not read from the environment: give them to [`credentials`](Self::credentials).
    ///
    /// # Errors
    /// [`ConfigError`] when a variable holds something else; it names the variable, and what is allowed.
    pub fn from_env() -> Result<Self, ConfigError> {
        // What is no text is no value of any option either, and is refused as such.
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let (name_servers, origin) = environment::name_servers(&variable)?;
        let mut builder = Self::with(Ok(name_servers), origin);
        if let Some((preset, name)) = environment::preset(&variable)? {
            builder = builder.apply(preset, Some(name));
        }
        for setting in Setting::ALL {
            if let Some((value, name)) = environment::value(setting, &variable)? {
                builder.values.set(setting, value, Origin::Variable(name));
            }
        }
        Ok(builder)
    }

    fn with(name_servers: Result<Vec<Address>, ConfigError>, origin: Origin) -> Self {
        Self {
            name_servers,
            origin,
            client_id: None,
            values: Values::default(),
            settings: Settings::default(),
            runtime: Runtime::default(),
            fault: None,
        }
    }

    /// Sets the options that go together under a name; [`Preset`] says which, and to what. What is set afterwards
    /// overrides it, and it overrides what was set before. A name is made one by `"production".parse()?`.
    pub fn preset(self, preset: Preset) -> Self {
        self.apply(preset, None)
    }

    fn apply(mut self, preset: Preset, variable: Option<&'static str>) -> Self {
        for (setting, value) in preset.values() {
            self.values.set(setting, value, Origin::Preset { preset, variable });
        }
        self
    }

    fn set(mut self, setting: Setting, value: impl Into<Value>) -> Self {
        self.values.set(setting, value.into(), Origin::Program);
        self
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

    /// Who said what an option is set to.
    #[must_use]
    pub fn origin(&self, option: Setting) -> Origin {
        self.values.origin(option)
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
    pub fn send_deadline(self, deadline: Duration) -> Self {
        self.set(Setting::SendDeadline, deadline)
    }

    /// How many attempts of a send may reach a broker. Default 3, from 1 to 100. A further attempt goes to another
    /// broker if there is one. With 1, a failed send is reported as it is.
    pub fn send_attempts(self, attempts: u32) -> Self {
        self.set(Setting::SendAttempts, attempts)
    }

    /// How many unfinished sends are held before further ones wait. Default 65,536, from 1 to 1,000,000.
    pub fn send_messages_max(self, messages: usize) -> Self {
        self.set(Setting::SendMessagesMax, messages)
    }

    /// How many bytes of unfinished sends, bodies and properties, are held before further ones wait. Default 64 MiB,
    /// from 1 byte to 16 GiB; a single message is always taken.
    pub fn send_bytes_max(self, bytes: usize) -> Self {
        self.set(Setting::SendBytesMax, bytes)
    }

    /// How long connecting looks for a name server that answers. Default 5 s, from 1 ms to 1 h.
    pub fn connect_deadline(self, deadline: Duration) -> Self {
        self.set(Setting::ConnectDeadline, deadline)
    }

    /// How long closing waits for what is under way. Default 10 s, up to 1 h.
    pub fn close_deadline(self, deadline: Duration) -> Self {
        self.set(Setting::CloseDeadline, deadline)
    }

    /// How often brokers hear of this client's groups. Default 30 s, from 1 s to 60 s: brokers forget a silent client
    /// after 120 s.
    pub fn heartbeat_interval(self, interval: Duration) -> Self {
        self.set(Setting::HeartbeatInterval, interval)
    }

    /// How often the routes in use are asked for again. Default 30 s, from 1 s to 1 h.
    pub fn route_refresh_interval(self, interval: Duration) -> Self {
        self.set(Setting::RouteRefreshInterval, interval)
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

    /// Where to connect to instead of addresses that cannot be reached from here, as pairs of `host:port`: what a name
    /// server or broker is known by, and where it is found. For brokers behind NAT or a tunnel, or in containers.
    /// Routes, errors and [`Client::connections`](crate::Client::connections) go on naming what it is known by; a
    /// certificate is verified for where it is found. Called again, it adds to what was said before. Default: none.
    ///
    /// ```no_run
    /// # async fn example() -> fusee::Result<()> {
    /// let client = fusee::Client::builder()
    ///     .name_servers(["gateway:9876"])
    ///     .address_map([("10.0.3.7:10911", "gateway:20911"), ("10.0.3.8:10911", "gateway:20912")])
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn address_map<K: AsRef<str>, F: AsRef<str>>(
        mut self,
        map: impl IntoIterator<Item = (K, F)>,
    ) -> Self {
        let address = |text: &str| environment::address(text.trim(), Origin::Program);
        for (known, found) in map {
            match (address(known.as_ref()), address(found.as_ref())) {
                (Ok(known), Ok(found)) => drop(self.settings.addresses.insert(known, found)),
                (Err(error), _) | (_, Err(error)) => self.fault = Some(error),
            }
        }
        self
    }

    /// Tells `watcher` of everything worth a line in a log, as it happens: connections that come up, are lost,
    /// replaced or told to go away, routes that change, heartbeats, pulls and commits that fail. It is called where it
    /// happened, on the threads that drive connections and on those of callers: it may use the client, but not wait.
    /// `tracing` hears the same, with target `fusee`; how connections are at a moment is told by
    /// [`Client::connections`](crate::Client::connections).
    ///
    /// ```no_run
    /// # async fn example() -> fusee::Result<()> {
    /// use fusee::{Client, Note};
    ///
    /// let watcher = |note: &Note| {
    ///     if let Note::Lost(peer, why) = note {
    ///         eprintln!("{peer} is gone: {why}");
    ///     }
    /// };
    /// let client = Client::builder().watch(watcher).connect().await?;
    /// # Ok(()) }
    /// ```
    pub fn watch(mut self, watcher: impl Fn(&Note) + Send + Sync + 'static) -> Self {
        self.settings.watcher = Some(Arc::new(watcher));
        self
    }

    /// Connections to each broker. A queue's requests always use the same one. Default 1, from 1 to 64.
    pub fn connections_per_broker(self, connections: u32) -> Self {
        self.set(Setting::ConnectionsPerBroker, connections)
    }

    /// How long a connection may take to come up, name look-up included. Default 3 s, from 1 ms to 1 h.
    pub fn dial_deadline(self, deadline: Duration) -> Self {
        self.set(Setting::DialDeadline, deadline)
    }

    /// The first and the longest pause between attempts to connect that fail; it doubles, with full jitter.
    /// Default 50 ms and 2 s, from 1 ms to 1 h.
    pub fn backoff(self, first: Duration, longest: Duration) -> Self {
        self.set(Setting::BackoffFirst, first).set(Setting::BackoffLongest, longest)
    }

    /// Requests unanswered on one connection before it takes no more sends. Default 4,096, from 1 to 32,768.
    pub fn in_flight_max(self, requests: usize) -> Self {
        self.set(Setting::InFlightMax, requests)
    }

    /// Closes a connection on which nothing came and nothing is waited for during so long. Default: never, which
    /// `None` says. From 1 s to 1 h; heartbeats, every 30 s, keep connections to brokers from idling.
    pub fn idle_close(self, after: impl Into<Option<Duration>>) -> Self {
        self.set(Setting::IdleClose, after.into())
    }

    /// Replaces a connection of that age; what is in flight on it is waited for. Default: never, which `None` says.
    /// From 1 s to 24 h.
    pub fn connection_life_max(self, age: impl Into<Option<Duration>>) -> Self {
        self.set(Setting::ConnectionLifeMax, age.into())
    }

    /// How long a connection may be silent before the operating system asks whether the other end is still there; it
    /// also keeps the memory of firewalls and NAT fresh. Default 30 s, from 1 s to 2 h; `None` for never. What is
    /// written always leaves at once (no delay).
    pub fn tcp_keep_alive(self, silence: impl Into<Option<Duration>>) -> Self {
        self.set(Setting::TcpKeepAlive, silence.into())
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
        match self.finish() {
            Ok((config, settings, runtime)) => Pending::steps(Connecting::new(config, settings, runtime)),
            Err(error) => Pending::ready(Err(error.into())),
        }
    }

    /// As [`connect`](ClientBuilder::connect), for executors nobody has heard of: everything that runs for the client
    /// is one future, the [`Driver`], which the caller spawns or polls. The client connects as the driver is polled;
    /// the driver ends once the client is closed, or all its handles are gone.
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
        let driven = self
            .finish()
            .map_err(ConnectError::from)
            .and_then(|(config, settings, runtime)| Connecting::driven(config, settings, runtime));
        match driven {
            Ok((connecting, driver)) => (Pending::steps(connecting), driver),
            Err(error) => (Pending::ready(Err(error)), Driver::of_nothing()),
        }
    }

    /// What the machine is told and what the edge is told, after everything was looked at.
    fn finish(mut self) -> Result<(Config, Settings, Runtime), ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let values = &self.values;
        values.check()?;
        let narrow = |setting| u32::try_from(values.count(setting)).unwrap_or(u32::MAX);
        let send = SendConfig {
            deadline: values.time(Setting::SendDeadline),
            attempts: narrow(Setting::SendAttempts),
            admitted_messages: values.count(Setting::SendMessagesMax),
            admitted_bytes: values.count(Setting::SendBytesMax),
        };
        let connections = ConnectionConfig {
            dial_deadline: values.time(Setting::DialDeadline),
            backoff_min: values.time(Setting::BackoffFirst),
            backoff_max: values.time(Setting::BackoffLongest),
            in_flight: values.count(Setting::InFlightMax),
            per_broker: narrow(Setting::ConnectionsPerBroker),
            idle_close: values.time_or_never(Setting::IdleClose),
            life_max: values.time_or_never(Setting::ConnectionLifeMax),
        };
        let id = self.client_id.map_or_else(id::client_id, |id| ClientId::new(&id));
        let id = id.map_err(ConfigError::ClientId)?;
        let config = Config {
            send,
            connections,
            connect_deadline: values.time(Setting::ConnectDeadline),
            close_deadline: values.time(Setting::CloseDeadline),
            heartbeat: values.time(Setting::HeartbeatInterval),
            route_refresh: values.time(Setting::RouteRefreshInterval),
            ..Config::new(self.name_servers?, id)
        };
        self.settings.sockets.keep_alive = values.time_or_never(Setting::TcpKeepAlive);
        Ok((config, self.settings, self.runtime))
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
mod tests;
