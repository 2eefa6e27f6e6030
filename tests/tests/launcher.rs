//! The launcher of real brokers, tested on itself: what it starts is usable, survives what it shall survive, and leaves
//! nothing behind.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fusee_tests::broker::certificates::Flavour;
use fusee_tests::broker::{Cluster, Secured, StartError, Version, wanted};
use fusee_tests::raw::{Caller, Connection};

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn kill_minus_nine_and_restart_keep_every_message() {
    if !wanted("kill_minus_nine_and_restart_keep_every_message") {
        return;
    }
    for version in Version::ALL {
        let cluster = Cluster::builder(version).start().expect("start");
        cluster.create_topic("kept", 2).expect("create topic");
        let mut broker = Connection::open(&cluster.broker_addr(0), PATIENCE).expect("connect");
        for n in 0..20 {
            send(&mut broker, "kept", n % 2, &format!("#{n}")).expect("send");
        }
        let before = until(|| Some(cluster.scan("kept").expect("scan")).filter(|found| found.len() == 20));
        cluster.kill(0).expect("kill");
        assert!(send(&mut broker, "kept", 0, "nobody hears this").is_err());
        cluster.restart(0).expect("restart");
        assert_eq!(cluster.scan("kept").expect("scan"), before, "{version}");
    }
}

#[test]
fn paused_broker_keeps_its_connections_and_answers_later() {
    if !wanted("paused_broker_keeps_its_connections_and_answers_later") {
        return;
    }
    let cluster = Cluster::builder(Version::V4_9_4).start().expect("start");
    cluster.create_topic("paused", 1).expect("create topic");
    let short = Duration::from_millis(300);
    cluster.pause(0).expect("pause");
    let mut deaf = Connection::open(&cluster.broker_addr(0), short).expect("the kernel still accepts");
    let error = send(&mut deaf, "paused", 0, "later").expect_err("nobody answers");
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    cluster.resume(0).expect("resume");
    until(|| (cluster.scan("paused").expect("scan").len() == 1).then_some(()));
}

#[test]
fn restarted_name_server_learns_the_brokers_again() {
    if !wanted("restarted_name_server_learns_the_brokers_again") {
        return;
    }
    let cluster = Cluster::builder(Version::V4_9_4).name_servers(2).brokers(2).start().expect("start");
    cluster.kill_name_server(0).expect("kill");
    assert!(Connection::open(&cluster.name_servers()[0], PATIENCE).is_err());
    cluster.create_topic("meanwhile", 1).expect("the other name server knows");
    cluster.restart_name_server(0).expect("restart");
    cluster.await_routes().expect("routes");
}

#[test]
fn clusters_in_parallel_do_not_meet() {
    if !wanted("clusters_in_parallel_do_not_meet") {
        return;
    }
    let started = thread::scope(|scope| {
        let starts = Version::ALL.map(|version| scope.spawn(move || Cluster::builder(version).start()));
        starts.map(|start| start.join().expect("no panic").expect("start"))
    });
    let [one, two] = &started;
    one.create_topic("only-here", 1).expect("create topic");
    assert!(two.scan("only-here").is_err(), "the other cluster must not know the topic");
}

#[test]
fn secured_servers_are_usable_and_refuse_plain_callers() {
    if !wanted("secured_servers_are_usable_and_refuse_plain_callers") {
        return;
    }
    for version in Version::ALL {
        let secured = Secured { enforcing: true, mutual: true, flavour: Flavour::Good };
        let cluster = Cluster::builder(version).secured(secured).acl().start().expect("start");
        cluster.create_topic("secured", 1).expect("create topic");
        cluster.caller().send(&cluster.broker_addr(0), "secured", 0, "", b"sealed").expect("send");
        until(|| (cluster.scan("secured").expect("scan").len() == 1).then_some(()));
        let plain = Caller { tls: None, ..cluster.caller().clone() };
        assert!(plain.send(&cluster.broker_addr(0), "secured", 0, "", b"plain").is_err(), "{version}");
        let unsigned = Caller { keys: None, ..cluster.caller().clone() };
        assert!(unsigned.send(&cluster.broker_addr(0), "secured", 0, "", b"unsigned").is_err(), "{version}");
    }
}

#[test]
fn refused_value_of_a_property_is_an_error_that_names_it() {
    if !wanted("refused_value_of_a_property_is_an_error_that_names_it") {
        return;
    }
    let builder = Cluster::builder(Version::V4_9_4).set("waitTimeMillsInSendQueue", "soon");
    match builder.start() {
        Err(StartError::Property { key, used, .. }) => {
            assert_eq!((key.as_str(), used.as_deref()), ("waitTimeMillsInSendQueue", Some("200")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn broker_that_cannot_start_leaves_its_logs_and_nothing_else() {
    if !wanted("broker_that_cannot_start_leaves_its_logs_and_nothing_else") {
        return;
    }
    let started = Cluster::builder(Version::V4_9_4).set("brokerRole", "SLAVE").start();
    let Err(StartError::Died { name, logs, tail }) = started else {
        panic!("{started:?}");
    };
    assert_eq!(name, "broker-a");
    assert!(!tail.trim().is_empty());
    assert!(logs.join("out.log").is_file() && !logs.join("store").exists());
    let directory = logs.parent().expect("the cluster's directory");
    assert_eq!(processes_mentioning(directory), [0; 0]);
    fs::remove_dir_all(directory).expect("remove the logs");
}

#[test]
fn nothing_outlives_a_run_killed_with_sigkill() {
    if !wanted("nothing_outlives_a_run_killed_with_sigkill") {
        return;
    }
    let mut run = hold_cluster();
    let directory = cluster_directory(&run);
    let mut line = String::new();
    BufReader::new(run.stdout.take().expect("piped")).read_line(&mut line).expect("read");
    assert!(line.contains("name_servers"), "{line}");
    let count = processes_mentioning(&directory).len();
    assert!(count >= 3, "supervisor, name server and broker are running, not {count}");
    run.kill().expect("SIGKILL");
    run.wait().expect("wait");
    until(|| (processes_mentioning(&directory).is_empty() && !directory.exists()).then_some(()));
}

#[test]
fn nothing_outlives_a_run_killed_in_the_middle_of_a_start() {
    if !wanted("nothing_outlives_a_run_killed_in_the_middle_of_a_start") {
        return;
    }
    for wanted in 1..=3 {
        let mut run = hold_cluster();
        let directory = cluster_directory(&run);
        until(|| (processes_mentioning(&directory).len() >= wanted).then_some(()));
        run.kill().expect("SIGKILL");
        run.wait().expect("wait");
        until(|| (processes_mentioning(&directory).is_empty() && !directory.exists()).then_some(()));
    }
}

/// A process of its own that holds a cluster as long as it lives.
fn hold_cluster() -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.arg("4.9.4").stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("spawn")
}

fn cluster_directory(run: &Child) -> PathBuf {
    std::env::temp_dir().join(format!("fusee-brokers-{}-0", run.id()))
}

/// Live processes with this directory on their command line: the supervisor and the JVMs.
fn processes_mentioning(directory: &Path) -> Vec<u32> {
    let needle = directory.display().to_string();
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let entry = entry.ok()?;
        let id = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&words).contains(&needle).then_some(id)
    });
    processes.collect()
}

fn send(broker: &mut Connection, topic: &str, queue: i32, body: &str) -> io::Result<()> {
    broker.send(topic, queue, "", body.as_bytes())?.success("send").map(drop)
}

/// Asks until there is an answer; a minute is for machines under load.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it did not come about");
        thread::sleep(Duration::from_millis(20));
    }
}
