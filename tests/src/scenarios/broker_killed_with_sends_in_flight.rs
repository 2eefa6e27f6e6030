//! A broker is killed with 1,000 sends in flight and started again: every send ends in bounded time, every one that
//! says stored is in the store, none that says not stored is, and sends work again.

use std::collections::VecDeque;
use std::time::Duration;

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const IN_FLIGHT: usize = 1000;
const BEFORE: usize = 700;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect_hastily().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let text = |n: usize| format!("#{n} {}", "x".repeat(1000));
    let send = |n: usize| (n, producer.send(Message::new(topic.as_str(), text(n))));
    let mut tally = Tally::default();
    let mut in_flight: VecDeque<_> = (0..IN_FLIGHT).map(send).collect();
    for n in 0..BEFORE {
        let (first, oldest) = in_flight.pop_front().expect("a thousand are in flight");
        tally.add(text(first), &oldest.await);
        in_flight.push_back(send(IN_FLIGHT + n));
    }
    same(&in_flight.len(), &IN_FLIGHT, "sends not yet awaited")?;
    env.cluster().kill(0)?;
    let (_, took) = timed(async {
        for (n, send) in in_flight {
            tally.add(text(n), &send.await);
        }
    })
    .await;
    within(Duration::from_secs(8), took, "learning how the sends ended")?;
    env.cluster().restart(0)?;
    let again = tally.until_stored(env, &producer, &topic, "a send after the restart");
    let (again, after) = timed(again).await;
    again?;
    let truth = tally.check(env, &topic).await?;
    client.close().await?;
    Ok(format!("{truth}; all ended after {took:.1?}, the first send after the restart took {after:.1?}"))
}
