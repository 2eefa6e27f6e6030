//! Past the admission bound a send holds its message; dropped before it was looked at, the message is never sent, and
//! its room goes to those who still wait.

use fusee::Message;

use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const BOUND: usize = 16;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let builder = env
        .builder()
        .name_servers(env.cluster().name_servers())
        .send_messages_max(BOUND)
        .send_deadline(PATIENCE);
    let client = env.driver.connect(builder).await?;
    let producer = client.producer(env.name("group")).start().await?;
    // The route is not known yet, so that all of them are unfinished at once.
    let mut sends: Vec<_> =
        (0..2 * BOUND).map(|n| producer.send(Message::new(topic.as_str(), n.to_string()))).collect();
    let full = producer.try_send(Message::new(topic.as_str(), "no room"));
    holds(full.is_err(), || "there was room past the bound".to_owned())?;
    let held = sends.split_off(BOUND);
    let mut kept = Vec::new();
    for (n, send) in held.into_iter().enumerate() {
        if n % 2 == 0 { drop(send) } else { kept.push(send) }
    }
    for send in kept.into_iter().chain(sends) {
        send.await?;
    }
    let wanted: Vec<usize> = (0..2 * BOUND).filter(|n| *n < BOUND || (n - BOUND) % 2 == 1).collect();
    let found = env.stored_exactly(&topic, wanted.len()).await?;
    let mut found: Vec<usize> = found.iter().filter_map(|message| message.text().parse().ok()).collect();
    found.sort_unstable();
    same(&found, &wanted, "stored")?;
    client.close().await?;
    Ok(String::new())
}
