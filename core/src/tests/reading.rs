//! Reading queues: where it begins, what is handed out, what is committed.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::ids::{ConnId, ConsumerId, Ticket};
use crate::wire::Request;
use crate::{Outcome, Position, Pulled, StartFrom};

use super::bench::{Bench, queue};

/// A bench with the route of the topic, a consumer of these queues of broker a, and nothing answered.
pub(super) fn reading(from: StartFrom, auto: bool, queues: &[i32]) -> (Bench, ConsumerId) {
    let mut bench = Bench::new();
    let ticket = bench.ticket();
    bench.client.queues(bench.now, &queue("a", 0).topic, ticket);
    bench.drain();
    bench.answer_route(&["a"]);
    let queues: Vec<_> = queues.iter().map(|n| queue("a", *n)).collect();
    let id = bench.pull(from, auto, &queues);
    // Opening asks for the route once more.
    if let Some((conn, opaque, Request::Route(_))) = bench.request_of(|r| matches!(r, Request::Route(_))) {
        bench.reply(conn, opaque, 0, &[], &super::bench::route(&["a"], 6));
    }
    (bench, id)
}

/// A bench whose consumer, which commits automatically, has dealt with the ten messages of queue 0.
pub(super) fn dealt_with() -> (Bench, ConsumerId) {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    bench.read_to(id, 10, 10);
    assert!(bench.take_chunk(id).is_none(), "asking again says that the last was dealt with");
    while bench.request().is_some() {}
    (bench, id)
}

impl Bench {
    pub(super) fn stored_offset(&mut self, offset: Option<i64>) {
        let (conn, opaque, _) =
            self.request_of(|r| matches!(r, Request::QueryOffset(_))).expect("a query for the stored offset");
        match offset {
            Some(offset) => self.reply(conn, opaque, 0, &[("offset", &alloc::format!("{offset}"))], ""),
            None => self.reply(conn, opaque, 22, &[], ""),
        }
    }

    pub(super) fn next_pull(&mut self) -> (ConnId, i32, i64, bool) {
        let (conn, opaque, request) = self.request_of(|r| matches!(r, Request::Pull(_))).expect("a pull");
        let Request::Pull(pull) = request else { unreachable!("filtered") };
        (conn, opaque, pull.offset, pull.suspend_ms > 0)
    }

    pub(super) fn pulled(&mut self, conn: ConnId, opaque: i32, code: i32, next: i64, max: i64, bytes: usize) {
        let (next, max) = (alloc::format!("{next}"), alloc::format!("{max}"));
        let fields = [
            ("nextBeginOffset", next.as_str()),
            ("minOffset", "0"),
            ("maxOffset", &max),
            ("suggestWhichBrokerId", "0"),
        ];
        self.reply_of(401, conn, opaque, code, &fields, Bytes::from(alloc::vec![0; bytes]));
    }

    /// The next pull is answered up to `end`, of `max` in the queue, and the reply taken.
    pub(super) fn read_to(&mut self, id: ConsumerId, end: i64, max: i64) {
        let (conn, opaque, ..) = self.next_pull();
        self.pulled(conn, opaque, 0, end, max, 50);
        self.take_chunk(id).expect("cached");
    }

    /// The next commit, and of which offset.
    pub(super) fn next_commit(&mut self) -> Option<(ConnId, i32, i64)> {
        let (conn, opaque, request) = self.request_of(|r| matches!(r, Request::UpdateOffset(_)))?;
        let Request::UpdateOffset(update) = request else { unreachable!("filtered") };
        Some((conn, opaque, update.offset))
    }

    /// Commits by hand.
    pub(super) fn commit(&mut self, id: ConsumerId) -> Ticket {
        let ticket = self.ticket();
        self.client.consumer(id).commit(self.now, ticket);
        self.drain();
        ticket
    }

    pub(super) fn take_chunk(&mut self, id: ConsumerId) -> Option<Pulled> {
        let pulled = self.client.consumer(id).take(self.now);
        self.drain();
        pulled
    }
}

#[test]
fn reading_goes_on_at_the_stored_offset_and_says_when_the_end_is_reached() {
    let (mut bench, id) = reading(StartFrom::Last, false, &[0]);
    bench.stored_offset(Some(40));
    let (conn, opaque, offset, held) = bench.next_pull();
    assert_eq!((offset, held), (40, false));
    bench.pulled(conn, opaque, 0, 42, 42, 200);
    assert!(!bench.client.consumer(id).reached_end(), "something is cached");
    let pulled = bench.take_chunk(id).expect("a reply");
    assert_eq!((pulled.from, pulled.next, pulled.body.len()), (40, 42, 200));
    assert!(bench.client.consumer(id).reached_end());
    let (_, _, offset, held) = bench.next_pull();
    assert_eq!((offset, held), (42, true), "at the end the broker holds the pull");
    assert_eq!(bench.client.consumer(id).position(&queue("a", 0)), Some(42));
}

