//! What a second look found: each test is a way in which something could go wrong, and once did.

use core::time::Duration;

use crate::error::{LostWhy, RejectedWhy, Stored};
use crate::ids::{Group, Topic};
use crate::limits::client as limits;
use crate::wire::Request;
use crate::{Choice, Input, Outcome, Prepared};

use super::bench::{Bench, message, queue, route};
use super::reading::dealt_with;

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
fn a_message_larger_than_its_reserved_room_does_not_pass_the_bound() {
    let mut bench = Bench::with(|config| config.send.admitted_bytes = 100);
    let producer = bench.producer();
    for (bytes, fits) in [(60, true), (61, false)] {
        let (room, large, small) = (bench.ticket(), bench.ticket(), bench.ticket());
        let sent = bench.client.producer(producer).send(bench.now, message(40), Choice::Any, small);
        sent.expect("there is room");
        bench.client.producer(producer).await_room(bench.now, 10, room);
        let sent = bench.client.producer(producer).send_reserved(
            bench.now,
            message(bytes),
            Choice::Any,
            room,
            large,
        );
        assert_eq!(sent.map_err(|rejected| rejected.why), if fits { Ok(()) } else { Err(RejectedWhy::Full) });
        bench.drain();
        bench.client.check();
        bench.pass(Duration::from_secs(4)); // the sends end, for there is no route
    }
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
        bench.next_send().expect("the first");
        let (conn, opaque) = bench.next_send().expect("the attempt");
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
    let (conn, opaque) = bench.next_send().expect("the second attempt");
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
    let (conn, opaque) = bench.next_send().expect("L7: room was made");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(waits).is_ok());
}

#[test]
fn what_was_given_up_does_not_pile_up_behind_a_wire_that_takes_nothing() {
    let (mut bench, producer, _) = Bench::sending();
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
fn closing_keeps_its_deadline_when_the_last_send_took_it_nearly_all() {
    let mut bench = Bench::with(|config| {
        config.send.deadline = Duration::from_secs(60);
        config.close_deadline = Duration::from_secs(5);
    });
    let producer = bench.producer();
    let send = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    let close = bench.close();
    bench.pass(Duration::from_millis(4900));
    bench.store(conn, opaque, 0);
    assert!(bench.sent(send).is_ok());
    assert!(!bench.done.contains_key(&close), "the farewell is not answered");
    bench.pass(Duration::from_millis(200));
    assert!(bench.done.contains_key(&close), "L6");
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

#[test]
fn a_server_that_always_goes_away_is_dialled_with_longer_and_longer_pauses() {
    let mut bench = Bench::with(|config| config.send.deadline = Duration::from_secs(20));
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    bench.answers_heartbeats = false;
    let mut used = alloc::collections::BTreeSet::new();
    for round in 0..2000 {
        while let Some((conn, outgoing)) = bench.taken.pop_front() {
            used.insert(conn);
            bench.reply(conn, outgoing.opaque, 1500, &[], "");
        }
        bench.pass(Duration::from_millis(5));
        if round % 20 == 0 {
            bench.send(producer);
        }
    }
    assert!((4..40).contains(&used.len()), "R7: {} connections in 10 s", used.len());
}

#[test]
fn a_closed_producer_takes_nothing_and_its_sends_go_on() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let send = bench.send(producer);
    bench.client.producer(producer).close(bench.now);
    bench.drain();
    let late = bench.ticket();
    assert!(bench.client.producer(producer).send(bench.now, message(1), Choice::Any, late).is_err());
    bench.answer_route(&["a"]);
    let (conn, opaque, request) = bench.request().expect("the send");
    assert!(matches!(&request, Request::Send(send) if send.group.as_str() == "g"), "{request:?}");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(send).is_ok());
    bench.producer(); // the group may be joined again
}

