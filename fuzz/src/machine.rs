//! The client machine against a peer that answers anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ClientId, ConnId, Group, Ticket, Topic};
use fusee_core::wire::{Fields, Frame, Framer, Header, Kind, Language, ResponseCode, Text};
use fusee_core::{
    Choice, Client, Config, ConsumerMut, Input, Instant, Lost, Outgoing, Output, Prepared, PullConfig,
    UnixMillis, What,
};

const ROUTE: &[u8] = br#"{"brokerDatas":[{"brokerAddrs":{"0":"b:1"},"brokerName":"a","cluster":"c"}],"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":2,"topicSysFlag":0,"writeQueueNums":2}]}"#;

struct World {
    client: Client,
    now: Instant,
    open: BTreeSet<ConnId>,
    asked: VecDeque<(ConnId, i32, i32)>,
    tickets: u64,
    done: BTreeMap<Ticket, ()>,
}

/// See `targets/client.rs`. The bytes are a script: what the peer does, when, and with which bytes.
pub fn client(script: &[u8]) {
    let (Ok(name_server), Ok(id), Ok(topic)) = (Address::new("n:1"), ClientId::new("c"), Topic::new("T"))
    else {
        return;
    };
    let (Ok(producers), Ok(consumers)) = (Group::new("p"), Group::new("g")) else { return };
    let now = Instant::from_micros(1_000_000);
    let client = Client::new(Config::new(vec![name_server], id), 7, now, UnixMillis(1_700_000_000_000));
    let mut world = World {
        client,
        now,
        open: BTreeSet::new(),
        asked: VecDeque::new(),
        tickets: 0,
        done: BTreeMap::new(),
    };
    let ticket = world.ticket();
    world.client.connect(now, ticket);
    let producer = world.client.open_producer(now, producers).expect("the first of its group");
    let queues = [0, 1].map(|queue| fusee_core::ids::Queue {
        topic: topic.clone(),
        broker: fusee_core::ids::BrokerName::new("a").expect("a name"),
        queue,
    });
    let consumer =
        world.client.open_pull(now, PullConfig::new(consumers), &queues).expect("the first of its group");
    world.settle();
    let mut rest = script;
    while let Some((&[op, a, b], after)) = rest.split_first_chunk::<3>() {
        rest = after;
        match op % 12 {
            0 => world.pass(Duration::from_millis(u64::from(a) * 37)),
            1 => world.pass(Duration::from_secs(u64::from(a))),
            2 => {
                let ticket = world.ticket();
                let body = Bytes::copy_from_slice(&rest[..rest.len().min(usize::from(a % 8))]);
                let message = prepared(&topic, body);
                if world.client.producer(producer).send(world.now, message, Choice::Any, ticket).is_err() {
                    world.done.insert(ticket, ());
                }
            }
            3 => {
                let ticket = world.ticket();
                world.client.queues(world.now, &topic, ticket);
            }
            4 => {
                if let Some(&conn) = world.open.iter().nth(usize::from(a) % world.open.len().max(1)) {
                    world.open.remove(&conn);
                    let lost = Lost { why: LostWhy::Reset, started: u64::from(b) };
                    world.client.handle(world.now, Input::Lost(conn, lost));
                }
            }
            // Good answers keep the conversation going, so that what is hostile comes deep inside it.
            5..=7 => world.answer(usize::from(a), |code| good(code, b)),
            8..=10 => {
                let length = usize::from(b).min(rest.len());
                let (body, after) = rest.split_at(length);
                rest = after;
                world.answer(usize::from(a), |code| hostile(code, op, body));
            }
            _ => {
                let length = (usize::from(b) * 4).min(rest.len());
                let (bytes, after) = rest.split_at(length);
                rest = after;
                world.raw(bytes);
            }
        }
        world.settle();
        let taking: ConsumerMut<'_> = world.client.consumer(consumer);
        let _ = taking.take(world.now);
        world.settle();
    }
    let closed = world.ticket();
    world.client.close(world.now, closed);
    world.settle();
    // Nobody answers any more: whatever waits has a deadline.
    for _ in 0..2_000 {
        if world.done.len() as u64 == world.tickets {
            break;
        }
        world.pass(Duration::from_millis(250));
        world.settle();
    }
    assert_eq!(world.done.len() as u64, world.tickets, "every command ends");
}

