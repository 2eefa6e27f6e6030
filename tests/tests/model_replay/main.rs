//! The recorded conversations of the Java client with real servers, its half of them said again to the model: the model
//! has to answer what the servers answered.
//!
//! Laws: the requests are the recorded bytes, at the recorded times, of which the model's own clock is made; an answer
//! is compared whole, with its codec and version, except what stands in [`Seen::of`] as a time, an id or a place in the
//! log; a conversation is left out only for what [`NOT_YET`] names, and a request named there is one that the model
//! still refuses; a difference is a failure unless [`KNOWN`] gives its reason.

mod seen;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fusee_sim::codec::{self, Command, Dialect};
use fusee_sim::model::Line;
use fusee_sim::model::topics::TopicConfig;
use serde_json::Value;

use self::seen::{Asked, Seen, decoded, note};
use self::world::World;

/// Requests that the model refuses so far, and what they are for.
const NOT_YET: &[(i32, &str)] = &[
    (36, "messages sent back to be retried"),
    (37, "transactions"),
    (41, "orderly consuming"),
    (203, "administration: who is connected"),
    (222, "offsets reset by an administrator"),
    (325, "request and reply"),
    (370, "timers recalled"),
    (200_050, "POP"),
];

/// What requests that the model knows may carry, and it does not do so far.
const NOT_YET_BY_CONTENT: &[(&str, &str)] =
    &[("DELAY\u{1}", "delay levels"), ("TIMER_DEL", "timers"), ("SQL92", "SQL filters")];

/// Where the model answers otherwise: the conversation, its requests by connection and number, and why.
const KNOWN: &[(&str, Places, &str)] = &[
    ("4.9.4/push-broadcast", &[("br3", 47), ("br3", 48), ("br3", 49), ("br3", 50)], OVERTAKEN),
    ("4.9.4/push-concurrent", &[("br2", 145)], OVERTAKEN),
    (
        "4.9.4/message-trace",
        &[("br3", 72), ("br3", 74)],
        "a real broker's threads stored two messages that were sent at once in the other order",
    ),
    ("4.9.4/query-message", &[("br2", 22)], ELSEWHERE),
    ("5.5.0/query-message", &[("br2", 23)], ELSEWHERE),
];
const OVERTAKEN: &str =
    "a real broker's thread pools let pulls overtake the heartbeat that was sent just before them";
const ELSEWHERE: &str =
    "a message is asked for by its place in a log that was not empty when the recording began";

type Places = &'static [(&'static str, i32)];

/// A recorded frame, or the opening or closing of a connection.
enum Step {
    Open(String),
    Close(String),
    Request(String, Vec<u8>),
    Reply(String, Vec<u8>),
}

struct Recording {
    name: String,
    line: Line,
    steps: Vec<(Duration, Step)>,
}

/// How a replay went.
struct Found {
    same: usize,
    different: BTreeMap<Asked, String>,
}

