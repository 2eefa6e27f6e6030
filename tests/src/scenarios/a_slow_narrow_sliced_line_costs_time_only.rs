//! A line with 200 ms latency, 64 KiB/s, or bytes that come in slices of one to seven: every send succeeds, everything
//! is read, nothing is sent twice.

use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::proxy::{Proxies, Proxy, Way, Weather};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 100;

pub(super) async fn run(env: &Env) -> Verdict {
    let lines = [
        ("slow", Weather { latency: Duration::from_millis(200), ..Weather::default() }, COUNT),
        ("narrow", Weather { bandwidth: 64 << 10, ..Weather::default() }, COUNT),
        ("slices of 1", Weather { slice: 1, ..Weather::default() }, 10),
        ("slices of 7", Weather { slice: 7, ..Weather::default() }, 20),
    ];
    let mut said = Vec::new();
    for (what, weather, count) in lines {
        let proxies = Proxies::before(env.cluster())?;
        let servers: Vec<&Proxy> = proxies.name_servers.iter().chain(&proxies.brokers).collect();
        for proxy in servers {
            proxy.weather(Way::There, weather.clone());
            proxy.weather(Way::Back, weather.clone());
        }
        let topic = env.topic(2)?;
        let client = env.connect_to(&proxies.name_server_addresses()).await?;
        let producer = client.producer(env.name("group")).start().await?;
        let mut tally = Tally::default();
        let text = |n: usize| format!("#{n} {}", "y".repeat(500));
        let sends: Vec<_> =
            (0..count).map(|n| producer.send(Message::new(topic.as_str(), text(n)))).collect();
        for (n, send) in sends.into_iter().enumerate() {
            tally.add(text(n), &send.await);
        }
        same(&tally.stored.len(), &count, &format!("{what}: sends that succeeded"))?;
        env.stored_exactly(&topic, count).await?;
        let queues = client.queues(topic.as_str()).await?;
        let mut pull =
            client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
        let mut read = 0;
        while let Some(batch) = pull.poll_until_end(Duration::from_secs(30)).await? {
            read += batch.len();
        }
        same(&read, &count, &format!("{what}: messages read"))?;
        pull.close().await?;
        client.close().await?;
        let truth = tally.check(env, &topic).await?;
        said.push(format!("{what}: {truth}"));
    }
    Ok(said.join("; "))
}
