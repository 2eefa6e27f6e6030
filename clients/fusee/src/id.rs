//! Ids that this process makes: of messages and of clients, and the one draw of real randomness behind both.
//!
//! Law: making a message's id takes no lock, so that threads that send do not meet here.

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::SystemTime;

use fusee_core::UnixMillis;
use fusee_core::error::NameError;
use fusee_core::ids::ClientId;
use fusee_core::wire::ids::{UniqueId, UniqueIds};

/// Characters of a message's id.
pub(crate) const CHARS: usize = 32;

/// The id of a message made now, and now.
pub(crate) fn next() -> (UniqueId, UnixMillis) {
    static IDS: OnceLock<UniqueIds> = OnceLock::new();
    static COUNTER: AtomicU16 = AtomicU16::new(0);
    let ids = IDS.get_or_init(|| {
        let [salt @ .., _, _, _, _] = seed().to_be_bytes();
        UniqueIds::new(local_address().into(), std::process::id(), u32::from_be_bytes(salt))
    });
    let now = unix_now();
    (ids.id(now, COUNTER.fetch_add(1, Ordering::Relaxed)), now)
}

/// What brokers know a new client by: `address@pid#random`. The random part tells containers apart, whose processes
/// all have the same number.
pub(crate) fn client_id() -> Result<ClientId, NameError> {
    let [a, b, c, d, ..] = seed().to_be_bytes();
    let instance = format!("{}#{:08x}", std::process::id(), u32::from_be_bytes([a, b, c, d]));
    ClientId::compose(&local_address().to_string(), &instance, None)
}

/// Wall-clock time, as the wire has it. Only ever copied there.
pub(crate) fn unix_now() -> UnixMillis {
    unix(SystemTime::now())
}

/// A time of the wall clock, as the wire has it; before 1970 it is negative.
pub(crate) fn unix(time: SystemTime) -> UnixMillis {
    let millis = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    };
    UnixMillis(millis)
}

/// A draw that differs between calls and between processes: what the standard library seeds its hash maps with.
pub(crate) fn seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// This machine's IPv4 address towards the outside, as the routing table tells; no packet is sent for the question.
fn local_address() -> Ipv4Addr {
    let address = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // A documentation address (RFC 5737): any address outside takes the default route.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    match address.map(|address| address.ip()) {
        Ok(IpAddr::V4(ip)) if !ip.is_unspecified() => ip,
        // Without any route the salt alone tells this process from others.
        Ok(_) | Err(_) => Ipv4Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_of_clients_differ_and_seeds_do() {
        assert_ne!(client_id().expect("an id"), client_id().expect("another"));
        assert_ne!(seed(), seed());
    }

    #[test]
    fn wall_clock_times_before_1970_are_negative() {
        assert_eq!(unix(SystemTime::UNIX_EPOCH + Duration::from_millis(7)), UnixMillis(7));
        assert_eq!(unix(SystemTime::UNIX_EPOCH - Duration::from_millis(7)), UnixMillis(-7));
    }
}
