//! Messages as brokers and Java's validators see them.

use super::*;

fn pairs(message: &Message) -> Vec<(&str, &str)> {
    message.properties().collect()
}

#[test]
fn what_is_set_is_encoded_once_after_the_id_and_the_wait_flag() {
    let message = Message::new("orders", "body")
        .tag("old")
        .key("k1")
        .property("region", "eu")
        .tag("new")
        .key("k2")
        .property("region", "us");
    assert_eq!(pairs(&message), [("TAGS", "new"), ("KEYS", "k1 k2"), ("region", "us")]);
    let size = message.encoded_size();
    let prepared = message.prepared().expect("a legal message");
    assert_eq!(
        &*prepared.properties,
        format!(
            "UNIQ_KEY\u{1}{}\u{2}WAIT\u{1}true\u{2}TAGS\u{1}new\u{2}KEYS\u{1}k1 k2\u{2}region\u{1}us\u{2}",
            prepared.id
        )
    );
    assert_eq!(size, prepared.properties.len() + 4);
    assert_eq!(prepared.topic.as_str(), "orders");
    assert_eq!(&*prepared.body, b"body");
}

#[test]
fn a_property_whose_name_ends_another_is_not_replaced_with_it() {
    let message = Message::new("t", "b").property("ab", "1").property("b", "2").property("b", "3");
    assert_eq!(pairs(&message), [("ab", "1"), ("b", "3")]);
}

#[test]
fn ids_differ_and_have_32_hex_digits() {
    let ids: Vec<_> =
        (0..3).map(|_| Message::new("t", "b").prepared().expect("a legal message").id.to_string()).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn every_rule_refuses_what_it_names() {
    let long = "x".repeat(limits::BODY_BYTES + 1);
    let legal = || Message::new("t", "b");
    type Refusal = fn(&IllegalMessage) -> bool;
    let table: Vec<(Message, Refusal)> = vec![
        (Message::new("", "b"), |e| matches!(e, IllegalMessage::Topic { why: NameError::Empty, .. })),
        (Message::new("a b", "b"), |e| {
            matches!(e, IllegalMessage::Topic { why: NameError::Character(' '), .. })
        }),
        (Message::new("x".repeat(128), "b"), |e| {
            matches!(e, IllegalMessage::Topic { why: NameError::Long { .. }, .. })
        }),
        (Message::new("SCHEDULE_TOPIC_XXXX", "b"), |e| matches!(e, IllegalMessage::ReservedTopic(_))),
        (Message::new("OFFSET_MOVED_EVENT", "b"), |e| matches!(e, IllegalMessage::ReservedTopic(_))),
        (Message::new("rmq_sys_wheel_timer", "b"), |e| matches!(e, IllegalMessage::ReservedTopic(_))),
        (Message::new("t", ""), |e| matches!(e, IllegalMessage::EmptyBody)),
        (Message::new("t", long), |e| matches!(e, IllegalMessage::LongBody { .. })),
        (legal().property("UNIQ_KEY", "x"), |e| matches!(e, IllegalMessage::ReservedProperty(_))),
        (legal().property("TIMER_DELAY_SEC", "x"), |e| matches!(e, IllegalMessage::ReservedProperty(_))),
        (legal().property("", "x"), |e| matches!(e, IllegalMessage::BlankProperty(_))),
        (legal().property("a", "  "), |e| matches!(e, IllegalMessage::BlankProperty(_))),
        (legal().tag(""), |e| matches!(e, IllegalMessage::BlankProperty(_))),
        (legal().key("k").key(""), |e| matches!(e, IllegalMessage::BlankProperty(_))),
        (legal().key("a b"), |e| matches!(e, IllegalMessage::KeyWithSpace(_))),
        (legal().property("a\u{1}", "x"), |e| matches!(e, IllegalMessage::Separator(_))),
        (legal().property("a", "x\u{2}"), |e| matches!(e, IllegalMessage::Separator(_))),
        (legal().property("a", "x".repeat(32_000)), |e| matches!(e, IllegalMessage::LongProperties { .. })),
    ];
    for (message, expected) in table {
        let error = message.prepared().expect_err("an illegal message");
        assert!(expected(&error), "{message:?}: {error:?}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn what_brokers_take_is_legal() {
    for message in [
        Message::new("t", vec![0; limits::BODY_BYTES]),
        Message::new("TBW102", "b"),
        Message::new("%RETRY%group", [0, 1]),
        Message::new("t", "b").tag("A || B").key("ä").property("x", "a\nb"),
        Message::new("t", "b").delay_level(DelayLevel::S30).buyer_id("7").wait_for_store(false),
    ] {
        assert_eq!(message.check(), Ok(()), "{message:?}");
    }
}

#[test]
fn the_first_fault_is_the_one_reported() {
    let message = Message::new("a b", "b").property("KEYS", "x");
    assert!(matches!(message.check(), Err(IllegalMessage::Topic { .. })));
    assert_eq!(message.topic(), None);
}
