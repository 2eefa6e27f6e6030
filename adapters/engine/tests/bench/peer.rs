//! A name server and a broker at one address, on plain threads, told what to do by the test.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use fusee_core::wire::{Frame, Framer};

pub(crate) struct Peer {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    connections: usize,
    accepted: usize,
    sends: usize,
    /// Answers to sends are kept back.
    holding: bool,
    held: Vec<(Arc<TcpStream>, i32)>,
    streams: Vec<Arc<TcpStream>>,
}

impl Peer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = shared.clone();
        let listener = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                let stream = Arc::new(stream.unwrap());
                let mut state = accepting.state.lock().unwrap();
                if state.stopping {
                    break;
                }
                state.connections += 1;
                state.accepted += 1;
                state.streams.push(stream.clone());
                drop(state);
                let shared = accepting.clone();
                serving.push(thread::spawn(move || {
                    serve(&shared, &stream, address);
                    shared.change(|state| state.connections -= 1);
                }));
            }
            for thread in serving {
                thread.join().unwrap();
            }
        });
        Self { shared, address, listener: Some(listener) }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until this many sends have come, in all.
    pub(crate) fn await_sends(&self, count: usize) {
        self.await_state(|state| state.sends >= count);
    }

    pub(crate) fn await_connections(&self, count: usize) {
        self.await_state(|state| state.connections == count);
    }

    pub(crate) fn sends(&self) -> usize {
        self.shared.state.lock().unwrap().sends
    }

    /// Keeps the answers to sends back from now on.
    pub(crate) fn hold(&self) {
        self.shared.change(|state| state.holding = true);
    }

    /// Answers what was kept back, and everything from now on.
    pub(crate) fn release(&self) {
        let mut held = Vec::new();
        self.shared.change(|state| {
            state.holding = false;
            held = std::mem::take(&mut state.held);
        });
        for (number, (stream, opaque)) in held.into_iter().enumerate() {
            // A client that left does not want it.
            (&*stream).write_all(&receipt(opaque, number)).unwrap_or_default();
        }
    }

    /// Breaks every connection.
    pub(crate) fn hang_up(&self) {
        for stream in std::mem::take(&mut self.shared.state.lock().unwrap().streams) {
            // The client may have been faster.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }

    fn await_state(&self, reached: impl Fn(&State) -> bool) {
        let state = self.shared.state.lock().unwrap();
        drop(self.shared.changed.wait_while(state, |state| !reached(state)).unwrap());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.change(|state| state.stopping = true);
        self.hang_up();
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

fn serve(shared: &Shared, stream: &Arc<TcpStream>, address: SocketAddr) {
    let mut framer = Framer::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let Ok(bytes @ 1..) = (&**stream).read(&mut chunk) else { return };
        framer.spare(bytes).extend_from_slice(&chunk[..bytes]);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => answer(shared, stream, &frame, address),
                Ok(None) => break,
                // As real servers do.
                Err(_) => return stream.shutdown(Shutdown::Both).unwrap_or_default(),
            }
        }
    }
}

fn answer(shared: &Shared, stream: &Arc<TcpStream>, frame: &Frame, address: SocketAddr) {
    let mut hold = false;
    if frame.header.code == SEND {
        shared.change(|state| {
            state.sends += 1;
            hold = state.holding;
            if hold {
                state.held.push((stream.clone(), frame.header.opaque));
            }
        });
    }
    if !hold {
        // A client that left does not want it.
        (&**stream).write_all(&reply(frame, address)).unwrap_or_default();
    }
}

const ROUTE: i32 = 105;
const SEND: i32 = 310;

/// What a name server and broker at this address says to that.
pub(crate) fn reply(frame: &Frame, address: SocketAddr) -> Vec<u8> {
    match frame.header.code {
        ROUTE => {
            let route = format!(
                r#"{{"brokerDatas":[{{"brokerAddrs":{{"0":"{address}"}},"brokerName":"broker-a","cluster":"c"}}],"queueDatas":[{{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}}]}}"#
            );
            encoded(frame.header.opaque, "{}", &route)
        }
        SEND => receipt(frame.header.opaque, 0),
        _ => encoded(frame.header.opaque, "{}", ""),
    }
}

fn receipt(opaque: i32, offset: usize) -> Vec<u8> {
    let fields =
        format!(r#"{{"msgId":"7F00000100002A9F0000000000000000","queueId":"0","queueOffset":"{offset}"}}"#);
    encoded(opaque, &fields, "")
}

fn encoded(opaque: i32, fields: &str, body: &str) -> Vec<u8> {
    let header = format!(
        r#"{{"code":0,"extFields":{fields},"flag":1,"language":"JAVA","opaque":{opaque},"serializeTypeCurrentRPC":"JSON","version":479}}"#
    );
    let mut frame = Vec::new();
    frame.extend(u32::try_from(4 + header.len() + body.len()).unwrap().to_be_bytes());
    frame.extend(u32::try_from(header.len()).unwrap().to_be_bytes());
    frame.extend(header.as_bytes());
    frame.extend(body.as_bytes());
    frame
}
