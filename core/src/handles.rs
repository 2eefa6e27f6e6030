//! What names something under way: a send, a request. Each is a key into the table of whoever owns the thing.

use crate::ids::PeerId;
use crate::slab::Key;

/// Which request, on which link of which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallId {
    pub(crate) peer: PeerId,
    pub(crate) link: u32,
    pub(crate) key: Key,
}

/// A send under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendId(pub(crate) Key);
