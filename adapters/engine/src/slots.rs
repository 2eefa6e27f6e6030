//! Where running operations wait for their outcome.
//!
//! Laws: a ticket names one operation for ever, because a slot that is used again has another generation; every
//! ticket is completed at most once; a slot is free again when its outcome was taken or, if nobody wants it any
//! more, when it has come. Nothing here runs user code: wakers are handed back to be woken or dropped elsewhere.

use std::task::Waker;

use fusee_core::ids::Ticket;

/// The slots of one client.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Free,
    Waiting(Option<Waker>),
    Done(T),
    Abandoned,
}

/// What a look into a slot found.
#[derive(Debug)]
pub(crate) enum Look<T> {
    /// The outcome; the slot is free again.
    Done(T),
    /// Not yet. The waker that was registered before, to be dropped outside the lock.
    Waiting(Option<Waker>),
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// A ticket for a new operation.
    pub(crate) fn reserve(&mut self) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, state: State::Free });
            u32::try_from(self.slots.len() - 1).expect("memory ends before four billion operations run")
        });
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.state = State::Waiting(None);
        Ticket(u64::from(slot.generation) << 32 | u64::from(index))
    }

    /// Ends the operation. Its waker is handed back to be woken.
    ///
    /// Panics when the ticket was never given out or has ended before: the machine promises one outcome per ticket.
    pub(crate) fn complete(&mut self, ticket: Ticket, outcome: T) -> Option<Waker> {
        let (index, slot) = self.slot(ticket);
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Waiting(waker) => {
                slot.state = State::Done(outcome);
                waker
            }
            State::Abandoned => {
                self.free.push(index);
                None
            }
            State::Free | State::Done(_) => unreachable!("{ticket:?} ended twice"),
        }
    }

    /// Takes the outcome if there is one, otherwise sees to it that `waker` is woken when there is.
    pub(crate) fn look(&mut self, ticket: Ticket, waker: &Waker) -> Look<T> {
        let (index, slot) = self.slot(ticket);
        match &mut slot.state {
            State::Waiting(Some(old)) if old.will_wake(waker) => Look::Waiting(None),
            State::Waiting(old) => Look::Waiting(old.replace(waker.clone())),
            State::Done(_) => match std::mem::replace(&mut slot.state, State::Free) {
                State::Done(outcome) => {
                    self.free.push(index);
                    Look::Done(outcome)
                }
                State::Free | State::Waiting(_) | State::Abandoned => unreachable!("matched as done"),
            },
            State::Free | State::Abandoned => unreachable!("{ticket:?} was taken or given up before"),
        }
    }

    /// Nobody waits for this operation any more. What was registered or has come is handed back to be dropped.
    pub(crate) fn abandon(&mut self, ticket: Ticket) -> (Option<Waker>, Option<T>) {
        let (index, slot) = self.slot(ticket);
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Waiting(waker) => {
                slot.state = State::Abandoned;
                (waker, None)
            }
            State::Done(outcome) => {
                self.free.push(index);
                (None, Some(outcome))
            }
            State::Free | State::Abandoned => unreachable!("{ticket:?} was taken or given up before"),
        }
    }

    /// The operation was not started: nothing will come.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        let (index, slot) = self.slot(ticket);
        slot.state = State::Free;
        self.free.push(index);
    }

    /// The wakers of everything that still waits.
    pub(crate) fn wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.slots.iter_mut().filter_map(|slot| match &mut slot.state {
            State::Waiting(waker) => waker.take(),
            State::Free | State::Done(_) | State::Abandoned => None,
        })
    }

    fn slot(&mut self, ticket: Ticket) -> (u32, &mut Slot<T>) {
        let index = (ticket.0 & u64::from(u32::MAX)) as u32;
        let slot = &mut self.slots[index as usize];
        assert_eq!(u64::from(slot.generation), ticket.0 >> 32, "{ticket:?} belongs to an earlier operation");
        (index, slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_under_another_ticket() {
        let mut slots = Slots::default();
        let first = slots.reserve();
        assert!(matches!(slots.look(first, Waker::noop()), Look::Waiting(None)));
        assert!(slots.complete(first, 'a').is_some());
        assert!(matches!(slots.look(first, Waker::noop()), Look::Done('a')));
        let second = slots.reserve();
        assert_ne!(first, second);
        assert_eq!(first.0 as u32, second.0 as u32);
    }

    #[test]
    fn an_abandoned_slot_is_free_when_its_outcome_has_come() {
        let mut slots = Slots::default();
        let (a, b) = (slots.reserve(), slots.reserve());
        slots.abandon(a);
        assert_ne!(slots.reserve().0 as u32, a.0 as u32, "still owed an outcome");
        assert!(slots.complete(a, ()).is_none());
        assert_eq!(slots.reserve().0 as u32, a.0 as u32);
        slots.complete(b, ());
        assert_eq!(slots.abandon(b).1, Some(()));
        assert_eq!(slots.reserve().0 as u32, b.0 as u32);
    }

    #[test]
    #[should_panic(expected = "ended twice")]
    fn an_operation_ends_once() {
        let mut slots = Slots::default();
        let ticket = slots.reserve();
        slots.complete(ticket, ());
        slots.complete(ticket, ());
    }
}
