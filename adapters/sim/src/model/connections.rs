//! The connections of one server: bytes to frames, answers to bytes, silence to closes (Java: `NettyRemotingServer`).
//!
//! Laws: an answer goes to the connection its request came from, with its number and never for a one-way request;
//! a connection that is closed hears nothing more.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{Conn, Event, Line, Output};
use crate::codec::{self, Command, Dialect, Fields};

pub(super) struct Connections {
    line: Line,
    open: BTreeMap<Conn, Connection>,
    pub(super) outputs: VecDeque<Output>,
    /// Numbers for the server's own requests, and for requests that came without one.
    next_opaque: i32,
    /// Whether observers want [`Output::Event`]s.
    observed: bool,
}

struct Connection {
    peer: SocketAddr,
    received: BytesMut,
    active: Duration,
}

/// Where an answer belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) conn: Conn,
    pub(super) peer: SocketAddr,
    opaque: i32,
    code: i32,
    oneway: bool,
    pub(super) version: i32,
    dialect: Dialect,
}

impl Asker {
    pub(super) const fn opaque(&self) -> i32 {
        self.opaque
    }
}

/// What a processor answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) code: i32,
    pub(super) remark: Option<Cow<'static, str>>,
    pub(super) fields: Option<Vec<(&'static str, Cow<'static, str>)>>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self::default()
    }

    pub(super) fn refuse(code: i32, remark: impl Into<Cow<'static, str>>) -> Self {
        Self { code, remark: Some(remark.into()), ..Self::default() }
    }

    /// The answer of a processor that ran into an exception.
    pub(super) fn exception(what: &str) -> Self {
        Self::refuse(1, format!("java.lang.NullPointerException, {what}"))
    }

    pub(super) fn body(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.get_or_insert_with(|| Vec::with_capacity(8)).push((name, value.into()));
        self
    }

    /// With an `extFields` object, even if nothing is in it.
    pub(super) fn with_fields(mut self) -> Self {
        self.fields.get_or_insert_default();
        self
    }
}

/// Java's `serverChannelMaxIdleTimeSeconds`.
const IDLE_MAX: Duration = Duration::from_secs(120);

impl Connections {
    pub(super) const fn new(line: Line, observed: bool) -> Self {
        Self { line, open: BTreeMap::new(), outputs: VecDeque::new(), next_opaque: 0, observed }
    }

    pub(super) fn connected(&mut self, now: Duration, conn: Conn, peer: SocketAddr) {
        self.open.insert(conn, Connection { peer, received: BytesMut::new(), active: now });
    }

    pub(super) fn closed(&mut self, conn: Conn) -> bool {
        self.open.remove(&conn).is_some()
    }

    pub(super) fn close(&mut self, conn: Conn) {
        if self.open.remove(&conn).is_some() {
            self.outputs.push_back(Output::Close(conn));
        }
    }

    pub(super) fn observe(&mut self, event: impl FnOnce() -> Event) {
        if self.observed {
            self.outputs.push_back(Output::Event(event()));
        }
    }

    pub(super) fn received(&mut self, now: Duration, conn: Conn, bytes: &[u8]) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.active = now;
            connection.received.extend_from_slice(bytes);
        }
    }

    /// The next whole frame of a connection. Broken ones close it.
    pub(super) fn next_frame(&mut self, conn: Conn) -> Option<Bytes> {
        let connection = self.open.get_mut(&conn)?;
        match codec::split(&mut connection.received) {
            Ok(frame) => frame,
            Err(why) => {
                self.break_off(conn, why);
                None
            }
        }
    }

    pub(super) fn break_off(&mut self, conn: Conn, why: codec::Broken) {
        self.observe(|| Event::Broken { conn, why });
        self.close(conn);
    }

    /// Who asks, so that it can be answered; `None` for what is not a request.
    pub(super) fn asker(&mut self, conn: Conn, dialect: Dialect, command: &Command<'_>) -> Option<Asker> {
        let peer = self.open.get(&conn)?.peer;
        if command.is_response() {
            return None;
        }
        let opaque = command.opaque.unwrap_or_else(|| self.number());
        let (code, oneway) = (command.code, command.is_oneway());
        self.observe(|| Event::Asked { conn, opaque, code, oneway });
        Some(Asker { conn, peer, opaque, code, oneway, version: command.version, dialect })
    }

    const fn number(&mut self) -> i32 {
        self.next_opaque = self.next_opaque.wrapping_add(1);
        self.next_opaque
    }

    pub(super) fn answer(&mut self, now: Duration, asker: &Asker, reply: Reply) {
        let Some(connection) = self.open.get_mut(&asker.conn) else { return };
        let Asker { conn, opaque, code: asked, .. } = *asker;
        let code = reply.code;
        if asker.oneway {
            return;
        }
        connection.active = now;
        let dialect = if self.line.mirrors_codec() { asker.dialect } else { Dialect::Json };
        let fields =
            reply.fields.map(|all| Fields(all.into_iter().map(|(k, v)| (Cow::Borrowed(k), v)).collect()));
        let command = Command {
            code,
            language: Some(0),
            version: self.line.version(),
            opaque: Some(opaque),
            flag: 1,
            remark: reply.remark,
            fields,
            body: reply.body,
        };
        let mut frame = Vec::with_capacity(256 + command.body.len());
        codec::encode(&command, dialect, &mut frame);
        self.observe(|| Event::Answered { conn, opaque, asked, code });
        self.outputs.push_back(Output::Send(conn, frame));
    }

    /// A one-way request of the server's own.
    pub(super) fn tell(&mut self, now: Duration, conn: Conn, code: i32, fields: &[(&'static str, &str)]) {
        let opaque = Some(self.number());
        let Some(connection) = self.open.get_mut(&conn) else { return };
        connection.active = now;
        let fields =
            fields.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect();
        let command = Command {
            code,
            language: Some(0),
            version: self.line.version(),
            opaque,
            flag: 2,
            fields: Some(Fields(fields)),
            ..Command::default()
        };
        let mut frame = Vec::with_capacity(256);
        codec::encode(&command, Dialect::Json, &mut frame);
        self.outputs.push_back(Output::Send(conn, frame));
    }

    /// Connections on which nothing moved for too long.
    pub(super) fn idle(&self, now: Duration) -> Vec<Conn> {
        self.open
            .iter()
            .filter(|(_, c)| now.saturating_sub(c.active) >= IDLE_MAX)
            .map(|(conn, _)| *conn)
            .collect()
    }
}
