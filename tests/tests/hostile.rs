//! Hostile input: what it ends in, and what it makes us allocate on the way. The table is printed.
//!
//! Law: memory follows what was received, never what is claimed; inflating holds its bound and less than 1 MiB, and
//! what inflates to more than its bound is found out before room is made for it. What is not hostile is not copied.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts and hands on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use fusee_core::wire::message::{Compression, messages};
use fusee_core::wire::rpc::pop::PopOffsets;
use fusee_core::wire::{Dialect, Framer, Header, Route, batch, body};
use fusee_engine::codec::Codecs;

#[path = "../../core/benches/samples/stored.rs"]
mod samples;

struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn grown(by: usize) {
    // Allocations while a thread ends are nobody's.
    let _ = LIVE.try_with(|live| {
        live.set(live.get().saturating_add(by));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

fn shrunk(by: usize) {
    let _ = LIVE.try_with(|live| live.set(live.get().saturating_sub(by)));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new live side by side while it is copied.
        grown(size);
        shrunk(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result of `run` and how far memory rose above where it stood.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = run();
    (result, PEAK.get().saturating_sub(before))
}

const MIB: usize = 1024 * 1024;
const LIMIT: usize = 16 * MIB;

fn frame(length: u32, mark: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes(), &mark.to_be_bytes(), rest].concat()
}

fn read_frame(bytes: &[u8]) -> String {
    let mut framer = Framer::default();
    framer.spare(4096).extend_from_slice(bytes);
    let read = framer.next_frame();
    let _ = framer.spare(4096);
    match read {
        Ok(Some(_)) => "a frame".to_owned(),
        Ok(None) => "waits for the rest".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn header(dialect: Dialect, bytes: &[u8]) -> String {
    match Header::decode(dialect, Bytes::copy_from_slice(bytes)) {
        Ok(_) => "a header".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn inflate(kind: Compression, bomb: &[u8]) -> String {
    match Codecs::default().inflate(kind, bomb, LIMIT) {
        Ok(plain) => format!("{} bytes", plain.len()),
        Err(error) => error.to_string(),
    }
}

fn route(queues: &str) -> String {
    let body = format!(
        r#"{{"queueDatas":[{{"brokerName":"b","perm":6,"readQueueNums":{queues},"writeQueueNums":1}}]}}"#
    );
    Route::parse(body.as_bytes()).map_or_else(|error| error.to_string(), |_| "a route".to_owned())
}

fn json(text: &str) -> String {
    body::parse::<serde_json::Value>(text.as_bytes())
        .map_or_else(|error| error.to_string(), |_| "a body".to_owned())
}

fn zlib_bomb(mib: usize) -> Vec<u8> {
    let mut codecs = Codecs::default();
    codecs.deflate(&vec![0; mib * MIB], 9).to_vec()
}

/// Blocks that each say "the byte before, four million times".
fn lz4_bomb(blocks: usize) -> Vec<u8> {
    let mut block = vec![0x1f, 0, 1, 0];
    block.resize(4 + 4 * MIB / 255 - 2, 0xff);
    block.extend_from_slice(&[0, 0x50, 0, 0, 0, 0, 0]);
    let mut bomb = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73];
    for _ in 0..blocks {
        bomb.extend_from_slice(&u32::try_from(block.len()).expect("a small block").to_le_bytes());
        bomb.extend_from_slice(&block);
    }
    bomb.extend_from_slice(&[0; 4]);
    bomb
}

/// Blocks of one byte repeated 128 KiB times.
fn zstd_bomb(window: u8) -> Vec<u8> {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for at in 0..2_048_u32 {
        let block = (131_072_u32 << 3) | (1 << 1) | u32::from(at == 2_047);
        bomb.extend_from_slice(&block.to_le_bytes()[..3]);
        bomb.push(b'x');
    }
    bomb
}

fn message_with(at: usize, wrong: &[u8]) -> Bytes {
    let mut bytes = BytesMut::zeroed(200);
    bytes[..8].copy_from_slice(&[0, 0, 0, 200, 0xda, 0xa3, 0x20, 0xa7]);
    bytes[at..at + wrong.len()].copy_from_slice(wrong);
    bytes.freeze()
}

fn stored(body: &Bytes) -> String {
    messages(body.clone())
        .map(|message| message.map_or_else(|damaged| damaged.why.to_owned(), |_| "a message".to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn hostile_input_ends_in_an_error_and_costs_little() {
    let (zlib, lz4, zstd) = (zlib_bomb(256), lz4_bomb(64), zstd_bomb(0x50));
    let (zlib_full, lz4_full) = (zlib_bomb(16), lz4_bomb(4));
    let (wide, huge) = (zstd_bomb(0x68), zstd_bomb(0x90));
    let many_fields = format!(
        r#"{{"code":0,"opaque":1,"extFields":{{{}"z":""}}}}"#,
        (0..5_000).map(|at| format!(r#""k{at}":"","#)).collect::<String>()
    );
    let deep_header = format!(r#"{{"code":0,"opaque":1,"x":{}"#, "[".repeat(100_000));
    let nodes = format!("[{}0]", "0,".repeat(2 * MIB));
    let nested_keys = format!("{}1{}", "{".repeat(30), ":1}".repeat(30));
    type Run<'a> = Box<dyn Fn() -> String + 'a>;
    // What it is, what it is fed to, and the most it may cost.
    let table: Vec<(&str, Run<'_>, usize)> = vec![
        ("frame: 2 GiB claimed", Box::new(|| read_frame(&frame(0x7fff_ffff, 0, b""))), 16 * 1024),
        (
            "frame: 16 MiB claimed, 8 bytes sent",
            Box::new(|| read_frame(&frame(0x00ff_fffc, 16, b""))),
            16 * 1024,
        ),
        (
            "frame: header of 16 MiB claimed",
            Box::new(|| read_frame(&frame(0x00ff_fffc, 0x00ff_0000, b""))),
            16 * 1024,
        ),
        ("frame: HTTP", Box::new(|| read_frame(b"GET / HTTP/1.1\r\n\r\n")), 16 * 1024),
        ("frame: TLS hello", Box::new(|| read_frame(&[0x16, 3, 1, 2, 0, 1, 0, 1])), 16 * 1024),
        ("JSON header: 5,000 fields", Box::new(|| header(Dialect::Json, many_fields.as_bytes())), 160 * 1024),
        ("JSON header: 100,000 deep", Box::new(|| header(Dialect::Json, deep_header.as_bytes())), 128 * 1024),
        (
            "binary header: value of 2 GiB claimed",
            Box::new(|| {
                header(
                    Dialect::Binary,
                    b"\0\x0b\x0c\x01\xdf\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x07\0\x01a\x7f\xff\xff\xff",
                )
            }),
            4 * 1024,
        ),
        (
            "binary header: remark of 2 GiB claimed",
            Box::new(|| {
                header(Dialect::Binary, b"\0\x0b\x0c\x01\xdf\0\0\0\x01\0\0\0\0\x7f\xff\xff\xff\0\0\0\0")
            }),
            4 * 1024,
        ),
        ("JSON body: 100,000 deep", Box::new(|| json(&"[".repeat(100_000))), 128 * 1024),
        ("JSON body: two million values", Box::new(|| json(&nodes)), 1024),
        ("JSON body: keys in keys in keys", Box::new(|| json(&nested_keys)), 4 * 1024),
        ("route: 2^31 - 1 queues", Box::new(|| route("2147483647")), 4 * 1024),
        ("route: 2^31 queues", Box::new(|| route("2147483648")), 4 * 1024),
        (
            "message: body of 2 GiB claimed",
            Box::new(|| stored(&message_with(84, &[0x7f, 0xff, 0xff, 0xff]))),
            4 * 1024,
        ),
        (
            "message: size of 2 GiB claimed",
            Box::new(|| stored(&message_with(0, &[0x7f, 0xff, 0xff, 0xff]))),
            4 * 1024,
        ),
        ("message: negative body", Box::new(|| stored(&message_with(84, &[0xff; 4]))), 4 * 1024),
        (
            "batch: entry of 2 GiB claimed",
            Box::new(|| {
                let entries = batch::entries(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
                format!("{} damaged", entries.filter(Result::is_err).count())
            }),
            1024,
        ),
        (
            "pop: a list that repeats a queue",
            Box::new(|| {
                PopOffsets::parse(&"0 0 1;".repeat(10_000))
                    .map_or_else(|error| error.to_string(), |_| "a list".to_owned())
            }),
            128 * 1024,
        ),
        ("zlib: 256 MiB in 255 KiB", Box::new(|| inflate(Compression::Zlib, &zlib)), MIB),
        ("zlib: 16 MiB, which is allowed", Box::new(|| inflate(Compression::Zlib, &zlib_full)), LIMIT + MIB),
        ("LZ4: 256 MiB in 1 MiB", Box::new(|| inflate(Compression::Lz4, &lz4)), MIB),
        ("LZ4: 16 MiB, which is allowed", Box::new(|| inflate(Compression::Lz4, &lz4_full)), LIMIT + MIB),
        ("Zstandard: 256 MiB in 8 KiB", Box::new(|| inflate(Compression::Zstd, &zstd)), LIMIT + MIB),
        ("Zstandard: a window of 8 MiB claimed", Box::new(|| inflate(Compression::Zstd, &wide)), LIMIT + MIB),
        ("Zstandard: a window of 256 MiB claimed", Box::new(|| inflate(Compression::Zstd, &huge)), MIB),
    ];
    println!("{:42} {:>12} {:>12}  what it ends in", "input", "peak bytes", "allowed");
    let mut over = Vec::new();
    for (name, run, allowed) in table {
        let (ended, cost) = peak(&run);
        println!("{name:42} {cost:12} {allowed:12}  {ended}");
        if cost > allowed
            || ["a frame", "a header", "a body", "a route", "a message", "a list"].contains(&ended.as_str())
        {
            over.push(name);
        }
    }
    assert!(over.is_empty(), "{over:?}");
}

/// Topics, bodies and properties are slices of the body they came in, and reading a property makes nothing either.
#[test]
fn messages_of_a_pull_allocate_nothing() {
    let pull = samples::pull(1024, |_| 0);
    // The count of who shares a buffer is made when it is shared first.
    drop(pull.slice(..1));
    let mut kept = Vec::with_capacity(samples::MESSAGES);
    let ((), cost) = peak(|| {
        for message in messages(pull) {
            let message = message.expect("a whole message");
            assert_eq!(message.unique_id().map(str::len), Some(56));
            kept.push(message);
        }
    });
    println!("a pull of {} messages of 1 KiB: {cost} bytes", kept.len());
    assert_eq!((kept.len(), cost), (samples::MESSAGES, 0));
}