#[test]
fn the_queues_of_a_broker_that_is_up_share_what_the_one_that_is_down_would_get() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.auto_dial = false;
    let mut counts = alloc::collections::BTreeMap::new();
    let mut ns = false;
    for round in 0..80 {
        bench.send(producer);
        for (conn, address) in core::mem::take(&mut bench.dials) {
            if address.as_str() == "a:1" {
                bench.lose(conn, LostWhy::Refused, 0);
            } else {
                bench.conns.insert(conn, address);
                bench.handle(Input::Connected(conn));
            }
        }
        if !ns {
            bench.answer_route(&["a", "b"]);
            ns = true;
        }
        while let Some((conn, opaque, request)) = bench.request_of(|r| matches!(r, Request::Send(_))) {
            let Request::Send(send) = request else { unreachable!("filtered") };
            assert_eq!(send.broker.as_str(), "b");
            if round >= 40 {
                *counts.entry(send.queue).or_insert(0) += 1;
            }
            bench.store(conn, opaque, 0);
        }
    }
    assert!(counts.values().all(|count| (8..=12).contains(count)), "{counts:?}");
}

#[test]
fn a_topic_nobody_uses_is_left_alone_until_somebody_does() {
    let (mut bench, producer, _) = Bench::sending();
    let mut asked = 0;
    for _ in 0..600 {
        bench.pass(Duration::from_secs(1));
        while let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Route(_))) {
            asked += 1;
            bench.reply(conn, opaque, 0, &[], &route(&["a"], 6));
        }
    }
    assert!((8..13).contains(&asked), "R9: asked {asked} times in ten minutes");
    bench.send(producer);
    let (conn, opaque) = bench.next_send().expect("sent by what is known");
    bench.store(conn, opaque, 0);
    assert!(bench.request_of(|r| matches!(r, Request::Route(_))).is_some(), "and asked for again");
}

#[test]
fn a_broker_that_comes_up_late_hears_nothing_of_a_group_that_was_left_meanwhile() {
    let mut bench = Bench::new();
    let ticket = bench.ticket();
    bench.client.queues(bench.now, &queue("a", 0).topic, ticket);
    bench.drain();
    bench.answer_route(&["a"]);
    (bench.auto_dial, bench.answers_heartbeats) = (false, false);
    let producer = bench.producer();
    let other = bench.client.open_producer(bench.now, Group::new("other").expect("a group")).expect("opens");
    bench.client.producer(producer).close(bench.now);
    bench.drain();
    let (conn, address) = bench.dials.remove(0);
    bench.conns.insert(conn, address);
    bench.handle(Input::Connected(conn));
    let groups: alloc::vec::Vec<_> = bench
        .taken
        .drain(..)
        .filter_map(|(_, outgoing)| match outgoing.what {
            crate::What::Call(Request::Heartbeat(heartbeat)) => Some(heartbeat.producers),
            crate::What::Call(_) | crate::What::Answer(_) => None,
        })
        .collect();
    assert_eq!(groups, [[Group::new("other").expect("a group")]], "one heartbeat, of the group that is left");
    bench.client.producer(other).close(bench.now);
    bench.drain();
}

/// A bench whose send goes to broker a, while nobody listens at b.
fn beside_a_dead_broker() -> (Bench, crate::ids::ProducerId) {
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.auto_dial = false;
    bench.send(producer);
    for _ in 0..100 {
        for (conn, address) in core::mem::take(&mut bench.dials) {
            if address.as_str() == "b:1" {
                bench.lose(conn, LostWhy::Refused, 0);
            } else {
                bench.conns.insert(conn, address);
                bench.handle(Input::Connected(conn));
            }
        }
        if bench.conns.len() == 1
            && bench.taken.iter().any(|(_, o)| matches!(&o.what, crate::What::Call(Request::Route(_))))
        {
            bench.answer_route(&["a", "b"]);
        }
        if let Some((conn, opaque)) = bench.next_send() {
            bench.store(conn, opaque, 0);
            bench.send(producer); // until both were tried
        }
        bench.pass(Duration::from_millis(1));
    }
    while let Some((conn, opaque)) = bench.next_send() {
        bench.store(conn, opaque, 0);
    }
    bench.pass(Duration::from_secs(3));
    (bench, producer)
}

