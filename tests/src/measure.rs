//! What a run cost: processor time of this process, memory, latencies, and the one line of JSON that says so.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};

/// Processor time of this process since its start, user and system.
pub fn processor_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// The most memory this process ever had resident.
pub fn peak_rss_kib() -> io::Result<u64> {
    // Not by getrusage: there a process starts with the peak of the one that forked it.
    let status = std::fs::read_to_string("/proc/self/status");
    let peak = status.ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    });
    match peak {
        Some(peak) => Ok(peak),
        None => Ok(u64::try_from(getrusage(UsageWho::RUSAGE_SELF)?.max_rss()).unwrap_or(0)),
    }
}

/// Latencies in microseconds, every one kept.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Room for so many, so that keeping them costs nothing while it is measured.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Keeps one.
    pub fn push(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes those of another.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The latency that `share` of all stay below, in microseconds; 0 when there is none.
    pub fn percentile(&mut self, share: f64) -> u32 {
        self.0.sort_unstable();
        let at = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(at.saturating_sub(1)).copied().unwrap_or(0)
    }
}

/// The counted part of a run.
#[derive(Debug)]
pub struct Stretch {
    begun: Instant,
    cpu: Duration,
}

impl Stretch {
    /// Counting starts.
    pub fn begin() -> io::Result<Self> {
        Ok(Self { begun: Instant::now(), cpu: processor_time()? })
    }

    /// Counting ends: how long it took, and how much processor time.
    pub fn end(&self) -> io::Result<(Duration, Duration)> {
        Ok((self.begun.elapsed(), processor_time()?.saturating_sub(self.cpu)))
    }
}

/// What was run.
#[derive(Clone, Debug)]
pub struct Load {
    /// Who carried the messages, such as `fusee tokio`.
    pub peer: String,
    /// `send` or `consume`.
    pub mode: &'static str,
    /// Messages counted.
    pub messages: usize,
    /// Bytes of each body.
    pub size: usize,
    /// Requests kept in flight.
    pub concurrency: usize,
    /// Messages before counting started.
    pub warmup: usize,
}

impl Load {
    /// The line of JSON.
    pub fn report(&self, stretch: &Stretch, errors: usize, latencies: &mut Latencies) -> io::Result<Value> {
        let (time, cpu) = stretch.end()?;
        let per = |time: Duration, count: usize| {
            (time.as_secs_f64() * 1e6 / count.max(1) as f64 * 100.0).round() / 100.0
        };
        let seconds = time.as_secs_f64();
        Ok(json!({
            "peer": self.peer, "mode": self.mode, "messages": self.messages, "size": self.size,
            "concurrency": self.concurrency, "warmup": self.warmup, "errors": errors,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "rate": (self.messages as f64 / seconds).round(),
            "p50_us": latencies.percentile(0.5), "p99_us": latencies.percentile(0.99),
            "p999_us": latencies.percentile(0.999),
            "cpu_us_per_msg": per(cpu, self.messages),
            "process_cpu_us_per_msg": per(processor_time()?, self.messages + self.warmup),
            "peak_rss_kib": peak_rss_kib()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;

    #[test]
    fn percentiles_are_of_those_kept() {
        let mut all = Latencies::default();
        assert_eq!(all.percentile(0.5), 0);
        for micros in (1..=1000).rev() {
            all.push(Duration::from_micros(micros));
        }
        assert_eq!((all.percentile(0.5), all.percentile(0.99), all.percentile(0.999)), (500, 990, 999));
    }
}
