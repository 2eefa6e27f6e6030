//! What a broker's refusal means for a send.
//!
//! Law: only what a broker says before it stores anything counts as not stored.

use crate::wire::{ResponseCode, RpcError};

/// The codes after which Java's producer tries another broker (`DefaultMQProducer#retryResponseCodes`).
pub(super) const fn is_retried(code: ResponseCode) -> bool {
    matches!(
        code,
        ResponseCode::TOPIC_NOT_EXIST
            | ResponseCode::SERVICE_NOT_AVAILABLE
            | ResponseCode::SYSTEM_ERROR
            | ResponseCode::SYSTEM_BUSY
            | ResponseCode::NO_PERMISSION
            | ResponseCode::NO_BUYER_ID
            | ResponseCode::NOT_IN_CURRENT_UNIT
            | ResponseCode::GO_AWAY
    )
}

/// Whether a general error is that of ACL 1.0, which looks at a request before anything else does (Java:
/// `PlainPermissionManager`, called by a hook before the processor; `RemotingHelper#exceptionSimpleDesc`).
fn is_of_acl(remark: &str) -> bool {
    remark.starts_with("org.apache.rocketmq.acl.common.AclException")
}

/// Whether the broker said before storing anything that it will not: its other codes leave doubt.
pub(super) fn refused_for_sure(error: &RpcError) -> bool {
    match error {
        RpcError::Refused { code: ResponseCode::SYSTEM_ERROR, remark } => is_of_acl(remark),
        RpcError::Refused { code, .. } => matches!(
            *code,
            ResponseCode::SYSTEM_BUSY
                | ResponseCode::MESSAGE_ILLEGAL
                | ResponseCode::SERVICE_NOT_AVAILABLE
                | ResponseCode::NO_PERMISSION
                | ResponseCode::TOPIC_NOT_EXIST
                | ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST
                | ResponseCode::INVALID_PARAMETER
                | ResponseCode::FLOW_CONTROL
                | ResponseCode::GO_AWAY
        ),
        RpcError::Malformed(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Text;

    #[test]
    fn only_what_is_said_before_storing_is_a_refusal_for_sure() {
        let said = |code: i32, remark: &str| RpcError::Refused {
            code: ResponseCode(code),
            remark: Text::from(alloc::string::String::from(remark)),
        };
        let of_acl = "org.apache.rocketmq.acl.common.AclException: No acl config for the unknown account";
        assert!(refused_for_sure(&said(1, of_acl)));
        assert!(!refused_for_sure(&said(1, "java.lang.NullPointerException: see AclException")));
        assert!(refused_for_sure(&said(2, "[PCBUSY_CLEAN_QUEUE]broker busy")));
        assert!(!refused_for_sure(&said(10, "")), "a flush that takes too long comes after the storing");
    }
}
