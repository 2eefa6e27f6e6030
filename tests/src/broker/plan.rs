//! What a cluster shall be, and the files that make a server be it.
//!
//! Settings that differ from the servers' defaults are all here, each with its reason.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::Path;

use super::certificates::{Authority, Flavour};
use super::jars::Jars;
use super::{Cluster, StartError, accounts};

/// A line of RocketMQ the client supports, by the release its tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The 4.9 line.
    V4_9_4,
    /// The 5.x line.
    V5_5_0,
}

impl Version {
    /// Both lines.
    pub const ALL: [Self; 2] = [Self::V4_9_4, Self::V5_5_0];

    /// As in the names of the jars.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4_9_4 => "4.9.4",
            Self::V5_5_0 => "5.5.0",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How servers speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secured {
    /// Whether plain connections are refused (enforcing), or served as well (permissive).
    pub enforcing: bool,
    /// Whether clients need a certificate.
    pub mutual: bool,
    /// What is odd about the servers' certificates.
    pub flavour: Flavour,
}

/// The description of a cluster. Equal descriptions may share one cluster ([`super::shared`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterBuilder {
    pub(super) version: Version,
    pub(super) brokers: usize,
    pub(super) name_servers: usize,
    pub(super) auto_create: bool,
    pub(super) throughput: bool,
    pub(super) acl: bool,
    pub(super) secured: Option<Secured>,
    pub(super) set: BTreeMap<String, String>,
}

impl ClusterBuilder {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            brokers: 1,
            name_servers: 1,
            auto_create: true,
            throughput: false,
            acl: false,
            secured: None,
            set: BTreeMap::new(),
        }
    }

    /// How many masters, 1 to 20; they are called `broker-a`, `broker-b`, …
    pub fn brokers(mut self, count: usize) -> Self {
        assert!((1..=20).contains(&count), "1 to 20 brokers");
        self.brokers = count;
        self
    }

    /// How many name servers, 1 to 8.
    pub fn name_servers(mut self, count: usize) -> Self {
        assert!((1..=8).contains(&count), "1 to 8 name servers");
        self.name_servers = count;
        self
    }

    /// Whether brokers make missing topics when somebody sends to them (on, as in the servers' defaults).
    pub fn auto_create(mut self, on: bool) -> Self {
        self.auto_create = on;
        self
    }

    /// Brokers fit for measuring: full compiler, large heap and files.
    pub fn for_throughput(mut self) -> Self {
        self.throughput = true;
        self
    }

    /// Brokers that ask for signed requests: ACL 1.0 on the 4.9 line, 2.0 on the 5.x line; see [`super::accounts`].
    pub fn acl(mut self) -> Self {
        self.acl = true;
        self
    }

    /// Servers that speak TLS, signed by [`Authority::ours`].
    pub fn secured(mut self, secured: Secured) -> Self {
        self.secured = Some(secured);
        self
    }

    /// A property of every broker. The start fails when the broker refuses the value; a name it does not know it ignores
    /// and repeats as if it used it, which cannot be seen from outside.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.set.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Starts the servers and waits until they are usable.
    pub fn start(&self) -> Result<Cluster, StartError> {
        Cluster::start(self)
    }
}

/// Which server of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    NameServer(usize),
    Broker(usize),
}

impl Role {
    /// Also the name of its directory.
    pub(super) fn name(self) -> String {
        match self {
            Self::NameServer(i) => format!("name-server-{i}"),
            Self::Broker(i) => broker_name(i),
        }
    }
}

/// `broker-a`, `broker-b`, …
pub(super) fn broker_name(i: usize) -> String {
    let letter = u8::try_from(i).ok().and_then(|i| b'a'.checked_add(i)).expect("at most 20 brokers");
    format!("broker-{}", char::from(letter))
}

/// Everything `write` needs to know of one server.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) builder: &'a ClusterBuilder,
    pub(super) role: Role,
    pub(super) port: u16,
    pub(super) name_servers: &'a [String],
}

