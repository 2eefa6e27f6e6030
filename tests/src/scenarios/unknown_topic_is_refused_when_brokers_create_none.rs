//! A topic that nobody made is an error with a hint, and the message is not stored, when brokers make no topics.

use std::time::Duration;

use fusee::{Message, Stored};

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster.auto_create(false));
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let topic = env.name("missing");
    let (outcome, took) = timed(producer.send(Message::new(topic.as_str(), "x"))).await;
    within(Duration::from_secs(5), took, "being refused")?;
    let error = outcome.err().ok_or("a topic that does not exist took a message")?;
    same(&error.stored(), &Stored::No, "stored")?;
    holds(error.to_string().contains(&topic), || format!("the error does not name the topic: {error}"))?;
    holds(error.hint().is_some_and(|hint| hint.contains("topic")), || format!("hint: {:?}", error.hint()))?;
    holds(client.queues(topic.as_str()).await.is_err(), || {
        "a topic that does not exist has queues".to_owned()
    })?;
    client.close().await?;
    Ok(error.to_string())
}
