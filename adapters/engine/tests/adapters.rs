//! The engine on every adapter, against a server that does as it is told.

mod bench;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use bench::peer::Peer;
use bench::{Driver, Home, on_each_adapter, producer, receipt, send};
use fusee_core::error::SendError;
use fusee_core::{Client, Outcome};
use fusee_engine::Dead;

on_each_adapter! {
    many_sends_from_one_thread
    many_sends_from_many_threads
    large_and_small_bodies_in_turn
    dropping_an_operation_gives_up_its_outcome_only
    a_broken_connection_ends_what_was_on_it
    a_panic_in_the_machine_ends_everything
    the_last_handle_closes_the_client
    operations_outlive_their_handles
    a_limit_ends_the_wait_and_not_the_operation
}

fn many_sends_from_one_thread(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    let sends: Vec<_> = (0..2000).map(|_| send(&handle, producer, b"pipelined")).collect();
    for sending in sends {
        receipt(sending.wait().unwrap());
    }
    assert_eq!(peer.sends(), 2000);
}

fn many_sends_from_many_threads(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..200 {
                    receipt(send(&handle, producer, b"one at a time").wait().unwrap());
                }
            });
        }
    });
    assert_eq!(peer.sends(), 3200);
}

fn large_and_small_bodies_in_turn(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    let large = vec![b'x'; 1 << 20];
    let sends: Vec<_> = (0..40)
        .map(|number| send(&handle, producer, if number % 2 == 0 { &large } else { &large[..100] }))
        .collect();
    for sending in sends {
        receipt(sending.wait().unwrap());
    }
}

fn dropping_an_operation_gives_up_its_outcome_only(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    peer.hold();
    let mut sends: Vec<_> = (0..10).map(|_| send(&handle, producer, b"x")).collect();
    drop(sends.drain(..5));
    peer.await_sends(10);
    peer.release();
    for sending in sends {
        receipt(sending.wait().unwrap());
    }
    // Dropped with the outcome already there.
    let done = send(&handle, producer, b"x");
    receipt(send(&handle, producer, b"x").wait().unwrap());
    drop(done);
    receipt(send(&handle, producer, b"x").wait().unwrap());
    assert_eq!(peer.sends(), 13);
}

fn a_broken_connection_ends_what_was_on_it(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    peer.hold();
    let sends: Vec<_> = (0..100).map(|_| send(&handle, producer, b"x")).collect();
    peer.await_sends(100);
    peer.hang_up();
    // They are tried again on a new connection, where they are answered.
    peer.await_sends(200);
    peer.release();
    for sending in sends {
        receipt(sending.wait().unwrap());
    }
}

fn a_panic_in_the_machine_ends_everything(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    peer.hold();
    let pending = send(&handle, producer, b"x");
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&handle, producer, b"x").wait().unwrap());
        peer.await_sends(2);
        let panicked = handle.command(|_: &mut Client, _| panic!("a bug, on purpose"));
        assert_eq!(panicked, Err(Dead::Panicked));
        waiting.join().unwrap()
    });
    assert_eq!(waiting, Err(Dead::Panicked));
    assert_eq!(pending.wait().unwrap(), Err(Dead::Panicked));
    let late = handle.operate(|_, _, _| unreachable!("a dead client takes no commands"));
    assert_eq!(late.wait().unwrap(), Err(Dead::Panicked));
    peer.await_connections(0);
}

fn the_last_handle_closes_the_client(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    receipt(send(&handle, producer, b"x").wait().unwrap());
    let clone = handle.clone();
    drop(handle);
    receipt(send(&clone, producer, b"x").wait().unwrap());
    drop(clone);
    peer.await_connections(0);
}

fn operations_outlive_their_handles(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    peer.hold();
    let sending = send(&handle, producer, b"x");
    peer.await_sends(1);
    drop(handle);
    let outcome = sending.wait().unwrap();
    assert!(matches!(outcome, Ok(Outcome::Sent(Err(SendError::Closed(_))))), "{outcome:?}");
}

fn a_limit_ends_the_wait_and_not_the_operation(driver: Driver) {
    let (home, peer) = (Home::of(driver), Peer::start());
    let (handle, producer) = producer(&home, &peer);
    peer.hold();
    let mut sending = send(&handle, producer, b"x");
    assert_eq!(sending.wait_timeout(std::time::Duration::from_millis(1)), Ok(None));
    peer.await_sends(1);
    peer.release();
    receipt(sending.wait().unwrap());
}

