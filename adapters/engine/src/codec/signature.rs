//! The signature of a request: HMAC-SHA1 over all its fields and its body.
//!
//! Law: it covers every field, so it is made last and nothing is added after it. Nothing here prints a secret.
//!
//! Sources: Java `AclClientRPCHook`, `AclUtils`; wire.md §10.1.

use fusee_core::wire::FieldSink;
use fusee_core::wire::fields::FieldSource;
use sha1_smol::Sha1;

/// The block of SHA-1.
const BLOCK: usize = 64;

/// The signature of a request with these fields and this body: values in the order of their keys, then the body.
/// `extra` are fields added on the way out, the access key among them.
#[must_use]
pub fn sign(secret: &str, fields: &impl FieldSource, extra: &[(&str, &str)], body: &[u8]) -> String {
    let mut sorted = Sorted::default();
    fields.write_fields(&mut sorted);
    for (key, value) in extra {
        sorted.text(key, value);
    }
    // Stable, so that of two equal keys the later, which counts, stays later.
    sorted.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut content = Vec::new();
    for (at, (key, value)) in sorted.0.iter().enumerate() {
        let shadowed = sorted.0.get(at + 1).is_some_and(|(later, _)| later == key);
        if key != "Signature" && !shadowed {
            content.extend_from_slice(value.as_bytes());
        }
    }
    content.extend_from_slice(body);
    signature(secret, &content)
}

/// HMAC-SHA1 of the content (RFC 2104), in padded standard base64.
#[must_use]
pub fn signature(secret: &str, content: &[u8]) -> String {
    let mut key = [0_u8; BLOCK];
    let secret = secret.as_bytes();
    if secret.len() > BLOCK {
        key[..20].copy_from_slice(&Sha1::from(secret).digest().bytes());
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let mut inner = Sha1::from(key.map(|byte| byte ^ 0x36));
    inner.update(content);
    let mut outer = Sha1::from(key.map(|byte| byte ^ 0x5c));
    outer.update(&inner.digest().bytes());
    fusee_core::wire::base64::encode(&outer.digest().bytes(), fusee_core::wire::base64::STANDARD)
}

#[derive(Default)]
struct Sorted(Vec<(String, String)>);

impl FieldSink for Sorted {
    fn text(&mut self, key: &str, value: &str) {
        self.0.push((key.into(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusee_core::wire::Fields;

    #[test]
    fn signatures_are_java_s() {
        let content = b"Hello RocketMQ Client ACL Feature";
        assert_eq!(signature("adiaushdiaushd", content), "tAb/54Rwwcq+pbH8Loi7FWX4QSQ=");
        let fields = Fields::from_pairs([("e", "0"), ("b", "TopicTest"), ("a", "pg"), ("Signature", "old")]);
        let key = ("AccessKey", "rocketmq2");
        assert_eq!(sign("12345678", &fields, &[key], b"hello"), "KLB3qgOwlAS6r4RFOio7rIuDoV8=");
        let token = ("SecurityToken", "tok");
        assert_eq!(sign("12345678", &fields, &[token, key], b"hello"), "au06J8lEXjIPn9vlg1MfEEjJf88=");
    }

    #[test]
    fn long_secrets_are_hashed_first() {
        // Computed by Python's hmac module.
        assert_eq!(signature(&"*".repeat(80), b"Test"), "8qBTbH8FTw2tHr/xAhFC0DHBzSE=");
    }
}
