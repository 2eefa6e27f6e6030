//! A broker that is stopped with its connections open: sends end at their deadline as unknown, and work again when it
//! goes on.

use std::time::Duration;

use fusee::{Message, Stored};

use crate::raw;
use crate::scenario::{Driver, Env, Needs, Verdict, holds, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    producer.send(Message::new(topic.as_str(), "before")).await?;
    env.cluster().pause(0)?;
    let (outcome, took) = timed(producer.send(Message::new(topic.as_str(), "meanwhile"))).await;
    env.cluster().resume(0)?;
    within(Duration::from_millis(4500), took, "a send to a stopped broker")?;
    let error = outcome.err().ok_or("a stopped broker answered")?;
    same(&error.stored(), &Stored::Unknown, &error.to_string())?;
    env.until(Duration::from_secs(30), "a send after it went on", async || {
        Ok(producer.send(Message::new(topic.as_str(), "after")).await.ok())
    })
    .await?;
    let is_there = |found: &[raw::Stored]| found.iter().any(|stored| stored.text() == "after");
    let found = env.stored(&topic, is_there).await?;
    holds(is_there(&found), || "what was sent afterwards is not stored".to_owned())?;
    client.close().await?;
    Ok(format!("{error}"))
}
