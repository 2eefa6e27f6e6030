//! What the operating system said about a connection, as the machine understands it.

use std::io;

use fusee_core::error::LostWhy;

/// Why a connection ended, from the error its socket gave.
#[must_use]
pub fn lost_why(error: &io::Error) -> LostWhy {
    use io::ErrorKind as Kind;
    const KNOWN: [(Kind, LostWhy); 7] = [
        (Kind::ConnectionRefused, LostWhy::Refused),
        (Kind::ConnectionReset, LostWhy::Reset),
        (Kind::ConnectionAborted, LostWhy::Reset),
        (Kind::BrokenPipe, LostWhy::Reset),
        (Kind::TimedOut, LostWhy::TimedOut),
        // What a blocking read with a limit says when it is over.
        (Kind::WouldBlock, LostWhy::TimedOut),
        (Kind::UnexpectedEof, LostWhy::Eof),
    ];
    let known = KNOWN.into_iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(|| LostWhy::Io(error.to_string().into()), |(_, why)| why)
}

/// A server that hangs up in the middle of a handshake.
#[must_use]
pub fn not_tls() -> LostWhy {
    LostWhy::Tls(
        "the server hung up during the handshake: does it speak TLS, and take our certificate?".into(),
    )
}
