//! The world itself: equal runs, clean calm, plans that failed once, and the cutting down of one that fails.

use std::process::Command;

use fusee_sim::world::{Fault, Kind, Plan, Work, run, shrink};

const CHILD: &str = "FUSEE_SIM_TEST_CHILD";

fn small(seed: u64) -> Plan {
    Plan {
        seed,
        ends: 60_000,
        heals: 15_000,
        name_servers: 2,
        old: vec![false, true],
        producers: 2,
        consumers: 2,
        queues: 2,
        work: (0..2).map(|client| Work { client, at: 500, until: 30_000, every: 50, bytes: 300 }).collect(),
        faults: Vec::new(),
    }
}

#[test]
fn in_calm_everything_is_stored_and_taken_once() {
    let report = run(&small(7));
    assert_eq!(report.violation, None, "{}", report.tail);
    assert!(report.sends > 500, "{}", report.sends);
    assert_eq!(report.stored, report.sends);
    // A twentieth goes to topics nobody reads.
    assert!(report.taken > report.sends * 8 / 10 && report.taken < report.sends, "{}", report.taken);
}

#[test]
fn a_run_is_like_another_in_this_process_and_in_the_next() {
    let plan = Plan { ends: 300_000, heals: 200_000, ..Plan::draw(11) };
    let hash = run(&plan).hash;
    if std::env::var_os(CHILD).is_some() {
        std::fs::write(std::env::var_os(CHILD).unwrap(), format!("{hash:016x}")).unwrap();
        return;
    }
    assert_eq!(run(&plan).hash, hash);
    assert_ne!(run(&Plan { seed: 12, ..plan }).hash, hash, "the seed matters");
    let told = std::env::temp_dir().join(format!("fusee-sim-{}", std::process::id()));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_run_is_like_another_in_this_process_and_in_the_next"])
        .env(CHILD, &told)
        .output()
        .unwrap();
    assert!(child.status.success());
    let other = std::fs::read_to_string(&told).unwrap();
    std::fs::remove_file(told).unwrap();
    assert_eq!(other, format!("{hash:016x}"), "another process runs differently");
}

#[test]
fn plans_that_failed_once_are_clean() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let plan: Plan = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = run(&plan);
        assert_eq!(report.violation, None, "{}: {}", path.display(), report.tail);
        count += 1;
    }
    assert!(count >= 2, "{count} plans");
}

#[test]
fn a_plan_that_fails_is_cut_down_to_what_it_needs() {
    let fault = |kind, at, lasts, client, server| Fault { kind, at, lasts, client, server, amount: 3 };
    let mut plan = small(5);
    // A reader that is cut off for good misses messages; nothing else here does any harm.
    plan.heals = 59_000;
    plan.faults = vec![
        fault(Kind::N02, 2_000, 3_000, None, None),
        fault(Kind::N11, 3_000, 56_000, Some(2), None),
        fault(Kind::N03, 4_000, 1_000, None, None),
        fault(Kind::C4, 5_000, 1_000, Some(0), None),
    ];
    let (small, report) = shrink(&plan, 60).expect("it fails");
    assert_eq!(report.violation.unwrap().id, "S17");
    assert_eq!(small.faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [Kind::N11]);
    assert_eq!(small.work.len(), 1);
    assert!(shrink(&Plan { faults: Vec::new(), ..plan }, 60).is_none(), "nothing to cut down");
}
