//! The operator changes a secret on the brokers: what is still signed with the old one is refused and nothing of it is
//! stored; once the provider gives the new one, the same client sends and reads on, over the same connections.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fusee::{Credential, Message, StartFrom, Stored};

use crate::broker::{Servers, Version, accounts};
use crate::raw::Keys;
use crate::scenario::{Driver, Env, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster.acl());
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const ROUNDS: usize = 2;
const SENDS: usize = 10;

pub(super) async fn run(env: &Env) -> Verdict {
    let Servers::Real(cluster) = env.cluster() else { return Err("the model knows no accounts".into()) };
    let topic = env.topic(2)?;
    let name = env.name("account");
    let keys = |round: usize| Keys::new(&name, &format!("secret-of-round-{round}"));
    let put = async |new: Keys, old: Option<Keys>| {
        accounts::put(cluster, &new)?;
        env.until(Duration::from_secs(60), "the brokers have the new secret", async || {
            let over = match &old {
                Some(old) => !accounts::taken(cluster, old)?,
                None => true,
            };
            Ok((over && accounts::taken(cluster, &new)?).then_some(()))
        })
        .await
    };
    put(keys(0), None).await?;

    let known = Arc::new(Mutex::new(keys(0)));
    let asked = Arc::clone(&known);
    let credentials = move || {
        let keys = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Credential::new(keys.access_key, keys.secret_key)
    };
    let builder = env.builder().name_servers(cluster.name_servers()).send_deadline(Duration::from_secs(60));
    let client = env.driver.connect(builder.credentials(credentials)).await?;
    let producer = client.producer(env.name("group")).start().await?;
    let queues = client.queues(topic.as_str()).await?;
    let mut pull = client.lite_pull(env.name("group")).assign(queues).from(StartFrom::First).start().await?;
    let (mut sent, mut read) = (BTreeSet::new(), BTreeSet::new());
    let mut refusals = 0;
    for round in 0..=ROUNDS {
        if round > 0 {
            put(keys(round), Some(keys(round - 1))).await?;
            for n in 0..SENDS {
                let refused =
                    producer.send(Message::new(topic.as_str(), format!("refused-{round}-{n}"))).await;
                let error = refused.err().ok_or("a secret of yesterday passed")?;
                // ACL 1.0 answers a general error, ACL 2.0 that there is no permission.
                let code = if env.version() == Version::V4_9_4 { 1 } else { 16 };
                same(&error.code().map(|code| code.0), &Some(code), "the code of a refusal")?;
                same(&error.stored(), &Stored::No, "whether a refused message is stored")?;
                let shown = format!("{error} {error:?}");
                holds(!shown.contains("secret-of-round"), || "a secret is shown".to_owned())?;
                refusals += 1;
            }
            *known.lock().unwrap_or_else(PoisonError::into_inner) = keys(round);
        }
        for n in 0..SENDS {
            let text = format!("{round}-{n}");
            producer.send(Message::new(topic.as_str(), text.as_str())).await?;
            sent.insert(text);
        }
        env.until(Duration::from_secs(60), "everything sent so far is read", async || {
            for received in pull.poll(Duration::from_secs(1)).await? {
                read.insert(received.text()?.to_owned());
            }
            Ok((read.len() >= sent.len()).then_some(()))
        })
        .await?;
    }
    same(&read, &sent, "messages read")?;
    let stored = env.stored_exactly(&topic, sent.len()).await?;
    let odd = stored.iter().find(|stored| stored.body.starts_with(b"refused"));
    holds(odd.is_none(), || format!("a refused message is stored: {odd:?}"))?;
    for connection in client.connections() {
        same(&connection.ups, &1, "how often a connection came up")?;
    }
    pull.close().await?;
    client.close().await?;
    Ok(format!("{ROUNDS} changes, {refusals} sends refused, {} stored and read", sent.len()))
}
