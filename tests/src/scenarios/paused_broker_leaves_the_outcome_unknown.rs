//! A broker that is stopped with its connections open: sends end at their deadline as unknown, and work again when it
//! goes on.

use std::time::Duration;

use fusee::{Message, Stored};

use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect_hastily().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut tally = Tally::default();
    tally.until_stored(env, &producer, &topic, "before").await?;
    env.cluster().pause(0)?;
    let (outcome, took) = timed(producer.send(Message::new(topic.as_str(), "meanwhile"))).await;
    env.cluster().resume(0)?;
    within(Duration::from_millis(4500), took, "a send to a stopped broker")?;
    tally.add("meanwhile", &outcome);
    let error = outcome.err().ok_or("a stopped broker answered")?;
    same(&error.stored(), &Stored::Unknown, &error.to_string())?;
    tally.until_stored(env, &producer, &topic, "after it went on").await?;
    tally.check(env, &topic).await?;
    client.close().await?;
    Ok(format!("{error}"))
}
