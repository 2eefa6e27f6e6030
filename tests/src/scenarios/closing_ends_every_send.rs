//! A client closed with work in flight: sends under way are finished or end typed, later ones are refused, the close
//! ends in bounded time, and no outcome is a lie.

use std::time::Duration;

use fusee::{Message, Stored};

use crate::fake::{Act, Fake};
use crate::scenario::{Driver, Env, Needs, Tally, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let topic = env.topic(4)?;
    let client = env.connect_hastily().await?;
    let producer = client.producer(env.name("group")).start().await?;
    let sends: Vec<_> =
        (0..500).map(|n| producer.send(Message::new(topic.as_str(), format!("{n}")))).collect();
    let closing = client.close();
    let late = producer.send(Message::new(topic.as_str(), "late")).await;
    same(&late.map_err(|error| error.stored()).err(), &Some(Stored::No), "a send after the close")?;
    let (closed, took) = timed(closing).await;
    closed?;
    within(Duration::from_secs(11), took, "closing")?;
    let mut tally = Tally::default();
    for (n, send) in sends.into_iter().enumerate() {
        tally.add(n.to_string(), &send.await);
    }
    let truth = tally.check(env, &topic).await?;

    // The same with a broker that never answers: the close must not wait for ever.
    let broker =
        Fake::start(|request| if request.code == 310 { Vec::new() } else { vec![Act::code(0, "")] })?;
    let address = broker.address();
    let name_server = Fake::start(move |_| vec![Act::route_to(&address, 4)])?;
    let client = env.connect_hastily_to(&[name_server.address()]).await?;
    let producer = client.producer("p").start().await?;
    let send = producer.send(Message::new("orders", "x"));
    let (outcome, took) = timed(client.close()).await;
    outcome?;
    within(Duration::from_secs(11), took, "closing on a silent broker")?;
    let error = send.await.err().ok_or("a silent broker stored something")?;
    Ok(format!("{truth}; a silent broker: {error}"))
}
