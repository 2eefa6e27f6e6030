//! Clusters that several scenarios of one process use, for a start costs seconds.
//!
//! Scenarios on a shared cluster use topics and groups of their own and do no harm to the servers; destructive ones
//! borrow a cluster that nobody else uses meanwhile, and hand it back only when all its servers run again.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::ClusterBuilder;
use super::{Cluster, StartError};

/// One cell a description, so that two different clusters start in parallel and two equal ones only once.
type Cell = Arc<Mutex<Option<Arc<Cluster>>>>;

static POOL: Mutex<BTreeMap<ClusterBuilder, Cell>> = Mutex::new(BTreeMap::new());

/// The running cluster of this description, started by the first who asks.
pub fn shared(builder: &ClusterBuilder) -> Result<Arc<Cluster>, StartError> {
    let cell =
        Arc::clone(POOL.lock().unwrap_or_else(PoisonError::into_inner).entry(builder.clone()).or_default());
    let mut cluster = cell.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = cluster.as_ref() {
        return Ok(Arc::clone(cluster));
    }
    let started = Arc::new(builder.start()?);
    *cluster = Some(Arc::clone(&started));
    Ok(started)
}

/// Clusters that were borrowed and handed back.
static IDLE: Mutex<Vec<Arc<Cluster>>> = Mutex::new(Vec::new());

/// A cluster of this description that nobody else uses until it is handed back.
pub fn borrow(builder: &ClusterBuilder) -> Result<Arc<Cluster>, StartError> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = idle.iter().position(|cluster| cluster.builder_used() == builder) {
        return Ok(idle.swap_remove(at));
    }
    drop(idle);
    builder.start().map(Arc::new)
}

/// For the next who borrows; one with a dead server, or that was not borrowed alone, stops instead.
pub fn hand_back(cluster: Arc<Cluster>) {
    if cluster.is_whole() && Arc::strong_count(&cluster) == 1 {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(cluster);
    }
}

/// Lets go of all shared clusters; each stops when its last user is done. To be called before the process ends, for
/// statics are not dropped (the supervisors would clear up all the same, a little later).
pub fn close_shared() {
    drop(mem::take(&mut *POOL.lock().unwrap_or_else(PoisonError::into_inner)));
    drop(mem::take(&mut *IDLE.lock().unwrap_or_else(PoisonError::into_inner)));
}
