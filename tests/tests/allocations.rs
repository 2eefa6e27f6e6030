//! How many allocations a send costs, from the call to the receipt, on all threads of the process.
//!
//! The broker is a real one in a process of its own. The bound is the design's; a change that breaks it has to say why.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts and hands on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fusee::{Client, Message, Producer, Runtime, Topic};
use fusee_tests::broker::{Cluster, Version, wanted};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: usize = 500;
const COUNTED: usize = 2000;
const ALLOWED: f64 = 6.0;

#[test]
fn a_send_allocates_at_most_six_times() {
    if !wanted("a_send_allocates_at_most_six_times") {
        return;
    }
    let cluster = Cluster::builder(Version::V5_5_0).start().expect("start");
    cluster.create_topic("allocations", 4).expect("create topic");
    let name_server = cluster.name_servers().remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let tokio = runtime.block_on(async {
        let client = Client::builder().name_servers([&name_server]).runtime(Runtime::Tokio).connect().await;
        let client = client.expect("connect");
        let producer = client.producer("allocations").start().await.expect("start");
        let next = message();
        let mut before = 0;
        for n in 0..WARM_UP + COUNTED {
            if n == WARM_UP {
                before = ALLOCATIONS.load(Ordering::Relaxed);
            }
            producer.send(next()).await.expect("sent");
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    });
    let client = Client::builder().name_servers([&name_server]).runtime(Runtime::Blocking).connect().wait();
    let client = client.expect("connect");
    let producer: Producer = client.producer("allocations").start().wait().expect("start");
    let next = message();
    let mut before = 0;
    for n in 0..WARM_UP + COUNTED {
        if n == WARM_UP {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        producer.send(next()).wait().expect("sent");
    }
    let threads = ALLOCATIONS.load(Ordering::Relaxed) - before;
    for (driver, allocations) in [("tokio", tokio), ("threads", threads)] {
        let each = allocations as f64 / COUNTED as f64;
        println!("{driver}: {each:.2} allocations a send");
        assert!(each <= ALLOWED, "{driver}: {each:.2} allocations a send, {ALLOWED} are allowed");
    }
}

/// Messages that share topic and body, so that what is counted is the client's.
fn message() -> impl Fn() -> Message {
    let topic = Topic::new("allocations").expect("a legal topic");
    let body = Bytes::from(vec![b'x'; 1024]);
    move || Message::new(topic.clone(), body.clone())
}
