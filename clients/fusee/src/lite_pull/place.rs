//! Places in a queue, by the application's clock and words.

use std::time::SystemTime;

use crate::id;

/// Where reading begins in a queue for which the group has committed nothing.
///
/// Brokers before 5.0 answer 0 for that, as for an offset of 0; which it is, their whole table of offsets tells. Where
/// that cannot be had (not allowed, or larger than the 16 MiB of a frame) such a queue is read from 0, and a
/// [`Note::Doubted`](crate::Note::Doubted) says so: reading again is better than skipping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the oldest message the broker has.
    First,
    /// At the end: only what comes from now on.
    #[default]
    Last,
    /// At the first message stored at that time or later, by the broker's clock.
    Time(SystemTime),
}

impl From<StartFrom> for fusee_core::StartFrom {
    fn from(from: StartFrom) -> Self {
        match from {
            StartFrom::First => Self::First,
            StartFrom::Last => Self::Last,
            StartFrom::Time(time) => Self::Time(id::unix(time)),
        }
    }
}

/// A place in a queue to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest message the broker has.
    Begin,
    /// Behind the newest message.
    End,
    /// This offset. One that the broker does not have is moved to the nearest it has.
    Offset(i64),
    /// The first message stored at that time or later, by the broker's clock.
    Time(SystemTime),
}

impl From<Position> for fusee_core::Position {
    fn from(position: Position) -> Self {
        match position {
            Position::Begin => Self::Begin,
            Position::End => Self::End,
            Position::Offset(offset) => Self::Offset(offset),
            Position::Time(time) => Self::Time(id::unix(time)),
        }
    }
}
