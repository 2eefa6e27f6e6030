//! How a builder takes TLS: ready, or about to be.
//!
//! Law: what is wrong with certificates is reported by the connecting, like every other setting.

use fusee_engine::{Tls, TlsBuilder, TlsError};

/// What can secure connections: a [`Tls`], or a [`TlsBuilder`], which is built.
pub trait IntoTls: sealed::Sealed {
    #[doc(hidden)]
    fn into_tls(self) -> Result<Tls, TlsError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for fusee_engine::Tls {}
    impl Sealed for fusee_engine::TlsBuilder {}
}

impl IntoTls for Tls {
    fn into_tls(self) -> Result<Tls, TlsError> {
        Ok(self)
    }
}

impl IntoTls for TlsBuilder {
    fn into_tls(self) -> Result<Tls, TlsError> {
        self.build()
    }
}