#[test]
fn a_group_without_offsets_begins_where_it_is_told_and_commits_that_at_once() {
    let (mut bench, _) = reading(StartFrom::Last, false, &[0, 1]);
    bench.stored_offset(None);
    assert!(
        bench.request_of(|r| matches!(r, Request::MaxOffset(_))).is_none(),
        "the other queue may have an offset"
    );
    bench.stored_offset(None);
    for _ in 0..2 {
        let (conn, opaque, _) =
            bench.request_of(|r| matches!(r, Request::MaxOffset(_))).expect("a query for the end");
        bench.reply(conn, opaque, 0, &[("offset", "9")], "");
        assert_eq!(bench.next_commit().expect("a commit").2, 9);
    }
}

#[test]
fn a_queue_new_to_a_group_with_offsets_is_read_from_its_beginning() {
    let (mut bench, _) = reading(StartFrom::Last, false, &[0, 1]);
    bench.stored_offset(None);
    bench.stored_offset(Some(3));
    let (conn, opaque, _) =
        bench.request_of(|r| matches!(r, Request::MinOffset(_))).expect("a query for the beginning");
    bench.reply(conn, opaque, 0, &[("offset", "1")], "");
    let offsets = [bench.next_pull().2, bench.next_pull().2];
    assert!(offsets.contains(&1) && offsets.contains(&3), "{offsets:?}");
}

#[test]
fn a_failed_query_never_becomes_an_offset() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    for _ in 0..3 {
        let (conn, opaque, _) = bench
            .request_of(|r| matches!(r, Request::QueryOffset(_)))
            .expect("a query for the stored offset");
        bench.reply(conn, opaque, 1, &[], "");
        assert_eq!(bench.client.consumer(id).position(&queue("a", 0)), None);
        assert_eq!(bench.client.consumer(id).trouble().len(), 1);
        bench.pass(Duration::from_secs(1));
    }
    bench.stored_offset(Some(5));
    assert_eq!(bench.client.consumer(id).position(&queue("a", 0)), Some(5));
    assert!(bench.client.consumer(id).trouble().is_empty());
}

#[test]
fn a_seek_drops_what_was_cached_or_asked_for_before() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 0, 10, 100, 50);
    let (conn, stale, ..) = bench.next_pull();
    bench.client.consumer(id).seek(bench.now, &queue("a", 0), Position::Offset(77)).expect("assigned");
    bench.drain();
    assert!(bench.take_chunk(id).is_none(), "S14: nothing of before the seek is handed out");
    bench.pulled(conn, stale, 0, 20, 100, 50);
    assert!(bench.take_chunk(id).is_none());
    assert_eq!(bench.next_pull().2, 77);
    assert!(bench.client.consumer(id).seek(bench.now, &queue("a", 3), Position::End).is_err());
    assert!(bench.client.consumer(id).seek(bench.now, &queue("a", 0), Position::Offset(-1)).is_err());
}

#[test]
fn an_offset_the_broker_does_not_have_is_moved_and_does_not_spin() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(1000));
    let (conn, opaque, ..) = bench.next_pull();
    bench.pulled(conn, opaque, 21, 5, 5, 0);
    assert_eq!(bench.client.consumer(id).position(&queue("a", 0)), Some(5));
    let mut pulls = 0;
    for _ in 0..100 {
        if let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Pull(_))) {
            pulls += 1;
            bench.pulled(conn, opaque, 21, 5, 5, 0);
        }
        bench.pass(Duration::from_millis(10));
    }
    assert!(pulls <= 3, "R11: {pulls} pulls in a second");
}

#[test]
fn an_empty_answer_without_progress_does_not_spin() {
    for code in [0, 19, 20] {
        let (mut bench, _) = reading(StartFrom::First, false, &[0]);
        bench.stored_offset(Some(0));
        let mut pulls = 0;
        for _ in 0..1000 {
            while let Some((conn, opaque, _)) = bench.request_of(|r| matches!(r, Request::Pull(_))) {
                pulls += 1;
                bench.pulled(conn, opaque, code, 0, 0, 0);
                assert!(pulls < 100, "R11: {code} spins");
            }
            bench.pass(Duration::from_millis(1));
        }
        assert!(pulls > 1, "L7: a queue goes on");
    }
}

#[test]
fn a_paused_queue_hands_nothing_out_and_goes_on_where_it_was() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    let (conn, opaque, ..) = bench.next_pull();
    bench.client.consumer(id).pause(bench.now, &[queue("a", 0)]);
    bench.pulled(conn, opaque, 0, 10, 100, 50);
    assert!(bench.take_chunk(id).is_none());
    assert!(bench.request_of(|r| matches!(r, Request::Pull(_))).is_none());
    bench.client.consumer(id).resume(bench.now, &[queue("a", 0)]);
    bench.drain();
    assert_eq!(bench.take_chunk(id).expect("what was cached").next, 10);
    assert_eq!(bench.next_pull().2, 10);
}

