//! Polls that are dropped before they are ready take nothing with them.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::scenario::{Driver, Env, Needs, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 200;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let sends: Vec<_> =
        (0..COUNT).map(|n| producer.send(Message::new(topic.as_str(), n.to_string()))).collect();
    for send in sends {
        send.await?;
    }
    let mut read = Vec::new();
    let mut cancelled = 0;
    while read.len() < COUNT {
        // Looked at once, and dropped if it is not ready.
        let looked = pin!(pull.poll(Duration::from_secs(20))).poll(&mut Context::from_waker(Waker::noop()));
        let batch = match looked {
            std::task::Poll::Ready(batch) => batch?,
            std::task::Poll::Pending => {
                cancelled += 1;
                pull.poll(Duration::from_secs(20)).await?
            }
        };
        if batch.is_empty() {
            return Err(format!("{} of {COUNT} messages, and no more come", read.len()).into());
        }
        for received in batch {
            read.push(received.text()?.parse::<usize>()?);
        }
    }
    read.sort_unstable();
    same(&read, &(0..COUNT).collect(), "messages read")?;
    pull.close().await?;
    client.close().await?;
    Ok(format!("{cancelled} polls dropped"))
}
