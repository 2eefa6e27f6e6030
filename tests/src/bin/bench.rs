//! The table of what a send costs beside the floor: `bench [--count N] [--syscalls]`
//!
//! Starts a 5.5.0 broker made for throughput, then runs the program `load` (which lies beside this one) for every
//! driver and depth, 1 KiB a message, each in a process of its own, the floor of the same depth right before. With
//! `--syscalls` each is run once more under `strace -c -f`, and system calls a message are shown too. At 128 in flight
//! there are also secured connections to the same broker.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use fusee_tests::broker::certificates::{Authority, Flavour};
use fusee_tests::broker::{Cluster, Secured, Version};
use fusee_tests::scenario::Driver;
use serde_json::Value;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const DEPTHS: [usize; 4] = [1, 16, 128, 1024];
const SIZE: usize = 1024;

fn main() -> ExitCode {
    let mut count = 100_000;
    let mut syscalls = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.size_hint()) {
            ("--syscalls", _) => syscalls = true,
            ("--count", _) => match words.next().and_then(|count| count.parse().ok()) {
                Some(given) => count = given,
                None => return usage(),
            },
            _ => return usage(),
        }
    }
    match run(count, syscalls) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("bench: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: bench [--count N] [--syscalls]");
    ExitCode::from(2)
}

fn run(count: usize, syscalls: bool) -> Result<(), Failed> {
    let bench = Bench {
        load: std::env::current_exe()?.with_file_name("load"),
        cluster: Cluster::builder(Version::V5_5_0)
            .for_throughput()
            .secured(Secured { enforcing: false, mutual: false, flavour: Flavour::Good })
            .start()?,
        authority: std::env::temp_dir().join(format!("fusee-bench-{}.pem", std::process::id())),
    };
    bench.cluster.create_topic("bench", 8)?;
    std::fs::write(&bench.authority, Authority::ours().certificate())?;
    let outcome = bench.table(count, syscalls);
    std::fs::remove_file(&bench.authority)?;
    outcome
}

/// What a line of the table is about.
#[derive(Clone, Copy)]
enum Peer {
    Floor,
    Plain(Driver),
    Secured(Driver),
}

impl Peer {
    /// At each depth everybody; secured where a machine is busy, that is at 128.
    fn at(depth: usize) -> impl Iterator<Item = Self> {
        let plain = Driver::ALL.iter().copied().map(Self::Plain);
        let secured = [Driver::Tokio, Driver::Threads].into_iter().filter(move |_| depth == 128);
        std::iter::once(Self::Floor).chain(plain).chain(secured.map(Self::Secured))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor => f.pad("floor"),
            Self::Plain(driver) => f.pad(driver.as_str()),
            Self::Secured(driver) => f.pad(&format!("{driver} TLS")),
        }
    }
}

/// A cluster under load, and the program that loads it.
struct Bench {
    load: PathBuf,
    cluster: Cluster,
    authority: PathBuf,
}

impl Bench {
    fn table(&self, count: usize, syscalls: bool) -> Result<(), Failed> {
        // The broker's compiler needs some load before it is fast.
        self.once(Peer::Floor, 50_000, 128)?;
        println!(
            "{SIZE} bytes, broker {}; client CPU in µs a message, latencies in µs",
            self.cluster.version()
        );
        println!(
            "{:>5} {:11} {:>7} {:>7} {:>9} {:>7} {:>7} {:>8} {:>9}",
            "depth", "peer", "cpu", "/floor", "msg/s", "p50", "p99", "rss MiB", "syscalls"
        );
        for depth in DEPTHS {
            let count = if depth == 1 { count / 5 } else { count };
            let mut floor = None;
            for peer in Peer::at(depth) {
                let mut runs = Vec::new();
                for _ in 0..3 {
                    runs.push(self.once(peer, count, depth)?);
                }
                // The median by processor time: this machine is rarely alone.
                runs.sort_by(|a, b| number(a, "cpu_us_per_msg").total_cmp(&number(b, "cpu_us_per_msg")));
                let line = &runs[1];
                let cpu = number(line, "cpu_us_per_msg");
                let against = cpu / *floor.get_or_insert(cpu);
                let calls = match syscalls {
                    true => format!("{:.2}", self.calls(peer, count / 10, depth)?),
                    false => String::new(),
                };
                println!(
                    "{depth:>5} {peer:11} {cpu:>7.2} {against:>7.2} {:>9.0} {:>7.0} {:>7.0} {:>8.1} {calls:>9}",
                    number(line, "rate"),
                    number(line, "p50_us"),
                    number(line, "p99_us"),
                    number(line, "peak_rss_kib") / 1024.0,
                );
                let errors = number(line, "errors");
                if errors > 0.0 {
                    return Err(format!("{peer} at {depth}: {errors} errors").into());
                }
            }
        }
        Ok(())
    }

    fn arguments(&self, peer: Peer, count: usize, depth: usize) -> Vec<String> {
        let mode = if matches!(peer, Peer::Floor) { "floor" } else { "send" };
        let mut arguments = vec![mode.to_owned(), self.cluster.name_servers().remove(0), "bench".to_owned()];
        arguments.extend([count, SIZE, depth].map(|number| number.to_string()));
        arguments.extend(["--warmup".to_owned(), (count / 10).to_string()]);
        if let Peer::Plain(driver) | Peer::Secured(driver) = peer {
            arguments.extend(["--runtime", driver.as_str()].map(str::to_owned));
        }
        if matches!(peer, Peer::Secured(_)) {
            arguments.extend(["--ca".to_owned(), self.authority.display().to_string()]);
        }
        arguments
    }

    fn once(&self, peer: Peer, count: usize, depth: usize) -> Result<Value, Failed> {
        let output = Command::new(&self.load)
            .args(self.arguments(peer, count, depth))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", self.load.display(), output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// System calls a message, warm-up and start included in both numbers.
    fn calls(&self, peer: Peer, count: usize, depth: usize) -> Result<f64, Failed> {
        let table: PathBuf = std::env::temp_dir().join(format!("fusee-bench-{}.strace", std::process::id()));
        let status = Command::new("strace")
            .args(["-c", "-f", "-o"])
            .arg(&table)
            .arg(&self.load)
            .args(self.arguments(peer, count, depth))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        let text = std::fs::read_to_string(&table)?;
        std::fs::remove_file(&table)?;
        if !status.success() {
            return Err(format!("strace: {status}").into());
        }
        let total = text.lines().find(|line| line.trim_end().ends_with("total"));
        let total =
            total.and_then(|line| line.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).nth(3));
        let total = total.ok_or("strace printed no total")?;
        Ok(total / (count + count / 10) as f64)
    }
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().unwrap_or(f64::NAN)
}
