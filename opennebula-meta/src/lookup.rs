//! Fixed lists of names, to be asked for every element of every document: one comparison a question.

use crate::document::name_hash;

/// Names, each with what is known of it. Made by the compiler.
#[derive(Debug)]
pub(crate) struct Lookup<T: 'static, const SLOTS: usize> {
    /// Each name is at its hash, or at the next free slot behind.
    slots: [Option<(&'static str, T)>; SLOTS],
}

impl<T: Copy, const SLOTS: usize> Lookup<T, SLOTS> {
    /// The names of all groups. `SLOTS` is a power of two, larger than their number: some slot must stay free.
    pub(crate) const fn new(groups: &[(T, &[&'static str])]) -> Self {
        assert!(SLOTS.is_power_of_two(), "slots are found by a mask");
        let mut slots = [None; SLOTS];
        let mut count = 0;
        let mut group = 0;
        while group < groups.len() {
            let (value, names) = groups[group];
            let mut at = 0;
            while at < names.len() {
                let mut slot = Self::slot_of(names[at]);
                while slots[slot].is_some() {
                    slot = (slot + 1) % SLOTS;
                }
                slots[slot] = Some((names[at], value));
                count += 1;
                at += 1;
            }
            group += 1;
        }
        assert!(count < SLOTS, "a free slot ends every search");
        Self { slots }
    }

    /// The name as it is listed, and what is known of it.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<(&'static str, T)> {
        let mut slot = Self::slot_of(name);
        while let Some((listed, value)) = self.slots.get(slot).copied().flatten() {
            if listed == name {
                return Some((listed, value));
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    const fn slot_of(name: &str) -> usize {
        let [_, _, low, high] = name_hash(name.as_bytes()).wrapping_mul(0x9E37_79B1).to_le_bytes();
        usize::from_le_bytes([low, high, 0, 0, 0, 0, 0, 0]) % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        static FULL: Lookup<u8, 8> =
            Lookup::new(&[(1, &["A", "B", "AB"]), (2, &["BA", "CPU", "NIC", "AXB"])]);
        for (name, value) in [("A", 1), ("B", 1), ("AB", 1), ("BA", 2), ("CPU", 2), ("NIC", 2), ("AXB", 2)] {
            assert_eq!(FULL.get(name), Some((name, value)));
        }
        for name in ["", "a", "C", "AYB", "CPUS"] {
            assert_eq!(FULL.get(name), None);
        }
    }
}
