//! Signed requests, by a second hand (Java: `AclClientRPCHook`): HMAC-SHA1 of the values of all fields in the order of
//! their keys, and the body.

use std::collections::BTreeMap;

use sha1_smol::Sha1;

/// An access key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Who.
    pub access_key: String,
    /// Known to the broker and to them alone.
    pub secret_key: String,
}

impl Keys {
    /// Of two texts.
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret_key: secret_key.to_owned() }
    }

    /// Adds what a signed request carries.
    pub(super) fn sign(&self, fields: &mut BTreeMap<String, String>, body: &[u8]) {
        fields.insert("AccessKey".to_owned(), self.access_key.clone());
        let mut content: Vec<u8> = fields.values().flat_map(|value| value.bytes()).collect();
        content.extend(body);
        fields.insert("Signature".to_owned(), base64(&hmac_sha1(self.secret_key.as_bytes(), &content)));
    }
}

fn hmac_sha1(key: &[u8], content: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::from(key).digest().bytes());
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let hash = |pad: u8, content: &[u8]| {
        let mut sha = Sha1::new();
        sha.update(&block.map(|byte| byte ^ pad));
        sha.update(content);
        sha.digest().bytes()
    };
    hash(0x5c, &hash(0x36, content))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Keys, base64, hmac_sha1};

    #[test]
    fn known_answers() {
        // RFC 4648, section 10.
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        // RFC 2202, cases 2 and 6.
        let hex = |bytes: [u8; 20]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(hmac_sha1(b"Jefe", b"what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let long = hmac_sha1(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
        // A request as Java signs it.
        let mut fields =
            BTreeMap::from([("a", "pg"), ("b", "TopicTest"), ("e", "0")].map(|(k, v)| (k.into(), v.into())));
        Keys::new("rocketmq2", "12345678").sign(&mut fields, b"hello");
        assert_eq!(fields["Signature"], "KLB3qgOwlAS6r4RFOio7rIuDoV8=");
    }
}
