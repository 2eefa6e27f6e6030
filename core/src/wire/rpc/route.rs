//! Routes: which brokers hold a topic, with how many queues, and where those brokers are.
//!
//! Laws: what a name server claims is bounded before anything is sized by it. A route is taken whole or not at all.
//!
//! Sources: Java `TopicRouteData`, `BrokerData`, `QueueData`, `TopicQueueMappingInfo`; wire.md §3.6, §5.1, §12.6.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::record::record;
use super::{Rpc, RpcError, success};
use crate::ids::{Address, BrokerName, Topic};
use crate::limits::wire as limits;
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

record! {
    /// Asks a name server for a topic's route (105). Answered with 17 when it knows of none.
    GetRoute {
        /// The topic.
        topic: Topic = "topic",
    }
}

impl Rpc for GetRoute {
    const CODE: i32 = RequestCode::GET_ROUTEINFO_BY_TOPIC.0;
    type Reply = Route;

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
        out.flag("acceptStandardJsonOnly", true);
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        Self::read_fields(&frame.header.fields)
    }

    fn reply(frame: &Frame) -> Result<Route, RpcError> {
        success(frame)?;
        Route::parse(&frame.body)
    }
}

/// Where a topic lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The queues, by broker.
    pub queues: Vec<RouteQueue>,
    /// The brokers.
    pub brokers: Vec<RouteBroker>,
    /// Java's order configuration: `broker-a:4;broker-b:4`.
    pub order_conf: Option<Text>,
    /// The logical queues of a static topic; empty for any other.
    pub mappings: Vec<QueueMapping>,
}

/// A broker's share of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteQueue {
    /// The broker.
    pub broker: BrokerName,
    /// How many queues may be read.
    pub read: i32,
    /// How many queues may be written.
    pub write: i32,
    /// 4 read, 2 write, 1 inherit, 8 priority.
    pub perm: i32,
    /// The topic's system flag.
    pub sys_flag: i32,
}

impl RouteQueue {
    /// Whether its queues may be read.
    #[must_use]
    pub const fn readable(&self) -> bool {
        self.perm & 4 != 0
    }

    /// Whether its queues may be written.
    #[must_use]
    pub const fn writable(&self) -> bool {
        self.perm & 2 != 0
    }
}

/// A broker and the addresses of its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBroker {
    /// Its name.
    pub name: BrokerName,
    /// The cluster it is part of.
    pub cluster: Text,
    /// Its replicas by their id; 0 is the master.
    pub addresses: BTreeMap<i64, Address>,
    /// Whether a slave may stand in for a missing master.
    pub acting_master: bool,
    /// The zone it is in.
    pub zone: Option<Text>,
}

/// A broker's share of a static topic: which of its queues is which logical one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMapping {
    /// The broker.
    pub broker: BrokerName,
    /// The scope of the logical queues, such as `__global__`.
    pub scope: Text,
    /// Grows with every change; the greatest epoch that has a queue wins.
    pub epoch: i64,
    /// How many logical queues there are.
    pub total: i32,
    /// Logical to physical.
    pub current: BTreeMap<i32, i32>,
}

impl Route {
    /// Reads the body of a route answer, in the standard form and in the older one with bare keys.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        body::parse::<RouteBody>(body)?.check()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteBody {
    #[serde(default, deserialize_with = "body::or_default")]
    broker_datas: Vec<BrokerBody>,
    #[serde(default, deserialize_with = "body::or_default")]
    queue_datas: Vec<QueueBody>,
    #[serde(default)]
    order_topic_conf: Option<Text>,
    #[serde(default, deserialize_with = "body::or_default")]
    topic_queue_mapping_by_broker: BTreeMap<String, MappingBody>,
}

/// Java's `BrokerData`, also part of the cluster body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BrokerBody {
    #[serde(with = "body::broker")]
    broker_name: BrokerName,
    #[serde(default, deserialize_with = "body::or_default")]
    cluster: Text,
    #[serde(default, deserialize_with = "body::or_default")]
    broker_addrs: Addresses,
    #[serde(default, deserialize_with = "body::or_default")]
    enable_acting_master: bool,
    #[serde(default)]
    zone_name: Option<Text>,
}

/// Replicas by their id; `None` if one has an address that is none. Replicas without an address are left out.
struct Addresses(Option<BTreeMap<i64, Address>>);

