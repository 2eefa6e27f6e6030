//! A commit, or its answer, gets lost: the commit ends in an error in bounded time or succeeds by itself, positions are
//! kept, and the next commit is what the broker then has. Twenty times for each way of getting lost.

use std::time::Duration;

use fusee::{Message, StartFrom};

use crate::proxy::{Fault, Proxies};
use crate::scenario::{Driver, Env, Needs, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const COMMIT: i32 = 15;
const QUEUES: usize = 20;

pub(super) async fn run(env: &Env) -> Verdict {
    let proxies = Proxies::before(env.cluster())?;
    let topic = env.topic(u32::try_from(QUEUES)?)?;
    let client = env.connect_to(&proxies.name_server_addresses()).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    let group = env.name("group");
    let reader = client.lite_pull(&group).assign(queues.clone()).from(StartFrom::First).auto_commit(false);
    let mut pull = reader.start().await?;
    let broker = &proxies.brokers[0];
    let mut said = Vec::new();
    let mut positions = [0; QUEUES];
    for fault in [
        Fault::DropReply,
        Fault::DropRequest,
        Fault::ResetBefore,
        Fault::ResetBeforeReply,
        Fault::Answer(2, "busy"),
    ] {
        // A reset takes every commit in flight with it, so that one strikes a queue at a time.
        let at_once = if fault == Fault::ResetBefore { 1 } else { QUEUES };
        let before = broker.hits(COMMIT);
        let (mut recovered, mut reported, mut longest) = (0, 0, Duration::ZERO);
        for (queues, positions) in queues.chunks(at_once).zip(positions.chunks_mut(at_once)) {
            for (queue, position) in queues.iter().zip(positions.iter_mut()) {
                producer.send_to(queue, Message::new(topic.as_str(), "x")).await?;
                *position += 1;
            }
            let mut read = 0;
            env.until(Duration::from_secs(60), "a message of every queue", async || {
                read += pull.poll(Duration::from_secs(1)).await?.len();
                Ok((read == queues.len()).then_some(()))
            })
            .await?;
            broker.strike(COMMIT, queues.len(), fault.clone());
            let (outcome, took) = timed(pull.commit()).await;
            within(Duration::from_secs(12), took, "a commit that gets lost")?;
            longest = longest.max(took);
            *if outcome.is_ok() { &mut recovered } else { &mut reported } += 1;
            env.until(Duration::from_secs(30), "a commit that holds", async || Ok(pull.commit().await.ok()))
                .await?;
            for (queue, position) in queues.iter().zip(positions) {
                let committed = env.cluster().committed(&group, &topic, queue.queue)?;
                same(&committed, &Some(*position), &format!("{fault:?}: committed offset of {queue}"))?;
            }
        }
        let struck = broker.hits(COMMIT) - before;
        same(&struck, &QUEUES, &format!("{fault:?} struck"))?;
        said.push(format!(
            "{fault:?} struck {struck}: {recovered} recovered, {reported} reported, after {:.1}s",
            longest.as_secs_f64()
        ));
    }
    drop(pull);
    client.close().await?;
    Ok(said.join("; "))
}
