//! Of several name servers, one that answers is enough to connect, to send and to go on.

use fusee::Message;

use crate::fake::{Fake, closed_port};
use crate::scenario::{Driver, Env, Needs, Verdict};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(1)?;
    let silent = Fake::silent()?;
    let garbage = Fake::saying(*b"SSH-2.0-OpenSSH_9.2\r\n")?;
    let mut servers = vec![closed_port()?, garbage.address(), silent.address()];
    servers.extend(env.cluster().name_servers());
    let client = env.connect_to(&servers).await?;
    let producer = client.producer(env.name("group")).start().await?;
    for n in 0..5 {
        producer.send(Message::new(topic.as_str(), format!("#{n}"))).await?;
    }
    env.stored_exactly(&topic, 5).await?;
    client.close().await?;
    Ok(String::new())
}
