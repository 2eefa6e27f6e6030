//! TLS as one more transform of bytes, between the frames and any adapter's socket.
//!
//! Laws:
//! - The server's certificate and name are verified unless a `dangerous` method was called.
//! - Where TLS is configured no plain byte is ever written: a server that does not speak it is an error.
//! - The session is locked for computation only, never across a system call; so reading never waits for writing.
//! - A request counts as started with the first byte of the records that carry it.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut, BytesMut};
use fusee_core::error::LostWhy;
use fusee_core::ids::Address;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::outbox::Outbox;

/// How connections are secured: whom to trust, who we are, and what the servers are called.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// What a [`Tls`] is made of.
#[must_use = "nothing is secured until it is built and given to a client"]
pub struct TlsBuilder {
    roots: Roots,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    name: Option<String>,
}

enum Roots {
    Platform,
    Pem(Vec<u8>),
    /// Nobody is verified.
    Anybody,
}

impl fmt::Debug for TlsBuilder {
    /// Shows no file given: each may hold a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trusts = match self.roots {
            Roots::Platform => "whom the platform trusts",
            Roots::Pem(_) => "the authorities given",
            Roots::Anybody => "anybody",
        };
        f.debug_struct("TlsBuilder")
            .field("trusts", &trusts)
            .field("identity", &self.identity.is_some())
            .field("name", &self.name)
            .finish()
    }
}

/// Why TLS cannot be set up. The caller's fault, or that of the files given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No cryptography was compiled in and none is installed: enable `rustls-ring` or `rustls-aws-lc-rs`.
    #[error("no cryptography provider: enable the feature rustls-ring or rustls-aws-lc-rs")]
    NoProvider,
    /// There is no certificate to trust.
    #[error("no certificate authority to trust: {0}")]
    NoRoots(String),
    /// A PEM file that holds no certificate, or no private key that can be read. Keys are PKCS#8, PKCS#1 or SEC1, and
    /// not encrypted: the encryption that RocketMQ's documents use for them is too weak to be supported.
    #[error("the {what} cannot be read: {why}")]
    Pem {
        /// Which file.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No name that a certificate could be for.
    #[error("{0:?} is neither a host name nor an IP address")]
    Name(String),
    /// Certificate and key do not belong together, or the provider refuses them.
    #[error("{0}")]
    Refused(String),
}

impl Tls {
    /// Trusts the certificate authorities that the operating system trusts.
    pub const fn platform() -> TlsBuilder {
        TlsBuilder { roots: Roots::Platform, identity: None, name: None }
    }

    /// Trusts these certificate authorities and no others: one or more certificates in PEM.
    pub fn authorities(pem: impl Into<Vec<u8>>) -> TlsBuilder {
        TlsBuilder { roots: Roots::Pem(pem.into()), identity: None, name: None }
    }

    /// A configuration of rustls 0.23, used as it is. The name carries the version because another one is another
    /// type.
    #[must_use]
    pub const fn from_rustls_0_23(config: Arc<ClientConfig>) -> Self {
        Self { config, name: None }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TlsBuilder {
    /// Mutual TLS: our certificate chain and its key, in PEM.
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((certificates.into(), key.into()));
        self
    }

    /// What every server's certificate has to be for, instead of the host in its address: for brokers that register
    /// by an address their certificate does not name.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Accepts every certificate: whoever can reach the network between can read and change everything. For tests
    /// with throw-away certificates.
    pub fn dangerous_accept_any_certificate(mut self) -> Self {
        self.roots = Roots::Anybody;
        self
    }

    /// Reads the certificates and checks what can be checked without a server.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn build(self) -> Result<Tls, TlsError> {
        let provider = provider().ok_or(TlsError::NoProvider)?;
        let refused = |error: rustls::Error| TlsError::Refused(error.to_string());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let config = match self.roots {
            Roots::Platform => config.with_root_certificates(platform_roots()?),
            Roots::Pem(pem) => config.with_root_certificates(pem_roots(&pem)?),
            Roots::Anybody => {
                tracing::warn!(target: "fusee", "TLS without verification: anybody can be the server");
                config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
        };
        let config = match self.identity {
            None => config.with_no_client_auth(),
            Some((certificates, key)) => {
                let unreadable =
                    |error: &dyn fmt::Display| TlsError::Pem { what: "client's key", why: error.to_string() };
                let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| unreadable(&error))?;
                config
                    .with_client_auth_cert(pem_certificates("client's certificate", &certificates)?, key)
                    .map_err(refused)?
            }
        };
        let name = match self.name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))?),
        };
        Ok(Tls { config: Arc::new(config), name })
    }
}

/// What the application installed, or what was compiled in.
fn provider() -> Option<Arc<CryptoProvider>> {
    if let Some(installed) = CryptoProvider::get_default() {
        return Some(installed.clone());
    }
    #[cfg(feature = "rustls-ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "rustls-aws-lc-rs", not(feature = "rustls-ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc-rs")))]
    None
}

fn platform_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let why = found.errors.first().map_or_else(|| "the system has none".to_owned(), ToString::to_string);
    Err(TlsError::NoRoots(why))
}

