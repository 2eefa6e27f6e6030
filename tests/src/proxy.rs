//! A network that fails on demand: a proxy that understands frames, in front of one name server or broker.
//!
//! Faults of the line (latency, bandwidth, slices, black holes) are set and lifted at any time; faults of a request
//! (its reply lost, itself lost, the connection cut before or after it, another answer put in its place) are ordered by
//! request code and strike a given number of times. `hits` tells how often each really struck: a test that counts
//! on a fault must look.
//!
//! Laws: bytes that no fault concerns pass unchanged and in order; addresses in routes are replaced only as the map
//! says; dropping the proxy ends its threads and resets its connections.

mod line;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::broker::Servers;
use line::Line;

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request reaches the server, its reply does not come back; the connection lives on.
    DropReply,
    /// The request gets lost; the connection lives on.
    DropRequest,
    /// The connection is reset before the request goes on.
    ResetBefore,
    /// The request reaches the server, and the connection is reset when its reply comes.
    ResetBeforeReply,
    /// The request does not go on; this code and remark come back.
    Answer(i32, &'static str),
}

/// How a line treats bytes of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Added to each frame's way.
    pub latency: Duration,
    /// Bytes a second; 0 is no limit.
    pub bandwidth: usize,
    /// At most so many bytes in one write; 0 is no limit.
    pub slice: usize,
    /// Frames vanish.
    pub black_hole: bool,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    There,
    /// From the server to the client.
    Back,
}

/// A listening proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the proxy's threads look at.
#[derive(Debug)]
struct Shared {
    upstream: String,
    stopped: AtomicBool,
    refusing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    there: Weather,
    back: Weather,
    faults: VecDeque<Order>,
    hits: BTreeMap<i32, usize>,
    seen: BTreeMap<i32, usize>,
    map: BTreeMap<String, String>,
    /// Grows by one when all connections shall be reset; each remembers the number of its birth.
    generation: u64,
}