#[test]
fn a_lone_request_is_written_by_who_makes_it() {
    let peer = Peer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let handle =
            fusee_engine::Engine::start(bench::client(&peer), fusee_tokio::Tokio::current().unwrap());
        connect(&handle).await;
        let group = fusee_core::ids::Group::new("lone").unwrap();
        let producer = handle.command(|client, now| client.open_producer(now, group)).unwrap().unwrap();
        receipt(send(&handle, producer, b"finds the route, opens the connection").await);
        let before = peer.sends();
        let lone = send(&handle, producer, b"lone");
        // The runtime's only thread stands here, and yet it is written.
        peer.await_sends(before + 1);
        receipt(lone.await);
    });
}

async fn connect(handle: &fusee_engine::Handle) {
    let connected = handle.operate(|client, now, ticket| client.connect(now, ticket)).await;
    assert!(matches!(connected, Ok(Outcome::Connected(Ok(())))), "{connected:?}");
}

#[test]
fn waiting_on_the_only_thread_is_refused() {
    let peer = Peer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let handle =
            fusee_engine::Engine::start(bench::client(&peer), fusee_tokio::Tokio::current().unwrap());
        connect(&handle).await;
        let group = fusee_core::ids::Group::new("stall").unwrap();
        let producer = handle.command(|client, now| client.open_producer(now, group)).unwrap().unwrap();
        peer.hold();
        assert_eq!(send(&handle, producer, b"x").wait(), Err(fusee_engine::WouldStall));
        // On another thread it is fine.
        peer.release();
        let sending = send(&handle, producer, b"x");
        receipt(tokio::task::spawn_blocking(|| sending.wait()).await.unwrap().unwrap());
    });
}

#[test]
fn waiting_on_a_worker_lets_another_take_over() {
    let peer = Peer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = runtime.spawn(async move {
        let handle =
            fusee_engine::Engine::start(bench::client(&peer), fusee_tokio::Tokio::current().unwrap());
        let connected = handle.operate(|client, now, ticket| client.connect(now, ticket)).wait();
        assert!(matches!(connected, Ok(Ok(Outcome::Connected(Ok(()))))), "{connected:?}");
    });
    runtime.block_on(task).unwrap();
}

#[test]
fn a_runtime_that_goes_away_ends_everything() {
    for driver in [Driver::TokioMulti, Driver::TokioCurrent] {
        let (home, peer) = (Home::of(driver), Peer::start());
        let (handle, producer) = producer(&home, &peer);
        peer.hold();
        let sending = send(&handle, producer, b"x");
        peer.await_sends(1);
        drop(home);
        let outcome = sending.wait().unwrap();
        assert!(
            matches!(outcome, Ok(Outcome::Sent(Err(SendError::Closed(_)))) | Err(Dead::RuntimeGone)),
            "{outcome:?}"
        );
        assert_eq!(handle.command(|_, _| ()), Err(Dead::RuntimeGone));
        peer.await_connections(0);
    }
}

#[test]
fn a_dead_client_needs_no_permission_to_say_so() {
    let (home, peer) = (Home::of(Driver::Threads), Peer::start());
    let (handle, _) = producer(&home, &peer);
    assert_eq!(handle.command(|_: &mut Client, _| panic!("a bug, on purpose")), Err(Dead::Panicked));
    let mut late = pin!(handle.operate(|_, _, _| unreachable!("a dead client takes no commands")));
    let polled = late.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(Dead::Panicked))));
}

#[test]
fn a_driver_ends_with_its_client() {
    let peer = Peer::start();
    let (runtime, driver) = fusee_engine::driven(fusee_async_io::AsyncIo::new(|_| unreachable!("driven")));
    let handle = fusee_engine::Engine::start(bench::client(&peer), runtime);
    let driving = thread::spawn(|| fusee_engine::block_on(driver));
    let connected = handle.operate(|client, now, ticket| client.connect(now, ticket)).wait();
    assert!(matches!(connected, Ok(Ok(Outcome::Connected(Ok(()))))), "{connected:?}");
    drop(handle);
    driving.join().unwrap();
    peer.await_connections(0);
}

#[test]
fn a_driver_that_is_dropped_ends_its_client() {
    let peer = Peer::start();
    let (runtime, driver) = fusee_engine::driven(fusee_async_io::AsyncIo::new(|_| unreachable!("driven")));
    let handle = fusee_engine::Engine::start(bench::client(&peer), runtime);
    let connecting = handle.operate(|client, now, ticket| client.connect(now, ticket));
    drop(driver);
    let ended = connecting.wait();
    assert!(matches!(ended, Ok(Ok(Outcome::Connected(Err(_))) | Err(Dead::RuntimeGone))), "{ended:?}");
    assert_eq!(handle.command(|_, _| ()), Err(Dead::RuntimeGone));
}
