//! Secured connections on every adapter, against a server made with rustls.

#[expect(dead_code, reason = "shared with the tests in the plain")]
mod bench;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bench::peer::{Peer, reply};
use bench::{Driver, Home, on_each_adapter, receipt, send};
use fusee_core::error::{CallError, ConnectError, LostWhy};
use fusee_core::ids::{Address, ClientId, Group};
use fusee_core::wire::Framer;
use fusee_core::{Client, Config, Instant, Outcome, UnixMillis};
use fusee_engine::{Handle, Settings, Tls, TlsBuilder};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

on_each_adapter! {
    what_is_sent_arrives
    a_stranger_is_refused
    the_end_is_told
}

const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");
const STRANGER: &[u8] = include_bytes!("tls/stranger.pem");
const SERVER: (&[u8], &[u8]) = (include_bytes!("tls/server.pem"), include_bytes!("tls/server.key"));
const EXPIRED: (&[u8], &[u8]) = (include_bytes!("tls/expired.pem"), include_bytes!("tls/expired.key"));
const ELSEWHERE: (&[u8], &[u8]) = (include_bytes!("tls/elsewhere.pem"), include_bytes!("tls/elsewhere.key"));
const CLIENT: (&[u8], &[u8]) = (include_bytes!("tls/client.pem"), include_bytes!("tls/client.key"));

fn what_is_sent_arrives(driver: Driver) {
    let server = Server::start(SERVER, false);
    let home = Home::of(driver);
    let handle = server.client(&home, Tls::authorities(AUTHORITY));
    assert_eq!(connect(&handle), Ok(()));
    let group = Group::new("secured").unwrap();
    let producer = handle.command(|client, now| client.open_producer(now, group)).unwrap().unwrap();
    let large = vec![b'x'; 1 << 20];
    let sends: Vec<_> = (0..200)
        .map(|number| send(&handle, producer, if number % 50 == 0 { &large } else { &large[..100] }))
        .collect();
    for sending in sends {
        receipt(sending.wait().unwrap());
    }
}

