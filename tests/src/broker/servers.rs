//! What scenarios run against: the servers of a release, or the model of them, with the same methods.
//!
//! Law: the model is served on TCP and asked by the same independent speaker as real servers are; only what a process
//! is told by signals, and the making of topics, goes past its sockets.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use fusee_sim::{Cluster as ModelCluster, Line};

use super::plan::broker_name;
use super::{Cluster, ClusterBuilder, StartError, Version};
use crate::raw::{Caller, Stored};

/// A cluster to test against.
#[derive(Debug)]
pub enum Servers {
    /// Processes.
    Real(Arc<Cluster>),
    /// Machines in this process.
    Model(Model),
}

/// A served model, as the description of a real cluster wants it.
#[derive(Debug)]
pub struct Model {
    cluster: ModelCluster,
    builder: ClusterBuilder,
    caller: Caller,
}

impl ClusterBuilder {
    /// Why the model cannot be this cluster, if it cannot.
    pub fn unmodelled(&self) -> Option<&'static str> {
        if self.acl {
            Some("the model knows no accounts")
        } else if self.secured.is_some() {
            Some("the model speaks no TLS")
        } else if !self.set.is_empty() {
            Some("the model has no such properties")
        } else {
            None
        }
    }

    /// The model of the cluster described.
    pub fn model(&self) -> io::Result<Model> {
        if let Some(why) = self.unmodelled() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let line = match self.version {
            Version::V4_9_4 => Line::V4_9,
            Version::V5_5_0 => Line::V5,
        };
        let model = ModelCluster::builder().brokers(self.brokers).name_servers(self.name_servers).line(line);
        let model = if self.auto_create { model } else { model.strict() };
        Ok(Model { cluster: model.try_start()?, builder: self.clone(), caller: Caller::default() })
    }
}

impl Servers {
    /// Which release it is, or imitates.
    pub fn version(&self) -> Version {
        match self {
            Self::Real(real) => real.version(),
            Self::Model(model) => model.builder.version,
        }
    }

    /// Addresses of all name servers, dead ones included.
    pub fn name_servers(&self) -> Vec<String> {
        match self {
            Self::Real(real) => real.name_servers(),
            Self::Model(model) => model.cluster.addr().split(';').map(str::to_owned).collect(),
        }
    }

    /// How many brokers.
    pub fn brokers(&self) -> usize {
        match self {
            Self::Real(real) => real.brokers(),
            Self::Model(model) => model.builder.brokers,
        }
    }

    /// Address of a broker.
    pub fn broker_addr(&self, i: usize) -> String {
        match self {
            Self::Real(real) => real.broker_addr(i),
            Self::Model(model) => model.cluster.broker_addr(i).to_string(),
        }
    }

    /// `broker-a` and so on.
    pub fn broker_name(&self, i: usize) -> String {
        broker_name(i)
    }

    /// How to talk to it.
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Real(real) => real.caller(),
            Self::Model(model) => &model.caller,
        }
    }

    /// Ends a broker's process. Its store stays.
    pub fn kill(&self, i: usize) -> io::Result<()> {
        match self {
            Self::Real(real) => return real.kill(i),
            Self::Model(model) => model.cluster.kill(i),
        }
        Ok(())
    }

    /// Starts a broker (again) with its store and at its address, and waits until it is usable.
    pub fn restart(&self, i: usize) -> Result<(), StartError> {
        match self {
            Self::Real(real) => return real.restart(i),
            Self::Model(model) => model.cluster.restart(i),
        }
        Ok(())
    }

    /// A broker's connections stay open and nothing answers.
    pub fn pause(&self, i: usize) -> io::Result<()> {
        match self {
            Self::Real(real) => return real.pause(i),
            Self::Model(model) => model.cluster.pause(i),
        }
        Ok(())
    }

    /// It goes on.
    pub fn resume(&self, i: usize) -> io::Result<()> {
        match self {
            Self::Real(real) => return real.resume(i),
            Self::Model(model) => model.cluster.resume(i),
        }
        Ok(())
    }

    /// Ends a name server's process.
    pub fn kill_name_server(&self, i: usize) -> io::Result<()> {
        match self {
            Self::Real(real) => return real.kill_name_server(i),
            Self::Model(model) => model.cluster.kill_name_server(i),
        }
        Ok(())
    }

    /// Starts a name server (again) and waits until it answers.
    pub fn restart_name_server(&self, i: usize) -> Result<(), StartError> {
        match self {
            Self::Real(real) => return real.restart_name_server(i),
            Self::Model(model) => model.cluster.restart_name_server(i),
        }
        Ok(())
    }

    /// Waits until every live name server lists every live broker.
    pub fn await_routes(&self) -> Result<(), StartError> {
        match self {
            Self::Real(real) => real.await_routes(),
            // Its brokers register the moment a name server is up.
            Self::Model(_) => Ok(()),
        }
    }

    /// Makes a topic on every live broker with this many queues each, and waits until every live name server knows.
    pub fn create_topic(&self, topic: &str, queues: u32) -> io::Result<()> {
        match self {
            Self::Real(real) => return real.create_topic(topic, queues),
            Self::Model(model) => model.cluster.create_topic(topic, queues.cast_signed()),
        }
        Ok(())
    }

    /// Everything the queues of a topic hold, read by an independent reader.
    pub fn scan(&self, topic: &str) -> io::Result<Vec<Stored>> {
        match self {
            Self::Real(real) => real.scan(topic),
            Self::Model(model) => model.caller.scan(&self.live_name_server()?, topic),
        }
    }

    /// Makes a consumer group on every live broker.
    pub fn create_group(&self, group: &str) -> io::Result<()> {
        match self {
            Self::Real(real) => real.create_group(group),
            Self::Model(model) => {
                let brokers = (0..self.brokers()).map(|i| self.broker_addr(i));
                brokers
                    .filter(|address| listens(address))
                    .try_for_each(|a| model.caller.create_group(&a, group))
            }
        }
    }

    /// Stores an offset for a group with the first broker.
    pub fn commit(&self, group: &str, topic: &str, queue: i32, offset: i64) -> io::Result<()> {
        self.caller().commit(&self.broker_addr(0), group, topic, queue, offset)
    }

    /// The offset the first broker has for a group, if it has one.
    pub fn committed(&self, group: &str, topic: &str, queue: i32) -> io::Result<Option<i64>> {
        self.caller().committed(&self.broker_addr(0), group, topic, queue)
    }

    /// Stores a message with the property `MARK` in a queue of every broker of a topic; returns how many.
    pub fn mark(&self, topic: &str, body: &str) -> io::Result<usize> {
        self.caller().mark(&self.live_name_server()?, topic, body)
    }

    fn live_name_server(&self) -> io::Result<String> {
        let live = self.name_servers().into_iter().find(|address| listens(address));
        live.ok_or_else(|| io::Error::other("no live name server"))
    }
}

fn listens(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}
