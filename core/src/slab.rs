//! A table whose entries are found by an index and a generation: the shape of every table of things in flight here.
//!
//! Laws: a key that was removed finds nothing, whoever has its place now; insertion and removal are O(1), without
//! allocation once the table has grown. A key has a short form that fits an `opaque`, of which 2^15 generations differ.

use alloc::vec::Vec;

/// The place of an entry and how often that place was given away before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// Entries of a table that have a short form.
pub(crate) const SHORT_MAX: usize = 1 << 16;

impl Key {
    /// Index in the low 16 bits, the generation's low 15 bits above them: never negative. `None` past [`SHORT_MAX`].
    pub(crate) fn short(self) -> Option<i32> {
        let index = u16::try_from(self.index).ok()?;
        let generation = i32::try_from(self.generation & 0x7fff).ok()?;
        Some((generation << 16) | i32::from(index))
    }
}

#[derive(Clone, Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.value = Some(value);
            return Key { index, generation: entry.generation };
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { generation: 0, value: Some(value) });
        Key { index, generation: 0 }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.generation == key.generation { entry.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation == key.generation { entry.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The key of the living entry with this short form.
    pub(crate) fn find_short(&self, short: i32) -> Option<Key> {
        let index = u32::try_from(short & 0xffff).ok()?;
        let entry = self.entries.get(index as usize)?;
        let key = Key { index, generation: entry.generation };
        (entry.value.is_some() && key.short() == Some(short)).then_some(key)
    }

    /// Moves the entries that say so to a table of their own, where they keep their keys. Here these keys find nothing,
    /// and are not given away again.
    pub(crate) fn split_off(&mut self, moves: impl Fn(&T) -> bool) -> Self {
        let mut split = Self::default();
        for (index, entry) in (0..).zip(&mut self.entries) {
            let generation = entry.generation;
            let value = entry.value.take_if(|value| moves(value));
            if value.is_some() {
                entry.generation = generation.wrapping_add(1);
                self.free.push(index);
            } else {
                split.free.push(index);
            }
            split.entries.push(Entry { generation, value });
        }
        split
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> + '_ {
        (0..).zip(&self.entries).filter_map(|(index, entry)| {
            Some((Key { index, generation: entry.generation }, entry.value.as_ref()?))
        })
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_finds_nothing() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn what_is_split_off_keeps_its_key_and_nothing_else_has_it() {
        let mut slab = Slab::default();
        let keys = ['a', 'b', 'c', 'd'].map(|value| slab.insert(value));
        slab.remove(keys[3]);
        let mut split = slab.split_off(|value| *value != 'b');
        assert_eq!((slab.len(), split.len()), (1, 2));
        assert_eq!(keys.map(|key| slab.get(key).copied()), [None, Some('b'), None, None]);
        assert_eq!(keys.map(|key| split.get(key).copied()), [Some('a'), None, Some('c'), None]);
        for value in ['x', 'y', 'z'] {
            let key = slab.insert(value);
            assert!(!keys.contains(&key) && split.get(key).is_none());
        }
        assert_eq!((split.remove(keys[0]), split.remove(keys[1]), split.len()), (Some('a'), None, 1));
    }

    #[test]
    fn short_forms_tell_generations_apart_and_are_never_negative() {
        let mut slab = Slab::default();
        let mut last = None;
        for _ in 0..40_000 {
            let key = slab.insert(());
            let short = key.short().unwrap();
            assert!(short >= 0);
            assert_ne!(Some(short), last);
            assert_eq!(slab.find_short(short), Some(key));
            slab.remove(key);
            assert_eq!(slab.find_short(short), None);
            last = Some(short);
        }
    }
}