#[test]
fn a_slow_broker_is_waited_for_when_the_other_is_known_to_be_dead() {
    let (mut bench, producer) = beside_a_dead_broker();
    let send = bench.send(producer);
    let (conn, opaque) = bench.next_send().expect("to the living one");
    bench.pass(Duration::from_millis(2500));
    bench.store(conn, opaque, 1);
    assert!(bench.sent(send).is_ok(), "{:?}", bench.sent(send));
}

#[test]
fn a_busy_broker_is_asked_again_when_the_other_is_known_to_be_dead() {
    let (mut bench, producer) = beside_a_dead_broker();
    let send = bench.send(producer);
    let (conn, opaque) = bench.next_send().expect("to the living one");
    bench.reply(conn, opaque, 2, &[], "");
    bench.pass(Duration::from_millis(150));
    let (again, opaque) = bench.next_send().expect("to the same one");
    assert_eq!(again, conn);
    bench.store(again, opaque, 1);
    assert!(bench.sent(send).is_ok());
}

#[test]
fn a_route_without_a_queue_is_asked_for_again_when_a_send_needs_one() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let send = bench.send(producer);
    answer_routes(&mut bench, &route(&["a"], 4));
    assert!(bench.sent(send).is_err());
    bench.send(producer);
    answer_routes(&mut bench, &route(&["a"], 6));
    let send = bench.send(producer);
    let (conn, opaque) = bench.next_send().expect("now there is one");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(send).is_ok());
}

#[test]
fn topics_without_end_do_not_pile_up_and_those_used_last_are_kept() {
    let (mut bench, id) = dealt_with();
    bench.client.consumer(id).assign(bench.now, &[]);
    bench.drain();
    let (conn, opaque, _) = bench.next_commit().expect("the commit of what was dropped");
    bench.reply(conn, opaque, 0, &[], "");
    let producer = bench.producer();
    let send = |bench: &mut Bench, n: usize| {
        let topic = Topic::new(&alloc::format!("reply-{n}")).expect("a topic");
        let ticket = bench.ticket();
        let message = Prepared { topic, ..message(10) };
        bench.client.producer(producer).send(bench.now, message, Choice::Any, ticket).expect("admitted");
        bench.drain();
        ticket
    };
    let until_idle = |bench: &mut Bench, seconds| {
        for _ in 0..seconds {
            bench.pass(Duration::from_secs(1));
            answer_routes(bench, &route(&["a"], 6));
            bench.taken.clear();
        }
    };
    let (first, all) = (30, 30 + limits::IDLE_TOPICS);
    for n in 0..all {
        let ticket = send(&mut bench, n);
        answer_routes(&mut bench, &route(&["a"], 6));
        let (conn, opaque) = bench.next_send().expect("the send");
        bench.store(conn, opaque, 0);
        assert!(bench.sent(ticket).is_ok());
        if n + 1 == first {
            until_idle(&mut bench, 60);
        }
    }
    until_idle(&mut bench, 340);
    for n in (0..all).step_by(10) {
        let ticket = send(&mut bench, n);
        let at_once = bench.next_send();
        assert_eq!(at_once.is_some(), n >= first, "R3: topic {n} of {all}");
        answer_routes(&mut bench, &route(&["a"], 6));
        let (conn, opaque) = at_once.or_else(|| bench.next_send()).expect("the send");
        bench.store(conn, opaque, 0);
        assert!(bench.sent(ticket).is_ok());
    }
    // Whoever reads again begins anew.
    bench.client.consumer(id).assign(bench.now, &[queue("a", 0)]);
    bench.drain();
    answer_routes(&mut bench, &route(&["a"], 6));
    bench.stored_offset(Some(10));
    assert_eq!(bench.next_pull().2, 10);
}
