//! The threads of a served cluster: one that accepts per server, two per connection, one that keeps time.
//!
//! Laws: every thread ends when the cluster stops, and is joined; a reader never holds the lock while it reads, a
//! writer never takes it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Broker, Connection, Machine, NameServer, QUEUED_FRAMES_MAX, ServerId, Shared, State};
use crate::model::Conn;

const STACK: usize = 256 * 1024;

impl Shared {
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        thread::Builder::new().name(format!("sim-{name}")).stack_size(STACK).spawn(move || run(&shared))
    }

    /// Keeps a thread to be joined at the end.
    fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    pub(super) fn listen(self: &Arc<Self>, id: ServerId, listener: TcpListener) -> io::Result<()> {
        let life = *self.state().lives.entry(id).or_default();
        let address = listener.local_addr()?;
        let thread = self.spawn("accept", move |shared| {
            for stream in listener.incoming() {
                if shared.state().is_over(id, life) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                // A connection that cannot be served is dropped, which is what its client sees.
                drop(shared.serve(id, life, stream));
            }
        })?;
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (address, thread));
        Ok(())
    }

    fn serve(self: &Arc<Self>, server: ServerId, life: u64, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let (to_write, to_read) = (stream.try_clone()?, stream.try_clone()?);
        let (frames, queue) = sync_channel(QUEUED_FRAMES_MAX);
        let conn = {
            let mut state = self.state();
            if state.is_over(server, life) {
                return Ok(());
            }
            state.next_conn += 1;
            let conn = Conn(state.next_conn);
            state.connections.insert(conn, Connection { server, frames, stream });
            let now = self.now();
            state.act(now, server, |machine| match machine {
                Machine::NameServer(machine) => machine.connected(now, conn, peer),
                Machine::Broker(machine) => machine.connected(now, conn, peer),
            });
            conn
        };
        self.keep(self.spawn("write", move |_| write(to_write, &queue))?);
        self.keep(self.spawn("read", move |shared| shared.read(server, conn, to_read))?);
        Ok(())
    }

    fn read(&self, server: ServerId, conn: Conn, mut stream: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let mut state = self.state();
            while state.paused.contains(&server) && !state.stopping {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let now = self.now();
            state.act(now, server, |machine| match machine {
                Machine::NameServer(machine) => machine.received(now, conn, &buffer[..count]),
                Machine::Broker(machine) => machine.received(now, conn, &buffer[..count]),
            });
            let delayed = !state.delayed.is_empty();
            drop(state);
            if delayed {
                self.changed.notify_all();
            }
        }
        let now = self.now();
        let mut state = self.state();
        state.close(conn);
        state.act(now, server, |machine| match machine {
            Machine::NameServer(machine) => machine.closed(conn),
            Machine::Broker(machine) => machine.closed(now, conn),
        });
    }

    pub(super) fn keep_time(self: &Arc<Self>) -> io::Result<()> {
        let thread = self.spawn("clock", |shared| {
            let mut state = shared.state();
            while !state.stopping {
                let now = shared.now();
                let due = state.tick(now);
                let wait = due.saturating_sub(shared.now()).max(Duration::from_micros(100));
                (state, _) = shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            }
        })?;
        self.keep(thread);
        Ok(())
    }

    pub(super) fn kill(&self, id: ServerId) {
        let mut state = self.state();
        *state.lives.entry(id).or_default() += 1;
        // Who was paused is not when it comes up again, and its readers need not wait for that.
        state.paused.retain(|paused| *paused != id);
        self.changed.notify_all();
        let dead: Vec<Conn> = state
            .connections
            .iter()
            .filter(|(_, connection)| connection.server == id)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in dead {
            state.close(conn);
        }
        match id {
            ServerId::NameServer(at) => state.name_servers[at] = None,
            ServerId::Broker(at) => {
                let slot = &mut state.brokers[at];
                let name = slot.config.name.clone();
                let gone = std::mem::replace(&mut slot.state, Err(super::Store::default()));
                slot.state = Err(gone.map_or_else(|store| store, Broker::crash));
                for server in state.name_servers.iter_mut().flatten() {
                    server.broker_lost(&name);
                }
            }
        }
        drop(state);
        self.end_listener(id);
    }

    pub(super) fn restart(self: &Arc<Self>, id: ServerId, address: SocketAddr) {
        let listener = bind_again(address).expect("the port of a killed server is still free");
        let now = self.now();
        {
            let mut state = self.state();
            let line = state.line;
            match id {
                ServerId::NameServer(at) => {
                    state.name_servers[at] = Some(NameServer::start(now, line, false))
                }
                ServerId::Broker(at) => {
                    let slot = &mut state.brokers[at];
                    if let Err(store) = &mut slot.state {
                        let store = std::mem::take(store);
                        slot.state = Ok(Broker::start(now, slot.config.clone(), store));
                    }
                }
            }
            state.act(now, id, |_| ());
        }
        self.listen(id, listener).expect("a thread for a listener");
    }

    /// Listeners sit in `accept` until somebody knocks. When this returns the port refuses.
    fn end_listener(&self, id: ServerId) {
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some((address, thread)) = listener {
            // Refused means that it is not listening any more, which is what is wanted.
            drop(TcpStream::connect(address));
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }

    pub(super) fn stop(&self) {
        let servers: Vec<ServerId> = {
            let mut state = self.state();
            state.stopping = true;
            let open: Vec<Conn> = state.connections.keys().copied().collect();
            for conn in open {
                state.close(conn);
            }
            let name_servers = (0..state.name_servers.len()).map(ServerId::NameServer);
            name_servers.chain((0..state.brokers.len()).map(ServerId::Broker)).collect()
        };
        self.changed.notify_all();
        for server in servers {
            self.end_listener(server);
        }
        loop {
            let next = self.threads.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(thread) = next else { return };
            drop(thread.join());
        }
    }
}

