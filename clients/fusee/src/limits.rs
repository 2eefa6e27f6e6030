//! The facade's own bounds, each with its reason; the machine's are in `fusee_core::limits`.

/// The body of one message: the default `maxMessageSize` of brokers and of the Java client, before compression.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;

/// The encoded properties of one message. A broker stores 32,767 bytes with what it adds itself (region, cluster,
/// trace switch): 32,705 as sent are the limit of a stock 5.5.0 broker, 32,745 of a 4.9.4. The rest is margin for
/// longer cluster names.
pub const PROPERTIES_BYTES: usize = 32_000;

/// A body that was decompressed, checked while inflating: four times what producers may send, so that nothing legal is
/// refused and nothing hostile grows without bound.
pub const INFLATED_BODY_BYTES: usize = 16 * 1024 * 1024;
