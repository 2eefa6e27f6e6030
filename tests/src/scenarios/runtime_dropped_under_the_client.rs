//! The runtime that carries a client ends while the client is in use: what is pending ends in an error, what comes
//! later is refused, and nothing hangs or panics.
//!
//! The executors of smol and async-std that carry clients by default cannot be dropped; there the client's driver runs
//! on an executor of the scenario's own, in a task that is cancelled, or is polled by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fusee::{Client, ClientBuilder, Message, PollError, SendError, StartFrom, Stored};

use crate::fake::{Act, Fake};
use crate::raw::code;
use crate::scenario::{
    Driver, Env, Failed, Needs, Verdict, block_on_unless, current_thread, holds, multi_thread, same, timed,
    within,
};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster);
/// Threads of the client's own are no runtime that could be dropped.
pub(super) const DRIVERS: &[Driver] =
    &[Driver::Tokio, Driver::Current, Driver::Smol, Driver::AsyncStd, Driver::Driven];

/// For every operation to learn that its runtime is gone.
const SOON: Duration = Duration::from_secs(5);

pub(super) async fn run(env: &Env) -> Verdict {
    let saw = sends_under_way(env).await?;
    operations_without_an_answer(env).await?;
    Ok(saw)
}

/// Sends that a broker is answering.
async fn sends_under_way(env: &Env) -> Verdict {
    let topic = env.topic(2)?;
    let builder = env.builder().name_servers(env.cluster().name_servers());
    let builder = builder.send_deadline(Duration::from_secs(60));
    let to = topic.clone();
    let (client, producer, sends) = used(env.driver, builder, async move |client| {
        let producer = client.producer("runtime-dropped").start().await?;
        producer.send(Message::new(to.as_str(), "before")).await?;
        let sends: Vec<_> =
            (0..100).map(|n| producer.send(Message::new(to.as_str(), format!("{n}")))).collect();
        Ok((client, producer, sends))
    })?;
    let (ended, took) = timed(async {
        let mut ended = [0; 2];
        for send in sends {
            ended[usize::from(send.await.is_err())] += 1;
        }
        ended
    })
    .await;
    within(SOON, took, "learning how the sends ended")?;
    let (late, took) = timed(producer.send(Message::new(topic.as_str(), "late"))).await;
    within(SOON, took, "a send without a runtime")?;
    holds(late.is_err(), || "a send without a runtime succeeded".to_owned())?;
    let (closed, took) = timed(client.close()).await;
    within(Duration::from_secs(11), took, "closing without a runtime")?;
    let stored = env.settled(&topic).await?;
    holds(stored.len() > ended[0], || format!("{} stored of {} acknowledged", stored.len(), ended[0] + 1))?;
    holds(stored.iter().all(|stored| stored.body != b"late"), || "a late send was stored".to_owned())?;
    Ok(format!("{} stored, {} ended in errors; close: {closed:?}", ended[0], ended[1]))
}

