//! Reading all queues of a topic to their end gives what an independent reader finds there: every message once, with
//! the same body, place, id and properties, each queue in its order.

use std::collections::BTreeMap;
use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 1000;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let message = |n: usize| {
        let body = format!("#{n} {}", "ü".repeat(n % 700));
        Message::new(topic.as_str(), body)
            .tag(format!("t{}", n % 3))
            .key(format!("k{n}"))
            .property("n", n.to_string())
    };
    let sends: Vec<_> = (0..COUNT).map(|n| producer.send(message(n))).collect();
    for send in sends {
        send.await?;
    }
    // Only then is the end that the reader is told the real one.
    let stored = env.stored_exactly(&topic, COUNT).await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = BTreeMap::new();
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        for received in batch {
            let queue = received.queue().queue;
            let expected = next.entry(queue).or_default();
            same(&received.offset(), expected, &format!("next offset of queue {queue}"))?;
            *expected += 1;
            holds(read.insert((queue, received.offset()), received).is_none(), || {
                "a message came twice".to_owned()
            })?;
        }
    }
    same(&read.len(), &COUNT, "messages read")?;
    for stored in &stored {
        let received = &read[&(stored.queue, stored.offset)];
        same(&received.body().as_ref(), &stored.body.as_slice(), "body")?;
        same(&Some(received.id().as_str()), &stored.uniq_key(), "id")?;
        same(&received.tag(), &stored.properties.get("TAGS").map(String::as_str), "tag")?;
        same(&received.keys().collect::<Vec<_>>().join(" "), &stored.properties["KEYS"], "keys")?;
        same(&received.property("n"), &stored.properties.get("n").map(String::as_str), "property")?;
        same(&received.attempt(), &1, "attempt")?;
    }
    pull.close().await?;
    client.close().await?;
    Ok(format!("{COUNT} messages"))
}