impl Default for Addresses {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Addresses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("addresses by the ids of replicas")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Addresses, M::Error> {
                let mut addresses = Addresses::default();
                while let Some((id, address)) = map.next_entry::<i64, Option<body::Borrowed<'de>>>()? {
                    match (address.map(|address| Address::new(&address.0)), &mut addresses.0) {
                        (Some(Ok(address)), Some(addresses)) => drop(addresses.insert(id, address)),
                        (Some(Err(_)), _) => addresses.0 = None,
                        (Some(Ok(_)) | None, _) => {}
                    }
                }
                Ok(addresses)
            }
        }

        from.deserialize_map(Reader)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueBody {
    #[serde(with = "body::broker")]
    broker_name: BrokerName,
    #[serde(default)]
    perm: i32,
    #[serde(default)]
    read_queue_nums: i32,
    #[serde(default)]
    write_queue_nums: i32,
    /// Misspelt until 4.8.
    #[serde(default, alias = "topicSynFlag")]
    topic_sys_flag: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MappingBody {
    #[serde(default, deserialize_with = "body::or_default")]
    bname: String,
    #[serde(default, deserialize_with = "body::or_default")]
    scope: Text,
    #[serde(default)]
    epoch: i64,
    #[serde(default)]
    total_queues: i32,
    #[serde(default, deserialize_with = "body::or_default")]
    curr_id_map: BTreeMap<i32, i32>,
}

fn broker_name(name: &str) -> Result<BrokerName, RpcError> {
    BrokerName::new(name).map_err(|_| RpcError::Malformed("brokerName"))
}

fn queue_count(count: i32) -> Result<i32, RpcError> {
    Some(count)
        .filter(|count| (0..=limits::ROUTE_QUEUES_PER_BROKER).contains(count))
        .ok_or(RpcError::Malformed("readQueueNums or writeQueueNums"))
}

impl RouteBody {
    fn check(self) -> Result<Route, RpcError> {
        if self.broker_datas.len() > limits::ROUTE_BROKERS || self.queue_datas.len() > limits::ROUTE_BROKERS {
            return Err(RpcError::Malformed("brokerDatas"));
        }
        let brokers = self.broker_datas.into_iter().map(BrokerBody::check).collect::<Result<Vec<_>, _>>()?;
        let mut total = 0_i64;
        let mut queues = Vec::with_capacity(self.queue_datas.len());
        for queue in self.queue_datas {
            let (read, write) = (queue_count(queue.read_queue_nums)?, queue_count(queue.write_queue_nums)?);
            total = total.saturating_add(i64::from(read.max(write)));
            if total > limits::ROUTE_QUEUES {
                return Err(RpcError::Malformed("queueDatas"));
            }
            let broker = queue.broker_name;
            queues.push(RouteQueue { broker, read, write, perm: queue.perm, sys_flag: queue.topic_sys_flag });
        }
        let mappings = self.topic_queue_mapping_by_broker.into_iter().map(MappingBody::check);
        let mappings = mappings.collect::<Result<Vec<_>, _>>()?;
        Ok(Route {
            queues,
            brokers,
            order_conf: self.order_topic_conf.filter(|conf| !conf.is_empty()),
            mappings,
        })
    }
}

impl BrokerBody {
    pub(crate) fn check(self) -> Result<RouteBroker, RpcError> {
        Ok(RouteBroker {
            name: self.broker_name,
            cluster: self.cluster,
            addresses: self.broker_addrs.0.ok_or(RpcError::Malformed("brokerAddrs"))?,
            acting_master: self.enable_acting_master,
            zone: self.zone_name,
        })
    }
}

impl MappingBody {
    fn check((key, mapping): (String, Self)) -> Result<QueueMapping, RpcError> {
        let name = if mapping.bname.is_empty() { &key } else { &mapping.bname };
        Ok(QueueMapping {
            broker: broker_name(name)?,
            scope: mapping.scope,
            epoch: mapping.epoch,
            total: queue_count(mapping.total_queues)?,
            current: mapping.curr_id_map,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const OLD: &str = r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"c"}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSynFlag":1,"writeQueueNums":8}]}"#;

    #[test]
    fn both_forms_read_the_same() {
        let old = Route::parse(OLD.as_bytes()).expect("the older form");
        let new = OLD
            .replace("0:\"", "\"0\":\"")
            .replace("1:\"10.0.0.2", "\"1\":\"10.0.0.2")
            .replace("SynFlag", "SysFlag");
        assert_eq!(Route::parse(new.as_bytes()).expect("the standard form"), old);
        assert_eq!(old.queues[0].write, 8);
        assert_eq!(old.queues[0].sys_flag, 1);
        assert_eq!(old.brokers[0].addresses[&0].as_str(), "10.0.0.1:10911");
    }

    #[test]
    fn claimed_queues_are_bounded() {
        for count in [-1_i64, 32_768, 2_147_483_647, 2_147_483_648] {
            let body = format!(
                r#"{{"queueDatas":[{{"brokerName":"b","perm":6,"readQueueNums":{count},"writeQueueNums":1}}]}}"#
            );
            assert!(Route::parse(body.as_bytes()).is_err(), "{count}");
        }
        let queue = r#"{"brokerName":"b","perm":6,"readQueueNums":32767,"writeQueueNums":1},"#.repeat(3);
        assert!(Route::parse(format!("{{\"queueDatas\":[{queue}]}}").as_bytes()).is_err());
        assert_eq!(Route::parse(b"{}"), Ok(Route::default()));
    }
}
