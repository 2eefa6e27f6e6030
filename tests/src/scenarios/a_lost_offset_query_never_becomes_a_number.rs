//! The question for a group's committed offset, or its answer, gets lost twenty times in a row: the reader waits, and
//! begins where the group stopped, never at the begin or the end.

use std::time::{Duration, Instant};

use fusee::{Message, StartFrom};

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const QUERY_OFFSET: i32 = 14;
const QUEUES: usize = 20;
const COMMITTED: i64 = 7;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let topic = env.topic(u32::try_from(QUEUES)?)?;
    let group = env.name("group");
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut sends = Vec::new();
    for queue in &queues {
        for n in 0..COMMITTED + 5 {
            sends.push(producer.send_to(queue, Message::new(topic.as_str(), n.to_string())));
        }
    }
    for send in sends {
        send.await?;
    }
    env.cluster().create_group(&group)?;
    for queue in &queues {
        env.cluster().commit(&group, &topic, queue.queue, COMMITTED)?;
    }
    client.close().await?;

    let mut said = Vec::new();
    for fault in [
        Fault::ResetBefore,
        Fault::ResetBeforeReply,
        Fault::DropRequest,
        Fault::DropReply,
        Fault::Answer(1, "no idea"),
    ] {
        let broker = &proxies.brokers[0];
        let before = broker.hits(QUERY_OFFSET);
        broker.strike(QUERY_OFFSET, QUEUES, fault.clone());
        let begun = Instant::now();
        let client = env.connect_to(&proxies.name_server_addresses()).await?;
        let queues = client.queues(topic.as_str()).await?;
        let reader = client.lite_pull(&group).assign(queues).from(StartFrom::First).auto_commit(false);
        let mut pull = reader.start().await?;
        let mut first = std::collections::BTreeMap::new();
        env.until(Duration::from_secs(90), "the first message of every queue", async || {
            for received in pull.poll(Duration::from_secs(1)).await? {
                first.entry(received.queue().queue).or_insert(received.offset());
            }
            Ok::<_, Failed>((first.len() == QUEUES).then_some(()))
        })
        .await
        .map_err(|error| format!("{fault:?}: {error}; {} queues began", first.len()))?;
        holds(first.values().all(|offset| *offset == COMMITTED), || {
            format!("{fault:?}: began at {first:?}")
        })?;
        same(&(broker.hits(QUERY_OFFSET) - before), &QUEUES, &format!("{fault:?} struck"))?;
        drop(pull);
        client.close().await?;
        said.push(format!("{fault:?} {:.0}s", begun.elapsed().as_secs_f64()));
    }
    Ok(said.join(", "))
}
