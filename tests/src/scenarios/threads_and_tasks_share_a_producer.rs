//! One producer serves many threads that wait, whatever carries its client.

use std::thread;

use fusee::Message;

use crate::scenario::{Driver, Env, Failed, Needs, Verdict, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::WAITING;

const THREADS: usize = 8;
const EACH: usize = 50;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect().await?;
    let producer = client.producer(env.name("group")).start().await?;
    thread::scope(|scope| {
        let senders = (0..THREADS).map(|thread| {
            let (producer, topic) = (&producer, &topic);
            scope.spawn(move || {
                for n in 0..EACH {
                    producer.send(Message::new(topic.as_str(), format!("{thread}/{n}"))).wait()?;
                }
                Ok::<(), fusee::SendError>(())
            })
        });
        let senders: Vec<_> = senders.collect();
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().map_err(|_| "a sender panicked")?.map_err(Failed::from))
    })?;
    let found = env.stored_exactly(&topic, THREADS * EACH).await?;
    let mut found: Vec<String> = found.iter().map(|stored| stored.text()).collect();
    found.sort();
    let mut wanted: Vec<String> =
        (0..THREADS).flat_map(|t| (0..EACH).map(move |n| format!("{t}/{n}"))).collect();
    wanted.sort();
    same(&found, &wanted, "messages stored")?;
    client.close().await?;
    Ok(String::new())
}
