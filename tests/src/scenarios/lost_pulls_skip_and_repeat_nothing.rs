//! Pull requests or their replies get lost, or the connection is reset, twenty times each: the reader still gives every
//! message of every queue, once, in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fusee::{Message, StartFrom};

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const PULL: i32 = 11;
const TIMES: usize = 20;
const EACH: i64 = 40;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    // As many queues as losses, so that all wait for their timeouts at the same time.
    let queues = u32::try_from(TIMES)?;
    let topic = env.topic(queues)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let all = client.queues(topic.as_str()).await?;
    let mut sends = Vec::new();
    for queue in &all {
        for n in 0..EACH {
            sends.push(producer.send_to(queue, Message::new(topic.as_str(), n.to_string())));
        }
    }
    for send in sends {
        send.await?;
    }
    // Brokers store what is pipelined in an order of their own.
    let stored = env.stored_exactly(&topic, all.len() * EACH as usize).await?;
    let stored: BTreeMap<(i32, i64), String> =
        stored.iter().map(|stored| ((stored.queue, stored.offset), stored.text())).collect();
    client.close().await?;

    let mut said = Vec::new();
    for fault in [Fault::ResetBefore, Fault::ResetBeforeReply, Fault::DropRequest, Fault::DropReply] {
        let broker = &proxies.brokers[0];
        let before = broker.hits(PULL);
        let begun = Instant::now();
        broker.strike(PULL, TIMES, fault.clone());
        let client = env.connect_to(&proxies.name_server_addresses()).await?;
        let all = client.queues(topic.as_str()).await?;
        let mut pull = client.lite_pull(env.name("group")).assign(all).from(StartFrom::First).start().await?;
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let mut read = 0;
        env.until(Duration::from_secs(120), "everything read", async || {
            for received in pull.poll(Duration::from_secs(1)).await? {
                let queue = received.queue().queue;
                let expected = next.entry(queue).or_default();
                same(&received.offset(), expected, "the next offset")?;
                same(&received.text()?, &stored[&(queue, *expected)].as_str(), "the next message")?;
                *expected += 1;
                read += 1;
            }
            Ok::<_, Failed>((read == TIMES * EACH as usize).then_some(()))
        })
        .await
        .map_err(|error| format!("{fault:?}: {error}; {read} read"))?;
        let hits = broker.hits(PULL) - before;
        holds(hits == TIMES, || format!("{fault:?} struck {hits} times only"))?;
        drop(pull);
        client.close().await?;
        said.push(format!("{fault:?} {:.0}s", begun.elapsed().as_secs_f64()));
    }
    Ok(format!("{} messages read each time: {}", TIMES * EACH as usize, said.join(", ")))
}
