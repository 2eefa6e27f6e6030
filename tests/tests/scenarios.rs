//! Runs every scenario on every driver against every broker line, real and modelled, and shows the tables.
//!
//! `cargo test -p fusee-tests --test scenarios -- [filter]`; names are `scenario/driver/broker`. Slow scenarios run on
//! two drivers of each broker line, in turn over the scenarios; with `FUSEE_SCENARIOS=all` or a filter, on every one.
//! The model needs no Java: `-- model` runs what it can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fusee_tests::broker::{self, Cluster, Demand, Servers, Version};
use fusee_tests::scenario::{Driver, Env, Failed, Needs, Scenario};
use fusee_tests::scenarios;
use libtest_mimic::{Arguments, Failed as TrialFailed, Trial};

/// A scenario that is not over by then hangs. Starting brokers on a busy machine is in it.
const HANGS_AFTER: Duration = Duration::from_secs(300);
/// Most scenarios wait for servers, not for a processor.
const THREADS: usize = 6;

static PANICS: AtomicUsize = AtomicUsize::new(0);
static TABLE: Mutex<BTreeMap<(usize, Driver, &'static str), Cell>> = Mutex::new(BTreeMap::new());

/// What a scenario is run against.
#[derive(Clone, Copy)]
enum On {
    Nothing,
    Real(Version),
    Model(Version),
}

impl On {
    const BROKERS: &'static [Self] = &[
        Self::Real(Version::V5_5_0),
        Self::Real(Version::V4_9_4),
        Self::Model(Version::V5_5_0),
        Self::Model(Version::V4_9_4),
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Real(version) => version.as_str(),
            Self::Model(Version::V5_5_0) => "model-5.5.0",
            Self::Model(Version::V4_9_4) => "model-4.9.4",
        }
    }

    /// Why a scenario cannot run here, if it cannot.
    fn refuses(self, scenario: &Scenario) -> Option<&'static str> {
        match (self, scenario.needs) {
            (Self::Model(version), Needs::Shared(change) | Needs::Own(change)) => {
                change(Cluster::builder(version)).unmodelled()
            }
            (Self::Model(_), Needs::Nothing) | (Self::Nothing | Self::Real(_), _) => None,
        }
    }
}

struct Cell {
    took: Duration,
    outcome: Result<String, String>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    let brokers = match real_brokers() {
        Ok(brokers) => brokers,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::FAILURE;
        }
    };
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let all =
        arguments.filter.is_some() || std::env::var("FUSEE_SCENARIOS").is_ok_and(|value| value == "all");
    // Those on the same kind of cluster one after the other, so that few kinds run at a time.
    let mut rows: Vec<(usize, &Scenario)> = scenarios::ALL.iter().enumerate().collect();
    rows.sort_by_key(|(_, scenario)| match scenario.needs {
        Needs::Nothing => None,
        Needs::Shared(change) => Some((false, change(Cluster::builder(Version::V5_5_0)))),
        Needs::Own(change) => Some((true, change(Cluster::builder(Version::V5_5_0)))),
    });
    let trials = rows.into_iter().flat_map(|(row, scenario)| trials(row, *scenario, brokers, all));
    let begun = Instant::now();
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    broker::close_shared();
    show_table(begun.elapsed());
    match PANICS.load(Ordering::SeqCst) {
        0 => conclusion.exit_code(),
        panics => {
            eprintln!("{panics} panics, perhaps on threads that nobody joins: that is a failure");
            ExitCode::FAILURE
        }
    }
}

/// Whether scenarios that need brokers are run; says so when they are not.
fn real_brokers() -> Result<bool, String> {
    let why = match Demand::from_env()? {
        Demand::Off => "FUSEE_REAL_BROKER=off".to_owned(),
        demand @ (Demand::Required | Demand::IfPossible) => {
            match Version::ALL.into_iter().try_for_each(broker::availability) {
                Ok(()) => return Ok(true),
                Err(error) if demand == Demand::Required => {
                    return Err(format!("{error}, and they are required"));
                }
                Err(error) => error.to_string(),
            }
        }
    };
    println!("SKIPPED: every scenario that needs a real broker ({why})");
    Ok(false)
}

fn trials(row: usize, scenario: Scenario, brokers: bool, all: bool) -> Vec<Trial> {
    let places: &[On] = match scenario.needs {
        Needs::Nothing => &[On::Nothing],
        Needs::Shared(_) | Needs::Own(_) => On::BROKERS,
    };
    let chosen = |line: usize, driver: usize| {
        let count = scenario.drivers.len();
        all || !scenario.slow
            || [row + line, row + line + count / 2].iter().any(|turn| turn % count == driver)
    };
    let places = places.iter().enumerate().filter(move |(_, on)| on.refuses(&scenario).is_none());
    let runs = places.flat_map(|(line, on)| {
        let drivers = scenario.drivers.iter().enumerate().filter(move |(i, _)| chosen(line, *i));
        drivers.map(|(_, driver)| (*driver, *on))
    });
    runs.map(|(driver, on)| {
        let name = format!("{}/{driver}/{}", scenario.name, on.as_str());
        let skipped = matches!(on, On::Real(_)) && !brokers;
        Trial::test(name, move || run(row, scenario, driver, on)).with_ignored_flag(skipped)
    })
    .collect()
}

