//! The accounts of clusters whose brokers ask for signed requests.
//!
//! Three of them: one may do everything, one may only send to [`ALLOWED`], and one does not exist. On 4.9 they stand in
//! `plain_acl.yml` (ACL 1.0); on 5.x the first comes from the configuration and the second is made by requests (ACL
//! 2.0). Name servers ask for nothing.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use super::{Cluster, Version};
use crate::raw::{Keys, code};

/// The topic that the limited account may send to; it exists.
pub const ALLOWED: &str = "allowed-to-the-limited";

/// May do everything.
pub fn admin() -> Keys {
    Keys::new("fusee-admin", "fusee-admin-secret")
}

/// May send to [`ALLOWED`], and nothing else.
pub fn limited() -> Keys {
    Keys::new("fusee-limited", "fusee-limited-secret")
}

/// Nobody.
pub fn unknown() -> Keys {
    Keys::new("fusee-nobody", "fusee-nobody-secret")
}

pub(super) fn properties(version: Version) -> BTreeMap<String, String> {
    let admin = admin();
    let auth = "org.apache.rocketmq.auth";
    let pairs = match version {
        Version::V4_9_4 => vec![("aclEnable", "true".to_owned())],
        Version::V5_5_0 => vec![
            ("authenticationEnabled", "true".to_owned()),
            (
                "authenticationProvider",
                format!("{auth}.authentication.provider.DefaultAuthenticationProvider"),
            ),
            (
                "authenticationMetadataProvider",
                format!("{auth}.authentication.provider.LocalAuthenticationMetadataProvider"),
            ),
            (
                "initAuthenticationUser",
                json!({"username": admin.access_key, "password": admin.secret_key}).to_string(),
            ),
            (
                "innerClientAuthenticationCredentials",
                json!({"accessKey": admin.access_key, "secretKey": admin.secret_key}).to_string(),
            ),
            ("authorizationEnabled", "true".to_owned()),
            ("authorizationProvider", format!("{auth}.authorization.provider.DefaultAuthorizationProvider")),
            (
                "authorizationMetadataProvider",
                format!("{auth}.authorization.provider.LocalAuthorizationMetadataProvider"),
            ),
        ],
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(super) fn plain_acl() -> String {
    let (admin, limited) = (admin(), limited());
    format!(
        "accounts:\n\
         - accessKey: {}\n  secretKey: {}\n  whiteRemoteAddress:\n  admin: true\n\
         - accessKey: {}\n  secretKey: {}\n  whiteRemoteAddress:\n  admin: false\n  \
         defaultTopicPerm: DENY\n  defaultGroupPerm: DENY\n  topicPerms:\n  - {ALLOWED}=PUB\n",
        admin.access_key, admin.secret_key, limited.access_key, limited.secret_key
    )
}

pub(super) fn set_up(cluster: &Cluster) -> io::Result<()> {
    cluster.create_topic(ALLOWED, 4)?;
    if cluster.version() == Version::V4_9_4 {
        return Ok(());
    }
    let limited = limited();
    let name = limited.access_key.as_str();
    let subject = format!("User:{name}");
    let user = json!({"username": name, "password": limited.secret_key, "userType": "Normal"});
    let rights = json!({"subject": subject, "policies": [{"policyType": "Custom", "entries": [
        {"resource": format!("Topic:{ALLOWED}"), "actions": ["Pub"], "decision": "Allow"}
    ]}]});
    for i in 0..cluster.brokers() {
        let broker = cluster.broker_addr(i);
        let ask = |code: i32, field: (&str, &str), body: serde_json::Value| {
            cluster.caller().call(&broker, code, &[field], body.to_string().as_bytes())?.success("account")
        };
        ask(code::CREATE_USER, ("username", name), user.clone())?;
        ask(code::CREATE_ACL, ("subject", &subject), rights.clone())?;
    }
    Ok(())
}
