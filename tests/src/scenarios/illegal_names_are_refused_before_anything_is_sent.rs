//! Names that brokers would refuse are refused here, as illegal, at once, and not a byte of them leaves.

use std::time::Duration;

use fusee::{Message, SendError, StartError, Stored};

use crate::fake::{Act, Fake};
use crate::scenario::{Driver, Env, Needs, Verdict, holds, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Nothing;
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let server = Fake::start(|_| vec![Act::code(17, "No topic route info")])?;
    let client = env.connect_to(&[server.address()]).await?;
    let producer = client.producer("legal").start().await?;
    let before = server.requests();
    let long = "t".repeat(128);
    for topic in ["", "a b", "ä", "a/b", "a\0", long.as_str(), "SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer"]
    {
        let (outcome, took) = timed(producer.send(Message::new(topic, "x"))).await;
        within(Duration::from_millis(500), took, "refusing a name")?;
        match outcome {
            Err(error @ SendError::Illegal(_)) => same(&error.stored(), &Stored::No, "stored")?,
            other => return Err(format!("topic {topic:?}: {other:?}").into()),
        }
    }
    let long = "g".repeat(256);
    for group in ["", "a b", "gr\u{fc}n", "a/b", long.as_str(), "DEFAULT_PRODUCER"] {
        match client.producer(group).start().await {
            Err(StartError::Group { .. } | StartError::ReservedGroup(_)) => {}
            other => return Err(format!("group {group:?}: {other:?}").into()),
        }
    }
    match env.connect_to(&["no port".to_owned()]).await {
        Err(fusee::ConnectError::Config(_)) => {}
        other => return Err(format!("address without port: {other:?}").into()),
    }
    same(&server.requests(), &before, "requests the name server saw meanwhile")?;
    holds(client.close().await.is_ok(), || "close".to_owned())?;
    Ok(String::new())
}
