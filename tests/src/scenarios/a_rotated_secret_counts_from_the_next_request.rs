//! The credential provider is asked for every request: when it changes to a wrong secret sends are refused, when it
//! changes back they work, on the same connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fusee::{Credential, Message, Stored};

use crate::broker::accounts::admin;
use crate::scenario::{Driver, Env, Needs, Verdict, holds};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster.acl());
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let wrong = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&wrong);
    let credentials = move || {
        let keys = admin();
        let secret = if asked.load(Ordering::SeqCst) { "rotated away".to_owned() } else { keys.secret_key };
        Credential::new(keys.access_key, secret)
    };
    let builder = env.builder().name_servers(env.cluster().name_servers()).credentials(credentials);
    let client = env.driver.connect(builder).await?;
    let producer = client.producer(env.name("group")).start().await?;
    for round in 0..5 {
        wrong.store(false, Ordering::SeqCst);
        producer.send(Message::new(topic.as_str(), round.to_string())).await?;
        wrong.store(true, Ordering::SeqCst);
        let error = producer
            .send(Message::new(topic.as_str(), "refused"))
            .await
            .err()
            .ok_or("a wrong secret passed")?;
        holds(error.stored() == Stored::No, || error.to_string())?;
    }
    wrong.store(false, Ordering::SeqCst);
    env.stored_exactly(&topic, 5).await?;
    client.close().await?;
    Ok(String::new())
}
