//! Runs of plans, and the cutting down of those that fail.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::World;
use super::checks::Violation;
use super::plan::{Kind, Plan};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// A number that two runs of one plan share.
    pub hash: u64,
    /// Steps, frames sent either way, messages stored and taken.
    pub steps: u64,
    /// Frames sent either way.
    pub frames: u64,
    /// Sends that ended stored.
    pub stored: u64,
    /// Sends in all.
    pub sends: u64,
    /// Messages read.
    pub taken: u64,
    /// How often each kind of fault had an effect.
    pub fired: BTreeMap<Kind, u64>,
    /// The first invariant that broke.
    pub violation: Option<Violation>,
    /// The last entries of the log.
    pub tail: String,
}

/// Carries out a plan.
#[must_use]
pub fn run(plan: &Plan) -> Report {
    let mut world = World::new(plan.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| world.carry_out()));
    let found = match ended {
        Ok(()) => world.checks.found.take().map(|(id, text)| (id.to_owned(), text)),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            let id = text.split(':').next().filter(|id| id.len() <= 4 && id.starts_with(char::is_uppercase));
            Some((id.unwrap_or("panic").to_owned(), text))
        }
    };
    Report {
        hash: world.log.hash(),
        steps: world.step,
        frames: world.frames,
        stored: world.checks.stored,
        sends: u64::try_from(world.checks.sends.len()).unwrap_or(0),
        taken: world.checks.taken,
        fired: std::mem::take(&mut world.faults.fired),
        violation: found.map(|(id, text)| Violation { id, text, step: world.step, at: world.now }),
        tail: world.log.tail(usize::MAX),
    }
}

/// Cuts a failing plan down to one in which every part is needed to break the same invariant. Gives up after `budget`
/// runs; `None` if the plan does not fail.
#[must_use]
pub fn shrink(plan: &Plan, mut budget: usize) -> Option<(Plan, Report)> {
    let first = run(plan);
    let id = first.violation.as_ref()?.id.clone();
    let mut best = (plan.clone(), first);
    let mut attempt = |best: &mut (Plan, Report), smaller: Plan| {
        if budget == 0 || smaller == best.0 {
            return false;
        }
        budget -= 1;
        let report = run(&smaller);
        let same = report.violation.as_ref().is_some_and(|violation| violation.id == id);
        if same {
            *best = (smaller, report);
        }
        same
    };
    minimise(
        &mut best,
        &mut attempt,
        |plan| plan.faults.len(),
        |plan, from, to| drop(plan.faults.drain(from..to)),
    );
    minimise(
        &mut best,
        &mut attempt,
        |plan| plan.work.len(),
        |plan, from, to| drop(plan.work.drain(from..to)),
    );
    for at in 0..best.0.faults.len() {
        loop {
            let mut smaller = best.0.clone();
            smaller.faults[at].lasts /= 2;
            if smaller.faults[at].lasts == 0 || !attempt(&mut best, smaller) {
                break;
            }
        }
    }
    for at in 0..best.0.work.len() {
        loop {
            let mut smaller = best.0.clone();
            let work = &mut smaller.work[at];
            work.until -= (work.until - work.at) / 2;
            if work.until - work.at < 100 || !attempt(&mut best, smaller) {
                break;
            }
        }
    }
    Some(best)
}

/// Delta debugging: leaves out halves, then quarters, and so on, as long as the failure stays.
fn minimise(
    best: &mut (Plan, Report),
    attempt: &mut impl FnMut(&mut (Plan, Report), Plan) -> bool,
    count: impl Fn(&Plan) -> usize,
    remove: impl Fn(&mut Plan, usize, usize),
) {
    let mut piece = count(&best.0).div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        while from < count(&best.0) {
            let mut smaller = best.0.clone();
            let to = (from + piece).min(count(&smaller));
            remove(&mut smaller, from, to);
            if !attempt(best, smaller) {
                from += piece;
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
}
