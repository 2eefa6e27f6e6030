//! Loads a cluster and prints one line of JSON on what it cost:
//! `load send|consume|floor NAMESRV TOPIC COUNT SIZE CONCURRENCY [--runtime DRIVER] [--warmup N] [--ca FILE]`
//!
//! - `send` keeps CONCURRENCY sends in flight: on tokio, smol and async-std as many tasks, each awaiting its receipts;
//!   on threads and on a client that is driven by hand one thread that waits for the oldest before it starts the next.
//! - `consume` reads COUNT messages that are stored already, all queues at once (CONCURRENCY is only reported); its
//!   latencies are those of polls.
//! - `floor` sends by a bare socket and two threads, without a client: what any client is measured against.
//!
//! DRIVER is tokio (the default), current, threads, smol, async-std or driven. With `--ca` connections are secured, and
//! the servers have to be certified by that authority.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fusee::{Client, Message, Producer, StartFrom, Tls, Topic};
use fusee_tests::floor;
use fusee_tests::measure::{Latencies, Load, Stretch};
use fusee_tests::scenario::Driver;
use serde_json::Value;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: load send|consume|floor NAMESRV TOPIC COUNT SIZE CONCURRENCY \
                     [--runtime tokio|current|threads|smol|async-std|driven] [--warmup N] [--ca FILE]";

fn main() -> ExitCode {
    let Some(task) = Task::from_words(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match task.run() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(failed) => {
            eprintln!("load: {failed}");
            ExitCode::FAILURE
        }
    }
}

struct Task {
    name_server: String,
    topic: String,
    driver: Driver,
    authority: Option<String>,
    load: Load,
}

impl Task {
    fn from_words(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mode = match words.next()?.as_str() {
            "send" => "send",
            "consume" => "consume",
            "floor" => "floor",
            _ => return None,
        };
        let name_server = words.next()?;
        let topic = words.next()?;
        let mut number = || words.next()?.parse::<usize>().ok();
        let (messages, size, concurrency) = (number()?, number()?, number()?);
        let (mut driver, mut warmup, mut authority) = (Driver::Tokio, 0, None);
        while let Some(option) = words.next() {
            let value = words.next()?;
            match option.as_str() {
                "--runtime" => driver = *Driver::ALL.iter().find(|driver| driver.as_str() == value)?,
                "--warmup" => warmup = value.parse().ok()?,
                "--ca" => authority = Some(value),
                _ => return None,
            }
        }
        if messages == 0 || size == 0 || concurrency == 0 {
            return None;
        }
        let peer = match (mode, &authority) {
            ("floor", _) => "floor".to_owned(),
            (_, None) => format!("fusee {driver}"),
            (_, Some(_)) => format!("fusee {driver} TLS"),
        };
        let load = Load { peer, mode, messages, size, concurrency, warmup };
        Some(Self { name_server, topic, driver, authority, load })
    }

    fn run(&self) -> Result<Value, Failed> {
        match self.load.mode {
            "floor" => Ok(floor::run(&self.name_server, &self.topic, &self.load)?),
            "send" => self.driver.run(self.send()),
            _ => self.driver.run(self.consume()),
        }
    }

    async fn connect(&self) -> Result<Client, Failed> {
        let mut builder = Client::builder().name_servers([&self.name_server]).runtime(self.driver.runtime());
        if let Some(file) = &self.authority {
            builder = builder.tls(Tls::authorities(std::fs::read(file)?));
        }
        Ok(self.driver.connect(builder).await?)
    }

    async fn send(&self) -> Result<Value, Failed> {
        let client = self.connect().await?;
        let producer = client.producer("load").start().await?;
        self.send_so_many(&producer, self.load.warmup).await?;
        let stretch = Stretch::begin()?;
        let (errors, mut latencies) = self.send_so_many(&producer, self.load.messages).await?;
        let line = self.load.report(&stretch, errors, &mut latencies)?;
        client.close().await?;
        Ok(line)
    }

    async fn consume(&self) -> Result<Value, Failed> {
        let client = self.connect().await?;
        let queues = client.queues(self.topic.as_str()).await?;
        let mut pull = client.lite_pull("load").assign(queues).from(StartFrom::First).start().await?;
        let mut reading = Reading::default();
        while reading.left(self.load.warmup) {
            let poll = pull.poll(Duration::from_secs(10));
            reading.took(poll.await)?;
        }
        let stretch = reading.begin()?;
        while reading.left(self.load.messages) {
            let begun = Instant::now();
            let poll = pull.poll(Duration::from_secs(10));
            reading.took(poll.await)?;
            reading.latencies.push(begun.elapsed());
        }
        let line = self.load.report(&stretch, reading.errors, &mut reading.latencies)?;
        client.close().await?;
        Ok(line)
    }

