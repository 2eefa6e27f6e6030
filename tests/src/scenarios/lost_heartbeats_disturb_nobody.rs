//! Heartbeats, or their answers, get lost twenty times for each way of getting lost: sends and reads go on, nothing is
//! skipped.

use std::collections::BTreeSet;
use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const HEARTBEAT: i32 = 34;
const TIMES: usize = 20;
const CLIENTS: usize = 8;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let topic = env.topic(2)?;
    let others_topic = env.topic(1)?;
    let builder = env.builder().name_servers(proxies.name_server_addresses());
    let builder = builder.heartbeat_interval(Duration::from_secs(1));
    // One is looked at; the others are there for their heartbeats, which begin with the first send to the broker.
    let client = env.driver.connect(builder.clone()).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut others = Vec::new();
    for _ in 0..CLIENTS - 1 {
        let other = env.driver.connect(builder.clone()).await?;
        let producer = other.producer(env.name("group")).start().await?;
        Tally::default().until_stored(env, &producer, &others_topic, "there").await?;
        others.push((other, producer));
    }
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let broker = &proxies.brokers[0];
    for fault in [Fault::ResetBefore, Fault::ResetBeforeReply, Fault::DropRequest, Fault::DropReply] {
        broker.strike(HEARTBEAT, TIMES, fault);
    }
    let mut wanted = BTreeSet::new();
    let mut read = BTreeSet::new();
    // A reset may have a send stored twice; one stored message must not come twice.
    let mut places = BTreeSet::new();
    let mut unknown = 0;
    env.until(Duration::from_secs(240), "eighty lost heartbeats", async || {
        let text = format!("#{}", wanted.len() + unknown);
        match producer.send(Message::new(topic.as_str(), text.as_str())).await {
            Ok(_) => drop(wanted.insert(text)),
            // A reset may cut a send, too.
            Err(_) => unknown += 1,
        }
        for received in pull.poll(Duration::from_millis(50)).await? {
            let place = (received.queue().queue, received.offset());
            holds(places.insert(place), || format!("a message came twice: {place:?}"))?;
            read.insert(received.text()?.to_owned());
        }
        Ok((broker.hits(HEARTBEAT) >= 4 * TIMES).then_some(()))
    })
    .await
    .map_err(|error| format!("{error}: {} struck", broker.hits(HEARTBEAT)))?;
    env.until(Duration::from_secs(60), "everything read", async || {
        for received in pull.poll(Duration::from_secs(1)).await? {
            read.insert(received.text()?.to_owned());
        }
        Ok(wanted.is_subset(&read).then_some(()))
    })
    .await?;
    same(&broker.hits(HEARTBEAT), &(4 * TIMES), "heartbeats lost")?;
    drop(pull);
    for (other, _) in others {
        other.close().await?;
    }
    client.close().await?;
    Ok(format!(
        "{} heartbeats lost; {} sends stored and read, {unknown} unknown, meanwhile",
        4 * TIMES,
        wanted.len()
    ))
}
