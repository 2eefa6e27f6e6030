//! The broker tells a client to go away (code 1500), again and again while it sends: every send succeeds on another
//! connection, and nothing is stored twice, for what was refused was not stored.

use fusee::Message;

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const SEND: i32 = 310;
const GO_AWAY: i32 = 1500;
const COUNT: usize = 200;
const TIMES: usize = 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let topic = env.topic(4)?;
    let client = env.connect_to(&proxies.name_server_addresses()).await?;
    let producer = client.producer(env.name("group")).start().await?;
    for _ in 0..TIMES {
        proxies.brokers[0].strike_after(COUNT / TIMES - 1, SEND, 1, Fault::Answer(GO_AWAY, "please go away"));
    }
    let mut tally = Tally::default();
    for wave in 0..COUNT / 10 {
        let sends: Vec<_> = (0..10)
            .map(|n| (wave * 10 + n).to_string())
            .map(|text| (text.clone(), producer.send(Message::new(topic.as_str(), text))))
            .collect();
        for (text, send) in sends {
            let outcome = send.await;
            if let Err(error) = &outcome {
                return Err(format!("send {text}: {error}").into());
            }
            tally.add(text, &outcome);
        }
    }
    let hits = proxies.brokers[0].hits(SEND);
    env.stored_exactly(&topic, COUNT).await?;
    let truth = tally.check(env, &topic).await?;
    same(
        &(hits >= TIMES - 1),
        &true,
        &format!("told to go away {hits} times, expected about {TIMES}; often enough"),
    )?;
    client.close().await?;
    Ok(format!("told to go away {hits} times; {truth}"))
}
