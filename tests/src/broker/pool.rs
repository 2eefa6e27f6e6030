//! Clusters that several scenarios of one process use, for a start costs seconds.
//!
//! Scenarios on a shared cluster use topics and groups of their own and do no harm to the servers; destructive ones
//! borrow a cluster that nobody else uses meanwhile, and hand it back only when all its servers run again.
//!
//! Law: of clusters that nobody uses only the last few are kept running, for servers that idle are load as well.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan::ClusterBuilder;
use super::{Cluster, StartError};

/// How many unused clusters of each kind, shared and borrowed, go on running.
const IDLE_MAX: usize = 2;

/// One cell a description, so that two different clusters start in parallel and two equal ones only once.
type Cell = Arc<Mutex<Option<Arc<Cluster>>>>;

/// Clusters that are shared, and when each was last asked for.
static SHARED: Mutex<BTreeMap<ClusterBuilder, (u64, Cell)>> = Mutex::new(BTreeMap::new());

/// Clusters that were borrowed and handed back, the last one at the end.
static IDLE: Mutex<Vec<Arc<Cluster>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running cluster of this description, started by the first who asks.
pub fn shared(builder: &ClusterBuilder) -> Result<Arc<Cluster>, StartError> {
    let (cell, unused) = {
        let mut shared = lock(&SHARED);
        let turn = shared.values().map(|(turn, _)| turn + 1).max().unwrap_or(0);
        let entry = shared.entry(builder.clone()).or_default();
        entry.0 = turn;
        let cell = Arc::clone(&entry.1);
        (cell, unused(&mut shared))
    };
    drop(unused); // which takes a while, so not under the lock
    let mut cluster = lock(&cell);
    if let Some(cluster) = cluster.as_ref() {
        return Ok(Arc::clone(cluster));
    }
    let started = Arc::new(builder.start()?);
    *cluster = Some(Arc::clone(&started));
    Ok(started)
}

/// Takes out the clusters that nobody uses, but for the last ones.
fn unused(shared: &mut BTreeMap<ClusterBuilder, (u64, Cell)>) -> Vec<Cell> {
    // Whoever starts or asks for one holds its cell; whoever uses it holds the cluster.
    let is_unused = |cell: &Cell| {
        Arc::strong_count(cell) == 1
            && lock(cell).as_ref().is_none_or(|cluster| Arc::strong_count(cluster) == 1)
    };
    let mut turns: Vec<u64> =
        shared.values().filter(|(_, cell)| is_unused(cell)).map(|(turn, _)| *turn).collect();
    turns.sort_unstable();
    let old = &turns[..turns.len().saturating_sub(IDLE_MAX)];
    let mut out = Vec::new();
    shared.retain(|_, (turn, cell)| {
        let is_old = old.contains(turn);
        if is_old {
            out.push(Arc::clone(cell));
        }
        !is_old
    });
    out
}

/// A cluster of this description that nobody else uses until it is handed back.
pub fn borrow(builder: &ClusterBuilder) -> Result<Arc<Cluster>, StartError> {
    let mut idle = lock(&IDLE);
    if let Some(at) = idle.iter().position(|cluster| cluster.builder_used() == builder) {
        return Ok(idle.remove(at));
    }
    drop(idle);
    builder.start().map(Arc::new)
}

/// For the next who borrows; one with a dead server, or that was not borrowed alone, stops instead.
pub fn hand_back(cluster: Arc<Cluster>) {
    if !cluster.is_whole() || Arc::strong_count(&cluster) > 1 {
        return;
    }
    let old = {
        let mut idle = lock(&IDLE);
        idle.push(cluster);
        let old = idle.len().saturating_sub(IDLE_MAX);
        idle.drain(..old).collect::<Vec<_>>()
    };
    drop(old); // which takes a while, so not under the lock
}

/// Lets go of all shared clusters; each stops when its last user is done. To be called before the process ends, for
/// statics are not dropped (the supervisors would clear up all the same, a little later).
pub fn close_shared() {
    drop(mem::take(&mut *lock(&SHARED)));
    drop(mem::take(&mut *lock(&IDLE)));
}
