//! Changes of the attributes of topics and groups, as text: `+name=value,-name`.
//!
//! Laws: each name changes once, since brokers refuse to set and to remove it at a time. What is written reads back the
//! same, so what would not is refused.
//!
//! Sources: Java `AttributeParser`, `AttributeUtil#alterCurrentAttributes`; wire.md §5.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

/// What to change of the attributes of a topic or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// Each name with its new value, or with none where it is to go.
    changes: BTreeMap<String, Option<String>>,
}

/// Why an attribute cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// It begins with neither `+` nor `-`, or has no value where it is set, or one where it is removed.
    #[error("a change of an attribute is +name=value or -name")]
    Form,
    /// The name or the value is empty or holds `,` or `=`.
    #[error("an attribute needs a name and a value, without commas and equals signs")]
    Text,
    /// The same name again.
    #[error("an attribute changes once at a time")]
    Again,
}

impl AttributeChanges {
    /// No change.
    #[must_use]
    pub const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Reads changes. Nothing is no change.
    ///
    /// # Errors
    /// [`AttributeError`] of the first change that is none.
    pub fn parse(text: &str) -> Result<Self, AttributeError> {
        let mut changes = Self::new();
        for change in text.split(',').filter(|_| !text.is_empty()) {
            let removed = change.strip_prefix('-');
            match (change.strip_prefix('+').and_then(|set| set.split_once('=')), removed) {
                (Some((name, value)), _) => changes.set(name, value)?,
                (None, Some(name)) => changes.remove(name)?,
                (None, None) => return Err(AttributeError::Form),
            }
        }
        Ok(changes)
    }

    /// Sets an attribute, which may be there already.
    ///
    /// # Errors
    /// [`AttributeError`], with nothing changed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), AttributeError> {
        self.change(name, Some(checked(value)?))
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// [`AttributeError`], with nothing changed.
    pub fn remove(&mut self, name: &str) -> Result<(), AttributeError> {
        self.change(name, None)
    }

    /// Each name with its new value, or with none where it is to go.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.changes.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    fn change(&mut self, name: &str, value: Option<&str>) -> Result<(), AttributeError> {
        let name = checked(name)?;
        if self.changes.contains_key(name) {
            return Err(AttributeError::Again);
        }
        self.changes.insert(name.into(), value.map(String::from));
        Ok(())
    }
}

fn checked(text: &str) -> Result<&str, AttributeError> {
    if text.is_empty() || text.contains([',', '=']) { Err(AttributeError::Text) } else { Ok(text) }
}

impl fmt::Display for AttributeChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match value {
                Some(value) => write!(f, "{comma}+{name}={value}")?,
                None => write!(f, "{comma}-{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn changes_read_back() {
        for text in ["", "+message.type=NORMAL", "+a=1,-b,+c=2", "-a", "+-a=1", "--a"] {
            let changes = AttributeChanges::parse(text).expect(text);
            let again = AttributeChanges::parse(&changes.to_string());
            assert_eq!(again.as_ref(), Ok(&changes), "{text}");
            assert_eq!(changes.iter().count(), text.split(',').filter(|change| !change.is_empty()).count());
        }
        let changes = AttributeChanges::parse("+c=2,-b,+a=1").expect("three changes");
        assert_eq!(changes.iter().collect::<Vec<_>>(), [("a", Some("1")), ("b", None), ("c", Some("2"))]);
        assert_eq!(changes.to_string(), "+a=1,-b,+c=2");
    }

    #[test]
    fn what_brokers_refuse_is_refused() {
        for (text, why) in [
            ("bad", AttributeError::Form),
            ("+a", AttributeError::Form),
            ("a=1", AttributeError::Form),
            (",", AttributeError::Form),
            ("+a=1,", AttributeError::Form),
            ("+a=", AttributeError::Text),
            ("+=1", AttributeError::Text),
            ("-", AttributeError::Text),
            ("-a=1", AttributeError::Text),
            ("+a=1=2", AttributeError::Text),
            ("+a=1,-a", AttributeError::Again),
            ("-a,-a", AttributeError::Again),
        ] {
            assert_eq!(AttributeChanges::parse(text), Err(why), "{text}");
        }
        let mut changes = AttributeChanges::new();
        assert_eq!(changes.set("a,b", "1"), Err(AttributeError::Text));
        assert_eq!(changes.set("a", ""), Err(AttributeError::Text));
        assert_eq!(changes, AttributeChanges::default());
    }
}
