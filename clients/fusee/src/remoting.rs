//! Requests by their parts, to any name server or broker: for what has no method of its own.
//!
//! Laws: whatever the peer answers is the outcome, whatever its code; only silence and broken connections are errors.
//! What a request or a reply carries is not shown by `Debug`: accounts are made by requests too.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use fusee_core::Outcome;
use fusee_core::ids::Address;
use fusee_core::wire::{Fields, Frame, RawRequest, Request};
use fusee_engine::{Dead, Handle};

use crate::error::RequestError;
use crate::pending::Pending;

/// A request about to be made; see [`Client::request`](crate::Client::request).
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct RemotingRequest {
    handle: Handle,
    to: String,
    code: i32,
    fields: Vec<(String, String)>,
    body: Bytes,
    patience: Duration,
}

/// Whatever the peer answered.
#[derive(Clone)]
pub struct RemotingReply {
    frame: Frame,
}

impl RemotingRequest {
    pub(crate) fn new(handle: Handle, to: &str, code: i32) -> Self {
        let patience = Duration::from_secs(3);
        Self { handle, to: to.to_owned(), code, fields: Vec::new(), body: Bytes::new(), patience }
    }

    /// Adds a parameter.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts are given alike, without a borrow")]
    pub fn field(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.fields.push((key.into(), value.to_string()));
        self
    }

    /// What travels behind the header. Default: nothing.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// How long to wait for the reply, connecting included. Default 3 s, at least 1 ms.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = patience.max(Duration::from_millis(1));
        self
    }

    /// Sends it. Starts on the call; dropping the `Pending` only loses the reply.
    ///
    /// # Errors
    /// [`RequestError`] when the address is none, when it cannot be reached, or when no reply comes in time; it says
    /// whether the request may have been executed.
    pub fn send(self) -> Pending<RemotingReply, RequestError> {
        let to = match Address::new(&self.to) {
            Ok(to) => to,
            Err(why) => return Pending::ready(Err(RequestError::Address(why))),
        };
        let fields =
            Fields::from_pairs(self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let request = Request::Raw(Box::new(RawRequest { code: self.code, fields, body: self.body }));
        let patience = self.patience;
        let call =
            self.handle.operate(|client, now, ticket| client.call(now, &to, request, patience, ticket));
        Pending::running(call, reply)
    }
}

impl fmt::Debug for RemotingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.fields.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("RemotingRequest")
            .field("to", &self.to)
            .field("code", &self.code)
            .field("fields", &keys)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.patience)
            .finish_non_exhaustive()
    }
}

fn reply(end: Result<Outcome, Dead>) -> Result<RemotingReply, RequestError> {
    match end {
        Ok(Outcome::Answered(result)) => {
            result.map(|frame| RemotingReply { frame }).map_err(RequestError::Failed)
        }
        // The machine answers with nothing else.
        Ok(_) | Err(_) => Err(RequestError::Closed),
    }
}

impl RemotingReply {
    /// The response code; 0 is success.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.frame.header.code
    }

    /// The peer's words.
    #[must_use]
    pub fn remark(&self) -> Option<&str> {
        self.frame.header.remark.as_deref()
    }

    /// A result by its name.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        self.frame.header.fields.get(key)
    }

    /// All results.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.frame.header.fields.iter()
    }

    /// What came behind the header.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.frame.body
    }

    /// The version of the peer, as its ordinal (401 is 4.9.4, 513 is 5.5.0).
    #[must_use]
    pub fn version(&self) -> i32 {
        self.frame.header.version
    }
}

impl fmt::Debug for RemotingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.fields().map(|(key, _)| key).collect();
        f.debug_struct("RemotingReply")
            .field("code", &self.code())
            .field("remark", &self.remark())
            .field("fields", &keys)
            .field("body_bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}