#[test]
fn a_full_cache_stops_pulling_until_something_is_taken() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    let mut replies = 0;
    while let Some((conn, opaque, request)) = bench.request_of(|r| matches!(r, Request::Pull(_))) {
        let Request::Pull(pull) = request else { unreachable!("filtered") };
        replies += 1;
        bench.pulled(conn, opaque, 0, pull.offset + 1, 1_000_000, 40);
        assert!(replies <= 1_000, "R3");
    }
    assert_eq!(replies, 1_000);
    bench.take_chunk(id).expect("cached");
    assert_eq!(bench.next_pull().2, 1_000);
}

#[test]
fn a_commit_says_what_the_broker_said_and_one_queue_commits_one_at_a_time() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    bench.read_to(id, 10, 20);
    let first = bench.commit(id);
    bench.read_to(id, 20, 20);
    let second = bench.commit(id);
    let (conn, opaque, offset) = bench.next_commit().expect("a commit");
    assert_eq!(offset, 10);
    assert!(bench.next_commit().is_none(), "one at a time");
    bench.reply(conn, opaque, 0, &[], "");
    let (conn, opaque, offset) = bench.next_commit().expect("the newer one");
    assert_eq!(offset, 20);
    bench.reply(conn, opaque, 26, &[], "");
    assert!(matches!(bench.done.get(&second), Some(Outcome::Committed(Err(_)))), "{:?}", bench.done);
    assert!(bench.done.contains_key(&first), "S4");
    let third = bench.commit(id);
    let (conn, opaque, _) = bench.next_commit().expect("it is tried again");
    bench.reply(conn, opaque, 0, &[], "");
    assert_eq!(bench.done.get(&third), Some(&Outcome::Committed(Ok(()))));
}

#[test]
fn automatic_commits_cover_what_was_taken_before_the_latest_take() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    for end in [10, 20] {
        bench.read_to(id, end, 20);
    }
    bench.pass(Duration::from_millis(5100));
    assert_eq!(bench.next_commit().expect("a commit").2, 10);
}

#[test]
fn a_closed_consumer_commits_leaves_its_group_and_is_gone() {
    let (mut bench, id) = dealt_with();
    bench.client.consumer(id).close(bench.now);
    bench.drain();
    let (conn, opaque, offset) = bench.next_commit().expect("a commit");
    assert_eq!(offset, 10);
    bench.reply(conn, opaque, 0, &[], "");
    assert!(bench.request_of(|r| matches!(r, Request::Unregister(_))).is_some(), "it leaves");
    assert!(bench.client.consumer(id).is_closed());
}

#[test]
fn an_old_broker_that_says_zero_is_asked_whether_the_group_has_an_offset_at_all() {
    for (table, first) in [(r#"{"orders@readers":{0:0}}"#, Some(0)), (r#"{"orders@other":{0:4}}"#, None)] {
        let (mut bench, _) = reading(StartFrom::Last, false, &[0]);
        let (conn, opaque, _) = bench
            .request_of(|r| matches!(r, Request::QueryOffset(_)))
            .expect("a query for the stored offset");
        bench.reply_of(401, conn, opaque, 0, &[("offset", "0")], Bytes::new());
        let (conn, opaque, _) = bench
            .request_of(|r| matches!(r, Request::StoredOffsets(_)))
            .expect("a query for the whole table");
        bench.reply(conn, opaque, 0, &[], &alloc::format!(r#"{{"offsetTable":{table}}}"#));
        match first {
            Some(offset) => assert_eq!(bench.next_pull().2, offset),
            None => assert!(
                bench.request_of(|r| matches!(r, Request::MaxOffset(_))).is_some(),
                "it begins at the end"
            ),
        }
    }
}

#[test]
fn a_broker_that_left_every_route_is_kept_while_somebody_has_queues_of_it() {
    let (mut bench, id) = reading(StartFrom::First, false, &[0]);
    bench.stored_offset(Some(0));
    bench.read_to(id, 10, 10);
    let (conn, opaque, ..) = bench.next_pull();
    bench.client.consumer(id).pause(bench.now, &[queue("a", 0)]);
    bench.pulled(conn, opaque, 19, 10, 10, 0);
    // What was read takes its time, and the broker cannot reach the name servers meanwhile.
    bench.answers_routes = Some(super::bench::route(&["b"], 6));
    bench.pass(Duration::from_secs(300));
    let ticket = bench.commit(id);
    let (by, opaque, offset) = bench.next_commit().expect("a commit");
    assert_eq!((by, offset), (conn, 10));
    bench.reply(by, opaque, 0, &[], "");
    assert!(matches!(bench.done.get(&ticket), Some(Outcome::Committed(Ok(())))), "{:?}", bench.done);
    bench.client.consumer(id).resume(bench.now, &[queue("a", 0)]);
    bench.drain();
    let (by, opaque, offset, _) = bench.next_pull();
    assert_eq!((by, offset), (conn, 10));
    bench.pulled(conn, opaque, 19, 10, 10, 0);
    // As soon as nobody has any, it goes.
    bench.client.consumer(id).assign(bench.now, &[]);
    bench.drain();
    bench.pass(Duration::from_secs(100));
    assert!(bench.hung_up.contains(&conn));
    assert!(bench.client.connections().all(|connection| connection.address.as_str() != "a:1"));
}
