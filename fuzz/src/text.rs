//! Names, ids, properties: what is made of text and becomes text again.

use fusee_core::ids::{Address, Group, Topic};
use fusee_core::wire::attributes::AttributeChanges;
use fusee_core::wire::namespace::Namespace;
use fusee_core::wire::order_counts::OrderCounts;
use fusee_core::wire::rpc::heartbeat::SubscriptionEntry;
use fusee_core::wire::rpc::pop::{PopHandle, PopOffsets};
use fusee_core::wire::rpc::send::RecallHandle;
use fusee_core::wire::subscription::java_hash;
use fusee_core::wire::trace;
use fusee_core::wire::{OffsetId, Properties, PropertyText, Text, base64};

/// See `targets/properties.rs`.
pub fn properties(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let view = Properties::new(Text::from(text.clone()));
    let read = view.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    let mut written = PropertyText::new();
    let mut kept = Vec::new();
    for (name, value) in &read {
        assert_eq!(view.get(name), Some(value.as_str()));
        match written.put(name, value) {
            Ok(()) => kept.push((name.clone(), value.clone())),
            Err(_) => assert!(value.contains('\u{1}') || text.len() > 30_000, "{name:?} {value:?}"),
        }
    }
    let again = Properties::new(written.finish());
    let again = again.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    assert_eq!(again, kept);
    if let Some((name, value)) = text.split_once('=') {
        let mut one = PropertyText::new();
        if one.put(name, value).is_ok() {
            let one = Properties::new(one.finish());
            assert_eq!(one.iter().collect::<Vec<_>>(), [(name, value)]);
        }
    }
}

/// See `targets/ids.rs`.
pub fn ids(bytes: &[u8]) {
    let encoded = base64::encode(bytes, base64::STANDARD);
    assert_eq!(base64::decode(&encoded, base64::STANDARD).as_deref(), Some(bytes));
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Some(id) = OffsetId::parse(text) {
        assert_eq!(id.to_string(), text.to_uppercase());
    }
    if let Some(handle) = PopHandle::parse(text) {
        assert_eq!(PopHandle::parse(&handle.to_string()), Some(handle));
    }
    if let Some(handle) = RecallHandle::parse(text) {
        assert_eq!(RecallHandle::parse(&handle.to_string()), Some(handle));
    }
    if let Ok(offsets) = PopOffsets::parse(text) {
        assert!(offsets.0.len() <= text.len());
    }
    if let Ok(counts) = OrderCounts::parse(text) {
        assert!(counts.iter().count() <= text.len());
        for ((mark, queue, offset), count) in counts.iter() {
            assert!(offset.is_none_or(|offset| counts.of(mark, queue, offset) == count.max(0)));
        }
    }
    if let Some(decoded) = base64::decode(text, base64::URL) {
        assert!(decoded.len() <= text.len());
    }
}

/// See `targets/names.rs`.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Ok(topic) = Topic::new("T") else { return };
    if let Ok(entry) = SubscriptionEntry::tags(topic, &text, 1) {
        assert!(entry.tags.iter().all(|tag| !tag.is_empty() && text.contains(tag.as_str())));
        assert!(entry.codes.len() <= entry.tags.len());
        for tag in &entry.tags {
            assert!(entry.codes.contains(&java_hash(tag)));
            assert!(entry.accepts(Some(tag)));
        }
    }
    if let Ok(topic) = Topic::new(&text) {
        assert!(!text.is_empty() && topic.as_str() == text);
    }
    if let Ok(group) = Group::new(&text) {
        assert!(text.len() <= 120 && group.as_str() == text);
    }
    if let Ok(address) = Address::new(&text) {
        assert!(address.port() != 0 && !address.host().is_empty() && text.contains(address.host()));
    }
    if let Ok(changes) = AttributeChanges::parse(&text) {
        let again = changes.to_string();
        assert_eq!(again.len(), text.len(), "the same changes in another order");
        assert_eq!(AttributeChanges::parse(&again), Ok(changes));
    }
    // What is before a line's end is a namespace, what is behind it a name in it.
    let (namespace, name) = text.split_once('\n').unwrap_or(("ns", &text));
    if let Ok(namespace) = Namespace::new(namespace) {
        let wrapped = namespace.wrap(name);
        assert_eq!(namespace.wrap(&wrapped), wrapped, "what is wrapped is wrapped");
        assert!(wrapped == name || namespace.strip(&wrapped) == name);
        assert!(namespace.strip(name).len() <= name.len());
    }
}

/// See `targets/trace.rs`.
pub fn trace(bytes: &[u8]) {
    let body = Text::from(String::from_utf8_lossy(bytes).into_owned());
    let (mut kept, mut again, mut seen) = (Vec::new(), String::new(), 0);
    for record in trace::records(&body) {
        match record {
            Ok(record) => {
                assert!(record.keys().all(|key| !key.is_empty() && body.contains(key)));
                record.put(&mut again).expect("what was cut at the separators has none");
                kept.push(record);
            }
            Err(bad) => assert!(!bad.text.is_empty() && body.contains(bad.text.as_str())),
        }
        seen += 1;
    }
    assert!(seen <= body.len(), "a record has a byte");
    assert_eq!(trace::records(&Text::from(again)).collect::<Result<Vec<_>, _>>(), Ok(kept));
}
