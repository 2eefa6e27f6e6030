//! What a second look at reading found: each test is a way in which something could go wrong, and once did.

use core::time::Duration;

use crate::error::{CallError, LostWhy};
use crate::ids::{Address, Group};
use crate::wire::{FrameError, Request};
use crate::{Instant, Note, Outcome, PullConfig, StartFrom};

use super::bench::{Bench, queue};
use super::reading::{dealt_with, reading};

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
    let (mut bench, id) = dealt_with();
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
    let close = bench.close();
    bench.pass(Duration::from_secs(4));
    assert!(bench.done.contains_key(&close));
    assert_eq!(bench.wait, Instant::NEVER);
}

#[test]
fn an_automatic_commit_does_not_take_a_commit_by_hand_back() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    for end in [10, 20] {
        bench.read_to(id, end, 20);
    }
    let ticket = bench.commit(id);
    let (conn, opaque, _) = bench.next_commit().expect("a commit");
    bench.reply(conn, opaque, 0, &[], "");
    assert_eq!(bench.done.get(&ticket), Some(&Outcome::Committed(Ok(()))));
    bench.pass(Duration::from_secs(6));
    let again = bench.next_commit();
    assert!(again.is_none(), "S12: {again:?}");
}

#[test]
fn the_place_where_a_new_group_begins_is_committed_again_until_it_is_known() {
    let (mut bench, _) = reading(StartFrom::Last, true, &[0]);
    bench.stored_offset(None);
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::MaxOffset(_))).expect("the end");
    bench.reply(conn, opaque, 0, &[("offset", "9")], "");
    let (conn, opaque, _) = bench.next_commit().expect("a commit");
    bench.reply(conn, opaque, 1, &[], "");
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.next_commit().expect("it again").2, 9);
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
    let (mut bench, id) = dealt_with();
    bench.client.consumer(id).close(bench.now);
    bench.drain();
    bench.pull(StartFrom::First, true, &[queue("a", 0)]);
    let (conn, opaque, _) = bench.next_commit().expect("the commit");
    bench.reply(conn, opaque, 0, &[], "");
    let farewell = bench.request_of(|r| matches!(r, Request::Unregister(_)));
    assert!(farewell.is_none(), "the group still has a member here: {farewell:?}");
}

#[test]
fn a_commit_that_was_never_answered_may_come_late_and_is_made_once_more_than_needed() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    let mut offsets = alloc::vec::Vec::new();
    for (round, answered) in [false, true, true, true].into_iter().enumerate() {
        if round < 2 {
            let end = 10 * (i64::try_from(round).expect("small") + 1);
            bench.read_to(id, end, 20);
        }
        let ticket = bench.commit(id);
        if let Some((conn, opaque, offset)) = bench.next_commit() {
            offsets.push(offset);
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
    let (conn, opaque) = bench.next_send().expect("the second send");
    bench.store(conn, opaque, 1);
    assert!(bench.sent(second).is_ok());
}

#[test]
fn a_table_of_offsets_larger_than_a_frame_breaks_one_connection_and_reading_goes_on() {
    let (mut bench, id) = reading(StartFrom::Last, false, &[0, 1]);
    bench.stored_offset(Some(0));
    let (conn, ..) =
        bench.request_of(|r| matches!(r, Request::StoredOffsets(_))).expect("a query for the table");
    let why = LostWhy::Protocol(FrameError::TooLarge { bytes: 20_000_000, max: 16 * 1024 * 1024 });
    bench.taken.clear();
    bench.lose(conn, why.clone(), 99);
    bench.pass(Duration::from_secs(2));
    bench.stored_offset(Some(0)); // of the other queue, which was cut off with it
    let table = bench.request_of(|r| matches!(r, Request::StoredOffsets(_)));
    assert!(table.is_none(), "R7: it would break the connection again: {table:?}");
    for _ in 0..2 {
        let (conn, opaque, offset, _) = bench.next_pull();
        assert_eq!(offset, 0, "S18: reading again is better than skipping");
        bench.pulled(conn, opaque, 19, 0, 0, 0);
    }
    assert!(bench.client.consumer(id).reached_end() && bench.client.consumer(id).trouble().is_empty());
    let error = CallError::Lost { peer: Address::new("a:1").expect("an address"), why };
    assert!(bench.notes.contains(&Note::Doubted(queue("a", 0), error.clone())), "{:?}", bench.notes);
    assert!(error.hint().is_some_and(|hint| hint.contains("larger")));
}

#[test]
fn a_broker_that_is_busy_is_asked_for_its_table_of_offsets_again() {
    let (mut bench, _) = reading(StartFrom::Last, false, &[0]);
    bench.stored_offset(Some(0));
    for _ in 0..3 {
        let (conn, opaque, _) =
            bench.request_of(|r| matches!(r, Request::StoredOffsets(_))).expect("a query for the table");
        bench.reply(conn, opaque, 2, &[], "");
        assert!(bench.request_of(|r| matches!(r, Request::Pull(_))).is_none(), "what it knows is not known");
        bench.pass(Duration::from_secs(2));
    }
    let (conn, opaque, _) =
        bench.request_of(|r| matches!(r, Request::StoredOffsets(_))).expect("a query for the table");
    bench.reply(conn, opaque, 1, &[], "");
    let (_, _, offset, _) = bench.next_pull();
    assert_eq!(offset, 0, "it will never say");
}
