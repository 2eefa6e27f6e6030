//! A hundred thousand random secrets, none of which is to be found in any log, error or `Debug` text of a run.
//!
//! Each is given to a credential, a builder and TLS settings, and signs a request: each driver's client sends through a
//! provider that gives another credential for every request, to servers that store, refuse, or hang up. Everything that
//! is shown goes through one search: texts of errors with their sources, of `Debug`, and every event and span of
//! `tracing` at level TRACE, those of the crates below included. It finds a secret as it is, as hexadecimal, as base64,
//! and as a list of bytes; the last check is that it finds what is planted.

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fusee::{Client, Credential, Message, Tls};
use fusee_tests::broker::certificates::Authority;
use fusee_tests::fake::{Act, Fake};
use fusee_tests::scenario::Driver;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const TRIPLES: usize = 100_000;
/// What is compared. Any piece of a secret of this and three more characters is found.
const WINDOW: usize = 12;
const STEP: usize = 4;

struct Triple {
    access: String,
    secret: String,
    token: String,
}

/// What is searched for, and what was found where.
struct Search {
    filter: Vec<u64>,
    windows: HashSet<[u8; WINDOW], BuildHasherDefault<Folded>>,
    found: Mutex<Vec<String>>,
    searched: AtomicUsize,
}

impl Search {
    fn of<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut windows = HashSet::default();
        for secret in secrets.map(str::as_bytes) {
            windows.extend(secret.windows(WINDOW).step_by(STEP).map(window));
            // Of another form the beginning.
            let beginning = &secret[..WINDOW / 2];
            windows
                .extend([hex(beginning), hex(beginning).to_uppercase()].map(|text| window(text.as_bytes())));
            windows.insert(window(base64(&secret[..WINDOW / 4 * 3]).as_bytes()));
        }
        // One bit for each of the hashes, so that nearly every place of a text is passed by without a look-up.
        let mut filter = vec![0; 1 << 20];
        for window in &windows {
            let bit = bit(window);
            filter[bit >> 6] |= 1_u64 << (bit & 63);
        }
        Self { filter, windows, found: Mutex::default(), searched: AtomicUsize::new(0) }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        (WINDOW..=bytes.len()).any(|end| {
            let here = &bytes[end - WINDOW..end];
            let bit = bit(here);
            self.filter[bit >> 6] >> (bit & 63) & 1 == 1 && self.windows.contains(&window(here))
        })
    }

    /// Whether the text spells a secret by numbers, as `Debug` does a `Vec<u8>`: `[104, 101, 108]`.
    fn is_listed_in(&self, text: &str) -> bool {
        let mut run = Vec::new();
        let mut number = None;
        for byte in text.bytes().chain([b'.']) {
            match byte {
                b'0'..=b'9' => {
                    let before = number.unwrap_or(0_u32).saturating_mul(10);
                    number = Some(before.saturating_add(u32::from(byte - b'0')));
                }
                b',' | b'[' | b']' | b' ' | b'\n' => {
                    run.extend(number.take().and_then(|n| u8::try_from(n).ok()))
                }
                _ => {
                    number = None;
                    if run.len() >= WINDOW && self.is_in(&run) {
                        return true;
                    }
                    run.clear();
                }
            }
        }
        false
    }

    fn look(&self, place: &str, text: &str) {
        self.searched.fetch_add(text.len(), Ordering::Relaxed);
        if self.is_in(text.as_bytes()) || self.is_listed_in(text) {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.len() < 20 {
                found.push(format!("{place}: {text}"));
            }
        }
    }

    fn look_at_debug(&self, place: &str, shown: &dyn Debug) {
        self.look(place, &format!("{shown:?}"));
        self.look(place, &format!("{shown:#?}"));
    }

    fn look_at_error(&self, place: &str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.look(place, &format!("{error} {error:?}"));
            next = error.source();
        }
    }

    /// What was found since the last look.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn window(bytes: &[u8]) -> [u8; WINDOW] {
    bytes.try_into().expect("windows are as wide as that")
}

/// The hash of a place, in 26 bits.
fn bit(window: &[u8]) -> usize {
    let head = u64::from_le_bytes(window[..8].try_into().expect("eight bytes"));
    (head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - 26)) as usize
}

/// Windows are random already.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    // The rest of a last, shorter group tells nothing that the others do not.
    for chunk in bytes.chunks_exact(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        out.extend([18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63])));
    }
    out
}

/// Searches everything that is traced, at every level.
struct Tracing(Arc<Search>, AtomicU64);

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("writing to a string");
    }
}

