//! Brokers advertise addresses that must not be used from here, as behind NAT: a client with an address map goes where
//! the map says, sends and reads there, and still calls the brokers by the addresses they advertise.

use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::proxy::Proxies;
use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const SEND: i32 = 310;
const PULL: i32 = 11;
const COUNT: usize = 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let proxies = Proxies::before(env.cluster())?;
    let advertised: Vec<String> =
        (0..env.cluster().brokers()).map(|i| env.cluster().broker_addr(i)).collect();
    let map: Vec<(&String, String)> =
        advertised.iter().zip(proxies.brokers.iter().map(|proxy| proxy.address())).collect();
    // The name servers are asked directly, so that routes lead to the brokers themselves.
    let builder = env.builder().name_servers(env.cluster().name_servers()).address_map(map);
    let client = env.driver.connect(builder.send_deadline(Duration::from_secs(60))).await?;
    let producer = client.producer(env.name("group")).start().await?;
    for n in 0..COUNT {
        producer.send(Message::new(topic.as_str(), n.to_string())).await?;
    }
    env.stored_exactly(&topic, COUNT).await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = 0;
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        read += batch.len();
    }
    same(&read, &COUNT, "messages read")?;
    let seen = |code| proxies.brokers.iter().map(|proxy| proxy.seen(code)).sum::<usize>();
    holds(seen(SEND) >= COUNT, || format!("{} sends went by the map", seen(SEND)))?;
    holds(seen(PULL) > 0, || "no pull went by the map".to_owned())?;
    let brokers: Vec<String> = client
        .connections()
        .iter()
        .filter(|connection| connection.broker)
        .map(|connection| connection.address.to_string())
        .collect();
    holds(brokers.iter().all(|broker| advertised.contains(broker)), || {
        format!("brokers are called {brokers:?}")
    })?;
    pull.close().await?;
    client.close().await?;
    Ok(String::new())
}
