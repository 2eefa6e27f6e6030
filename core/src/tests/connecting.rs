//! Looking for name servers, and connections that come and go.

use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{CallError, ConnectError, LostWhy};
use crate::ids::Address;
use crate::wire::FrameError;
use crate::{Input, Outcome};

use super::bench::Bench;

#[test]
fn a_name_server_that_knows_nothing_is_a_name_server() {
    for code in [0, 17] {
        let mut bench = Bench::new();
        let ticket = bench.ticket();
        bench.client.connect(bench.now, ticket);
        bench.drain();
        let (conn, opaque, _) = bench.request().expect("a route request");
        bench.reply(conn, opaque, code, &[], &super::bench::route(&["a"], 7));
        assert_eq!(bench.done.get(&ticket), Some(&Outcome::Connected(Ok(()))));
    }
}

#[test]
fn a_broker_is_no_name_server_and_is_told_so_at_once() {
    let mut bench = Bench::new();
    let ticket = bench.ticket();
    bench.client.connect(bench.now, ticket);
    bench.drain();
    let (conn, opaque, _) = bench.request().expect("a route request");
    bench.reply(conn, opaque, 3, &[], "");
    let Some(Outcome::Connected(Err(ConnectError::NoNameServer(said)))) = bench.done.get(&ticket) else {
        panic!("{:?}", bench.done)
    };
    assert!(matches!(said.as_slice(), [CallError::Refused { .. }]), "{said:?}");
}

#[test]
fn the_one_of_three_that_answers_is_found_and_the_others_do_not_delay_it_long() {
    let mut bench = Bench::with(|config| {
        config.name_servers = ["a:1", "b:1", "c:1"].map(|a| Address::new(a).expect("an address")).to_vec();
    });
    bench.auto_dial = false;
    let ticket = bench.ticket();
    bench.client.connect(bench.now, ticket);
    bench.drain();
    let start = bench.now;
    while !bench.done.contains_key(&ticket) {
        assert!(bench.now.since(start) < Duration::from_secs(5), "L4");
        for (conn, address) in core::mem::take(&mut bench.dials) {
            match address.as_str() {
                "a:1" => bench.lose(conn, LostWhy::Refused, 0),
                "b:1" => {} // a black hole
                _ => {
                    bench.conns.insert(conn, address);
                    bench.handle(Input::Connected(conn));
                    let (conn, opaque, _) = bench.request().expect("a route request");
                    bench.reply(conn, opaque, 17, &[], "");
                }
            }
        }
        bench.pass(Duration::from_millis(10));
    }
    assert_eq!(bench.done.get(&ticket), Some(&Outcome::Connected(Ok(()))));
}

