//! The client driven by hand: one thread, non-blocking sockets and `mio`, no runtime and no engine.
//!
//! ```text
//! cargo run -p fusee-core --example by_hand -- 127.0.0.1:9876 some-topic
//! ```
//!
//! This is all that a driver has to do: dial, write what is taken, hand over frames, keep the time. Any event loop
//! can do it, one of yours included.

#![expect(clippy::print_stdout, reason = "an example tells what it did")]
#![expect(clippy::disallowed_methods, reason = "the driver is where the clocks are read")]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ClientId, ConnId, Group, Ticket, Topic};
use fusee_core::wire::{Framer, PropertyText, Text};
use fusee_core::{Choice, Client, Config, Input, Instant, Lost, Outcome, Output, Prepared, UnixMillis, What};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// One connection, from its dial to its loss.
struct Line {
    stream: TcpStream,
    is_up: bool,
    framer: Framer,
    to_write: BytesMut,
    /// Bytes written, and where the requests begin of which none was.
    written: u64,
    starts: VecDeque<u64>,
    started: u64,
}

struct Driver {
    client: Client,
    clock: std::time::Instant,
    poll: Poll,
    lines: BTreeMap<ConnId, Line>,
    ended: BTreeMap<Ticket, Outcome>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(name_server), Some(topic)) = (words.next(), words.next()) else {
        return Err("usage: by_hand NAMESRV TOPIC".into());
    };
    let config = Config::new(vec![Address::new(&name_server)?], ClientId::new("by-hand")?);
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let born = UnixMillis(i64::try_from(unix.as_millis())?);
    let seed = u64::from(unix.subsec_nanos());
    let mut driver = Driver {
        client: Client::new(config, seed, Instant::ZERO, born),
        clock: std::time::Instant::now(),
        poll: Poll::new()?,
        lines: BTreeMap::new(),
        ended: BTreeMap::new(),
    };

    let now = driver.now();
    driver.client.connect(now, Ticket(0));
    println!("{:?}", driver.run_until(Ticket(0))?);

    let now = driver.now();
    let producer = driver.client.open_producer(now, Group::new("by-hand")?)?;
    for number in 1..=10_u64 {
        let id = format!("{:032X}", u128::from(seed) << 64 | u128::from(number));
        let mut properties = PropertyText::new();
        properties.put("UNIQ_KEY", &id)?;
        properties.put("WAIT", "true")?;
        let message = Prepared {
            topic: Topic::new(&topic)?,
            properties: properties.finish(),
            id: Text::from(id),
            body: format!("by hand #{number}").into(),
            sys_flag: 0,
            flag: 0,
            born,
        };
        let now = driver.now();
        let admitted = driver.client.producer(producer).send(now, message, Choice::Any, Ticket(number));
        admitted.map_err(|rejected| format!("not admitted: {:?}", rejected.why))?;
    }
    for number in 1..=10 {
        let outcome = driver.run_until(Ticket(number))?;
        if let Outcome::Sent(Ok(receipt)) = outcome {
            println!("{receipt}");
        } else {
            println!("{outcome:?}");
        }
    }

    let now = driver.now();
    driver.client.close(now, Ticket(11));
    println!("{:?}", driver.run_until(Ticket(11))?);
    Ok(())
}

