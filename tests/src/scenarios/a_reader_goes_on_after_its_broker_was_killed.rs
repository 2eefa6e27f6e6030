//! The broker dies under a reader and comes back: the reader goes on by itself, and every message stored is read.

use std::collections::BTreeSet;
use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::scenario::{Driver, Env, Needs, Verdict, holds};

pub(super) const NEEDS: Needs = Needs::Own(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const HALF: usize = 100;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let mut wanted = BTreeSet::new();
    for n in 0..HALF {
        producer.send(Message::new(topic.as_str(), n.to_string())).await?;
        wanted.insert(n.to_string());
    }
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = BTreeSet::new();
    while read.len() < HALF / 2 {
        for received in pull.poll(Duration::from_secs(20)).await? {
            read.insert(received.text()?.to_owned());
        }
    }
    env.cluster().kill(0)?;
    pull.poll(Duration::from_millis(200)).await?.iter().try_for_each(|received| {
        read.insert(received.text()?.to_owned());
        Ok::<_, fusee::NotText>(())
    })?;
    env.cluster().restart(0)?;
    for n in HALF..2 * HALF {
        let text = n.to_string();
        env.until(Duration::from_secs(60), "a send after the restart", async || {
            Ok(producer.send(Message::new(topic.as_str(), text.as_str())).await.ok())
        })
        .await?;
        wanted.insert(text);
    }
    env.until(Duration::from_secs(60), "every message read", async || {
        for received in pull.poll(Duration::from_secs(1)).await? {
            read.insert(received.text()?.to_owned());
        }
        Ok(wanted.is_subset(&read).then_some(()))
    })
    .await
    .map_err(|error| {
        format!("{error}; missing {:?}", wanted.difference(&read).take(10).collect::<Vec<_>>())
    })?;
    holds(read.is_subset(&wanted), || "messages came that nobody sent".to_owned())?;
    pull.close().await?;
    client.close().await?;
    Ok(String::new())
}
