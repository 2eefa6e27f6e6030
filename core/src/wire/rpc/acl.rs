//! Users and what they may do, on brokers since 5.3 (ACL 2.0).
//!
//! Laws: a password is never shown by `Debug`, though brokers hand passwords out as they were given; what has a name
//! that is not known here keeps it. A user or a subject without rules is no error but `None`.
//!
//! Sources: Java `CreateUserRequestHeader`, `UpdateUserRequestHeader`, `DeleteUserRequestHeader`,
//! `GetUserRequestHeader`, `ListUsersRequestHeader`, `CreateAclRequestHeader`, `UpdateAclRequestHeader`,
//! `DeleteAclRequestHeader`, `GetAclRequestHeader`, `ListAclsRequestHeader`, `UserInfo`, `AclInfo`, `UserType`,
//! `UserStatus`, `PolicyType`, `Decision`, `Action`; wire.md §3.8, §5.12.

use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::record::{Field, rpc};
use super::{Rpc, RpcError, success};
use crate::wire::body::{self, BodyError};
use crate::wire::codes::RequestCode;
use crate::wire::fields::{FieldSink, Fields};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// A password in the clear, which is how it travels.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(Text);

impl Password {
    /// This password.
    #[must_use]
    pub const fn new(password: Text) -> Self {
        Self(password)
    }

    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Declares what has a few names in Java and may get more.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A name that is not known here.
            Other(Text),
        }

        impl $name {
            /// Its name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<Text> for $name {
            fn from(name: Text) -> Self {
                match &*name {
                    $($text => Self::$variant,)*
                    _ => Self::Other(name),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Text::deserialize(deserializer).map(Self::from)
            }
        }
    )*};
}

names! {
    /// Whether rules count for a user.
    UserType {
        /// May do everything.
        Super = "Super",
        /// May do what rules allow.
        Normal = "Normal",
    }
    /// Whether a user is let in.
    UserStatus {
        /// It is.
        Enabled = "enable",
        /// It is not.
        Disabled = "disable",
    }
    /// Which of two sets of rules counts.
    PolicyType {
        /// The one that is looked at first.
        Custom = "Custom",
        /// The one that is looked at when no rule of the first fits.
        Default = "Default",
    }
    /// What a rule says.
    Decision {
        /// Yes.
        Allow = "Allow",
        /// No.
        Deny = "Deny",
    }
    /// What somebody wants to do.
    Action {
        /// Everything.
        All = "All",
        /// Anything.
        Any = "Any",
        /// Send.
        Publish = "Pub",
        /// Read.
        Subscribe = "Sub",
        /// Make.
        Create = "Create",
        /// Change.
        Update = "Update",
        /// Delete.
        Delete = "Delete",
        /// Look at.
        Get = "Get",
        /// List.
        List = "List",
    }
}

impl Field for Option<PolicyType> {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        if let Some(kind) = self {
            out.text(key, kind.as_str());
        }
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(fields.text(key).filter(|name| !name.is_empty()).map(PolicyType::from))
    }
}

/// A user of a broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its password. A change without one leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// Whether it is let in. A change without it leaves it as it is; a new user is let in.
    #[serde(rename = "userStatus", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<UserStatus>,
    /// Whether rules count for it. A change without it leaves it as it is; for a new user they do.
    #[serde(rename = "userType", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserType>,
    /// Its name, which is its access key.
    #[serde(rename = "username", default, deserialize_with = "body::or_default")]
    pub name: Text,
}

/// The rules for a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    /// Its sets of rules.
    #[serde(default, deserialize_with = "body::or_default")]
    pub policies: Vec<Policy>,
    /// Whom they are for: `User:name`.
    #[serde(default, deserialize_with = "body::or_default")]
    pub subject: Text,
}

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The rules.
    #[serde(rename = "entries", default, deserialize_with = "body::or_default")]
    pub rules: Vec<Rule>,
    /// Which set it is.
    #[serde(rename = "policyType", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PolicyType>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is about.
    #[serde(default, deserialize_with = "body::or_default")]
    pub actions: Vec<Action>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What it is done to: `*`, or `Cluster:`, `Namespace:`, `Topic:` or `Group:` and a name, the beginning of names
    /// and `*`, or `*`.
    #[serde(default, deserialize_with = "body::or_default")]
    pub resource: Text,
    /// From where: addresses and networks such as `192.168.0.0/24`; none for anywhere.
    #[serde(
        rename = "sourceIps",
        default,
        deserialize_with = "body::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub sources: Vec<Text>,
}

/// What came in a body, if anything did: brokers answer with none when there is nothing.
fn given<T>(frame: &Frame, read: impl FnOnce(&[u8]) -> Result<T, BodyError>) -> Result<Option<T>, RpcError> {
    success(frame)?;
    if frame.body.is_empty() { Ok(None) } else { Ok(Some(read(&frame.body)?)) }
}

