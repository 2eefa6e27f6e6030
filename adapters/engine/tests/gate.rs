//! Every order of events at the gate of a connection's write side, tried by loom: callers that come while somebody is
//! inside, the connection's task that goes to sleep meanwhile. Nothing that was made ready may stay unwritten.

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
}
#[path = "../src/gate.rs"]
mod gate;

use gate::Gate;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// The client, the connection and its task, as far as they meet at the gate.
#[derive(Default)]
struct Model {
    gate: Gate,
    client: Mutex<Client>,
    /// Written frames. Changed inside the gate only, which `inside` verifies.
    written: AtomicUsize,
    inside: AtomicBool,
    /// The task's executor: somebody has to poll it.
    woken: AtomicBool,
}

#[derive(Default)]
struct Client {
    ready: usize,
    /// The machine says once that something is ready, until it is taken.
    told: bool,
    listening: bool,
}

impl Model {
    /// A step that makes a frame ready. True if the caller is to write it itself.
    fn make_ready(&self, lone: bool) -> bool {
        let mut client = self.client.lock().unwrap();
        client.ready += 1;
        if std::mem::replace(&mut client.told, true) {
            return false;
        }
        if lone {
            return true;
        }
        let wake = std::mem::take(&mut client.listening);
        drop(client);
        self.woken.fetch_or(wake, Ordering::SeqCst);
        false
    }

    fn take_and_write(&self, listen: bool) {
        assert!(!self.inside.swap(true, Ordering::SeqCst), "two inside");
        let mut client = self.client.lock().unwrap();
        client.listening |= listen;
        client.told = false;
        let taken = std::mem::take(&mut client.ready);
        drop(client);
        self.written.fetch_add(taken, Ordering::SeqCst);
        self.inside.store(false, Ordering::SeqCst);
    }

    /// As `Wire::write_now`.
    fn write_now(&self) {
        if !self.gate.enter_or_mark() {
            return;
        }
        self.take_and_write(false);
        if self.gate.leave() {
            let wake = std::mem::take(&mut self.client.lock().unwrap().listening);
            self.woken.fetch_or(wake, Ordering::SeqCst);
        }
    }

    /// As `Wire::poll_flush`: one poll of the connection's task.
    fn poll_task(&self) {
        if !self.gate.try_enter() {
            self.client.lock().unwrap().listening = true;
            if !self.gate.enter_or_mark() {
                return;
            }
        }
        loop {
            self.take_and_write(true);
            if !self.gate.leave() || !self.gate.enter_or_mark() {
                return;
            }
        }
    }

    /// The executor, at the end: polls as long as the task was woken.
    fn settle(&self) {
        while self.woken.swap(false, Ordering::SeqCst) {
            self.poll_task();
        }
    }
}

/// Three preemptions find what has ever been found in such code, in a second.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_caller_that_finds_the_gate_taken_is_not_forgotten() {
    explore(|| {
        let model = Arc::new(Model::default());
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let model = model.clone();
                thread::spawn(move || {
                    if model.make_ready(true) {
                        model.write_now();
                    }
                })
            })
            .collect();
        model.poll_task();
        for caller in callers {
            caller.join().unwrap();
        }
        model.settle();
        assert_eq!(model.written.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_is_left_to_the_task_is_written_by_it() {
    explore(|| {
        let model = Arc::new(Model::default());
        let lone = {
            let model = model.clone();
            thread::spawn(move || {
                if model.make_ready(true) {
                    model.write_now();
                }
            })
        };
        let other = {
            let model = model.clone();
            thread::spawn(move || assert!(!model.make_ready(false)))
        };
        model.poll_task();
        lone.join().unwrap();
        other.join().unwrap();
        model.settle();
        assert_eq!(model.written.load(Ordering::SeqCst), 2);
    });
}
