//! The functions that users call, one for each runtime, lead to the same client: what it sends is stored, and it reads
//! that back.

use std::thread;
use std::time::Duration;

use fusee::{Client, Message, StartFrom, rt};

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let name_servers = env.cluster().name_servers().join(";");
    let client = match env.driver {
        Driver::Tokio | Driver::Current => fusee::connect(&name_servers).await?,
        Driver::Threads => fusee::blocking::connect(&name_servers).await?,
        Driver::Smol => fusee::smol::connect(&name_servers).await?,
        Driver::AsyncStd => fusee::async_std::connect(&name_servers).await?,
        Driver::Driven => {
            let builder = Client::builder().name_servers([&name_servers]).runtime(rt::AsyncIo);
            let (connecting, driver) = builder.into_driver();
            thread::spawn(|| smol::block_on(driver));
            connecting.await?
        }
    };
    let producer = client.producer(env.name("group")).start().await?;
    let message = || Message::new(topic.as_str(), "here");
    // On a machine that also starts brokers the three seconds of a client with default settings may not do.
    let receipt = env
        .until(Duration::from_secs(60), "a receipt", async || Ok(producer.send(message()).await.ok()))
        .await?;
    env.stored(&topic, |found| !found.is_empty()).await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = Vec::new();
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        read.extend(batch);
    }
    holds(read.iter().any(|received| received.id().as_str() == &*receipt.id), || {
        "it was not read".to_owned()
    })?;
    for received in &read {
        same(&received.text()?, &"here", "what was read")?;
    }
    pull.close().await?;
    let report = client.close().await?;
    holds(!report.cut_short, || report.to_string())?;
    Ok(String::new())
}
