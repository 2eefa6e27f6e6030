//! One run of one seed, to look at: `cargo run --release -p fusee-sim --example once -- SEED`.
#![expect(clippy::print_stdout, reason = "this is a command")]

use std::time::Instant;

use fusee_sim::world::{Plan, run};

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let calm = std::env::args().nth(2).is_some();
    let mut plan = Plan::draw(seed);
    if calm {
        plan.faults.clear();
    }
    let start = Instant::now();
    let report = run(&plan);
    let took = start.elapsed();
    println!("{}", report.tail);
    println!("{:?}", report.violation);
    println!("fired {:?}", report.fired);
    println!(
        "{took:?}: hash {:016x} steps {} frames {} sends {} stored {} taken {}",
        report.hash, report.steps, report.frames, report.sends, report.stored, report.taken
    );
}
