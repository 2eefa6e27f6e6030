//! A send starts when it is called, not when it is awaited; sends to one queue leave in the order of the calls.

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 300;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    same(&queues.len(), &2, "queues")?;
    let send = |n: usize| producer.send_to(&queues[0], Message::new(topic.as_str(), format!("#{n}")));
    let mut sends: Vec<_> = (0..COUNT).map(send).collect();
    // The last one is awaited first: the others must not need it.
    let last = sends.pop().expect("there are sends").await?;
    let mut ids = Vec::new();
    for send in sends {
        ids.push(send.await?.id);
    }
    ids.push(last.id);
    let found = env.stored_exactly(&topic, COUNT).await?;
    holds(found.iter().all(|stored| stored.queue == queues[0].queue), || {
        "a message is in the other queue".to_owned()
    })?;
    let mut unsorted = 0;
    for (n, stored) in found.iter().enumerate() {
        unsorted += usize::from(stored.text() != format!("#{n}"));
    }
    for id in &ids {
        holds(found.iter().any(|stored| stored.uniq_key() == Some(id.as_str())), || {
            format!("{id} is not stored")
        })?;
    }
    client.close().await?;
    // The broker's threads may overtake each other; that all left in order is seen when it has one thread for it.
    Ok(format!("{COUNT} pipelined, {unsorted} stored out of order by the broker"))
}
