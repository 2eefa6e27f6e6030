//! What happens to requests, bytes and sockets at the edge, whatever the adapter.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fusee_core::Note;
use fusee_core::ids::Address;

use crate::credentials::Credentials;
use crate::options::SocketOptions;
use crate::tls::Tls;

/// Is called from any thread, by several at once.
type Watcher = Arc<dyn Fn(&Note) + Send + Sync>;

/// What happens at the edge.
#[derive(Clone, Default)]
pub struct Settings {
    /// Who signs them. Default: nobody.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// How connections are secured. Default: not at all.
    pub tls: Option<Tls>,
    /// What the operating system is told of each connection.
    pub sockets: SocketOptions,
    /// Who hears what the machine notes, beside `tracing`. Called with no lock held, wherever the step was made.
    pub watcher: Option<Watcher>,
    /// Where to connect to instead of an address that cannot be reached from here. The machine knows nothing of it.
    pub addresses: BTreeMap<Address, Address>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("signs", &self.credentials.is_some())
            .field("tls", &self.tls)
            .field("sockets", &self.sockets)
            .field("watched", &self.watcher.is_some())
            .field("addresses", &self.addresses)
            .finish()
    }
}
