//! Dropping the `Pending` of an admitted send loses the receipt and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Verdict};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 200;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    for n in 0..COUNT {
        drop(producer.send(Message::new(topic.as_str(), n.to_string())));
    }
    env.until(Duration::from_secs(10), "all dropped sends stored", async || {
        let found = env.cluster().scan(&topic)?;
        let texts: BTreeSet<String> = found.iter().map(|stored| stored.text()).collect();
        Ok((texts.len() == COUNT && found.len() == COUNT).then_some(()))
    })
    .await?;
    client.close().await?;
    Ok(String::new())
}
