//! A send and its reply as a recorded conversation has them, and a large route.

use bytes::{Bytes, BytesMut};
use fusee_core::ids::{BrokerName, Group, Topic};
use fusee_core::time::UnixMillis;
use fusee_core::wire::{Dialect, Header, SendMessage, Text};

use super::stored::PROPERTIES;

const REPLY: &str = r#"{"code":0,"extFields":{"queueId":"3","transactionId":"FD00000000000000000000000000000261014E0E2F2A695F51840000","msgId":"7F00000100007B0D0000000000001E0D","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"0"},"flag":1,"language":"JAVA","opaque":5,"serializeTypeCurrentRPC":"JSON","version":513}"#;

/// The recorded send.
pub(crate) fn send() -> SendMessage {
    SendMessage {
        group: Group::new("PG_basic").expect("a group"),
        topic: Topic::new("CapBasic").expect("a topic"),
        default_topic: Text::from("TBW102"),
        default_queues: 4,
        queue: 3,
        sys_flag: 0,
        born: UnixMillis(1_795_259_054_468),
        flag: 0,
        properties: Text::from(PROPERTIES),
        reconsume_times: 0,
        unit_mode: false,
        max_reconsume: None,
        batch: false,
        broker: BrokerName::new("broker-a").expect("a name"),
        body: Bytes::from_static(b"payload"),
    }
}

/// The recorded reply as a frame. In JSON its header is the broker's, byte for byte.
pub(crate) fn reply(dialect: Dialect) -> Bytes {
    let mut out = BytesMut::new();
    match dialect {
        Dialect::Json => {
            let header = u32::try_from(REPLY.len()).expect("a small header");
            out.extend_from_slice(&(header + 4).to_be_bytes());
            out.extend_from_slice(&header.to_be_bytes());
            out.extend_from_slice(REPLY.as_bytes());
        }
        Dialect::Binary => {
            let header = Header::decode(Dialect::Json, Bytes::from_static(REPLY.as_bytes()));
            assert_eq!(header.expect("a recorded header").encode(dialect, 0, &mut out), Ok(dialect));
        }
    }
    out.freeze()
}

/// The body of a route of 1,000 queues on 100 brokers.
pub(crate) fn route() -> String {
    let list = |entry: fn(usize) -> String| (0..100).map(entry).collect::<Vec<_>>().join(",");
    let brokers = list(|at| {
        format!(
            r#"{{"brokerAddrs":{{"0":"10.0.0.{at}:10911","1":"10.0.1.{at}:10911"}},"brokerName":"broker-{at}","cluster":"DefaultCluster","enableActingMaster":false}}"#
        )
    });
    let queues = list(|at| {
        format!(
            r#"{{"brokerName":"broker-{at}","perm":6,"readQueueNums":10,"topicSysFlag":0,"writeQueueNums":10}}"#
        )
    });
    format!(r#"{{"brokerDatas":[{brokers}],"filterServerTable":{{}},"queueDatas":[{queues}]}}"#)
}
