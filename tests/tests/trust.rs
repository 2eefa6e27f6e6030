//! Whether the model can be trusted: programs on the stock Java and Go clients, run unchanged on real brokers and on
//! the model of the same release, have to print the same lines.
//!
//! `cargo test -p fusee-tests --test trust`; names are `program/release`. It needs Java with a compiler, Maven and Go;
//! what is missing is skipped in one visible line, or a failure with `FUSEE_REAL_BROKER=required`. What differs is a
//! failure unless it stands, with its reason, in [`KNOWN`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fusee_tests::broker::{self, Cluster, Demand, Servers, Version};
use libtest_mimic::{Arguments, Failed, Trial};

/// Program, release, beginning of the line, and why real brokers and the model differ there.
const KNOWN: &[(&str, &str, &str, &str)] = &[];

/// A program that is not over by then hangs.
const HANGS_AFTER: Duration = Duration::from_secs(300);

static TABLE: Mutex<BTreeMap<(&str, &str), Outcome>> = Mutex::new(BTreeMap::new());

/// What one program printed on both.
#[derive(Default)]
struct Outcome {
    equal: usize,
    /// By the line's name.
    different: BTreeMap<String, String>,
    /// What differed in one run of two.
    once: Vec<String>,
    known: BTreeSet<&'static str>,
}

/// A program and how it is built.
#[derive(Clone, Copy)]
enum Program {
    Java(Version),
    Go,
}

impl Program {
    const ALL: [Self; 3] = [Self::Java(Version::V4_9_4), Self::Java(Version::V5_5_0), Self::Go];

