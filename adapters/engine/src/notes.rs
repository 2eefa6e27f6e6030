//! The machine's notes, handed to `tracing` with no lock held: a subscriber is user code.

use fusee_core::Note;
use fusee_core::error::LostWhy;

pub(crate) fn trace(note: &Note) {
    if matches!(
        note,
        Note::Dialing(_)
            | Note::Connected(_)
            | Note::Backoff(..)
            | Note::Retired(_, LostWhy::Aged | LostWhy::Idle)
            | Note::Route(..)
    ) {
        tracing::debug!(target: "fusee", "{note}");
    } else {
        // Something did not go as it should; the machine goes on by itself.
        tracing::warn!(target: "fusee", "{note}");
    }
}