#[test]
fn recorded_requests_get_the_recorded_answers() {
    let (mut replayed, mut same, mut failures) = (0, 0, Vec::new());
    let mut left_out: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for recording in recordings() {
        let name = &recording.name;
        let missing = recording.missing();
        if !missing.is_empty() {
            left_out.insert(name.clone(), missing);
            continue;
        }
        let found = recording.replay();
        println!("{name:32} {:4} answers the same, {} otherwise", found.same, found.different.len());
        replayed += 1;
        same += found.same;
        let known = KNOWN.iter().filter(|(of, ..)| of == name);
        let known: BTreeMap<Asked, &str> = known
            .flat_map(|(_, places, why)| places.iter().map(|(conn, n)| (((*conn).to_owned(), *n), *why)))
            .collect();
        for (place, text) in &found.different {
            match known.get(place) {
                Some(why) => println!("    {} {}: {why}", place.0, place.1),
                None => failures.push(format!("{name}: {text}")),
            }
        }
        let settled = known.keys().filter(|place| !found.different.contains_key(*place));
        failures.extend(
            settled.map(|place| format!("{name}: {place:?} is the same by now, and known not to be")),
        );
    }
    println!("\n{replayed} conversations, {same} answers the same; not yet:");
    for (name, why) in left_out {
        println!("    {name} ({})", why.into_iter().collect::<Vec<_>>().join(", "));
    }
    assert!(replayed >= 25 && same >= 750, "{replayed} conversations, {same} answers");
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn what_is_left_out_is_still_refused() {
    for line in [Line::V4_9, Line::V5] {
        for (code, what) in NOT_YET {
            let mut world =
                World::new(line, "127.0.0.1:1".parse().expect("an address"), true, 0, Duration::ZERO);
            world.open("br1");
            let command = Command { code: *code, opaque: Some(1), ..Command::default() };
            let mut frame = Vec::new();
            codec::encode(&command, Dialect::Json, &mut frame);
            world.say("br1", &frame);
            let answered = world.answers.get(&("br1".to_owned(), 1)).map(|seen| seen.0["code"].clone());
            assert_eq!(answered.as_deref(), Some("3"), "{what}: {code} on {line:?}");
        }
    }
}

fn recordings() -> Vec<Recording> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut all = Vec::new();
    for (release, line) in [("4.9.4", Line::V4_9), ("5.5.0", Line::V5)] {
        let entries = fs::read_dir(directory.join(release)).expect("the recordings are there");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")) {
            let name = format!("{release}/{}", path.file_stem().expect("a name").to_string_lossy());
            let text = fs::read_to_string(path).expect("readable");
            let steps = text.lines().map(|line| step(&serde_json::from_str(line).expect("JSON"))).collect();
            all.push(Recording { name, line, steps });
        }
    }
    all
}

fn step(line: &Value) -> (Duration, Step) {
    let at = Duration::from_millis(line["t_ms"].as_u64().expect("a time"));
    let conn = line["conn"].as_str().expect("a connection").to_owned();
    let step = match (line["event"].as_str(), line["dir"].as_str()) {
        (Some("open"), _) => Step::Open(conn),
        (Some(_), _) => Step::Close(conn),
        (None, Some("c2s")) => Step::Request(conn, unhex(&line["hex"])),
        (None, _) => Step::Reply(conn, unhex(&line["hex"])),
    };
    (at, step)
}

fn unhex(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().expect("hex").as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
    digits.map(byte).collect()
}

