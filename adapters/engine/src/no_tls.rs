//! The shape of [`tls`](self) in a build without it: nobody can make a [`Tls`], so nothing here is ever called.

use bytes::BytesMut;
use fusee_core::error::LostWhy;
use fusee_core::ids::Address;

use crate::outbox::Outbox;

/// How connections are secured; this build has no TLS.
#[derive(Clone, Debug)]
pub enum Tls {}

/// One connection's session; this build has no TLS.
#[derive(Debug)]
pub enum Seal {}

#[expect(clippy::missing_errors_doc, reason = "never called")]
impl Seal {
    /// Never called.
    pub fn new(tls: &Tls, _: &Address) -> Result<Self, LostWhy> {
        match *tls {}
    }

    /// Never called.
    pub fn shake_hands(&self, _: &mut BytesMut, _: &mut BytesMut) -> Result<bool, LostWhy> {
        match *self {}
    }

    pub(crate) fn seal(&self, _: &mut Outbox, _: &mut Outbox) -> Result<(), LostWhy> {
        match *self {}
    }

    pub(crate) fn say_goodbye(&self, _: &mut Outbox) {
        match *self {}
    }

    pub(crate) fn open(&self, _: &mut BytesMut, _: &mut BytesMut) -> Result<bool, LostWhy> {
        match *self {}
    }
}
