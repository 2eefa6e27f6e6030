//! One line of a file of vectors.

use bytes::Bytes;
use serde_json::Value;

pub(crate) use super::value::{pairs, text, unhex};

/// How a vector was settled.
pub(crate) enum Verdict {
    /// This client does what Java does.
    Checked,
    /// Java takes it, this client refuses it, for a reason it states.
    Stricter(&'static str),
    /// This client has nothing to check it with.
    NotCovered(String),
}

pub(crate) type Checked = Result<Verdict, String>;

pub(crate) struct Vector(Value);

impl Vector {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or("?")
    }

    pub(crate) fn java(&self) -> &str {
        self.0["java"].as_str().unwrap_or("?")
    }

    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or("?")
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        !self.0[member].is_null()
    }

    /// What went in.
    pub(crate) fn input(&self) -> &Value {
        &self.0["in"]
    }

    /// What Java made of it.
    pub(crate) fn output(&self) -> &Value {
        &self.0["out"]
    }

    /// Whether Java threw.
    pub(crate) fn java_refused(&self) -> bool {
        self.0["out"].get("error").is_some()
    }

    /// Whether Java's order is its accident.
    pub(crate) fn free(&self) -> bool {
        self.0["order"] == "free"
    }

    pub(crate) fn hex(&self) -> Result<Bytes, String> {
        self.bytes("hex")
    }

    pub(crate) fn bytes(&self, member: &str) -> Result<Bytes, String> {
        unhex(self.0[member].as_str().ok_or_else(|| format!("no {member}"))?)
    }

    pub(crate) fn text(&self) -> Result<&str, String> {
        self.0["text"].as_str().ok_or_else(|| "no text".to_owned())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is mostly made for it")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, java: T) -> Result<(), String> {
    if ours == java { Ok(()) } else { Err(format!("{what}: ours {ours:?}, Java's {java:?}")) }
}
