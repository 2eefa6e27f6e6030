//! Brokers that ask for signatures: the right account sends and reads; a wrong secret, no credential, an unknown account
//! and a missing right are each a clear refusal, and nothing of theirs is stored; no error or debug text shows a secret.

use std::time::Duration;

use fusee::{Client, ConnectError, Message, SendError, StartFrom, Stored};

use crate::broker::Version;
use crate::broker::accounts::{ALLOWED, admin, limited, unknown};
use crate::raw::Keys;
use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster.acl());
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let client = connect(env, Some(&admin())).await?;
    let producer = client.producer(env.name("group")).start().await?;
    for n in 0..20 {
        producer.send(Message::new(topic.as_str(), n.to_string())).await?;
    }
    env.stored_exactly(&topic, 20).await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let mut read = 0;
    while let Some(batch) = pull.poll_until_end(Duration::from_secs(20)).await? {
        read += batch.len();
    }
    same(&read, &20, "messages read")?;
    pull.close().await?;
    client.close().await?;

    let wrong = Keys::new(&admin().access_key, "a wrong secret");
    let mut said = Vec::new();
    for (what, keys) in
        [("wrong secret", Some(wrong)), ("no credential", None), ("unknown account", Some(unknown()))]
    {
        let error = refused(env, keys.as_ref(), &topic).await.map_err(|error| format!("{what}: {error}"))?;
        said.push(format!("{what}: {error}"));
    }
    let error = refused(env, Some(&limited()), &topic).await.map_err(|error| format!("no right: {error}"))?;
    said.push(format!("no right: {error}"));
    let client = connect(env, Some(&limited())).await?;
    client.producer(env.name("group")).start().await?.send(Message::new(ALLOWED, "x")).await?;
    client.close().await?;
    env.stored_exactly(&topic, 20).await?;
    Ok(said.join("; "))
}

async fn connect(env: &Env, keys: Option<&Keys>) -> Result<Client, ConnectError> {
    let mut builder = env.builder().name_servers(env.cluster().name_servers());
    if let Some(keys) = keys {
        builder = builder.acl(&keys.access_key, &keys.secret_key);
    }
    env.driver.connect(builder).await
}

/// The error of a send that has to be refused.
async fn refused(env: &Env, keys: Option<&Keys>, topic: &str) -> Result<SendError, Failed> {
    let client = connect(env, keys).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let error = producer.send(Message::new(topic, "x")).await.err().ok_or("it was taken")?;
    holds(error.stored() == Stored::No, || error.to_string())?;
    // ACL 1.0 answers a general error, ACL 2.0 that there is no permission.
    let code = if env.version() == Version::V4_9_4 { 1 } else { 16 };
    same(&error.code().map(|code| code.0), &Some(code), "the code of a refusal")?;
    if let Some(keys) = keys {
        let shown = format!("{error} {error:?} {client:?} {producer:?}");
        holds(!shown.contains(&keys.secret_key), || "a secret is shown".to_owned())?;
    }
    client.close().await?;
    Ok(error)
}
