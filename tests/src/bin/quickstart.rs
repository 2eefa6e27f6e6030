//! Shows that it works: starts a real broker, sends from tokio and from threads, reads everything back, checks it.
//!
//! `quickstart [NAMESRV]`: with the address of a name server it uses that cluster instead of starting one.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fusee::{Client, Message, StartFrom};
use fusee_tests::broker::{Cluster, Version};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const EACH: usize = 1000;

fn main() -> ExitCode {
    match run(std::env::args().nth(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("quickstart: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: Option<String>) -> Result<(), Failed> {
    let begun = Instant::now();
    let topic = format!("quickstart-{}", std::process::id());
    let (name_server, cluster) = match given {
        Some(address) => (address, None),
        None => {
            println!(
                "Starting a real Apache RocketMQ {} broker (Java; the first time its jars are fetched)...",
                Version::V5_5_0
            );
            let cluster = Cluster::builder(Version::V5_5_0).start()?;
            cluster.create_topic(&topic, 4)?;
            let address = cluster.name_servers().join(";");
            println!("  up after {:.1} s, name server at {address}", begun.elapsed().as_secs_f64());
            (address, Some(cluster))
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;

    let sending = Instant::now();
    let receipt = runtime.block_on(from_tokio(&name_server, &topic))?;
    println!("tokio:   {EACH} messages sent in {:.0} ms, the last one: {receipt}", millis(sending));
    let sending = Instant::now();
    let receipt = from_threads(&name_server, &topic)?;
    println!("threads: {EACH} messages sent in {:.0} ms, the last one: {receipt}", millis(sending));

    let wanted: BTreeSet<String> =
        ["tokio", "threads"].iter().flat_map(|from| (0..EACH).map(move |n| format!("{from} #{n}"))).collect();
    let reading = Instant::now();
    let read = runtime.block_on(read_on_tokio(&name_server, &topic, wanted.len()))?;
    check(&read, &wanted)?;
    println!(
        "tokio:   {} messages read back in {:.0} ms, each exactly as it was sent",
        read.len(),
        millis(reading)
    );
    let reading = Instant::now();
    let read = read_on_threads(&name_server, &topic, wanted.len())?;
    check(&read, &wanted)?;
    println!(
        "threads: {} messages read back in {:.0} ms, each exactly as it was sent",
        read.len(),
        millis(reading)
    );

    if let Some(cluster) = cluster {
        let stored = cluster.scan(&topic)?.iter().map(|message| message.text()).collect::<Vec<_>>();
        check(&stored, &wanted)?;
        println!("An independent reader finds the same {} messages in the broker's store.", stored.len());
    }
    println!("All good, after {:.1} s.", begun.elapsed().as_secs_f64());
    Ok(())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

async fn from_tokio(name_server: &str, topic: &str) -> Result<String, Failed> {
    let client = fusee::connect(name_server).await?;
    let producer = client.producer("quickstart").start().await?;
    let sends: Vec<_> =
        (0..EACH).map(|n| producer.send(Message::new(topic, format!("tokio #{n}")))).collect();
    let mut last = String::new();
    for send in sends {
        last = send.await?.to_string();
    }
    client.close().await?;
    Ok(last)
}

fn from_threads(name_server: &str, topic: &str) -> Result<String, Failed> {
    let client = fusee::blocking::connect(name_server).wait()?;
    let producer = client.producer("quickstart").start().wait()?;
    let sends: Vec<_> =
        (0..EACH).map(|n| producer.send(Message::new(topic, format!("threads #{n}")))).collect();
    let mut last = String::new();
    for send in sends {
        last = send.wait()?.to_string();
    }
    client.close().wait()?;
    Ok(last)
}

async fn read_on_tokio(name_server: &str, topic: &str, count: usize) -> Result<Vec<String>, Failed> {
    let client: Client = fusee::connect(name_server).await?;
    let queues = client.queues(topic).await?;
    let mut pull = client.lite_pull("quickstart-tokio").assign(queues).from(StartFrom::First).start().await?;
    let mut read = Vec::new();
    while read.len() < count {
        let batch = pull.poll(Duration::from_secs(10)).await?;
        if batch.is_empty() {
            break;
        }
        for message in batch {
            read.push(message.text()?.to_owned());
        }
    }
    pull.close().await?;
    client.close().await?;
    Ok(read)
}

fn read_on_threads(name_server: &str, topic: &str, count: usize) -> Result<Vec<String>, Failed> {
    let client = fusee::blocking::connect(name_server).wait()?;
    let queues = client.queues(topic).wait()?;
    let mut pull =
        client.lite_pull("quickstart-threads").assign(queues).from(StartFrom::First).start().wait()?;
    let mut read = Vec::new();
    while read.len() < count {
        let batch = pull.poll(Duration::from_secs(10)).wait()?;
        if batch.is_empty() {
            break;
        }
        for message in batch {
            read.push(message.text()?.to_owned());
        }
    }
    pull.close().wait()?;
    client.close().wait()?;
    Ok(read)
}

fn check(read: &[String], wanted: &BTreeSet<String>) -> Result<(), Failed> {
    let found: BTreeSet<String> = read.iter().cloned().collect();
    if found == *wanted && read.len() == wanted.len() {
        return Ok(());
    }
    let missing = wanted.difference(&found).count();
    let strange = found.difference(wanted).count();
    Err(format!(
        "read {} messages: {missing} missing, {strange} that nobody sent, {} twice",
        read.len(),
        read.len() - found.len()
    )
    .into())
}
