//! The name server dies after the start: sends to topics whose route is known go on, one to a new topic ends in an
//! error, and that one works when the name server is back.

use std::time::Duration;

use fusee::{Message, Stored};

use crate::scenario::{Driver, Env, Needs, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let other = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    // Only this one has no route of the other topic.
    let hasty = env.connect_hastily().await?;
    let lost = hasty.producer(env.name("group")).start().await?;
    producer.send(Message::new(topic.as_str(), "before")).await?;
    env.cluster().kill_name_server(0)?;
    for n in 0..20 {
        producer.send(Message::new(topic.as_str(), format!("#{n}"))).await?;
    }
    let (outcome, took) = timed(lost.send(Message::new(other.as_str(), "nobody knows where"))).await;
    within(Duration::from_secs(4), took, "a send without a route")?;
    let error = outcome.err().ok_or("a route came from a dead name server")?;
    same(&error.stored(), &Stored::No, &error.to_string())?;
    env.cluster().restart_name_server(0)?;
    env.cluster().await_routes()?;
    env.until(Duration::from_secs(40), "a send to the other topic", async || {
        Ok(lost.send(Message::new(other.as_str(), "now")).await.ok())
    })
    .await?;
    env.stored_exactly(&topic, 21).await?;
    hasty.close().await?;
    client.close().await?;
    Ok(error.to_string())
}
