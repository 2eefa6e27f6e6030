//! Loads a cluster and prints one line of JSON on what it cost:
//! `load send|consume|floor NAMESRV TOPIC COUNT SIZE CONCURRENCY [--runtime tokio|current|threads] [--warmup N]`
//!
//! - `send` keeps CONCURRENCY sends in flight: on tokio as many tasks, each awaiting its receipts; on threads one
//!   thread that waits for the oldest before it starts the next.
//! - `consume` reads COUNT messages that are stored already, all queues at once (CONCURRENCY is only reported); its
//!   latencies are those of polls.
//! - `floor` sends by a bare socket and two threads, without a client: what any client is measured against.

use std::collections::VecDeque;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fusee::{Client, LitePull, Message, Producer, Runtime, StartFrom, Topic};
use fusee_tests::floor;
use fusee_tests::measure::{Latencies, Load, Stretch};
use serde_json::Value;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: load send|consume|floor NAMESRV TOPIC COUNT SIZE CONCURRENCY \
                     [--runtime tokio|current|threads] [--warmup N]";

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Tokio,
    Current,
    Threads,
}

struct Task {
    name_server: String,
    topic: String,
    on: On,
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
        let (mut on, mut warmup) = (On::Tokio, 0);
        while let Some(option) = words.next() {
            match (option.as_str(), words.next()?.as_str()) {
                ("--runtime", "tokio") => on = On::Tokio,
                ("--runtime", "current") => on = On::Current,
                ("--runtime", "threads") => on = On::Threads,
                ("--warmup", count) => warmup = count.parse().ok()?,
                _ => return None,
            }
        }
        if messages == 0 || size == 0 || concurrency == 0 {
            return None;
        }
        let peer = match (mode, on) {
            ("floor", _) => "floor",
            (_, On::Tokio) => "fusee tokio",
            (_, On::Current) => "fusee current",
            (_, On::Threads) => "fusee threads",
        };
        let load = Load { peer: peer.to_owned(), mode, messages, size, concurrency, warmup };
        Some(Self { name_server, topic, on, load })
    }

    fn run(&self) -> Result<Value, Failed> {
        if self.load.mode == "floor" {
            return Ok(floor::run(&self.name_server, &self.topic, &self.load)?);
        }
        match self.on {
            On::Threads => self.on_threads(),
            On::Tokio => {
                tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.on_tokio())
            }
            On::Current => {
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.on_tokio())
            }
        }
    }

    async fn on_tokio(&self) -> Result<Value, Failed> {
        let client =
            Client::builder().name_servers([&self.name_server]).runtime(Runtime::Tokio).connect().await?;
        let line = if self.load.mode == "send" {
            let producer = client.producer("load").start().await?;
            self.send_by_tasks(&producer, self.load.warmup).await?;
            let stretch = Stretch::begin()?;
            let (errors, mut latencies) = self.send_by_tasks(&producer, self.load.messages).await?;
            self.load.report(&stretch, errors, &mut latencies)?
        } else {
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
            self.load.report(&stretch, reading.errors, &mut reading.latencies)?
        };
        client.close().await?;
        Ok(line)
    }

    fn on_threads(&self) -> Result<Value, Failed> {
        let client = Client::builder()
            .name_servers([&self.name_server])
            .runtime(Runtime::Blocking)
            .connect()
            .wait()?;
        let line = if self.load.mode == "send" {
            let producer = client.producer("load").start().wait()?;
            self.send_by_window(&producer, self.load.warmup)?;
            let stretch = Stretch::begin()?;
            let (errors, mut latencies) = self.send_by_window(&producer, self.load.messages)?;
            self.load.report(&stretch, errors, &mut latencies)?
        } else {
            let queues = client.queues(self.topic.as_str()).wait()?;
            let mut pull: LitePull =
                client.lite_pull("load").assign(queues).from(StartFrom::First).start().wait()?;
            let mut reading = Reading::default();
            while reading.left(self.load.warmup) {
                reading.took(pull.poll(Duration::from_secs(10)).wait())?;
            }
            let stretch = reading.begin()?;
            while reading.left(self.load.messages) {
                let begun = Instant::now();
                reading.took(pull.poll(Duration::from_secs(10)).wait())?;
                reading.latencies.push(begun.elapsed());
            }
            self.load.report(&stretch, reading.errors, &mut reading.latencies)?
        };
        client.close().wait()?;
        Ok(line)
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
            tokio::spawn(async move {
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
            let (failed, latencies) = task.await?;
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
