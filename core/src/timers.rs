//! Every pending alarm of a client, earliest first. Each alarm is a value of the one enum [`Alarm`], so one `match`
//! lists everything that can happen by itself.
//!
//! Laws: arming and disarming are O(log n) without allocation once the table has grown; a disarmed or fired alarm
//! never fires; a [`Timer`] whose alarm has fired refers to nothing.

use alloc::vec::Vec;

use crate::handles::{CallId, SendId};
use crate::ids::{ConsumerId, PeerId, QueueId, TopicId};
use crate::time::Instant;

/// What can happen by itself, by the passing of time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// A request's deadline has passed.
    Call(CallId),
    /// A dial took too long, or a back-off is over.
    Peer(PeerId),
    /// `connect` ends, or another name server is tried.
    Connect,
    /// A route is due for a refresh, or another name server is to be asked for it.
    Route(TopicId),
    /// Heartbeats are due.
    Heartbeat,
    /// A send's deadline, the end of its patience with one broker, or the end of its pause.
    Send(SendId),
    /// A queue's next look-up or pull is due.
    Pull(ConsumerId, QueueId),
    /// Positions are due to be committed.
    Commit(ConsumerId),
    /// Somebody who polls a consumer wants to be woken now.
    Poll(ConsumerId),
    /// Closing takes too long.
    Close,
}

/// An armed alarm, to disarm or move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Slot {
    at: Instant,
    alarm: Alarm,
    generation: u32,
    /// Where in the heap this slot stands; `u32::MAX` when it is free.
    place: u32,
}

const FREE: u32 = u32::MAX;

/// A binary heap of slots that know their place in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Timers {
    /// Arms `alarm` for `at`.
    pub(crate) fn arm(&mut self, at: Instant, alarm: Alarm) -> Timer {
        let place = index32(self.heap.len());
        let slot = match self.free.pop() {
            Some(slot) => {
                let entry = &mut self.slots[slot as usize];
                (entry.at, entry.alarm, entry.place) = (at, alarm, place);
                slot
            }
            None => {
                self.slots.push(Slot { at, alarm, generation: 0, place });
                index32(self.slots.len() - 1)
            }
        };
        self.heap.push(slot);
        self.rise(place as usize);
        Timer { slot, generation: self.slots[slot as usize].generation }
    }

    /// Disarms what `timer` holds, if it has not fired.
    pub(crate) fn disarm(&mut self, timer: &mut Option<Timer>) {
        if let Some(timer) = timer.take()
            && let Some(place) = self.place(timer)
        {
            self.remove(place);
        }
    }

    /// Moves what `timer` holds to `at`, or arms `alarm` anew if it has fired or was never armed.
    pub(crate) fn rearm(&mut self, timer: &mut Option<Timer>, at: Instant, alarm: Alarm) {
        if let Some(armed) = *timer
            && let Some(place) = self.place(armed)
        {
            let slot = &mut self.slots[armed.slot as usize];
            slot.alarm = alarm;
            let earlier = at < slot.at;
            slot.at = at;
            if earlier {
                self.rise(place)
            } else {
                self.sink(place)
            }
            return;
        }
        *timer = Some(self.arm(at, alarm));
    }

    /// When the earliest alarm is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|slot| self.slots[*slot as usize].at)
    }

    /// Takes an alarm that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Alarm> {
        let slot = &self.slots[*self.heap.first()? as usize];
        if slot.at > now {
            return None;
        }
        let alarm = slot.alarm;
        self.remove(0);
        Some(alarm)
    }

    fn place(&self, timer: Timer) -> Option<usize> {
        let slot = self.slots.get(timer.slot as usize)?;
        (slot.generation == timer.generation && slot.place != FREE).then_some(slot.place as usize)
    }

    fn remove(&mut self, place: usize) {
        let slot = self.heap.swap_remove(place);
        let entry = &mut self.slots[slot as usize];
        entry.place = FREE;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        if place < self.heap.len() {
            self.slots[self.heap[place] as usize].place = index32(place);
            self.rise(place);
            self.sink(place);
        }
    }

    fn at(&self, place: usize) -> Instant {
        self.slots[self.heap[place] as usize].at
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.slots[self.heap[a] as usize].place = index32(a);
        self.slots[self.heap[b] as usize].place = index32(b);
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.at(parent) <= self.at(place) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let Some(child) =
                [left, left + 1].into_iter().filter(|c| *c < self.heap.len()).min_by_key(|c| self.at(*c))
            else {
                return;
            };
            if self.at(place) <= self.at(child) {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }

    /// Checks that every entry knows its place and that none is due before its parent.
    pub(crate) fn check(&self) {
        for (place, slot) in self.heap.iter().enumerate() {
            assert_eq!(self.slots[*slot as usize].place as usize, place, "an alarm knows its place");
            assert!(place == 0 || self.at((place - 1) / 2) <= self.at(place), "the earliest alarm is first");
        }
        assert_eq!(self.heap.len() + self.free.len(), self.slots.len(), "a slot is armed or free");
    }
}

fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(FREE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn alarms_fire_in_order_once_and_never_after_they_were_disarmed() {
        let mut timers = Timers::default();
        let mut rng = Rng::new(3);
        let mut armed: Vec<(u64, u32, Option<Timer>)> = Vec::new();
        for round in 0..2000_u32 {
            let due = u64::from(rng.below(500));
            let timer = timers.arm(at(due), Alarm::Peer(PeerId(round)));
            armed.push((due, round, Some(timer)));
            if rng.below(3) == 0 {
                let victim = rng.below(u32::try_from(armed.len()).unwrap()) as usize;
                let (_, _, mut timer) = armed.swap_remove(victim);
                timers.disarm(&mut timer);
            } else if rng.below(3) == 0 {
                let moved = rng.below(u32::try_from(armed.len()).unwrap()) as usize;
                let entry = &mut armed[moved];
                entry.0 = u64::from(rng.below(500));
                timers.rearm(&mut entry.2, at(entry.0), Alarm::Peer(PeerId(entry.1)));
            }
            timers.check();
        }
        let mut last = 0;
        while let Some(alarm) = timers.pop_due(at(499)) {
            let Alarm::Peer(PeerId(round)) = alarm else { panic!("{alarm:?} was never armed") };
            let found = armed.iter().position(|(_, r, _)| *r == round).expect("only what is armed fires");
            let (due, _, mut timer) = armed.swap_remove(found);
            assert!(due >= last);
            last = due;
            timers.disarm(&mut timer); // refers to nothing any more
            timers.check();
        }
        assert!(armed.is_empty());
        assert_eq!(timers.next(), None);
    }
}
