//! A broker that is busy for two attempts and takes the third: the send succeeds, and was really sent three times. One
//! that stays busy: the send ends as refused and not stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fusee::{Message, Retry, Stored};

use crate::fake::{Act, Fake};
use crate::scenario::{Driver, Env, Needs, Verdict, holds, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Nothing;
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const SEND: i32 = 310;
const BUSY: Act = Act::Reply(2, "[OVERLOAD]system busy", BTreeMap::new(), Vec::new());

pub(super) async fn run(env: &Env) -> Verdict {
    let attempts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&attempts);
    let broker = Fake::start(move |request| match request.code {
        SEND if seen.fetch_add(1, Ordering::SeqCst) == 2 => {
            let fields =
                [("msgId", "7F00000100002A9F0000000000000000"), ("queueId", "3"), ("queueOffset", "42")];
            let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
            vec![Act::Reply(0, "", BTreeMap::from(fields), Vec::new())]
        }
        SEND => vec![BUSY],
        _ => vec![Act::code(0, "")],
    })?;
    let address = broker.address();
    let name_server = Fake::start(move |_| vec![Act::route_to(&address, 4)])?;
    let client = env.connect_hastily_to(&[name_server.address()]).await?;
    let producer = client.producer("p").start().await?;
    let receipt = producer.send(Message::new("orders", "x")).await?;
    same(&receipt.offset, &42, "offset")?;
    same(&attempts.load(Ordering::SeqCst), &3, "attempts")?;
    // From now on it is busy for ever.
    let (outcome, took) = timed(producer.send(Message::new("orders", "y"))).await;
    within(Duration::from_secs(4), took, "giving up")?;
    let error = outcome.err().ok_or("busy counts as stored")?;
    same(&error.stored(), &Stored::No, &error.to_string())?;
    holds(matches!(error.retry(), Retry::After(_)), || format!("retry: {:?}", error.retry()))?;
    client.close().await?;
    Ok(error.to_string())
}
