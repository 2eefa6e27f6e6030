//! A reader goes to the begin, the end, an offset or a time of a queue, and what comes next is what lies there.

use std::time::{Duration, SystemTime};

use fusee::{LitePull, Message, Position, SeekError, StartFrom};

use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const HALF: usize = 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(1)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let send = async |from: usize| {
        for n in from..from + HALF {
            producer.send(Message::new(topic.as_str(), n.to_string())).await?;
        }
        Ok::<_, Failed>(())
    };
    send(0).await?;
    // The store's times have milliseconds; the margin keeps the two halves apart.
    env.sleep(Duration::from_millis(300)).await;
    let between = SystemTime::now();
    env.sleep(Duration::from_millis(300)).await;
    send(HALF).await?;
    let queues = client.queues(topic.as_str()).await?;
    let queue = &queues[0];
    let mut pull =
        client.lite_pull(env.name("group")).assign(queues.clone()).from(StartFrom::First).start().await?;
    same(&next(&mut pull).await?, &Some(0), "the first message")?;
    pull.seek(queue, Position::Offset(7))?;
    same(&next(&mut pull).await?, &Some(7), "after seeking an offset")?;
    pull.seek(queue, Position::Begin)?;
    same(&next(&mut pull).await?, &Some(0), "after seeking the begin")?;
    pull.seek(queue, Position::Time(between))?;
    // 4.9 gives the last message before that time, 5.x the first one after it; both are right by their own rule.
    let at = next(&mut pull).await?;
    holds(at == Some(HALF) || at == Some(HALF - 1), || format!("after seeking a time: {at:?}"))?;
    pull.seek(queue, Position::End)?;
    let silent = pull.poll(Duration::from_millis(500)).await?;
    same(&silent.len(), &0, "messages behind the end")?;
    producer.send(Message::new(topic.as_str(), "999")).await?;
    same(&next(&mut pull).await?, &Some(999), "the next message behind the end")?;
    // Offsets that do not exist.
    pull.seek(queue, Position::Offset(1_000_000))?;
    pull.poll(Duration::from_millis(500)).await?;
    producer.send(Message::new(topic.as_str(), "1000")).await?;
    same(&next(&mut pull).await?, &Some(1000), "an offset past the end is the end")?;
    same(&pull.seek(queue, Position::Offset(-1)), &Err(SeekError::Negative(-1)), "a negative offset")?;
    pull.close().await?;
    client.close().await?;
    Ok(format!("time between the halves gave #{}", at.unwrap_or_default()))
}

async fn next(pull: &mut LitePull) -> Result<Option<usize>, Failed> {
    let batch = pull.poll(Duration::from_secs(20)).await?;
    batch.first().map(|received| Ok(received.text()?.parse()?)).transpose()
}
