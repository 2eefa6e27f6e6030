//! Closing, with and without work in flight.

use core::time::Duration;

use crate::error::{SendError, Stored};
use crate::wire::Request;
use crate::{Outcome, Report, StartFrom};

use super::bench::{Bench, queue};

#[test]
fn closing_waits_for_what_is_in_flight_leaves_the_groups_and_hangs_up() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let send = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    let ticket = bench.ticket();
    bench.client.close(bench.now, ticket);
    bench.drain();
    assert!(!bench.done.contains_key(&ticket));
    bench.store(conn, opaque, 0);
    assert!(bench.sent(send).is_ok());
    let (conn, opaque, request) = bench.request().expect("the farewell");
    assert!(matches!(request, Request::Unregister(_)), "{request:?}");
    bench.reply(conn, opaque, 0, &[], "");
    let expect = Report { sends_stored: 1, groups_left: 1, ..Report::default() };
    assert_eq!(bench.done.get(&ticket), Some(&Outcome::Closed(expect)));
    assert!(bench.conns.is_empty());
    assert_eq!(bench.wait, crate::Instant::NEVER);
    let again = bench.ticket();
    bench.client.close(bench.now, again);
    bench.drain();
    assert_eq!(bench.done.get(&again), Some(&Outcome::Closed(expect)));
}

#[test]
fn closing_ends_by_its_deadline_and_every_send_hears_of_it() {
    let mut bench = Bench::with(|config| config.send.deadline = Duration::from_secs(60));
    let producer = bench.producer();
    let taken = bench.send(producer);
    bench.answer_route(&["a"]);
    bench.auto_take = false;
    let untaken = bench.send(producer);
    let ticket = bench.ticket();
    bench.client.close(bench.now, ticket);
    bench.drain();
    bench.pass(Duration::from_secs(14));
    assert_eq!(bench.sent(taken), &Err(SendError::Closed(Stored::Unknown)));
    assert_eq!(bench.sent(untaken), &Err(SendError::Closed(Stored::No)));
    let Some(Outcome::Closed(report)) = bench.done.get(&ticket) else { panic!("{:?}", bench.done) };
    assert!(report.cut_short);
}

#[test]
fn an_abandoned_client_ends_everything_at_once() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let (routing, queues) = (bench.send(producer), bench.ticket());
    bench.client.queues(bench.now, &queue("a", 0).topic, queues);
    bench.pull(StartFrom::First, true, &[queue("a", 0)]);
    let connect = bench.ticket();
    bench.client.connect(bench.now, connect);
    bench.client.abandon(bench.now);
    bench.drain();
    assert_eq!(bench.sent(routing), &Err(SendError::Closed(Stored::No)));
    assert!(matches!(bench.done.get(&queues), Some(Outcome::Queues(Err(_)))));
    assert!(matches!(bench.done.get(&connect), Some(Outcome::Connected(Err(_)))));
    assert_eq!(bench.wait, crate::Instant::NEVER);
    let late = bench.ticket();
    assert!(
        bench
            .client
            .producer(producer)
            .send(bench.now, super::bench::message(1), crate::Choice::Any, late)
            .is_err()
    );
}