fn a_stranger_is_refused(driver: Driver) {
    let server = Server::start(SERVER, false);
    let home = Home::of(driver);
    let why = refusal(&server, &home, Tls::authorities(STRANGER));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

/// A server can tell our end from a cut.
fn the_end_is_told(driver: Driver) {
    let server = Server::start(SERVER, false);
    let home = Home::of(driver);
    let handle = server.client(&home, Tls::authorities(AUTHORITY));
    assert_eq!(connect(&handle), Ok(()));
    drop(handle);
    assert_eq!(server.ends.recv(), Ok(End::Told));
}

#[test]
fn names_and_dates_are_verified() {
    let home = Home::of(Driver::Threads);
    let why = refusal(&Server::start(EXPIRED, false), &home, Tls::authorities(AUTHORITY));
    assert!(why.contains("expired"), "{why}");
    let elsewhere = Server::start(ELSEWHERE, false);
    let why = refusal(&elsewhere, &home, Tls::authorities(AUTHORITY));
    assert!(why.contains("not valid for"), "{why}");
    let named = elsewhere.client(&home, Tls::authorities(AUTHORITY).server_name("elsewhere.test"));
    assert_eq!(connect(&named), Ok(()));
}

#[test]
fn nothing_is_verified_where_danger_was_asked_for() {
    let home = Home::of(Driver::Threads);
    let server = Server::start(EXPIRED, false);
    let handle = server.client(&home, Tls::authorities(STRANGER).dangerous_accept_any_certificate());
    assert_eq!(connect(&handle), Ok(()));
}

#[test]
fn servers_may_ask_who_we_are() {
    let home = Home::of(Driver::Threads);
    let server = Server::start(SERVER, true);
    let known = server.client(&home, Tls::authorities(AUTHORITY).identity(CLIENT.0, CLIENT.1));
    assert_eq!(connect(&known), Ok(()));
    assert!(connect(&server.client(&home, Tls::authorities(AUTHORITY))).is_err());
}

#[test]
fn a_server_in_the_plain_hears_no_plain_byte() {
    let (home, peer) = (Home::of(Driver::Threads), Peer::start());
    let handle = client(&peer.address(), &home, Tls::authorities(AUTHORITY), Duration::from_millis(500));
    // The server takes the handshake for a frame, an absurd one, and hangs up.
    let refused = connect(&handle);
    assert!(
        matches!(&refused, Err(ConnectError::NoNameServer(said))
            if matches!(&said[..], [CallError::Lost { why: LostWhy::Tls(_), .. }, ..])),
        "{refused:?}"
    );
    assert_eq!(peer.sends(), 0);
}

fn refusal(server: &Server, home: &Home, tls: TlsBuilder) -> String {
    match connect(&server.client(home, tls)) {
        Err(ConnectError::NoNameServer(said)) => match &said[..] {
            [CallError::Lost { why: LostWhy::Untrusted(why), .. }, ..] => why.to_string(),
            other => panic!("refused otherwise: {other:?}"),
        },
        other => panic!("not refused: {other:?}"),
    }
}

fn connect(handle: &Handle) -> Result<(), ConnectError> {
    match handle.operate(|client, now, ticket| client.connect(now, ticket)).wait() {
        Ok(Ok(Outcome::Connected(connected))) => connected,
        other => panic!("no outcome of connect: {other:?}"),
    }
}

fn client(address: &str, home: &Home, tls: TlsBuilder, connect_deadline: Duration) -> Handle {
    let mut config = Config::new(vec![Address::new(address).unwrap()], ClientId::new("secured").unwrap());
    config.connect_deadline = connect_deadline;
    let client = Client::new(config, 7, Instant::ZERO, UnixMillis(1_700_000_000_000));
    home.start_with(client, Settings { tls: Some(tls.build().unwrap()), ..Settings::default() })
}

/// A name server and broker that speaks TLS only.
struct Server {
    address: SocketAddr,
    listener: Option<JoinHandle<()>>,
    ends: Receiver<End>,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Told,
    Cut,
}

impl Server {
    fn start((certificate, key): (&[u8], &[u8]), asks: bool) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, ends) = channel();
        let listener = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut first = [0];
                // Somebody who says nothing, or the test at its end.
                if !matches!(stream.peek(&mut first), Ok(1)) || first == *b"." {
                    stream.shutdown(std::net::Shutdown::Both).unwrap_or_default();
                    break;
                }
                let session = ServerConnection::new(config.clone()).unwrap();
                stream.flush().unwrap();
                let tell = tell.clone();
                serving.push(thread::spawn(move || {
                    let end = serve(StreamOwned::new(session, stream), address);
                    // Few tests ask.
                    tell.send(end).unwrap_or_default();
                }));
            }
            for thread in serving {
                thread.join().unwrap();
            }
        });
        Self { address, listener: Some(listener), ends }
    }

    fn client(&self, home: &Home, tls: TlsBuilder) -> Handle {
        // Who is refused learns of it at once.
        client(&self.address.to_string(), home, tls, Duration::from_secs(60))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Handles are dropped before the server, so its connections end by themselves.
        TcpStream::connect(self.address).unwrap().write_all(b".").unwrap();
        self.listener.take().unwrap().join().unwrap();
    }
}

fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, address: SocketAddr) -> End {
    let mut framer = Framer::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let bytes = match stream.read(&mut chunk) {
            Ok(0) => return End::Told,
            Ok(bytes) => bytes,
            Err(_) => return End::Cut,
        };
        framer.spare(bytes).extend_from_slice(&chunk[..bytes]);
        while let Some(frame) = framer.next_frame().unwrap() {
            if stream.write_all(&reply(&frame, address)).is_err() {
                return End::Cut;
            }
        }
    }
}
