//! fusee on plain threads: two for each connection, one that keeps the time. No async runtime anywhere.
//!
//! The reader waits in `read`, hands frames to the machine and writes what they lead to. The writer sleeps until
//! several callers have something to write, or until a full socket has to be waited for. A lone request is written
//! by the thread that makes it.

mod socket;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ConnId};
use fusee_core::time::Instant;
use fusee_engine::{
    Adapter, Engine, Epoch, Intake, Lease, Outlet, Parker, Pulse, Seal, Task, Wire, block_on, lost_why,
    not_tls,
};

use crate::socket::Shared;

/// A client's home on threads of its own.
#[derive(Clone, Debug)]
pub struct Threads {
    epoch: Epoch,
}

/// Time for one address of a name; the machine gives up the whole dial earlier.
const CONNECT: Duration = Duration::from_secs(3);

/// What one read takes at most.
const READ: usize = 64 * 1024;

impl Threads {
    /// Threads are started as connections need them.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: Epoch::start() }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::new()
    }
}

impl Adapter for Threads {
    fn now(&self) -> Instant {
        self.epoch.now()
    }

    fn dial(&self, engine: Arc<Engine>, conn: ConnId, address: Address) {
        let lease =
            Lease::new(engine, conn).otherwise(LostWhy::Io("the connection's thread could not go on".into()));
        // If there is no thread to be had the lease is dropped, and that is told.
        drop(thread::Builder::new().name("fusee-reader".into()).spawn(move || carry(lease, &address)));
    }

    fn keep_time(&self, engine: Arc<Engine>) {
        let (pulse, epoch) = (Pulse::new(engine), self.epoch);
        drop(thread::Builder::new().name("fusee-clock".into()).spawn(move || tick(pulse.engine(), epoch)));
    }

    fn run(&self, task: Task) {
        drop(thread::Builder::new().name("fusee-handler".into()).spawn(move || block_on(task)));
    }
}

fn tick(engine: &Engine, epoch: Epoch) {
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    while let Some(deadline) = engine.deadline(&waker) {
        if deadline <= epoch.now() {
            engine.tick();
        } else {
            parker.park(epoch.to_std(deadline));
        }
    }
}

fn carry(mut lease: Lease<Shared>, address: &Address) {
    let (stream, seal) = match connect(lease.engine(), address) {
        Ok((stream, seal)) => (Arc::new(stream), seal.map(Arc::new)),
        Err(why) => return lease.end(why),
    };
    let intake = Intake::new(seal.clone());
    let Some(wire) = lease.connected(Shared(stream.clone()), seal) else { return lease.end(LostWhy::Closed) };
    let (engine, conn) = (lease.engine().clone(), lease.conn());
    // The first of the two threads to end knows why.
    let why = Arc::new(OnceLock::new());
    let parker = Arc::new(Parker::default());
    let writer = {
        let (engine, stream, wire, why, parker) =
            (engine.clone(), stream.clone(), wire.clone(), why.clone(), parker.clone());
        thread::Builder::new().name("fusee-writer".into()).spawn(move || {
            let ended = write(&engine, &stream, &wire, &parker);
            why.get_or_init(|| ended);
            // The reader finds out by this.
            hang_up(&stream);
        })
    };
    if writer.is_err() {
        return;
    }
    wire.write_now(&engine);
    let ended = read(&engine, conn, &stream, &wire, intake);
    let ended = why.get_or_init(|| ended).clone();
    // Before the count of what was started is taken, so that the writer is not waited for.
    hang_up(&stream);
    lease.end(ended);
    Waker::from(parker).wake();
}

fn connect(engine: &Engine, name: &Address) -> Result<(TcpStream, Option<Seal>), LostWhy> {
    let unresolved = |error: io::Error| LostWhy::Unresolved(error.to_string().into());
    let mut why = LostWhy::Unresolved("it has no address".into());
    for address in name.as_str().to_socket_addrs().map_err(unresolved)? {
        let connected = TcpStream::connect_timeout(&address, CONNECT).and_then(|stream| {
            engine.sockets().apply(&stream)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => match engine.seal(name)? {
                None => return Ok((stream, None)),
                Some(seal) => match shake_hands(&seal, &stream) {
                    Ok(()) => return Ok((stream, Some(seal))),
                    Err(error) => why = error,
                },
            },
            Err(error) => why = lost_why(&error),
        }
    }
    Err(why)
}

fn shake_hands(seal: &Seal, mut stream: &TcpStream) -> Result<(), LostWhy> {
    let lost = |error: io::Error| lost_why(&error);
    stream.set_read_timeout(Some(CONNECT)).map_err(lost)?;
    let (mut came, mut to_write) = (BytesMut::new(), BytesMut::new());
    let mut chunk = vec![0; READ];
    loop {
        let over = seal.shake_hands(&mut came, &mut to_write);
        // If it failed there may be an alert in it, which says so to the server.
        let written = stream.write_all(&to_write).map_err(lost);
        to_write.clear();
        if over? {
            written?;
            return stream.set_read_timeout(None).map_err(lost);
        }
        match stream.read(&mut chunk).map_err(lost)? {
            0 => return Err(not_tls()),
            bytes => came.extend_from_slice(&chunk[..bytes]),
        }
    }
}

fn read(
    engine: &Engine,
    conn: ConnId,
    mut stream: &TcpStream,
    wire: &Wire<Shared>,
    mut intake: Intake,
) -> LostWhy {
    let mut chunk = vec![0; READ];
    loop {
        let room = intake.room();
        let most = (room.capacity() - room.len()).min(READ);
        let bytes = match stream.read(&mut chunk[..most]) {
            Ok(0) => return LostWhy::Eof,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return lost_why(&error),
        };
        room.extend_from_slice(&chunk[..bytes]);
        match intake.arrived(engine, conn) {
            Ok(false) => {}
            Ok(true) => wire.write_now(engine),
            Err(why) => return why,
        }
    }
}

fn write(engine: &Engine, mut stream: &TcpStream, wire: &Wire<Shared>, parker: &Arc<Parker>) -> LostWhy {
    let waker = Waker::from(parker.clone());
    loop {
        if let Err(why) = wire.flush_blocking(engine, &waker, |pieces| stream.write_vectored(pieces)) {
            return why;
        }
        parker.park(None);
    }
}

fn hang_up(stream: &TcpStream) {
    // It fails when the peer was faster.
    stream.shutdown(Shutdown::Both).unwrap_or_default();
}
