//! A running cluster: its servers, what may be done to them, and what they stored.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::jars::Jars;
use super::plan::{ClusterBuilder, Role, Server, Version, broker_name};
use super::ports::Ports;
use super::ready::{self, Progress};
use super::supervisor::{Pid, Supervisor};
use super::{StartError, accounts};
use crate::raw::{self, Caller, Stored, code};

/// How often a start is tried: another process may take a port between our check and the server's bind.
const ATTEMPTS: usize = 3;
/// Between two questions to a server that is not ready.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Name servers and brokers that live as long as this value; methods take a number, 0 being the first.
pub struct Cluster {
    builder: ClusterBuilder,
    jars: Jars,
    caller: Caller,
    servers: Vec<Running>,
    // Last, so that the ports are given back only after the servers are gone.
    supervisor: Supervisor,
    _ports: Ports,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("builder", &self.builder)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Running {
    role: Role,
    port: u16,
    pid: Mutex<Option<Pid>>,
}

impl Running {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn pid(&self) -> Option<Pid> {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_pid(&self, pid: Option<Pid>) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    }

    fn is_alive(&self) -> bool {
        self.pid().is_some_and(Pid::is_alive)
    }
}

impl Cluster {
    /// One name server and one broker, unless told otherwise.
    pub fn builder(version: Version) -> ClusterBuilder {
        ClusterBuilder::new(version)
    }

