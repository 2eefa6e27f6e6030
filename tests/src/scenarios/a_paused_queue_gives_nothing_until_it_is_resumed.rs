//! A paused queue gives nothing, the others go on; resumed, it goes on where it stopped, and nothing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const EACH: usize = 50;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    for queue in &queues {
        for n in 0..EACH {
            let body = format!("{}/{n}", queue.queue);
            producer.send_to(queue, Message::new(topic.as_str(), body)).await?;
        }
    }
    env.stored_exactly(&topic, 2 * EACH).await?;
    let mut pull =
        client.lite_pull(env.name("group")).assign(queues.clone()).from(StartFrom::First).start().await?;
    let paused = &queues[..1];
    pull.pause(paused);
    let mut read = BTreeSet::new();
    loop {
        let batch = pull.poll(Duration::from_secs(1)).await?;
        if batch.is_empty() && read.len() >= EACH {
            break;
        }
        for received in batch {
            holds(received.queue() != &paused[0], || "a paused queue gave a message".to_owned())?;
            holds(read.insert(received.text()?.to_owned()), || "a message came twice".to_owned())?;
        }
    }
    same(&read.len(), &EACH, "messages of the other queue")?;
    let end = pull.poll_until_end(Duration::from_millis(500)).await;
    holds(matches!(end, Ok(None)), || format!("a paused queue counts for the end: {end:?}"))?;
    pull.resume(paused);
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        for received in batch {
            holds(read.insert(received.text()?.to_owned()), || "a message came twice".to_owned())?;
        }
    }
    same(&read.len(), &(2 * EACH), "messages of both queues")?;
    pull.close().await?;
    client.close().await?;
    Ok(String::new())
}
