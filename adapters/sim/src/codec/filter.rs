//! Subscriptions as a broker evaluates them (Java: `FilterAPI`, `SubscriptionData`): by tag, and by hash only.

use std::collections::BTreeSet;

/// Java's `String.hashCode`, over UTF-16 code units.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Which tags of a topic a group wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags(Option<BTreeSet<i32>>);

impl Tags {
    /// Everything.
    pub const ALL: Self = Self(None);

    /// The tags of an expression such as `a || b`.
    ///
    /// # Errors
    /// When nothing but separators is left of it.
    pub fn parse(expression: &str) -> Result<Self, &'static str> {
        if expression.is_empty() || expression == "*" {
            return Ok(Self::ALL);
        }
        if expression.split("||").all(str::is_empty) {
            return Err("subString split error");
        }
        let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        Ok(Self(Some(tags.map(java_hash).collect())))
    }

    /// What a heartbeat says: an expression beside its hashes, of which Java uses the hashes.
    #[must_use]
    pub fn from_codes(expression: &str, codes: impl IntoIterator<Item = i32>) -> Self {
        if expression == "*" { Self::ALL } else { Self(Some(codes.into_iter().collect())) }
    }

    /// Would the broker hand out a message with this tag? Equal hashes are equal tags to it.
    #[must_use]
    pub fn pass(&self, tag: Option<&str>) -> bool {
        self.0.as_ref().is_none_or(|wanted| wanted.contains(&tag.map_or(0, java_hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        for (tag, hash) in [("TagA", 2_598_919), ("订单", 1_129_459), ("😀", 1_772_899), ("", 0)] {
            assert_eq!(java_hash(tag), hash, "{tag}");
        }
        assert_eq!(java_hash("AaAa"), java_hash("BBBB"));
    }

    #[test]
    fn expressions_mean_what_java_makes_of_them() {
        assert!(Tags::parse("*").unwrap().pass(None));
        let tags = Tags::parse(" TagA || TagB").unwrap();
        assert!(tags.pass(Some("TagA")) && tags.pass(Some("TagB")));
        assert!(!tags.pass(Some("TagA || TagB")) && !tags.pass(None));
        assert!(Tags::parse("||").is_err());
        assert!(!Tags::parse(" || ").unwrap().pass(Some("TagA")));
    }
}
