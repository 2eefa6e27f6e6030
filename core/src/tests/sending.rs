//! Sends, against brokers that answer, refuse, fall silent and vanish.

use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{LostWhy, RejectedWhy, RouteError, SendError, Stored};
use crate::wire::{Dialect, Request};
use crate::{Choice, Input, Outcome};

use super::bench::{Bench, message, queue, stored};

#[test]
fn a_send_finds_its_route_and_ends_in_a_receipt() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, request) = bench.request().expect("the send");
    assert_eq!(bench.address(conn), "a:1");
    assert!(matches!(&request, Request::Send(send) if send.broker.as_str() == "a"), "{request:?}");
    bench.store(conn, opaque, 7);
    let receipt = bench.sent(ticket).as_ref().expect("stored");
    assert_eq!(receipt.offset, 7);
    assert_eq!(alloc::format!("{receipt}"), "msgId=7F0000010000 a/0@7");
}

#[test]
fn four_sends_cover_four_queues_and_binary_headers_follow_the_first_reply() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let mut queues = Vec::new();
    for n in 0..4 {
        bench.send(producer);
        if n == 0 {
            bench.answer_route(&["a"]);
        }
        let dialect = bench.taken.iter().next_back().expect("the send").1.dialect;
        assert_eq!(dialect, if n == 0 { Dialect::Json } else { Dialect::Binary });
        let (conn, opaque, request) = bench.request().expect("the send");
        let Request::Send(send) = request else { panic!("{request:?}") };
        queues.push(send.queue);
        bench.store(conn, opaque, n);
    }
    queues.sort_unstable();
    assert_eq!(queues, [0, 1, 2, 3]);
}

#[test]
fn a_busy_broker_is_left_for_another_at_once() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.answer_route(&["a", "b"]);
    let (first, opaque, _) = bench.request().expect("the first attempt");
    bench.reply(first, opaque, 2, &[], "");
    let (second, opaque, _) = bench.request().expect("the second attempt");
    assert_ne!(bench.address(first), bench.address(second));
    bench.store(second, opaque, 0);
    assert!(bench.sent(ticket).is_ok());
}

#[test]
fn one_busy_broker_is_asked_three_times_with_pauses_and_the_refusal_is_told() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.answer_route(&["a"]);
    for attempt in 0..3 {
        let (conn, opaque, _) = bench.request().expect("an attempt");
        bench.reply(conn, opaque, 2, &[], "");
        assert!(bench.taken.is_empty(), "no attempt at once on the same broker");
        if attempt < 2 {
            bench.pass(Duration::from_millis(200));
        }
    }
    let error = bench.sent(ticket).as_ref().expect_err("refused");
    assert!(matches!(error, SendError::Refused { attempts: 3, stored: Stored::No, .. }), "{error}");
}

#[test]
fn an_error_of_the_broker_leaves_doubt_and_a_clear_refusal_ends_at_once() {
    for (code, expect) in [(1, Stored::Unknown), (13, Stored::No)] {
        let mut bench = Bench::new();
        let producer = bench.producer();
        let ticket = bench.send(producer);
        bench.answer_route(&["a"]);
        let mut attempts = 0;
        while let Some((conn, opaque, _)) = bench.request() {
            attempts += 1;
            bench.reply(conn, opaque, code, &[], "");
            bench.pass(Duration::from_millis(250));
        }
        assert_eq!(attempts, if code == 1 { 3 } else { 1 });
        assert_eq!(bench.sent(ticket).as_ref().expect_err("refused").stored(), expect);
    }
}

#[test]
fn what_was_never_written_is_sent_again_and_what_was_is_in_doubt() {
    let mut bench = Bench::with(|config| config.send.attempts = 1);
    let producer = bench.producer();
    let first = bench.send(producer);
    bench.answer_route(&["a"]);
    let second = bench.send(producer);
    let (conn, ..) = bench.request().expect("the first");
    bench.request().expect("the second");
    // A heartbeat was taken first on this connection, then the two sends; one byte of the first send got out.
    bench.lose(conn, LostWhy::Reset, 2);
    let error = bench.sent(first).as_ref().expect_err("its one attempt is spent");
    assert_eq!(error.stored(), Stored::Unknown);
    bench.pass(Duration::from_millis(100));
    let (conn, opaque, _) = bench.request().expect("the second again, on a new connection");
    bench.store(conn, opaque, 1);
    assert!(bench.sent(second).is_ok());
}

