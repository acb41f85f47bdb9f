//! Indexes in order of last use: a doubly linked list inside one vector, every step O(1) and without allocation.
//! Never here: what the indexes stand for.

/// No neighbour.
const NIL: u32 = u32::MAX;

pub(super) struct Order {
    links: Vec<Link>,
    oldest: u32,
    newest: u32,
}

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

impl Order {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { links: Vec::with_capacity(count), oldest: NIL, newest: NIL }
    }

    pub(super) const fn oldest(&self) -> Option<u32> {
        if self.oldest == NIL { None } else { Some(self.oldest) }
    }

    /// `index` must not be in the list; indexes are dense, so the vector grows by at most one.
    pub(super) fn push_newest(&mut self, index: u32) {
        let at = index as usize;
        assert!(at <= self.links.len(), "indexes are dense");
        let link = Link { older: self.newest, newer: NIL };
        if at == self.links.len() {
            self.links.push(link);
        } else {
            self.links[at] = link;
        }
        match self.newest {
            NIL => self.oldest = index,
            newest => self.links[newest as usize].newer = index,
        }
        self.newest = index;
    }

    /// `index` must be in the list.
    pub(super) fn remove(&mut self, index: u32) {
        let Link { older, newer } = self.links[index as usize];
        match older {
            NIL => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NIL => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    /// `index` must be in the list.
    pub(super) fn touch(&mut self, index: u32) {
        if self.newest != index {
            self.remove(index);
            self.push_newest(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_list_is_a_queue_by_last_use(steps in prop::collection::vec(0u32..12, 0..200)) {
            let (mut order, mut model) = (Order::with_capacity(0), Vec::new());
            for step in steps {
                let index = step % 6;
                match model.iter().position(|&at| at == index) {
                    Some(at) if step >= 6 => {
                        model.remove(at);
                        order.remove(index);
                    }
                    Some(at) => {
                        model.remove(at);
                        model.push(index);
                        order.touch(index);
                    }
                    None if index as usize <= order.links.len() => {
                        model.push(index);
                        order.push_newest(index);
                    }
                    None => {}
                }
                prop_assert_eq!(order.oldest(), model.first().copied());
                prop_assert_eq!(order.newest, model.last().copied().unwrap_or(NIL));
            }
        }
    }
}
