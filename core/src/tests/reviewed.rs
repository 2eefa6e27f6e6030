//! What a second look found: each test is a way in which something could go wrong, and once did.

use core::time::Duration;

use crate::error::{LostWhy, Stored};
use crate::ids::Group;
use crate::wire::Request;
use crate::{Choice, Input, Instant, Outcome, PullConfig, StartFrom};

use super::bench::{Bench, message, queue, route};
use super::reading::reading;

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
fn an_offset_moved_once_does_not_let_empty_answers_spin() {
    let (mut bench, _) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(1000));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 21, 5, 5, 0);
    let mut pulls = 0;
    for _ in 0..100 {
        while let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Pull(_))) {
            pulls += 1;
            assert!(pulls < 100, "R11: it spins");
            bench.pulled(conn, opaque, 19, 5, 5, 0);
        }
        bench.pass(Duration::from_millis(1));
    }
    assert!(pulls > 1, "L7: the queue goes on");
}

#[test]
fn queues_that_waited_for_one_that_is_taken_away_go_on() {
    // For what it says of the group's offsets.
    let (mut bench, id) = reading(StartFrom::Last, false, &[0, 1]);
    bench.stored_offset(None);
    bench.client.consumer(id).assign(bench.now, &[queue("a", 0)]);
    bench.drain();
    assert!(bench.request_of(|r| matches!(r, Request::MaxOffset(_))).is_some(), "L7: it is decided");

    // For its room.
    let (mut bench, id) = reading(StartFrom::First, false, &[0, 1]);
    bench.stored_offset(Some(0));
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 0, 1, 1, 256 * 1024 * 1024);
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 19, 0, 0, 0);
    bench.pass(Duration::from_secs(1));
    assert!(bench.request_of(|r| matches!(r, Request::Pull(_))).is_none(), "nothing is asked past the bound");
    bench.client.consumer(id).assign(bench.now, &[queue("a", 1)]);
    bench.drain();
    bench.next_pull();
}

#[test]
fn a_consumer_that_closes_reads_no_more_whatever_it_is_told() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 0, 10, 10, 50);
    bench.take_chunk(id).expect("cached");
    assert!(bench.take_chunk(id).is_none());
    while bench.request().is_some() {}
    bench.client.consumer(id).close(bench.now);
    bench.drain();
    bench.client.consumer(id).resume(bench.now, &[queue("a", 0)]);
    bench.client.consumer(id).assign(bench.now, &[queue("a", 0), queue("a", 1)]);
    bench.drain();
    let (conn, opaque, request) = bench.request().expect("the last commit");
    assert!(matches!(request, Request::UpdateOffset(_)), "{request:?}");
    assert!(bench.request().is_none(), "nothing is read any more");
    let delivers = bench.delivers;
    bench.client.consumer(id).wake_at(bench.now, bench.now + Duration::from_secs(99));
    bench.drain();
    assert!(bench.delivers > delivers, "whoever polls hears of it at once");
    bench.reply(conn, opaque, 0, &[], "");
    let close = bench.ticket();
    bench.client.close(bench.now, close);
    bench.drain();
    bench.pass(Duration::from_secs(4));
    assert!(bench.done.contains_key(&close));
    assert_eq!(bench.wait, Instant::NEVER);
}

#[test]
fn an_automatic_commit_does_not_take_a_commit_by_hand_back() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    for end in [10, 20] {
        let (conn, opaque, ..) = bench.next_pull();
        bench.pulled(conn, opaque, 0, end, 20, 50);
        bench.take_chunk(id).expect("cached");
    }
    let ticket = bench.ticket();
    bench.client.consumer(id).commit(bench.now, ticket);
    bench.drain();
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::UpdateOffset(_))).expect("a commit");
    bench.reply(conn, opaque, 0, &[], "");
    assert_eq!(bench.done.get(&ticket), Some(&Outcome::Committed(Ok(()))));
    bench.pass(Duration::from_secs(6));
    let again = bench.request_of(|r| matches!(r, Request::UpdateOffset(_)));
    assert!(again.is_none(), "S12: {again:?}");
}

#[test]
fn the_place_where_a_new_group_begins_is_committed_again_until_it_is_known() {
    let (mut bench, _) = reading(StartFrom::Last, true, &[0]);
    bench.stored_offset(None);
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::MaxOffset(_))).expect("the end");
    bench.reply(conn, opaque, 0, &[("offset", "9")], "");
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::UpdateOffset(_))).expect("a commit");
    bench.reply(conn, opaque, 1, &[], "");
    bench.pass(Duration::from_secs(6));
    let (_, _, request) = bench.request_of(|r| matches!(r, Request::UpdateOffset(_))).expect("it again");
    assert!(matches!(&request, Request::UpdateOffset(update) if update.offset == 9), "{request:?}");
}

#[test]
fn bounds_of_zero_let_one_reply_in() {
    let mut bench = Bench::new();
    let mut config = PullConfig::new(Group::new("readers").expect("a group"));
    (config.cached_per_queue, config.cached_messages, config.cached_bytes) = (0, 0, 0);
    config.from = StartFrom::First;
    bench.client.open_pull(bench.now, config, &[queue("a", 0)]).expect("opens");
    bench.drain();
    bench.answer_route(&["a"]);
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 0, 10, 10, 50);
}

