//! Brokers that enforce TLS and ask for client certificates: a client with both sends, reads and commits as on plain
//! connections.

use std::time::Duration;

use fusee::{Message, StartFrom, Tls};

use crate::broker::Secured;
use crate::broker::certificates::{Authority, Flavour};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| {
    cluster.secured(Secured { enforcing: true, mutual: true, flavour: Flavour::Good })
});
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 200;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let us = Authority::ours().client();
    let tls = Tls::authorities(Authority::ours().certificate()).identity(us.certificate, us.key);
    let builder = env.builder().name_servers(env.cluster().name_servers()).tls(tls);
    let client = env.driver.connect(builder.send_deadline(Duration::from_secs(60))).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut tally = Tally::default();
    let text = |n: usize| format!("#{n} {}", "z".repeat(n * 50));
    let sends: Vec<_> = (0..COUNT).map(|n| producer.send(Message::new(topic.as_str(), text(n)))).collect();
    for (n, send) in sends.into_iter().enumerate() {
        tally.add(text(n), &send.await);
    }
    same(&tally.stored.len(), &COUNT, "sends that succeeded")?;
    env.stored_exactly(&topic, COUNT).await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = 0;
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        for received in &batch {
            same(&tally.stored.contains_key(received.text()?), &true, "what is read was sent")?;
        }
        read += batch.len();
    }
    same(&read, &COUNT, "messages read")?;
    pull.commit().await?;
    pull.close().await?;
    client.close().await?;
    Ok(tally.check(env, &topic).await?.to_string())
}
