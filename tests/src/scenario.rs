//! A scenario: one behaviour of the client, written once, run on every driver and against every broker line.
//!
//! Laws: the file's name is the sentence that holds; a scenario uses topics and groups of its own; it says what it saw
//! in one line; it never hangs the run (a watchdog ends the wait); a panic anywhere in the process fails the run.

mod driver;
mod tally;

pub use driver::{Driver, block_on_unless, current_thread, multi_thread};
pub use tally::{Tally, Truth};

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fusee::{Client, ClientBuilder, ConnectError};

use crate::broker::{ClusterBuilder, Servers, Version, stretch};
use crate::raw::Stored;

/// What a scenario ends with: one line on what it saw, or what was wrong.
pub type Verdict = Result<String, Failed>;

/// What was wrong.
pub type Failed = Box<dyn Error + Send + Sync>;

/// What a scenario runs against.
#[derive(Clone, Copy)]
pub enum Needs {
    /// Nothing that takes long to start: it brings its own fakes.
    Nothing,
    /// A cluster that it shares with others, and does no harm to.
    Shared(fn(ClusterBuilder) -> ClusterBuilder),
    /// A cluster of its own, to kill servers of.
    Own(fn(ClusterBuilder) -> ClusterBuilder),
}

/// One behaviour.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The sentence, with underscores.
    pub name: &'static str,
    /// What it runs against.
    pub needs: Needs,
    /// Whether it takes long: it waits for timeouts, or for servers to start again.
    pub slow: bool,
    /// On which drivers it makes sense.
    pub drivers: &'static [Driver],
    /// The script.
    pub run: for<'a> fn(&'a Env) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Where one run of a scenario takes place.
#[derive(Debug)]
pub struct Env {
    /// The scenario's name.
    pub name: &'static str,
    /// What carries its clients.
    pub driver: Driver,
    cluster: Option<Arc<Servers>>,
    names: AtomicUsize,
}

impl Env {
    /// For one run.
    pub fn new(name: &'static str, driver: Driver, cluster: Option<Arc<Servers>>) -> Self {
        Self { name, driver, cluster, names: AtomicUsize::new(0) }
    }

    /// The cluster it asked for, real or modelled.
    pub fn cluster(&self) -> &Servers {
        self.cluster.as_deref().expect("a scenario that needs a cluster says so")
    }

    /// The line of its brokers.
    pub fn version(&self) -> Version {
        self.cluster().version()
    }

    /// A name for a topic or a group that no other run uses.
    pub fn name(&self, what: &str) -> String {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let n = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{what}-{}-{}-{run}-{n}", self.driver, std::process::id())
    }

    /// A new topic of this many queues on each broker.
    pub fn topic(&self, queues: u32) -> Result<String, Failed> {
        let topic = self.name("topic");
        self.cluster().create_topic(&topic, queues)?;
        Ok(topic)
    }

    /// What the topic's queues hold, once that is what is waited for. A message that was answered for can be read only
    /// after the broker has indexed it, some milliseconds later; so this looks again until `enough` is content or ten
    /// seconds have passed, and gives what it saw last.
    pub async fn stored(
        &self,
        topic: &str,
        mut enough: impl FnMut(&[Stored]) -> bool,
    ) -> Result<Vec<Stored>, Failed> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let found = self.cluster().scan(topic)?;
            if enough(&found) || Instant::now() > deadline {
                return Ok(found);
            }
            self.sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the topic's queues hold, once there are so many; an error when there are not as many, or more.
    pub async fn stored_exactly(&self, topic: &str, count: usize) -> Result<Vec<Stored>, Failed> {
        let found = self.stored(topic, |found| found.len() >= count).await?;
        same(&found.len(), &count, "messages stored")?;
        Ok(found)
    }

    /// Everything the topic's queues hold that was stored before this call: a mark is put behind it on each broker, and
    /// once the marks can be read so can all that lies before them. The marks are not in the answer.
    pub async fn settled(&self, topic: &str) -> Result<Vec<Stored>, Failed> {
        let cluster = self.cluster();
        let mark = self.name("mark");
        let marks = cluster.mark(topic, &mark)?;
        let is_mark = |stored: &Stored| stored.properties.contains_key("MARK");
        let all =
            |found: &[Stored]| found.iter().filter(|stored| stored.body == mark.as_bytes()).count() == marks;
        let mut found = self.stored(topic, all).await?;
        holds(all(&found), || "the marks cannot be read".to_owned())?;
        found.retain(|stored| !is_mark(stored));
        Ok(found)
    }

    /// A client's settings on this run's driver.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder().runtime(self.driver.runtime())
    }

    /// A client of the cluster that waits long for its receipts, for its machine may be busy.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        self.connect_to(&self.cluster().name_servers()).await
    }

    /// The same, of these name servers.
    pub async fn connect_to(&self, name_servers: &[String]) -> Result<Client, ConnectError> {
        let builder = self.builder().name_servers(name_servers);
        self.driver.connect(builder.send_deadline(Duration::from_secs(60))).await
    }

    /// A client of the cluster with the deadlines that users have who set none: for scenarios about deadlines.
    pub async fn connect_hastily(&self) -> Result<Client, ConnectError> {
        self.connect_hastily_to(&self.cluster().name_servers()).await
    }

    /// The same, of these name servers.
    pub async fn connect_hastily_to(&self, name_servers: &[String]) -> Result<Client, ConnectError> {
        self.driver.connect(self.builder().name_servers(name_servers)).await
    }

    /// Lets time pass without blocking the runtime.
    pub async fn sleep(&self, time: Duration) {
        self.driver.sleep(time).await;
    }

    /// Asks again and again until there is an answer, at most for `limit`.
    pub async fn until<T>(
        &self,
        limit: Duration,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<Option<T>, Failed>,
    ) -> Result<T, Failed> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(format!("not within {limit:?}: {what}").into());
            }
            self.sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How long a future took, and what came of it.
pub async fn timed<T>(future: impl IntoFuture<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let output = future.await;
    (output, begun.elapsed())
}

/// Fails unless the time is within the bound, which is wider on a machine with far more work than processors.
pub fn within(bound: Duration, took: Duration, what: &str) -> Result<(), Failed> {
    let bound = bound.mul_f64(stretch());
    if took <= bound { Ok(()) } else { Err(format!("{what} took {took:?}, more than {bound:?}").into()) }
}

/// Fails with the values when they are not equal.
pub fn same<T: PartialEq + fmt::Debug>(found: &T, wanted: &T, what: &str) -> Result<(), Failed> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, expected {wanted:?}").into()) }
}

/// Fails with this text when it does not hold.
pub fn holds(condition: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(what().into()) }
}
