//! The same client on every runtime, and on an executor that is none of them.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use fusee::{Client, ConnectError, Message, Producer, Result, Runtime, StartFrom, rt};
use fusee_sim::Cluster;

const LONG: Duration = Duration::from_secs(20);

fn cluster() -> Cluster {
    Cluster::builder().topic("orders", 4).start()
}

/// Sends and reads back, awaiting and waiting in turn.
async fn round_trip(client: &Client) -> Result<()> {
    let producer = client.producer("p").start().await?;
    let sends: Vec<_> = (0..100).map(|n| producer.send(Message::new("orders", format!("#{n}")))).collect();
    for send in sends {
        send.await?;
    }
    let queues = client.queues("orders").await?;
    let mut pull = client.lite_pull("g").assign(queues).from(StartFrom::First).start().await?;
    let mut read = 0;
    while let Some(batch) = pull.poll_until_end(LONG).await? {
        read += batch.len();
    }
    assert_eq!(read, 100);
    pull.close().await?;
    let report = client.close().await?;
    assert!(!report.cut_short, "{report}");
    Ok(())
}

/// An executor of a few lines, of which this crate has never heard.
fn run<F: Future>(future: F) -> F::Output {
    run_counting(future, &AtomicUsize::new(0))
}

/// Adds how often the future was polled.
fn run_counting<F: Future>(future: F, polls: &AtomicUsize) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        polls.fetch_add(1, Ordering::Relaxed);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn every_runtime_that_starts_by_itself() -> Result<()> {
    let cluster = cluster();
    for (round, connecting) in [fusee::blocking::connect, fusee::smol::connect, fusee::async_std::connect]
        .into_iter()
        .map(|connect| connect(cluster.addr()))
        .enumerate()
    {
        let client = connecting.wait()?;
        // The group's offsets go on from round to round, so each finds its own hundred.
        run(round_trip(&client))?;
        assert_eq!(cluster.topic("orders").len(), 100 * (round + 1));
    }
    Ok(())
}

#[test]
fn a_driver_runs_on_any_executor() -> Result<()> {
    let builder = |cluster: &Cluster| Client::builder().name_servers([cluster.addr()]);
    for runtime in [rt::AsyncIo, rt::Smol, rt::AsyncStd, rt::Blocking] {
        let cluster = cluster();
        let (connecting, driver) = builder(&cluster).runtime(runtime).into_driver();
        let driving = thread::spawn(|| run(driver));
        let client = connecting.wait()?;
        run(round_trip(&client))?;
        drop(client);
        driving.join().expect("the driver ends when the client is gone");
    }
    let cluster = cluster();
    let tokio = tokio::runtime::Runtime::new().expect("a runtime");
    tokio.block_on(async {
        let (connecting, driver) = builder(&cluster).runtime(rt::Tokio).into_driver();
        let driving = tokio::spawn(driver);
        let client = connecting.await?;
        round_trip(&client).await?;
        drop(client);
        driving.await.expect("the driver ends when the client is gone");
        Ok(())
    })
}

#[test]
fn a_driver_that_is_dropped_ends_its_client() {
    let cluster = cluster();
    let (connecting, driver) =
        Client::builder().name_servers([cluster.addr()]).runtime(rt::AsyncIo).into_driver();
    let mut driver = Box::pin(driver);
    // Both on this thread, turn by turn.
    let (client, producer) = run(async {
        let mut setting_up = pin!(async {
            let client = connecting.await.expect("the model answers");
            let producer: Producer = client.producer("p").start().await.expect("the first of its group");
            producer.send(Message::new("orders", "1")).await.expect("a receipt");
            (client, producer)
        });
        std::future::poll_fn(|cx| {
            let driven = driver.as_mut().poll(cx);
            assert!(driven.is_pending(), "the client is open");
            setting_up.as_mut().poll(cx)
        })
        .await
    });
    cluster.pause(0);
    let send = producer.send(Message::new("orders", "2"));
    drop(driver);
    assert!(send.wait().is_err());
    assert!(client.close().wait().is_err());
}

#[test]
fn what_cannot_run_says_so() {
    let error = Client::builder().runtime(Runtime::AsyncIo).connect().wait().expect_err("no executor");
    assert_eq!(error, ConnectError::NoExecutor);
    let (connecting, driver) = Client::builder().runtime(Runtime::Tokio).into_driver();
    run(driver);
    assert_eq!(connecting.wait().expect_err("no runtime"), ConnectError::NoRuntime);
    assert!(error.hint().is_some());
}

#[test]
fn a_driver_is_polled_for_what_happens_and_not_in_between() -> Result<()> {
    const SENDS: usize = 500;
    let cluster = cluster();
    for runtime in [rt::AsyncIo, rt::Smol, rt::AsyncStd] {
        let builder = Client::builder().name_servers([cluster.addr()]);
        let (connecting, driver) = builder.runtime(runtime).into_driver();
        let polls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&polls);
        let driving = thread::spawn(move || run_counting(driver, &count));
        let client = connecting.wait()?;
        let producer = client.producer("p").start().wait()?;
        producer.send(Message::new("orders", "first")).wait()?;
        let before = polls.load(Ordering::Relaxed);
        for n in 0..SENDS {
            producer.send(Message::new("orders", format!("#{n}"))).wait()?;
        }
        let polled = polls.load(Ordering::Relaxed) - before;
        // For the request, for its reply, and now and then for the time.
        assert!(polled <= 4 * SENDS, "{runtime:?}: {polled} polls for {SENDS} sends");
        client.close().wait()?;
        driving.join().expect("the driver ends with its client");
    }
    Ok(())
}
