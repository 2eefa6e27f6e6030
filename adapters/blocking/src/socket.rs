//! A write to a blocking socket that does not block, which any thread may try.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::sync::Arc;

use fusee_engine::Socket;

/// The socket as its reader, its writer and every caller share it.
#[derive(Debug)]
pub(crate) struct Shared(
    #[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere callers leave the writing to the writer"))]
    pub(crate) Arc<TcpStream>,
);

#[cfg(unix)]
impl Socket for Shared {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(not(target_vendor = "apple"))]
        const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // There the option SO_NOSIGPIPE does it, which std sets.
        #[cfg(target_vendor = "apple")]
        const FLAGS: libc::c_int = libc::MSG_DONTWAIT;
        socket2::SockRef::from(&*self.0).send_vectored_with_flags(pieces, FLAGS)
    }
}

/// Elsewhere only the writer's thread writes.
#[cfg(not(unix))]
impl Socket for Shared {
    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
