//! Two name servers die and come back one after the other: sends to known and to new topics go on all the time.

use std::time::Duration;

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Tally, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster.name_servers(2));
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut tally = Tally::default();
    let mut longest = Duration::ZERO;
    for round in 0..2 {
        let other = env.topic(2)?;
        env.cluster().kill_name_server(round)?;
        for n in 0..10 {
            let text = format!("{round}/{n}");
            tally.add(&text, &producer.send(Message::new(topic.as_str(), text.as_str())).await);
        }
        let (outcome, took) = timed(producer.send(Message::new(other.as_str(), "x"))).await;
        within(Duration::from_secs(8), took, "finding a route at the other name server")?;
        outcome.map_err(|error| format!("a topic new to the client: {error}"))?;
        longest = longest.max(took);
        env.cluster().restart_name_server(round)?;
        env.cluster().await_routes()?;
    }
    holds(tally.unknown.is_empty() && tally.not_stored.is_empty(), || format!("{tally:?}"))?;
    let truth = tally.check(env, &topic).await?;
    client.close().await?;
    Ok(format!("{truth}; a new topic took {longest:.1?}"))
}
