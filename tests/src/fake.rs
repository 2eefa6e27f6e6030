//! Servers that misbehave on purpose: a listener on loopback whose script says what each request gets.
//!
//! Laws: a fake answers only what its script says; dropping it closes its listener and every connection.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use crate::raw::{Packet, frame};

/// What a request gets.
#[derive(Clone, Debug)]
pub enum Act {
    /// A well-formed reply with this code, remark, fields and body.
    Reply(i32, &'static str, BTreeMap<String, String>, Vec<u8>),
    /// These bytes, whatever they mean.
    Bytes(Vec<u8>),
    /// The end of the connection.
    Close,
}

impl Act {
    /// A reply of code and remark alone.
    pub fn code(code: i32, remark: &'static str) -> Self {
        Self::Reply(code, remark, BTreeMap::new(), Vec::new())
    }

    /// A route to one broker called `broker-a`.
    pub fn route_to(broker: &str, queues: u32) -> Self {
        let route = json!({
            "brokerDatas": [{"brokerAddrs": {"0": broker}, "brokerName": "broker-a", "cluster": "DefaultCluster"}],
            "filterServerTable": {},
            "queueDatas": [{
                "brokerName": "broker-a", "perm": 6, "readQueueNums": queues, "writeQueueNums": queues, "topicSysFlag": 0,
            }],
        });
        Self::Reply(0, "", BTreeMap::new(), route.to_string().into_bytes())
    }
}

/// A listening fake.
#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    connections: AtomicUsize,
    requests: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Fake {
    /// Listens on a port of its own; `script` is asked for every request.
    pub fn start(script: impl Fn(&Packet) -> Vec<Act> + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else {
                    continue;
                };
                seen.connections.fetch_add(1, Ordering::SeqCst);
                if let Ok(clone) = stream.try_clone() {
                    seen.open.lock().unwrap_or_else(PoisonError::into_inner).push(clone);
                }
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                // A connection ends by an error as well as by its end; the client under test is who must notice.
                thread::spawn(move || serve(stream, &seen, &*script));
            }
        });
        Ok(Self { address, shared })
    }

    /// A server that takes every request and never says a word.
    pub fn silent() -> io::Result<Self> {
        Self::start(|_| Vec::new())
    }

    /// A server that answers every request with these bytes.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> io::Result<Self> {
        let bytes = bytes.into();
        Self::start(move |_| vec![Act::Bytes(bytes.clone())])
    }

    /// `ip:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests were read.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // An error says that it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts, which then lets go of the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, script: &dyn Fn(&Packet) -> Vec<Act>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = Packet::read(&mut stream)? {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        for act in script(&request) {
            match act {
                Act::Reply(code, remark, fields, body) => {
                    let header = json!({
                        "code": code, "flag": 1, "language": "JAVA", "opaque": request.opaque, "remark": remark,
                        "extFields": fields, "serializeTypeCurrentRPC": "JSON", "version": 513,
                    });
                    stream.write_all(&frame(&header, &body))?;
                }
                Act::Bytes(bytes) => stream.write_all(&bytes)?,
                Act::Close => return stream.shutdown(Shutdown::Both),
            }
        }
    }
    Ok(())
}

/// A port of loopback on which nobody listens. The kernel may give it to somebody later; until then it refuses.
pub fn closed_port() -> io::Result<String> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Act, Fake};
    use crate::raw::Caller;

    #[test]
    fn a_fake_says_what_its_script_says() {
        let fake = Fake::start(|request| match request.code {
            105 => vec![Act::route_to("127.0.0.1:1", 4)],
            _ => vec![Act::code(2, "busy")],
        });
        let fake = fake.expect("listen");
        let found = Caller::default().masters(&fake.address(), "any").expect("route").expect("known");
        assert_eq!((found[0].address.as_str(), found[0].queues), ("127.0.0.1:1", 4));
        assert_eq!(Caller::default().call(&fake.address(), 310, &[], b"").expect("reply").code, 2);
        assert_eq!((fake.connections(), fake.requests()), (2, 2));
    }
}
