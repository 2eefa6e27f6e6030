//! A body of 4 MiB is stored; one byte more is refused as illegal before it leaves.

use fusee::{Message, SendError, Stored};

use crate::scenario::{Driver, Env, Needs, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const LIMIT: usize = 4 << 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(1)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    match producer.send(Message::new(topic.as_str(), vec![1; LIMIT + 1])).await {
        Err(error @ SendError::Illegal(_)) => same(&error.stored(), &Stored::No, "stored")?,
        other => return Err(format!("one byte too many: {other:?}").into()),
    }
    // What does not compress.
    let body: Vec<u8> = (0..LIMIT as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    producer.send(Message::new(topic.as_str(), body.clone())).await?;
    let found = env.stored_exactly(&topic, 1).await?;
    same(&(found[0].body == body), &true, "the body is the one sent")?;
    client.close().await?;
    Ok(String::new())
}
