//! A connection over which nothing comes back, or nothing goes at all, without any end: sends end as unknown at their
//! deadline, and are right whether the broker had them or not. Afterwards sends work again.

use std::time::Duration;

use fusee::Message;

use crate::proxy::{Proxies, Way, Weather};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 50;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let topic = env.topic(2)?;
    let client = env.connect_hastily_to(&proxies.name_server_addresses()).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut tally = Tally::default();
    tally.until_stored(env, &producer, &topic, "first").await?;
    let swallows = || Weather { black_hole: true, ..Weather::default() };
    for (what, ways) in
        [("back", &[Way::Back][..]), ("there", &[Way::There]), ("both", &[Way::There, Way::Back])]
    {
        for way in ways {
            proxies.brokers[0].weather(*way, swallows());
        }
        let sends: Vec<_> = (0..COUNT)
            .map(|n| format!("{what} {n}"))
            .map(|text| (text.clone(), producer.send(Message::new(topic.as_str(), text))))
            .collect();
        let (_, took) = timed(async {
            for (text, send) in sends {
                tally.add(text, &send.await);
            }
        })
        .await;
        within(Duration::from_secs(5), took, what)?;
        proxies.brokers[0].heal();
        tally.until_stored(env, &producer, &topic, "a send on a healed line").await?;
    }
    let truth = tally.check(env, &topic).await?;
    client.close().await?;
    Ok(truth.to_string())
}
