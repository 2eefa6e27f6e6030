//! `load -- floor NAMESRV TOPIC COUNT SIZE CONCURRENCY [--warmup N]`
use std::process::ExitCode;

use fusee_tests::floor;
use fusee_tests::measure::Load;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let n = |i: usize| words[i].parse::<usize>().unwrap_or(0);
    let load = Load { peer: "floor".into(), mode: "send", messages: n(3), size: n(4), concurrency: n(5), warmup: 2000 };
    println!("{}", floor::run(&words[1], &words[2], &load).expect("floor"));
    ExitCode::SUCCESS
}
