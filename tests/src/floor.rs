//! The floor under every client: one standard socket, one thread that writes prebuilt send requests and one that reads
//! the replies. Whatever a client does more than this, it costs more than this.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::measure::{Latencies, Load, Stretch};
use crate::raw::{Caller, code, request, send_fields};

/// Opaque numbers have always ten digits, so that they can be overwritten in place.
const FIRST_OPAQUE: i32 = 1_000_000_000;

/// Sends `load.warmup` and then `load.messages` messages to the first broker of the topic, and reports.
pub fn run(name_server: &str, topic: &str, load: &Load) -> io::Result<serde_json::Value> {
    let masters = Caller::default().masters(name_server, topic)?.unwrap_or_default();
    let master = masters.first().ok_or_else(|| io::Error::other(format!("no route of {topic}")))?;
    let stream = TcpStream::connect(&master.address)?;
    stream.set_nodelay(true)?;
    let mut template = Template::new(topic, load.size, master.queues);
    sends(&stream, &mut template, load.warmup, load.concurrency)?;
    let stretch = Stretch::begin()?;
    let (errors, mut latencies) = sends(&stream, &mut template, load.messages, load.concurrency)?;
    load.report(&stretch, errors, &mut latencies)
}

/// One send request, and the places in it that differ from message to message.
struct Template {
    bytes: Vec<u8>,
    opaque: usize,
    queue: usize,
    key: usize,
    queues: i32,
}

impl Template {
    fn new(topic: &str, size: usize, queues: i32) -> Self {
        let key = "7F000001000000000000001000000000";
        let properties = format!("UNIQ_KEY\u{1}{key}\u{2}WAIT\u{1}true\u{2}");
        let fields = BTreeMap::from(send_fields(topic, "0", &properties));
        let bytes = request(code::SEND_V2, FIRST_OPAQUE, 0, &fields, &vec![b'x'; size]);
        let after = |mark: &str| {
            let at = bytes.windows(mark.len()).position(|window| window == mark.as_bytes());
            at.expect("the header was just written") + mark.len()
        };
        let (opaque, queue, key) = (after("\"opaque\":"), after("\"e\":\""), after(&key[..22]));
        Self { opaque, queue, key, bytes, queues: queues.clamp(1, 9) }
    }

    fn append(&mut self, opaque: i32, out: &mut Vec<u8>) {
        let digits = opaque.to_string();
        self.bytes[self.opaque..self.opaque + 10].copy_from_slice(digits.as_bytes());
        self.bytes[self.key..self.key + 10].copy_from_slice(digits.as_bytes());
        self.bytes[self.queue] = b'0' + u8::try_from(opaque % self.queues).expect("one digit");
        out.extend_from_slice(&self.bytes);
    }
}

fn sends(
    stream: &TcpStream,
    template: &mut Template,
    count: usize,
    depth: usize,
) -> io::Result<(usize, Latencies)> {
    let done = AtomicUsize::new(0);
    let begun = Mutex::new(vec![Instant::now(); count]);
    let writer = thread::current();
    thread::scope(|scope| {
        let reader = scope.spawn(|| read_replies(stream, count, &done, &begun, &writer));
        let mut sent = 0;
        let mut out = Vec::new();
        while sent < count {
            let room = depth.saturating_sub(sent - done.load(Ordering::Acquire));
            if room == 0 {
                if reader.is_finished() {
                    break;
                }
                thread::park();
                continue;
            }
            out.clear();
            let now = Instant::now();
            let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
            // As much as a client would take into one write.
            for _ in 0..room.min(64).min(count - sent) {
                begun[sent] = now;
                template.append(FIRST_OPAQUE + i32::try_from(sent).expect("a run is shorter"), &mut out);
                sent += 1;
            }
            drop(begun);
            (&mut &*stream).write_all(&out)?;
        }
        reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
    })
}

fn read_replies(
    mut stream: &TcpStream,
    count: usize,
    done: &AtomicUsize,
    begun: &Mutex<Vec<Instant>>,
    writer: &thread::Thread,
) -> io::Result<(usize, Latencies)> {
    let mut buffer = vec![0; 64 << 10];
    let (mut start, mut end) = (0, 0);
    let mut errors = 0;
    let mut latencies = Latencies::with_capacity(count);
    let mut answered = 0;
    while answered < count {
        if start > 0 {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
        }
        match stream.read(&mut buffer[end..]) {
            Ok(0) => {
                writer.unpark();
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(read) => end += read,
            Err(error) => {
                writer.unpark();
                return Err(error);
            }
        }
        let now = Instant::now();
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        let before = answered;
        while let Some(word) = buffer[start..end].first_chunk::<4>() {
            let length = u32::from_be_bytes(*word) as usize;
            if end - start < 4 + length {
                break;
            }
            let frame = &buffer[start..start + 4 + length];
            let number = |mark: &[u8]| {
                let at = frame.windows(mark.len()).position(|window| window == mark)? + mark.len();
                let digits = frame[at..].iter().take_while(|byte| byte.is_ascii_digit());
                Some(digits.fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0')))
            };
            if number(b"\"code\":") != Some(0) {
                errors += 1;
            }
            let at = number(b"\"opaque\":")
                .and_then(|opaque| usize::try_from(opaque - i64::from(FIRST_OPAQUE)).ok());
            if let Some(begun) = at.and_then(|at| begun.get(at)) {
                latencies.push(now - *begun);
            }
            start += 4 + length;
            answered += 1;
        }
        drop(begun);
        if answered > before {
            done.fetch_add(answered - before, Ordering::Release);
            writer.unpark();
        }
    }
    Ok((errors, latencies))
}
