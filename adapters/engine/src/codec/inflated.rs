//! What inflating yields, within its bound.
//!
//! Laws: never more than the bound, and one window beside what is kept: what is large is measured before room is made
//! for it, so a bomb costs a window and nothing else.

/// A compressed body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It is cut, damaged, or something else.
    #[error("the body is no {0}, or is damaged")]
    Damaged(&'static str),
    /// It holds more than allowed.
    #[error("the body inflates to more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
}

/// What a body that inflates to more than this is measured for, before room is made for it: growing a large buffer holds
/// it twice, and a bomb is found out while it is counted.
const AT_ONCE: usize = 256 * 1024;

/// Where inflated bytes go: they are counted, and kept as long as there are no more than `keep`.
pub(super) struct Output {
    kept: Vec<u8>,
    counted: usize,
    keep: usize,
    limit: usize,
}

impl Output {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), InflateError> {
        self.counted = self.counted.saturating_add(bytes.len());
        if self.counted > self.limit {
            return Err(InflateError::TooLarge { limit: self.limit });
        }
        if self.counted <= self.keep {
            self.kept.extend_from_slice(bytes);
        } else {
            self.kept = Vec::new();
        }
        Ok(())
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.counted == 0
    }
}

/// Inflates what is small at once; what is large is counted, and inflated again into room of its size.
pub(super) fn measured(
    body: &[u8],
    limit: usize,
    mut inflate: impl FnMut(&mut Output) -> Result<(), InflateError>,
) -> Result<Vec<u8>, InflateError> {
    let room = body.len().saturating_mul(4).min(AT_ONCE).min(limit);
    let mut out = Output { kept: Vec::with_capacity(room), counted: 0, keep: AT_ONCE, limit };
    inflate(&mut out)?;
    if out.counted > AT_ONCE {
        let counted = out.counted;
        out = Output { kept: Vec::with_capacity(counted), counted: 0, keep: counted, limit };
        inflate(&mut out)?;
    }
    Ok(out.kept)
}
