//! What can be a message's body, and which of it is copied.

use std::borrow::Cow;

use bytes::Bytes;

/// The body of a message: any bytes.
///
/// `Bytes`, `Vec<u8>`, `String` and `Box<[u8]>` move in without a copy; borrowed text and slices are copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// A body that lives as long as the program, without a copy.
    #[must_use]
    pub const fn from_static(body: &'static [u8]) -> Self {
        Self(Bytes::from_static(body))
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

macro_rules! moved {
    ($($from:ty),*) => {$(
        impl From<$from> for Body {
            fn from(body: $from) -> Self {
                Self(Bytes::from(body))
            }
        }
    )*};
}

moved!(Bytes, Vec<u8>, String, Box<[u8]>);

impl From<&str> for Body {
    fn from(body: &str) -> Self {
        Self(Bytes::copy_from_slice(body.as_bytes()))
    }
}

impl From<&String> for Body {
    fn from(body: &String) -> Self {
        Self::from(body.as_str())
    }
}

impl From<&[u8]> for Body {
    fn from(body: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(body))
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(body: &[u8; N]) -> Self {
        Self::from(body.as_slice())
    }
}

impl<const N: usize> From<[u8; N]> for Body {
    fn from(body: [u8; N]) -> Self {
        Self::from(body.as_slice())
    }
}

impl From<&Vec<u8>> for Body {
    fn from(body: &Vec<u8>) -> Self {
        Self::from(body.as_slice())
    }
}

impl From<Cow<'_, str>> for Body {
    fn from(body: Cow<'_, str>) -> Self {
        Self::from(body.into_owned())
    }
}

impl From<Cow<'_, [u8]>> for Body {
    fn from(body: Cow<'_, [u8]>) -> Self {
        Self::from(body.into_owned())
    }
}

impl From<&Bytes> for Body {
    fn from(body: &Bytes) -> Self {
        Self(body.clone())
    }
}
