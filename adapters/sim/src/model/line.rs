//! Where the servers of 4.9.4 and 5.5.0 differ, as seen on live ones.

/// Which release a model server imitates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// 4.9.4.
    V4_9,
    /// 5.5.0.
    #[default]
    V5,
}

impl Line {
    /// The version ordinal in every frame.
    #[must_use]
    pub const fn version(self) -> i32 {
        match self {
            Self::V4_9 => 401,
            Self::V5 => 513,
        }
    }

    /// The code for a parameter that makes no sense.
    pub(super) const fn invalid_parameter(self) -> i32 {
        match self {
            Self::V4_9 => 1,
            Self::V5 => 29,
        }
    }

    /// What follows the remark of an error that has a page (Java: `FAQUrl`).
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::V4_9 => "\nSee http://rocketmq.apache.org/docs/faq/ for further details.",
            Self::V5 => "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
        }
    }

    /// Clients with a version above this know code 1500 (Java: `NettyRemotingAbstract`).
    pub(super) const fn go_away_above(self) -> i32 {
        match self {
            Self::V4_9 => i32::MAX,
            Self::V5 => 475,
        }
    }

    /// Replies take the request's codec, instead of always JSON.
    pub(super) const fn mirrors_codec(self) -> bool {
        matches!(self, Self::V4_9)
    }
}