#[test]
fn nobody_there_ends_after_five_seconds_and_says_who_said_what() {
    let mut bench = Bench::new();
    bench.auto_dial = false;
    let ticket = bench.ticket();
    let start = bench.now;
    bench.client.connect(bench.now, ticket);
    bench.drain();
    while !bench.done.contains_key(&ticket) {
        for (conn, _) in core::mem::take(&mut bench.dials) {
            bench.lose(conn, LostWhy::Refused, 0);
        }
        bench.pass(Duration::from_millis(10));
    }
    assert!((4900..5100).contains(&bench.now.since(start).as_millis()));
    let Some(Outcome::Connected(Err(error))) = bench.done.get(&ticket) else { panic!("{:?}", bench.done) };
    assert!(alloc::format!("{error}").contains("ns:9876: connection refused"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn something_else_than_rocketmq_and_somebody_untrusted_are_told_at_once() {
    for why in
        [LostWhy::Protocol(FrameError::SerializeType(9)), LostWhy::Untrusted("certificate expired".into())]
    {
        let mut bench = Bench::new();
        let ticket = bench.ticket();
        bench.client.connect(bench.now, ticket);
        bench.drain();
        let (conn, ..) = bench.request().expect("a route request");
        bench.lose(conn, why, 1);
        assert!(matches!(bench.done.get(&ticket), Some(Outcome::Connected(Err(_)))), "{:?}", bench.done);
    }
}

#[test]
fn a_silent_broker_is_found_out_by_its_heartbeat_and_dialled_again() {
    let (mut bench, producer, conn) = Bench::sending();
    bench.answers_heartbeats = false;
    // From now on nothing is answered: the next heartbeat is due in 30 s and has 3 s.
    bench.pass(Duration::from_secs(34));
    assert!(bench.hung_up.contains(&conn), "a silent connection is hung up");
    let ticket = bench.send(producer);
    bench.taken.retain(|(taken, outgoing)| {
        *taken != conn && !matches!(&outgoing.what, crate::What::Call(crate::wire::Request::Route(_)))
    });
    let (again, opaque, _) = bench.request().expect("on a new connection");
    assert_ne!(again, conn);
    bench.store(again, opaque, 1);
    assert!(bench.sent(ticket).is_ok());
}

#[test]
fn a_dial_without_an_end_is_given_up() {
    let mut bench = Bench::new();
    bench.auto_dial = false;
    let ticket = bench.ticket();
    bench.client.connect(bench.now, ticket);
    bench.drain();
    let (conn, _) = bench.dials.first().cloned().expect("a dial");
    bench.pass(Duration::from_millis(3001));
    assert!(bench.hung_up.contains(&conn));
    // Its late success is news of a connection that is over.
    bench.handle(Input::Connected(conn));
    bench.pass(Duration::from_secs(3));
    assert!(matches!(bench.done.get(&ticket), Some(Outcome::Connected(Err(_)))));
}

#[test]
fn a_server_that_goes_away_gets_nothing_more_and_what_it_has_is_waited_for() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let refused = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, first, _) = bench.request().expect("the first send");
    let slow = bench.send(producer);
    let (_, second, _) = bench.request().expect("the second send");
    bench.auto_take = false;
    let untaken = bench.send(producer);
    bench.auto_take = true;
    bench.reply(conn, first, 1500, &[], "");
    bench.pass(Duration::from_millis(150));
    for _ in 0..2 {
        let (again, opaque, _) = bench.request().expect("what was refused or not taken, on a new connection");
        assert_ne!(again, conn, "P6: nothing after GO_AWAY");
        bench.store(again, opaque, 3);
    }
    assert!(bench.sent(refused).is_ok() && bench.sent(untaken).is_ok());
    assert!(!bench.hung_up.contains(&conn), "a reply is still awaited there");
    bench.store(conn, second, 4);
    assert_eq!(bench.sent(slow).as_ref().expect("stored").offset, 4);
    assert!(bench.hung_up.contains(&conn), "nothing is awaited any more");
    assert_eq!(bench.retired(), [("a:1", &LostWhy::GoAway)]);
}

#[test]
fn a_server_says_that_it_goes_away_in_a_reply_nobody_waits_for_and_is_left_all_the_same() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let given_up = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("a send");
    bench.pass(Duration::from_millis(3_001));
    assert!(bench.sent(given_up).is_err(), "nobody answered in time");
    assert!(!bench.hung_up.contains(&conn), "one slow send is no reason to leave");
    while bench.request().is_some() {}
    bench.reply(conn, opaque, 1500, &[], "");
    bench.pass(Duration::from_millis(150));
    bench.send(producer);
    let (again, ..) = bench.request().expect("the next send");
    assert_ne!(again, conn, "P6: nothing after GO_AWAY");
}

#[test]
fn a_queue_keeps_to_one_of_several_connections_and_the_first_alone_carries_heartbeats() {
    let mut bench = Bench::with(|config| config.connections.per_broker = 3);
    let producer = bench.producer();
    let mut by_queue = alloc::collections::BTreeMap::new();
    for n in 0..12 {
        bench.send(producer);
        if n == 0 {
            bench.answer_route(&["a"]);
        }
        let (conn, opaque, request) = bench.request().expect("a send");
        let crate::wire::Request::Send(send) = request else { panic!("{request:?}") };
        assert_eq!(*by_queue.entry(send.queue).or_insert(conn), conn, "one queue, one connection");
        bench.store(conn, opaque, n);
    }
    let lanes: alloc::collections::BTreeSet<_> = by_queue.values().collect();
    assert_eq!(lanes.len(), 3);
    assert_eq!(bench.heartbeat_conns.len(), 1);
}

