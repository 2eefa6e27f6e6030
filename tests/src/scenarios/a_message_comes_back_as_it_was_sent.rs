//! What a producer is given is what lies in the store, byte for byte, and its receipt says where.

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let body: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let message = Message::new(topic.as_str(), body.clone())
        .tag("paid")
        .key("o-1")
        .key("o-2")
        .property("region", "eu \"quoted\" \\ ünïcode\t🚀")
        .flag(-7);
    let receipt = producer.send(message).await?;
    let found = env.stored_exactly(&topic, 1).await?;
    let stored = &found[0];
    same(&stored.body, &body, "body")?;
    same(&stored.flag, &-7, "flag")?;
    for (name, value) in [("TAGS", "paid"), ("KEYS", "o-1 o-2"), ("region", "eu \"quoted\" \\ ünïcode\t🚀")]
    {
        same(&stored.properties.get(name).map(String::as_str), &Some(value), name)?;
    }
    same(&stored.uniq_key(), &Some(receipt.id.as_str()), "id")?;
    same(&stored.offset, &receipt.offset, "offset")?;
    same(
        &(stored.queue, stored.broker.as_str()),
        &(receipt.queue.queue, receipt.queue.broker.as_str()),
        "queue",
    )?;
    client.close().await?;
    Ok(String::new())
}
