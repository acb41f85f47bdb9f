//! A table whose keys go stale: an index plus a generation, so that a late completion never meets a newer tenant.
//! Never here: what the tenants are.

/// Key of a tenant. Packs into 60 bits, the rest of an io_uring `user_data` is the kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    generation: u32,
}

/// Generations wrap after 2^28 tenants of one index; an operation never stays in flight that long.
const GENERATION_MASK: u32 = (1 << 28) - 1;

#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len_max: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    tenant: Option<T>,
}

impl Key {
    pub const fn pack(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    pub const fn unpack(packed: u64) -> Self {
        Self { index: packed as u32, generation: (packed >> 32) as u32 & GENERATION_MASK }
    }
}

impl<T> Slots<T> {
    /// At most `len_max` tenants at a time; memory grows with the tenants.
    pub const fn new(len_max: usize) -> Self {
        assert!(len_max < u32::MAX as usize, "an index has 32 bits");
        Self { slots: Vec::new(), free: Vec::new(), len_max }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() == self.len_max
    }

    /// Takes a tenant in, or gives it back when the table is full.
    pub fn insert(&mut self, tenant: T) -> Result<Key, T> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.tenant = Some(tenant);
            return Ok(Key { index, generation: slot.generation });
        }
        if self.slots.len() == self.len_max {
            return Err(tenant);
        }
        self.slots.push(Slot { generation: 0, tenant: Some(tenant) });
        Ok(Key { index: (self.slots.len() - 1) as u32, generation: 0 })
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation == key.generation { slot.tenant.as_mut() } else { None }
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let tenant = slot.tenant.take()?;
        slot.generation = (slot.generation + 1) & GENERATION_MASK;
        self.free.push(key.index);
        Some(tenant)
    }

    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let live = self.slots.iter().enumerate().filter(|(_, slot)| slot.tenant.is_some());
        live.map(|(index, slot)| Key { index: index as u32, generation: slot.generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nobody() {
        let mut slots = Slots::new(2);
        let first = slots.insert('a').unwrap();
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b').unwrap();
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(second), Some(&mut 'b'));
        assert_eq!(Key::unpack(second.pack()), second);
    }

    #[test]
    fn a_full_table_gives_the_tenant_back() {
        let mut slots = Slots::new(2);
        assert!(slots.insert(1).is_ok());
        let key = slots.insert(2).unwrap();
        assert_eq!(slots.insert(3), Err(3));
        slots.remove(key);
        assert_eq!(slots.len(), 1);
        assert!(slots.insert(4).is_ok());
    }
}