#[test]
fn a_dead_broker_is_given_up_for_another_before_the_deadline_and_a_slow_one_is_not() {
    for alive in [false, true] {
        let mut bench = Bench::new();
        let producer = bench.producer();
        let ticket = bench.send(producer);
        bench.answer_route(&["a", "b"]);
        let (conn, ..) = bench.request().expect("the first attempt");
        bench.pass(Duration::from_millis(500));
        if alive {
            bench.reply(conn, 0x7fff_0000, 0, &[], ""); // a reply to nothing is life all the same
        }
        bench.pass(Duration::from_millis(700));
        let other = bench.request();
        assert_eq!(other.is_some(), !alive, "another broker is tried only when the first is silent");
        bench.pass(Duration::from_secs(3));
        let error = bench.sent(ticket).as_ref().expect_err("nobody answered");
        assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");
    }
}

#[test]
fn a_broker_that_cannot_be_reached_leaves_the_message_provably_unsent() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.auto_dial = false;
    bench.answer_route(&["a"]);
    let mut dials = 0;
    for _ in 0..4000 {
        if let Some((conn, _)) = bench.dials.first().cloned() {
            dials += 1;
            bench.lose(conn, LostWhy::Refused, 0);
        }
        bench.pass(Duration::from_millis(1));
    }
    let error = bench.sent(ticket).as_ref().expect_err("nobody listens");
    assert!(
        matches!(error, SendError::TimedOut { attempts: 0, stored: Stored::No, last: Some(_) }),
        "{error}"
    );
    assert!((3..30).contains(&dials), "R7: dials back off: {dials}");
}

#[test]
fn a_request_nobody_took_by_the_deadline_is_not_stored_and_one_taken_is_unknown() {
    for take in [false, true] {
        let mut bench = Bench::new();
        let producer = bench.producer();
        bench.send(producer);
        bench.answer_route(&["a"]);
        bench.request().expect("the first send");
        bench.auto_take = false;
        let ticket = bench.send(producer);
        if take {
            bench.take_ready();
        }
        bench.pass(Duration::from_secs(3));
        let stored = if take { Stored::Unknown } else { Stored::No };
        assert_eq!(bench.sent(ticket).as_ref().expect_err("late").stored(), stored);
    }
}

#[test]
fn a_late_reply_changes_nothing_and_its_opaque_is_not_reused_before_it_comes() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, late, _) = bench.request().expect("the send");
    bench.pass(Duration::from_secs(3));
    assert!(bench.sent(ticket).is_err());
    let next = bench.send(producer);
    let (again, opaque, _) = bench.request().expect("the next send");
    assert_eq!(conn, again);
    assert_ne!(late, opaque);
    bench.store(conn, late, 1);
    assert!(!bench.done.contains_key(&next), "P2: a late reply ends nothing");
    bench.store(conn, opaque, 2);
    assert_eq!(bench.sent(next).as_ref().expect("stored").offset, 2);
}

#[test]
fn a_topic_nobody_knows_is_made_by_its_template_or_refused() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    let (conn, opaque, _) = bench.request().expect("the topic's route");
    bench.reply(conn, opaque, 17, &[], "");
    let (conn, opaque, request) = bench.request().expect("the template's route");
    assert!(matches!(&request, Request::Route(route) if route.topic.as_str() == "TBW102"), "{request:?}");
    bench.reply(conn, opaque, 17, &[], "");
    let error = bench.sent(ticket).as_ref().expect_err("no such topic");
    assert!(matches!(error, SendError::NoRoute(RouteError::NoSuchTopic(_))), "{error}");
}

#[test]
fn a_chosen_queue_is_obeyed_or_refused() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let good = bench.send_to(producer, Choice::Queue(queue("b", 3)));
    bench.answer_route(&["a", "b"]);
    let (conn, opaque, request) = bench.request().expect("the send");
    let Request::Send(send) = request else { panic!("{request:?}") };
    assert_eq!((send.broker.as_str(), send.queue), ("b", 3));
    bench.store(conn, opaque, 0);
    assert!(bench.sent(good).is_ok());
    let bad = bench.send_to(producer, Choice::Queue(queue("b", 4)));
    assert!(matches!(bench.sent(bad), Err(SendError::NoSuchQueue(_))));
}

