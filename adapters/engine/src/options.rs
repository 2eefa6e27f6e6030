//! What the operating system is told of a new connection.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// How often the operating system asks before it takes the other end for gone.
const PROBES: u32 = 3;

/// The options of a connection's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// How long a connection may be silent before the operating system asks whether the other end is still there, three
    /// times in the same time again; then the connection is lost. It also keeps the memory of firewalls and NAT fresh.
    /// Default 30 s; from 1 s to 2 h, and none for never.
    pub keep_alive: Option<Duration>,
}

impl SocketOptions {
    /// Tells the operating system. What is written leaves at once (`TCP_NODELAY`), whatever the options.
    ///
    /// # Errors
    /// What the operating system answers; the connection is of no use then.
    pub fn apply<'s>(self, socket: impl Into<SockRef<'s>>) -> io::Result<()> {
        let socket = socket.into();
        socket.set_tcp_nodelay(true)?;
        match self.keep_alive {
            None => Ok(()),
            Some(silence) => {
                // Operating systems count seconds.
                let second = Duration::from_secs(1);
                let interval = (silence / PROBES).max(second);
                let probes = TcpKeepalive::new().with_time(silence.max(second)).with_interval(interval);
                socket.set_tcp_keepalive(&probes.with_retries(PROBES))
            }
        }
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { keep_alive: Some(Duration::from_secs(30)) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn a_socket_has_the_options_it_was_given() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for (keep_alive, on) in
            [(None, false), (Some(Duration::from_secs(30)), true), (Some(Duration::ZERO), true)]
        {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.connect(&listener.local_addr().unwrap().into()).unwrap();
            SocketOptions { keep_alive }.apply(&socket).unwrap();
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.keepalive().unwrap(), on, "{keep_alive:?}");
            assert!(!on || socket.tcp_keepalive_retries().unwrap() == PROBES, "{keep_alive:?}");
        }
    }
}