impl Server<'_> {
    /// Writes configuration, logging and the script `run` below `home`. The store is left as it is.
    pub(super) fn write(&self, home: &Path, jars: &Jars) -> io::Result<()> {
        let conf = home.join("home/conf");
        fs::create_dir_all(&conf)?;
        fs::create_dir_all(home.join("tmp"))?;
        let properties = self.properties(home).into_iter().fold(String::new(), |mut text, (key, value)| {
            writeln!(text, "{key}={}", value.replace('\\', "\\\\")).expect("writing to a string");
            text
        });
        fs::write(home.join("conf.properties"), properties)?;
        let logging = logging(self.builder.version, &home.join("server.log"));
        for file in ["logback_namesrv.xml", "logback_broker.xml"] {
            fs::write(conf.join(file), &logging)?;
        }
        if self.builder.acl && self.builder.version == Version::V4_9_4 {
            fs::write(conf.join("plain_acl.yml"), accounts::plain_acl())?;
        }
        if let Some(secured) = self.builder.secured {
            let authority = Authority::ours();
            let server = authority.server(secured.flavour);
            fs::write(home.join("authority.pem"), authority.certificate())?;
            fs::write(home.join("server.pem"), server.certificate)?;
            fs::write(home.join("server.key"), server.key)?;
        }
        fs::write(home.join("run"), self.script(home, jars))
    }

    fn properties(&self, home: &Path) -> BTreeMap<String, String> {
        let five = self.builder.version == Version::V5_5_0;
        let mut all = BTreeMap::new();
        let mut set = |key: &str, value: &dyn fmt::Display| all.insert(key.to_owned(), value.to_string());
        set("listenPort", &self.port);
        if five {
            // 4.9 has no such property and listens on every interface.
            set("bindAddress", &"127.0.0.1");
        }
        let Role::Broker(i) = self.role else {
            return all;
        };
        let store = home.join("store");
        set("storePathRootDir", &store.display());
        set("storePathCommitLog", &store.join("commitlog").display());
        set("brokerClusterName", &"DefaultCluster");
        set("brokerName", &broker_name(i));
        set("brokerId", &0);
        set("brokerRole", &"ASYNC_MASTER");
        set("flushDiskType", &"ASYNC_FLUSH");
        set("brokerIP1", &"127.0.0.1");
        set("brokerIP2", &"127.0.0.1");
        set("haListenPort", &(self.port + 1));
        set("namesrvAddr", &self.name_servers.join(";"));
        set("autoCreateTopicEnable", &self.builder.auto_create);
        set("autoCreateSubscriptionGroup", &true);
        set("enablePropertyFilter", &true);
        // Registration is also what fills a restarted name server.
        set("registerNameServerPeriod", &10_000);
        // A machine that also compiles would otherwise be told SYSTEM_BUSY after 200 ms and 1 s.
        set("waitTimeMillsInSendQueue", &3000);
        set("osPageCacheBusyTimeOutMills", &5000);
        set("diskMaxUsedSpaceRatio", &95);
        set("transactionTimeOut", &2000);
        set("transactionCheckInterval", &1000);
        let large = self.builder.throughput;
        set("mappedFileSizeCommitLog", &if large { 256 << 20 } else { 16 << 20 });
        set("mappedFileSizeConsumeQueue", &if large { 6_000_000 } else { 1_200_000 });
        set("maxHashSlotNum", &if large { 5_000_000 } else { 50_000 });
        set("maxIndexNum", &if large { 20_000_000 } else { 200_000 });
        if five {
            set("mappedFileSizeTimerLog", &(10 << 20));
            set("transactionOpBatchInterval", &300);
        }
        if self.builder.acl {
            all.extend(accounts::properties(self.builder.version));
        }
        all.extend(self.builder.set.clone());
        all
    }

    fn tls_flags(&self, secured: Secured, home: &Path) -> Vec<String> {
        let file = |name: &str| home.join(name).display().to_string();
        let (mode, client) = (
            if secured.enforcing { "enforcing" } else { "permissive" },
            if secured.mutual { "require" } else { "none" },
        );
        vec![
            "-Dtls.test.mode.enable=false".to_owned(),
            "-Dtls.config.file=none".to_owned(),
            format!("-Dtls.server.mode={mode}"),
            format!("-Dtls.server.keyPath={}", file("server.key")),
            format!("-Dtls.server.certPath={}", file("server.pem")),
            format!("-Dtls.server.trustCertPath={}", file("authority.pem")),
            format!("-Dtls.server.authClient={}", secured.mutual),
            format!("-Dtls.server.need.client.auth={client}"),
            // Brokers are clients of name servers. Java verifies no host name, so odd certificates do not stop them;
            // expired ones would.
            format!("-Dtls.client.trustCertPath={}", file("authority.pem")),
            format!("-Dtls.client.authServer={}", secured.flavour != Flavour::Expired),
            format!("-Dtls.client.keyPath={}", file("server.key")),
            format!("-Dtls.client.certPath={}", file("server.pem")),
        ]
    }

    fn script(&self, home: &Path, jars: &Jars) -> String {
        let path = |name: &str| home.join(name).display().to_string();
        let mut java: Vec<String> = vec![jars.java.display().to_string()];
        let mut arg = |arg: &str| java.push(arg.to_owned());
        for flag in [
            "-XX:+IgnoreUnrecognizedVMOptions",
            "-Xshare:auto",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "-Xss512k",
            // 4.9 unmaps files through internals; without these it cannot recover its store after a kill.
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
            "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
            "-Djava.net.preferIPv4Stack=true",
            // The properties stop at 95 %; these are the limits the broker does not read from its configuration.
            "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
            "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
        ] {
            arg(flag);
        }
        match self.builder.secured {
            // The default makes an RSA key at each start: 1.5 s of processor time.
            None => arg("-Dtls.server.mode=disabled"),
            Some(secured) => self.tls_flags(secured, home).iter().for_each(|flag| arg(flag)),
        }
        let broker = matches!(self.role, Role::Broker(_));
        let memory: &[&str] = match (broker, self.builder.throughput) {
            (true, true) => &["-XX:+UseG1GC", "-Xms1g", "-Xmx1g", "-XX:MaxDirectMemorySize=1g"],
            (true, false) => &["-Xms64m", "-Xmx512m", "-XX:MaxDirectMemorySize=512m"],
            (false, _) => &["-Xms16m", "-Xmx96m"],
        };
        memory.iter().copied().for_each(&mut arg);
        if !(broker && self.builder.throughput) {
            arg("-XX:+UseSerialGC");
            arg("-XX:TieredStopAtLevel=1");
        }
        arg(&format!("-Duser.home={}", home.display()));
        arg(&format!("-Djava.io.tmpdir={}", path("tmp")));
        arg(&format!("-XX:ErrorFile={}", path("hs_err.log")));
        arg(&format!("-Djava.library.path={}", jars.native.display()));
        let (logging, main) = match self.role {
            Role::Broker(_) => ("logback_broker.xml", "org.apache.rocketmq.broker.BrokerStartup"),
            Role::NameServer(_) => ("logback_namesrv.xml", "org.apache.rocketmq.namesrv.NamesrvStartup"),
        };
        arg(&format!("-Drmq.logback.configurationFile={}", path(&format!("home/conf/{logging}"))));
        arg("-cp");
        arg(&jars.class_path.to_string_lossy());
        arg(main);
        arg("-c");
        arg(&path("conf.properties"));
        let words: Vec<String> = java.iter().map(|word| quoted(word)).collect();
        format!(
            "cd {}\nunset NAMESRV_ADDR JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS\n\
             export ROCKETMQ_HOME={}\nexec {}\n",
            quoted(&home.display().to_string()),
            quoted(&path("home")),
            words.join(" ")
        )
    }
}

/// One word of a shell script.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A log of one file. 5.x carries logback below a package of its own.
fn logging(version: Version, file: &Path) -> String {
    let package = match version {
        Version::V4_9_4 => "",
        Version::V5_5_0 => "org.apache.rocketmq.logging.",
    };
    format!(
        r#"<configuration>
  <statusListener class="{package}ch.qos.logback.core.status.NopStatusListener"/>
  <appender name="file" class="{package}ch.qos.logback.core.FileAppender">
    <file>{file}</file>
    <encoder><pattern>%d{{HH:mm:ss.SSS}} %p %t %c{{1}} - %m%n</pattern></encoder>
  </appender>
  <logger name="RocketmqWaterMark" level="WARN"/>
  <logger name="RocketmqTraffic" level="WARN"/>
  <logger name="RocketmqStats" level="WARN"/>
  <root level="INFO"><appender-ref ref="file"/></root>
</configuration>
"#,
        file = file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::{broker_name, quoted};

    #[test]
    fn names_and_words() {
        assert_eq!(broker_name(0), "broker-a");
        assert_eq!(broker_name(2), "broker-c");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
