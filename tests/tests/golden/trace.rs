//! Records of the message trace, written and read.

use std::collections::BTreeSet;

use fusee_core::time::UnixMillis;
use fusee_core::wire::Text;
use fusee_core::wire::rpc::transaction::Verdict as Decided;
use fusee_core::wire::trace::{ConsumeCode, MessageKind, Record, records};
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, same, text};

/// Java's names of the kinds, which travel as their ordinals.
pub(crate) const KINDS: [(&str, MessageKind); 5] = [
    ("Normal_Msg", MessageKind::NORMAL),
    ("Trans_Msg_Half", MessageKind::HALF),
    ("Trans_msg_Commit", MessageKind::COMMIT),
    ("Delay_Msg", MessageKind::DELAY),
    ("Order_Msg", MessageKind::ORDER),
];

/// What a record is made of, as it is written or as it is read again.
struct Context<'a> {
    input: &'a Value,
    read: bool,
    says_end: bool,
}

impl Context<'_> {
    /// Java writes what is not set as the text `null`.
    fn text(&self, name: &str) -> Text {
        Text::from(text(&self.input[name]).unwrap_or_else(|| "null".to_owned()))
    }

    /// A text that may be missing is missing once it was written empty or not set.
    fn optional(&self, name: &str) -> Option<Text> {
        Some(self.text(name)).filter(|text| !self.read || !(text.is_empty() || *text == "null"))
    }

    fn int(&self, name: &str) -> Result<i32, String> {
        let int = self.input[name].as_i64().and_then(|int| i32::try_from(int).ok());
        int.ok_or_else(|| format!("no {name}"))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.input[name].as_bool().ok_or_else(|| format!("no {name}"))
    }

    fn time(&self) -> Result<UnixMillis, String> {
        self.input["timeStamp"].as_i64().map(UnixMillis).ok_or_else(|| "no timeStamp".to_owned())
    }

    fn kind(&self) -> Result<MessageKind, String> {
        let known = KINDS.into_iter().find(|(name, _)| self.input["msgType"] == *name);
        known.map(|(_, kind)| kind).ok_or_else(|| "no msgType".to_owned())
    }

    fn record(&self) -> Result<Record, String> {
        let (region, group, topic) = (self.text("regionId"), self.text("groupName"), self.text("topic"));
        let (message, keys, tags) = (self.text("msgId"), self.optional("keys"), self.optional("tags"));
        let (request, store_host) = (self.text("requestId"), self.text("storeHost"));
        Ok(match self.input["traceType"].as_str() {
            Some("Pub") => Record::Sent {
                time: self.time()?,
                region,
                group,
                topic,
                message,
                tags,
                keys,
                store_host,
                body_bytes: self.int("bodyLength")?,
                cost_ms: self.int("costTime")?,
                kind: self.kind()?,
                offset_id: self.optional("offsetMsgId"),
                success: self.flag("isSuccess")?,
                client_host: None,
            },
            Some("SubBefore") => {
                let (time, retries) = (self.time()?, self.int("retryTimes")?);
                Record::Consuming { time, region, group, request, message, retries, keys, client_host: None }
            }
            Some("SubAfter") => {
                let (cost_ms, success) = (self.int("costTime")?, self.flag("isSuccess")?);
                let code = ConsumeCode(self.int("contextCode")?);
                let time = if self.says_end { Some(self.time()?) } else { None };
                let group = time.and_then(|_| self.optional("groupName"));
                Record::Consumed { request, message, cost_ms, success, keys, code, time, group }
            }
            Some("EndTransaction") => Record::Decided {
                time: self.time()?,
                region,
                group,
                topic,
                message,
                tags,
                keys,
                store_host,
                kind: self.kind()?,
                transaction: self.text("transactionId"),
                verdict: {
                    let mut verdicts = Decided::ALL.into_iter();
                    let known = verdicts.find(|verdict| self.input["transactionState"] == verdict.name());
                    known.ok_or("no transactionState")?
                },
                checked: self.flag("fromTransactionCheck")?,
            },
            Some("Recall") => {
                let (time, success) = (self.time()?, self.flag("isSuccess")?);
                Record::Recalled { time, region, group, topic, message, success }
            }
            other => return Err(format!("records of the type {other:?}")),
        })
    }
}

pub(crate) fn trace(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let says_end = input["accessChannel"] != "CLOUD" || vector.java().starts_with('4');
    if vector.java_refused() {
        return match (Context { input, read: false, says_end }).record() {
            Err(_) => Ok(Verdict::Checked),
            // Java 5 looks at a setting for whose cloud it writes, and fails where there is none.
            Ok(Record::Consumed { .. }) if input["accessChannel"].is_null() => {
                Ok(Verdict::NotCovered("a record of a client that does not know its cloud".to_owned()))
            }
            Ok(_) => Err("a record where Java refuses".to_owned()),
        };
    }
    let record = Context { input, read: false, says_end }.record()?;
    let mut ours = String::new();
    let java = out["text"].as_str().ok_or("no text")?;
    match record.put(&mut ours) {
        Ok(()) => same("text", ours.as_str(), java)?,
        Err(_) => return Ok(Verdict::Stricter("a record that would not be read again")),
    }
    let again =
        records(&Text::from(ours)).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    same("read again", again, vec![Context { input, read: true, says_end }.record()?])?;
    let texts =
        |list: &Value| list.as_array().into_iter().flatten().filter_map(text).collect::<BTreeSet<_>>();
    let (mut ours, mut java) =
        (record.keys().map(ToOwned::to_owned).collect::<BTreeSet<_>>(), texts(&out["keys"]));
    java.remove("");
    // What was not set has no keys, and who calls a message back knows but its id.
    ours.retain(|key| key != "null");
    if let Record::Recalled { .. } = record {
        java.retain(|key| ours.contains(key));
    }
    same("keys", ours, java)?;
    Ok(Verdict::Checked)
}