/// One operation of each kind, none of which is answered.
async fn operations_without_an_answer(env: &Env) -> Result<(), Failed> {
    let sends = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&sends);
    let broker = Fake::start(move |request| {
        seen.fetch_add(usize::from(request.code == code::SEND_V2), Ordering::SeqCst);
        Vec::new()
    })?;
    let address = broker.address();
    let name_server = Fake::start(move |_| vec![Act::route_to(&address, 2)])?;
    let builder = env.builder().name_servers([name_server.address()]);
    let builder = builder.send_deadline(Duration::from_secs(600));
    let deaf = Fake::silent()?;
    let of_deaf = deaf.address();
    let (client, producer, send, request, mut pull, threads) =
        used(env.driver, builder, async move |client| {
            let producer = client.producer("p").start().await?;
            let send = producer.send(Message::new("t", "1"));
            let request = client.request(of_deaf, 28).timeout(Duration::from_secs(600)).send();
            let queues = client.queues("t").await?;
            let pull = client.lite_pull("g").assign(queues).from(StartFrom::First).start().await?;
            // Two that threads wait for.
            let waited = producer.send(Message::new("t", "2"));
            let request_waited = client.request(deaf.address(), 28).timeout(Duration::from_secs(600)).send();
            let waiting = thread::spawn(move || waited.wait().map(drop));
            let requesting = thread::spawn(move || request_waited.wait().map(drop));
            // All is under way once the broker has the sends and the silent server both requests.
            while sends.load(Ordering::SeqCst) < 2 || deaf.requests() < 2 {
                client.queues("t").await?;
            }
            Ok((client, producer, send, request, pull, (waiting, requesting, deaf)))
        })?;
    let (outcome, took) = timed(async {
        let send = send.await.err().ok_or("a send was answered")?;
        holds(matches!(send, SendError::Failed(_)), || format!("{send:?}"))?;
        same(&send.stored(), &Stored::Unknown, "whether a send under way is stored")?;
        let request = request.await.err().ok_or("a request was answered")?;
        same(&request.stored(), &Stored::Unknown, "whether a request under way was executed")?;
        let poll = pull.poll(Duration::from_secs(600)).await.err().ok_or("a poll was answered")?;
        same(&poll, &PollError::Closed, "how a poll ended")?;
        let queues = client.queues("t").await.err().ok_or("a route was answered")?;
        let late = producer.send(Message::new("t", "3")).await.err().ok_or("a late send was answered")?;
        same(&late.stored(), &Stored::No, "whether a late send is stored")?;
        let (waiting, requesting, _) = threads;
        let waited = waiting.join().map_err(|_| "a waiting thread panicked")?;
        same(&waited.err().map(|error| error.stored()), &Some(Stored::Unknown), "a send waited for")?;
        let waited = requesting.join().map_err(|_| "a waiting thread panicked")?;
        same(&waited.err().map(|error| error.stored()), &Some(Stored::Unknown), "a request waited for")?;
        let closed = client.close().await.err().ok_or("a client without a runtime was closed")?;
        same(&closed, &fusee::CloseError::RuntimeGone, "how the close ended")?;
        holds(client.connections().is_empty(), || "a dead client has connections".to_owned())?;
        Ok::<_, Failed>(queues)
    })
    .await;
    outcome?;
    within(SOON, took, "ending everything that was pending")
}

/// What `using` gives of a client whose runtime is gone by then.
fn used<T: Send + 'static>(
    driver: Driver,
    builder: ClientBuilder,
    using: impl AsyncFnOnce(Client) -> Result<T, Failed> + Send + 'static,
) -> Result<T, Failed> {
    // On a thread that may block, for the runtime is to end before the client does.
    let used = thread::spawn(move || match driver {
        Driver::Tokio | Driver::Current => {
            let runtime = if driver == Driver::Current { current_thread() } else { multi_thread() };
            let used = runtime.block_on(async { using(builder.connect().await?).await });
            drop(runtime);
            used
        }
        Driver::Threads | Driver::Smol => {
            let executor = smol::Executor::new();
            let (connecting, driver) = builder.into_driver();
            executor.spawn(driver).detach();
            let used = smol::block_on(executor.run(async { using(connecting.await?).await }));
            drop(executor);
            used
        }
        Driver::AsyncStd => {
            let (connecting, driver) = builder.into_driver();
            let driving = async_std::task::spawn(driver);
            async_std::task::block_on(async {
                let used = using(connecting.await?).await;
                holds(driving.cancel().await.is_none(), || "the driver ended by itself".to_owned())?;
                used
            })
        }
        Driver::Driven => {
            let (connecting, driver) = builder.into_driver();
            let over = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&over);
            let driving = thread::spawn(move || block_on_unless(driver, &told));
            let used = smol::block_on(async { using(connecting.await?).await });
            over.store(true, Ordering::SeqCst);
            driving.thread().unpark();
            driving.join().map_err(|_| "the driver panicked")?;
            used
        }
    });
    used.join().map_err(|_| "it panicked")?
}
