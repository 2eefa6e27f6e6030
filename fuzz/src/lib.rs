//! Properties that hold for arbitrary bytes.
//!
//! Each function is one property and panics where it does not hold. The fuzz targets of the same names feed them what
//! coverage leads to; an ordinary test replays the committed corpus, so that every build keeps what was once found.

mod machine;
mod text;
mod wire;

pub use machine::client;
pub use text::{ids, names, properties, trace};
pub use wire::{batch, bodies, encoder, frames, header_binary, header_json, inflate, messages, pushed};

/// A property over bytes.
pub type Property = fn(&[u8]);

/// Every property by its name.
pub const PROPERTIES: [(&str, Property); 14] = [
    ("batch", batch),
    ("bodies", bodies),
    ("client", client),
    ("encoder", encoder),
    ("frames", frames),
    ("header_binary", header_binary),
    ("header_json", header_json),
    ("ids", ids),
    ("inflate", inflate),
    ("messages", messages),
    ("names", names),
    ("properties", properties),
    ("pushed", pushed),
    ("trace", trace),
];
