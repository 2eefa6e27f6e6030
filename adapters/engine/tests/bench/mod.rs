//! What the engine's tests stand on: every adapter as a value, and a server small enough to be told what to do.

pub(crate) mod peer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use fusee_core::ids::{Address, ClientId, Group, ProducerId, Topic};
use fusee_core::wire::Text;
use fusee_core::{Choice, Client, Config, Instant, Outcome, Prepared, Receipt, UnixMillis};
use fusee_engine::{Dead, Engine, Handle, Operation};

use peer::Peer;

/// The adapters under test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    TokioMulti,
    TokioCurrent,
    Threads,
}

/// A runtime to live on, until it is dropped.
pub(crate) struct Home {
    tokio: Option<tokio::runtime::Handle>,
    /// Ends the thread that drives the runtime, and the runtime with it.
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Home {
    pub(crate) fn of(driver: Driver) -> Self {
        let runtime = match driver {
            Driver::TokioMulti => {
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
            }
            Driver::TokioCurrent => {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
            }
            Driver::Threads => return Self { tokio: None, stop: None, thread: None },
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let tokio = Some(runtime.handle().clone());
        let thread = Some(thread::spawn(move || runtime.block_on(async { stopped.await.unwrap() })));
        Self { tokio, stop: Some(stop), thread }
    }

    pub(crate) fn start(&self, client: Client) -> Handle {
        match &self.tokio {
            Some(tokio) => Engine::start(client, fusee_tokio::Tokio::on(tokio.clone())),
            None => Engine::start(client, fusee_blocking::Threads::new()),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

pub(crate) fn client(peer: &Peer) -> Client {
    let config =
        Config::new(vec![Address::new(&peer.address()).unwrap()], ClientId::new("engine-test").unwrap());
    Client::new(config, 7, Instant::ZERO, UnixMillis(1_700_000_000_000))
}

/// A connected client with a producer.
pub(crate) fn producer(home: &Home, peer: &Peer) -> (Handle, ProducerId) {
    let handle = home.start(client(peer));
    let connected = handle.operate(|client, now, ticket| client.connect(now, ticket)).wait();
    assert!(matches!(connected, Ok(Ok(Outcome::Connected(Ok(()))))), "{connected:?}");
    let group = Group::new("engine-test").unwrap();
    let id = handle.command(|client, now| client.open_producer(now, group)).unwrap().unwrap();
    (handle, id)
}

pub(crate) fn send(handle: &Handle, producer: ProducerId, body: &[u8]) -> Operation {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:032X}", NEXT.fetch_add(1, Ordering::Relaxed));
    let message = Prepared {
        topic: Topic::new("engine").unwrap(),
        properties: Text::from(format!("UNIQ_KEY\u{1}{id}\u{2}")),
        id: Text::from(id),
        body: Bytes::copy_from_slice(body),
        sys_flag: 0,
        flag: 0,
        born: UnixMillis(1_700_000_000_000),
    };
    handle.operate(|client, now, ticket| {
        client.producer(producer).send(now, message, Choice::Any, ticket).unwrap();
    })
}

#[track_caller]
pub(crate) fn receipt(outcome: Result<Outcome, Dead>) -> Receipt {
    match outcome {
        Ok(Outcome::Sent(Ok(receipt))) => receipt,
        other => panic!("not stored: {other:?}"),
    }
}

/// Makes a module of tests for each adapter.
macro_rules! on_each_adapter {
    ($($name:ident)*) => {
        on_each_adapter!(@ tokio_multi TokioMulti [$($name)*]);
        on_each_adapter!(@ tokio_current TokioCurrent [$($name)*]);
        on_each_adapter!(@ threads Threads [$($name)*]);
    };
    (@ $module:ident $driver:ident [$($name:ident)*]) => {
        mod $module {
            $(#[test]
            fn $name() {
                super::$name(crate::bench::Driver::$driver);
            })*
        }
    };
}
pub(crate) use on_each_adapter;