#[test]
fn an_old_connection_is_replaced_without_a_loss_and_an_idle_one_closed() {
    let mut bench = Bench::with(|config| config.connections.life_max = Some(Duration::from_secs(60)));
    let producer = bench.producer();
    bench.send(producer);
    bench.answer_route(&["a"]);
    let (old, opaque, _) = bench.request().expect("the send");
    bench.store(old, opaque, 0);
    bench.pass(Duration::from_secs(59));
    assert!(!bench.hung_up.contains(&old));
    bench.pass(Duration::from_secs(2));
    assert!(bench.hung_up.contains(&old), "nothing was in flight on it");
    assert_eq!(bench.retired(), [("a:1", &LostWhy::Aged)]);

    let mut bench = Bench::with(|config| config.connections.idle_close = Some(Duration::from_secs(40)));
    let ticket = bench.ticket();
    bench.client.connect(bench.now, ticket);
    bench.drain();
    let (conn, opaque, _) = bench.request().expect("a route request");
    bench.reply(conn, opaque, 17, &[], "");
    bench.pass(Duration::from_secs(39));
    assert!(bench.hung_up.is_empty());
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.hung_up, [conn]);
    assert_eq!(bench.retired(), [("ns:9876", &LostWhy::Idle)]);
    let [connection] = &bench.client.connections().collect::<Vec<_>>()[..] else { panic!("one name server") };
    assert_eq!(connection.last_lost, Some(LostWhy::Idle));
}

#[test]
fn what_waits_for_a_connection_in_vain_is_not_told_that_the_last_one_was_unused() {
    let mut bench = Bench::with(|config| config.connections.idle_close = Some(Duration::from_secs(1)));
    let ticket = bench.ticket();
    bench.client.connect(bench.now, ticket);
    bench.drain();
    let (conn, opaque, _) = bench.request().expect("a route request");
    bench.reply(conn, opaque, 17, &[], "");
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.hung_up, [conn]);
    bench.auto_dial = false; // from now on nobody answers there
    let ticket = bench.ticket();
    bench.client.queues(bench.now, &super::bench::queue("a", 0).topic, ticket);
    bench.drain();
    bench.pass(Duration::from_secs(3));
    let Some(Outcome::Queues(Err(error))) = bench.done.get(&ticket) else { panic!("{:?}", bench.done) };
    assert!(!alloc::format!("{error}").contains("not used"), "{error}");
}

#[test]
fn what_a_connection_did_not_take_before_it_was_replaced_goes_over_the_next_one() {
    let raw = crate::wire::RawRequest {
        code: 28,
        fields: crate::wire::Fields::default(),
        body: bytes::Bytes::new(),
    };
    let raw = || crate::wire::Request::Raw(raw.clone().into());
    for old in [true, false] {
        let mut bench = Bench::with(|config| {
            config.connections.life_max = old.then_some(Duration::from_secs(60));
        });
        let (address, patience) = (Address::new("a:1").expect("an address"), Duration::from_secs(70));
        let [taken, waits] = [bench.ticket(), bench.ticket()];
        bench.client.call(bench.now, &address, raw(), patience, taken);
        bench.drain();
        let (conn, opaque, _) = bench.request().expect("a raw request");
        bench.auto_take = false;
        bench.client.call(bench.now, &address, raw(), patience, waits);
        bench.drain();
        if old {
            bench.pass(Duration::from_secs(61));
        } else {
            bench.reply(conn, opaque, 1500, &[], "");
            bench.pass(Duration::from_secs(1));
        }
        assert_eq!(bench.done.contains_key(&taken), !old, "what was taken is waited for where it was");
        bench.auto_take = true;
        bench.take_ready();
        let (next, again, _) = bench.request().expect("on the next connection");
        assert_ne!(next, conn);
        bench.reply(next, again, 0, &[], "");
        assert!(matches!(bench.done.get(&waits), Some(Outcome::Answered(Ok(_)))), "{:?}", bench.done);
        if old {
            assert!(!bench.hung_up.contains(&conn));
            bench.reply(conn, opaque, 0, &[], "");
        }
        assert!(matches!(bench.done.get(&taken), Some(Outcome::Answered(Ok(_)))), "{:?}", bench.done);
        assert_eq!(bench.hung_up, [conn]);
    }
}

/// The addresses that the client knows, and whether they are connected.
fn known(bench: &Bench) -> Vec<(alloc::string::String, bool)> {
    let up = crate::ConnState::Up;
    let connections = bench.client.connections();
    connections.map(|connection| (connection.address.as_str().into(), connection.state == up)).collect()
}

