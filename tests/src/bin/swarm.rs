//! Runs the simulator over many seeds: `swarm [--seeds N] [--seconds S] [--seed X] [--from TEXT] [--threads T]
//! [--replay FILE] [--keep FILE] [--all] [--budget RUNS] [--lines N] [--hashes N]`.
//!
//! Seeds count up from `--from`, a number or a text that one is drawn from: the commit unless said, so that every commit
//! runs others. The first run that breaks an invariant is cut down and printed, and kept in the file `--keep` names,
//! which `--replay` runs again. `--all` goes on after a failure and lists each kind once. `--hashes` prints what the
//! first so many seeds amount to and nothing else: two builds that print the same run alike.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fusee_sim::world::{Kind, Plan, Report, run, shrink};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

struct Options {
    seeds: Option<u64>,
    seconds: Option<u64>,
    seed: Option<u64>,
    from: Option<String>,
    threads: usize,
    replay: Option<String>,
    keep: Option<String>,
    all: bool,
    budget: usize,
    lines: usize,
    hashes: Option<u64>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seeds: None,
        seconds: None,
        seed: None,
        from: None,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        replay: None,
        keep: None,
        all: false,
        budget: 300,
        lines: 60,
        hashes: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
            text.parse().map_err(|_| format!("{text} is no number"))
        }
        match &*arg {
            "--seeds" => options.seeds = Some(number(&value()?)?),
            "--seconds" => options.seconds = Some(number(&value()?)?),
            "--seed" => options.seed = Some(number(&value()?)?),
            "--threads" => options.threads = number(&value()?)?,
            "--budget" => options.budget = number(&value()?)?,
            "--lines" => options.lines = number(&value()?)?,
            "--from" => options.from = Some(value()?),
            "--hashes" => options.hashes = Some(number(&value()?)?),
            "--replay" => options.replay = Some(value()?),
            "--keep" => options.keep = Some(value()?),
            "--all" => options.all = true,
            other => return Err(format!("unknown: {other}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("swarm: {error}");
            return ExitCode::from(2);
        }
    };
    // What panics inside a run is caught and told with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    if let Some(file) = &options.replay {
        let plan = std::fs::read_to_string(file).map_err(|error| error.to_string());
        return match plan
            .and_then(|text| serde_json::from_str::<Plan>(&text).map_err(|error| error.to_string()))
        {
            Ok(plan) => one(&plan, options.lines),
            Err(error) => {
                eprintln!("swarm: {file}: {error}");
                ExitCode::from(2)
            }
        };
    }
    if let Some(count) = options.hashes {
        for seed in 1..=count {
            println!("{seed} {:016x}", run(&Plan::draw(seed)).hash);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = options.seed {
        return one(&Plan::draw(seed), options.lines);
    }
    swarm(&options)
}

/// One run, told at length.
fn one(plan: &Plan, lines: usize) -> ExitCode {
    let report = run(plan);
    let again = run(plan);
    println!("{}", serde_json::to_string(plan).expect("a plan is plain data"));
    print_tail(&report.tail, lines);
    println!("seed={} hash={:016x} steps={} sends={}", plan.seed, report.hash, report.steps, report.sends);
    if again.hash != report.hash {
        println!("NOT DETERMINISTIC: the second run's hash is {:016x}", again.hash);
        return ExitCode::FAILURE;
    }
    verdict(&report)
}

fn print_tail(tail: &str, lines: usize) {
    let skip = tail.lines().count().saturating_sub(lines);
    for line in tail.lines().skip(skip) {
        println!("{line}");
    }
}

fn verdict(report: &Report) -> ExitCode {
    match &report.violation {
        None => {
            println!("clean");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("{} at step {}, {} µs: {}", violation.id, violation.step, violation.at, violation.text);
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Totals {
    runs: u64,
    micros: u64,
    frames: u64,
    sends: u64,
    stored: u64,
    taken: u64,
    fired: BTreeMap<Kind, u64>,
    failures: BTreeMap<String, (u64, u64, String)>,
}

/// The commit that is checked out, if that can be known.
fn commit() -> Option<String> {
    let git = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD"])
        .output()
        .ok()
        .filter(|git| git.status.success())?;
    Some(String::from_utf8(git.stdout).ok()?.trim().to_owned())
}

fn swarm(options: &Options) -> ExitCode {
    let commit = commit();
    let from = options.from.as_deref().or(commit.as_deref()).unwrap_or("1");
    println!("seeds from {from}, commit {}", commit.as_deref().unwrap_or("unknown"));
    let first = from.parse().unwrap_or_else(|_| hash(from) >> 16);
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let end = match (options.seeds, options.seconds) {
        (Some(seeds), _) => first.saturating_add(seeds),
        (None, Some(_)) => u64::MAX,
        (None, None) => first + 100,
    };
    let start = Instant::now();
    let until = options.seconds.map(|seconds| start + Duration::from_secs(seconds));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let plan = Plan::draw(seed);
                    let report = run(&plan);
                    let failed = report.violation.is_some();
                    totals.lock().expect("no run panics outside").add(&plan, report);
                    if failed && !options.all {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("no run panics outside");
    totals.print(first, start.elapsed());
    let Some((_, seed, _)) = totals.failures.values().min_by_key(|(_, seed, _)| *seed) else {
        return ExitCode::SUCCESS;
    };
    println!("\ncutting seed {seed} down");
    let Some((plan, report)) = shrink(&Plan::draw(*seed), options.budget) else {
        println!("it does not fail again: NOT DETERMINISTIC");
        return ExitCode::FAILURE;
    };
    let text = serde_json::to_string(&plan).expect("a plan is plain data");
    println!("{text}");
    print_tail(&report.tail, options.lines);
    if let Some(file) = &options.keep
        && let Err(error) = std::fs::write(file, text)
    {
        eprintln!("swarm: {file}: {error}");
    }
    println!(
        "seed={seed} commit={}; again: cargo run --release -p fusee-tests --bin swarm -- --seed {seed}",
        commit.as_deref().unwrap_or("unknown")
    );
    println!(
        "the plan above, in a file: … --bin swarm -- --replay FILE; when mended, adapters/sim/tests/plans keeps it"
    );
    verdict(&report)
}

impl Totals {
    fn add(&mut self, plan: &Plan, report: Report) {
        self.runs += 1;
        self.micros += report.violation.as_ref().map_or(plan.ends * 1_000, |violation| violation.at);
        self.frames += report.frames;
        self.sends += report.sends;
        self.stored += report.stored;
        self.taken += report.taken;
        for kind in report.fired.into_keys() {
            *self.fired.entry(kind).or_default() += 1;
        }
        if let Some(violation) = report.violation {
            let entry = self.failures.entry(violation.id).or_insert((0, plan.seed, violation.text.clone()));
            entry.0 += 1;
            if plan.seed < entry.1 {
                (entry.1, entry.2) = (plan.seed, violation.text);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    fn print(&self, first: u64, took: Duration) {
        let usage = getrusage(UsageWho::RUSAGE_SELF)
            .map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds());
        let cpu = (usage as f64 / 1e6).max(1e-6);
        println!(
            "{} seeds from {first} in {took:.1?}, {cpu:.1} s of CPU: {:.1} seeds/s, {:.0} frames/CPU-s, {:.2} simulated \
             hours/CPU-s",
            self.runs,
            self.runs as f64 / took.as_secs_f64(),
            self.frames as f64 / cpu,
            self.micros as f64 / 3.6e9 / cpu,
        );
        println!("{} sends, {} stored, {} taken", self.sends, self.stored, self.taken);
        let share = |count: u64| 100.0 * count as f64 / self.runs.max(1) as f64;
        let shares: Vec<String> = Kind::ALL
            .iter()
            .map(|kind| format!("{kind:?} {:.0}%", share(self.fired.get(kind).copied().unwrap_or(0))))
            .collect();
        println!("fired in: {}", shares.join(" "));
        for (id, (count, seed, text)) in &self.failures {
            println!("FAILED {id} in {count} seeds, first {seed}: {text}");
        }
        println!("{} passed, {} failed", self.runs - self.failed(), self.failed());
    }

    fn failed(&self) -> u64 {
        self.failures.values().map(|(count, ..)| count).sum()
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
