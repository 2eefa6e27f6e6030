//! The accounts of clusters whose brokers ask for signed requests.
//!
//! Three of them: one may do everything, one may only send to [`ALLOWED`], and one does not exist. On 4.9 they stand in
//! `plain_acl.yml` (ACL 1.0); on 5.x the first comes from the configuration and the second is made by requests (ACL
//! 2.0). Name servers ask for nothing.
//!
//! While brokers run, [`put`] adds an account or changes its secret, in the way an operator would: by editing that file,
//! which 4.9 looks at every 5 s, and by a request to 5.x.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::{Cluster, Version};
use crate::raw::{Caller, Keys, code};

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

/// Accounts that were put into files of running brokers: file, access key, secret.
static PUT: Mutex<BTreeMap<PathBuf, BTreeMap<String, String>>> = Mutex::new(BTreeMap::new());

/// Lets an account that may do everything have this secret on every broker from now on; on 4.9 from when the broker has
/// looked at its file. Scenarios that share the brokers name the account by [`Env::name`](crate::scenario::Env::name).
pub fn put(cluster: &Cluster, keys: &Keys) -> io::Result<()> {
    for i in 0..cluster.brokers() {
        match cluster.version() {
            Version::V4_9_4 => {
                let file = cluster.directory().join(cluster.broker_name(i)).join("home/conf/plain_acl.yml");
                let mut put = PUT.lock().unwrap_or_else(PoisonError::into_inner);
                let accounts = put.entry(file.clone()).or_default();
                accounts.insert(keys.access_key.clone(), keys.secret_key.clone());
                let text = accounts.iter().fold(plain_acl(), |text, (key, secret)| {
                    text + &format!("- accessKey: {key}\n  secretKey: {secret}\n  admin: true\n")
                });
                // Whole or not at all, whenever the broker looks.
                let new = file.with_extension("new");
                fs::write(&new, text)?;
                fs::rename(new, file)?;
            }
            Version::V5_5_0 => {
                let broker = cluster.broker_addr(i);
                let name = ("username", keys.access_key.as_str());
                let user =
                    json!({"username": name.1, "password": keys.secret_key, "userType": "Super"}).to_string();
                let known =
                    cluster.caller().call(&broker, code::GET_USER, &[name], b"")?.success("account")?;
                let code = if known.body.is_empty() { code::CREATE_USER } else { code::UPDATE_USER };
                cluster.caller().call(&broker, code, &[name], user.as_bytes())?.success("account")?;
            }
        }
    }
    Ok(())
}

/// Whether every broker takes what is signed like this.
pub fn taken(cluster: &Cluster, keys: &Keys) -> io::Result<bool> {
    let caller = Caller { keys: Some(keys.clone()), ..cluster.caller().clone() };
    for i in 0..cluster.brokers() {
        let reply = caller.call(&cluster.broker_addr(i), code::BROKER_RUNTIME, &[], b"")?;
        match reply.code {
            0 => {}
            1 | 16 => return Ok(false),
            _ => return reply.success("a signed request").map(|_| false),
        }
    }
    Ok(true)
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
