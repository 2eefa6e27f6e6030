//! The fixed delays that every broker knows (Java: `messageDelayLevel` of `MessageStoreConfig`).

/// One of a broker's fixed delays. The names say the delays of a stock broker; its setting `messageDelayLevel` may
/// change them, and a level past the broker's last means its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayLevel(u8);

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl DelayLevel {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }
    };
}

levels! {
    /// 1 second.
    S1 = 1;
    /// 5 seconds.
    S5 = 2;
    /// 10 seconds.
    S10 = 3;
    /// 30 seconds.
    S30 = 4;
    /// 1 minute.
    M1 = 5;
    /// 2 minutes.
    M2 = 6;
    /// 3 minutes.
    M3 = 7;
    /// 4 minutes.
    M4 = 8;
    /// 5 minutes.
    M5 = 9;
    /// 6 minutes.
    M6 = 10;
    /// 7 minutes.
    M7 = 11;
    /// 8 minutes.
    M8 = 12;
    /// 9 minutes.
    M9 = 13;
    /// 10 minutes.
    M10 = 14;
    /// 20 minutes.
    M20 = 15;
    /// 30 minutes.
    M30 = 16;
    /// 1 hour.
    H1 = 17;
    /// 2 hours.
    H2 = 18;
}

impl DelayLevel {
    /// The level of that number, for brokers with a list of their own. `None` for 0, which means no delay.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The level's number, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}
