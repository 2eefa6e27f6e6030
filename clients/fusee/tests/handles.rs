//! What the handles promise, on a model cluster: what starts when, what a drop means, how things end.
//!
//! Laws: no test sleeps to wait for something; servers are paused and resumed instead.

use std::time::{Duration, SystemTime};

use fusee::error::SendFailure as Failure;
use fusee::{
    Client, ClientBuilder, CommitError, ConfigError, ConnectError, Error, IllegalMessage, LitePull, Message,
    OpenError, Pending, PollError, Position, Producer, Receipt, Received, Result, Retry, Runtime, SeekError,
    SendError, StartError, StartFrom, Stored, rt,
};
use fusee_sim::{Cluster, Code, Op};

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

/// Handles go anywhere, and what is passed around on every send is small.
const _: () = {
    const fn shared<T: Clone + Send + Sync + 'static>() {}
    const fn sent<T: Send + 'static>() {}
    shared::<Client>();
    shared::<Producer>();
    shared::<Message>();
    shared::<Received>();
    shared::<Error>();
    sent::<LitePull>();
    sent::<Pending<Receipt, SendError>>();
    sent::<Pending<Client, ConnectError>>();
    assert!(size_of::<SendError>() <= 64);
    assert!(size_of::<Error>() <= 96);
};

fn cluster() -> Cluster {
    Cluster::builder().topic("orders", 4).start()
}

fn builder(cluster: &Cluster) -> ClientBuilder {
    Client::builder().name_servers([cluster.addr()]).runtime(rt::Blocking)
}

fn threads(cluster: &Cluster) -> Client {
    builder(cluster).connect().wait().expect("the model answers")
}

fn producer(client: &Client) -> Producer {
    client.producer("p").start().wait().expect("the first of its group")
}

fn order(text: impl Into<fusee::Body>) -> Message {
    Message::new("orders", text)
}

