//! Receipts, lists of offsets and batches of acknowledgements.

use super::*;
use alloc::string::ToString;

#[test]
fn receipts_read_back_and_broken_ones_do_not() {
    let text = "100 1700000000000 60000 3 0 broker-a 0 101";
    let handle = PopHandle::parse(text).expect(text);
    assert_eq!((handle.start, handle.offset, handle.mark), (100, 101, RetryMark::Normal));
    assert_eq!(handle.to_string(), text);
    for bad in ["", "100 1 2 3 0 b 0", "100 1 2 3 9 b 0 1", "100 1 2 3 0 b 0 1 2", "x 1 2 3 0 b 0 1"] {
        assert_eq!(PopHandle::parse(bad), None, "{bad}");
    }
}

#[test]
fn offset_lists_are_read_whole_or_not_at_all() {
    let offsets = PopOffsets::parse("0 0 100,101;1 0 7").expect("two lists").0;
    assert_eq!(offsets[&(RetryMark::Normal, 0)], [100, 101]);
    assert_eq!(offsets[&(RetryMark::V1, 0)], [7]);
    assert_eq!(PopOffsets::parse(""), Ok(PopOffsets::default()));
    for bad in ["0 0", "0 0 1 2", "0 0 1;0 0 2", "0 0 1;;0 1 1", "3 0 1", "0 0 x"] {
        assert!(PopOffsets::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_batch_of_acknowledgements_is_written_as_java_does() {
    let ack = AckGroup {
        group: Group::new("cg").expect("a group"),
        topic: Topic::new("TopicTest").expect("a topic"),
        mark: RetryMark::Normal,
        start: 100,
        queue: 1,
        revive_queue: 2,
        pop_time: 1_700_000_000_000,
        invisible_ms: 60_000,
        acked: alloc::vec![0, 3, 9],
    };
    let batch = BatchAck { broker: BrokerName::new("broker-a").expect("a broker"), acks: alloc::vec![ack] };
    let text = r#"{"acks":[{"b":"CQI=","c":"cg","it":60000,"pt":1700000000000,"q":1,"r":"0","rq":2,"so":100,"t":"TopicTest"}],"brokerName":"broker-a"}"#;
    assert_eq!(batch.body(), text.as_bytes());
}