impl Driver {
    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The run loop: act on what comes out, wait, hand in what happened.
    fn run_until(&mut self, ticket: Ticket) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(64);
        loop {
            let deadline = self.act()?;
            if let Some(outcome) = self.ended.remove(&ticket) {
                return Ok(outcome);
            }
            let wait = (deadline != Instant::NEVER).then(|| deadline.since(self.now()));
            // A little longer than asked for, because the poll counts in milliseconds.
            match self.poll.poll(&mut events, wait.map(|wait| wait + Duration::from_millis(1))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled?,
            }
            for event in &events {
                let conn = ConnId(event.token().0 as u64);
                if let Err(why) = self.carry(conn) {
                    self.lose(conn, why);
                }
            }
            let now = self.now();
            self.client.handle(now, Input::Time);
        }
    }

    /// Does what the machine wants done, until it wants nothing but time.
    fn act(&mut self) -> io::Result<Instant> {
        loop {
            match self.client.poll() {
                Output::Dial(conn, address) => match self.dial(conn, &address) {
                    Ok(line) => drop(self.lines.insert(conn, line)),
                    Err(error) => {
                        let lost = Lost { why: LostWhy::Io(error.to_string().into()), started: 0 };
                        let now = self.now();
                        self.client.handle(now, Input::Lost(conn, lost));
                    }
                },
                Output::Hangup(conn) => self.lose(conn, LostWhy::Closed),
                Output::Ready(conn) => {
                    if let Err(why) = self.carry(conn) {
                        self.lose(conn, why);
                    }
                }
                Output::Done(ticket, outcome) => drop(self.ended.insert(ticket, outcome)),
                Output::Note(note) => println!("  ({note})"),
                Output::Deliver(_) => {} // there is no consumer here
                Output::Wait(at) => return Ok(at),
            }
        }
    }

    fn dial(&self, conn: ConnId, address: &Address) -> io::Result<Line> {
        let address = address.as_str().to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect(address)?;
        let token = Token(usize::try_from(conn.0).map_err(io::Error::other)?);
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Line {
            stream,
            is_up: false,
            framer: Framer::default(),
            to_write: BytesMut::new(),
            written: 0,
            starts: VecDeque::new(),
            started: 0,
        })
    }

    /// Reads and writes what can be read and written now.
    fn carry(&mut self, conn: ConnId) -> Result<(), LostWhy> {
        let now = self.now();
        let Some(line) = self.lines.get_mut(&conn) else { return Ok(()) };
        if !line.is_up {
            if let Some(error) = line.stream.take_error().map_err(|error| broken(&error))? {
                return Err(broken(&error));
            }
            if line.stream.peer_addr().is_err() {
                return Ok(()); // not yet
            }
            line.stream.set_nodelay(true).map_err(|error| broken(&error))?;
            line.is_up = true;
            self.client.handle(now, Input::Connected(conn));
        }
        let mut chunk = [0; 16 * 1024];
        loop {
            match line.stream.read(&mut chunk) {
                Ok(0) => return Err(LostWhy::Eof),
                Ok(bytes) => line.framer.spare(bytes).extend_from_slice(&chunk[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(broken(&error)),
            }
        }
        while let Some(frame) = line.framer.next_frame()? {
            self.client.handle(now, Input::Received(conn, frame));
        }
        loop {
            while !line.to_write.is_empty() {
                match line.stream.write(&line.to_write) {
                    Ok(bytes) => line.wrote(bytes),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(broken(&error)),
                }
            }
            let mut taken = VecDeque::new();
            self.client.take(conn, 64 * 1024, &mut taken);
            if taken.is_empty() {
                return Ok(());
            }
            for outgoing in taken {
                let start = line.written + line.to_write.len() as u64;
                let encoded = match outgoing.what {
                    What::Call(request) => {
                        line.starts.push_back(start);
                        request.encode(outgoing.dialect, outgoing.opaque, false, &mut line.to_write)
                    }
                    What::Answer(answer) => {
                        answer.encode(outgoing.dialect, outgoing.opaque, &mut line.to_write)
                    }
                };
                encoded.map_err(|error| LostWhy::Io(error.to_string().into()))?;
            }
        }
    }

    /// Every connection that was dialled ends here, once.
    fn lose(&mut self, conn: ConnId, why: LostWhy) {
        let now = self.now();
        if let Some(line) = self.lines.remove(&conn) {
            self.client.handle(now, Input::Lost(conn, Lost { why, started: line.started }));
        }
    }
}

impl Line {
    fn wrote(&mut self, bytes: usize) {
        drop(self.to_write.split_to(bytes));
        self.written += bytes as u64;
        while self.starts.front().is_some_and(|start| *start < self.written) {
            self.starts.pop_front();
            self.started += 1;
        }
    }
}

fn broken(error: &io::Error) -> LostWhy {
    if error.kind() == ErrorKind::ConnectionRefused {
        LostWhy::Refused
    } else {
        LostWhy::Io(error.to_string().into())
    }
}
