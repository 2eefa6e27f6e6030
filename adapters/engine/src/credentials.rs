//! Who signs requests: an access key, its secret, and where they come from.
//!
//! Laws: a secret is never printed, in any form, and is overwritten when it is dropped; the provider is asked for
//! each request anew, so that a rotated secret counts from the next request on; the signature is made last.
//!
//! Sources: Java `AclClientRPCHook`, `SessionCredentials`. The signed text holds no time and no nonce: without TLS
//! whoever can read the line can repeat a request.

use std::fmt;
use std::sync::Arc;

use fusee_core::wire::{Dialect, EncodeError, Request};

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use crate::codec;

/// An access key with its secret, and the security token that temporary ones come with.
#[derive(Clone)]
pub struct Credential {
    access_key: Arc<str>,
    secret_key: Arc<Zeroizing<String>>,
    security_token: Option<Arc<Zeroizing<String>>>,
}

impl Credential {
    /// An access key and its secret.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into().into(),
            secret_key: Arc::new(Zeroizing::new(secret_key.into())),
            security_token: None,
        }
    }

    /// With the token that temporary credentials come with.
    #[must_use]
    pub fn security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Some(Arc::new(Zeroizing::new(token.into())));
        self
    }

    /// The access key, which is no secret.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Appends the head of a signed request and gives its body back.
    pub(crate) fn encode_head(
        &self,
        request: &Request,
        dialect: Dialect,
        opaque: i32,
        out: &mut BytesMut,
    ) -> Result<Bytes, EncodeError> {
        let mut extra = vec![("AccessKey", &*self.access_key)];
        if let Some(token) = &self.security_token {
            extra.push(("SecurityToken", token.as_str()));
        }
        let signed = codec::sign(&self.secret_key, request, &extra, &request.body());
        extra.push(("Signature", &signed));
        request.encode_head_with(dialect, opaque, false, &extra, out).map(|encoded| encoded.body)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Where credentials come from. Asked on the thread that writes a request, for each request: answer from memory, and
/// refresh elsewhere.
pub trait Credentials: Send + Sync + 'static {
    /// The credential that counts now.
    fn current(&self) -> Credential;
}

impl Credentials for Credential {
    fn current(&self) -> Self {
        self.clone()
    }
}

impl<F: Fn() -> Credential + Send + Sync + 'static> Credentials for F {
    fn current(&self) -> Credential {
        self()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_credential_shows_its_secrets() {
        let credential = Credential::new("key", "s3cr3t-k3y").security_token("t0k3n");
        let text = format!("{credential:?} {credential:#?}");
        assert!(text.contains("key") && !text.contains("s3cr3t") && !text.contains("t0k3n"), "{text}");
    }
}
