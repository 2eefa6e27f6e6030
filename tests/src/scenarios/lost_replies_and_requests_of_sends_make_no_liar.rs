//! Requests or their replies get lost, or the connection is reset before or after the broker had them, twenty times
//! each: what the client says of every send is true.

use std::time::Duration;

use fusee::Message;

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const SEND: i32 = 310;
const TIMES: usize = 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let mut said = Vec::new();
    for fault in [Fault::DropReply, Fault::DropRequest, Fault::ResetBefore, Fault::ResetBeforeReply] {
        let topic = env.topic(4)?;
        let client = env.connect_hastily_to(&proxies.name_server_addresses()).await?;
        let producer = client.producer(env.name("group")).start().await?;
        let broker = &proxies.brokers[0];
        let before = broker.hits(SEND);
        let mut tally = Tally::default();
        let mut n = 0;
        // Resets take whatever is in flight with them, so those come in small waves.
        let resets = matches!(fault, Fault::ResetBefore | Fault::ResetBeforeReply);
        let (waves, wave) = if resets { (TIMES, 10) } else { (1, 10 * TIMES) };
        for _ in 0..waves {
            broker.strike_after(2, SEND, TIMES / waves, fault.clone());
            let sends: Vec<_> = (0..wave)
                .map(|_| {
                    n += 1;
                    (n.to_string(), producer.send(Message::new(topic.as_str(), n.to_string())))
                })
                .collect();
            let (_, took) = timed(async {
                for (text, send) in sends {
                    tally.add(text, &send.await);
                }
            })
            .await;
            within(Duration::from_secs(5), took, "learning how the sends ended")?;
        }
        same(&(broker.hits(SEND) - before), &TIMES, &format!("{fault:?} struck"))?;
        let truth = tally.check(env, &topic).await?;
        client.close().await?;
        said.push(format!("{fault:?}: {truth}"));
    }
    Ok(said.join("; "))
}