fn bodies(cluster: &Cluster) -> Vec<String> {
    let mut bodies: Vec<_> = cluster
        .topic("orders")
        .messages()
        .iter()
        .map(|message| String::from_utf8(message.body.to_vec()).expect("text"))
        .collect();
    bodies.sort();
    bodies
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Everything a reader finds until the end, in the order it is given out.
fn read_all(client: &Client, group: &str) -> Result<Vec<Received>> {
    let queues = client.queues("orders").wait()?;
    let mut pull = client.lite_pull(group).assign(queues).from(StartFrom::First).start().wait()?;
    let mut all = Vec::new();
    while let Some(batch) = pull.poll_until_end(LONG).wait()? {
        all.extend(batch);
    }
    pull.close().wait()?;
    Ok(all)
}

#[test]
fn what_is_sent_on_one_runtime_is_read_on_another() -> Result<()> {
    let cluster = cluster();
    let sent = current_thread().block_on(async {
        let client = fusee::connect(cluster.addr()).await?;
        let producer = client.producer("p").start().await?;
        let message = order("hello").tag("paid").key("o-1").key("o-2").property("region", "eu").flag(7);
        let receipt = producer.send(message).await?;
        client.close().await?;
        Ok::<_, Error>(receipt)
    })?;
    let client = fusee::blocking::connect(cluster.addr()).wait()?;
    let read = read_all(&client, "g")?;
    let [message] = &read[..] else { panic!("one message: {read:?}") };
    assert_eq!(
        (message.queue(), message.offset(), message.id().as_str()),
        (&sent.queue, sent.offset, &*sent.id)
    );
    assert_eq!((message.text()?, message.tag(), message.flag()), ("hello", Some("paid"), 7));
    assert_eq!(message.keys().collect::<Vec<_>>(), ["o-1", "o-2"]);
    assert_eq!((message.property("region"), message.property("WAIT")), (Some("eu"), Some("true")));
    client.close().wait()?;
    Ok(())
}

#[test]
fn tokio_is_asked_for_when_connecting_is_looked_at() {
    let cluster = cluster();
    let outside = fusee::connect(cluster.addr());
    let client = current_thread().block_on(outside).expect("awaited inside");
    drop(client);
    assert_eq!(fusee::connect(cluster.addr()).wait().expect_err("no runtime"), ConnectError::NoRuntime);
}

#[test]
fn waiting_where_the_connections_are_driven_is_refused() {
    let cluster = cluster();
    current_thread().block_on(async {
        let client = fusee::connect(cluster.addr()).await.expect("the model answers");
        let producer = client.producer("p").start().await.expect("the first of its group");
        let ready = producer.send(order("")).wait().expect_err("nothing to wait for");
        assert_eq!(ready, SendError::Illegal(IllegalMessage::EmptyBody));
        producer.send(order("1")).await.expect("a receipt");
        cluster.pause(0);
        let refused = producer.send(order("2")).wait().expect_err("nobody could answer");
        assert!(matches!(refused, SendError::WouldBlock(_)), "{refused:?}");
        assert_eq!((refused.stored(), refused.retry()), (Stored::Unknown, Retry::Never));
        let mut pull = client.lite_pull("g").start().await.expect("the first of its group");
        let refused = pull.poll(LONG).wait().expect_err("nobody could answer");
        assert!(matches!(refused, PollError::WouldBlock(_)), "{refused:?}");
        cluster.resume(0);
        client.close().await.expect("a report");
    });
    assert_eq!(bodies(&cluster), ["1", "2"], "the send went on");
}

#[test]
fn a_wait_that_is_over_can_be_taken_up_again() {
    let cluster = cluster();
    let client = threads(&cluster);
    let producer = producer(&client);
    producer.send(order("1")).wait().expect("a receipt");
    cluster.pause(0);
    let mut send = producer.send(order("2"));
    assert_eq!(send.wait_timeout(SOON), None);
    cluster.resume(0);
    assert!(send.wait_timeout(LONG).expect("in time").is_ok());
}

#[test]
fn past_the_bound_a_send_holds_its_message_until_it_is_looked_at() {
    let cluster = cluster();
    let client =
        builder(&cluster).send_messages_max(1).send_deadline(LONG).connect().wait().expect("a client");
    let producer = producer(&client);
    producer.send(order("0")).wait().expect("a receipt");
    cluster.pause(0);
    let admitted = producer.send(order("1"));

    let back = producer.try_send(order("2").tag("t")).expect_err("full");
    assert_eq!(*back.message, order("2").tag("t"));
    assert_eq!((back.stored(), back.why.to_string().contains("too many")), (Stored::No, true), "{back}");

    drop(producer.send(order("never looked at")));
    let mut asked = producer.send(order("asked for room"));
    assert_eq!(asked.wait_timeout(SOON), None);
    drop(asked);
    let late = producer.send(order("3"));
    let mut first = producer.send(order("4"));
    assert_eq!(first.wait_timeout(SOON), None, "it asked for room before `late` did");

    cluster.resume(0);
    admitted.wait().expect("a receipt");
    let first = first.wait().expect("a receipt");
    let late = late.wait().expect("a receipt");
    assert_ne!(first.id, late.id);
    // All room has come back.
    for _ in 0..3 {
        producer.send(order("5")).wait().expect("a receipt");
    }
    client.close().wait().expect("a report");
    assert_eq!(bodies(&cluster), ["0", "1", "3", "4", "5", "5", "5"]);
}

#[test]
fn room_that_was_granted_and_not_used_goes_to_the_next() {
    let cluster = cluster();
    let client =
        builder(&cluster).send_messages_max(1).send_deadline(LONG).connect().wait().expect("a client");
    let producer = producer(&client);
    producer.send(order("0")).wait().expect("a receipt");
    cluster.pause(0);
    let admitted = producer.send(order("1"));
    let mut granted = producer.send(order("granted, then dropped"));
    let mut next = producer.send(order("2"));
    assert_eq!((granted.wait_timeout(SOON), next.wait_timeout(SOON)), (None, None));
    cluster.resume(0);
    admitted.wait().expect("a receipt");
    // Its room is reserved now, whether or not it knows.
    drop(granted);
    next.wait().expect("a receipt");
    client.close().wait().expect("a report");
    assert_eq!(bodies(&cluster), ["0", "1", "2"]);
}

#[test]
fn dropping_an_admitted_send_loses_only_its_receipt() {
    let cluster = cluster();
    let client = threads(&cluster);
    let producer = producer(&client);
    for n in 0..100 {
        drop(producer.send(order(format!("{n:02}"))));
    }
    drop(producer);
    client.close().wait().expect("a report");
    assert_eq!(bodies(&cluster), (0..100).map(|n| format!("{n:02}")).collect::<Vec<_>>());
}

#[test]
fn closing_waits_for_what_is_under_way_and_takes_nothing_new() {
    let cluster = cluster();
    let client = threads(&cluster);
    let producer = producer(&client);
    producer.send(order("1")).wait().expect("a receipt");
    cluster.pause(0);
    let send = producer.send(order("2"));
    let mut closing = client.close();
    let refused = producer.send(order("3")).wait().expect_err("closed");
    assert_eq!((refused.stored(), refused.retry()), (Stored::No, Retry::Never));
    assert!(producer.try_send(order("3")).is_err());
    assert_eq!(closing.wait_timeout(SOON), None);
    cluster.resume(0);
    let report = closing.wait().expect("a report");
    assert_eq!((report.sends_stored, report.sends_failed, report.cut_short), (1, 0, false), "{report}");
    send.wait().expect("a receipt, also after the end");
    assert_eq!(client.close().wait(), Ok(report), "closing again");
    let error = client.producer("q").start().wait().expect_err("closed");
    assert_eq!(error, StartError::Open(OpenError::Closed));
    assert!(client.queues("orders").wait().is_err());
    assert_eq!(bodies(&cluster), ["1", "2"]);
}

#[test]
fn the_last_handle_closes_and_what_was_pending_ends() {
    let cluster = cluster();
    let client = threads(&cluster);
    let sender = producer(&client);
    sender.send(order("1")).wait().expect("a receipt");
    cluster.pause(0);
    let send = sender.send(order("2"));
    drop((client, sender));
    let error = send.wait().expect_err("closed");
    // Whether its bytes had left is up to the writer.
    assert!(matches!(error, SendError::Failed(Failure::Closed(_))), "{error}");
}

#[test]
fn a_runtime_dropped_under_the_client_ends_everything() {
    let cluster = cluster();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (client, producer) = runtime.block_on(async {
        let client = fusee::connect(cluster.addr()).await.expect("the model answers");
        let producer = client.producer("p").start().await.expect("the first of its group");
        producer.send(order("1")).await.expect("a receipt");
        (client, producer)
    });
    cluster.pause(0);
    let send = producer.send(order("2"));
    let mut pull = client.lite_pull("g").start().wait().expect("the first of its group");
    drop(runtime);
    let error = send.wait().expect_err("no runtime");
    assert!(matches!(error, SendError::Failed(Failure::Closed(_))), "{error}");
    assert_eq!(producer.send(order("3")).wait().expect_err("no runtime").stored(), Stored::No);
    assert_eq!(pull.poll(LONG).wait().expect_err("no runtime"), PollError::Closed);
    assert_eq!(pull.commit().wait().expect_err("no runtime"), CommitError::Closed);
    assert!(client.close().wait().is_err());
}

#[test]
fn a_group_has_one_member_of_a_kind_until_it_is_left() {
    let cluster = cluster();
    let client = threads(&cluster);
    let first = producer(&client);
    let taken = client.producer("p").start().wait().expect_err("taken");
    assert_eq!(taken, StartError::Open(OpenError::GroupTaken));
    assert!(taken.hint().is_some());
    let clone = first.clone();
    first.close();
    clone.close();
    let second = producer(&client);
    assert_eq!(first.send(order("1")).wait().expect_err("left").stored(), Stored::No);
    second.send(order("1")).wait().expect("a receipt");

    let reader = client.lite_pull("g").start().wait().expect("the first of its group");
    assert!(client.lite_pull("g").start().wait().is_err());
    drop(reader);
    let again = client.lite_pull("g").start().wait().expect("a drop leaves");
    again.close().wait().expect("nothing to commit");

    for (group, reserved) in [("DEFAULT_PRODUCER", true), ("a b", false), ("", false)] {
        let error = client.producer(group).start().wait().expect_err("no group");
        assert_eq!(matches!(error, StartError::ReservedGroup(_)), reserved, "{error}");
    }
}

#[test]
fn reading_goes_where_it_is_told() -> Result<()> {
    let cluster = Cluster::builder().topic("orders", 1).start();
    let client = threads(&cluster);
    let producer = producer(&client);
    for n in 0..50 {
        producer.send(order(format!("{n:02}"))).wait()?;
    }
    let queues = client.queues("orders").wait()?;
    let [queue] = &queues[..] else { panic!("one queue: {queues:?}") };
    let mut pull = client
        .lite_pull("g")
        .assign(queues.clone())
        .from(StartFrom::First)
        .auto_commit(false)
        .start()
        .wait()?;
    let mut read = Vec::new();
    while let Some(batch) = pull.poll_until_end(LONG).wait()? {
        read.extend(batch.iter().map(Received::offset));
    }
    assert_eq!(read, (0..50).collect::<Vec<_>>());
    assert_eq!((pull.assignment(), pull.position(queue)), (queues.clone(), Some(50)));
    assert_eq!(cluster.committed("g", "orders", 0, 0), Some(0), "where the group began, and no more");
    pull.commit().wait()?;
    assert_eq!(cluster.committed("g", "orders", 0, 0), Some(50));

    pull.seek(queue, Position::Offset(47))?;
    let batch = pull.poll(LONG).wait()?;
    assert_eq!(batch.iter().map(Received::offset).collect::<Vec<_>>(), [47, 48, 49]);
    pull.seek(queue, Position::Begin)?;
    assert_eq!(pull.poll(LONG).wait()?[0].offset(), 0);
    pull.seek(queue, Position::Time(SystemTime::UNIX_EPOCH))?;
    assert_eq!(pull.poll(LONG).wait()?[0].offset(), 0);
    pull.seek(queue, Position::End)?;
    assert_eq!(pull.poll_until_end(LONG).wait()?, None);
    assert_eq!(pull.poll(SOON).wait()?, []);

    pull.seek(queue, Position::Begin)?;
    pull.pause(&queues);
    assert_eq!(pull.poll(SOON).wait()?, []);
    pull.resume(&queues);
    assert_eq!(pull.poll(LONG).wait()?[0].offset(), 0);

    assert_eq!(pull.seek(queue, Position::Offset(-1)), Err(SeekError::Negative(-1)));
    pull.assign([]);
    assert_eq!(pull.seek(queue, Position::End), Err(SeekError::NotAssigned(queue.clone())));
    assert_eq!(pull.poll_until_end(LONG).wait()?, None, "there is nothing to read");
    Ok(())
}

#[test]
fn closing_a_reader_commits_what_was_given_out() -> Result<()> {
    let cluster = Cluster::builder().topic("orders", 1).start();
    let client = threads(&cluster);
    let producer = producer(&client);
    for n in 0..10 {
        producer.send(order(format!("{n}"))).wait()?;
    }
    assert_eq!(read_all(&client, "g")?.len(), 10);
    assert_eq!(cluster.committed("g", "orders", 0, 0), Some(10));
    producer.send(order("new")).wait()?;
    let read = read_all(&client, "g")?;
    assert_eq!(read.iter().map(Received::offset).collect::<Vec<_>>(), [10], "the group goes on where it was");
    Ok(())
}

#[test]
fn a_poll_that_is_dropped_has_taken_nothing() -> Result<()> {
    let cluster = cluster();
    current_thread().block_on(async {
        let client = fusee::connect(cluster.addr()).await?;
        let producer = client.producer("p").start().await?;
        let queues = client.queues("orders").await?;
        let mut pull = client.lite_pull("g").assign(queues).from(StartFrom::First).start().await?;
        let mut read = Vec::new();
        for n in 0..20 {
            producer.send(order(format!("{n}"))).await?;
            // Polled once and dropped, over and over, while the reply is on its way.
            for _ in 0..5 {
                let batch = tokio::select! { biased; batch = pull.poll(LONG) => batch?, () = tokio::task::yield_now() => vec![] };
                read.extend(batch);
            }
        }
        while read.len() < 20 {
            let batch = pull.poll(LONG).await?;
            assert!(!batch.is_empty(), "lost: {read:?}");
            read.extend(batch);
        }
        let mut numbers = Vec::new();
        for message in &read {
            numbers.push(message.text()?.parse::<i32>().expect("a number"));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        Ok(())
    })
}

#[test]
fn errors_say_who_and_what_next() {
    let cluster = Cluster::builder().topic("orders", 1).strict().start();
    let client = builder(&cluster).send_attempts(1).connect().wait().expect("a client");
    let producer = producer(&client);
    let missing = producer.send(Message::new("missing", "x")).wait().expect_err("no such topic");
    assert_eq!(missing.stored(), Stored::No);
    assert!(missing.hint().is_some() && missing.to_string().contains("missing"), "{missing}");
    let illegal = producer.send(order("")).wait().expect_err("an empty body");
    assert_eq!(illegal, SendError::Illegal(IllegalMessage::EmptyBody));

    cluster.fail_next(Op::Send, Code::SystemBusy, 1);
    let busy = producer.send(order("x")).wait().expect_err("refused");
    assert_eq!((busy.stored(), busy.code().map(|code| code.0)), (Stored::No, Some(2)), "{busy}");
    assert!(matches!(busy.retry(), Retry::After(_)));
    assert_eq!(Error::from(busy.clone()).stored(), Stored::No);
    assert_eq!(Error::from(busy), Error::Send(producer_busy(&cluster, &producer)), "errors compare by value");
}

fn producer_busy(cluster: &Cluster, producer: &Producer) -> SendError {
    cluster.fail_next(Op::Send, Code::SystemBusy, 1);
    producer.send(order("x")).wait().expect_err("refused")
}

#[test]
fn settings_out_of_range_are_reported_by_connecting() {
    let error =
        Client::builder().send_attempts(0).runtime(Runtime::Blocking).connect().wait().expect_err("zero");
    assert!(
        matches!(error, ConnectError::Config(ConfigError::Range { option: "send_attempts", .. })),
        "{error}"
    );
    let error = fusee::blocking::connect("nowhere").wait().expect_err("no address");
    assert!(matches!(error, ConnectError::Config(ConfigError::Address { .. })), "{error}");
    assert!(error.hint().is_some());
}

#[test]
#[cfg(feature = "rustls-ring")]
fn certificates_that_are_none_are_reported_by_connecting() {
    let tls = fusee::Tls::authorities("no certificate");
    let error =
        Client::builder().runtime(rt::Blocking).tls(tls).connect().wait().expect_err("no certificate");
    assert!(matches!(error, ConnectError::Config(ConfigError::Tls(_))), "{error}");
    assert!(error.hint().is_some());
}
