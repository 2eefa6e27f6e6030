//! Closing, with and without work in flight.

use core::time::Duration;

use crate::error::{CallError, LostWhy, SendError, Stored};
use crate::wire::Request;
use crate::{Note, Outcome, Report, StartFrom};

use super::bench::{Bench, queue};
use super::reading::{dealt_with, reading};

#[test]
fn closing_waits_for_what_is_in_flight_leaves_the_groups_and_hangs_up() {
    let mut bench = Bench::new();
    let producer = bench.producer();
    let send = bench.send(producer);
    bench.answer_route(&["a"]);
    let (conn, opaque, _) = bench.request().expect("the send");
    let ticket = bench.close();
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
    let again = bench.close();
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
    let ticket = bench.close();
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

#[test]
fn the_last_commit_is_made_again_on_a_new_connection_when_its_own_breaks() {
    let (mut bench, _) = dealt_with();
    let ticket = bench.close();
    let (conn, _, offset) = bench.next_commit().expect("the last commit");
    assert_eq!(offset, 10);
    bench.lose(conn, LostWhy::Reset, 99);
    bench.pass(Duration::from_millis(300));
    let (again, opaque, offset) = bench.next_commit().expect("it again");
    assert!(again != conn && offset == 10, "{again:?} {offset}");
    // A broker that refuses for a moment is asked again as well.
    bench.reply(again, opaque, 2, &[], "");
    assert!(bench.next_commit().is_none(), "R11: after a pause");
    bench.pass(Duration::from_millis(100));
    let (conn, opaque, _) = bench.next_commit().expect("it once more");
    bench.reply(conn, opaque, 0, &[], "");
    let (conn, opaque, request) = bench.request().expect("the farewell");
    assert!(matches!(request, Request::Unregister(_)), "{request:?}");
    bench.reply(conn, opaque, 0, &[], "");
    assert_eq!(bench.closed(ticket), Some(Report { groups_left: 1, ..Report::default() }));
}

#[test]
fn a_commit_that_was_under_way_does_not_take_the_last_one_along() {
    let (mut bench, id) = reading(StartFrom::First, true, &[0]);
    bench.stored_offset(Some(0));
    bench.read_to(id, 10, 20);
    let ticket = bench.commit(id);
    let (conn, _, offset) = bench.next_commit().expect("a commit");
    assert_eq!(offset, 10);
    bench.read_to(id, 20, 20);
    assert!(bench.take_chunk(id).is_none(), "dealt with");
    let close = bench.close();
    assert!(bench.next_commit().is_none(), "one at a time");
    bench.lose(conn, LostWhy::Reset, 99);
    bench.pass(Duration::from_millis(300));
    let (conn, opaque, offset) = bench.next_commit().expect("the last commit");
    assert_eq!(offset, 20);
    assert!(!bench.done.contains_key(&ticket), "it may still be done");
    bench.reply(conn, opaque, 0, &[], "");
    assert_eq!(bench.done.get(&ticket), Some(&Outcome::Committed(Ok(()))));
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.closed(close).expect("the end").commits_failed, 0);
}

#[test]
fn a_broker_that_accepts_the_last_commit_in_silence_is_dialled_anew() {
    let (mut bench, _) = dealt_with();
    let ticket = bench.close();
    let (conn, ..) = bench.next_commit().expect("the last commit");
    bench.pass(Duration::from_millis(3500));
    assert!(bench.hung_up.contains(&conn), "nothing came for as long as a commit is waited for");
    let (again, opaque, _) = bench.next_commit().expect("it again");
    assert_ne!(again, conn);
    bench.reply(again, opaque, 0, &[], "");
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.closed(ticket).expect("the end").commits_failed, 0);
}

#[test]
fn what_could_not_be_committed_by_the_deadline_is_reported() {
    let (mut bench, _) = dealt_with();
    let (start, ticket) = (bench.now, bench.close());
    bench.auto_dial = false;
    let (conn, ..) = bench.next_commit().expect("the last commit");
    bench.lose(conn, LostWhy::Reset, 99);
    let mut dials = 0;
    while bench.closed(ticket).is_none() {
        for (conn, _) in core::mem::take(&mut bench.dials) {
            dials += 1;
            bench.lose(conn, LostWhy::Refused, 0);
        }
        bench.pass(Duration::from_millis(10));
        assert!(bench.now.since(start) <= Duration::from_millis(10_010), "L6");
    }
    assert!((4..40).contains(&dials), "R7: {dials} dials");
    assert_eq!(bench.closed(ticket).expect("the end").commits_failed, 1);
    let told = bench
        .notes
        .iter()
        .filter(|note| matches!(note, Note::Commit(of, CallError::Lost { .. }) if *of == queue("a", 0)));
    assert!(told.count() > 0, "which queue, and why");
    assert_eq!(bench.wait, crate::Instant::NEVER);
}

#[test]
fn a_last_commit_that_is_refused_for_good_is_not_waited_for() {
    let (mut bench, _) = dealt_with();
    let ticket = bench.close();
    let (conn, opaque, _) = bench.next_commit().expect("the last commit");
    bench.reply(conn, opaque, 26, &[], "");
    assert!(bench.next_commit().is_none());
    let (conn, opaque, _) = bench.request_of(|r| matches!(r, Request::Unregister(_))).expect("the farewell");
    bench.reply(conn, opaque, 0, &[], "");
    let expect = Report { groups_left: 1, commits_failed: 1, ..Report::default() };
    assert_eq!(bench.closed(ticket), Some(expect));
}

#[test]
fn a_consumer_that_finishes_hears_how_its_last_commit_ended() {
    // Breaks once, and is confirmed; breaks for as long as it may.
    for confirmed in [true, false] {
        let (mut bench, id) = reading(StartFrom::First, true, &[0]);
        bench.stored_offset(Some(0));
        bench.read_to(id, 10, 10);
        let (start, ticket) = (bench.now, bench.ticket());
        bench.client.consumer(id).finish(bench.now, ticket);
        bench.drain();
        assert!(bench.client.consumer(id).is_closed());
        let (conn, _, offset) = bench.next_commit().expect("a commit of what was taken");
        assert_eq!(offset, 10);
        bench.lose(conn, LostWhy::Reset, 99);
        while !bench.done.contains_key(&ticket) {
            if let Some((conn, opaque, _)) = bench.next_commit() {
                if confirmed {
                    bench.reply(conn, opaque, 0, &[], "");
                } else {
                    bench.lose(conn, LostWhy::Eof, 99);
                }
            }
            bench.pass(Duration::from_millis(10));
            assert!(bench.now.since(start) <= Duration::from_millis(10_010), "L6");
        }
        let Some(Outcome::Committed(result)) = bench.done.get(&ticket) else { panic!("{:?}", bench.done) };
        assert_eq!(result.is_ok(), confirmed, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(&error.failed[..], [(of, CallError::Lost { .. })] if *of == queue("a", 0)));
        }
        let again = bench.ticket();
        bench.client.consumer(id).finish(bench.now, again);
        bench.drain();
        assert!(bench.done.contains_key(&again), "S4");
    }
}
