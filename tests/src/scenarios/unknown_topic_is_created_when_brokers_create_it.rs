//! The first send to a new topic makes it, when brokers make topics.

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Verdict};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let topic = env.name("new");
    let sends: Vec<_> =
        (0..10).map(|n| producer.send(Message::new(topic.as_str(), format!("#{n}")))).collect();
    for send in sends {
        send.await?;
    }
    env.stored_exactly(&topic, 10).await?;
    client.close().await?;
    Ok(String::new())
}