#[test]
fn a_queue_that_vanishes_between_attempts_does_not_settle_the_doubt_of_the_first() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let doubted = bench.send_to(producer, Choice::Queue(queue("b", 3)));
    bench.answer_route(&["a", "b"]);
    let (conn, opaque, _) = bench.request().expect("the attempt");
    bench.reply(conn, opaque, 1, &[], ""); // stored or not, nobody knows
    bench.send_to(producer, Choice::Queue(queue("a", 0)));
    let (conn, opaque, _) = bench.request().expect("another send");
    bench.reply(conn, opaque, 17, &[], ""); // the route is asked for again
    bench.answer_route(&["a"]);
    bench.pass(Duration::from_millis(200));
    let error = bench.sent(doubted).as_ref().expect_err("its queue is gone");
    assert_eq!(error.stored(), Stored::Unknown, "{error}");
}

#[test]
fn past_the_bound_room_is_granted_in_the_order_of_asking() {
    let mut bench = Bench::with(|config| config.send.admitted_messages = 2);
    let producer = bench.producer();
    let (first, _second) = (bench.send(producer), bench.send(producer));
    let ticket = bench.ticket();
    let rejected = bench.client.producer(producer).send(bench.now, message(10), Choice::Any, ticket);
    assert_eq!(rejected.expect_err("full").why, RejectedWhy::Full);
    let (early, late) = (bench.ticket(), bench.ticket());
    bench.client.producer(producer).await_room(bench.now, 10, early);
    bench.client.producer(producer).await_room(bench.now, 10, late);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the first send");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(first).is_ok());
    assert!(matches!(bench.done.remove(&early), Some(Outcome::Room(Ok(())))));
    assert!(!bench.done.contains_key(&late));
    // A newcomer does not overtake; a reservation given up goes to the next in line.
    let newcomer = bench.ticket();
    assert!(bench.client.producer(producer).send(bench.now, message(10), Choice::Any, newcomer).is_err());
    bench.client.producer(producer).give_up_room(early);
    bench.drain();
    assert!(matches!(bench.done.remove(&late), Some(Outcome::Room(Ok(())))));
    bench.client.producer(producer).send(bench.now, message(10), Choice::Any, late).expect("reserved");
    bench.drain();
}

#[test]
fn a_stale_route_outlives_its_name_server() {
    let (mut bench, producer, _) = Bench::sending();
    let name_server = bench.conn_to(super::bench::NS);
    bench.auto_dial = false;
    bench.lose(name_server, LostWhy::Eof, 9);
    for _ in 0..200 {
        bench.pass(Duration::from_secs(1));
        bench.request();
        if let Some((dial, _)) = bench.dials.first().cloned() {
            bench.lose(dial, LostWhy::Refused, 0);
        }
    }
    let ticket = bench.send(producer);
    let (conn, opaque, _) = bench.request().expect("sent by the route known");
    bench.store(conn, opaque, 1);
    assert!(bench.sent(ticket).is_ok());
}

#[test]
fn a_receipt_without_an_offset_is_none() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let ticket = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    let fields = stored(1);
    bench.reply(conn, opaque, 0, &[("msgId", &fields[0].1)], "");
    let error = bench.sent(ticket).as_ref().expect_err("no receipt");
    assert_eq!(error.stored(), Stored::Unknown);
    bench.handle(Input::Time);
}

#[test]
fn a_receipt_keeps_no_read_buffer_alive() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let mut receipts = Vec::new();
    for offset in 0..2 {
        let ticket = bench.send(producer);
        if offset == 0 {
            bench.answer_route(&["a"]);
        }
        let (conn, opaque, _) = bench.request().expect("the send");
        let fields = stored(offset);
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
        fields.extend([("MSG_REGION", "here"), ("transactionId", "7F0000010000")]);
        bench.reply(conn, opaque, 0, &fields, "");
        receipts.push(bench.sent(ticket).clone().expect("a receipt"));
    }
    let [first, second] = &receipts[..] else { unreachable!() };
    // The region of both is one copy, and the transaction is called as the message is.
    let regions = [first, second].map(|receipt| receipt.region.as_ref().expect("a region").as_ptr());
    assert_eq!(regions[0], regions[1]);
    assert_eq!(first.transaction_id.as_ref().expect("an id").as_ptr(), first.id.as_ptr());
}