#[test]
fn a_broker_that_moved_is_let_go_of_where_it_was() {
    let (mut bench, producer, conn) = Bench::sending();
    bench.answers_routes = Some(super::bench::route(&["a"], 7).replace("a:1", "moved:1"));
    bench.pass(Duration::from_secs(100));
    let send = bench.send(producer);
    let (again, opaque) = bench.next_send().expect("a send");
    assert_ne!(again, conn);
    bench.store(again, opaque, 1);
    assert!(bench.sent(send).is_ok());
    bench.pass(Duration::from_secs(60));
    assert!(bench.hung_up.contains(&conn), "the broker is not there any more");
    assert_eq!(known(&bench), [("ns:9876".into(), true), ("moved:1".into(), true)]);
    // And back, to an address that is new again.
    bench.answers_routes = Some(super::bench::route(&["a"], 7));
    bench.pass(Duration::from_secs(200));
    assert_eq!(
        known(&bench),
        [("ns:9876".into(), true), ("a:1".into(), true)],
        "its place was given away again"
    );
}

#[test]
fn a_broker_that_left_every_route_is_let_go_but_not_while_something_is_awaited_from_it() {
    let (mut bench, producer, conn) = Bench::sending();
    let slow = bench.ticket();
    let raw = crate::wire::RawRequest {
        code: 28,
        fields: crate::wire::Fields::default(),
        body: bytes::Bytes::new(),
    };
    let address = Address::new("a:1").expect("an address");
    let request = crate::wire::Request::Raw(raw.into());
    bench.client.call(bench.now, &address, request, Duration::from_secs(500), slow);
    bench.drain();
    let (_, opaque, _) =
        bench.request_of(|request| matches!(request, crate::wire::Request::Raw(_))).expect("the request");
    bench.answers_routes = Some(super::bench::route(&["b"], 7));
    bench.pass(Duration::from_secs(300));
    assert!(known(&bench).contains(&("a:1".into(), true)), "an answer is awaited");
    assert!(!bench.hung_up.contains(&conn));
    bench.reply(conn, opaque, 0, &[], "");
    bench.pass(Duration::from_secs(100));
    assert!(bench.hung_up.contains(&conn));
    assert_eq!(known(&bench), [("ns:9876".into(), true), ("b:1".into(), true)]);
    bench.send(producer);
    assert!(bench.next_send().is_some());
}

#[test]
fn addresses_asked_by_hand_are_not_kept() {
    let mut bench = Bench::new();
    for n in 1..=300 {
        let address = Address::new(&alloc::format!("host-{n}:1")).expect("an address");
        let raw = crate::wire::RawRequest {
            code: 28,
            fields: crate::wire::Fields::default(),
            body: bytes::Bytes::new(),
        };
        let ticket = bench.ticket();
        let request = crate::wire::Request::Raw(raw.into());
        bench.client.call(bench.now, &address, request, Duration::from_secs(1), ticket);
        bench.drain();
        if n % 2 == 0 {
            let (conn, opaque, _) = bench.request().expect("a raw request");
            bench.reply(conn, opaque, 0, &[], "");
        }
        bench.taken.clear();
        bench.pass(Duration::from_secs(2));
        assert!(bench.client.connections().count() <= 33, "those of the last minute");
    }
    assert_eq!(bench.conns.len(), bench.client.connections().count() - 1, "the name server was not asked");
}

#[test]
fn a_raw_request_ends_with_whatever_the_peer_answers_or_with_what_happened() {
    let mut bench = Bench::new();
    let address = Address::new("a:1").expect("an address");
    let raw = crate::wire::RawRequest {
        code: 28,
        fields: crate::wire::Fields::default(),
        body: bytes::Bytes::new(),
    };
    let [good, bad, late] = [bench.ticket(), bench.ticket(), bench.ticket()];
    for ticket in [good, bad, late] {
        let request = crate::wire::Request::Raw(raw.clone().into());
        bench.client.call(bench.now, &address, request, Duration::from_secs(1), ticket);
    }
    bench.drain();
    let (conn, opaque, _) = bench.request().expect("a raw request");
    bench.reply(conn, opaque, 3, &[], "no");
    assert!(matches!(bench.done.get(&good), Some(Outcome::Answered(Ok(frame))) if frame.header.code == 3));
    bench.pass(Duration::from_secs(1));
    assert!(matches!(bench.done.get(&bad), Some(Outcome::Answered(Err(error))) if error.sent));
    assert!(matches!(bench.done.get(&late), Some(Outcome::Answered(Err(_)))));
    let open = bench.ticket();
    let request = crate::wire::Request::Raw(raw.into());
    bench.client.call(bench.now, &address, request, Duration::from_secs(9), open);
    bench.client.abandon(bench.now);
    bench.drain();
    assert!(matches!(bench.done.get(&open), Some(Outcome::Answered(Err(_)))), "S4");
}
