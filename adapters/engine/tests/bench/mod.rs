//! What the engine's tests stand on: every adapter as a value, and a server small enough to be told what to do.

pub(crate) mod peer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use fusee_core::ids::{Address, ClientId, Group, ProducerId, Topic};
use fusee_core::wire::Text;
use fusee_core::{Choice, Client, Config, Instant, Outcome, Prepared, Receipt, UnixMillis};
use fusee_engine::{Dead, Engine, Handle, Operation, Settings};

use peer::Peer;

/// The adapters under test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    TokioMulti,
    TokioCurrent,
    Smol,
    AsyncStd,
    /// The async-io reactor, with the client's driver on an executor that is one plain thread.
    Driven,
    Threads,
}

/// A runtime to live on, until it is dropped.
pub(crate) struct Home {
    start: Box<dyn Fn(Client, Settings) -> Handle>,
    /// Ends the thread that drives the runtime, and the runtime with it.
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Home {
    pub(crate) fn of(driver: Driver) -> Self {
        use tokio::runtime::Builder;
        match driver {
            Driver::TokioMulti => Self::tokio(Builder::new_multi_thread().worker_threads(2)),
            Driver::TokioCurrent => Self::tokio(&mut Builder::new_current_thread()),
            Driver::Smol => Self::without_end(|client, settings| {
                Engine::start_with(client, fusee_smol::runtime(), settings)
            }),
            Driver::AsyncStd => Self::without_end(|client, settings| {
                Engine::start_with(client, fusee_async_std::runtime(), settings)
            }),
            Driver::Threads => Self::without_end(|client, settings| {
                Engine::start_with(client, fusee_blocking::Threads::new(), settings)
            }),
            Driver::Driven => Self::without_end(|client, settings| {
                let sockets = fusee_async_io::AsyncIo::new(|_| unreachable!("the driver runs the tasks"));
                let (runtime, driver) = fusee_engine::driven(sockets);
                let handle = Engine::start_with(client, runtime, settings);
                thread::spawn(|| fusee_engine::block_on(driver));
                handle
            }),
        }
    }

    fn without_end(start: impl Fn(Client, Settings) -> Handle + 'static) -> Self {
        Self { start: Box::new(start), stop: None, thread: None }
    }

    fn tokio(builder: &mut tokio::runtime::Builder) -> Self {
        let runtime = builder.enable_all().build().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let tokio = runtime.handle().clone();
        let start = Box::new(move |client, settings| {
            Engine::start_with(client, fusee_tokio::Tokio::on(tokio.clone()), settings)
        });
        let thread = Some(thread::spawn(move || runtime.block_on(async { stopped.await.unwrap() })));
        Self { start, stop: Some(stop), thread }
    }

    pub(crate) fn start(&self, client: Client) -> Handle {
        self.start_with(client, Settings::default())
    }

    pub(crate) fn start_with(&self, client: Client, settings: Settings) -> Handle {
        (self.start)(client, settings)
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
        on_each_adapter!(@ smol Smol [$($name)*]);
        on_each_adapter!(@ async_std AsyncStd [$($name)*]);
        on_each_adapter!(@ driven Driven [$($name)*]);
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
