//! The model on real TCP, for tests and first steps: name servers and brokers on loopback ports the system chose.
//!
//! ```
//! use fusee_sim::{Cluster, Code, Op};
//!
//! let cluster = Cluster::builder().brokers(2).topic("orders", 4).start();
//! cluster.fail_next(Op::Send, Code::SystemBusy, 2); // whichever broker is asked
//! // … connect a client to cluster.addr() …
//! assert_eq!(cluster.topic("orders").len(), 0);
//! ```
//!
//! Laws: plain threads, none of which outlives the [`Cluster`]; all machines sit under one lock, which is never held
//! across a system call that can block; a peer that does not read costs a bounded queue and then its connection.

mod threads;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::codec::message::Stored;
use crate::model::broker::{Code, Op, Refusals, Store};
use crate::model::topics::TopicConfig;
use crate::model::{Broker, BrokerConfig, Conn, Line, NameServer, Output};

/// What a cluster is made of; made by [`Cluster::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    brokers: usize,
    name_servers: usize,
    topics: Vec<(String, i32)>,
    line: Line,
    latency: Duration,
    strict: bool,
    port: u16,
}

impl Builder {
    /// So many brokers, `broker-a`, `broker-b` and on; one unless said.
    #[must_use]
    pub const fn brokers(mut self, count: usize) -> Self {
        self.brokers = count;
        self
    }

    /// So many name servers; one unless said.
    #[must_use]
    pub const fn name_servers(mut self, count: usize) -> Self {
        self.name_servers = count;
        self
    }

    /// A topic with so many queues on every broker.
    #[must_use]
    pub fn topic(mut self, name: &str, queues: i32) -> Self {
        self.topics.push((name.to_owned(), queues));
        self
    }

    /// The release the servers imitate; 5.5.0 unless said.
    #[must_use]
    pub const fn line(mut self, line: Line) -> Self {
        self.line = line;
        self
    }

    /// Every answer comes this much later.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Topics and groups are not made by using them.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The first name server listens on this port instead of one the system chooses.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the cluster; it answers when this returns.
    ///
    /// # Panics
    /// When loopback has no port or no thread left. [`Builder::try_start`] says so instead.
    #[must_use]
    pub fn start(self) -> Cluster {
        self.try_start().expect("a loopback port and a few threads")
    }

    /// The same, for who can do something about a failure.
    ///
    /// # Errors
    /// What the system says when it gives no port or no thread.
    pub fn try_start(self) -> io::Result<Cluster> {
        Cluster::start(&self)
    }
}

/// A running cluster. Dropping it stops it.
pub struct Cluster {
    shared: Arc<Shared>,
    name_servers: Vec<SocketAddr>,
    brokers: Vec<SocketAddr>,
}

/// One server of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ServerId {
    NameServer(usize),
    Broker(usize),
}

struct Shared {
    state: Mutex<State>,
    /// Something changed that the clock or a paused reader may wait for.
    changed: Condvar,
    began: Instant,
    threads: Mutex<Vec<JoinHandle<()>>>,
    listeners: Mutex<BTreeMap<ServerId, (SocketAddr, JoinHandle<()>)>>,
}

struct State {
    name_servers: Vec<Option<NameServer>>,
    brokers: Vec<BrokerSlot>,
    connections: BTreeMap<Conn, Connection>,
    next_conn: u64,
    /// Ordered answers, lent to whichever machine works.
    refusals: Refusals,
    latency: Duration,
    /// Frames that wait for their latency to pass.
    delayed: BTreeMap<(Duration, u64), (Conn, Vec<u8>)>,
    delays: u64,
    paused: Vec<ServerId>,
    /// Counts the lives of a server, so that the listener of an earlier one knows that it is over.
    lives: BTreeMap<ServerId, u64>,
    stopping: bool,
    line: Line,
}

struct BrokerSlot {
    config: BrokerConfig,
    /// Alive, or what it left on disk.
    state: Result<Broker, Store>,
}

struct Connection {
    server: ServerId,
    frames: SyncSender<Vec<u8>>,
    stream: TcpStream,
}

/// Frames that may wait for a peer to read them.
const QUEUED_FRAMES_MAX: usize = 65_536;

impl Cluster {
    /// One broker, one name server, no topics: change that, then [`Builder::start`].
    #[must_use]
    pub const fn builder() -> Builder {
        Builder {
            brokers: 1,
            name_servers: 1,
            topics: Vec::new(),
            line: Line::V5,
            latency: Duration::ZERO,
            strict: false,
            port: 0,
        }
    }

