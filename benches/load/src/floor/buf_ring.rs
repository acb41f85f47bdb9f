//! The provided-buffer ring: the kernel takes a buffer for each receive, and it is given back after use.
//! Never here: a buffer that belongs to a connection. An idle one holds none.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// Buffers in the ring: more than the completions of one turn. The kernel masks the index, hence a power of two.
const BUFS: u16 = 512;
const _: () = assert!(BUFS.is_power_of_two());
/// A whole pipelined burst fits, as in the epoll floor.
const BUF_BYTES: usize = 16 * 1024;
/// The ring and its buffers start on a page: the kernel asks for it.
const PAGE_BYTES: usize = 4096;

/// Memory shared with the kernel. It is never freed: the floor runs until it is killed.
pub struct BufRing {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    tail: u16,
}

impl BufRing {
    /// Registers the ring as buffer group `group`, all buffers free.
    pub fn register(ring: &IoUring, group: u16) -> io::Result<Self> {
        let entries = zeroed_pages(usize::from(BUFS) * size_of::<BufRingEntry>()).cast::<BufRingEntry>();
        let bytes = zeroed_pages(usize::from(BUFS) * BUF_BYTES);
        // SAFETY: the entries are page-aligned, zeroed, BUFS long, and live until the process ends.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFS, group, 0)? };
        let mut bufs = Self { entries, bytes, tail: 0 };
        (0..BUFS).for_each(|id| bufs.give_back(id));
        Ok(bufs)
    }

    /// The first `len` bytes of a buffer that a completion has named.
    pub fn received(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < BUFS && len <= BUF_BYTES, "the kernel names only buffers that it was given");
        // SAFETY: the range is inside the allocation (asserted), initialised since it was zeroed, and the kernel does not
        // write to it between the completion and `give_back`, which needs `&mut self` and so ends this borrow.
        unsafe { std::slice::from_raw_parts(self.bytes.add(usize::from(id) * BUF_BYTES), len) }
    }

    /// Lets the kernel use the buffer again.
    pub fn give_back(&mut self, id: u16) {
        assert!(id < BUFS, "the kernel names only buffers that it was given");
        // SAFETY: the masked index is inside the ring and the slot at the tail is ours until the tail moves past it.
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail & (BUFS - 1))) };
        // SAFETY: the start of buffer `id` is inside the allocation (asserted).
        entry.set_addr(unsafe { self.bytes.add(usize::from(id) * BUF_BYTES) } as u64);
        entry.set_len(BUF_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in the first entry of the live ring, is aligned for u16, and the kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

fn zeroed_pages(bytes: usize) -> *mut u8 {
    let layout = Layout::from_size_align(bytes, PAGE_BYTES).expect("a small constant size and a power of two");
    // SAFETY: the layout is not empty.
    let pages = unsafe { alloc_zeroed(layout) };
    if pages.is_null() { handle_alloc_error(layout) } else { pages }
}