    async fn send_so_many(&self, producer: &Producer, count: usize) -> Result<(usize, Latencies), Failed> {
        match self.driver {
            Driver::Threads | Driver::Driven => self.send_by_window(producer, count),
            Driver::Tokio | Driver::Current | Driver::Smol | Driver::AsyncStd => {
                self.send_by_tasks(producer, count).await
            }
        }
    }

    /// As many tasks as sends in flight.
    async fn send_by_tasks(&self, producer: &Producer, count: usize) -> Result<(usize, Latencies), Failed> {
        let taken = Arc::new(AtomicUsize::new(0));
        let body = bytes::Bytes::from(vec![b'x'; self.load.size]);
        let topic = Topic::new(&self.topic)?;
        let tasks = (0..self.load.concurrency).map(|_| {
            let (producer, taken, body, topic) =
                (producer.clone(), Arc::clone(&taken), body.clone(), topic.clone());
            let share = count / self.load.concurrency + 1;
            spawn(self.driver, async move {
                let (mut errors, mut latencies) = (0, Latencies::with_capacity(2 * share));
                while taken.fetch_add(1, Ordering::Relaxed) < count {
                    let begun = Instant::now();
                    let sent = producer.send(Message::new(topic.clone(), body.clone())).await;
                    latencies.push(begun.elapsed());
                    errors += usize::from(sent.is_err());
                }
                (errors, latencies)
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let (mut errors, mut all) = (0, Latencies::with_capacity(count));
        for task in tasks {
            let (failed, latencies) = task.await;
            errors += failed;
            all.append(latencies);
        }
        Ok((errors, all))
    }

    /// One thread and a window.
    fn send_by_window(&self, producer: &Producer, count: usize) -> Result<(usize, Latencies), Failed> {
        let body = bytes::Bytes::from(vec![b'x'; self.load.size]);
        let topic = Topic::new(&self.topic)?;
        let (mut errors, mut latencies) = (0, Latencies::with_capacity(count));
        let mut window = VecDeque::with_capacity(self.load.concurrency);
        for n in 0..count + self.load.concurrency {
            if window.len() == self.load.concurrency || n >= count {
                let Some((begun, oldest)): Option<(Instant, fusee::Pending<_, fusee::SendError>)> =
                    window.pop_front()
                else {
                    break;
                };
                errors += usize::from(oldest.wait().is_err());
                latencies.push(begun.elapsed());
            }
            if n < count {
                let begun = Instant::now();
                window.push_back((begun, producer.send(Message::new(topic.clone(), body.clone()))));
            }
        }
        Ok((errors, latencies))
    }
}

/// A task on that driver's executor, and what waits for its end.
fn spawn<T: Send + 'static>(
    driver: Driver,
    task: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T>>> {
    match driver {
        Driver::Smol => Box::pin(smol::spawn(task)),
        Driver::AsyncStd => Box::pin(async_std::task::spawn(task)),
        Driver::Tokio | Driver::Current | Driver::Threads | Driver::Driven => {
            let task = tokio::spawn(task);
            Box::pin(async { task.await.expect("a task that sends does not panic") })
        }
    }
}

/// How far reading has come.
#[derive(Default)]
struct Reading {
    read: usize,
    errors: usize,
    latencies: Latencies,
}

impl Reading {
    fn left(&self, wanted: usize) -> bool {
        self.read < wanted
    }

    fn took(&mut self, batch: Result<Vec<fusee::Received>, fusee::PollError>) -> Result<(), Failed> {
        match batch {
            Ok(batch) if batch.is_empty() => {
                Err(format!("nothing for 10 s after {} messages", self.read).into())
            }
            Ok(batch) => {
                self.read += batch.len();
                Ok(())
            }
            Err(fusee::PollError::Closed) => Err("the consumer was closed".into()),
            Err(_) => {
                self.errors += 1;
                Ok(())
            }
        }
    }

    fn begin(&mut self) -> io::Result<Stretch> {
        self.read = 0;
        Stretch::begin()
    }
}
