//! Asks servers whether they are usable: a name server answers, a broker answers and every live name server lists it
//! and knows the template of new topics.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::plan::broker_name;
use crate::raw::{Caller, code, quote_integer_keys};

/// A broker that started before its name server listened tries again only after its whole period; nudged after this.
const NUDGE_AFTER: Duration = Duration::from_secs(1);

/// How much longer things may take than on a machine of one's own: 1, up to 4 when there is far more work than
/// processors.
pub fn stretch() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (load / (2.0 * processors as f64)).clamp(1.0, 4.0)
}

/// How long a start may take.
pub(super) fn deadline(begun: Instant) -> Instant {
    begun + Duration::from_secs(90).mul_f64(stretch())
}

/// `Err` says why the name server is not usable yet.
pub(super) fn name_server(caller: &Caller, address: &str) -> Result<(), String> {
    cluster_info(caller, address).map(drop)
}

/// What has been learned of a starting broker.
#[derive(Debug, Default)]
pub(super) struct Progress {
    answering: Option<Instant>,
}

impl Progress {
    /// `Err` says why the broker is not usable yet. `name_servers` are the live ones.
    pub(super) fn broker(
        &mut self,
        caller: &Caller,
        i: usize,
        address: &str,
        name_servers: &[String],
        auto_create: bool,
    ) -> Result<(), String> {
        let since = match self.answering {
            Some(since) => since,
            None => {
                caller
                    .call(address, code::BROKER_RUNTIME, &[], b"")
                    .and_then(|reply| reply.success("runtime info"))
                    .map_err(|error| error.to_string())?;
                *self.answering.insert(Instant::now())
            }
        };
        let name = broker_name(i);
        for server in name_servers {
            let info = cluster_info(caller, server)?;
            if info["brokerAddrTable"][&name]["brokerAddrs"]["0"] != address {
                if since.elapsed() > NUDGE_AFTER {
                    self.answering = Some(Instant::now());
                    // Setting the permission it has makes a broker register at once.
                    caller
                        .call(address, code::UPDATE_BROKER_CONFIG, &[], b"brokerPermission=6")
                        .map_err(|error| error.to_string())?;
                }
                return Err(format!("{server} does not list it"));
            }
            if auto_create {
                topic(caller, server, "TBW102", &name)?;
            }
        }
        Ok(())
    }
}

/// `Err` when this name server does not yet say that `broker` has `topic`.
pub(super) fn topic(caller: &Caller, name_server: &str, topic: &str, broker: &str) -> Result<(), String> {
    let masters = caller.masters(name_server, topic).map_err(|error| error.to_string())?;
    if masters.iter().flatten().any(|master| master.name == broker) {
        return Ok(());
    }
    Err(format!("{name_server} has no route of {topic} at {broker}"))
}

/// What a broker says it uses, by `key=value` lines.
pub(super) fn broker_properties(caller: &Caller, address: &str) -> io::Result<Vec<(String, String)>> {
    let reply = caller.call(address, code::BROKER_CONFIG, &[], b"")?.success("broker configuration")?;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect())
}

fn cluster_info(caller: &Caller, address: &str) -> Result<Value, String> {
    let reply =
        caller.call(address, code::CLUSTER_INFO, &[], b"").and_then(|reply| reply.success("cluster info"));
    let reply = reply.map_err(|error| error.to_string())?;
    serde_json::from_str(&quote_integer_keys(&String::from_utf8_lossy(&reply.body)))
        .map_err(|error| error.to_string())
}