#[test]
fn a_member_that_leaves_does_not_take_its_successor_along() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 0, 10, 10, 50);
    bench.take_chunk(id).expect("cached");
    assert!(bench.take_chunk(id).is_none());
    bench.client.consumer(id).close(bench.now);
    bench.drain();
    bench.pull(StartFrom::First, true, &[queue("a", 0)]);
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::UpdateOffset(_))).expect("the commit");
    bench.reply(conn, opaque, 0, &[], "");
    let farewell = bench.request_of(|r| matches!(r, Request::Unregister(_)));
    assert!(farewell.is_none(), "the group still has a member here: {farewell:?}");
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
    let close = bench.ticket();
    bench.client.close(bench.now, close);
    bench.drain();
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
fn a_commit_that_was_never_answered_may_come_late_and_is_made_once_more_than_needed() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    let mut offsets = alloc::vec::Vec::new();
    for (round, answered) in [false, true, true, true].into_iter().enumerate() {
        if round < 2 {
            let end = 10 * (i64::try_from(round).expect("small") + 1);
            let (conn, opaque, ..) = bench.next_pull();
            bench.pulled(conn, opaque, 0, end, 20, 50);
            bench.take_chunk(id).expect("cached");
        }
        let ticket = bench.ticket();
        bench.client.consumer(id).commit(bench.now, ticket);
        bench.drain();
        if let Some((conn, opaque, request)) = bench.request_of(|r| matches!(r, Request::UpdateOffset(_))) {
            let Request::UpdateOffset(update) = request else { unreachable!("filtered") };
            offsets.push(update.offset);
            if answered {
                bench.reply(conn, opaque, 0, &[], "");
            }
        }
        bench.pass(Duration::from_secs(4));
        assert!(bench.done.contains_key(&ticket), "S4");
    }
    assert_eq!(offsets, [10, 20, 20], "the first may be executed between the others");
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
fn periods_of_zero_do_not_stop_time() {
    let mut bench = Bench::with(|config| {
        (config.heartbeat, config.route_refresh) = (Duration::ZERO, Duration::ZERO);
        config.connections.life_max = Some(Duration::ZERO);
    });
    let mut config = PullConfig::new(Group::new("readers").expect("a group"));
    config.commit_interval = Duration::ZERO;
    bench.client.open_pull(bench.now, config, &[queue("a", 0)]).expect("opens");
    bench.drain();
    bench.answer_route(&["a"]);
    bench.pass(Duration::from_secs(1));
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
    let mut bench = Bench::new();
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    bench.store(conn, opaque, 0);
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
    let (conn, opaque, _) =
        bench.request_of(|r| matches!(r, Request::Send(_))).expect("sent by what is known");
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
        if let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Send(_))) {
            bench.store(conn, opaque, 0);
            bench.send(producer); // until both were tried
        }
        bench.pass(Duration::from_millis(1));
    }
    while let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Send(_))) {
        bench.store(conn, opaque, 0);
    }
    bench.pass(Duration::from_secs(3));
    (bench, producer)
}

#[test]
fn a_slow_broker_is_waited_for_when_the_other_is_known_to_be_dead() {
    let (mut bench, producer) = beside_a_dead_broker();
    let send = bench.send(producer);
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("to the living one");
    bench.pass(Duration::from_millis(2500));
    bench.store(conn, opaque, 1);
    assert!(bench.sent(send).is_ok(), "{:?}", bench.sent(send));
}

#[test]
fn a_busy_broker_is_asked_again_when_the_other_is_known_to_be_dead() {
    let (mut bench, producer) = beside_a_dead_broker();
    let send = bench.send(producer);
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("to the living one");
    bench.reply(conn, opaque, 2, &[], "");
    bench.pass(Duration::from_millis(150));
    let (again, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("to the same one");
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
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("now there is one");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(send).is_ok());
}

#[test]
fn a_heartbeat_does_not_wait_behind_sends_that_wait() {
    let mut bench = Bench::with(|config| {
        config.connections.in_flight = 1;
        config.send.deadline = Duration::from_secs(90);
    });
    let producer = bench.producer();
    let first = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the first send");
    bench.answers_heartbeats = false;
    let second = bench.send(producer);
    bench.taken.clear();
    for _ in 0..35 {
        bench.pass(Duration::from_secs(1));
        bench.reply(conn, 0x7fff_0000, 0, &[], ""); // it is alive
    }
    let beats = bench
        .taken
        .iter()
        .filter(|(_, outgoing)| matches!(&outgoing.what, crate::What::Call(Request::Heartbeat(_))));
    assert_eq!(beats.count(), 1, "P4: a heartbeat every 30 s");
    bench.store(conn, opaque, 0);
    assert!(bench.sent(first).is_ok());
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Send(_))).expect("the second send");
    bench.store(conn, opaque, 1);
    assert!(bench.sent(second).is_ok());
}