impl Subscriber for Tracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text::default();
        span.record(&mut text);
        self.0.look("a span", &text.0);
        Id::from_u64(self.1.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text::default();
        values.record(&mut text);
        self.0.look("a span", &text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.look("an event", &text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// SplitMix64 (public domain): a seed is a run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn text(&mut self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_.";
        let length = 16 + (self.next() % 33) as usize;
        (0..length).map(|_| char::from(ALPHABET[(self.next() % ALPHABET.len() as u64) as usize])).collect()
    }
}

#[test]
fn no_text_of_a_run_shows_a_secret() {
    let seed = std::env::var("FUSEE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4);
    println!("FUSEE_SEED={seed}");
    let mut random = Random(seed);
    let triples: Arc<Vec<Triple>> = Arc::new(
        (0..TRIPLES)
            .map(|_| Triple { access: random.text(), secret: random.text(), token: random.text() })
            .collect(),
    );
    let begun = Instant::now();
    let search = Arc::new(Search::of(triples.iter().flat_map(|t| [t.secret.as_str(), t.token.as_str()])));
    let tracing = Arc::new(Tracing(Arc::clone(&search), AtomicU64::new(0)));
    tracing::subscriber::set_global_default(Arc::clone(&tracing)).expect("the first in this process");
    println!("{} windows of {TRIPLES} triples after {:.1?}", search.windows.len(), begun.elapsed());

    settings(&search, &triples);
    println!("settings looked at after {:.1?}", begun.elapsed());
    let given = run(&search, &triples);
    println!("{given} requests signed after {:.1?}", begun.elapsed());
    assert!(given >= TRIPLES, "only {given} of the credentials were used");
    let traced = tracing.1.load(Ordering::Relaxed);
    let searched = search.searched.load(Ordering::Relaxed);
    println!("{traced} events and {searched} bytes searched in {:.1?}", begun.elapsed());
    assert!(traced > 0, "nothing was traced");
    let found = search.take();
    assert!(found.is_empty(), "secrets are shown:\n{}", found.join("\n"));
    planted(&search, &triples);
}

/// Everything that is made of a credential before a client connects.
fn settings(search: &Search, triples: &[Triple]) {
    let authority = Authority::ours();
    for (n, triple) in triples.iter().enumerate() {
        let credential = Credential::new(&triple.access, &triple.secret).security_token(&triple.token);
        search.look("a credential", &format!("{credential:?}"));
        let builder = Client::builder().credentials(credential);
        // An error of each kind of setting, of a builder that knows the secret.
        let wrong = match n % 4 {
            0 => builder.send_attempts(0),
            1 => builder.name_servers(["nowhere"]),
            2 => builder.client_id("a\nb"),
            _ => builder.acl(&triple.access, &triple.secret).connections_per_broker(65),
        };
        search.look("a builder", &format!("{wrong:?}"));
        let error = wrong.runtime(fusee::Runtime::Blocking).connect().wait().expect_err("a wrong setting");
        search.look_at_error("a wrong setting", &error);
        if n % 10 == 0 {
            let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", triple.secret);
            let tls = Tls::authorities(authority.certificate()).identity(authority.client().certificate, key);
            search.look_at_debug("TLS settings", &tls);
            let bundle = Tls::authorities(triple.token.clone().into_bytes()).server_name("here");
            search.look_at_debug("TLS settings", &bundle);
            for tls in [tls, bundle] {
                search.look_at_error("wrong TLS settings", &tls.build().expect_err("no key, no certificate"));
            }
        }
    }
    // One that is right, with a real key: its base64 is looked for as it stands in the file.
    let identity = authority.client();
    let lines: Vec<&str> = identity.key.lines().filter(|line| !line.starts_with('-')).collect();
    let key = Search::of(lines.into_iter());
    let tls = Tls::authorities(authority.certificate()).identity(identity.certificate, identity.key);
    key.look_at_debug("TLS settings", &tls);
    let tls = tls.build().expect("certificate and key belong together");
    key.look_at_debug("TLS settings", &tls);
    key.look_at_debug("a builder", &Client::builder().tls(tls));
    let found = key.take();
    assert!(found.is_empty(), "a private key is shown:\n{}", found.join("\n"));
}

/// Clients of every driver, against servers that store, refuse, say nonsense, and hang up; gives how many requests were
/// signed, each with a credential of its own.
fn run(search: &Arc<Search>, triples: &Arc<Vec<Triple>>) -> usize {
    let used = Arc::new(AtomicUsize::new(0));
    let answered = AtomicUsize::new(0);
    let broker = Fake::start(move |request| {
        if request.code != 310 {
            return vec![Act::code(0, "")];
        }
        let fields = [("msgId", "7F00000100002A9F0000000000000000"), ("queueId", "3"), ("queueOffset", "42")];
        let fields: BTreeMap<String, String> = fields.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        match answered.fetch_add(1, Ordering::Relaxed) {
            n if n % 10_007 == 10_006 => vec![Act::Close],
            n if n % 10_009 == 10_008 => vec![Act::Bytes(b"what you asked for".to_vec())],
            n if n % 4 == 0 => vec![Act::Reply(0, "", fields, Vec::new())],
            n if n % 4 == 1 => vec![Act::code(16, "no permission")],
            n if n % 4 == 2 => vec![Act::code(1, "check signature failed")],
            _ => vec![Act::Reply(0, "", BTreeMap::new(), Vec::new())],
        }
    })
    .expect("a listener");
    let address = broker.address();
    let name_server = Fake::start(move |_| vec![Act::route_to(&address, 4)]).expect("a listener");
    let each = TRIPLES / Driver::ALL.len() + 1;
    for driver in Driver::ALL {
        let (given, source) = (Arc::clone(&used), Arc::clone(triples));
        let credentials = move || {
            let triple = &source[given.fetch_add(1, Ordering::Relaxed) % source.len()];
            Credential::new(&triple.access, &triple.secret).security_token(&triple.token)
        };
        let builder = Client::builder()
            .name_servers([name_server.address()])
            .runtime(driver.runtime())
            .credentials(credentials)
            .send_attempts(1)
            .send_deadline(Duration::from_secs(60));
        search.look_at_debug("a builder", &builder);
        driver.run(async {
            let client = driver.connect(builder).await.expect("the name server answers");
            let producer = client.producer("secrets").start().await.expect("the first of its group");
            for chunk in 0..each.div_ceil(1000) {
                let sends: Vec<_> =
                    (0..1000).map(|n| producer.send(Message::new("t", format!("{chunk}-{n}")))).collect();
                for send in sends {
                    search.look("a send", &format!("{send:?}"));
                    match send.await {
                        Ok(receipt) => search.look("a receipt", &format!("{receipt} {receipt:?}")),
                        Err(error) => search.look_at_error("a refused send", &error),
                    }
                }
            }
            let triple = &triples[each % triples.len()];
            let request = client
                .request(name_server.address(), 3001)
                .field("password", &triple.secret)
                .body(format!("{{\"password\":\"{}\"}}", triple.secret));
            search.look_at_debug("a request", &request);
            let reply = request.send().await.expect("the fake answers");
            search.look_at_debug("a reply", &reply);
            let nobody = client.request("127.0.0.1:1", 3001).body(triple.secret.clone()).send().await;
            search.look_at_error("a request", &nobody.expect_err("nobody listens there"));
            search.look_at_debug("the handles", &(&client, &producer, client.connections()));
            let report = client.close().await.expect("a report");
            search.look_at_debug("a report", &report);
        });
    }
    used.load(Ordering::Relaxed)
}

/// The search finds what is there: in a text, in an event, in whatever form.
fn planted(search: &Search, triples: &[Triple]) {
    struct Leaky(String);
    impl Display for Leaky {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} was refused", self.0)
        }
    }
    impl Debug for Leaky {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Leaky")
        }
    }
    impl Error for Leaky {}

    for triple in triples.iter().step_by(TRIPLES / 100) {
        for secret in [&triple.secret, &triple.token] {
            let middle = &secret[..15];
            let plants: [&dyn Fn(); 8] = [
                &|| search.look("planted", secret),
                &|| search.look("planted", &format!("a piece {middle} of one")),
                &|| search.look_at_debug("planted", &secret.as_bytes()),
                &|| search.look("planted", &hex(secret.as_bytes())),
                &|| search.look("planted", &hex(secret.as_bytes()).to_uppercase()),
                &|| search.look("planted", &base64(secret.as_bytes())),
                &|| search.look_at_error("planted", &Leaky(secret.clone())),
                &|| tracing::trace!(%secret, "signing"),
            ];
            for (n, plant) in plants.into_iter().enumerate() {
                plant();
                assert!(!search.take().is_empty(), "plant {n} was not found");
            }
            let span = tracing::trace_span!("signing", secret);
            assert!(span.is_none() || !search.take().is_empty(), "a span was not searched");
        }
    }
    search.look("nothing", "neither secret nor token, nor a number such as 99999999999999999999");
    assert!(search.take().is_empty(), "the search finds what is not there");
}