impl Recording {
    fn requests(&self) -> impl Iterator<Item = (&String, Command<'static>)> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Request(conn, bytes) => {
                Some((conn, decoded(bytes).1)).filter(|(_, asked)| !asked.is_response())
            }
            Step::Open(_) | Step::Close(_) | Step::Reply(..) => None,
        })
    }

    /// What this conversation has that the model does not do.
    fn missing(&self) -> BTreeSet<&'static str> {
        let mut missing = BTreeSet::new();
        for (_, asked) in self.requests() {
            missing.extend(NOT_YET.iter().filter(|(code, _)| *code == asked.code).map(|(_, what)| what));
            let content = String::from_utf8_lossy(&asked.body).into_owned()
                + &asked
                    .fields
                    .iter()
                    .flat_map(|fields| &fields.0)
                    .map(|(_, value)| &**value)
                    .collect::<String>();
            let carries =
                |text: &str| matches!(asked.code, 11 | 34 | 46 | 310 | 320 | 361) && content.contains(text);
            missing.extend(NOT_YET_BY_CONTENT.iter().filter(|(text, _)| carries(text)).map(|(_, what)| what));
        }
        missing
    }

    fn replay(&self) -> Found {
        // The broker looks at what it holds every five seconds; when, since its start, is not in the recording.
        let tries = (0..10).map(|half_seconds| self.replay_from(Duration::from_millis(500 * half_seconds)));
        tries.min_by_key(|found| found.different.len()).expect("ten tries")
    }

    fn replay_from(&self, start: Duration) -> Found {
        let asked: BTreeMap<Asked, Command<'static>> = self
            .requests()
            .filter(|(_, asked)| !asked.is_oneway())
            .map(|(conn, asked)| ((conn.clone(), asked.opaque.unwrap_or(0)), asked))
            .collect();
        let mut recorded = BTreeMap::new();
        let mut pushed = BTreeMap::new();
        for (_, step) in &self.steps {
            if let Step::Reply(conn, bytes) = step {
                note(conn, bytes, &asked, &mut recorded, &mut pushed);
            }
        }
        let mut world = self.world(start, &recorded, &asked);
        for (at, step) in &self.steps {
            world.pass_to(*at);
            match step {
                Step::Open(conn) => world.open(conn),
                Step::Close(conn) => world.close(conn),
                Step::Request(conn, bytes) => world.say(conn, bytes),
                Step::Reply(..) => {}
            }
        }
        let (mut same, mut different) = (0, BTreeMap::new());
        // Without an answer in the recording, the connection ended before it came.
        for (place, real) in &recorded {
            let model = world.answers.get(place);
            if model == Some(real) {
                same += 1;
                continue;
            }
            let model = model.map_or(BTreeMap::new(), |seen| seen.0.clone());
            let fields = real.0.keys().chain(model.keys()).collect::<BTreeSet<_>>().into_iter();
            let fields = fields.filter(|field| real.0.get(*field) != model.get(*field));
            let text = fields.map(|f| format!("\n    {f} was {:?}, is {:?}", real.0.get(f), model.get(f)));
            different.insert(
                place.clone(),
                format!("{} on {place:?}{}", asked[place].code, text.collect::<String>()),
            );
        }
        for push in pushed.keys().chain(world.pushed.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (pushed.get(push), world.pushed.get(push));
            if was == is {
                same += 1;
            } else {
                let text = format!("push {push:?} was seen {was:?} times, is {is:?}");
                different.insert((push.0.clone(), push.1), text);
            }
        }
        Found { same, different }
    }

    /// The servers as they were when the recording began: topics made earlier are known by the first route of them.
    fn world(
        &self,
        start: Duration,
        recorded: &BTreeMap<Asked, Seen>,
        asked: &BTreeMap<Asked, Command<'_>>,
    ) -> World {
        let mut first: BTreeMap<String, &Seen> = BTreeMap::new();
        let mut address = None;
        for (conn, request) in self.requests() {
            let place = (conn.clone(), request.opaque.unwrap_or(0));
            if let (105, Some(reply)) = (request.code, recorded.get(&place)) {
                first.entry(request.field("topic").unwrap_or_default().to_owned()).or_insert(reply);
                address = address
                    .or_else(|| reply.0.get("broker").and_then(|text| text.parse::<SocketAddr>().ok()));
            }
        }
        let born = self.steps.iter().find_map(|(at, step)| match step {
            Step::Request(_, bytes) => {
                let born = decoded(bytes).1.field("g").and_then(|text| text.parse::<i64>().ok())?;
                Some(born - i64::try_from(at.as_millis()).ok()?)
            }
            Step::Open(_) | Step::Close(_) | Step::Reply(..) => None,
        });
        let creates = !self.name.ends_with("errors");
        let address = address.expect("a route that names the broker");
        let mut world = World::new(self.line, address, creates, born.unwrap_or(0), start);
        let made_here: BTreeSet<&str> = asked
            .values()
            .filter(|asked| asked.code == 17)
            .filter_map(|asked| asked.field("topic"))
            .collect();
        for (topic, reply) in first.iter().filter(|(topic, _)| !made_here.contains(topic.as_str())) {
            if let Some(queues) =
                reply.0.get("queues").and_then(|text| serde_json::from_str::<Value>(text).ok())
            {
                let number =
                    |name: &str| queues[name].as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
                let config = TopicConfig {
                    read_queues: number("readQueueNums"),
                    write_queues: number("writeQueueNums"),
                    perm: number("perm"),
                    sys_flag: number("topicSysFlag"),
                };
                if !topic.starts_with("TBW") {
                    world.broker.create_topic(topic, config);
                }
            }
        }
        world.settle();
        world
    }
}