fn pem_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem_certificates("authority's certificate", pem)? {
        roots.add(certificate).map_err(|error| TlsError::NoRoots(error.to_string()))?;
    }
    Ok(roots)
}

fn pem_certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem { what, why: error.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::Pem { what, why: "there is none in it".to_owned() });
    }
    Ok(certificates)
}

/// One connection's session.
pub struct Seal(Mutex<ClientConnection>);

impl Seal {
    /// A session with the server at that address, which has not begun.
    ///
    /// # Errors
    /// [`LostWhy::Tls`] when there is no name to verify.
    pub fn new(tls: &Tls, address: &Address) -> Result<Self, LostWhy> {
        let host = address.as_str().rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = match &tls.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|error| broken(&error))?,
        };
        let mut session = ClientConnection::new(tls.config.clone(), name).map_err(|error| broken(&error))?;
        // What is given to a session was taken within bounds before.
        session.set_buffer_limit(None);
        Ok(Self(Mutex::new(session)))
    }

    /// One step of the handshake: takes in what came and appends what has to be written. True when it is over; write
    /// once more then.
    ///
    /// # Errors
    /// [`LostWhy::Tls`] when the two cannot agree, [`LostWhy::Untrusted`] when one is not who it should be.
    pub fn shake_hands(&self, came: &mut BytesMut, to_write: &mut BytesMut) -> Result<bool, LostWhy> {
        let mut session = self.session();
        let taken = take_in(&mut session, came, None);
        // An alert that says why we end is written all the same.
        put_out(&mut session, to_write);
        taken.map(|()| !session.is_handshaking())
    }

    /// Moves what was to be written in the plain into records.
    pub(crate) fn seal(&self, plain: &mut Outbox, sealed: &mut Outbox) -> Result<(), LostWhy> {
        plain.pour_into(sealed, |pieces, out| {
            let mut session = self.session();
            for piece in pieces {
                session.writer().write_all(piece).map_err(|error| broken(&error))?;
            }
            put_out(&mut session, out);
            Ok(())
        })
    }

    /// Takes in records and appends what they say. True if that asks for something to be written.
    pub(crate) fn open(&self, came: &mut BytesMut, into: &mut BytesMut) -> Result<bool, LostWhy> {
        let mut session = self.session();
        take_in(&mut session, came, Some(into))?;
        Ok(session.wants_write())
    }

    /// Appends the word that nothing more comes from us, so that the peer can tell the end from a cut.
    pub(crate) fn say_goodbye(&self, sealed: &mut Outbox) {
        let farewell = Outbox::default().pour_into(sealed, |_, out| {
            let mut session = self.session();
            session.send_close_notify();
            put_out(&mut session, out);
            Ok::<_, LostWhy>(())
        });
        farewell.expect("it cannot fail");
    }

    fn session(&self) -> MutexGuard<'_, ClientConnection> {
        // A session that panicked half-way fails when it is next used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

fn take_in(
    session: &mut ClientConnection,
    came: &mut BytesMut,
    mut plain: Option<&mut BytesMut>,
) -> Result<(), LostWhy> {
    loop {
        if !came.is_empty() {
            let taken = session.read_tls(&mut &came[..]).map_err(|error| broken(&error))?;
            came.advance(taken);
        }
        session.process_new_packets().map_err(|error| refused(&error))?;
        if let Some(plain) = plain.as_deref_mut() {
            let mut reader = session.reader();
            // An error here is only that there is nothing, or an end that the socket will tell as well.
            while let Ok(said @ [_, ..]) = reader.fill_buf() {
                let bytes = said.len();
                plain.extend_from_slice(said);
                reader.consume(bytes);
            }
        }
        if came.is_empty() {
            return Ok(());
        }
    }
}

fn put_out(session: &mut ClientConnection, out: &mut BytesMut) {
    while session.wants_write() {
        let written: io::Result<usize> = session.write_tls(&mut out.writer());
        written.expect("a write to memory does not fail");
    }
}

fn broken(error: &dyn fmt::Display) -> LostWhy {
    LostWhy::Tls(error.to_string().into())
}

/// What an error of the session means: a certificate that one side does not accept stays so, and so does a server that
/// speaks something else.
fn refused(error: &rustls::Error) -> LostWhy {
    use rustls::AlertDescription as Alert;
    use rustls::Error;

    let for_good = matches!(
        error,
        Error::InvalidCertificate(_)
            | Error::InvalidMessage(_)
            | Error::NoCertificatesPresented
            | Error::PeerIncompatible(_)
            | Error::AlertReceived(
                Alert::AccessDenied
                    | Alert::BadCertificate
                    | Alert::CertificateExpired
                    | Alert::CertificateRequired
                    | Alert::CertificateRevoked
                    | Alert::CertificateUnknown
                    | Alert::HandshakeFailure
                    | Alert::ProtocolVersion
                    | Alert::UnknownCA
                    | Alert::UnrecognisedName
                    | Alert::UnsupportedCertificate,
            )
    );
    if for_good { LostWhy::Untrusted(error.to_string().into()) } else { broken(error) }
}

/// Whoever answers is taken for the server.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
