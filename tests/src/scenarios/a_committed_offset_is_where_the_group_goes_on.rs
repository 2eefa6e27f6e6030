//! What was committed is where another client of the group goes on; what was only read comes again.

use std::time::Duration;

use fusee::{Client, Message, StartFrom};

use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COUNT: usize = 60;
const COMMITTED: usize = 23;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(1)?;
    let group = env.name("group");
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    for n in 0..COUNT {
        producer.send(Message::new(topic.as_str(), n.to_string())).await?;
    }
    env.stored_exactly(&topic, COUNT).await?;
    let queues = client.queues(topic.as_str()).await?;
    let builder = client.lite_pull(&group).assign(queues.clone()).from(StartFrom::First).auto_commit(false);
    let mut pull = builder.pull_messages(1).start().await?;
    for n in 0..COMMITTED {
        let batch = pull.poll(Duration::from_secs(20)).await?;
        same(&batch.len(), &1, "messages of one poll")?;
        same(&batch[0].text()?, &n.to_string().as_str(), "message")?;
    }
    pull.commit().await?;
    same(&pull.position(&queues[0]), &Some(COMMITTED as i64), "position")?;
    // Read, but not committed.
    pull.poll(Duration::from_secs(20)).await?;
    drop(pull);
    client.close().await?;

    let client = env.connect().await?;
    same(&first(&client, &group, &topic).await?, &COMMITTED, "where the group goes on")?;
    let fresh = env.name("group");
    same(&first(&client, &fresh, &topic).await?, &0, "where a new group begins")?;
    let auto = client.lite_pull(&group).assign(queues.clone()).from(StartFrom::First);
    let mut pull = auto.start().await?;
    let mut read = 0;
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        read += batch.len();
    }
    same(&read, &(COUNT - COMMITTED), "messages left to read")?;
    pull.close().await?;
    // A closed reader with automatic commits has committed what it gave out.
    let mut pull = client.lite_pull(&group).assign(queues).from(StartFrom::First).start().await?;
    let rest = pull.poll_until_end(Duration::from_secs(20)).await?;
    holds(rest.is_none(), || format!("{} messages came again", rest.map_or(0, |rest| rest.len())))?;
    pull.close().await?;
    client.close().await?;
    Ok(String::new())
}

/// The number in the first message this group gets.
async fn first(client: &Client, group: &str, topic: &str) -> Result<usize, Failed> {
    let queues = client.queues(topic).await?;
    let builder = client.lite_pull(group).assign(queues).from(StartFrom::First).auto_commit(false);
    let mut pull = builder.start().await?;
    let batch = pull.poll(Duration::from_secs(20)).await?;
    Ok(batch.first().ok_or("nothing to read")?.text()?.parse()?)
}
