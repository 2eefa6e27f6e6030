//! A broker is killed with 1,000 sends in flight and started again: every send ends in bounded time, every one that
//! says stored is in the store, and none that says not stored is.

use std::collections::BTreeSet;
use std::time::Duration;

use fusee::{Message, Stored};

use crate::scenario::{Driver, Env, Needs, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const IN_FLIGHT: usize = 1000;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    // A connection that works, and an answer to be killed in the middle of.
    producer.send(Message::new(topic.as_str(), "first")).await?;
    let mut sends = Vec::new();
    for n in 0..IN_FLIGHT {
        sends.push((n, producer.send(Message::new(topic.as_str(), format!("#{n}: {}", "x".repeat(2000))))));
        if n == IN_FLIGHT / 2 {
            env.sleep(Duration::from_millis(3)).await;
        }
    }
    env.cluster().kill(0)?;
    let (outcomes, took) = timed(async {
        let mut outcomes = Vec::new();
        for (n, send) in sends {
            outcomes.push((n, send.await));
        }
        outcomes
    })
    .await;
    within(Duration::from_secs(8), took, "learning how the sends ended")?;
    env.cluster().restart(0)?;
    let (again, took) = timed(env.until(Duration::from_secs(60), "a send after the restart", async || {
        Ok(producer.send(Message::new(topic.as_str(), "after")).await.ok())
    }))
    .await;
    again?;
    let after = took;

    let (mut stored, mut not_stored, mut unknown) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (n, outcome) in &outcomes {
        match outcome {
            Ok(_) => drop(stored.insert(*n)),
            Err(error) if error.stored() == Stored::No => drop(not_stored.insert(*n)),
            Err(_) => unknown += 1,
        }
    }
    let found = env.cluster().scan(&topic)?;
    let number = |text: String| text.strip_prefix('#')?.split(':').next()?.parse::<usize>().ok();
    let found: BTreeSet<usize> = found.iter().filter_map(|message| number(message.text())).collect();
    let lost: Vec<_> = stored.difference(&found).collect();
    let ghosts: Vec<_> = not_stored.intersection(&found).collect();
    let lies = lost.len() + ghosts.len();
    holds(lies == 0, || format!("{lies} lies: said stored and is not {lost:?}, said not stored and is {ghosts:?}"))?;
    client.close().await?;
    Ok(format!(
        "stored {}, not stored {}, unknown {unknown} (of them found {}), lies {lies}; sends again {:.1}s after the restart",
        stored.len(),
        not_stored.len(),
        found.len() - stored.len(),
        after.as_secs_f64()
    ))
}
