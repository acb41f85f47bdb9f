//! Buffers lent to the kernel for receiving: it takes one per receive, the guard gives it back when it is dropped.
//! Never here: a buffer that outlives the turn of the driver in which it was filled.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::core::bounds::{RECV_BUF_BYTES, RECV_BUFS};

/// Buffers lie this far apart: a page multiple would map all first lines onto the same few cache sets.
const STRIDE_BYTES: usize = RECV_BUF_BYTES + 5 * 64;
const PAGE_BYTES: usize = 4096;

/// The provided-buffer ring of one shard, group 0.
#[derive(Debug)]
pub(super) struct BufPool {
    entries: NonNull<u8>,
    bytes: NonNull<u8>,
    tail: Cell<u16>,
}

/// Received bytes, still in the kernel's buffer. Mutable, because JSON is parsed in place.
#[derive(Debug)]
pub struct RecvBuf {
    pool: Rc<BufPool>,
    id: u16,
    len: usize,
}

impl BufPool {
    pub fn new() -> Self {
        let pool = Self { entries: zeroed(entries_layout()), bytes: zeroed(bytes_layout()), tail: Cell::new(0) };
        (0..RECV_BUFS).for_each(|id| pool.give_back(id));
        pool
    }

    /// # Errors
    /// The kernel is older than 5.19 or the memory-lock limit is too small.
    pub fn register(&self, ring: &IoUring) -> io::Result<()> {
        // SAFETY: the entries are page-aligned, hold RECV_BUFS items, and outlive the ring (the driver drops it first).
        unsafe { ring.submitter().register_buf_ring_with_flags(self.entries.as_ptr() as u64, RECV_BUFS, 0, 0) }
    }

    /// Wraps what the kernel put into buffer `id`.
    pub fn filled(self: &Rc<Self>, id: u16, len: usize) -> RecvBuf {
        assert!(id < RECV_BUFS && len <= RECV_BUF_BYTES, "the kernel returns what it was lent");
        RecvBuf { pool: self.clone(), id, len }
    }

    fn give_back(&self, id: u16) {
        let tail = self.tail.get();
        let next = tail.wrapping_add(1);
        // SAFETY: the masked index lies in the ring; the entry behind the tail belongs to us until the tail moves past it;
        // the kernel reads the tail with acquire, which pairs with this release store.
        unsafe {
            let ring = self.entries.as_ptr().cast::<BufRingEntry>();
            let entry = &mut *ring.add((tail & (RECV_BUFS - 1)) as usize);
            entry.set_addr(self.bytes.as_ptr().add(id as usize * STRIDE_BYTES) as u64);
            entry.set_len(RECV_BUF_BYTES as u32);
            entry.set_bid(id);
            (*BufRingEntry::tail(ring).cast::<AtomicU16>()).store(next, Ordering::Release);
        }
        self.tail.set(next);
    }
}

impl Drop for BufPool {
    fn drop(&mut self) {
        // SAFETY: both were allocated with these layouts and no guard is left: each holds an Rc of the pool.
        unsafe {
            dealloc(self.entries.as_ptr(), entries_layout());
            dealloc(self.bytes.as_ptr(), bytes_layout());
        }
    }
}

impl RecvBuf {
    /// Forgets what lies behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for RecvBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the kernel filled `len` bytes and lent the buffer back; this guard is its only holder.
        unsafe { std::slice::from_raw_parts(self.pool.bytes.as_ptr().add(self.id as usize * STRIDE_BYTES), self.len) }
    }
}

impl DerefMut for RecvBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe {
            std::slice::from_raw_parts_mut(self.pool.bytes.as_ptr().add(self.id as usize * STRIDE_BYTES), self.len)
        }
    }
}

impl Drop for RecvBuf {
    fn drop(&mut self) {
        self.pool.give_back(self.id);
    }
}

fn entries_layout() -> Layout {
    Layout::from_size_align(RECV_BUFS as usize * size_of::<BufRingEntry>(), PAGE_BYTES).expect("a small power of two")
}

fn bytes_layout() -> Layout {
    Layout::from_size_align(RECV_BUFS as usize * STRIDE_BYTES, PAGE_BYTES).expect("a few mebibytes")
}

fn zeroed(layout: Layout) -> NonNull<u8> {
    // SAFETY: neither layout is empty.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}