impl State {
    /// The life of a server that a listener belongs to has ended.
    fn is_over(&self, server: ServerId, life: u64) -> bool {
        self.stopping || self.lives.get(&server) != Some(&life)
    }

    /// Does what is due, and says when something is again.
    fn tick(&mut self, now: Duration) -> Duration {
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let (conn, frame) = entry.remove();
            self.write(conn, frame);
        }
        let mut due = self.delayed.first_key_value().map_or(Duration::MAX, |((at, _), _)| *at);
        let name_servers = (0..self.name_servers.len()).map(ServerId::NameServer);
        for id in name_servers.chain((0..self.brokers.len()).map(ServerId::Broker)) {
            if self.paused.contains(&id) {
                continue;
            }
            let mut next = Duration::MAX;
            self.act(now, id, |machine| match machine {
                Machine::NameServer(machine) => {
                    machine.tick(now);
                    next = machine.deadline();
                }
                Machine::Broker(machine) => {
                    machine.tick(now);
                    next = machine.deadline();
                }
            });
            due = due.min(next);
        }
        due.min(now + Duration::from_secs(60))
    }
}

fn write(mut stream: TcpStream, queue: &Receiver<Vec<u8>>) {
    let mut frames = Vec::new();
    while let Ok(frame) = queue.recv() {
        frames.extend_from_slice(&frame);
        while frames.len() < 256 * 1024
            && let Ok(frame) = queue.try_recv()
        {
            frames.extend_from_slice(&frame);
        }
        if stream.write_all(&frames).is_err() {
            // The reader notices too, and ends the connection.
            return;
        }
        frames.clear();
    }
}

/// The listener of the earlier life may take a moment to go.
fn bind_again(address: SocketAddr) -> io::Result<TcpListener> {
    let mut last = TcpListener::bind(address);
    for _ in 0..200 {
        if last.is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
        last = TcpListener::bind(address);
    }
    last
}
