//! Memory that connections lend each other.
//!
//! A connection that waits for its next request should hold no buffers, since ten thousand do; and it should not
//! ask the allocator for new ones with every request either. So the buffers of idle connections go to a short list
//! that each thread has.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::BytesMut;

/// How many buffers a thread keeps. 64, as many requests as begin at about the same time; 320 KiB at most.
const KEPT: usize = 64;

/// The largest buffer that is kept. 4 KiB: what a large message made a buffer grow to is given back.
const LARGEST: usize = 4 * 1024;

/// What is lent.
pub(super) trait Spare: Default + 'static {
    fn size(&self) -> usize;
    fn list() -> &'static LocalKey<RefCell<Vec<Self>>>;

    /// Takes a buffer off the list, or an empty one.
    fn borrow() -> Self {
        Self::list().with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Puts a buffer without content on the list.
    fn give_back(self) {
        if !(1..=LARGEST).contains(&self.size()) {
            return;
        }
        Self::list().with_borrow_mut(|list| {
            if list.len() < KEPT {
                list.push(self);
            }
        });
    }
}

thread_local! {
    static READING: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static WRITING: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Spare for BytesMut {
    fn size(&self) -> usize {
        self.capacity()
    }

    fn list() -> &'static LocalKey<RefCell<Vec<Self>>> {
        &READING
    }
}

impl Spare for Vec<u8> {
    fn size(&self) -> usize {
        self.capacity()
    }

    fn list() -> &'static LocalKey<RefCell<Vec<Self>>> {
        &WRITING
    }
}
