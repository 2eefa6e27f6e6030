//! Whole numbers written out in decimal, in registers: eight digits are the eight bytes of a word, worked out side by
//! side, so that nothing is stored in pieces that would have to be loaded again at once.
//!
//! Law: the digits are those of the standard library, and so those that Java `String#valueOf` makes of a number.

/// A number written out, in words that hold their digits in memory order.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    negative: bool,
    head: u64,
    head_len: usize,
    /// Full words behind the head, the first `tails` of them.
    tail: [u64; 2],
    tails: usize,
}

const WORD: u64 = 100_000_000;
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

impl Decimal {
    /// Room for any number: a sign and three words.
    pub(crate) const BYTES: usize = 25;

    #[inline]
    pub(crate) fn new(value: i64) -> Self {
        let negative = value < 0;
        let value = value.unsigned_abs();
        let (head, tail, tails) = if value < WORD {
            (value, [0; 2], 0)
        } else {
            let (high, low) = (value / WORD, ascii(value % WORD));
            if high < WORD { (high, [low, 0], 1) } else { (high / WORD, [ascii(high % WORD), low], 2) }
        };
        let digits = eight(head);
        // Zeros in front are the low bytes; the last digit stays, be it a zero.
        let zeros = (digits.trailing_zeros() / 8).min(7);
        let head_len = 8_usize.saturating_sub(usize::try_from(zeros).unwrap_or(7));
        Self { negative, head: (digits | ZEROS).wrapping_shr(zeros.wrapping_mul(8)), head_len, tail, tails }
    }

    /// How many characters it has.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.tails.saturating_mul(8).saturating_add(self.head_len).saturating_add(self.negative as usize)
    }

    /// Its pieces in order: a word in memory order and how many of its bytes count.
    #[inline(always)]
    pub(crate) fn pieces(&self, mut piece: impl FnMut(u64, usize)) {
        if self.negative {
            piece(u64::from(b'-'), 1);
        }
        piece(self.head, self.head_len);
        let [first, second] = self.tail;
        if self.tails > 0 {
            piece(first, 8);
        }
        if self.tails > 1 {
            piece(second, 8);
        }
    }

    /// Writes it there and gives it back as text.
    pub(crate) fn write<'a>(&self, to: &'a mut [u8; Self::BYTES]) -> &'a str {
        let mut at = 0_usize;
        self.pieces(|word, count| {
            for (to, from) in to.iter_mut().skip(at).zip(word.to_le_bytes().into_iter().take(count)) {
                *to = from;
            }
            at = at.saturating_add(count);
        });
        core::str::from_utf8(to.get(..at).unwrap_or_default()).unwrap_or_default()
    }
}

/// A number below a hundred million with its leading zeros, as text in memory order.
#[inline]
const fn ascii(number: u64) -> u64 {
    eight(number) | ZEROS
}

/// The eight digits of a number below a hundred million, most significant in the lowest byte: halves, then quarters,
/// then digits, each step dividing all lanes by one multiplication.
#[inline]
const fn eight(number: u64) -> u64 {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    // 10486 / 2^20 is a hundredth for what is below ten thousand, 103 / 2^10 a tenth for what is below a hundred.
    let hundreds = (halves.wrapping_mul(10_486) >> 20) & 0x7f_0000_007f;
    let quarters = hundreds | (halves.wrapping_sub(hundreds.wrapping_mul(100)) << 16);
    let tens = (quarters.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters.wrapping_sub(tens.wrapping_mul(10)) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        let powers = (0..19).flat_map(|power| {
            let power = 10_i64.pow(power);
            [power - 1, power, power + 1, power.wrapping_mul(9), power.wrapping_mul(7) + 7]
        });
        let edges = [i64::MAX, i64::MIN, i64::from(i32::MIN), 1_700_000_000_000];
        let small = 0..20_000;
        for value in powers.chain(edges).chain(small).flat_map(|value| [value, value.wrapping_neg()]) {
            let decimal = Decimal::new(value);
            let mut room = [0; Decimal::BYTES];
            assert_eq!(decimal.write(&mut room), value.to_string());
            assert_eq!(decimal.len(), value.to_string().len());
        }
    }

    #[test]
    fn every_four_digits_come_out_right_in_both_halves() {
        for value in (0..10_000_u64).flat_map(|four| [four, four * 10_000]) {
            assert_eq!(ascii(value).to_le_bytes(), *alloc::format!("{value:08}").as_bytes());
        }
    }
}