fn listed<T: serde::de::DeserializeOwned>(frame: &Frame) -> Result<Vec<T>, RpcError> {
    Ok(given(frame, body::parse_admin)?.unwrap_or_default())
}

/// Declares a request whose body says what its one field names.
macro_rules! told {
    ($($(#[$doc:meta])* $name:ident = $code:ident($what:ident: $type:ident, $key:literal = $named:ident);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// How it shall be.
            pub $what: $type,
        }

        impl Rpc for $name {
            const CODE: i32 = RequestCode::$code.0;
            type Reply = ();

            fn fields(&self, out: &mut impl FieldSink) {
                self.$what.$named.put($key, out);
            }

            fn body(&self) -> Bytes {
                body::json(&self.$what)
            }

            /// The field counts, as for brokers, whatever the body has in its place.
            fn read(frame: &Frame) -> Result<Self, RpcError> {
                let $named = frame.header.fields.required_text($key)?;
                if $named.is_empty() {
                    return Err(RpcError::Malformed($key));
                }
                Ok(Self { $what: $type { $named, ..body::parse(&frame.body)? } })
            }

            fn reply(frame: &Frame) -> Result<(), RpcError> {
                success(frame)
            }
        }
    )*};
}

told! {
    /// Makes a user (3001). One that is there is refused with 16.
    CreateUser = AUTH_CREATE_USER(user: User, "username" = name);
    /// Changes a user (3002). One that is not there is refused with 16.
    UpdateUser = AUTH_UPDATE_USER(user: User, "username" = name);
    /// Gives a user rules (3006).
    CreateAcl = AUTH_CREATE_ACL(acl: Acl, "subject" = subject);
    /// Adds to the rules of a user, and changes those for the same resources (3007).
    UpdateAcl = AUTH_UPDATE_ACL(acl: Acl, "subject" = subject);
}

rpc! {
    /// Deletes a user (3003), if it is there.
    DeleteUser = AUTH_DELETE_USER -> (), success; {
        /// Its name.
        name: Text = "username",
    }
}

rpc! {
    /// Asks for a user (3004).
    GetUser = AUTH_GET_USER -> Option<User>, |frame: &Frame| given(frame, body::parse); {
        /// Its name.
        name: Text = "username",
    }
}

rpc! {
    /// Asks for the users (3005).
    ListUsers = AUTH_LIST_USER -> Vec<User>, listed; {
        /// What their names contain.
        filter: Option<Text> = "filter",
    }
}

rpc! {
    /// Deletes rules of a user (3008): those for a resource, or all.
    DeleteAcl = AUTH_DELETE_ACL -> (), success; {
        /// Whose: `User:name`.
        subject: Text = "subject",
        /// Of which set only.
        policy: Option<PolicyType> = "policyType",
        /// For which resource only.
        resource: Option<Text> = "resource",
    }
}

rpc! {
    /// Asks for the rules of a user (3009). A user that is not there is refused with 16.
    GetAcl = AUTH_GET_ACL -> Option<Acl>, |frame: &Frame| given(frame, body::parse); {
        /// Whose: `User:name`.
        subject: Text = "subject",
    }
}

rpc! {
    /// Asks for the rules of users (3010).
    ListAcls = AUTH_LIST_ACL -> Vec<Acl>, listed; {
        /// What subjects contain.
        subject: Option<Text> = "subjectFilter",
        /// What resources contain.
        resource: Option<Text> = "resourceFilter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::RawRequest;
    use alloc::format;

    #[test]
    fn passwords_are_not_shown() {
        let user = User {
            password: Some(Password::new(Text::from("s3cr3t"))),
            status: None,
            kind: Some(UserType::Super),
            name: Text::from("alice"),
        };
        assert_eq!(body::json(&user), br#"{"password":"s3cr3t","userType":"Super","username":"alice"}"#[..]);
        let request = CreateUser { user };
        let text = format!("{request:?} {request:#?}");
        assert!(text.contains("alice") && !text.contains("s3cr3t"), "{text}");
        let raw = RawRequest { code: 3001, fields: Fields::default(), body: request.body() };
        assert!(!format!("{raw:?}").contains("s3cr3t"));
        assert_eq!(request.user.password.map(|password| password.reveal().len()), Some(6));
    }

    #[test]
    fn names_of_newer_brokers_are_kept() {
        let rule = br#"{"actions":["Pub","Rename"],"decision":"Ask","resource":"*","sourceIps":null}"#;
        let rule: Rule = body::parse(rule).expect("a rule");
        assert_eq!(rule.actions, [Action::Publish, Action::Other(Text::from("Rename"))]);
        assert_eq!(body::json(&rule), br#"{"actions":["Pub","Rename"],"decision":"Ask","resource":"*"}"#[..]);
    }
}