    const fn name(self) -> &'static str {
        match self {
            Self::Java(Version::V4_9_4) => "java-4.9.4",
            Self::Java(Version::V5_5_0) => "java-5.5.0",
            Self::Go => "go-2.1.2",
        }
    }

    /// What has to be there to build and run it.
    const fn tools(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Java(_) => &[("mvn", "-version"), ("javac", "-version")],
            Self::Go => &[("go", "version")],
        }
    }

    /// Builds it, unless that was done already, and gives the command to run.
    fn build(self) -> Result<Command, Failed> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("trust");
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trust").join(self.name());
        fs::create_dir_all(&out)?;
        let (sources, made, mut run) = match self {
            Self::Java(_) => {
                let mut run = Command::new("java");
                run.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"])
                    .arg("-Djava.net.preferIPv4Stack=true")
                    .arg(format!("-Duser.home={}", out.display()))
                    .arg("-cp")
                    .arg(format!("{0}/classes:{0}/lib/*", out.display()))
                    .arg("Trust");
                (sources.join("java"), out.join("classes/Trust.class"), run)
            }
            Self::Go => (sources.join("go"), out.join("trust"), Command::new(out.join("trust"))),
        };
        run.env_remove("NAMESRV_ADDR");
        let (stamp, fresh) = (out.join("built-from"), fingerprint(&sources)?.to_string());
        if made.exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == fresh) {
            return Ok(run);
        }
        let mut build = match self {
            Self::Java(version) => {
                let mut maven = Command::new("mvn");
                maven
                    .args(["-q", "-B", "-f"])
                    .arg(sources.join("pom.xml"))
                    .arg(format!("-Drocketmq.version={version}"))
                    .arg(format!("-Dout={}", out.display()))
                    .args(["compile", "dependency:copy-dependencies"])
                    .arg(format!("-DoutputDirectory={}", out.join("lib").display()));
                maven
            }
            Self::Go => {
                let mut go = Command::new("go");
                go.args(["build", "-o"]).arg(&made).arg(".").current_dir(&sources);
                go
            }
        };
        let built = build.stdin(Stdio::null()).output()?;
        if !built.status.success() || !made.exists() {
            let said = String::from_utf8_lossy(&[built.stdout, built.stderr].concat()).into_owned();
            return Err(format!("{} does not build ({}): {said}", self.name(), built.status).into());
        }
        fs::write(stamp, fresh)?;
        Ok(run)
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let demand = match Demand::from_env() {
        Ok(demand) => demand,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for program in Program::ALL {
        let missing = missing(program, demand);
        if let Some(why) = &missing {
            if demand == Demand::Required {
                eprintln!("{}: {why}, and FUSEE_REAL_BROKER=required", program.name());
                return ExitCode::FAILURE;
            }
            println!("SKIPPED trust/{}: {why}", program.name());
        }
        trials.extend(Version::ALL.map(|version| {
            let name = format!("{}/{version}", program.name());
            Trial::test(name, move || compare(program, version)).with_ignored_flag(missing.is_some())
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    broker::close_shared();
    show_table();
    conclusion.exit_code()
}

/// Why the program cannot be run here, if it cannot.
fn missing(program: Program, demand: Demand) -> Option<String> {
    if demand == Demand::Off {
        return Some("FUSEE_REAL_BROKER=off".to_owned());
    }
    if let Some(error) = Version::ALL.into_iter().find_map(|version| broker::availability(version).err()) {
        return Some(error.to_string());
    }
    program.tools().iter().find_map(|(tool, asks)| {
        let answer = Command::new(tool).arg(asks).stdin(Stdio::null()).output();
        (!answer.is_ok_and(|answer| answer.status.success())).then(|| format!("no {tool}"))
    })
}

/// Holds what the program prints on real brokers against what it prints on the model. The stock clients race with
/// themselves here and there (requests that nobody answers, what a shutdown leaves), so a difference counts when it
/// shows in two runs; one that shows once is printed.
fn compare(program: Program, version: Version) -> Result<(), Failed> {
    program.build()?;
    let mut outcome = once(program, version, "")?;
    if !outcome.different.is_empty() {
        let again = once(program, version, "-again")?;
        let first = std::mem::replace(&mut outcome, again).different;
        let second = std::mem::take(&mut outcome.different);
        for (what, said) in first.iter().chain(&second) {
            if first.contains_key(what) && second.contains_key(what) {
                outcome.different.insert(what.clone(), said.clone());
            } else {
                outcome.once.push(format!("{what}: {said}"));
            }
        }
    }
    let different: Vec<String> =
        outcome.different.iter().map(|(what, said)| format!("{what}: {said}")).collect();
    let verdict = match different.as_slice() {
        // A program that ended at once on both sides has shown nothing.
        [] if outcome.equal < 50 => Err(format!("only {} lines", outcome.equal).into()),
        [] => Ok(()),
        different => Err(different.join("\n").into()),
    };
    let place = (program.name(), version.as_str());
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).insert(place, outcome);
    verdict
}

/// Runs the program on real brokers and on the model, at once; topics and groups end in `suffix`.
fn once(program: Program, version: Version, suffix: &str) -> Result<Outcome, Failed> {
    let run = |servers: Servers| -> Result<Vec<(String, String)>, Failed> {
        let mut command = program.build()?;
        command
            .arg(&servers.name_servers()[0])
            .arg(program.name().replace('.', "-") + suffix)
            .arg(servers.broker_addr(0));
        lines_of(command)
    };
    let builder = Cluster::builder(version);
    let (real, model) = thread::scope(|scope| {
        let real = scope.spawn(|| run(Servers::Real(broker::shared(&builder)?)));
        let model = run(Servers::Model(builder.model()?));
        Ok::<_, Failed>((real.join().map_err(|_| "it panicked")??, model?))
    })?;
    let mut outcome = Outcome::default();
    let (real, model): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (real.into_iter().collect(), model.into_iter().collect());
    for what in real.keys().chain(model.keys()).collect::<BTreeSet<_>>() {
        if real.get(what) == model.get(what) {
            outcome.equal += 1;
            continue;
        }
        let reason = KNOWN.iter().find(|(of, release, line, _)| {
            *of == program.name() && *release == version.as_str() && what.starts_with(line)
        });
        match reason {
            Some((.., why)) => drop(outcome.known.insert(why)),
            None => {
                let said =
                    |lines: &BTreeMap<String, String>| lines.get(what).map_or("nothing", |l| l).to_owned();
                let both = format!("real {}, model {}", said(&real), said(&model));
                outcome.different.insert(what.clone(), both);
            }
        }
    }
    Ok(outcome)
}

/// What a program prints, by what stands before the first colon of each line.
fn lines_of(mut command: Command) -> Result<Vec<(String, String)>, Failed> {
    // The program ends when its input does: it does not outlive us.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut output, mut errors) =
        (child.stdout.take().ok_or("no output")?, child.stderr.take().ok_or("no output")?);
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        // Nobody listens any more when it took too long.
        let _ = tell.send(read.map(|_| text));
    });
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let text = told.recv_timeout(HANGS_AFTER);
    if text.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let errors = errors.join().map_err(|_| "it panicked")??;
    let text = text.map_err(|_| format!("it is not over after {HANGS_AFTER:?}"))??;
    if !status.success() {
        return Err(format!("it ended with {status}\n{text}\n{errors}").into());
    }
    let split = |line: &str| line.split_once(": ").map(|(what, seen)| (what.to_owned(), seen.to_owned()));
    Ok(text.lines().filter_map(split).collect())
}

fn fingerprint(directory: &Path) -> Result<u64, Failed> {
    let mut hasher = DefaultHasher::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let mut inside =
                fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failed>>()?;
            inside.sort();
            left.extend(inside);
        } else {
            (path.file_name(), fs::read(&path)?).hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

fn show_table() {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if table.is_empty() {
        return;
    }
    println!("\nlines that are the same on real brokers and on the model");
    let releases = Version::ALL.map(Version::as_str);
    println!("{:12} {:>12} {:>12}", "", releases[0], releases[1]);
    for program in Program::ALL {
        let cell = |release| {
            table.get(&(program.name(), release)).map_or(String::new(), |outcome| {
                let all = outcome.equal + outcome.different.len();
                format!("{} of {all}", outcome.equal)
            })
        };
        println!("{:12} {:>12} {:>12}", program.name(), cell(releases[0]), cell(releases[1]));
    }
    for ((program, release), outcome) in table.iter() {
        outcome.known.iter().for_each(|why| println!("known: {program} on {release}: {why}"));
        outcome
            .once
            .iter()
            .for_each(|line| println!("different once of two runs: {program} on {release}: {line}"));
        for (what, said) in &outcome.different {
            println!("DIFFERENT: {program} on {release}: {what}: {said}");
        }
    }
}
