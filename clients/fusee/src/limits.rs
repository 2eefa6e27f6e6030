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

/// The bodies of one reply that were decompressed, together; and those that were decompressed in vain. A broker as it is
/// shipped puts at most 256 KiB of stored messages into a reply and zlib makes at most a thousand bytes of one, so
/// nothing that it sends is refused.
pub const INFLATED_REPLY_BYTES: usize = 256 * 1024 * 1024;

/// The entries of all batches in one reply, each of which takes many times the 22 bytes it may come in. A legal reply
/// holds some ten thousand, compressed by as much as makes sense ten times that.
pub const REPLY_ENTRIES: usize = 256 * 1024;