    pub(super) fn start(builder: &ClusterBuilder) -> Result<Self, StartError> {
        let jars = Jars::ready(builder.version)?;
        let mut attempt = 1;
        loop {
            match Self::start_once(builder, &jars) {
                Err(StartError::Died { logs, .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    let directory = logs.parent().expect("a server's directory lies in the cluster's");
                    fs::remove_dir_all(directory)
                        .map_err(StartError::io("remove the logs of a failed start"))?;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(builder: &ClusterBuilder, jars: &Jars) -> Result<Self, StartError> {
        let blocks = u16::try_from(1 + builder.brokers).expect("at most 20 brokers");
        let ports = Ports::take(blocks)?;
        let name_servers = (0..builder.name_servers).map(|i| (Role::NameServer(i), ports.name_server(i)));
        let brokers = (0..builder.brokers).map(|i| (Role::Broker(i), ports.broker(i)));
        let servers = name_servers.chain(brokers);
        let cluster = Self {
            builder: builder.clone(),
            jars: jars.clone(),
            caller: Caller {
                keys: builder.acl.then(accounts::admin),
                tls: builder.secured.map(|_| raw::accept_any()),
            },
            servers: servers.map(|(role, port)| Running { role, port, pid: Mutex::new(None) }).collect(),
            supervisor: Supervisor::start(directory()).map_err(StartError::io("start the supervisor"))?,
            _ports: ports,
        };
        let begun = Instant::now();
        for server in &cluster.servers {
            cluster.spawn(server)?;
        }
        for server in &cluster.servers {
            cluster.wait_until_ready(server, begun)?;
        }
        cluster.check_properties()?;
        if builder.acl {
            accounts::set_up(&cluster).map_err(StartError::io("make the accounts"))?;
        }
        Ok(cluster)
    }

    /// What it was started from.
    pub fn builder_used(&self) -> &ClusterBuilder {
        &self.builder
    }

    /// Whether every server of it answers.
    pub fn is_whole(&self) -> bool {
        let answers = |server: &Running| match server.role {
            Role::NameServer(_) => ready::name_server(&self.caller, &server.address()).is_ok(),
            Role::Broker(_) => ready::broker_properties(&self.caller, &server.address()).is_ok(),
        };
        self.servers.iter().all(|server| server.is_alive() && answers(server))
    }

    /// How to talk to it: signed by the account with all rights, where requests have to be signed.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Which release runs here.
    pub fn version(&self) -> Version {
        self.builder.version
    }

    /// Addresses of all name servers, dead ones included.
    pub fn name_servers(&self) -> Vec<String> {
        (0..self.builder.name_servers).map(|i| self.server(Role::NameServer(i)).address()).collect()
    }

    /// Address of a broker.
    pub fn broker_addr(&self, i: usize) -> String {
        self.server(Role::Broker(i)).address()
    }

    /// `broker-a` and so on.
    pub fn broker_name(&self, i: usize) -> String {
        broker_name(i)
    }

    /// How many brokers.
    pub fn brokers(&self) -> usize {
        self.builder.brokers
    }

    /// Where configurations, logs and stores are.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// SIGKILL to a broker, and waits until it is gone. Its store stays.
    pub fn kill(&self, i: usize) -> io::Result<()> {
        self.end(Role::Broker(i))
    }

    /// SIGSTOP to a broker: its connections stay open and nothing answers.
    pub fn pause(&self, i: usize) -> io::Result<()> {
        self.supervisor.pause(self.live(Role::Broker(i))?)
    }

    /// SIGCONT to a broker.
    pub fn resume(&self, i: usize) -> io::Result<()> {
        self.supervisor.resume(self.live(Role::Broker(i))?)
    }

    /// Starts a broker (again) on the same store and ports, and waits until it is usable.
    pub fn restart(&self, i: usize) -> Result<(), StartError> {
        self.again(Role::Broker(i))
    }

    /// SIGKILL to a name server.
    pub fn kill_name_server(&self, i: usize) -> io::Result<()> {
        self.end(Role::NameServer(i))
    }

    /// SIGSTOP to a name server.
    pub fn pause_name_server(&self, i: usize) -> io::Result<()> {
        self.supervisor.pause(self.live(Role::NameServer(i))?)
    }

    /// SIGCONT to a name server.
    pub fn resume_name_server(&self, i: usize) -> io::Result<()> {
        self.supervisor.resume(self.live(Role::NameServer(i))?)
    }

    /// Starts a name server (again) and waits until it answers. It is empty until the brokers register, which takes
    /// up to ten seconds; [`Self::await_routes`] waits for that.
    pub fn restart_name_server(&self, i: usize) -> Result<(), StartError> {
        self.again(Role::NameServer(i))
    }

    /// Waits until every live name server lists every live broker.
    pub fn await_routes(&self) -> Result<(), StartError> {
        let begun = Instant::now();
        let live = self.servers.iter().filter(|server| server.is_alive());
        live.into_iter().try_for_each(|server| self.wait_until_ready(server, begun))
    }

    /// Makes a topic on every live broker with this many queues each, and waits until every live name server knows.
    pub fn create_topic(&self, topic: &str, queues: u32) -> io::Result<()> {
        self.create_topic_with(topic, queues, 6)
    }

    /// The same with a permission: 4 read, 2 write.
    pub fn create_topic_with(&self, topic: &str, queues: u32, permission: u32) -> io::Result<()> {
        let queues = queues.to_string();
        let permission = permission.to_string();
        let fields = [
            ("topic", topic),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", &queues),
            ("writeQueueNums", &queues),
            ("perm", &permission),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
        ];
        let brokers =
            self.servers.iter().filter(|server| matches!(server.role, Role::Broker(_)) && server.is_alive());
        let brokers: Vec<&Running> = brokers.collect();
        for broker in &brokers {
            self.caller.call(&broker.address(), code::CREATE_TOPIC, &fields, b"")?.success("create topic")?;
        }
        let begun = Instant::now();
        for broker in brokers {
            for name_server in self.live_name_servers() {
                while let Err(why) = ready::topic(&self.caller, &name_server, topic, &broker.role.name()) {
                    if Instant::now() > ready::deadline(begun) {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                    }
                    thread::sleep(ASK_EVERY);
                }
            }
        }
        Ok(())
    }

    /// Everything the queues of a topic hold, read by an independent reader.
    pub fn scan(&self, topic: &str) -> io::Result<Vec<Stored>> {
        let server = self.live_name_servers().into_iter().next();
        let server = server.ok_or_else(|| io::Error::other("no live name server to scan by"))?;
        self.caller.scan(&server, topic)
    }

    /// Makes a consumer group on every live broker.
    pub fn create_group(&self, group: &str) -> io::Result<()> {
        let mut brokers =
            self.servers.iter().filter(|server| matches!(server.role, Role::Broker(_)) && server.is_alive());
        brokers.try_for_each(|broker| self.caller.create_group(&broker.address(), group))
    }

    /// Runs RocketMQ's own `mqadmin` and returns what it printed. It reports success whatever happened: read the text.
    pub fn admin(&self, arguments: &[&str]) -> io::Result<String> {
        let home = self.directory().join("admin");
        fs::create_dir_all(home.join("home/conf"))?;
        let output = Command::new(&self.jars.java)
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx128m",
                "-Djava.net.preferIPv4Stack=true",
            ])
            .arg(format!("-Duser.home={}", home.display()))
            .arg("-cp")
            .arg(&self.jars.class_path)
            .arg("org.apache.rocketmq.tools.command.MQAdminStartup")
            .args(arguments)
            .args(["-n", &self.name_servers().join(";")])
            .env("ROCKETMQ_HOME", home.join("home"))
            .stdin(Stdio::null())
            .output()?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// Lets the logs stay when the cluster goes; returns where they are.
    pub fn keep_logs(&self) -> io::Result<PathBuf> {
        self.supervisor.keep_logs()?;
        Ok(self.directory().to_owned())
    }

    /// Process ids of the supervisor and of all live servers, for tests of the launcher itself.
    pub fn processes(&self) -> Vec<u32> {
        let live = self.servers.iter().filter_map(Running::pid).filter(|pid| pid.is_alive());
        std::iter::once(self.supervisor.id()).chain(live.map(Pid::number)).collect()
    }

    fn server(&self, role: Role) -> &Running {
        let found = self.servers.iter().find(|server| server.role == role);
        found.unwrap_or_else(|| panic!("the cluster has no {}", role.name()))
    }

    fn live(&self, role: Role) -> io::Result<Pid> {
        let pid = self.server(role).pid().filter(|pid| pid.is_alive());
        pid.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} is not running", role.name())))
    }

    fn live_name_servers(&self) -> Vec<String> {
        let live = self
            .servers
            .iter()
            .filter(|server| matches!(server.role, Role::NameServer(_)) && server.is_alive());
        live.map(Running::address).collect()
    }

    fn spawn(&self, server: &Running) -> Result<(), StartError> {
        let name = server.role.name();
        let plan = Server {
            builder: &self.builder,
            role: server.role,
            port: server.port,
            name_servers: &self.name_servers(),
        };
        plan.write(&self.directory().join(&name), &self.jars)
            .map_err(StartError::io(format!("prepare {name}")))?;
        let pid = self.supervisor.spawn(&name).map_err(StartError::io(format!("start {name}")))?;
        server.set_pid(Some(pid));
        Ok(())
    }

    fn end(&self, role: Role) -> io::Result<()> {
        let pid = self.live(role)?;
        self.supervisor.kill(pid)?;
        self.server(role).set_pid(None);
        Ok(())
    }

    fn again(&self, role: Role) -> Result<(), StartError> {
        let server = self.server(role);
        if let Some(pid) = server.pid() {
            self.supervisor.kill(pid).map_err(StartError::io(format!("kill {}", role.name())))?;
            server.set_pid(None);
        }
        self.spawn(server)?;
        self.wait_until_ready(server, Instant::now())
    }

    fn wait_until_ready(&self, server: &Running, begun: Instant) -> Result<(), StartError> {
        let mut progress = Progress::default();
        loop {
            if !server.is_alive() {
                let (logs, tail) = self.last_words(server);
                return Err(StartError::Died { name: server.role.name(), logs, tail });
            }
            let state = match server.role {
                Role::NameServer(_) => ready::name_server(&self.caller, &server.address()),
                Role::Broker(i) => {
                    let live = self.live_name_servers();
                    progress.broker(&self.caller, i, &server.address(), &live, self.builder.auto_create)
                }
            };
            let Err(why) = state else {
                return Ok(());
            };
            if Instant::now() > ready::deadline(begun) {
                let (logs, tail) = self.last_words(server);
                return Err(StartError::Late { name: server.role.name(), why, logs, tail });
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// The servers ignore wrong values without a word, so ask what they use.
    fn check_properties(&self) -> Result<(), StartError> {
        if self.builder.set.is_empty() {
            return Ok(());
        }
        for i in 0..self.builder.brokers {
            let name = broker_name(i);
            let used = ready::broker_properties(&self.caller, &self.broker_addr(i))
                .map_err(StartError::io(format!("ask {name} for its configuration")))?;
            for (key, given) in &self.builder.set {
                let used = used.iter().find(|(used, _)| used == key).map(|(_, value)| value.clone());
                if used.as_ref() != Some(given) {
                    return Err(StartError::Property { name, key: key.clone(), given: given.clone(), used });
                }
            }
        }
        Ok(())
    }

    /// Keeps the logs of a server that failed, and quotes their end.
    fn last_words(&self, server: &Running) -> (PathBuf, String) {
        let home = self.directory().join(server.role.name());
        if let Err(error) = self.supervisor.keep_logs() {
            return (home, format!("(logs cannot be kept: {error})"));
        }
        let tail = ["out.log", "server.log"].map(|file| {
            let text = fs::read(home.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("--- {file}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"))
        });
        (home, tail.join("\n"))
    }
}

/// A new directory's name; the supervisor makes it, so that it also removes it.
fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let temp = std::env::temp_dir();
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = temp.join(format!("fusee-brokers-{}-{n}", std::process::id()));
        if !path.exists() {
            return path;
        }
    }
}
