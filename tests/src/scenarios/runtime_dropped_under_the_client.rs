//! The runtime that carries a client ends while the client is in use: what is pending ends in an error, what comes
//! later is refused, and nothing hangs or panics.

use std::thread;
use std::time::Duration;

use fusee::{Client, Message};

use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::TOKIO;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let name_servers = env.cluster().name_servers();
    let driver = env.driver;
    // A runtime of its own, on a thread that may block, for it is to end before the client does.
    let used = thread::spawn(move || {
        let runtime = if driver == Driver::Current {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?
        } else {
            tokio::runtime::Runtime::new()?
        };
        let (client, producer, sends) = runtime.block_on(async {
            let client = Client::builder().name_servers(name_servers).connect().await?;
            let producer = client.producer("runtime-dropped").start().await?;
            producer.send(Message::new(topic.as_str(), "before")).await?;
            let sends: Vec<_> = (0..100).map(|n| producer.send(Message::new(topic.as_str(), format!("{n}")))).collect();
            Ok::<_, Failed>((client, producer, sends))
        })?;
        drop(runtime);
        Ok::<_, Failed>((client, producer, sends, topic))
    });
    let (client, producer, sends, topic) = used.join().map_err(|_| "it panicked")??;
    let (ended, took) = timed(async {
        let mut ended = [0; 2];
        for send in sends {
            ended[usize::from(send.await.is_err())] += 1;
        }
        ended
    })
    .await;
    within(Duration::from_secs(5), took, "learning how the sends ended")?;
    let (late, took) = timed(producer.send(Message::new(topic.as_str(), "late"))).await;
    within(Duration::from_secs(5), took, "a send without a runtime")?;
    holds(late.is_err(), || "a send without a runtime succeeded".to_owned())?;
    let (closed, took) = timed(client.close()).await;
    within(Duration::from_secs(11), took, "closing without a runtime")?;
    Ok(format!("{} stored, {} ended in errors; close: {closed:?}", ended[0], ended[1]))
}