#[derive(Debug)]
struct Order {
    code: i32,
    /// So many requests of the code pass first.
    pass: usize,
    times: usize,
    fault: Fault,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// Listens on a port of its own in front of `upstream`.
    pub fn start(upstream: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            stopped: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let mine = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if mine.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), false) = (client, mine.refusing.load(Ordering::SeqCst)) else {
                    continue;
                };
                let mine = Arc::clone(&mine);
                // Dialling may take long when the server is stopped; others must not wait for it.
                thread::spawn(move || Line::run(client, &mine));
            }
        });
        Ok(Self { address, shared })
    }

    /// `ip:port` for the client.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// In routes that pass, these addresses are replaced.
    pub fn map(&self, from: &str, to: &str) {
        self.shared.state().map.insert(from.to_owned(), to.to_owned());
    }

    /// The next `times` requests of `code` suffer `fault`.
    pub fn strike(&self, code: i32, times: usize, fault: Fault) {
        self.strike_after(0, code, times, fault);
    }

    /// The same after `pass` requests of the code have passed.
    pub fn strike_after(&self, pass: usize, code: i32, times: usize, fault: Fault) {
        self.shared.state().faults.push_back(Order { code, pass, times, fault });
    }

    /// How many requests of this code a fault struck.
    pub fn hits(&self, code: i32) -> usize {
        self.shared.state().hits.get(&code).copied().unwrap_or(0)
    }

    /// How many requests of this code came by.
    pub fn seen(&self, code: i32) -> usize {
        self.shared.state().seen.get(&code).copied().unwrap_or(0)
    }

    /// Sets how one direction treats bytes, from the next frame on.
    pub fn weather(&self, way: Way, weather: Weather) {
        let mut state = self.shared.state();
        match way {
            Way::There => state.there = weather,
            Way::Back => state.back = weather,
        }
    }

    /// Both directions are a black hole, and nobody is told: a peer that vanished.
    pub fn half_open(&self) {
        for way in [Way::There, Way::Back] {
            self.weather(way, Weather { black_hole: true, ..Weather::default() });
        }
    }

    /// All faults end. What was lost stays lost.
    pub fn heal(&self) {
        self.refuse(false);
        let mut state = self.shared.state();
        state.faults.clear();
        (state.there, state.back) = Default::default();
    }

    /// Resets every connection (RST, not FIN).
    pub fn reset_all(&self) {
        self.shared.state().generation += 1;
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, on: bool) {
        self.shared.refusing.store(on, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.reset_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// A proxy before every server of a cluster; routes that pass lead to the proxies.
#[derive(Debug)]
pub struct Proxies {
    /// Before the name servers.
    pub name_servers: Vec<Proxy>,
    /// Before the brokers.
    pub brokers: Vec<Proxy>,
}

impl Proxies {
    /// Starts them.
    pub fn before(cluster: &Servers) -> io::Result<Self> {
        let broker_addresses: Vec<String> = (0..cluster.brokers()).map(|i| cluster.broker_addr(i)).collect();
        let brokers =
            broker_addresses.iter().map(|address| Proxy::start(address)).collect::<io::Result<Vec<_>>>()?;
        let name_servers = cluster.name_servers();
        let name_servers =
            name_servers.iter().map(|address| Proxy::start(address)).collect::<io::Result<Vec<_>>>()?;
        for name_server in &name_servers {
            for (address, proxy) in broker_addresses.iter().zip(&brokers) {
                name_server.map(address, &proxy.address());
            }
        }
        Ok(Self { name_servers, brokers })
    }

    /// Where a client shall look for routes.
    pub fn name_server_addresses(&self) -> Vec<String> {
        self.name_servers.iter().map(Proxy::address).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, Instant};

    use super::{Fault, Proxy, Way, Weather};
    use crate::fake::{Act, Fake};
    use crate::raw::Connection;

    fn behind() -> (Fake, Proxy) {
        let fake = Fake::start(|request| match request.code {
            105 => vec![Act::route_to("127.0.0.1:1", 1)],
            _ => vec![Act::code(0, "fine")],
        });
        let fake = fake.expect("listen");
        let proxy = Proxy::start(&fake.address()).expect("listen");
        (fake, proxy)
    }

    fn open(proxy: &Proxy) -> Connection {
        Connection::open(&proxy.address(), Duration::from_millis(400)).expect("connect")
    }

    #[test]
    fn ordered_faults_strike_as_often_as_ordered_and_only_their_code() {
        let (fake, proxy) = behind();
        let mut line = open(&proxy);
        proxy.strike_after(1, 310, 1, Fault::Answer(1500, "go away"));
        assert_eq!(line.call(310, &[], b"").expect("passes").code, 0);
        assert_eq!(line.call(11, &[], b"").expect("another code").code, 0);
        assert_eq!(line.call(310, &[], b"").expect("answered").code, 1500);
        assert_eq!(line.call(310, &[], b"").expect("over").code, 0);
        assert_eq!((proxy.hits(310), proxy.seen(310), fake.requests()), (1, 3, 3));

        proxy.strike(14, 1, Fault::DropReply);
        assert!(line.call(14, &[], b"").is_err(), "no reply");
        assert_eq!(fake.requests(), 4, "but the server had the request");
        proxy.strike(15, 1, Fault::DropRequest);
        assert!(line.call(15, &[], b"").is_err(), "no reply");
        assert_eq!(line.call(14, &[], b"").expect("the connection lives").code, 0);
        assert_eq!(fake.requests(), 5, "and the server never saw the lost one");

        proxy.strike(34, 1, Fault::ResetBefore);
        let error = line.call(34, &[], b"").expect_err("reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        proxy.strike(34, 1, Fault::ResetBeforeReply);
        let error = open(&proxy).call(34, &[], b"").expect_err("reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!((fake.requests(), proxy.hits(34)), (6, 2));
    }

    #[test]
    fn weather_delays_and_swallows_and_heals() {
        let (_fake, proxy) = behind();
        let mut line = open(&proxy);
        let late = Duration::from_millis(120);
        proxy.weather(Way::Back, Weather { latency: late, slice: 3, ..Weather::default() });
        let begun = Instant::now();
        assert_eq!(line.call(1, &[], b"").expect("late, in slices, whole").code, 0);
        assert!(begun.elapsed() >= late);
        proxy.half_open();
        let error = line.call(1, &[], b"").expect_err("nothing comes back");
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
        proxy.heal();
        assert_eq!(line.call(1, &[], b"").expect("healed").code, 0);
        proxy.reset_all();
        assert!(line.call(1, &[], b"").is_err());
        proxy.refuse(true);
        let refused = Connection::open(&proxy.address(), Duration::from_millis(400));
        assert!(refused.and_then(|mut line| line.call(1, &[], b"")).is_err());
    }

    #[test]
    fn bandwidth_is_a_limit() {
        let (_fake, proxy) = behind();
        proxy.weather(Way::There, Weather { bandwidth: 64 << 10, ..Weather::default() });
        let begun = Instant::now();
        let mut line = Connection::open(&proxy.address(), Duration::from_secs(5)).expect("connect");
        line.call(1, &[], &[0; 16 << 10]).expect("slow");
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }

    #[test]
    fn routes_lead_to_where_the_map_says() {
        let (_fake, proxy) = behind();
        proxy.map("127.0.0.1:1", "127.0.0.1:22222");
        let found =
            crate::raw::Caller::default().masters(&proxy.address(), "t").expect("route").expect("known");
        assert_eq!(found[0].address, "127.0.0.1:22222");
    }
}
