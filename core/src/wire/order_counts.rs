//! How often messages of an ordered pop were consumed in vain: `mark queue count` or `mark qo<queue>%<offset> count`,
//! with semicolons between them.
//!
//! Laws: what is said of a message counts before what is said of its queue, and nothing said is no time. A list that
//! repeats a key or has an entry of another form is refused whole.
//!
//! Sources: Java `ExtraInfoUtil#parseOrderCountInfo`, `MQClientAPIImpl#processPopResponse`; wire.md §8.5.

use alloc::collections::BTreeMap;

use super::rpc::RpcError;
use super::rpc::pop::RetryMark;

/// What a count is said of: a queue, or the message at an offset of it.
pub type Counted = (RetryMark, i32, Option<i64>);

/// The counts of one pop's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    counts: BTreeMap<Counted, i32>,
}

impl OrderCounts {
    /// Reads the list. Nothing is an empty one.
    ///
    /// # Errors
    /// [`RpcError::Malformed`] when it is none.
    pub fn parse(text: &str) -> Result<Self, RpcError> {
        // Java drops what is empty behind the last separator.
        let list = text.trim_end_matches(';');
        let mut counts = BTreeMap::new();
        for entry in list.split(';').filter(|_| !list.is_empty()) {
            let (key, count) = read(entry).ok_or(RpcError::Malformed("orderCountInfo"))?;
            if counts.insert(key, count).is_some() {
                return Err(RpcError::Malformed("orderCountInfo"));
            }
        }
        Ok(Self { counts })
    }

    /// How often the message at this offset was consumed in vain.
    #[must_use]
    pub fn of(&self, mark: RetryMark, queue: i32, offset: i64) -> i32 {
        let said = |offset| self.counts.get(&(mark, queue, offset)).copied();
        said(Some(offset)).or_else(|| said(None)).unwrap_or(0).max(0)
    }

    /// Each count with what it is said of.
    pub fn iter(&self) -> impl Iterator<Item = (Counted, i32)> {
        self.counts.iter().map(|(key, count)| (*key, *count))
    }
}

fn read(entry: &str) -> Option<(Counted, i32)> {
    let mut parts = entry.split(' ');
    let mark = match parts.next()? {
        "0" => RetryMark::Normal,
        "1" => RetryMark::V1,
        "2" => RetryMark::V2,
        _ => return None,
    };
    let place = parts.next()?;
    let (queue, offset) = match place.strip_prefix("qo") {
        Some(place) => {
            let (queue, offset) = place.split_once('%')?;
            (queue, Some(offset.parse().ok()?))
        }
        None => (place, None),
    };
    let count = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(((mark, queue.parse().ok()?, offset), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_message_counts_before_what_is_said_of_its_queue() {
        let counts = OrderCounts::parse("0 0 2;0 qo0%55 3;1 0 7;0 3 -1;").expect("four counts");
        let of = |mark, queue, offset| counts.of(mark, queue, offset);
        assert_eq!((of(RetryMark::Normal, 0, 55), of(RetryMark::Normal, 0, 56)), (3, 2));
        assert_eq!((of(RetryMark::V1, 0, 55), of(RetryMark::V2, 0, 55)), (7, 0));
        assert_eq!((of(RetryMark::Normal, 3, 1), of(RetryMark::Normal, 9, 1)), (0, 0));
        assert_eq!(counts.iter().count(), 4);
        assert_eq!(OrderCounts::parse(""), Ok(OrderCounts::default()));
    }

    #[test]
    fn another_form_or_a_key_twice_is_refused_whole() {
        for bad in [
            "0 0",
            "0 0 1 2",
            "3 0 1",
            "0 x 1",
            "0 qo0 1",
            "0 qo0%x 1",
            "0 qox%1 1",
            "0 0 1,2",
            "0 0 9999999999",
            ";0 0 1",
            "0 0 1;;0 1 1",
            "0 0 1;0 0 1",
            "0 qo0%1 1;0 qo0%1 2",
        ] {
            assert_eq!(OrderCounts::parse(bad), Err(RpcError::Malformed("orderCountInfo")), "{bad}");
        }
    }
}
