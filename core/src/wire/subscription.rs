//! Subscriptions by tag, and the hashes that Java and Go choose by.
//!
//! Laws: the hash of a text is Java's, over UTF-16: brokers filter by it, and a wrong one loses messages silently. What
//! means everything is said as `*` with no tags.
//!
//! Sources: Java `FilterAPI#buildSubscriptionData`, `String#hashCode`; wire.md §5.4, §8.8.

use alloc::vec::Vec;

use super::rpc::heartbeat::SubscriptionEntry;
use super::text::Text;
use crate::ids::Topic;

/// Java's `String.hashCode`.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// FNV-1a of 32 bits, by which the Go client chooses queues.
#[must_use]
pub fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The place among `count` that Java's selector by hash takes for a text; `None` when there is none.
#[must_use]
pub fn place_by_hash(text: &str, count: usize) -> Option<usize> {
    // Java: Math.abs, which leaves the smallest number as it is, and then 0 for what is still negative.
    let hash = usize::try_from(java_hash(text).checked_abs().unwrap_or(0)).unwrap_or(0);
    hash.checked_rem(count)
}

/// An expression that names no tag although it is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tag expression has separators and nothing else")]
pub struct NoTags;

impl SubscriptionEntry {
    /// A subscription by tags: `*` or nothing for everything, otherwise tags with two bars between them.
    pub fn tags(topic: Topic, expression: &str, version: i64) -> Result<Self, NoTags> {
        let all = expression.is_empty() || expression == "*";
        let mut tags = Vec::new();
        if !all {
            // Java splits like this: trailing empty pieces do not exist, so separators alone are nothing.
            if expression.split("||").all(str::is_empty) {
                return Err(NoTags);
            }
            for tag in expression.split("||").map(java_trim).filter(|tag| !tag.is_empty()) {
                if !tags.iter().any(|known: &Text| *known == tag) {
                    tags.push(Text::from(alloc::string::String::from(tag)));
                }
            }
        }
        Ok(Self {
            class_filter_mode: false,
            codes: codes(&tags),
            expression_type: Text::from("TAG"),
            expression: if all {
                Text::from("*")
            } else {
                Text::from(alloc::string::String::from(expression))
            },
            version,
            tags,
            topic,
        })
    }

    /// A subscription by an SQL92 expression, which only the broker understands.
    #[must_use]
    pub fn sql(topic: Topic, expression: Text, version: i64) -> Self {
        let expression_type = Text::from("SQL92");
        let (codes, tags) = (Vec::new(), Vec::new());
        Self { class_filter_mode: false, codes, expression_type, expression, version, tags, topic }
    }

    /// Whether a message with this tag belongs to the subscription: brokers filter by hash alone.
    #[must_use]
    pub fn accepts(&self, tag: Option<&str>) -> bool {
        self.tags.is_empty() || tag.is_some_and(|tag| self.tags.iter().any(|known| *known == tag))
    }
}

/// Java's `String.trim`: everything up to the blank, at both ends.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// The hashes of tags, each once.
fn codes(tags: &[Text]) -> Vec<i32> {
    let mut codes = Vec::with_capacity(tags.len());
    for code in tags.iter().map(|tag| java_hash(tag)) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_java_s() {
        for (tag, hash) in [("TagA", 2_598_919), ("订单", 1_129_459), ("😀", 1_772_899), ("", 0)] {
            assert_eq!(java_hash(tag), hash, "{tag}");
        }
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!((place_by_hash("polygenelubricants", 7), place_by_hash("TagA", 4)), (Some(0), Some(3)));
        assert_eq!(place_by_hash("x", 0), None);
        assert_eq!(fnv1a("a"), 0xE40C_292C);
    }

    #[test]
    fn expressions_become_tags() {
        let of = |expression| SubscriptionEntry::tags(Topic::new("T").expect("a topic"), expression, 1);
        for all in ["", "*"] {
            let entry = of(all).expect(all);
            assert_eq!((entry.expression.as_str(), entry.tags.len()), ("*", 0));
        }
        let entry = of(" TagA || TagB||TagA|| ").expect("two tags");
        assert_eq!(
            (entry.tags.as_slice(), entry.codes.len()),
            (&[Text::from("TagA"), Text::from("TagB")][..], 2)
        );
        assert!(entry.accepts(Some("TagB")) && !entry.accepts(Some("TagC")) && !entry.accepts(None));
        assert_eq!(of("||"), Err(NoTags));
        assert_eq!(of(" || ").map(|entry| entry.tags.len()), Ok(0));
        assert_eq!(of(" * ").map(|entry| entry.tags), Ok(alloc::vec![Text::from("*")]));
    }
}
