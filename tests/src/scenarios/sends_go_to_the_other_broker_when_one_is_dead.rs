//! One of two brokers dies, or stops with its connections open: sends go on at the other one, and none is a lie.

use std::time::Duration;

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Tally, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster.brokers(2));
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 100;
/// Long enough for a living broker of a busy machine, after what the dead one took of it.
const DEADLINE: Duration = Duration::from_secs(12);

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let builder = env.builder().name_servers(env.cluster().name_servers()).send_deadline(DEADLINE);
    let client = env.driver.connect(builder).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut tally = Tally::default();
    for n in 0..8 {
        let text = format!("both {n}");
        tally.add(&text, &producer.send(Message::new(topic.as_str(), text.as_str())).await);
    }
    let mut said = Vec::new();
    for what in ["paused", "killed"] {
        if what == "paused" {
            env.cluster().pause(1)?
        } else {
            env.cluster().kill(1)?
        }
        let mut failed = Vec::new();
        let mut longest = Duration::ZERO;
        for n in 0..COUNT {
            let text = format!("{what} {n}");
            let (outcome, took) = timed(producer.send(Message::new(topic.as_str(), text.as_str()))).await;
            longest = longest.max(took);
            tally.add(text, &outcome);
            failed.extend(outcome.err());
        }
        within(DEADLINE + Duration::from_secs(1), longest, "the longest send")?;
        holds(failed.is_empty(), || {
            format!("{} sends failed with a broker {what}: {}", failed.len(), failed[0])
        })?;
        if what == "paused" {
            env.cluster().resume(1)?
        } else {
            env.cluster().restart(1)?
        }
        said.push(format!("{what}: longest send {longest:.1?}"));
    }
    env.cluster().await_routes()?;
    let truth = tally.check(env, &topic).await?;
    client.close().await?;
    Ok(format!("{truth}; {}", said.join(", ")))
}
