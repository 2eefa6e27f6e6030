//! Namespaces of the first kind: tenants who share brokers have the namespace in the names of their topics and groups.
//!
//! Laws:
//! - A name that is wrapped reads as it was when it is stripped, unless it began with the namespace already: Java takes
//!   such a one for wrapped, so that wrapping twice is wrapping once.
//! - Retry and dead-letter topics keep their prefix in front: `%RETRY%` and the wrapped group is the wrapped retry topic.
//! - What belongs to the brokers is in no namespace.
//!
//! Sources: Java `NamespaceUtil`, `ClientConfig#withNamespace`; wire.md §12.4.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use super::topic;
use crate::error::NameError;
use crate::ids::{DEAD_LETTER_PREFIX, Group, RETRY_PREFIX};

const SEPARATOR: char = '%';

/// A namespace: characters that names have, without the one that ends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    /// The name and the separator.
    prefix: String,
}

impl Namespace {
    /// Checks and makes a namespace.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long for any name behind it, holds a character that brokers refuse or `%`, or
    /// begins as their own names do.
    pub fn new(name: &str) -> Result<Self, NameError> {
        // It has to be the beginning of groups.
        Group::new(name)?;
        if name.contains(SEPARATOR) {
            return Err(NameError::Character(SEPARATOR));
        }
        if is_system(name) {
            return Err(NameError::Reserved);
        }
        Ok(Self { prefix: format!("{name}{SEPARATOR}") })
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.prefix.trim_end_matches(SEPARATOR)
    }

    /// What a topic or a group of this namespace is called on brokers. That may be too long for one.
    #[must_use]
    pub fn wrap<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let (derived, bare) = split(name);
        if name.is_empty() || is_system(name) || bare.starts_with(&self.prefix) {
            return Cow::Borrowed(name);
        }
        Cow::Owned([derived, &self.prefix, bare].concat())
    }

    /// What a topic or a group is called in this namespace; one that is not in it keeps its name.
    #[must_use]
    pub fn strip<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if is_system(name) {
            return Cow::Borrowed(name);
        }
        match split(name) {
            ("", bare) => Cow::Borrowed(bare.strip_prefix(&self.prefix).unwrap_or(bare)),
            (derived, bare) => match bare.strip_prefix(&self.prefix) {
                Some(bare) => Cow::Owned([derived, bare].concat()),
                None => Cow::Borrowed(name),
            },
        }
    }
}

fn is_system(name: &str) -> bool {
    topic::is_system(name) || topic::is_system_group(name)
}

/// The prefix of a retry or dead-letter topic, if it is one, and the rest.
fn split(name: &str) -> (&str, &str) {
    let derived = [RETRY_PREFIX, DEAD_LETTER_PREFIX].into_iter().find(|prefix| name.starts_with(prefix));
    name.split_at_checked(derived.map_or(0, str::len)).unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::rng::Rng;

    fn ns() -> Namespace {
        Namespace::new("ns").expect("a namespace")
    }

    #[test]
    fn names_are_wrapped_once_and_stripped() {
        for (name, wrapped) in [
            ("T", "ns%T"),
            ("%RETRY%g", "%RETRY%ns%g"),
            ("%DLQ%g", "%DLQ%ns%g"),
            ("%RETRY%%DLQ%g", "%RETRY%ns%%DLQ%g"),
            ("other%T", "ns%other%T"),
            ("%RETRY%", "%RETRY%ns%"),
            ("%RETRY%TBW102", "%RETRY%ns%TBW102"),
            ("T%", "ns%T%"),
            ("nst", "ns%nst"),
        ] {
            assert_eq!(ns().wrap(name), wrapped);
            assert_eq!(ns().wrap(wrapped), wrapped);
            assert_eq!(ns().strip(wrapped), name);
        }
        for name in ["T", "%RETRY%g", "other%T", "%RETRY%other%g", "nsT", ""] {
            assert_eq!(ns().strip(name), name, "it is in no namespace or in another one");
        }
    }

    #[test]
    fn what_is_the_brokers_own_is_in_no_namespace() {
        for name in ["", "TBW102", "rmq_sys_wheel_timer", "CID_RMQ_SYS_x", "RMQ_SYS_TRACE_TOPIC"] {
            assert_eq!(ns().wrap(name), name);
            assert_eq!(ns().strip(name), name);
        }
    }

    #[test]
    fn a_namespace_is_a_name_without_its_end() {
        assert_eq!(ns().as_str(), "ns");
        for (bad, why) in [
            ("", NameError::Empty),
            ("a%b", NameError::Character('%')),
            ("a b", NameError::Character(' ')),
            (&"x".repeat(121), NameError::Long { chars: 121, max: 120 }),
            ("rmq_sys_x", NameError::Reserved),
            ("CID_RMQ_SYS_x", NameError::Reserved),
        ] {
            assert_eq!(Namespace::new(bad), Err(why));
        }
    }

    #[test]
    fn any_name_is_the_same_after_wrapping_and_stripping() {
        const SEED: u64 = 20_261_123;
        const PIECES: [&str; 8] = ["ns", "%", "%RETRY%", "%DLQ%", "T", "rmq_sys_", "TBW102", "中"];
        let mut rng = Rng::new(SEED);
        for _ in 0..10_000 {
            let name = (0..rng.below(6)).map(|_| PIECES[rng.below(8) as usize]).collect::<String>();
            let wrapped = ns().wrap(&name);
            assert_eq!(ns().wrap(&wrapped), wrapped, "{name}, seed {SEED}");
            // One that began with the namespace was taken for wrapped, and one that becomes a broker's own is none.
            if wrapped != name {
                assert_eq!(ns().strip(&wrapped), name);
            }
            if let Ok(group) = Group::new(&name)
                && let Ok(inside) = Group::new(&wrapped)
                && !is_system(&name)
                && split(&name).0.is_empty()
            {
                let (inside, group) = (inside.retry_topic(), group.retry_topic());
                assert_eq!(ns().wrap(group.as_str()), inside.as_str(), "{name}");
            }
        }
    }
}
