//! Records of fields: a struct whose members are extFields, declared once, written and read by the same list.
//!
//! Laws: a member that is optional on the wire is an `Option` (or a truth value, or a text whose absence is no text);
//! what is required and missing, or no value of its type, is the peer's mistake and named by its key.
//!
//! Sources: Java `CommandCustomHeader`, `CFNotNull`, `CFNullable`, `RemotingCommand#decodeCommandCustomHeader`;
//! wire.md §2.8.

use super::RpcError;
use crate::ids::{BrokerName, ClientId, Group, Topic};
use crate::time::UnixMillis;
use crate::wire::fields::{FieldSink, Fields};
use crate::wire::text::Text;

/// A value that travels as an extField.
pub(crate) trait Field: Sized {
    fn put(&self, key: &'static str, out: &mut impl FieldSink);
    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError>;
}

macro_rules! int {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn put(&self, key: &'static str, out: &mut impl FieldSink) {
                out.int(key, i64::from(*self));
            }

            fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
                Ok(fields.required_int(key)?)
            }
        }

        impl Field for Option<$type> {
            fn put(&self, key: &'static str, out: &mut impl FieldSink) {
                if let Some(value) = self {
                    value.put(key, out);
                }
            }

            fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
                Ok(fields.int(key)?)
            }
        }
    )*};
}

int!(i32, i64);

impl Field for UnixMillis {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        out.int(key, self.0);
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(Self(fields.required_int(key)?))
    }
}

impl Field for bool {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        out.flag(key, *self);
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(fields.flag(key))
    }
}

impl Field for Option<bool> {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        if let Some(value) = self {
            out.flag(key, *value);
        }
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(fields.get(key).map(|value| value.eq_ignore_ascii_case("true")))
    }
}

impl Field for Text {
    /// A text of nothing is left out: the binary encoding and signatures do not survive empty values.
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        if !self.is_empty() {
            out.shared(key, self);
        }
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(fields.text(key).unwrap_or_default())
    }
}

impl Field for Option<Text> {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        if let Some(text) = self {
            text.put(key, out);
        }
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        Ok(fields.text(key).filter(|text| !text.is_empty()))
    }
}

macro_rules! name {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn put(&self, key: &'static str, out: &mut impl FieldSink) {
                out.text(key, self.as_str());
            }

            fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
                Self::new(fields.required(key)?).map_err(|_| RpcError::Malformed(key))
            }
        }

        impl Field for Option<$type> {
            fn put(&self, key: &'static str, out: &mut impl FieldSink) {
                if let Some(name) = self {
                    name.put(key, out);
                }
            }

            fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
                let name = fields.get(key).filter(|name| !name.is_empty());
                name.map(<$type>::new).transpose().map_err(|_| RpcError::Malformed(key))
            }
        }
    )*};
}

name!(Topic, Group, BrokerName, ClientId);

/// Declares a struct of fields. Members behind `with` are no fields and start as given.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)*
        }
        $(with { $($(#[$extra_doc:meta])* $extra:ident: $extra_type:ty = $start:expr,)* })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            $($($(#[$extra_doc])* pub $extra: $extra_type,)*)?
        }

        impl $crate::wire::fields::FieldSource for $name {
            fn write_fields(&self, out: &mut impl $crate::wire::fields::FieldSink) {
                $($crate::wire::rpc::record::Field::put(&self.$field, $key, out);)*
                let _ = out;
            }
        }

        impl $name {
            /// Reads the fields.
            pub(crate) fn read_fields(
                fields: &$crate::wire::fields::Fields,
            ) -> Result<Self, $crate::wire::rpc::RpcError> {
                let _ = fields;
                Ok(Self {
                    $($field: $crate::wire::rpc::record::Field::read(fields, $key)?,)*
                    $($($extra: $start,)*)?
                })
            }
        }
    };
}

/// Declares a request that is a record of fields and nothing else, and how its reply is read.
macro_rules! rpc {
    (
        $(#[$doc:meta])*
        $name:ident = $code:ident -> $reply:ty, $read:expr; {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)*
        }
    ) => {
        $crate::wire::rpc::record::record! {
            $(#[$doc])*
            $name { $($(#[$field_doc])* $field: $type = $key,)* }
        }

        impl $crate::wire::rpc::Rpc for $name {
            const CODE: i32 = $crate::wire::codes::RequestCode::$code.0;
            type Reply = $reply;

            fn fields(&self, out: &mut impl $crate::wire::fields::FieldSink) {
                $crate::wire::fields::FieldSource::write_fields(self, out);
            }

            fn read(frame: &$crate::wire::frame::Frame) -> Result<Self, $crate::wire::rpc::RpcError> {
                Self::read_fields(&frame.header.fields)
            }

            fn reply(frame: &$crate::wire::frame::Frame) -> Result<$reply, $crate::wire::rpc::RpcError> {
                $read(frame)
            }
        }
    };
}

pub(crate) use {record, rpc};