/// Runs one scenario on a thread of its own, which is left behind when it hangs.
fn run(row: usize, scenario: Scenario, driver: Driver, on: On) -> Result<(), TrialFailed> {
    let (tell, told) = channel();
    let begun = Instant::now();
    thread::spawn(move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| script(scenario, driver, on)));
        // Nobody listens any more when it took too long.
        let _ = tell.send(outcome.unwrap_or_else(|_| Err("it panicked".into())));
    });
    let outcome = match told.recv_timeout(HANGS_AFTER) {
        Ok(outcome) => outcome.map_err(|failed| failed.to_string()),
        Err(RecvTimeoutError::Timeout) => Err(format!("it hangs: not over after {HANGS_AFTER:?}")),
        Err(RecvTimeoutError::Disconnected) => Err("its thread is gone".to_owned()),
    };
    let failed = outcome.clone().err();
    if let Some(why) = &failed {
        // Also at once, for a run that is cut short says nothing more.
        eprintln!("{} on {driver}: {why}", scenario.name);
    }
    let cell = Cell { took: begun.elapsed(), outcome };
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).insert((row, driver, on.as_str()), cell);
    failed.map_or(Ok(()), |why| Err(why.into()))
}

fn script(scenario: Scenario, driver: Driver, on: On) -> Result<String, Failed> {
    let (Needs::Shared(change) | Needs::Own(change)) = scenario.needs else {
        return driver.run((scenario.run)(&Env::new(scenario.name, driver, None)));
    };
    let own = matches!(scenario.needs, Needs::Own(_));
    let servers = match on {
        On::Real(version) if own => Servers::Real(broker::borrow(&change(Cluster::builder(version)))?),
        On::Real(version) => Servers::Real(broker::shared(&change(Cluster::builder(version)))?),
        On::Model(version) => Servers::Model(change(Cluster::builder(version)).model()?),
        On::Nothing => return Err("it needs brokers".into()),
    };
    let servers = Arc::new(servers);
    let env = Env::new(scenario.name, driver, Some(Arc::clone(&servers)));
    let outcome = driver.run((scenario.run)(&env));
    drop(env);
    let Some(Servers::Real(cluster)) = Arc::into_inner(servers) else { return outcome };
    match outcome {
        Ok(saw) => {
            if own {
                broker::hand_back(cluster);
            }
            Ok(saw)
        }
        Err(failed) => {
            let logs = cluster.keep_logs()?;
            Err(format!("{failed} (the servers' logs stay in {})", logs.display()).into())
        }
    }
}

/// Name × driver for each broker, and below it what the scenarios saw, and which of them the model cannot serve.
fn show_table(took: Duration) {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if table.is_empty() {
        return;
    }
    let brokers: BTreeSet<&str> = table.keys().map(|(_, _, broker)| *broker).collect();
    let width = scenarios::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let rows: BTreeSet<usize> = table.keys().map(|(row, _, _)| *row).collect();
    for broker in brokers {
        print!("\n{broker:width$}");
        Driver::ALL.iter().for_each(|driver| print!(" {driver:>13}"));
        println!();
        let here: BTreeSet<usize> =
            table.keys().filter(|(_, _, of)| *of == broker).map(|(row, _, _)| *row).collect();
        for row in here {
            print!("{:width$}", scenarios::ALL[row].name);
            for driver in Driver::ALL {
                let cell = table.get(&(row, *driver, broker)).map_or(String::new(), |cell| {
                    let word = if cell.outcome.is_ok() { "ok" } else { "FAILED" };
                    format!("{word} {:.1}s", cell.took.as_secs_f64())
                });
                print!(" {cell:>13}");
            }
            println!();
        }
    }
    println!();
    for scenario in scenarios::ALL {
        if let Some(why) = On::Model(Version::V5_5_0).refuses(scenario) {
            println!("not on the model: {} ({why})", scenario.name);
        }
    }
    println!();
    for row in &rows {
        let mut saw: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((_, driver, broker), cell) in
            table.range((*row, Driver::Tokio, "")..).take_while(|((r, ..), _)| r == row)
        {
            if let Ok(text) = &cell.outcome
                && !text.is_empty()
            {
                saw.entry(text).or_default().push(format!("{driver} {broker}"));
            }
        }
        for (text, runs) in saw {
            println!("{}: {text} ({})", scenarios::ALL[*row].name, runs.join(", "));
        }
    }
    let failed = table.values().filter(|cell| cell.outcome.is_err()).count();
    println!("\n{} runs in {:.0} s, {failed} failed", table.len(), took.as_secs_f64());
    // Last, where whoever reads the end of a long output finds it.
    for ((row, driver, broker), cell) in table.iter() {
        if let Err(why) = &cell.outcome {
            println!("FAILED {}/{driver}/{broker} after {:.1?}: {why}", scenarios::ALL[*row].name, cell.took);
        }
    }
}
