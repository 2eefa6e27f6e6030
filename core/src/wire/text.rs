//! Text that is a slice of what was received.
//!
//! Law: the bytes are valid UTF-8 from construction on; nothing can change them.
//!
//! Java reads and writes texts of the protocol as UTF-8 (`RemotingSerializable`, `RocketMQSerializable`,
//! `MessageDecoder`), with U+FFFD for what is none.

use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::ops::Deref;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// UTF-8 text that shares the buffer it was cut from; cloning it copies no text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// No text; allocates nothing.
    pub const EMPTY: Self = Self(Bytes::new());

    /// The bytes as text, if they are UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, core::str::Utf8Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// Bytes that are a piece of what was found to be UTF-8, cut where characters end, so that they need no second look.
    /// Were they none after all, the text would read as empty.
    #[inline]
    pub(crate) fn known(bytes: Bytes) -> Self {
        debug_assert!(core::str::from_utf8(&bytes).is_ok(), "a piece of a text");
        Self(bytes)
    }

    /// A copy with bytes of its own, for what is kept for long: it keeps no read buffer alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The bytes as text, with U+FFFD where they are not UTF-8, as Java reads them. Copies only in that case.
    #[must_use]
    #[inline]
    pub fn from_utf8_lossy(bytes: Bytes) -> Self {
        // Nearly every text is ASCII, which is quicker to see.
        if bytes.is_ascii() || core::str::from_utf8(&bytes).is_ok() {
            Self(bytes)
        } else {
            Self::replaced(&bytes)
        }
    }

    #[cold]
    fn replaced(bytes: &[u8]) -> Self {
        Self::from(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked when it was made and immutable since, so the fallback is never taken; checking again costs less
        // than an unsafe block would.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as the bytes it is made of.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes it is made of.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