    fn start(builder: &Builder) -> io::Result<Self> {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let mut listeners = Vec::new();
        for at in 0..builder.name_servers {
            listeners.push((ServerId::NameServer(at), bind(if at == 0 { builder.port } else { 0 })?));
        }
        let mut brokers = Vec::new();
        for at in 0..builder.brokers {
            let listener = bind(0)?;
            let mut config = BrokerConfig::new(&broker_name(at), listener.local_addr()?);
            config.line = builder.line;
            config.auto_create_topics = !builder.strict;
            config.auto_create_groups = !builder.strict;
            config.unix_at_zero = i64::try_from(unix.as_millis()).unwrap_or(0);
            let mut store = Store::default();
            for (name, queues) in &builder.topics {
                store.topics.insert(Arc::from(&**name), TopicConfig::new(*queues));
            }
            let state = Ok(Broker::start(Duration::ZERO, config.clone(), store));
            brokers.push(BrokerSlot { config, state });
            listeners.push((ServerId::Broker(at), listener));
        }
        let name_server = |_| Some(NameServer::start(Duration::ZERO, builder.line, false));
        let mut state = State {
            name_servers: (0..builder.name_servers).map(name_server).collect(),
            brokers,
            connections: BTreeMap::new(),
            next_conn: 0,
            refusals: Refusals::default(),
            latency: builder.latency,
            delayed: BTreeMap::new(),
            delays: 0,
            paused: Vec::new(),
            lives: BTreeMap::new(),
            stopping: false,
            line: builder.line,
        };
        for at in 0..builder.brokers {
            state.act(Duration::ZERO, ServerId::Broker(at), |_| ());
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            began: Instant::now(),
            threads: Mutex::new(Vec::new()),
            listeners: Mutex::new(BTreeMap::new()),
        });
        let mut cluster = Self { shared, name_servers: Vec::new(), brokers: Vec::new() };
        for (id, listener) in listeners {
            let address = listener.local_addr()?;
            match id {
                ServerId::NameServer(_) => cluster.name_servers.push(address),
                ServerId::Broker(_) => cluster.brokers.push(address),
            }
            cluster.shared.listen(id, listener)?;
        }
        cluster.shared.keep_time()?;
        Ok(cluster)
    }

    /// The name servers, as a client takes them: `host:port`, joined by semicolons.
    #[must_use]
    pub fn addr(&self) -> String {
        self.name_servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")
    }

    /// Where a broker listens.
    ///
    /// # Panics
    /// When there is no such broker.
    #[must_use]
    pub fn broker_addr(&self, broker: usize) -> SocketAddr {
        self.brokers[broker]
    }

    /// A look at what the brokers hold of a topic.
    #[must_use]
    pub fn topic<'a>(&'a self, name: &'a str) -> TopicView<'a> {
        TopicView { cluster: self, name }
    }

    /// Makes a topic with so many queues on every broker that is up, now.
    pub fn create_topic(&self, name: &str, queues: i32) {
        self.on_brokers(|broker| broker.create_topic(name, TopicConfig::new(queues)));
    }

    /// The offset a group has committed for a queue of a broker.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, broker: usize, queue: i32) -> Option<i64> {
        self.shared.state().brokers.get(broker)?.store().offset(group, topic, queue)
    }

    /// Answers the next `times` requests of a kind with a code, whichever server they reach.
    pub fn fail_next(&self, op: Op, code: Code, times: u32) {
        self.shared.state().refusals.add(op, code, times);
    }

    /// From now on every answer comes this much later.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.state().latency = latency;
    }

    /// A broker's process dies: its connections are cut and its port refuses; what it stored stays on its disk.
    pub fn kill(&self, broker: usize) {
        self.shared.kill(ServerId::Broker(broker));
    }

    /// A broker that was killed comes up again, on its port and with its disk.
    ///
    /// # Panics
    /// When the port was taken by somebody else meanwhile.
    pub fn restart(&self, broker: usize) {
        self.shared.restart(ServerId::Broker(broker), self.brokers[broker]);
    }

    /// A name server's process dies.
    pub fn kill_name_server(&self, at: usize) {
        self.shared.kill(ServerId::NameServer(at));
    }

    /// A name server that was killed comes up again, and hears of every broker at once.
    ///
    /// # Panics
    /// When the port was taken by somebody else meanwhile.
    pub fn restart_name_server(&self, at: usize) {
        self.shared.restart(ServerId::NameServer(at), self.name_servers[at]);
        self.on_brokers(Broker::register);
    }

    /// A broker stops doing anything, as under SIGSTOP, but keeps its connections.
    pub fn pause(&self, broker: usize) {
        self.shared.state().paused.push(ServerId::Broker(broker));
    }

    /// It goes on.
    pub fn resume(&self, broker: usize) {
        self.shared.state().paused.retain(|id| *id != ServerId::Broker(broker));
        self.shared.changed.notify_all();
    }

    /// A broker is about to stop and tells clients that understand it (code 1500, GO_AWAY).
    pub fn drain(&self, broker: usize) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        if let Some(Ok(broker)) = state.brokers.get_mut(broker).map(|slot| slot.state.as_mut()) {
            broker.drain();
        }
        state.act(now, ServerId::Broker(broker), |_| ());
    }

    fn on_brokers(&self, act: impl Fn(&mut Broker)) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        for at in 0..state.brokers.len() {
            state.act(now, ServerId::Broker(at), |machine| {
                if let Machine::Broker(broker) = machine {
                    act(broker);
                }
            });
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name_servers", &self.name_servers)
            .field("brokers", &self.brokers)
            .finish_non_exhaustive()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// What the brokers of a cluster hold of one topic.
pub struct TopicView<'a> {
    cluster: &'a Cluster,
    name: &'a str,
}

