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

/// Whether the broker said before storing anything that it will not: its other codes leave doubt.
pub(super) const fn refused_for_sure(error: &RpcError) -> bool {
    match error {
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
