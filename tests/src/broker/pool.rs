//! Clusters that several scenarios of one process share, for a start costs seconds.
//!
//! Scenarios on a shared cluster use topics and groups of their own and do no harm to the servers; destructive ones
//! start a cluster for themselves.

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

/// Lets go of all shared clusters; each stops when its last user is done. To be called before the process ends, for
/// statics are not dropped (the supervisors would clear up all the same, a little later).
pub fn close_shared() {
    drop(mem::take(&mut *POOL.lock().unwrap_or_else(PoisonError::into_inner)));
}
