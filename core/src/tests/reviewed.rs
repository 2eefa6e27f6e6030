//! What a second look found: each test is a way in which something could go wrong, and once did.

use core::time::Duration;

use crate::error::{LostWhy, Stored};
use crate::wire::Request;
use crate::{Choice, Input, Outcome};

use super::bench::{Bench, message, queue, route};

/// Answers the route requests that wait, with this body.
fn answer_routes(bench: &mut Bench, body: &str) {
    while let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Route(_))) {
        bench.reply(conn, opaque, 0, &[], body);
    }
}

#[test]
fn room_that_is_reserved_and_not_needed_goes_to_who_waits() {
    let mut bench = Bench::with(|config| config.send.admitted_bytes = 100);
    let producer = bench.producer();
    let (first, second) = (bench.ticket(), bench.ticket());
    bench.client.producer(producer).await_room(bench.now, 100, first);
    bench.client.producer(producer).await_room(bench.now, 50, second);
    bench.drain();
    assert!(!bench.done.contains_key(&second));
    let send = bench.ticket();
    let sent =
        bench.client.producer(producer).send_reserved(bench.now, message(10), Choice::Any, first, send);
    sent.expect("reserved");
    bench.drain();
    assert_eq!(bench.done.get(&second), Some(&Outcome::Room(Ok(()))), "L7: 90 bytes are free");
}

#[test]
fn a_retry_that_finds_no_queue_any_more_leaves_the_doubt_of_the_attempt_before() {
    for (to, later) in [
        (Choice::Any, route(&["a"], 4)),
        (Choice::Queue(queue("a", 3)), route(&["a"], 4)),
        (Choice::Queue(queue("a", 3)), route(&["b"], 6)),
    ] {
        let mut bench = Bench::with(|config| config.route_refresh = Duration::from_secs(1));
        let producer = bench.producer();
        bench.send(producer);
        bench.answer_route(&["a"]);
        bench.pass(Duration::from_millis(800));
        let send = bench.send_to(producer, to);
        let (conn, opaque, _) = bench
            .request_of(|r| matches!(r, Request::Send(_)))
            .and_then(|_| bench.request_of(|r| matches!(r, Request::Send(_))))
            .expect("the attempt");
        bench.pass(Duration::from_millis(300));
        answer_routes(&mut bench, &later);
        // The broker says that something went wrong, which may be after it stored the message.
        bench.reply(conn, opaque, 1, &[], "");
        bench.pass(Duration::from_secs(3));
        let error = bench.sent(send).as_ref().expect_err("nowhere to go");
        assert_eq!(error.stored(), Stored::Unknown, "S2: {error}");
    }
}

#[test]
fn a_connection_lost_before_is_found_silent_when_its_wire_takes_nothing() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, ..) = bench.request().expect("the send");
    bench.lose(conn, LostWhy::Reset, 9);
    bench.pass(Duration::from_millis(300));
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("the second attempt");
    bench.store(conn, opaque, 0);
    bench.auto_take = false;
    bench.pass(Duration::from_secs(40));
    assert!(bench.hung_up.contains(&conn), "L4: the peer took nothing for 10 s");
}

#[test]
fn what_is_given_up_makes_room_for_what_waits() {
    let mut bench = Bench::with(|config| config.connections.in_flight = 1);
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, ..) = bench.request().expect("the first send");
    bench.pass(Duration::from_secs(1));
    bench.reply(conn, 0x7fff_0000, 0, &[], ""); // it is alive: no probe comes to the rescue
    let waits = bench.send(producer);
    assert!(bench.request().is_none(), "the bound is one");
    bench.pass(Duration::from_secs(2));
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("L7: room was made");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(waits).is_ok());
}

#[test]
fn what_was_given_up_does_not_pile_up_behind_a_wire_that_takes_nothing() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    bench.store(conn, opaque, 0);
    bench.auto_take = false;
    for _ in 0..5 {
        for _ in 0..100 {
            bench.send(producer);
        }
        bench.pass(Duration::from_secs(4));
    }
    let waiting: usize = bench.client.connections().map(|connection| connection.waiting).sum();
    assert_eq!(waiting, 0, "all have ended");
}

#[test]
fn a_route_outlives_a_name_server_that_knows_only_the_template_yet() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque) = loop {
        bench.pass(Duration::from_millis(100));
        if let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Route(_))) {
            break (conn, opaque);
        }
    };
    bench.reply(conn, opaque, 17, &[], "");
    answer_routes(&mut bench, &route(&["b"], 7));
    while bench.request().is_some() {}
    bench.send(producer);
    let (_, _, request) = bench.request().expect("the send");
    assert!(matches!(&request, Request::Send(send) if send.broker.as_str() == "a"), "{request:?}");
}

#[test]
fn a_connection_that_came_up_slowly_is_not_silent() {
    let mut bench = Bench::new();
    let ticket = bench.ticket();
    bench.client.queues(bench.now, &queue("a", 0).topic, ticket);
    bench.drain();
    bench.answer_route(&["a"]);
    (bench.auto_dial, bench.answers_heartbeats) = (false, false);
    bench.producer(); // tells the broker, which is dialled for that
    bench.pass(Duration::from_millis(2900));
    let (conn, address) = bench.dials.remove(0);
    bench.conns.insert(conn, address);
    bench.handle(Input::Connected(conn));
    bench.pass(Duration::from_millis(500));
    assert!(bench.hung_up.is_empty(), "it is up for half a second: {:?}", bench.hung_up);
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.hung_up, [conn], "after three it is");
}
