//! Shows that it works: sends and reads on every driver, and holds what was read against the store.
//!
//! `quickstart`: against a model cluster in this process, no Java needed. `quickstart --namesrv HOST:PORT` (or the
//! variable `FUSEE_NAMESRV`): against that cluster. `quickstart --real [4.9.4|5.5.0]`: starts a real broker first.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fusee::{Client, Message, StartFrom};
use fusee_tests::broker::{self, Version};
use fusee_tests::scenario::Driver;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: quickstart [--namesrv HOST:PORT | --real [4.9.4|5.5.0]]";
const EACH: usize = 1000;
const QUEUES: u32 = 4;
/// Longer than any cluster that works takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the messages go.
enum Target {
    Model(fusee_sim::Cluster),
    Real(Box<broker::Cluster>),
    Given(String),
}

/// What is asked for on the command line.
enum Wish {
    Model,
    Real(Version),
    Given(String),
}

/// A message, without its place: body, tag and key.
type Content = (String, String, String);
/// Broker, queue and offset.
type Place = (String, i32, i64);

fn main() -> ExitCode {
    let Some(wish) = wish(std::env::args().skip(1), std::env::var("FUSEE_NAMESRV").ok()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(wish) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("quickstart: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn wish(mut words: impl Iterator<Item = String>, variable: Option<String>) -> Option<Wish> {
    let wish = match words.next().as_deref() {
        None => variable.filter(|value| !value.is_empty()).map_or(Wish::Model, Wish::Given),
        Some("--namesrv") => Wish::Given(words.next()?),
        Some("--real") => match words.next() {
            None => Wish::Real(Version::V5_5_0),
            Some(word) => Wish::Real(Version::ALL.into_iter().find(|version| version.as_str() == word)?),
        },
        Some(_) => return None,
    };
    words.next().is_none().then_some(wish)
}

fn run(wish: Wish) -> Result<(), Failed> {
    let begun = Instant::now();
    let topic = format!("quickstart-{}", std::process::id());
    let target = start(wish, &topic)?;
    let name_servers = target.name_servers();

    println!("\nEach driver sends {EACH} messages, {EACH} at a time:");
    let mut sent = BTreeMap::new();
    for driver in Driver::ALL {
        let begun = Instant::now();
        let receipts = driver.run(send(*driver, &name_servers, &topic))?;
        println!("  {:10} {:>6.0} ms   the last one: {}", driver.as_str(), millis(begun), receipts.last);
        sent.extend(receipts.places);
    }
    println!("Each driver reads all {} of them:", sent.len());
    for driver in Driver::ALL {
        let begun = Instant::now();
        let read = driver.run(read(*driver, &name_servers, &topic, sent.len()))?;
        same(&read, &sent, "what was read", "what was sent")?;
        println!(
            "  {:10} {:>6.0} ms   each where its receipt says, and as it was sent",
            driver.as_str(),
            millis(begun)
        );
    }
    if let Some(stored) = target.stored(&topic)? {
        same(&stored, &sent, "what is stored", "what was sent")?;
        println!("The brokers' own store holds these {} messages and no other.", stored.len());
    }
    println!("All good, after {:.1} s.", begun.elapsed().as_secs_f64());
    if matches!(target, Target::Model(_)) {
        println!(
            "\nThe same against a cluster of yours: add `-- --namesrv HOST:PORT`, or set FUSEE_NAMESRV=HOST:PORT.\n\
             Against a real broker, started here with Java and Maven: add `-- --real 5.5.0` or `-- --real 4.9.4`."
        );
    }
    Ok(())
}

fn start(wish: Wish, topic: &str) -> Result<Target, Failed> {
    let begun = Instant::now();
    let target = match wish {
        Wish::Given(address) => {
            println!("The cluster at {address}; it has {topic}, or makes it when somebody sends to it.");
            return Ok(Target::Given(address));
        }
        Wish::Model => {
            println!(
                "A model of an Apache RocketMQ 5.5.0 cluster in this process: 2 brokers on loopback, no Java."
            );
            let builder = fusee_sim::Cluster::builder().brokers(2).topic(topic, QUEUES.cast_signed());
            Target::Model(builder.try_start()?)
        }
        Wish::Real(version) => {
            println!(
                "A real Apache RocketMQ {version} broker (Java; the first time Maven brings its jars)..."
            );
            let cluster = broker::Cluster::builder(version).start()?;
            cluster.create_topic(topic, QUEUES)?;
            Target::Real(Box::new(cluster))
        }
    };
    println!("Up after {:.1} ms, its name server is {}.", millis(begun), target.name_servers());
    Ok(target)
}

impl Target {
    fn name_servers(&self) -> String {
        match self {
            Self::Model(cluster) => cluster.addr(),
            Self::Real(cluster) => cluster.name_servers().join(";"),
            Self::Given(address) => address.clone(),
        }
    }

    /// What the brokers hold, by other eyes than the client's; of somebody else's cluster that is not known.
    fn stored(&self, topic: &str) -> Result<Option<BTreeMap<Place, Content>>, Failed> {
        let name_servers = match self {
            Self::Model(_) | Self::Real(_) => self.name_servers(),
            Self::Given(_) => return Ok(None),
        };
        let stored = fusee_tests::raw::Caller::default().scan(&name_servers, topic)?;
        let content = |stored: &fusee_tests::raw::Stored| {
            let property = |name: &str| stored.properties.get(name).cloned().unwrap_or_default();
            (stored.text(), property("TAGS"), property("KEYS"))
        };
        let place = |stored: &fusee_tests::raw::Stored| (stored.broker.clone(), stored.queue, stored.offset);
        if let Self::Model(cluster) = self {
            // Also by the store itself: a reader over TCP cannot show what the broker keeps to itself.
            let held = cluster.topic(topic).len();
            if held != stored.len() {
                return Err(format!("the store holds {held} messages, and gives out {}", stored.len()).into());
            }
        }
        Ok(Some(stored.iter().map(|stored| (place(stored), content(stored))).collect()))
    }
}

struct Receipts {
    last: String,
    places: BTreeMap<Place, Content>,
}

async fn send(driver: Driver, name_servers: &str, topic: &str) -> Result<Receipts, Failed> {
    let client = connect(driver, name_servers).await?;
    let producer = client.producer("quickstart").start().await?;
    let sends: Vec<_> = (0..EACH)
        .map(|n| {
            let (body, tag, key) = (format!("{driver} #{n}"), format!("t{}", n % 3), format!("{driver}-{n}"));
            let message = Message::new(topic, body.clone()).tag(&tag).key(&key);
            (producer.send(message), (body, tag, key))
        })
        .collect();
    let mut receipts = Receipts { last: String::new(), places: BTreeMap::new() };
    for (send, content) in sends {
        let receipt = send.await?;
        receipts.last = receipt.to_string();
        let place = (receipt.queue.broker.as_str().to_owned(), receipt.queue.queue, receipt.offset);
        receipts.places.insert(place, content);
    }
    client.close().await?;
    Ok(receipts)
}

async fn read(
    driver: Driver,
    name_servers: &str,
    topic: &str,
    count: usize,
) -> Result<BTreeMap<Place, Content>, Failed> {
    let client = connect(driver, name_servers).await?;
    let queues = client.queues(topic).await?;
    let group = format!("quickstart-{driver}");
    let mut pull = client.lite_pull(&group).assign(queues).from(StartFrom::First).start().await?;
    let mut read = BTreeMap::new();
    let mut messages = 0;
    while messages < count {
        let batch = pull.poll(PATIENCE).await?;
        if batch.is_empty() {
            break;
        }
        messages += batch.len();
        for message in batch {
            let place = (message.queue().broker.as_str().to_owned(), message.queue().queue, message.offset());
            let keys = message.keys().collect::<Vec<_>>().join(" ");
            let content = (message.text()?.to_owned(), message.tag().unwrap_or_default().to_owned(), keys);
            if read.insert(place, content).is_some() {
                return Err("a message was read twice".into());
            }
        }
    }
    pull.close().await?;
    client.close().await?;
    Ok(read)
}

async fn connect(driver: Driver, name_servers: &str) -> Result<Client, Failed> {
    let builder = Client::builder().runtime(driver.runtime()).name_servers([name_servers]);
    Ok(driver.connect(builder).await?)
}

fn same(
    found: &BTreeMap<Place, Content>,
    wanted: &BTreeMap<Place, Content>,
    what: &str,
    whose: &str,
) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    let missing = wanted.iter().filter(|(place, content)| found.get(*place) != Some(content)).count();
    let strange = found.iter().filter(|(place, content)| wanted.get(*place) != Some(content)).count();
    Err(format!("{what} is not {whose}: {missing} missing or changed, {strange} that should not be").into())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
