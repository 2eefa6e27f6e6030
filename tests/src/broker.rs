//! Real name servers and brokers of Apache RocketMQ on loopback, started from Maven Central's jars.
//!
//! ```no_run
//! use fusee_tests::broker::{Cluster, Version};
//!
//! let cluster = Cluster::builder(Version::V5_5_0).brokers(2).start()?;
//! cluster.create_topic("orders", 4)?;
//! cluster.kill(0)?; // SIGKILL; the store stays
//! cluster.restart(0)?; // same store, same ports, ready again
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Laws:
//! - No process and no directory outlives the process that started the cluster, however that one ends: a small shell
//!   per cluster owns the JVMs and clears everything when the pipe to its standard input closes (`supervisor`).
//! - No fixed ports; clusters of several processes never share one (`ports`).
//! - Ready means asked and answered, never slept for (`ready`).
//! - The jar cache is complete or absent, never half filled (`jars`).

pub mod accounts;
pub mod certificates;
mod cluster;
mod jars;
mod plan;
mod pool;
mod ports;
mod ready;
mod servers;
mod supervisor;

pub use cluster::Cluster;
pub use plan::{ClusterBuilder, Secured, Version};
pub use pool::{borrow, close_shared, hand_back, shared};
pub use ready::stretch;
pub use servers::{Model, Servers};

use std::io::{self, Write as _};
use std::path::PathBuf;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This machine cannot run brokers: Java or the jars are missing.
    #[error("real brokers are not available: {0}")]
    Unavailable(String),
    /// A server ended while it started.
    #[error("{name} ended while it started; its logs are in {logs}\n{tail}", logs = .logs.display())]
    Died {
        /// Which server.
        name: String,
        /// The directory kept for a look.
        logs: PathBuf,
        /// The last lines it wrote.
        tail: String,
    },
    /// A server did not become usable in time.
    #[error("{name} is not ready in time: {why}; its logs are in {logs}\n{tail}", logs = .logs.display())]
    Late {
        /// Which server.
        name: String,
        /// What was still missing.
        why: String,
        /// The directory kept for a look.
        logs: PathBuf,
        /// The last lines it wrote.
        tail: String,
    },
    /// A server does not use a property as it was given.
    #[error("{name} did not take {key}={given}: it uses {used:?}")]
    Property {
        /// Which server.
        name: String,
        /// The property.
        key: String,
        /// The value asked for.
        given: String,
        /// What the server says it uses, if it says anything.
        used: Option<String>,
    },
    /// No run of free ports was found.
    #[error("no {0} free ports in a row")]
    Ports(u16),
    /// A process, file or connection failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What went wrong.
        source: io::Error,
    },
}

impl StartError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Whether this run may do without real brokers; from `FUSEE_REAL_BROKER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// `required`: absence is a failure.
    Required,
    /// `off`: do not start any.
    Off,
    /// Unset: use them when Java is there, say so when it is not.
    IfPossible,
}

impl Demand {
    /// Reads the variable; an unknown value is a mistake worth stopping for.
    pub fn from_env() -> Result<Self, String> {
        match std::env::var("FUSEE_REAL_BROKER").as_deref() {
            Ok("required") => Ok(Self::Required),
            Ok("off") => Ok(Self::Off),
            Ok("") | Err(std::env::VarError::NotPresent) => Ok(Self::IfPossible),
            Ok(other) => Err(format!("FUSEE_REAL_BROKER={other}: expected `required` or `off`")),
            Err(error) => Err(format!("FUSEE_REAL_BROKER: {error}")),
        }
    }
}

/// Whether brokers of this version can be run here. Fetches the jars when they are not cached yet.
pub fn availability(version: Version) -> Result<(), StartError> {
    jars::Jars::ready(version).map(drop)
}

/// Whether a test that needs real brokers shall run. `false` after one visible line that says what is skipped and why;
/// panics when they are demanded ([`Demand::Required`]) and absent.
pub fn wanted(test: &str) -> bool {
    let why = match Demand::from_env() {
        Err(mistake) => panic!("{mistake}"),
        Ok(Demand::Off) => "FUSEE_REAL_BROKER=off".to_owned(),
        Ok(demand) => match Version::ALL.into_iter().try_for_each(availability) {
            Ok(()) => return true,
            Err(error) if demand == Demand::Required => panic!("{error}, and FUSEE_REAL_BROKER=required"),
            Err(error) => error.to_string(),
        },
    };
    // Not by `eprintln`, which the test harness captures.
    let line = format!("SKIPPED {test}: {why}\n");
    io::stderr().write_all(line.as_bytes()).expect("standard error is open");
    false
}