impl TopicView<'_> {
    /// How many messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cluster.shared.state().brokers.iter().map(|slot| slot.store().log.len(self.name)).sum()
    }

    /// None at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The messages, broker by broker and queue by queue in their order.
    #[must_use]
    pub fn messages(&self) -> Vec<Stored> {
        let state = self.cluster.shared.state();
        let mut messages = Vec::new();
        for slot in &state.brokers {
            let store = slot.store();
            let queues =
                store.topics.get(self.name).map_or(0, |config| config.read_queues.max(config.write_queues));
            for queue in 0..queues {
                let stored = store.log.messages(self.name, queue);
                messages.extend(stored.filter_map(|(_, mut bytes)| Stored::decode(&mut bytes)));
            }
        }
        messages
    }
}

impl BrokerSlot {
    const fn store(&self) -> &Store {
        match &self.state {
            Ok(broker) => broker.store(),
            Err(store) => store,
        }
    }
}

enum Machine<'a> {
    NameServer(&'a mut NameServer),
    Broker(&'a mut Broker),
}

impl State {
    /// Lets a server that is alive act, and carries out what comes of it.
    fn act(&mut self, now: Duration, id: ServerId, act: impl FnOnce(&mut Machine<'_>)) {
        let mut machine = match id {
            ServerId::NameServer(at) => {
                self.name_servers.get_mut(at).and_then(Option::as_mut).map(Machine::NameServer)
            }
            ServerId::Broker(at) => {
                self.brokers.get_mut(at).and_then(|slot| slot.state.as_mut().ok()).map(Machine::Broker)
            }
        };
        let Some(machine) = &mut machine else { return };
        machine.lend(&mut self.refusals);
        act(machine);
        machine.lend(&mut self.refusals);
        let outputs: Vec<Output> = std::iter::from_fn(|| machine.poll()).collect();
        for output in outputs {
            match output {
                Output::Send(conn, frame) if self.latency.is_zero() => self.write(conn, frame),
                Output::Send(conn, frame) => {
                    self.delays += 1;
                    self.delayed.insert((now + self.latency, self.delays), (conn, frame));
                }
                Output::Close(conn) => self.close(conn),
                Output::Register(registration) => {
                    for server in self.name_servers.iter_mut().flatten() {
                        server.register(now, &registration);
                    }
                }
                Output::Event(_) => {}
            }
        }
    }

    fn write(&mut self, conn: Conn, frame: Vec<u8>) {
        let full = self.connections.get(&conn).is_some_and(|connection| {
            matches!(connection.frames.try_send(frame), Err(TrySendError::Full(_)))
        });
        if full {
            self.close(conn);
        }
    }

    fn close(&mut self, conn: Conn) {
        if let Some(connection) = self.connections.remove(&conn) {
            // It may have ended by itself already, and then there is nothing to end.
            drop(connection.stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

impl Machine<'_> {
    const fn lend(&mut self, refusals: &mut Refusals) {
        let own = match self {
            Machine::NameServer(machine) => machine.refusals(),
            Machine::Broker(machine) => machine.refusals(),
        };
        std::mem::swap(own, refusals);
    }

    fn poll(&mut self) -> Option<Output> {
        match self {
            Machine::NameServer(machine) => machine.poll(),
            Machine::Broker(machine) => machine.poll(),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

fn broker_name(at: usize) -> String {
    let letter = u8::try_from(at).ok().and_then(|at| b'a'.checked_add(at)).filter(u8::is_ascii_lowercase);
    letter.map_or_else(|| format!("broker-{at}"), |letter| format!("broker-{}", char::from(letter)))
}