fn prepared(topic: &Topic, body: Bytes) -> Prepared {
    Prepared {
        topic: topic.clone(),
        id: Text::from("ID"),
        properties: Text::from("UNIQ_KEY\u{1}ID\u{2}"),
        body,
        sys_flag: 0,
        flag: 0,
        born: UnixMillis(1_700_000_000_000),
    }
}

fn frame(code: i32, fields: &[(&str, &str)], body: &[u8]) -> Frame {
    let header = Header {
        kind: Kind::Response,
        code,
        language: Language::JAVA,
        version: 513,
        opaque: 0,
        remark: None,
        fields: Fields::from_pairs(fields.iter().copied()),
    };
    Frame { header, body: Bytes::copy_from_slice(body) }
}

fn good(code: i32, variant: u8) -> Frame {
    match code {
        105 => frame(0, &[], ROUTE),
        310 | 320 => frame(0, &[("msgId", "0"), ("queueId", "0"), ("queueOffset", "5")], b""),
        11 => {
            let code = [0, 19, 20, 21][usize::from(variant % 4)];
            let offsets = [("nextBeginOffset", "7"), ("minOffset", "0"), ("maxOffset", "9")];
            frame(code, &offsets, b"")
        }
        _ => frame(0, &[("offset", "3")], b""),
    }
}

fn hostile(code: i32, op: u8, body: &[u8]) -> Frame {
    let text = String::from_utf8_lossy(body);
    let number = text.get(..text.len().min(20)).unwrap_or("-1");
    let answer =
        ResponseCode::ALL[usize::from(body.first().copied().unwrap_or(op)) % ResponseCode::ALL.len()].0;
    match op % 3 {
        0 => Frame { body: Bytes::copy_from_slice(body), ..good(code, op) },
        1 => frame(
            answer,
            &[("nextBeginOffset", number), ("minOffset", number), ("maxOffset", "1"), ("offset", number)],
            body,
        ),
        _ => frame(answer, &[("msgId", number), ("queueId", number), ("queueOffset", number)], body),
    }
}

impl World {
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle(self.now, Input::Time);
    }

    /// Answers one of the requests that wait.
    fn answer(&mut self, at: usize, with: impl FnOnce(i32) -> Frame) {
        let Some((conn, opaque, code)) = self.asked.remove(at % self.asked.len().max(1)) else { return };
        if self.open.contains(&conn) {
            let mut frame = with(code);
            frame.header.opaque = opaque;
            self.client.handle(self.now, Input::Received(conn, frame));
        }
    }

    /// Whole frames in these bytes, on the connection that was opened first.
    fn raw(&mut self, bytes: &[u8]) {
        let Some(&conn) = self.open.first() else { return };
        let mut framer = Framer::default();
        framer.spare(bytes.len()).extend_from_slice(bytes);
        while let Ok(Some(frame)) = framer.next_frame() {
            self.client.handle(self.now, Input::Received(conn, frame));
        }
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.client.check();
            match self.client.poll() {
                Output::Wait(_) => return,
                Output::Dial(conn, _) => {
                    self.open.insert(conn);
                    self.client.handle(self.now, Input::Connected(conn));
                }
                Output::Hangup(conn) => {
                    self.open.remove(&conn);
                }
                Output::Ready(conn) => self.take(conn),
                Output::Done(ticket, _) => {
                    assert!(self.done.insert(ticket, ()).is_none(), "{ticket:?} ended twice")
                }
                Output::Deliver(_) | Output::Note(_) => {}
            }
        }
        panic!("a step that never settles");
    }

    fn take(&mut self, conn: ConnId) {
        let mut taken = VecDeque::<Outgoing>::new();
        loop {
            self.client.take(conn, 64 * 1024, &mut taken);
            if taken.is_empty() {
                return;
            }
            for outgoing in taken.drain(..) {
                match outgoing.what {
                    What::Call(request) => self.asked.push_back((conn, outgoing.opaque, request.code())),
                    What::Answer(_) => {}
                }
            }
        }
    }
}
