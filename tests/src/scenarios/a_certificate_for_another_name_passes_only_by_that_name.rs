//! Servers whose certificate is for another host are refused, unless the client was told that name; told to accept
//! anything, it accepts. A permissive server serves clients without TLS as well.

use fusee::{Message, Tls};

use crate::broker::Secured;
use crate::broker::certificates::{Authority, Flavour};
use crate::scenario::{Driver, Env, Needs, Verdict, holds};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| {
    cluster.secured(Secured { enforcing: false, mutual: false, flavour: Flavour::OtherName })
});
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(1)?;
    let builder = || env.builder().name_servers(env.cluster().name_servers());
    let ours = || Tls::authorities(Authority::ours().certificate());
    let refused = env.driver.connect(builder().tls(ours())).await.err().ok_or("a wrong name was accepted")?;
    holds(refused.to_string().contains("TLS"), || refused.to_string())?;
    let right_name = builder().tls(ours().server_name("elsewhere.example"));
    let anything = builder().tls(ours().dangerous_accept_any_certificate());
    for (what, builder) in
        [("by that name", right_name), ("accepting anything", anything), ("plain", builder())]
    {
        let client = env.driver.connect(builder).await.map_err(|error| format!("{what}: {error}"))?;
        let producer = client.producer(env.name("group")).start().await?;
        producer
            .send(Message::new(topic.as_str(), what))
            .await
            .map_err(|error| format!("{what}: {error}"))?;
        client.close().await?;
    }
    env.stored_exactly(&topic, 3).await?;
    Ok(refused.to_string())
}
