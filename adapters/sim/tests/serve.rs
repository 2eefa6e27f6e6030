//! The model on TCP: starts at once, answers, fails to order, dies and comes back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fusee_sim::codec::{Command, Dialect, Fields, decode, encode, split};
use fusee_sim::{Cluster, Code, Op};

struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    opaque: i32,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, buffer: BytesMut::new(), opaque: 0 }
    }

    fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &'static [u8]) -> Option<Command<'static>> {
        self.opaque += 1;
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned().into(), (*v).to_owned().into())).collect();
        let command = Command {
            code,
            language: Some(12),
            version: 479,
            opaque: Some(self.opaque),
            fields: Some(Fields(fields)),
            body: Bytes::from_static(body),
            ..Command::default()
        };
        let mut bytes = Vec::new();
        encode(&command, Dialect::Json, &mut bytes);
        self.stream.write_all(&bytes).ok()?;
        self.reply()
    }

    fn reply(&mut self) -> Option<Command<'static>> {
        loop {
            if let Some(frame) = split(&mut self.buffer).unwrap() {
                return Some(decode(&frame).unwrap().1.into_owned());
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }

    fn send(&mut self) -> Option<i32> {
        let fields = [
            ("a", "pg"),
            ("b", "orders"),
            ("c", "TBW102"),
            ("d", "4"),
            ("e", "0"),
            ("f", "0"),
            ("g", "1"),
            ("h", "0"),
            ("i", ""),
        ];
        self.ask(310, &fields, b"x").map(|reply| reply.code)
    }
}

#[test]
fn a_cluster_starts_at_once_and_stops_when_dropped() {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).start();
        let mut client = Client::connect(&cluster.addr());
        let route = client.ask(105, &[("topic", "orders"), ("acceptStandardJsonOnly", "true")], b"").unwrap();
        fastest = fastest.min(start.elapsed());
        assert_eq!(route.code, 0);
        let route: serde_json::Value = serde_json::from_slice(&route.body).unwrap();
        assert_eq!(route["brokerDatas"][1]["brokerName"], "broker-b");
        assert_eq!(route["brokerDatas"][1]["brokerAddrs"]["0"], cluster.broker_addr(1).to_string());
        let address = cluster.addr();
        drop(cluster);
        assert_eq!(client.reply(), None, "cut");
        assert!(TcpStream::connect(address).is_err(), "refused");
    }
    assert!(fastest < Duration::from_millis(10), "{fastest:?} from nothing to a route");
}

#[test]
fn ordered_failures_count_across_brokers() {
    let cluster = Cluster::builder().brokers(2).topic("orders", 4).start();
    cluster.fail_next(Op::Send, Code::SystemBusy, 2);
    let mut a = Client::connect(&cluster.broker_addr(0).to_string());
    let mut b = Client::connect(&cluster.broker_addr(1).to_string());
    assert_eq!((a.send(), b.send()), (Some(2), Some(2)));
    assert_eq!((a.send(), b.send()), (Some(0), Some(0)));
    let orders = cluster.topic("orders");
    assert_eq!(orders.len(), 2);
    assert!(
        orders
            .messages()
            .iter()
            .all(|message| &*message.body == b"x" && message.born_host.ip().is_loopback())
    );
}

#[test]
fn a_killed_broker_refuses_and_comes_back_with_its_disk() {
    let cluster = Cluster::builder().brokers(2).topic("orders", 4).start();
    let address = cluster.broker_addr(0).to_string();
    let mut client = Client::connect(&address);
    assert_eq!(client.send(), Some(0));
    cluster.kill(0);
    assert_eq!(client.send(), None, "cut");
    assert!(TcpStream::connect(&address).is_err(), "refused");
    let mut names = Client::connect(&cluster.addr());
    let route = names.ask(105, &[("topic", "orders")], b"").unwrap();
    assert!(!String::from_utf8_lossy(&route.body).contains("broker-a"));
    assert_eq!(cluster.topic("orders").len(), 1, "what it left is still to be seen");
    cluster.restart(0);
    let mut client = Client::connect(&address);
    assert_eq!(client.send(), Some(0));
    assert_eq!(cluster.topic("orders").len(), 2);
}

#[test]
fn answers_come_late_when_told_and_not_at_all_while_paused() {
    let cluster = Cluster::builder().topic("orders", 4).latency(Duration::from_millis(30)).start();
    let mut client = Client::connect(&cluster.broker_addr(0).to_string());
    let start = Instant::now();
    assert_eq!(client.send(), Some(0));
    assert!(start.elapsed() >= Duration::from_millis(30));
    cluster.set_latency(Duration::ZERO);
    cluster.pause(0);
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(client.send(), None);
    cluster.resume(0);
    client.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(client.reply().map(|reply| reply.code), Some(0));
}
